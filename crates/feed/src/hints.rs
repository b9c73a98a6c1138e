//! Sizes of blocks that only somebody says: those of the lowest pair in an answer without a block.
//!
//! ```text
//!        5: 12 bytes, verified
//!       /   \
//!   8: 7 ?   10: 5 ?       who made the two 8 and 4 would not be found out
//! ```
//!
//! They tell a search for a byte in which of the two blocks it is. Nothing is checked against them, they are never written,
//! and once one of the two blocks is here its true size makes them needless.

use alloc::collections::{BTreeMap, VecDeque};

use flat_tree::Index;
use merkle::Pair;

/// How many pairs are remembered; then the oldest goes.
const MAX_PAIRS: usize = 1024;

/// The pairs, by the position of the node above them.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    pairs: BTreeMap<Index, Pair>,
    /// Oldest first.
    order: VecDeque<Index>,
}

impl Hints {
    /// Remembers a pair, in place of what was said of it before.
    pub(crate) fn add(&mut self, pair: Pair) {
        if self.pairs.insert(pair.parent(), pair).is_none() {
            self.order.push_back(pair.parent());
        }
        if self.order.len() > MAX_PAIRS
            && let Some(oldest) = self.order.pop_front()
        {
            self.pairs.remove(&oldest);
        }
    }

    /// The pair below a node.
    pub(crate) fn below(&self, parent: Index) -> Option<&Pair> {
        self.pairs.get(&parent)
    }
}

#[cfg(test)]
mod tests {
    use merkle::Node;

    use super::*;

    fn pair(n: u64) -> Pair {
        Pair {
            left: Node::leaf(2 * n, b"left"),
            right: Node::leaf(2 * n + 1, b""),
        }
    }

    #[test]
    fn the_oldest_pair_goes_when_there_are_too_many() {
        let mut hints = Hints::default();
        for n in 0..MAX_PAIRS as u64 {
            hints.add(pair(n));
        }
        // What is said again is still one pair.
        hints.add(pair(7));
        assert!(hints.below(pair(0).parent()).is_some());
        hints.add(pair(MAX_PAIRS as u64));
        assert!(hints.below(pair(0).parent()).is_none());
        assert!(hints.below(pair(1).parent()).is_some());
        assert_eq!(
            (hints.pairs.len(), hints.order.len()),
            (MAX_PAIRS, MAX_PAIRS)
        );
    }
}
