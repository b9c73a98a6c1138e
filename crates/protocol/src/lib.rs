//! One hypercore connection as a machine: bytes and time in, bytes and events out.
//!
//! The handshake, the encryption, frames, channels with their capabilities, signs of life and timeouts of hypercore 8 and 9. See
//! [`Connection`] for an example. What the messages mean is up to `hypercore-replicate`; sockets, clocks and randomness are the
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
