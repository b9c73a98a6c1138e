//! Messages, frames and run-length codes against the vectors that JavaScript wrote, and against hostile bytes.

mod frames;
mod limits;
mod rle;
mod vectors;
