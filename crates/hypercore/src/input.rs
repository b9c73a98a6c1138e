//! Where a socket is read to.

/// Room for what a socket gives: little while little comes, since most connections are quiet most of the time.
pub(crate) struct Input {
    buffer: Vec<u8>,
    /// How much room there is next time.
    len: usize,
}

impl Input {
    pub(crate) fn room(&mut self) -> &mut [u8] {
        self.buffer.resize(self.len, 0);
        &mut self.buffer
    }

    /// What was read, so many bytes.
    pub(crate) fn filled(&mut self, len: usize) -> &[u8] {
        if len == self.len {
            self.len = LARGE;
        }
        self.buffer.get(..len).unwrap_or_default()
    }

    /// Nothing has come for a while.
    pub(crate) fn shrink(&mut self) {
        *self = Input::default();
    }
}

impl Default for Input {
    fn default() -> Self {
        Input {
            buffer: Vec::new(),
            len: SMALL,
        }
    }
}

/// How much is read from a quiet socket at a time.
const SMALL: usize = 2 * 1024;

/// And from one that has given as much as that.
const LARGE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_more_room_after_much_has_come_and_less_after_silence() {
        let mut input = Input::default();
        assert_eq!(input.room().len(), SMALL);
        input.room()[..3].copy_from_slice(b"few");
        assert_eq!(input.filled(3), b"few");
        assert_eq!(input.room().len(), SMALL);
        assert_eq!(input.filled(SMALL).len(), SMALL);
        assert_eq!(input.room().len(), LARGE);
        input.shrink();
        assert_eq!(input.room().len(), SMALL);
    }
}
