//! The replicator in simulated worlds, against hostile peers, and against what JavaScript said.

#![allow(clippy::unwrap_used, clippy::panic)]

mod clone;
mod hostile;
mod live;
mod model;
mod sessions;
mod slow;
mod wants;
mod window;
mod wishes;
mod world;
