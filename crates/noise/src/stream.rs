//! The cipher of everything behind the handshake: one XSalsa20 key stream for each direction.

use core::fmt;

use crate::salsa::XSalsa;

/// One direction of an encrypted stream. It doesn't authenticate: what is altered on the way comes out altered.
///
/// ```
/// # use hypercore_noise::StreamCipher;
/// let mut text = *b"in pieces of any size";
/// let mut sender = StreamCipher::new(&[1; 32], &[2; 24]);
/// sender.apply(&mut text[..3]);
/// sender.apply(&mut text[3..]);
///
/// StreamCipher::new(&[1; 32], &[2; 24]).apply(&mut text);
/// assert_eq!(&text, b"in pieces of any size");
/// ```
pub struct StreamCipher(XSalsa);

impl StreamCipher {
    /// The stream of a key and a nonce, from its start. The two must never be used together again.
    pub fn new(key: &[u8; 32], nonce: &[u8; 24]) -> Self {
        StreamCipher(XSalsa::new(key, nonce))
    }

    /// Encrypts or decrypts the bytes that come next in the stream, in place.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        self.0.apply(bytes);
    }
}

impl fmt::Debug for StreamCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamCipher(..)")
    }
}
