//! The bits of some blocks made anew from what is there: down from the roots, which are proved, over every node that matches the
//! one above it, to the blocks that match their leaves.
//!
//! ```text
//!         7             a root
//!     3       11        proved, because together they make the root
//!   1   5   9    13     parents that got lost are made again of what lies below them, if that fits
//!  0 2 4 6 8 10 12 14   each block against its leaf; one that got lost is made again of its block
//! ```

use alloc::{collections::VecDeque, vec::Vec};

use bitfield::{Bitfield, RangeSet};
use bytes::Bytes;
use crypto::leaf_hashes;
use flat_tree::Index;
use merkle::{Node, Roots};
use storage::{File, Read};

use super::leaf::Doubt;
use crate::layout::{NodeReads, node_offset, parse_node};

/// A tree of so many levels is read in one piece: 512 blocks.
const DEPTH: u32 = 9;

/// So many bytes of blocks are read at a time, unless one has more.
const BYTES: u64 = 4 << 20;

/// Makes the bits of ranges of blocks anew.
#[derive(Debug)]
pub(crate) struct Rebuild {
    ranges: RangeSet,
    external: bool,
    /// Nodes that are proved and not looked below yet, each with the place of its first byte.
    stack: Vec<(Node, u64)>,
    /// Blocks whose leaves are proved, in pieces.
    blocks: VecDeque<(u64, Vec<Node>)>,
    /// Pairs of leaves of which one is wrong.
    doubts: Vec<Doubt>,
    piece: Piece,
    /// The bits as they are to be.
    pub(crate) bitfield: Bitfield,
    /// Nodes that are proved and aren't in the file.
    pub(crate) missing: Vec<Node>,
}

#[derive(Debug)]
enum Piece {
    None,
    Children(Node, u64, NodeReads),
    Tree(Node, u64),
    Doubt(Doubt),
    Data(Vec<Node>),
}

impl Rebuild {
    /// Forgets the bits of the ranges, and begins at the roots.
    pub(crate) fn new(
        roots: &Roots,
        ranges: RangeSet,
        mut bitfield: Bitfield,
        external: bool,
    ) -> Self {
        for range in ranges.iter() {
            forget(&mut bitfield, range.start..range.end.min(roots.length()));
        }
        let mut stack = Vec::new();
        let mut offset = 0;
        for root in roots.nodes() {
            stack.push((*root, offset));
            offset += root.size;
        }
        stack.reverse();
        Rebuild {
            ranges,
            external,
            stack,
            blocks: VecDeque::new(),
            doubts: Vec::new(),
            piece: Piece::None,
            bitfield,
            missing: Vec::new(),
        }
    }

    pub(crate) fn next(&mut self) -> Option<Vec<Read>> {
        loop {
            if let Some(doubt) = self.doubts.pop() {
                let read = doubt.read();
                self.piece = Piece::Doubt(doubt);
                return Some([read].into());
            }
            if let Some((offset, leaves)) = self.blocks.pop_front() {
                let bytes: u64 = leaves.iter().map(|leaf| leaf.size).sum();
                let read = Read {
                    file: File::Data,
                    offset,
                    len: usize::try_from(bytes).unwrap_or(usize::MAX),
                };
                self.piece = Piece::Data(leaves);
                return Some([read].into());
            }
            let (node, offset) = self.stack.pop()?;
            let blocks = node.index.first_block()..node.index.end_block();
            if self.ranges.intersection(blocks).next().is_none() {
                continue;
            }
            self.mark([node.index]);
            let Some((left, right)) = node.index.children() else {
                self.queue(&[(node, offset)]);
                continue;
            };
            if node.index.depth() > DEPTH {
                let nodes = NodeReads::new([left, right], &Roots::new());
                let reads = nodes.reads().to_vec();
                self.piece = Piece::Children(node, offset, nodes);
                return Some(reads);
            }
            self.piece = Piece::Tree(node, offset);
            return Some(Vec::from([Read {
                file: File::Tree,
                offset: node_offset(node.index.left_span()),
                len: node.index.node_count() as usize * Node::LEN,
            }]));
        }
    }

    pub(crate) fn check(&mut self, replies: &[Bytes]) {
        let reply = replies.first().cloned().unwrap_or_default();
        match core::mem::replace(&mut self.piece, Piece::None) {
            Piece::None => {}
            Piece::Children(node, offset, reads) => {
                let nodes = reads.parse_all(replies);
                if let Some((left, right)) = node.index.children()
                    && let (Some(left), Some(right)) = (nodes.get(left), nodes.get(right))
                    && Node::parent(left, right) == Ok(node)
                {
                    self.stack.push((*right, offset + left.size));
                    self.stack.push((*left, offset));
                }
            }
            Piece::Tree(top, offset) => {
                let mut tree = Tree::read(top, &reply);
                let mut leaves = Vec::new();
                tree.descend(top, offset, &mut leaves);
                self.mark(tree.proved.iter().copied());
                self.missing.append(&mut tree.missing);
                if !self.external {
                    let wanted =
                        |doubt: &Doubt| self.ranges.intersection(doubt.blocks()).next().is_some();
                    self.doubts.extend(tree.doubts.into_iter().filter(wanted));
                }
                self.queue(&leaves);
            }
            Piece::Doubt(doubt) => {
                if let Some(found) = doubt.resolve(&reply) {
                    self.mark([found.left.index, found.right.index]);
                    self.missing.push(found.made);
                    let start = doubt.offset();
                    self.queue(&[(found.left, start), (found.right, start + found.left.size)]);
                }
            }
            Piece::Data(leaves) => {
                let blocks = good(&leaves, &reply);
                let mut draft = self.bitfield.draft();
                for block in blocks {
                    draft.set_block(block, true);
                }
                let changes = draft.finish();
                self.bitfield.apply(changes);
            }
        }
    }

