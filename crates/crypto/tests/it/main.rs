//! Hashes, keys and signatures against the vectors that JavaScript wrote.

mod hashes;
mod keys;
