//! What must be added to the roots of a feed to get the roots of the longer feed.
//!
//! Climb from the last root of the shorter feed: a sibling to the right is new, a parent is new. Where the parent would
//! reach beyond the longer feed, go on with the roots that follow.
//!
//! ```text
//! 3 blocks have the roots 1 and 4; growing to 5 takes 6, 5, 3 and 8:
//!
//!          (3)
//!      1        (5)
//!    .   .     4   (6)  (8)
//! ```

use core::iter::FusedIterator;

use crate::{FullRoots, Index, full_roots};

/// The nodes that link the roots of a feed of `from` blocks with those of the same feed at `to` blocks, bottom up and
/// then left to right: siblings, parents, and the roots that follow. These are the nodes an honest grower has to show.
///
/// Nothing if `to` is not longer. Nothing either if `from` is 0: there is no root to start at, take [`full_roots`].
///
/// ```
/// use hypercore_flat_tree::{patch, Index};
///
/// assert!(patch(3, 5).eq([6, 5, 3, 8].map(Index::new)));
/// ```
pub const fn patch(from: u64, to: u64) -> Patch {
    let climb = if 0 < from && from < to {
        // The last root of `from` has as many leaves as the lowest one bit of `from` says.
        let depth = from.trailing_zeros();
        Some(Index::at(depth, (from - 1) >> depth))
    } else {
        None
    };
    Patch {
        climb,
        parent: None,
        to,
        rest: full_roots(0),
    }
}

/// Iterator over the nodes of a [`patch`].
#[derive(Copy, Clone, Debug)]
#[must_use = "iterators do nothing unless they are used"]
pub struct Patch {
    /// The root climbed to so far; `None` once the climb is over.
    climb: Option<Index>,
    /// The parent to yield after the sibling that was yielded last.
    parent: Option<Index>,
    to: u64,
    rest: FullRoots,
}

impl Iterator for Patch {
    type Item = Index;

    fn next(&mut self) -> Option<Index> {
        if let Some(parent) = self.parent.take() {
            self.climb = Some(parent);
            return Some(parent);
        }
        if let Some(at) = self.climb {
            let parent = at.parent();
            // Beyond the domain the topmost node is its own parent: the climb ends there too.
            if parent.end_block() > self.to || parent.depth() == at.depth() {
                self.climb = None;
                self.rest = FullRoots::between(at.end_block(), self.to);
            } else if at.is_left() {
                self.parent = Some(parent);
                return Some(at.sibling());
            } else {
                self.climb = Some(parent);
                return Some(parent);
            }
        }
        self.rest.next()
    }
}

impl FusedIterator for Patch {}
