//! A proof in a file: all that is needed to check one block, besides the block and the key of the feed.
//!
//! ```text
//!  0     3         4      5       13       21
//! +-----+---------+------+-------+--------+----------------+-----------+
//! | HCP | version | kind | block | length | nodes, 40 each | signature |     numbers are big-endian
//! +-----+---------+------+-------+--------+----------------+-----------+
//! ```
//!
//! The version is 1. The kind is 1 for a feed with signatures, and 0 for a static one, whose key is its tree hash and where
//! nothing follows the nodes. Which nodes these are is not said, because it follows from the block and the length: the
//! siblings from the leaf upwards, then the other roots from left to right. So every proof has exactly one form.

use alloc::vec::Vec;

use crypto::{PublicKey, Signable, Signature, Verified, leaf_hash};
use flat_tree::{Index, full_roots};

use crate::{Check, Checked, Node, NodeBits, Proof, ProofError, Roots, roots::MAX_BLOCKS};

const MAGIC: &[u8; 3] = b"HCP";
const VERSION: u8 = 1;
const HEAD: usize = 21;
const SIGNATURE: usize = 64;

/// A proof of one block that stands alone.
///
/// ```
/// use crypto::{Dialect, KeyPair};
/// use hypercore_merkle::{PortableProof, Proof, Roots};
///
/// // The author has two blocks and hands out the second one.
/// let author = KeyPair::from_seed([1; 32]);
/// let growth = Roots::new().append(&["hello".into(), "world".into()])?;
/// let signature = author.sign(&growth.roots.signable(), Dialect::V8);
/// let proof = Proof { block: 1, nodes: growth.nodes[..1].to_vec(), signature: Some(signature) };
/// let bytes = PortableProof::new(2, proof)?.to_bytes();
///
/// // Whoever has the key can check it, without a feed and without a network.
/// let proof = PortableProof::from_bytes(&bytes)?;
/// assert_eq!((proof.block(), proof.length()), (1, 2));
/// assert!(proof.verify(&author.public(), b"world").is_ok());
/// assert!(proof.verify(&author.public(), b"words").is_err());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortableProof {
    length: u64,
    proof: Proof,
}

/// Why bytes, or a proof, are no portable proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortableError {
    /// They begin like something else.
    #[error("not a proof")]
    NotAProof,
    /// They are of a version that came later.
    #[error("a proof of version {version}, {VERSION} is known")]
    Version {
        /// The version.
        version: u8,
    },
    /// They are neither signed nor static.
    #[error("a proof of unknown kind {kind}")]
    Kind {
        /// The kind.
        kind: u8,
    },
    /// There is no such block in a feed of that length, or no feed of that length.
    #[error("no block {block} in a feed of {length} blocks")]
    OutOfRange {
        /// The block.
        block: u64,
        /// The length.
        length: u64,
    },
    /// There are more or fewer bytes than such a proof has.
    #[error("{len} bytes, such a proof has {expected}")]
    Length {
        /// How many there are.
        len: usize,
        /// How many there must be.
        expected: usize,
    },
    /// The nodes are others than those between the block and the roots, or not in their order.
    #[error("the nodes are not those that lead from the block to the roots")]
    WrongNodes,
    /// A node is blank, or claims more bytes than a feed can have.
    #[error("node {index} can't be one")]
    WrongNode {
        /// Its position.
        index: Index,
    },
}

impl PortableProof {
    /// Makes one of a proof that reaches the roots of a feed of `length` blocks, as for a peer that has nothing.
    ///
    /// # Errors
    /// [`PortableError::OutOfRange`], [`PortableError::WrongNodes`]. Whether the proof is right isn't looked at.
    pub fn new(length: u64, proof: Proof) -> Result<Self, PortableError> {
        let expected = positions(proof.block, length)?;
        match proof.nodes.iter().map(|node| node.index).eq(expected) {
            true => Ok(PortableProof { length, proof }),
            false => Err(PortableError::WrongNodes),
        }
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote, to the last byte. Nothing is allocated beyond the bytes that are there.
    ///
    /// # Errors
    /// [`PortableError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PortableError> {
        let (proof, rest) = PortableProof::split_from(bytes)?;
        match rest.len() {
            0 => Ok(proof),
            more => Err(PortableError::Length {
                len: bytes.len(),
                expected: bytes.len() - more,
            }),
        }
    }

