//! What has arrived, up to the frame that is looked at next.

use noise::StreamCipher;
use wire::{Decoder, Frame, Limits};

use crate::Error;

/// What has arrived: deciphered at once, taken apart frame by frame, as it is asked for.
///
/// So a piece that is full of tiny frames costs its own length and no more.
#[derive(Debug)]
pub(crate) struct Incoming {
    decoder: Decoder,
    cipher: Option<StreamCipher>,
    max: usize,
}

impl Incoming {
    pub(crate) fn new(limits: Limits, max: usize) -> Self {
        Incoming {
            decoder: Decoder::new(limits),
            cipher: None,
            max,
        }
    }

    /// What comes from here on is encrypted.
    pub(crate) fn decrypt(&mut self, cipher: StreamCipher) {
        self.cipher = Some(cipher);
    }

    /// # Errors
    /// [`Error::InputQueueFull`].
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let buffer = self.decoder.buffer();
        let before = buffer.len();
        if bytes.len() > self.max.saturating_sub(before) {
            return Err(Error::InputQueueFull { max: self.max });
        }
        buffer.extend_from_slice(bytes);
        if let (Some(cipher), Some(new)) = (&mut self.cipher, buffer.get_mut(before..)) {
            cipher.apply(new);
        }
        Ok(())
    }

    /// # Errors
    /// [`Error::Frame`].
    pub(crate) fn pop(&mut self) -> Result<Option<Frame>, Error> {
        Ok(self.decoder.next()?)
    }

    /// Whether not even a part of a frame is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.decoder.buffered() == 0
    }

    /// How much memory it takes.
    pub(crate) fn allocated(&self) -> usize {
        self.decoder.allocated()
    }

    pub(crate) fn drop_all(&mut self) {
        self.decoder.buffer().clear();
    }
}
