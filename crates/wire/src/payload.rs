//! The payload of a handshake message.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::{
    Error,
    decode::{Fields, nonce},
};

/// What each side says in its handshake messages: the nonce of the stream that it will send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoisePayload {
    /// The nonce, exactly 24 bytes.
    pub nonce: [u8; 24],
}

impl NoisePayload {
    /// How many bytes it takes.
    pub const LEN: usize = 26;

    /// The payload as it is sent.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::LEN);
        bytes.extend_from_slice(&[1 << 3 | 2, 24]);
        bytes.extend_from_slice(&self.nonce);
        bytes
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// [`Error`] if it isn't one, or its nonce hasn't 24 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let bytes = Bytes::copy_from_slice(bytes);
        Ok(NoisePayload {
            nonce: nonce(Fields::new(&bytes))?,
        })
    }
}
