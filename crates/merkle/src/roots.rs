//! The roots of a feed, and how they grow.
//!
//! ```text
//!        3               3               3
//!    1       5       1       5       1       5
//!  0   2   4   6   0   2   4   6   0   2   4   6   8
//!  length 4: 3     append a block:               length 5: 3 8
//! ```

use alloc::vec::Vec;

use bytes::Bytes;
use crypto::{Hash, Signable};
use flat_tree::{Index, full_roots};

use crate::{
    Node,
    node::{SizeOverflow, add_sizes},
};

/// The largest length of a feed, in blocks: node numbers then stay below 2^53.
pub const MAX_BLOCKS: u64 = 1 << 52;

/// The roots of a feed of some length: all that is needed to append to it and to know its size.
///
/// ```
/// use bytes::Bytes;
/// use hypercore_merkle::Roots;
///
/// let empty = Roots::new();
/// let growth = empty.append(&[Bytes::from("hello"), Bytes::from("big"), Bytes::from("world")])?;
/// assert_eq!((growth.roots.length(), growth.roots.byte_length()), (3, 13));
/// // Three leaves and a parent.
/// assert_eq!(growth.nodes.len(), 4);
/// # Ok::<_, hypercore_merkle::RootsError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    length: u64,
    byte_length: u64,
    nodes: Vec<Node>,
}

/// Why nodes aren't roots, or roots can't grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RootsError {
    /// The nodes are not those of the full roots of the length, left to right.
    #[error("these are not the roots of a feed of {length} blocks")]
    NotRoots {
        /// The length.
        length: u64,
    },
    /// The feed would have more than 2^52 blocks.
    #[error("more than 2^52 blocks")]
    TooLong,
    /// The feed would have more than 2^53 - 1 bytes.
    #[error(transparent)]
    Size(#[from] SizeOverflow),
}

/// What an append makes of some roots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// The roots afterwards.
    pub roots: Roots,
    /// Every node that is new, by position: the leaves, and the parents that are now complete.
    pub nodes: Vec<Node>,
}

impl Roots {
    /// The roots of an empty feed: none.
    pub fn new() -> Self {
        Roots::default()
    }

    /// The roots of a feed of `length` blocks.
    ///
    /// # Errors
    /// [`RootsError::NotRoots`] if the nodes are others than those, [`RootsError::Size`] if their sizes are too large.
    pub fn from_nodes(length: u64, nodes: Vec<Node>) -> Result<Self, RootsError> {
        if length > MAX_BLOCKS {
            return Err(RootsError::TooLong);
        }
        if !full_roots(length).eq(nodes.iter().map(|node| node.index)) {
            return Err(RootsError::NotRoots { length });
        }
        let byte_length = nodes
            .iter()
            .try_fold(0, |sum, node| add_sizes(sum, node.size))?;
        Ok(Roots {
            length,
            byte_length,
            nodes,
        })
    }

    /// How many blocks the feed has.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many bytes the feed has.
    pub fn byte_length(&self) -> u64 {
        self.byte_length
    }

    /// The roots, left to right.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The root at a position, if there is one.
    pub fn node(&self, index: Index) -> Option<&Node> {
        let at = self.nodes.binary_search_by_key(&index, |node| node.index);
        at.ok().and_then(|at| self.nodes.get(at))
    }

    /// The hash over the roots.
    pub fn tree_hash(&self) -> Hash {
        let root = |node: &Node| (node.index.get(), node.size, node.hash);
        crypto::tree_hash(self.nodes.iter().map(root))
    }

    /// What the author signs.
    pub fn signable(&self) -> Signable {
        Signable {
            tree_hash: self.tree_hash(),
            length: self.length,
        }
    }

    /// What the roots become by appending blocks. These roots stay as they are.
    ///
    /// Leaves are hashed several at a time, then parents level by level.
    ///
    /// # Errors
    /// [`RootsError::TooLong`], [`RootsError::Size`].
    pub fn append(&self, blocks: &[Bytes]) -> Result<Growth, RootsError> {
        let length = self.length.checked_add(blocks.len() as u64);
        let length = length
            .filter(|length| *length <= MAX_BLOCKS)
            .ok_or(RootsError::TooLong)?;
        blocks.iter().try_fold(self.byte_length, |sum, block| {
            add_sizes(sum, block.len() as u64)
        })?;

        let hashes = crypto::leaf_hashes(blocks.iter().map(|block| &**block));
        let mut level: Vec<Node> = (self.length..)
            .zip(blocks.iter().zip(hashes))
            .map(|(block, (bytes, hash))| Node {
                index: Index::from_block(block),
                size: bytes.len() as u64,
                hash,
            })
            .collect();
        let mut nodes = Vec::with_capacity(2 * blocks.len() + 8);
        while !level.is_empty() {
            let parents = self.parents(&level)?;
            nodes.append(&mut level);
            level = parents;
        }
        nodes.sort_unstable_by_key(|node| node.index);

        let find = |index: Index| {
            let new = nodes.binary_search_by_key(&index, |node| node.index);
            match new {
                Ok(at) => nodes.get(at),
                Err(_) => self.node(index),
            }
        };
        let roots: Vec<Node> = full_roots(length).filter_map(find).copied().collect();
        let roots = Roots::from_nodes(length, roots)?;
        Ok(Growth { roots, nodes })
    }

    /// What the roots become by a block of which only the leaf is known. These roots stay as they are.
    ///
    /// # Errors
    /// [`RootsError::NotRoots`] if it is the leaf of another block than the next, [`RootsError::TooLong`],
    /// [`RootsError::Size`].
    pub fn append_leaf(&self, leaf: Node) -> Result<Growth, RootsError> {
        let mut roots = self.nodes.clone();
        let mut nodes = Vec::from([leaf]);
        let mut next = leaf;
        while let Some(left) = roots.pop_if(|root| root.index == next.index.sibling()) {
            next = Node::parent(&left, &next)?;
            nodes.push(next);
        }
        roots.push(next);
        nodes.sort_unstable_by_key(|node| node.index);
        let roots = Roots::from_nodes(self.length.saturating_add(1), roots)?;
        Ok(Growth { roots, nodes })
    }

    /// The parents that the new nodes of a level complete, together with the old root to their left where they need it.
    fn parents(&self, level: &[Node]) -> Result<Vec<Node>, RootsError> {
        // The first new node of a level is a right child exactly if its left sibling is complete, and then that is a
        // root: its parent wasn't complete before.
        let left = match level.first() {
            Some(first) if !first.index.is_left() => self.node(first.index.sibling()),
            _ => None,
        };
        let children: Vec<&Node> = left.into_iter().chain(level).collect();
        let (pairs, _) = children.as_chunks::<2>();
        let inputs = pairs
            .iter()
            .map(|[left, right]| Ok((left.hash, right.hash, add_sizes(left.size, right.size)?)))
            .collect::<Result<Vec<_>, SizeOverflow>>()?;
        let hashes = crypto::parent_hashes(&inputs);
        let parents = pairs.iter().zip(inputs.iter().zip(hashes));
        Ok(parents
            .map(|([left, _], (&(.., size), hash))| Node {
                index: left.index.parent(),
                size,
                hash,
            })
            .collect())
    }
}
