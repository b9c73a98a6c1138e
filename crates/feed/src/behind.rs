//! A writer that has lost blocks which others still have.
//!
//! ```text
//! here     0 ........ mine                      restored from a backup, or what a power cut left
//! signed   0 ........ mine ........ seen        what a peer shows, signed with our own key
//! ```
//!
//! Appending at `mine` would sign another history. So from the moment in which such a signature is met nothing is appended, until
//! everything below `seen` is proved and the lost blocks are stored again. Whoever only reads never asks.

use core::ops::Range;

use crate::{Error, Feed};

/// What was signed and isn't here: empty if nothing is known of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Behind(Range<u64>);

impl Feed {
    /// Notes that a longer length is signed, whether or not it is shown to be of the history that is stored here.
    pub fn note_signed(&mut self, length: u64) {
        self.meet(self.length(), length);
    }

    /// From where the blocks are to be fetched, and up to where, before anything may be appended. None if nothing is known to be
    /// lost.
    pub fn behind(&self) -> Option<Range<u64>> {
        let Range { start, end } = self.behind.0;
        let whole = self.length() >= end && self.bitfield.has_blocks(start..end);
        (start < end && !whole).then_some(start..end)
    }

    /// The feed of `mine` blocks is met with `seen`.
    pub(crate) fn meet(&mut self, mine: u64, seen: u64) {
        self.catch_up();
        let Range { start, end } = &mut self.behind.0;
        if *start == *end {
            (*start, *end) = (mine, mine);
        }
        *end = seen.max(*end);
    }

    /// Forgets what it was about if everything has come.
    pub(crate) fn catch_up(&mut self) {
        if self.behind().is_none() {
            self.behind = Behind::default();
        }
    }

    pub(crate) fn check_behind(&self) -> Result<(), Error> {
        match self.behind() {
            None => Ok(()),
            Some(Range { start, end }) => Err(Error::WriterBehind {
                mine: start,
                seen: end,
            }),
        }
    }
}
