//! A walker: an [`Index`] that moves.
//!
//! It adds nothing that [`Index`] cannot say, but reads better where one place is moved step by step.

use crate::Index;

/// Walks over the tree. Every step returns where it led; steps that would leave the tree stay where they are.
///
/// ```
/// use hypercore_flat_tree::{Cursor, Index};
///
/// let mut cursor = Cursor::new(Index::new(0));
/// assert_eq!(cursor.parent(), Index::new(1));
/// assert_eq!(cursor.next(), Index::new(5));
/// assert_eq!(cursor.left_child(), Index::new(4));
/// assert_eq!(cursor.left_child(), Index::new(4)); // a leaf has none
/// ```
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Cursor {
    at: Index,
}

impl Cursor {
    /// Starts at `index`.
    pub const fn new(index: Index) -> Self {
        Self { at: index }
    }

    /// Moves to `index`.
    pub const fn seek(&mut self, index: Index) -> Index {
        self.at = index;
        self.at
    }

    /// Where it is.
    pub const fn index(&self) -> Index {
        self.at
    }

    /// How many nodes of the same depth lie to the left.
    pub const fn offset(&self) -> u64 {
        self.at.offset()
    }

    /// The distance between neighbours of the depth it is at: 2 among leaves, 4 above them, and so on.
    pub const fn stride(&self) -> u64 {
        self.at.leaf_count().wrapping_mul(2)
    }

    /// Whether it is at a left child.
    pub const fn is_left(&self) -> bool {
        self.at.is_left()
    }

    /// To the next node of the same depth.
    #[allow(
        clippy::should_implement_trait,
        reason = "no iterator: it never ends, and has `prev`"
    )]
    pub const fn next(&mut self) -> Index {
        let stride = self.stride();
        self.seek(Index::new(self.at.get().wrapping_add(stride)))
    }

    /// To the previous node of the same depth; the first one stays.
    pub const fn prev(&mut self) -> Index {
        if self.offset() > 0 {
            self.at = Index::new(self.at.get() - self.stride());
        }
        self.at
    }

    /// To the other child of the parent.
    pub const fn sibling(&mut self) -> Index {
        self.seek(self.at.sibling())
    }

    /// To the node right above.
    pub const fn parent(&mut self) -> Index {
        self.seek(self.at.parent())
    }

    /// To the left child; a leaf stays.
    pub const fn left_child(&mut self) -> Index {
        if let Some(child) = self.at.left_child() {
            self.at = child;
        }
        self.at
    }

    /// To the right child; a leaf stays.
    pub const fn right_child(&mut self) -> Index {
        if let Some(child) = self.at.right_child() {
            self.at = child;
        }
        self.at
    }

    /// To the leftmost leaf below.
    pub const fn left_span(&mut self) -> Index {
        self.seek(self.at.left_span())
    }

    /// To the rightmost leaf below.
    pub const fn right_span(&mut self) -> Index {
        self.seek(self.at.right_span())
    }

    /// To the first leaf to the right of everything below.
    pub const fn next_tree(&mut self) -> Index {
        self.seek(self.at.next_tree())
    }

    /// To the first leaf to the left of everything below; to leaf 0 if there is none.
    pub const fn prev_tree(&mut self) -> Index {
        let left = self.at.left_span().get();
        self.seek(Index::new(left.saturating_sub(2)))
    }

    /// From a leaf to the largest tree that begins there and fits in a feed of `length` blocks. Started at leaf 0 and
    /// moved on by [`next_tree`](Self::next_tree), this gives the full roots. `false`, without a move, if this is no
    /// leaf or lies outside of the feed.
    pub const fn full_root(&mut self, length: u64) -> bool {
        match self.at.block() {
            Some(block) if block < length => {}
            _ => return false,
        }
        while self.at.is_left() {
            let parent = self.at.parent();
            // Beyond the domain the topmost node is its own parent: the climb ends there too.
            if parent.end_block() > length || parent.depth() == self.at.depth() {
                break;
            }
            self.at = parent;
        }
        true
    }
}
