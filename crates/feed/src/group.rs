//! Blocks side by side, whose places are told together: what comes before them is added up once.
//!
//! ```text
//!     the roots before it      a group: 63 nodes in a row of the tree
//!   |....... start ........|  0 . 2 . 4 . 6 . 8 . 10 ... 62
//! ```
//!
//! The place of a block follows from as many nodes as its number has bits, which lie all over the tree. Those of them that are
//! outside of its group are the same for all blocks of the group.

use alloc::vec::Vec;

use bytes::Bytes;
use flat_tree::{Index, full_roots};
use merkle::Node;
use storage::{File, Read};

use crate::{
    Damage, Error, Feed,
    get::{BlockRead, add, offset},
    layout::{NodeReads, node_offset, parse_node},
};

/// How many blocks a group has.
pub const GROUP: u64 = 32;

/// What tells the places of blocks side by side.
#[derive(Clone, Debug)]
pub struct Group {
    first: u64,
    start: u64,
    /// As they stand in the tree. Some may not be there.
    nodes: Bytes,
}

/// A group that is to be read.
#[derive(Debug)]
pub struct GroupPlan {
    first: u64,
    start: Option<u64>,
    before: NodeReads,
    reads: Vec<Read>,
}

impl Feed {
    /// Plans to read what tells the places of a block and of those in its group. `start` is where the group begins in the data, if that
    /// is known.
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn plan_group(&self, block: u64, start: Option<u64>) -> Result<GroupPlan, Error> {
        self.check_block(block)?;
        let first = block - block % GROUP;
        let before = match start {
            Some(_) => NodeReads::new([], &self.roots),
            None => NodeReads::new(full_roots(first), &self.roots),
        };
        let mut reads = before.reads().to_vec();
        reads.push(Read {
            file: File::Tree,
            offset: node_offset(Index::from_block(first)),
            len: (2 * GROUP as usize - 1) * Node::LEN,
        });
        Ok(GroupPlan {
            first,
            start,
            before,
            reads,
        })
    }

    /// The place of a block that is of the group.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::NotStored`]; [`Error::Corrupt`] if a node isn't in the group, or a size can't be right.
    pub fn place(&self, block: u64, group: &Group) -> Result<BlockRead, Error> {
        self.check_block(block)?;
        if !self.bitfield.has_block(block) {
            return Err(Error::NotStored { block });
        }
        // What is a root need not be believed.
        let find = |index| match self.roots.node(index) {
            Some(node) => Ok(*node),
            None => group.node(index),
        };
        let leaf = find(Index::from_block(block))?;
        let mut start = group.start;
        for root in full_roots(block).filter(|root| root.first_block() >= group.first) {
            start = add(start, find(root)?.size)?;
        }
        BlockRead::new(start, leaf, self.byte_length())
    }
}

impl GroupPlan {
    /// What has to be read.
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// The group.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a node before it isn't there, or a size can't be right.
    pub fn finish(&self, replies: &[Bytes]) -> Result<Group, Error> {
        let start = match self.start {
            Some(start) => start,
            None => {
                let before = self.before.parse(replies)?;
                offset(self.first, |index| before.get(index))?
            }
        };
        // A copy, since what was read may share memory with much else.
        let nodes = replies.last().map(|nodes| Bytes::copy_from_slice(nodes));
        Ok(Group {
            first: self.first,
            start,
            nodes: nodes.unwrap_or_default(),
        })
    }
}

impl Group {
    /// The first block.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Where that begins in the data.
    pub fn start(&self) -> u64 {
        self.start
    }

    fn node(&self, index: Index) -> Result<Node, Error> {
        let missing = Error::corrupt(File::Tree, Damage::MissingNode);
        let at = index.get().checked_sub(Index::from_block(self.first).get());
        let at = at.and_then(|at| usize::try_from(at).ok()).ok_or(missing)?;
        let bytes = self.nodes.chunks(Node::LEN).nth(at);
        parse_node(index, bytes)
    }
}
