//! Messages, frames and run-length codes against the vectors that JavaScript wrote, and against hostile bytes.

#![allow(clippy::unwrap_used, clippy::panic)]

mod frames;
mod limits;
mod rle;
mod vectors;
