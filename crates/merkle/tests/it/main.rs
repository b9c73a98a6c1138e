//! The tree against the vectors that JavaScript wrote, against naive models, and against peers that lie.

mod attacks;
mod author;
mod copying;
mod mutations;
mod vectors;
