//! Connections over simulated links, in virtual time: what JavaScript recorded, what honest peers do, and what others try.

#![allow(clippy::unwrap_used, clippy::panic)]

mod bounds;
mod channels;
mod ends;
mod extensions;
mod javascript;
mod pieces;
mod reopened;
mod security;
mod time;
mod vectors;
mod world;
