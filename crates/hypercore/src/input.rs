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

    /// What was read, so many bytes. `much` says whether the remote delivers large blocks.
    pub(crate) fn filled(&mut self, len: usize, much: impl FnOnce() -> bool) -> &[u8] {
        if len == self.len {
            self.len = match self.len < LARGE || !much() {
                true => LARGE,
                false => LARGEST,
            };
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

/// And where that isn't enough either: room for four messages with blocks of 64 KiB, which are hashed side by side.
const LARGEST: usize = 264 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_more_room_after_much_has_come_and_less_after_silence() {
        let mut input = Input::default();
        assert_eq!(input.room().len(), SMALL);
        input.room()[..3].copy_from_slice(b"few");
        assert_eq!(input.filled(3, || true), b"few");
        assert_eq!(input.room().len(), SMALL);
        assert_eq!(input.filled(SMALL, || true).len(), SMALL);
        assert_eq!(input.room().len(), LARGE);
        input.filled(LARGE, || false);
        assert_eq!(input.room().len(), LARGE);
        input.filled(LARGE, || true);
        assert_eq!(input.room().len(), LARGEST);
        input.shrink();
        assert_eq!(input.room().len(), SMALL);
    }
}
