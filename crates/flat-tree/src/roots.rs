//! The roots of a feed: the largest complete trees that its blocks fall into.
//!
//! A length of 13 is 8 + 4 + 1 in binary, so its roots are a tree of eight, one of four and a leaf.

use core::iter::FusedIterator;

use crate::Index;

/// The roots of a feed of `length` blocks, left to right. A feed without blocks has none.
///
/// ```
/// use hypercore_flat_tree::{full_roots, Index};
///
/// assert!(full_roots(7).eq([3, 9, 12].map(Index::new)));
/// assert_eq!(full_roots(7).len(), 3);
/// assert_eq!(full_roots(7).next_back(), Some(Index::new(12)));
/// assert_eq!(full_roots(0).next(), None);
/// ```
pub const fn full_roots(length: u64) -> FullRoots {
    FullRoots { start: 0, length }
}

/// Iterator over full roots, made by [`full_roots`]. At most 64 of them, large trees first.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[must_use = "iterators do nothing unless they are used"]
pub struct FullRoots {
    /// The first block that no root yielded so far covers. Aligned to the size of the next tree.
    start: u64,
    /// The blocks from there on. Its one bits are the sizes of the trees to come.
    length: u64,
}

impl FullRoots {
    /// The roots of `start..end`, where `start` is a multiple of a power of two larger than the rest.
    pub(crate) const fn between(start: u64, end: u64) -> Self {
        Self {
            start,
            length: end.saturating_sub(start),
        }
    }

    /// The next root, as [`Iterator::next`], usable in a `const`.
    pub const fn next_root(&mut self) -> Option<Index> {
        let Some(depth) = self.length.checked_ilog2() else {
            return None;
        };
        let root = Index::at(depth, self.start >> depth);
        self.start += 1 << depth;
        self.length -= 1 << depth;
        Some(root)
    }
}

impl Iterator for FullRoots {
    type Item = Index;

    fn next(&mut self) -> Option<Index> {
        self.next_root()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.length.count_ones() as usize;
        (left, Some(left))
    }
}

impl DoubleEndedIterator for FullRoots {
    fn next_back(&mut self) -> Option<Index> {
        if self.length == 0 {
            return None;
        }
        let depth = self.length.trailing_zeros();
        self.length -= 1 << depth;
        Some(Index::at(depth, (self.start + self.length) >> depth))
    }
}

impl ExactSizeIterator for FullRoots {}
impl FusedIterator for FullRoots {}