    fn mark(&mut self, nodes: impl IntoIterator<Item = Index>) {
        let mut draft = self.bitfield.draft();
        for index in nodes {
            draft.set_node(index, true);
        }
        let changes = draft.finish();
        self.bitfield.apply(changes);
    }

    /// Lets the blocks of these leaves be read, as far as they are in the ranges.
    fn queue(&mut self, leaves: &[(Node, u64)]) {
        let wanted = leaves.iter().filter_map(|(leaf, offset)| {
            let block = leaf.index.block()?;
            self.ranges.contains(block).then_some((*leaf, *offset))
        });
        let wanted: Vec<(Node, u64)> = wanted.collect();
        if self.external {
            // Nobody here can tell whether the bytes are where they belong.
            let mut draft = self.bitfield.draft();
            for block in wanted.iter().filter_map(|(leaf, _)| leaf.index.block()) {
                draft.set_block(block, true);
            }
            let changes = draft.finish();
            self.bitfield.apply(changes);
            return;
        }
        let mut end = None;
        let mut bytes = 0u64;
        for (leaf, offset) in wanted {
            bytes = bytes.saturating_add(leaf.size);
            match self.blocks.back_mut() {
                Some((_, leaves)) if end == Some(offset) && bytes <= BYTES => leaves.push(leaf),
                _ => {
                    bytes = leaf.size;
                    self.blocks.push_back((offset, [leaf].into()));
                }
            }
            end = Some(offset.saturating_add(leaf.size));
        }
    }
}

/// A small tree as it stands in the file.
struct Tree {
    first: u64,
    nodes: Vec<Option<Node>>,
    proved: Vec<Index>,
    missing: Vec<Node>,
    doubts: Vec<Doubt>,
}

impl Tree {
    fn read(top: Node, bytes: &[u8]) -> Self {
        let first = top.index.left_span().get();
        let count = top.index.node_count();
        let nodes = (0..count).map(|slot| {
            let start = slot as usize * Node::LEN;
            parse_node(
                Index::new(first + slot),
                bytes.get(start..start + Node::LEN),
            )
            .ok()
        });
        Tree {
            first,
            nodes: nodes.collect(),
            proved: Vec::new(),
            missing: Vec::new(),
            doubts: Vec::new(),
        }
    }

    fn get(&self, index: Index) -> Option<Node> {
        let slot = index.get().checked_sub(self.first)?;
        *self.nodes.get(usize::try_from(slot).ok()?)?
    }

    /// Goes down from a node that is proved, and collects the leaves that are.
    fn descend(&mut self, node: Node, offset: u64, leaves: &mut Vec<(Node, u64)>) {
        self.proved.push(node.index);
        if self.get(node.index) != Some(node) {
            self.missing.push(node);
        }
        let Some((left, right)) = node.index.children() else {
            leaves.push((node, offset));
            return;
        };
        let fits = |pair: &(Node, Node)| Node::parent(&pair.0, &pair.1) == Ok(node);
        let stored = self.get(left).zip(self.get(right)).filter(fits);
        let pair = stored.or_else(|| self.derive(left).zip(self.derive(right)).filter(fits));
        match pair {
            Some((left, right)) => {
                self.descend(left, offset, leaves);
                self.descend(right, offset + left.size, leaves);
            }
            None => {
                let doubt = Doubt::new(node, offset, self.get(left), self.get(right));
                self.doubts.extend(doubt);
            }
        }
    }

    /// A node as it follows from the leaves below it.
    fn derive(&self, index: Index) -> Option<Node> {
        match index.children() {
            None => self.get(index),
            Some((left, right)) => Node::parent(&self.derive(left)?, &self.derive(right)?).ok(),
        }
    }
}

/// Clears the bits of blocks and of the nodes between them.
fn forget(bitfield: &mut Bitfield, blocks: core::ops::Range<u64>) {
    if blocks.is_empty() {
        return;
    }
    let end = Index::from_block(blocks.end - 1).get();
    let mut next = Index::from_block(blocks.start);
    let mut draft = bitfield.draft();
    draft.set_blocks(blocks, false);
    while let Some(node) = bitfield.next_node(next).filter(|node| node.get() <= end) {
        draft.set_node(node, false);
        next = Index::new(node.get() + 1);
    }
    let changes = draft.finish();
    bitfield.apply(changes);
}

/// The blocks that match their leaves. The places of all of them are proved, so one that is bad harms no other.
fn good(leaves: &[Node], data: &[u8]) -> Vec<u64> {
    let mut start = 0;
    let blocks: Vec<(&Node, &[u8])> = leaves
        .iter()
        .filter_map(|leaf| {
            let end = start + usize::try_from(leaf.size).ok()?;
            let block = data.get(start..end);
            start = end;
            Some((leaf, block?))
        })
        .collect();
    let hashes = leaf_hashes(blocks.iter().map(|(_, block)| *block));
    let matching = blocks
        .iter()
        .zip(hashes)
        .filter(|((leaf, _), hash)| leaf.hash == *hash);
    matching
        .filter_map(|((leaf, _), _)| leaf.index.block())
        .collect()
}
