//! Files by themselves, on each backend alike, and six of them together.

#![allow(clippy::unwrap_used, clippy::panic)]

mod access;
mod disk;
mod lock;
#[cfg(feature = "mmap")]
mod mapped;
mod set;
mod vectors;
mod worlds;
