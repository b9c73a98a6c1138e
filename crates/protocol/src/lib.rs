//! One hypercore connection as a machine: bytes and time in, bytes and events out.
//!
//! The handshake, the encryption, frames, channels with their capabilities, signs of life and timeouts of hypercore 8 and 9. See
//! [`Connection`] for two of them in conversation.
//!
//! ```
//! use core::time::Duration;
//! use hypercore_protocol::{Config, Connection, KeyPair, Randomness, Role};
//!
//! let config = Config::new(Role::Initiator, KeyPair::from_seed([1; 32]));
//! // In earnest, every byte of these is random.
//! let randomness = Randomness { ephemeral: [2; 32], nonce: [3; 24] };
//! let mut connection = Connection::new(config, randomness, Duration::ZERO)?;
//! let first = connection.poll_transmit(Duration::ZERO).expect("the initiator speaks first");
//! assert_eq!(first.len(), 59);
//! assert_eq!(connection.poll_timeout(), Some(Duration::from_secs(10)));
//! # Ok::<_, hypercore_protocol::Error>(())
//! ```
//!
//! **Who needs it:** whoever carries hypercore connections over a transport, or inside a simulator, of their own. After every call
//! that hands something in, drain `poll_event`, then `poll_transmit`, and call `handle_timeout` when `poll_timeout` says so.
//!
//! **What it doesn't do:** the messages mean nothing to it, that is up to `hypercore-replicate`; sockets, clocks and randomness are the
//! caller's.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod channels;
mod clock;
mod config;
mod connection;
mod deadlines;
mod error;
mod event;
mod extensions;
mod frames;
mod greeting;
mod held;
mod incoming;
mod outgoing;

pub use config::{Config, Security};
pub use connection::Connection;
pub use error::Error;
pub use event::{Channel, Event};
pub use extensions::{ExtensionEvent, ExtensionLimits, ExtensionName, Extensions};
pub use noise::{DialectChoice, KeyPair, Randomness, Role};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
