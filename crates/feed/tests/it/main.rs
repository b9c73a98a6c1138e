#![allow(clippy::unwrap_used, clippy::panic)]

mod attacks;
mod directories;
mod messages;
mod recover;
mod world;
