//! A place in the tree, and its relatives.
//!
//! `depth` counts from the leaves up, `offset` from the left among the nodes of one depth. The number of trailing one
//! bits of an index is its depth, the bits above the zero that follows are its offset:
//!
//! ```text
//! 13 = 1 1 0 1        depth 1, offset 3
//!      \_/ | |
//! offset   | `-- depth: one trailing 1
//!          `---- always 0
//! ```

use core::fmt;

/// A place in the tree. Not a block number: block `i` is the leaf [`Index::from_block`]`(i)`.
///
/// ```
/// use hypercore_flat_tree::Index;
///
/// let node = Index::at(2, 1); // the second node of depth 2
/// assert_eq!(node.get(), 11);
/// assert_eq!(node.children(), Some((Index::new(9), Index::new(13))));
/// assert_eq!(node.first_block()..node.end_block(), 4..8);
/// assert_eq!(Index::from_block(4).children(), None);
/// ```
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Default)]
pub struct Index(u64);

impl Index {
    /// One past the largest number for which all of this crate is exact: 2⁶². Larger ones do not panic, they wrap.
    pub const LIMIT: u64 = 1 << 62;

    /// The node numbered `n`.
    pub const fn new(n: u64) -> Self {
        Self(n)
    }

    /// The leaf of a block.
    pub const fn from_block(block: u64) -> Self {
        Self(block.wrapping_mul(2))
    }

    /// The node at `depth` (leaves are 0) that has `offset` nodes of the same depth to its left.
    pub const fn at(depth: u32, offset: u64) -> Self {
        Self(shl(offset.wrapping_mul(2).wrapping_add(1), depth).wrapping_sub(1))
    }

    /// The number of this node.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The block whose leaf this is; `None` above the leaves.
    pub const fn block(self) -> Option<u64> {
        if self.is_leaf() {
            Some(self.0 / 2)
        } else {
            None
        }
    }

    /// Height above the leaves: at most 62 below [`LIMIT`](Self::LIMIT), at most 64 for any number.
    pub const fn depth(self) -> u32 {
        self.0.trailing_ones()
    }

    /// How many nodes of the same depth lie to the left.
    pub const fn offset(self) -> u64 {
        match self.0.checked_shr(self.depth() + 1) {
            Some(offset) => offset,
            None => 0,
        }
    }

    /// Whether this is the leaf of a block.
    pub const fn is_leaf(self) -> bool {
        self.0 & 1 == 0
    }

    /// Whether this is the left child of its parent.
    pub const fn is_left(self) -> bool {
        self.offset() & 1 == 0
    }

    /// The node right above. Every node below [`LIMIT`](Self::LIMIT) has one; beyond, `u64::MAX` is its own parent, so a
    /// loop that climbs has to have an end of its own.
    pub const fn parent(self) -> Self {
        Self::at(self.depth() + 1, self.offset() >> 1)
    }

    /// The other child of the parent.
    pub const fn sibling(self) -> Self {
        Self::at(self.depth(), self.offset() ^ 1)
    }

    /// The left one of the two nodes right below; `None` for a leaf.
    pub const fn left_child(self) -> Option<Self> {
        match self.depth().checked_sub(1) {
            Some(depth) => Some(Self::at(depth, self.offset().wrapping_mul(2))),
            None => None,
        }
    }

    /// The right one of the two nodes right below; `None` for a leaf.
    pub const fn right_child(self) -> Option<Self> {
        match self.left_child() {
            Some(left) => Some(left.sibling()),
            None => None,
        }
    }

    /// Both nodes right below, left and right; `None` for a leaf.
    pub const fn children(self) -> Option<(Self, Self)> {
        match self.left_child() {
            Some(left) => Some((left, left.sibling())),
            None => None,
        }
    }

    /// The leftmost leaf below, itself for a leaf.
    pub const fn left_span(self) -> Self {
        Self(self.0.wrapping_sub(self.reach()))
    }

    /// The rightmost leaf below, itself for a leaf.
    pub const fn right_span(self) -> Self {
        Self(self.0.wrapping_add(self.reach()))
    }

    /// The first block below.
    pub const fn first_block(self) -> u64 {
        self.left_span().0 / 2
    }

    /// One past the last block below. Full roots that end with this node belong to a feed of this length.
    pub const fn end_block(self) -> u64 {
        (self.right_span().0 / 2).wrapping_add(1)
    }

    /// How many nodes the tree below has, this one included.
    pub const fn node_count(self) -> u64 {
        self.reach().wrapping_mul(2).wrapping_add(1)
    }

    /// How many leaves the tree below has; 1 for a leaf.
    pub const fn leaf_count(self) -> u64 {
        shl(1, self.depth())
    }

    /// The first leaf to the right of everything below.
    pub const fn next_tree(self) -> Self {
        Self(self.right_span().0.wrapping_add(2))
    }

    /// Whether `other` is this node or lies below it.
    pub const fn contains(self, other: Self) -> bool {
        self.left_span().0 <= other.0 && other.0 <= self.right_span().0
    }

    /// The distance to the outermost leaves below.
    const fn reach(self) -> u64 {
        self.leaf_count().wrapping_sub(1)
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Shifts to the left without a panic: what leaves on that side is lost.
const fn shl(value: u64, by: u32) -> u64 {
    match value.checked_shl(by) {
        Some(shifted) => shifted,
        None => 0,
    }
}
