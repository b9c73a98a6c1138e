//! The tree against the vectors and against a tree that is really built.

#![allow(clippy::unwrap_used, clippy::panic)]

mod model;
mod vectors;
mod wide;
