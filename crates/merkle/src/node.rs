//! A node of the tree: where it is, how many bytes lie below it, and its hash.

use crypto::Hash;
use flat_tree::Index;

/// The largest sum of sizes: what JavaScript numbers hold exactly.
pub const MAX_BYTES: u64 = (1 << 53) - 1;

/// A node of the Merkle tree of a feed.
///
/// ```
/// use flat_tree::Index;
/// use hypercore_merkle::Node;
///
/// let left = Node::leaf(0, b"hello");
/// let right = Node::leaf(1, b"world");
/// let parent = Node::parent(&left, &right)?;
/// assert_eq!((parent.index, parent.size), (Index::new(1), 10));
/// assert_eq!(Node::from_bytes(parent.index, &parent.to_bytes()), Some(parent));
/// # Ok::<_, hypercore_merkle::SizeOverflow>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its position.
    pub index: Index,
    /// The bytes of all blocks below it; for a leaf the size of its block.
    pub size: u64,
    /// Its hash, which covers the size and everything below.
    pub hash: Hash,
}

/// The sizes of the blocks add up to more than 2^53 - 1 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than 2^53 - 1 bytes")]
pub struct SizeOverflow;

impl Node {
    /// How many bytes a node has in a file.
    pub const LEN: usize = 40;

    /// The leaf of a block.
    pub fn leaf(block: u64, bytes: &[u8]) -> Self {
        Node {
            index: Index::from_block(block),
            size: bytes.len() as u64,
            hash: crypto::leaf_hash(bytes),
        }
    }

    /// The parent of two siblings, given in either order.
    ///
    /// # Errors
    /// [`SizeOverflow`].
    pub fn parent(a: &Node, b: &Node) -> Result<Self, SizeOverflow> {
        let size = add_sizes(a.size, b.size)?;
        let (left, right) = match a.index < b.index {
            true => (a, b),
            false => (b, a),
        };
        Ok(Node {
            index: a.index.parent(),
            size,
            hash: crypto::parent_hash(&left.hash, &right.hash, size),
        })
    }

    /// Its form in the file `tree`: the hash, then the size. The position is that in the file.
    pub fn to_bytes(&self) -> [u8; Node::LEN] {
        let mut bytes = [0; Node::LEN];
        let (hash, size) = bytes.split_at_mut(Hash::LEN);
        hash.copy_from_slice(self.hash.as_bytes());
        size.copy_from_slice(&self.size.to_be_bytes());
        bytes
    }

    /// Reads a node of the file `tree`. None if it is blank, that is absent, or claims more bytes than a feed can have.
    pub fn from_bytes(index: Index, bytes: &[u8; Node::LEN]) -> Option<Self> {
        let (hash, size) = bytes.split_first_chunk()?;
        let size = u64::from_be_bytes(size.try_into().ok()?);
        let blank = size == 0 && hash == &[0; Hash::LEN];
        (!blank && size <= MAX_BYTES).then_some(Node {
            index,
            size,
            hash: Hash::new(*hash),
        })
    }
}

pub(crate) fn add_sizes(a: u64, b: u64) -> Result<u64, SizeOverflow> {
    match a.checked_add(b) {
        Some(sum) if sum <= MAX_BYTES => Ok(sum),
        _ => Err(SizeOverflow),
    }
}
