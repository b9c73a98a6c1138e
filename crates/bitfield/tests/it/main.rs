//! The bitfield and the sets of ranges against the vectors that JavaScript wrote and against naive models.

#![allow(clippy::unwrap_used, clippy::panic)]

mod bitfield;
mod range_set;
mod vectors;
