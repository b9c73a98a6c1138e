//! The log with its files in memory or on disk, through its public face.

#![allow(clippy::unwrap_used, clippy::panic)]

mod attacks;
mod commits;
mod directories;
mod messages;
mod model;
mod opening;
mod recover;
mod sessions;
mod world;
