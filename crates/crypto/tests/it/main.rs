//! Hashes, keys and signatures against the vectors that JavaScript wrote, and against public ones.

#![allow(clippy::unwrap_used, clippy::panic)]

mod blake2b;
mod hashes;
mod keys;
