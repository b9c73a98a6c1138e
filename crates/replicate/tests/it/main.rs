//! The replicator in simulated worlds, against hostile peers, and against what JavaScript said.

#![allow(clippy::unwrap_used, clippy::panic)]

mod clone;
mod face;
mod hostile;
mod live;
mod model;
mod pushes;
mod reach;
mod serving;
mod sessions;
mod slow;
mod switches;
mod taken_back;
mod wants;
mod window;
mod wishes;
mod world;
