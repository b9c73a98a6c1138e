//! Going on from a length that is proved: as long as blocks match their leaves, and to the last signature that their tree bears
//! out.
//!
//! Only leaves are read from the tree. What lies above them is computed, so parents that got lost are made again.

use alloc::vec::Vec;

use bytes::Bytes;
use crypto::{PublicKey, Signature, leaf_hashes};
use flat_tree::Index;
use merkle::{Node, Roots};
use storage::{File, Read};

use crate::layout::{node_offset, parse_node};

/// How many blocks are looked at together, and how many bytes of them, unless one has more.
const BLOCKS: u64 = 256;
const BYTES: u64 = 4 << 20;

/// A leaf that claims a larger block is taken for damaged: its size isn't proved yet.
const MAX_SIZE: u64 = 64 << 20;

/// The walk.
#[derive(Debug)]
pub(super) struct Walk {
    /// The roots of what has been walked over.
    roots: Roots,
    /// The signatures that are still ahead, nearest last.
    ahead: Vec<(u64, Signature)>,
    /// A length whose signature is missing, and the roots that the tree has for it.
    unsigned: Option<Roots>,
    /// Below this nodes are marked already.
    marked: u64,
    /// Whether somebody else looks after the blocks, so that there is nothing to compare them with.
    external: bool,
    piece: Piece,
    /// Nodes since the last length that was proved.
    nodes: Vec<Node>,
    /// Lengths since then whose signatures don't fit.
    stale: Vec<u64>,
    /// What is proved.
    pub(super) proved: Option<Proved>,
}

/// A length that the walk has proved.
#[derive(Debug)]
pub(super) struct Proved {
    pub(super) roots: Roots,
    /// The nodes that may be missing in the files.
    pub(super) nodes: Vec<Node>,
    /// Whether its signature is missing.
    pub(super) unsigned: bool,
    /// Shorter lengths whose signatures don't fit.
    pub(super) stale: Vec<u64>,
}

#[derive(Debug)]
enum Piece {
    Leaves,
    Data(Vec<Node>),
    End,
}

impl Walk {
    pub(super) fn new(
        base: &Roots,
        candidates: &[(u64, Signature)],
        unsigned: Option<Roots>,
        marked: u64,
        external: bool,
    ) -> Self {
        let ahead = candidates
            .iter()
            .rev()
            .filter(|(length, _)| *length > base.length());
        Walk {
            roots: base.clone(),
            ahead: ahead.copied().collect(),
            unsigned: unsigned.filter(|roots| roots.length() > base.length()),
            marked,
            external,
            piece: Piece::Leaves,
            nodes: Vec::new(),
            stale: Vec::new(),
            proved: None,
        }
    }

    /// How far it is worth going.
    fn end(&self) -> u64 {
        let signed = self.ahead.first().map_or(0, |(length, _)| *length);
        let unsigned = self.unsigned.as_ref().map_or(0, Roots::length);
        signed.max(unsigned)
    }

    pub(super) fn next(&mut self) -> Option<Vec<Read>> {
        match &self.piece {
            Piece::Leaves => {
                let first = self.roots.length();
                let count = BLOCKS.min(self.end().saturating_sub(first));
                (count > 0).then(|| {
                    Vec::from([Read {
                        file: File::Tree,
                        offset: node_offset(Index::from_block(first)),
                        len: (2 * count as usize - 1) * Node::LEN,
                    }])
                })
            }
            Piece::Data(leaves) => {
                let bytes = leaves
                    .iter()
                    .fold(0u64, |sum, leaf| sum.saturating_add(leaf.size));
                Some(Vec::from([Read {
                    file: File::Data,
                    offset: self.roots.byte_length(),
                    // What isn't in the file isn't allocated either.
                    len: usize::try_from(bytes).unwrap_or(usize::MAX),
                }]))
            }
            Piece::End => None,
        }
    }

    pub(super) fn check(&mut self, key: &PublicKey, replies: &[Bytes]) {
        let reply = replies.first().cloned().unwrap_or_default();
        self.piece = match core::mem::replace(&mut self.piece, Piece::End) {
            Piece::Leaves => {
                let leaves = leaves(self.roots.length(), &reply);
                match leaves.is_empty() {
                    true => Piece::End,
                    false if self.external => match self.grow(key, &leaves) {
                        true => Piece::Leaves,
                        false => Piece::End,
                    },
                    false => Piece::Data(leaves),
                }
            }
            Piece::Data(leaves) => {
                let good = good(&leaves, &reply);
                let whole = good.len() == leaves.len();
                match self.grow(key, good) && whole {
                    true => Piece::Leaves,
                    false => Piece::End,
                }
            }
            Piece::End => Piece::End,
        };
    }

    /// Takes leaves that are good, stopping at each length that may be proved.
    fn grow(&mut self, key: &PublicKey, leaves: &[Node]) -> bool {
        for leaf in leaves {
            let Ok(growth) = self.roots.append_leaf(*leaf) else {
                return false;
            };
            self.roots = growth.roots;
            if self.roots.length() > self.marked {
                self.nodes.extend(growth.nodes);
            }
            let length = self.roots.length();
            let mut signature = None;
            while let Some((ahead, next)) = self.ahead.last().copied()
                && ahead <= length
            {
                signature = (ahead == length).then_some(next);
                self.ahead.pop();
            }
            let signed = signature
                .is_some_and(|signature| key.verify(&self.roots.signable(), &signature).is_ok());
            let unsigned = self.unsigned.as_ref() == Some(&self.roots);
            if signed || unsigned {
                let (mut nodes, mut stale) = match self.proved.take() {
                    Some(proved) => (proved.nodes, proved.stale),
                    None => (Vec::new(), Vec::new()),
                };
                nodes.append(&mut self.nodes);
                stale.append(&mut self.stale);
                self.proved = Some(Proved {
                    roots: self.roots.clone(),
                    nodes,
                    unsigned: !signed,
                    stale,
                });
            } else if signature.is_some() {
                self.stale.push(length);
            }
        }
        true
    }
}

/// The leaves that are there, up to the first that isn't, and not more bytes of blocks than are looked at together.
fn leaves(first: u64, nodes: &[u8]) -> Vec<Node> {
    let mut bytes = 0u64;
    (first..)
        .zip(nodes.chunks(2 * Node::LEN))
        .map_while(|(block, pair)| parse_node(Index::from_block(block), pair.get(..Node::LEN)).ok())
        .take_while(|leaf| {
            let fits =
                bytes == 0 && leaf.size <= MAX_SIZE || bytes.saturating_add(leaf.size) <= BYTES;
            bytes = bytes.saturating_add(leaf.size);
            fits
        })
        .collect()
}

/// Those at the front whose blocks are there and match.
fn good<'a>(leaves: &'a [Node], data: &[u8]) -> &'a [Node] {
    let mut rest = data;
    let blocks: Vec<&[u8]> = leaves
        .iter()
        .map_while(|leaf| {
            let (block, behind) = rest.split_at_checked(usize::try_from(leaf.size).ok()?)?;
            rest = behind;
            Some(block)
        })
        .collect();
    let hashes = leaf_hashes(blocks);
    let count = hashes
        .iter()
        .zip(leaves)
        .take_while(|(hash, leaf)| **hash == leaf.hash)
        .count();
    leaves.get(..count).unwrap_or_default()
}
