//! How two hypercore peers meet: the Noise handshake of both dialects, the stream cipher behind it, and the capability that
//! shows who knows which feed.
//!
//! See [`Handshake`] for an example. The handshake runs on snow with primitives of its own, because dialect 8 isn't quite
//! Noise. Randomness is an argument, and nothing here knows of sockets, feeds or other messages than its own.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod capability;
mod error;
mod handshake;
mod keys;
mod resolver;
mod stream;

pub use capability::Capability;
pub use error::Error;
pub use handshake::{DialectChoice, Handshake, Outcome, Randomness, Role};
pub use keys::KeyPair;
pub use stream::StreamCipher;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
