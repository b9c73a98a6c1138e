//! Hashes, keys and signatures against the vectors that JavaScript wrote.

#![allow(clippy::unwrap_used, clippy::panic)]

mod hashes;
mod keys;
