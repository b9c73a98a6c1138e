//! Two histories that one author signed: evidence that whoever has the public key can check, without a feed.
//!
//! ```text
//!   one of 4 blocks: 3           another of 5: 3'   8'        node 3 has one hash here and another one there, and
//!                  1   5                     1   5'           both lead to roots that are signed
//! ```
//!
//! Its form in bytes, numbers being big-endian:
//!
//! ```text
//!  0     3         4      12
//! +-----+---------+------+--------+--------+      a branch:   +--------+-----------+----------+-----------+------------+
//! | HCF | version | node | branch | branch |                  | length | signature | node, 40 | path, 40  | roots, 40  |
//! +-----+---------+------+--------+--------+                  +--------+-----------+----------+ each      + each       +
//! ```
//!
//! The version is 1. How many nodes the path has, and how many roots there are, follows from the node and the length.

use alloc::vec::Vec;

use crypto::{PublicKey, Signature, SignatureError};
use flat_tree::{Index, full_roots};

use crate::{Node, Roots, roots::MAX_BLOCKS, tree::MAX_DEPTH};

const MAGIC: &[u8; 3] = b"HCF";
const VERSION: u8 = 1;
const SIGNATURE: usize = 64;

/// The author's word for two feeds of which neither is the beginning of the other.
///
/// ```
/// use bytes::Bytes;
/// use crypto::{Dialect, KeyPair};
/// use hypercore_merkle::{Branch, Fork, Roots};
///
/// let author = KeyPair::from_seed([1; 32]);
/// let branch = |block: &'static str| {
///     let growth = Roots::new().append(&[Bytes::from(block)])?;
///     let signature = author.sign(&growth.roots.signable(), Dialect::V8);
///     let leaf = growth.nodes[0];
///     Branch::new(leaf, growth.roots, signature, |_| None).ok_or("no path")
/// #   .map_err(Into::<Box<dyn std::error::Error>>::into)
/// };
/// let fork = Fork::new(branch("one")?, branch("other")?)?;
/// assert!(fork.verify(&author.public()).is_ok());
/// assert_eq!(Fork::from_bytes(&fork.to_bytes())?, fork);
/// assert!(Fork::new(branch("one")?, branch("one")?).is_err());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    ours: Branch,
    theirs: Branch,
}

/// One of the two feeds, and where in it the node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    node: Node,
    /// Siblings from the node upwards.
    path: Vec<Node>,
    roots: Roots,
    signature: Signature,
}

/// Why something is no evidence of a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForkError {
    /// The bytes begin like something else.
    #[error("not the evidence of a fork")]
    NotAFork,
    /// They are of a version that came later.
    #[error("evidence of version {version}, {VERSION} is known")]
    Version {
        /// The version.
        version: u8,
    },
    /// There are more or fewer bytes than such evidence has.
    #[error("the evidence is too short or too long")]
    Length,
    /// A feed of a length has no such node, or no feed is so long.
    #[error("no node {index} in a feed of {length} blocks")]
    OutOfRange {
        /// The node.
        index: Index,
        /// The length.
        length: u64,
    },
    /// Both have the same node, so nothing contradicts.
    #[error("both feeds have the same node {index}")]
    NoContradiction {
        /// The node.
        index: Index,
    },
    /// The node doesn't lead to one of the roots.
    #[error("node {index} isn't linked to the roots of {length} blocks")]
    NotLinked {
        /// The node.
        index: Index,
        /// The length.
        length: u64,
    },
    /// A signature isn't the author's.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl Fork {
    /// Makes evidence of two branches: the one that is kept, and the one that contradicts it.
    ///
    /// # Errors
    /// [`ForkError::NoContradiction`] unless they are about the same node and have different hashes there. A size that alone
    /// differs is none: of a leaf nothing but its block proves it.
    pub fn new(ours: Branch, theirs: Branch) -> Result<Self, ForkError> {
        let index = ours.node.index;
        match index == theirs.node.index && ours.node.hash != theirs.node.hash {
            true => Ok(Fork { ours, theirs }),
            false => Err(ForkError::NoContradiction { index }),
        }
    }

    /// The node that differs.
    pub fn index(&self) -> Index {
        self.ours.node.index
    }

    /// The feed that was known first, and is kept.
    pub fn ours(&self) -> &Branch {
        &self.ours
    }

    /// The feed that contradicts it.
    pub fn theirs(&self) -> &Branch {
        &self.theirs
    }

    /// Whether the author of a feed really signed both.
    ///
    /// # Errors
    /// [`ForkError::NotLinked`], [`ForkError::Signature`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), ForkError> {
        self.ours.verify(key)?;
        self.theirs.verify(key)
    }

    /// The evidence as bytes, to keep or to send.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::from(*MAGIC);
        bytes.push(VERSION);
        bytes.extend(self.index().get().to_be_bytes());
        self.ours.write(&mut bytes);
        self.theirs.write(&mut bytes);
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. It may still be made up: [`verify`](Self::verify) tells.
    ///
    /// # Errors
    /// [`ForkError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ForkError> {
        let mut bytes = bytes;
        if take(&mut bytes)? != *MAGIC {
            return Err(ForkError::NotAFork);
        }
        let [version] = take(&mut bytes)?;
        if version != VERSION {
            return Err(ForkError::Version { version });
        }
        let index = Index::new(u64::from_be_bytes(take(&mut bytes)?));
        let fork = Fork::new(
            Branch::read(index, &mut bytes)?,
            Branch::read(index, &mut bytes)?,
        )?;
        match bytes {
            [] => Ok(fork),
            _ => Err(ForkError::Length),
        }
    }
}

