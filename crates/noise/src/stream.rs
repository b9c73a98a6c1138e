//! The stream cipher: XSalsa20 without authentication, one key stream in each direction.
//!
//! What is altered on the way is noticed, if at all, by the layers above: by framing and by proofs.

use core::fmt;

use salsa20::{
    XSalsa20,
    cipher::{KeyIvInit, StreamCipher as _},
};

/// One direction of a connection after the handshake.
pub struct StreamCipher(XSalsa20);

impl StreamCipher {
    /// The key stream from its beginning.
    pub fn new(key: &[u8; 32], nonce: &[u8; 24]) -> Self {
        StreamCipher(XSalsa20::new(key.into(), nonce.into()))
    }

    /// Encrypts or decrypts the next bytes, in any pieces.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        // The key stream ends after 2^70 bytes.
        self.0.apply_keystream(bytes);
    }
}

impl fmt::Debug for StreamCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamCipher(..)")
    }
}
