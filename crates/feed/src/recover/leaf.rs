//! A leaf that is lost or damaged, made again from its block.
//!
//! ```text
//!      parent           proved
//!     /      \
//!   leaf    sibling     one of them stands in the file as it must
//! [ block ][ block ]    the size of the other's block is what the parent has more, and its hash follows
//! ```
//!
//! Both are right if together they make the parent. Where both are damaged nothing tells where one block ends.

use core::ops::Range;

use crypto::leaf_hash;
use flat_tree::Index;
use merkle::Node;
use storage::{File, Read};

/// Two leaves that don't make their parent.
#[derive(Debug)]
pub(super) struct Doubt {
    parent: Node,
    children: (Index, Index),
    offset: u64,
    left: Option<Node>,
    right: Option<Node>,
}

/// Two leaves that do, and the one of them that isn't in the file.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) left: Node,
    pub(super) right: Node,
    pub(super) made: Node,
}

impl Doubt {
    /// What stands below a parent that is proved and whose first byte is at `offset`. None if nothing can be made of it.
    pub(super) fn new(
        parent: Node,
        offset: u64,
        left: Option<Node>,
        right: Option<Node>,
    ) -> Option<Self> {
        let children = parent.index.children()?;
        let leaves = children.0.block().is_some();
        (leaves && (left.is_some() || right.is_some())).then_some(Doubt {
            parent,
            children,
            offset,
            left,
            right,
        })
    }

    pub(super) fn blocks(&self) -> Range<u64> {
        self.parent.index.first_block()..self.parent.index.end_block()
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Both blocks.
    pub(super) fn read(&self) -> Read {
        Read {
            file: File::Data,
            offset: self.offset,
            // What isn't in the file isn't allocated either.
            len: usize::try_from(self.parent.size).unwrap_or(usize::MAX),
        }
    }

    /// Believes one leaf, then the other, and sees whether the block beside it fits.
    pub(super) fn resolve(&self, data: &[u8]) -> Option<Resolved> {
        self.with_right(data).or_else(|| self.with_left(data))
    }

    fn with_right(&self, data: &[u8]) -> Option<Resolved> {
        let right = self.right?;
        let size = self.parent.size.checked_sub(right.size)?;
        let left = leaf(self.children.0, data.get(..usize::try_from(size).ok()?)?);
        self.fits(left, right, left)
    }

    fn with_left(&self, data: &[u8]) -> Option<Resolved> {
        let left = self.left?;
        let end = usize::try_from(self.parent.size).ok()?;
        let right = data.get(usize::try_from(left.size).ok()?..end)?;
        let right = leaf(self.children.1, right);
        self.fits(left, right, right)
    }

    fn fits(&self, left: Node, right: Node, made: Node) -> Option<Resolved> {
        let whole = Node::parent(&left, &right) == Ok(self.parent);
        whole.then_some(Resolved { left, right, made })
    }
}

fn leaf(index: Index, block: &[u8]) -> Node {
    Node {
        index,
        hash: leaf_hash(block),
        size: block.len() as u64,
    }
}
