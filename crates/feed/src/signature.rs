//! Whose word the blocks stand on: the signature that covers a block, and the roots that it was made over.

use alloc::{vec, vec::Vec};

use bytes::Bytes;
use crypto::Signature;
use flat_tree::{Index, full_roots};
use merkle::{Node, Roots};
use storage::{File, Read};

use crate::{
    Damage, Error, Feed,
    layout::{NodeReads, SIGNATURE, signature_offset},
    prove::parse_signature,
};

/// How many entries are read in the first trip, and in each of the others.
const FIRST: u64 = 16;
const NEXT: u64 = 1024;

/// A search for the signature that covers a block.
#[derive(Debug)]
#[must_use]
pub struct SignatureSearch {
    /// The first block whose entry has been asked for.
    next: u64,
    count: u64,
    end: u64,
}

/// How far a search for a signature has come.
#[derive(Debug)]
#[must_use]
pub enum SignatureStep {
    /// Read this and give it to [`SignatureSearch::step`].
    Read {
        /// What goes on with the answer.
        search: SignatureSearch,
        /// What to read.
        reads: Vec<Read>,
    },
    /// This signature covers the block.
    Found {
        /// The last block that it covers: that of the length, less one, for which it was made.
        block: u64,
        /// The signature.
        signature: Signature,
    },
}

impl Feed {
    /// Looks for the signature that covers a block: the first one that was made at it or behind it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`]; [`Error::NoSignatures`] if the feed is static.
    pub fn find_signature(&self, block: u64) -> Result<SignatureStep, Error> {
        self.check_block(block)?;
        if !self.is_live() {
            return Err(Error::NoSignatures);
        }
        let search = SignatureSearch {
            next: block,
            count: FIRST,
            end: self.length(),
        };
        Ok(search.read())
    }

    /// Plans to read the roots that the feed had when a block was its last one.
    ///
    /// # Errors
    /// [`Error::OutOfRange`]; [`Error::MissingRoots`] if some of them are not stored.
    pub fn plan_roots(&self, block: u64) -> Result<RootsPlan, Error> {
        self.check_block(block)?;
        let length = block + 1;
        if !full_roots(length).all(|index| self.bitfield.has_node(index)) {
            return Err(Error::MissingRoots { length });
        }
        Ok(RootsPlan {
            length,
            nodes: NodeReads::new(full_roots(length), &self.roots),
        })
    }

    /// Whether a signature is the author's word for these roots, in either form.
    pub fn verify(&self, roots: &Roots, signature: &Signature) -> bool {
        self.key.verify(&roots.signable(), signature).is_ok()
    }

    /// Plans to read the node of a block: its hash and its size, whether the block itself is stored or not.
    ///
    /// # Errors
    /// [`Error::OutOfRange`]; [`Error::NoProof`] if the node isn't stored.
    pub fn plan_block_info(&self, block: u64) -> Result<InfoPlan, Error> {
        self.check_block(block)?;
        let index = Index::from_block(block);
        match self.bitfield.has_node(index) {
            true => Ok(InfoPlan {
                index,
                nodes: NodeReads::new([index], &self.roots),
            }),
            false => Err(Error::NoProof { block }),
        }
    }

    /// Plans to read a node of the tree, if it is stored here.
    pub fn plan_node(&self, index: Index) -> Option<InfoPlan> {
        let stored = index.end_block() <= self.length() && self.bitfield.has_node(index);
        stored.then(|| InfoPlan {
            index,
            nodes: NodeReads::new([index], &self.roots),
        })
    }
}

impl SignatureSearch {
    fn read(self) -> SignatureStep {
        let count = self.count.min(self.end - self.next);
        let reads = vec![Read {
            file: File::Signatures,
            offset: signature_offset(self.next + 1),
            len: (count * SIGNATURE) as usize,
        }];
        SignatureStep::Read {
            search: self,
            reads,
        }
    }

    /// Takes the answer to the last step and says what is next.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if there is none up to the end of the feed.
    pub fn step(self, replies: &[Bytes]) -> Result<SignatureStep, Error> {
        let entries = replies.first().map(|reply| &reply[..]).unwrap_or_default();
        let blocks = self.next..self.end;
        for (block, entry) in blocks.zip(entries.chunks(SIGNATURE as usize)) {
            if let Ok(signature) = parse_signature(entry) {
                return Ok(SignatureStep::Found { block, signature });
            }
        }
        match self.end - self.next > self.count {
            true => Ok(SignatureSearch {
                next: self.next + self.count,
                count: NEXT,
                end: self.end,
            }
            .read()),
            false => Err(Error::corrupt(File::Signatures, Damage::MissingSignature)),
        }
    }
}

/// Roots that are to be read.
#[derive(Debug)]
pub struct RootsPlan {
    length: u64,
    nodes: NodeReads,
}

impl RootsPlan {
    /// What has to be read.
    pub fn reads(&self) -> &[Read] {
        self.nodes.reads()
    }

    /// The roots, left to right.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a node isn't there.
    pub fn finish(&self, replies: &[Bytes]) -> Result<Roots, Error> {
        self.nodes.parse(replies)?.roots(self.length)
    }
}

/// A node that is to be read.
#[derive(Debug)]
pub struct InfoPlan {
    index: Index,
    nodes: NodeReads,
}

impl InfoPlan {
    /// What has to be read.
    pub fn reads(&self) -> &[Read] {
        self.nodes.reads()
    }

    /// The node.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it isn't there.
    pub fn finish(&self, replies: &[Bytes]) -> Result<Node, Error> {
        self.nodes.parse(replies)?.must_get(self.index).copied()
    }
}
