#![allow(clippy::unwrap_used, clippy::panic)]

mod attacks;
mod commits;
mod directories;
mod messages;
mod opening;
mod recover;
mod world;
