#![allow(clippy::unwrap_used, clippy::panic)]

mod directories;
mod messages;
mod recover;
mod world;
