//! The nodes of the tree against one another: each parent against its children, and the roots against those that are signed.

use alloc::vec::Vec;

use bytes::Bytes;
use flat_tree::Index;
use merkle::Node;
use storage::{File, Read};

use super::{AuditReport, Finding};
use crate::{
    Feed,
    layout::{NodeReads, node_offset, parse_node},
};

/// How many nodes a piece has: a tree of 512 blocks, and the node behind it, whose children are elsewhere.
const PIECE: u64 = 1024;

/// Goes through the stored nodes, tree by tree.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    next: u64,
    /// The children of the last node of the piece.
    far: Option<NodeReads>,
}

impl Sweep {
    pub(super) fn next(&mut self, feed: &Feed, length: u64) -> Option<Vec<Read>> {
        let end = 2 * length;
        let stored = |from| feed.bitfield.next_node(Index::new(from));
        let node = stored(self.next).map(Index::get);
        // A block whose node isn't marked counts too.
        let block = feed.bitfield.next_block(self.next.div_ceil(2));
        let block = block.map(|block| Index::from_block(block).get());
        let first = node.into_iter().chain(block).min();
        let first = first.filter(|first| *first < end)?;
        self.next = first - first % PIECE;

        let last = Index::new(self.next + PIECE - 1);
        let children = last.children().filter(|(left, right)| {
            let has = |index| feed.bitfield.has_node(index);
            has(last) && has(*left) && has(*right)
        });
        let far = children.map(|(left, right)| NodeReads::new([left, right], &feed.roots));
        let mut reads = Vec::from([Read {
            file: File::Tree,
            offset: node_offset(Index::new(self.next)),
            len: PIECE as usize * Node::LEN,
        }]);
        reads.extend(far.iter().flat_map(NodeReads::reads));
        self.far = far;
        Some(reads)
    }

    pub(super) fn check(&mut self, feed: &Feed, replies: &[Bytes], report: &mut AuditReport) {
        let first = self.next;
        self.next += PIECE;
        let (near, far) = match replies.split_first() {
            Some((near, far)) => (&near[..], far),
            None => (&[][..], replies),
        };
        let far = self.far.take().and_then(|reads| reads.parse(far).ok());
        let find = |index: Index| {
            let slot = index.get().checked_sub(first).filter(|slot| *slot < PIECE);
            let Some(slot) = slot else {
                return far.as_ref()?.get(index).copied();
            };
            let start = slot as usize * Node::LEN;
            parse_node(index, near.get(start..start + Node::LEN)).ok()
        };
        for index in (first..self.next).map(Index::new) {
            if let Some(finding) = look_at(feed, index, find) {
                report.found(finding);
            }
        }
    }
}

/// What is wrong with a node, if anything is.
fn look_at(feed: &Feed, index: Index, find: impl Fn(Index) -> Option<Node>) -> Option<Finding> {
    let has = |index| feed.bitfield.has_node(index);
    let children = index.children();
    if !has(index) {
        let needed = match (index.block(), children) {
            (Some(block), _) => feed.bitfield.has_block(block),
            (None, Some((left, right))) => has(left) && has(right),
            (None, None) => false,
        };
        return needed.then_some(Finding::UnmarkedNode { index });
    }
    let Some(node) = find(index) else {
        return Some(Finding::MissingNode { index });
    };
    let is_root = |root: &Node| *root == node;
    let mut right = feed.roots.node(index).is_none_or(is_root);
    // A child that isn't there is reported in its own place.
    if let Some((left, right_child)) = children
        && let (Some(left), Some(right_child)) = (find(left), find(right_child))
        && has(left.index)
        && has(right_child.index)
    {
        right &= Node::parent(&left, &right_child) == Ok(node);
    }
    (!right).then_some(Finding::WrongNode { index })
}