    /// The same of a proof that something follows, such as the block: gives that as well.
    ///
    /// # Errors
    /// [`PortableError`].
    pub fn split_from(bytes: &[u8]) -> Result<(Self, &[u8]), PortableError> {
        let (head, rest) =
            bytes
                .split_first_chunk::<HEAD>()
                .ok_or(match bytes.starts_with(MAGIC) {
                    true => PortableError::Length {
                        len: bytes.len(),
                        expected: HEAD,
                    },
                    false => PortableError::NotAProof,
                })?;
        let (magic, rest_of_head) = head.split_at(MAGIC.len());
        let [version, kind, numbers @ ..] = rest_of_head else {
            return Err(PortableError::NotAProof);
        };
        if magic != MAGIC {
            return Err(PortableError::NotAProof);
        }
        if *version != VERSION {
            return Err(PortableError::Version { version: *version });
        }
        let signed = match kind {
            0 => 0,
            1 => SIGNATURE,
            kind => return Err(PortableError::Kind { kind: *kind }),
        };
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        };
        let (block, length) = numbers.split_at(8);
        let (block, length) = (number(block), number(length));
        let positions = positions(block, length)?;
        let expected = positions.len() * Node::LEN + signed;
        let Some((rest, behind)) = rest.split_at_checked(expected) else {
            return Err(PortableError::Length {
                len: bytes.len(),
                expected: HEAD + expected,
            });
        };
        let (nodes, signature) = rest.split_at(expected - signed);
        let (nodes, _) = nodes.as_chunks::<{ Node::LEN }>();
        let nodes = positions.iter().zip(nodes).map(|(index, bytes)| {
            Node::from_bytes(*index, bytes).ok_or(PortableError::WrongNode { index: *index })
        });
        let proof = PortableProof {
            length,
            proof: Proof {
                block,
                nodes: nodes.collect::<Result<_, _>>()?,
                signature: Signature::try_from(signature).ok(),
            },
        };
        Ok((proof, behind))
    }

    /// Its bytes: some thousands at most, whatever the size of the feed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let nodes = self.proof.nodes.len() * Node::LEN;
        let mut bytes = Vec::with_capacity(HEAD + nodes + SIGNATURE);
        bytes.extend(MAGIC);
        bytes.extend([VERSION, u8::from(self.proof.signature.is_some())]);
        bytes.extend(self.proof.block.to_be_bytes());
        bytes.extend(self.length.to_be_bytes());
        for node in &self.proof.nodes {
            bytes.extend(node.to_bytes());
        }
        if let Some(signature) = &self.proof.signature {
            bytes.extend(signature.as_bytes());
        }
        bytes
    }

    /// The block that it is about.
    pub fn block(&self) -> u64 {
        self.proof.block
    }

    /// The length of the feed for which the author stands; it may be longer by now.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The proof as a peer would send it.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// Whether these bytes are the block, on the word of the author.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn verify(&self, key: &PublicKey, block: &[u8]) -> Result<Verified, ProofError> {
        let signable = self.signable(block)?;
        Ok(match &self.proof.signature {
            Some(signature) => key.verify(&signable, signature)?,
            None => Verified::matching_key(key, &signable)?,
        })
    }

    /// What the author must have signed if these bytes are the block, for a verifier of one's own.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn signable(&self, block: &[u8]) -> Result<Signable, ProofError> {
        let (nothing, roots) = (NodeBits::new(), Roots::new());
        let proof = self.proof.clone();
        let check = Check::plan(&nothing, &roots, false, proof, true, MAX_BLOCKS)?;
        match check.finish(&[], Some((leaf_hash(block), block.len() as u64)))? {
            Checked::Unsigned(unsigned) => Ok(*unsigned.signable()),
            // Nothing is stored that it could hang off.
            Checked::Anchored(_) => Err(ProofError::Empty),
        }
    }
}

/// Where the nodes of the proof of a block are: siblings from the leaf upwards, then the other roots.
fn positions(block: u64, length: u64) -> Result<Vec<Index>, PortableError> {
    let out_of_range = PortableError::OutOfRange { block, length };
    if block >= length || length > MAX_BLOCKS {
        return Err(out_of_range);
    }
    let mut next = Index::from_block(block);
    let root = full_roots(length).find(|root| root.contains(next));
    let root = root.ok_or(out_of_range)?;
    let mut nodes = Vec::new();
    while next != root {
        nodes.push(next.sibling());
        next = next.parent();
    }
    nodes.extend(full_roots(length).filter(|other| *other != root));
    Ok(nodes)
}
