//! Which proofs show that a longer feed begins with a shorter one.
//!
//! A signature alone doesn't: the author of two histories signs both. But who verifies a block against the roots of the longer
//! feed meets, as left siblings on the way up, all roots of the shorter one that it has no more:
//!
//! ```text
//!              7                     length 6: roots 3 and 9
//!        3           11              block 6, at 12: up over 14 to 13, with 9 on the left to 11, with 3 on the left to 7
//!     1     5     9     13
//!    0 2   4 6   8 10  12 14         length 8: root 7
//! ```
//!
//! If these are the stored ones, the longer feed can't be of another history.

use core::ops::Range;

use flat_tree::Index;

use crate::{NodeSet, tree::MAX_DEPTH};

/// The blocks whose proofs show that a longer feed begins with one of `length` blocks: as many from there on as its last root
/// has. For an empty feed every block does.
///
/// ```
/// use hypercore_merkle::proving_blocks;
///
/// assert_eq!(proving_blocks(6), 6..8);
/// assert_eq!(proving_blocks(7), 7..8);
/// assert_eq!(proving_blocks(8), 8..16);
/// assert_eq!(proving_blocks(0), 0..u64::MAX);
/// ```
pub const fn proving_blocks(length: u64) -> Range<u64> {
    // The last root has to be a left sibling on the way, so the block lies below its right one.
    match 1_u64.checked_shl(length.trailing_zeros()) {
        Some(last) if length > 0 => length..length.saturating_add(last),
        _ => 0..u64::MAX,
    }
}

/// Whether the proof of a block, as a peer has it whose feed is `length` blocks long, leads to something in the set: through
/// siblings of the peer up to its root, and from there on as far as siblings are in the set.
pub fn is_linked(tree: &impl NodeSet, block: u64, length: u64) -> bool {
    let mut next = Index::from_block(block);
    while !tree.has(next) {
        let parent = next.parent();
        let known = parent.end_block() <= length || tree.has(next.sibling());
        if !known || next.depth() >= MAX_DEPTH {
            return false;
        }
        next = parent;
    }
    true
}
