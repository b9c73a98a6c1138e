//! For tests only: the vectors that JavaScript wrote, randomness that a seed repeats, time that a test lets pass, and links and
//! disks that misbehave.
//!
//! No crate of the workspace depends on this one outside of its tests and benches.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod disk;
mod executor;
mod link;
mod rng;
pub mod vectors;

pub use disk::{Call, Fault, Image, Loss, SimDisk};
pub use executor::{Sim, Sleep, Task, Timer, lock};
pub use link::{Arrival, Clock, Link};
pub use rng::{Rng, seed};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
