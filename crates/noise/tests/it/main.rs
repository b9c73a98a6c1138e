//! Whole handshakes and streams: those that JavaScript wrote, a public one, and those of peers that break the rules.

#![allow(clippy::unwrap_used, clippy::panic)]

mod hostile;
mod pair;
mod pieces;
mod received;
mod salsa;
mod vectors;
