//! Whole handshakes and streams: those that JavaScript wrote, and those of peers that break the rules.

#![allow(clippy::unwrap_used, clippy::panic)]

mod hostile;
mod pair;
mod pieces;
mod received;
mod vectors;
