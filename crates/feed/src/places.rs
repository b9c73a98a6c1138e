//! Where blocks begin that are likely to come next: behind those that have come.
//!
//! ```text
//!   data    ...|  block 8  | 9 |      10 ...        10 follows from the size of 9, whose leaf came with the proof of 8
//! ```
//!
//! The place of a block follows from the sizes of all roots before it, as many as its number has bits. Whoever copies a feed goes on
//! from block to block, and there it is known already. Sizes are those of verified nodes only, so that a place is what the roots
//! would tell.

use alloc::{collections::BTreeMap, vec::Vec};

/// How many places are remembered. When there are more all are forgotten, and told by the roots again.
const MAX_PLACES: usize = 1024;

/// Where a block begins in the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) block: u64,
    pub(crate) start: u64,
}

impl Place {
    /// The place of the next block, if this one has so many bytes.
    pub(crate) fn followed_by(self, size: u64) -> Option<Self> {
        Some(Place {
            block: self.block.checked_add(1)?,
            start: self.start.checked_add(size)?,
        })
    }
}

/// Places of blocks that aren't stored.
#[derive(Debug, Default)]
pub(crate) struct Places {
    starts: BTreeMap<u64, u64>,
}

impl Places {
    pub(crate) fn start(&self, block: u64) -> Option<u64> {
        self.starts.get(&block).copied()
    }

    /// Remembers places, as far as `is_stored` doesn't say that they are needed no more, and forgets the others.
    pub(crate) fn note(&mut self, places: Vec<Place>, is_stored: impl Fn(u64) -> bool) {
        for Place { block, start } in places {
            if is_stored(block) {
                self.starts.remove(&block);
                continue;
            }
            if self.starts.len() == MAX_PLACES {
                self.starts.clear();
            }
            self.starts.insert(block, start);
        }
    }

    pub(crate) fn forget(&mut self) {
        self.starts.clear();
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn places_are_remembered_until_their_blocks_are_stored_or_there_are_too_many() {
        let place = |block| Place {
            block,
            start: 10 * block,
        };
        let mut places = Places::default();
        places.note(vec![place(3), place(4)], |_| false);
        assert_eq!((places.start(3), places.start(4)), (Some(30), Some(40)));
        places.note(vec![place(3), place(5)], |block| block == 3);
        assert_eq!((places.start(3), places.start(5)), (None, Some(50)));
        for block in 0..5000 {
            places.note(vec![place(block)], |_| false);
            assert!(places.starts.len() <= MAX_PLACES);
            assert_eq!(places.start(block), Some(10 * block));
        }
    }
}
