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

/// A block that came: what follows of where the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) block: u64,
    /// Where it ends, and the next one begins.
    pub(crate) end: u64,
    /// How long the next one is, if its leaf is known.
    pub(crate) next_size: Option<u64>,
}

/// Places of blocks that aren't stored.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Where a block begins, and how long it is if that is known.
    starts: BTreeMap<u64, (u64, Option<u64>)>,
}

impl Places {
    /// Where a block begins, if that is known.
    pub(crate) fn start(&self, block: u64) -> Option<u64> {
        let (&known, &(start, size)) = self.starts.range(..=block).next_back()?;
        match block - known {
            0 => Some(start),
            1 => start.checked_add(size?),
            _ => None,
        }
    }

    /// Remembers what follows of blocks that are stored now. `is_stored` says which blocks need not be remembered.
    pub(crate) fn note(&mut self, places: Vec<Place>, is_stored: impl Fn(u64) -> bool) {
        for Place {
            block,
            end,
            next_size,
        } in places
        {
            self.starts.remove(&block);
            let next = block.saturating_add(1);
            if is_stored(next) {
                continue;
            }
            if self.starts.len() == MAX_PLACES {
                self.starts.clear();
            }
            self.starts.insert(next, (end, next_size));
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
    fn places_are_known_behind_what_came_until_they_are_taken_or_too_many() {
        let came = |block, next_size| Place {
            block,
            end: 10 * block,
            next_size,
        };
        let mut places = Places::default();
        places.note(vec![came(2, Some(7)), came(8, None)], |_| false);
        let starts: Vec<_> = (2..11).map(|block| places.start(block)).collect();
        let (third, fourth, ninth) = (Some(20), Some(27), Some(80));
        assert_eq!(
            starts,
            [None, third, fourth, None, None, None, None, ninth, None]
        );
        // The third has come, and the fourth with it.
        places.note(vec![came(3, None), came(4, Some(1))], |block| block == 4);
        assert_eq!((places.start(3), places.start(4)), (None, None));
        assert_eq!((places.start(5), places.start(6)), (Some(40), Some(41)));
        for block in 0..5000 {
            places.note(vec![came(block, None)], |_| false);
            assert!(places.starts.len() <= MAX_PLACES);
            assert_eq!(places.start(block + 1), Some(10 * block));
        }
    }
}
