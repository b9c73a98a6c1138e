//! Messages with their length in front, while the handshake lasts.
//!
//! ```text
//! varint length | Noise message
//! ```

use alloc::vec::Vec;
use core::mem;

use crate::Error;

/// The longest message accepted by default. Real ones have 58, 122 and 90 bytes.
pub(crate) const MAX_MESSAGE: usize = 1024;

/// The longest that Noise knows.
const LONGEST: usize = 65_535;

/// The most bytes that a length may have.
const MAX_LENGTH_BYTES: u32 = 10;

/// Collects one message at a time, and takes not a byte more: what follows may not be for the handshake.
pub(crate) struct Reader {
    max: usize,
    length: u64,
    length_bytes: u32,
    in_body: bool,
    body: Vec<u8>,
}

impl Default for Reader {
    fn default() -> Self {
        Reader::new(MAX_MESSAGE)
    }
}

impl Reader {
    /// Accepts messages of so many bytes at most.
    pub(crate) fn new(max: usize) -> Self {
        Reader {
            max: max.min(LONGEST),
            length: 0,
            length_bytes: 0,
            in_body: false,
            body: Vec::new(),
        }
    }

    /// Takes bytes from the front of `bytes` until a message is whole.
    pub(crate) fn read(&mut self, bytes: &mut &[u8]) -> Result<Option<Vec<u8>>, Error> {
        while !self.in_body {
            let Some((byte, rest)) = bytes.split_first() else {
                return Ok(None);
            };
            *bytes = rest;
            self.length_byte(*byte)?;
        }
        // Not above the longest, which was checked as the length came in.
        let missing = self.length as usize - self.body.len();
        let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
        *bytes = rest;
        self.body.extend_from_slice(taken);
        if self.body.len() as u64 == self.length {
            let next = Reader::new(self.max);
            return Ok(Some(mem::replace(self, next).body));
        }
        Ok(None)
    }

    fn length_byte(&mut self, byte: u8) -> Result<(), Error> {
        if self.length_bytes == MAX_LENGTH_BYTES {
            return Err(Error::LengthTooLong);
        }
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        if bits.leading_zeros() < 7 * self.length_bytes {
            return Err(self.too_long(u64::MAX));
        }
        self.length |= bits << (7 * self.length_bytes);
        self.length_bytes += 1;
        if self.length > self.max as u64 {
            return Err(self.too_long(self.length));
        }
        if byte & 0x80 == 0 {
            if self.length == 0 {
                return Err(Error::EmptyMessage);
            }
            self.in_body = true;
        }
        Ok(())
    }

    fn too_long(&self, len: u64) -> Error {
        let max = self.max;
        Error::MessageTooLong { len, max }
    }
}

/// A message as it goes out.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(2 + message.len());
    let mut length = message.len();
    while length > 0x7f {
        framed.push(length as u8 | 0x80);
        length >>= 7;
    }
    framed.push(length as u8);
    framed.extend_from_slice(message);
    framed
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn too_long(len: u64) -> Error {
        Reader::default().too_long(len)
    }

    /// Feeds bytes one by one and all at once; both must agree.
    fn read(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Error> {
        let mut rest = bytes;
        let whole = Reader::default().read(&mut rest);
        let consumed = bytes.len() - rest.len();
        let whole = whole.map(|message| message.map(|message| (message, consumed)));

        let mut reader = Reader::default();
        let mut pieces = Ok(None);
        for (n, byte) in bytes.iter().enumerate() {
            match reader.read(&mut &[*byte][..]) {
                Ok(None) => {}
                Ok(Some(message)) => {
                    pieces = Ok(Some((message, n + 1)));
                    break;
                }
                Err(error) => {
                    pieces = Err(error);
                    break;
                }
            }
        }
        assert_eq!(pieces, whole);
        whole
    }

    #[test]
    fn takes_one_message_and_leaves_the_rest() {
        assert_eq!(read(&[2, 7, 8, 9]), Ok(Some((vec![7, 8], 3))));
        assert_eq!(read(&[0x82, 0, 7, 8, 9]), Ok(Some((vec![7, 8], 4))));
        assert_eq!(read(&[3, 7, 8]), Ok(None));
        for len in [1, 127, 128, MAX_MESSAGE] {
            let framed = framed(&vec![5; len]);
            let total = framed.len();
            assert_eq!(read(&framed), Ok(Some((vec![5; len], total))));
        }
    }

    #[test]
    fn refuses_at_the_length() {
        assert_eq!(read(&[0]), Err(Error::EmptyMessage));
        assert_eq!(read(&[0x80, 0]), Err(Error::EmptyMessage));
        assert_eq!(read(&[0xff, 0xff, 0xff]), Err(too_long(0x3fff)));
        assert_eq!(read(&[0x81, 8]), Err(too_long(MAX_MESSAGE as u64 + 1)));
        assert_eq!(read(&[0x80; 10]), Ok(None));
        assert_eq!(read(&[0x80; 11]), Err(Error::LengthTooLong));
        let mut overflowing = [0x80; 10];
        overflowing[9] = 2;
        assert_eq!(read(&overflowing), Err(too_long(u64::MAX)));
    }

    #[test]
    fn takes_messages_as_long_as_it_is_told_and_none_longer_than_noise_knows() {
        for (max, longest) in [(1, 1), (90, 90), (5000, 5000), (1 << 20, LONGEST)] {
            let mut reader = Reader::new(max);
            // Also after the first.
            for _ in 0..2 {
                let message = framed(&vec![5; longest]);
                let read = reader.read(&mut &message[..]).unwrap();
                assert_eq!(read, Some(vec![5; longest]));
            }
            let error = reader.read(&mut &framed(&vec![5; longest + 1])[..]);
            assert!(matches!(error, Err(Error::MessageTooLong { max, .. }) if max == longest));
        }
    }
}
