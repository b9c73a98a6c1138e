#![allow(clippy::unwrap_used, clippy::panic)]

mod directories;
mod world;
