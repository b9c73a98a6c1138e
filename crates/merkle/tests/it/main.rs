//! The tree against the vectors that JavaScript wrote, against naive models, and against peers that lie.

#![allow(clippy::unwrap_used, clippy::panic)]

mod attacks;
mod author;
mod bits;
mod copying;
mod feeds;
mod forgeries;
mod forks;
mod growing;
mod history;
mod mutations;
mod portable;
mod vectors;
