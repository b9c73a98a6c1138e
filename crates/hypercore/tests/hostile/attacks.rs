//! The attacks, by what they attack.

pub(crate) mod accepting;
pub(crate) mod asking;
pub(crate) mod channels;
pub(crate) mod claiming;
pub(crate) mod frames;
pub(crate) mod handshake;
pub(crate) mod middle;
pub(crate) mod seeding;
