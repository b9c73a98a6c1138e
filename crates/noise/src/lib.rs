//! The beginning of a hypercore connection: the Noise handshake in the dialects of JavaScript hypercore 8 and 9, the cipher
//! of the stream that follows, and the capability by which peers show that they know a feed's key.
//!
//! ```
//! use hypercore_noise::{Dialect, DialectChoice, Handshake, KeyPair, Randomness, Role};
//!
//! // In earnest, every byte of these is random.
//! let randomness = |byte| Randomness { ephemeral: [byte; 32], nonce: [byte; 24] };
//! let mut a = Handshake::new(Role::Initiator, DialectChoice::Auto, KeyPair::from_seed([1; 32]), randomness(3))?;
//! let mut b = Handshake::new(
//!     Role::Responder,
//!     DialectChoice::Fixed(Dialect::V9),
//!     KeyPair::from_seed([2; 32]),
//!     randomness(4),
//! )?;
//!
//! while !(a.is_finished() && b.is_finished()) {
//!     for (from, to) in [(0, 1), (1, 0)] {
//!         let mut sides = [&mut a, &mut b];
//!         while let Some(message) = sides[from].poll_transmit() {
//!             sides[to].handle_bytes(&message)?;
//!         }
//!         if sides[to].needs_authentication().is_some() {
//!             sides[to].authenticate(true)?;
//!         }
//!     }
//! }
//!
//! let (mut a, mut b) = (a.finish()?, b.finish()?);
//! assert_eq!(a.dialect, Dialect::V9); // heard from the second message
//! assert_eq!(a.handshake_hash, b.handshake_hash);
//!
//! let mut bytes = *b"hello";
//! a.tx.apply(&mut bytes);
//! b.rx.apply(&mut bytes);
//! assert_eq!(&bytes, b"hello");
//!
//! let feed_key = [9; 32];
//! assert!(b.capability.verify(&feed_key, &a.capability.local(&feed_key)));
//! # Ok::<_, hypercore_noise::Error>(())
//! ```
//!
//! **Who needs it:** whoever speaks to JavaScript hypercore 8 or 9 from a stack of their own.
//!
//! **What it doesn't do:** it has no sockets, frames (`hypercore-wire`) or channels (`hypercore-protocol`), and no randomness of its
//! own. The cipher has no tag: what has to be authentic must say so itself, as signed blocks do. The rules it follows are in `docs/protocol.md`, "Handshake" and
//! "Stream".

#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

mod capability;
mod choice;
mod cipher;
mod dh;
mod error;
mod handshake;
mod hash;
mod key_pair;
mod message;
mod resolver;
mod salsa;
mod stream;

pub use capability::Capability;
pub use choice::{DialectChoice, Role};
pub use crypto::Dialect;
pub use error::Error;
pub use handshake::{Handshake, Outcome};
pub use key_pair::{KeyPair, Randomness};
pub use stream::StreamCipher;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
