//! Finding the block that holds a byte: down the tree by sizes, a few levels to a trip.
//!
//! ```text
//!          3: 20 bytes           byte 13 is below 3; the left child has 12 bytes,
//!       /        \               so it is the second byte below 5, and so on
//!   1: 12        5: 8
//! ```
//!
//! Each pair of children is checked against the hash of its parent, and the roots were checked when the feed was opened, so
//! a damaged file gives an error and not another block. A sparse copy may know a node, and below it only what belonged to a
//! shorter tree: then sizes from the left decide as far as they go. How two blocks share the bytes of the node above
//! them may be known from an answer without a block only, which could be wrong about that; once one of the two is here it is
//! certain.

use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;
use flat_tree::Index;
use merkle::Node;
use storage::{File, Read};

use crate::{
    Damage, Error, Feed,
    layout::{NodeReads, Nodes},
};

/// How many levels are read in one trip, because each costs twice as much as the one above.
const LEVELS: u32 = 2;

/// Up to this depth all nodes of a tree stand close together and are read at once.
const SHALLOW: u32 = 5;

/// Side by side lie fewer than this many, because two that belong together have a parent that is stored too. A damaged
/// bitfield may say otherwise.
const MAX_PARTS: usize = 128;

/// A search for the block that holds a byte.
///
/// It goes on as [`Opening`](crate::Opening) does. The feed may change between two steps.
#[derive(Debug)]
#[must_use]
pub struct Seeking {
    top: Node,
    /// Where the byte is, counted from the first one below `top`.
    rest: u64,
    nodes: NodeReads,
}

/// How far a search has come.
#[derive(Debug)]
#[must_use]
pub enum SeekStep {
    /// Read these pieces and give them to [`Seeking::step`].
    Read {
        /// What goes on with the answers.
        seeking: Seeking,
        /// What to read.
        reads: Vec<Read>,
    },
    /// The byte is in this block. If neither this block nor its neighbour is stored, it may be the neighbour after all.
    Found {
        /// The block. The length of the feed, if the byte is just behind the last one.
        block: u64,
        /// How many bytes of the block come before it.
        offset: u64,
    },
    /// The hashes that lead to the block are not stored.
    Unknown {
        /// The blocks that can still hold it.
        within: Range<u64>,
    },
}

impl Feed {
    /// Looks for the block that holds a byte, counted from the first one of the feed. Empty blocks hold none; only byte 0 is
    /// always the first one of block 0, even of an empty feed.
    ///
    /// # Errors
    /// [`Error::BeyondEnd`].
    pub fn seek(&self, byte: u64) -> Result<SeekStep, Error> {
        let (length, byte_length) = (self.length(), self.byte_length());
        if byte > byte_length {
            return Err(Error::BeyondEnd { byte, byte_length });
        }
        let (mut block, mut rest) = (0, byte);
        if byte > 0 {
            for root in self.roots.nodes() {
                if rest < root.size {
                    return Ok(look(self, *root, rest));
                }
                rest -= root.size;
            }
            block = length;
        }
        Ok(SeekStep::Found { block, offset: 0 })
    }
}

impl Seeking {
    /// Takes the answers to the last step and says what is next.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a node isn't there or doesn't match its parent.
    pub fn step(self, feed: &Feed, replies: &[Bytes]) -> Result<SeekStep, Error> {
        let nodes = self.nodes.parse(replies)?;
        let (mut top, mut rest) = (self.top, self.rest);
        while let Some(parts) = read_parts(feed, &nodes, top.index) {
            if let [left, right] = parts[..]
                && left.index.sibling() == right.index
                && Node::parent(left, right) != Ok(top)
            {
                return Err(Error::corrupt(File::Tree, Damage::WrongNode));
            }
            let size = parts
                .iter()
                .try_fold(0_u64, |sum, part| sum.checked_add(part.size));
            let size = size.filter(|size| *size <= top.size);
            let size = size.ok_or(Error::corrupt(File::Tree, Damage::Size))?;
            if rest >= size {
                let end = top.index.end_block();
                let known = parts.last().map(|part| part.index.end_block());
                let known = known.unwrap_or(top.index.first_block());
                return match known < end {
                    true => Ok(SeekStep::Unknown { within: known..end }),
                    // They are all, and must have as many bytes as the node above them.
                    false => Err(Error::corrupt(File::Tree, Damage::Size)),
                };
            }
            for part in parts {
                if rest < part.size {
                    top = *part;
                    break;
                }
                rest -= part.size;
            }
        }
        Ok(look(feed, top, rest))
    }
}

/// Goes on below a node that holds the byte.
fn look(feed: &Feed, top: Node, rest: u64) -> SeekStep {
    if let Some(block) = top.index.block() {
        return SeekStep::Found {
            block,
            offset: rest,
        };
    }
    let levels = match top.index.depth() {
        depth @ 0..=SHALLOW => depth,
        _ => LEVELS,
    };
    let mut wanted = Vec::new();
    gather(feed, top.index, levels, &mut wanted);
    if wanted.is_empty() {
        if let Some(pair) = feed.hints.below(top.index) {
            let (leaf, offset) = match rest < pair.left.size {
                true => (pair.left.index, rest),
                false => (pair.right.index, rest.saturating_sub(pair.left.size)),
            };
            return SeekStep::Found {
                block: leaf.first_block(),
                offset,
            };
        }
        return SeekStep::Unknown {
            within: top.index.first_block()..top.index.end_block(),
        };
    }
    let nodes = NodeReads::new(wanted, &feed.roots);
    SeekStep::Read {
        reads: nodes.reads().to_vec(),
        seeking: Seeking { top, rest, nodes },
    }
}

/// The stored nodes below one that are of use, some levels of them.
fn gather(feed: &Feed, parent: Index, levels: u32, wanted: &mut Vec<Index>) {
    if levels > 0 {
        for part in parts(feed, parent) {
            wanted.push(part);
            gather(feed, part, levels - 1, wanted);
        }
    }
}

/// The largest stored nodes below one, side by side from its left edge to the first gap: mostly both its children.
fn parts(feed: &Feed, parent: Index) -> Vec<Index> {
    let mut parts = Vec::new();
    let mut next = parent.left_child();
    while let Some(mut part) = next
        && parts.len() < MAX_PARTS
    {
        while !feed.bitfield.has_node(part) {
            match part.left_child() {
                Some(left) => part = left,
                None => return parts,
            }
        }
        parts.push(part);
        while !part.is_left() && part.parent() != parent {
            part = part.parent();
        }
        next = part.is_left().then(|| part.sibling());
    }
    parts
}

/// The same as they were read; none if there are none, or some weren't.
fn read_parts<'a>(feed: &Feed, nodes: &'a Nodes, parent: Index) -> Option<Vec<&'a Node>> {
    let parts = parts(feed, parent).into_iter();
    let parts: Vec<_> = parts.map(|part| nodes.get(part)).collect::<Option<_>>()?;
    (!parts.is_empty()).then_some(parts)
}
