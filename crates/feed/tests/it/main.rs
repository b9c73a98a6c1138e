//! The log with its files in memory or on disk, through its public face.

#![allow(clippy::unwrap_used, clippy::panic)]

mod attacks;
mod audit;
mod behind;
mod clear;
mod commits;
mod directories;
#[cfg(unix)]
mod faults;
mod forks;
mod mend;
mod messages;
mod model;
mod opening;
mod ranges;
mod recover;
mod seek;
mod sessions;
mod signatures;
mod static_feeds;
mod terms;
mod together;
mod world;
