//! Files by themselves, on each backend alike, and six of them together.

#![allow(clippy::unwrap_used, clippy::panic)]

mod access;
mod disk;
mod lock;
mod set;
mod vectors;
mod worlds;
