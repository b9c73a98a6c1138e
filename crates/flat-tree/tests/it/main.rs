//! The tree against the vectors and against a tree that is really built.
mod model;
mod vectors;
mod wide;