impl Branch {
    /// A node of a feed with the way to its roots. `find` knows the nodes beside that way. None if one of them is missing, or
    /// the feed has no such node.
    pub fn new(
        node: Node,
        roots: Roots,
        signature: Signature,
        find: impl Fn(Index) -> Option<Node>,
    ) -> Option<Self> {
        let path = Branch::siblings(node.index, roots.length())?;
        Some(Branch {
            node,
            path: path.into_iter().map(find).collect::<Option<_>>()?,
            roots,
            signature,
        })
    }

    /// How many blocks the feed has.
    pub fn length(&self) -> u64 {
        self.roots.length()
    }

    /// Its roots.
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// The author's signature over them.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// What it has in the place where the two differ.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The siblings of the nodes on the way from a node up to a root of a feed of some length. None if the feed has no such node.
    pub fn siblings(index: Index, length: u64) -> Option<Vec<Index>> {
        if length > MAX_BLOCKS
            || index >= Index::from_block(MAX_BLOCKS)
            || index.end_block() > length
        {
            return None;
        }
        let (mut path, mut next) = (Vec::new(), index);
        while next.parent().end_block() <= length && next.depth() < MAX_DEPTH {
            path.push(next.sibling());
            next = next.parent();
        }
        Some(path)
    }

    fn verify(&self, key: &PublicKey) -> Result<(), ForkError> {
        let not_linked = ForkError::NotLinked {
            index: self.node.index,
            length: self.length(),
        };
        let mut top = self.node;
        for sibling in &self.path {
            if sibling.index != top.index.sibling() {
                return Err(not_linked);
            }
            top = Node::parent(&top, sibling).map_err(|_| not_linked)?;
        }
        if self.roots.node(top.index) != Some(&top) {
            return Err(not_linked);
        }
        key.verify(&self.roots.signable(), &self.signature)?;
        Ok(())
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.length().to_be_bytes());
        bytes.extend(self.signature.as_bytes());
        let nodes = [&self.node].into_iter().chain(&self.path);
        for node in nodes.chain(self.roots.nodes()) {
            bytes.extend(node.to_bytes());
        }
    }

    fn read(index: Index, bytes: &mut &[u8]) -> Result<Self, ForkError> {
        let length = u64::from_be_bytes(take(bytes)?);
        let out_of_range = ForkError::OutOfRange { index, length };
        let path = Branch::siblings(index, length).ok_or(out_of_range)?;
        let signature = Signature::new(take::<SIGNATURE>(bytes)?);
        let mut node = |index| {
            let node = Node::from_bytes(index, &take(bytes)?);
            node.ok_or(ForkError::NotLinked { index, length })
        };
        let own = node(index)?;
        let path = path.into_iter().map(&mut node).collect::<Result<_, _>>()?;
        let roots = full_roots(length).map(node).collect::<Result<_, _>>()?;
        Ok(Branch {
            node: own,
            path,
            roots: Roots::from_nodes(length, roots).map_err(|_| out_of_range)?,
            signature,
        })
    }
}

/// The first so many bytes.
fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], ForkError> {
    let (taken, rest) = bytes.split_first_chunk().ok_or(ForkError::Length)?;
    *bytes = rest;
    Ok(*taken)
}
