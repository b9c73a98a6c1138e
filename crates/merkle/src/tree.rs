//! Which nodes are stored, and what follows from that: the length, the digest of a request.
//!
//! Source: `docs/format.md`, "Bitfield", and `docs/protocol.md`, "Have, want, request".

use alloc::collections::BTreeSet;

use bitfield::{Bitfield, Draft};
use flat_tree::Index;

/// The deepest level that is ever climbed to. Trees of 2^52 blocks have 52; what lies above can only be asked for in bad
/// faith.
pub(crate) const MAX_DEPTH: u32 = 56;

/// A set of nodes: those that are stored, or those that a peer is known to have.
pub trait NodeSet {
    /// Whether the node is in the set.
    fn has(&self, index: Index) -> bool;

    /// A number above every position in the set, as coarse as the set likes. It bounds how far a digest looks.
    fn bits(&self) -> u64;
}

/// A set of nodes that can grow.
pub trait NodeSetMut: NodeSet {
    /// Adds the node; whether it is new.
    fn set(&mut self, index: Index) -> bool;
}

impl NodeSet for Bitfield {
    fn has(&self, index: Index) -> bool {
        self.has_node(index)
    }

    fn bits(&self) -> u64 {
        self.node_bits()
    }
}

impl NodeSet for Draft<'_> {
    fn has(&self, index: Index) -> bool {
        self.has_node(index)
    }

    fn bits(&self) -> u64 {
        self.node_bits()
    }
}

impl NodeSetMut for Draft<'_> {
    fn set(&mut self, index: Index) -> bool {
        self.set_node(index, true)
    }
}

/// A small set of nodes that lie anywhere.
#[derive(Clone, Debug, Default)]
pub struct NodeBits {
    nodes: BTreeSet<Index>,
    bits: u64,
}

impl NodeBits {
    /// An empty set.
    pub fn new() -> Self {
        NodeBits::default()
    }

    /// An empty set whose [`bits`](NodeSet::bits) are at least this many.
    pub fn with_bits(bits: u64) -> Self {
        NodeBits {
            nodes: BTreeSet::new(),
            bits,
        }
    }

    /// How many nodes are in it.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The nodes, by position.
    pub fn iter(&self) -> impl Iterator<Item = Index> + '_ {
        self.nodes.iter().copied()
    }

    /// Forgets all nodes.
    pub fn clear(&mut self) {
        self.nodes.clear();
    }
}

impl NodeSet for NodeBits {
    fn has(&self, index: Index) -> bool {
        self.nodes.contains(&index)
    }

    fn bits(&self) -> u64 {
        let end = self
            .nodes
            .last()
            .map_or(0, |last| last.get().saturating_add(1));
        self.bits.max(end)
    }
}

impl NodeSetMut for NodeBits {
    fn set(&mut self, index: Index) -> bool {
        self.nodes.insert(index)
    }
}

/// Adds a node, and each parent whose two children are then in the set.
pub fn insert(tree: &mut impl NodeSetMut, index: Index) {
    let mut next = index;
    while tree.set(next) && tree.has(next.sibling()) && next.depth() < MAX_DEPTH {
        next = next.parent();
    }
}

/// The length of the feed whose stored nodes these are, in blocks.
pub fn blocks(tree: &impl NodeSet) -> u64 {
    let mut top = Index::new(0);
    let mut next = top;
    while next.right_span().get() < tree.bits() && next.depth() < MAX_DEPTH {
        next = next.parent();
        if tree.has(next) {
            top = next;
        }
    }
    match tree.has(top) {
        true => verified_by(tree, top),
        false => 0,
    }
}

/// The length, in blocks, of the newest tree that a node hangs off as far as the set tells: climb to the root above it,
/// then go on along the roots to the right, each smaller than the one before. 0 if the node isn't in the set.
pub fn verified_by(tree: &impl NodeSet, index: Index) -> u64 {
    if !tree.has(index) {
        return 0;
    }
    let mut top = index;
    while top.depth() < MAX_DEPTH && tree.has(top.parent()) && tree.has(top.sibling()) {
        top = top.parent();
    }
    let mut depth = top.depth();
    while depth > 0 {
        // The left child of the node beside this one, on its level.
        top = Index::at(depth - 1, 2 * (top.offset() + 1));
        depth -= 1;
        while !tree.has(top) && depth > 0 {
            depth -= 1;
            top = Index::at(depth, 2 * top.offset());
        }
    }
    let block = top.first_block();
    match tree.has(top) {
        true => block + 1,
        false => block,
    }
}

/// What a request tells of the hashes that are here around a block, so that the answer can leave them out.
pub fn digest(tree: &impl NodeSet, block: u64) -> u64 {
    let leaf = Index::from_block(block);
    if tree.has(leaf) {
        return 1;
    }
    let mut digest = 0;
    let mut bit: u64 = 2;
    let mut uncle = leaf.sibling();
    let mut parent = leaf.parent();
    let end = tree.bits().max(uncle.get().saturating_add(2));
    while (uncle.right_span().get() < end || parent.left_span().get() > 0)
        && parent.depth() < MAX_DEPTH
    {
        if tree.has(uncle) {
            digest |= bit;
        }
        if tree.has(parent) {
            digest |= 2 * bit + 1;
            // All of them known up to there: nothing is needed.
            return match digest + 1 == 4 * bit {
                true => 1,
                false => digest,
            };
        }
        uncle = parent.sibling();
        parent = parent.parent();
        bit *= 2;
    }
    digest
}
