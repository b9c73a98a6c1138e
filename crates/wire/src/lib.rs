//! The messages of hypercore 8 and 9, their frames, and the run-length code of bitfields.
//!
//! ```
//! use bytes::BytesMut;
//! use hypercore_wire::{Decoder, Have, Limits, Message};
//!
//! let mut stream = BytesMut::new();
//! let have = Message::Have(Have { start: 7, ..Have::default() });
//! have.encode_frame(1, &mut stream);
//!
//! let mut decoder = Decoder::new(Limits::default());
//! decoder.extend(&stream);
//! let frame = decoder.next()?.expect("a whole frame");
//! let message = Message::decode(frame.kind.expect("a known type"), frame.body, &Limits::default())?;
//! assert_eq!(message, have);
//! # Ok::<_, hypercore_wire::Error>(())
//! ```
//!
//! **Who needs it:** whoever speaks or inspects the protocol: a proxy, a dissector, another implementation's tests. Bodies share the
//! bytes that arrived, and memory follows these, never a length that was announced.
//!
//! **What it doesn't do:** it knows nothing of sockets, feeds or keys, and encrypts nothing. What is said when is in
//! `docs/protocol.md`.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod decode;
mod encode;
mod error;
mod frame;
mod limits;
mod message;
mod payload;
mod rle;
pub mod varint;

pub use error::Error;
pub use frame::{Decoder, Frame};
pub use limits::Limits;
pub use message::{
    Cancel, Close, Data, Extension, Have, Kind, Message, Node, Open, Options, Request, Status,
    Unhave, Unwant, Want,
};
pub use payload::NoisePayload;
pub use rle::{Runs, rle_decode, rle_decode_bytes, rle_encode};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
