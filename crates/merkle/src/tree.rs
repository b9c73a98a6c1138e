//! Which nodes are stored, and what follows from that: the length, the digest of a request.
//!
//! Source: `docs/format.md`, "Bitfield", and `docs/protocol.md`, "Have, want, request".

use alloc::collections::BTreeMap;

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
    /// 64 nodes a word, of which the lowest bit is the first; none is zero. What is near a block mostly lies in one.
    words: BTreeMap<u64, u64>,
    len: usize,
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
            bits,
            ..NodeBits::default()
        }
    }

    /// How many nodes are in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The nodes, by position.
    pub fn iter(&self) -> impl Iterator<Item = Index> + '_ {
        let words = self.words.iter();
        words.flat_map(|(&number, &word)| {
            let set = (0..WORD).filter(move |bit| word >> bit & 1 == 1);
            set.map(move |bit| Index::new(number * WORD + bit))
        })
    }

    /// Forgets all nodes.
    pub fn clear(&mut self) {
        self.words.clear();
        self.len = 0;
    }
}

/// How many nodes have a bit in a word.
const WORD: u64 = u64::BITS as u64;

/// The word of a node, and its bit there.
fn place(index: Index) -> (u64, u64) {
    (index.get() / WORD, 1 << (index.get() % WORD))
}

impl NodeSet for NodeBits {
    fn has(&self, index: Index) -> bool {
        let (number, bit) = place(index);
        self.words.get(&number).is_some_and(|word| word & bit != 0)
    }

    fn bits(&self) -> u64 {
        let end = self.words.last_key_value().map_or(0, |(number, word)| {
            let last = number * WORD + (WORD - 1 - u64::from(word.leading_zeros()));
            last.saturating_add(1)
        });
        self.bits.max(end)
    }
}

impl NodeSetMut for NodeBits {
    fn set(&mut self, index: Index) -> bool {
        let (number, bit) = place(index);
        let word = self.words.entry(number).or_default();
        let is_new = *word & bit == 0;
        *word |= bit;
        self.len += usize::from(is_new);
        is_new
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
