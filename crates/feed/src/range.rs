//! Reading blocks that follow one another: one trip for their hashes, one for their bytes.

use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;
use crypto::leaf_hashes;
use flat_tree::{Index, full_roots};
use merkle::Node;
use storage::{File, Read};

use crate::{
    Damage, Error, Feed,
    get::offset,
    layout::{NodeReads, node_offset, parse_node},
};

/// How many blocks are read at a time.
pub const MAX_RANGE: u64 = 1024;

/// How many bytes are read at a time, unless the first block alone has more: so many as stay in a cache of the processor until
/// they are hashed.
pub const MAX_RANGE_BYTES: u64 = 512 * 1024;

/// How much is read at a time: as many blocks as have `bytes` together, or `blocks` if they have more. Never more than
/// [`MAX_RANGE`] and [`MAX_RANGE_BYTES`] allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Portion {
    /// How many bytes.
    pub bytes: u64,
    /// How many blocks at least.
    pub blocks: usize,
}

impl Portion {
    /// As much as may be.
    pub const MAX: Portion = Portion {
        bytes: MAX_RANGE_BYTES,
        blocks: 1,
    };

    /// Whether so many blocks with so many bytes are not too much.
    fn takes(&self, blocks: usize, bytes: u64) -> bool {
        let enough = bytes > self.bytes && blocks > self.blocks;
        blocks == 1 || bytes <= MAX_RANGE_BYTES && !enough
    }
}

/// Blocks that are to be read: the nodes that tell where they are.
#[derive(Debug)]
pub struct RangePlan(Leaves);

impl Feed {
    /// Plans to read the first blocks of a range, at most [`MAX_RANGE`] of them and [`MAX_RANGE_BYTES`].
    /// [`RangeRead::blocks`] says how far that goes; plan again from there.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::NotStored`] with the first block that is missing anywhere in the range.
    pub fn plan_get_range(&self, blocks: Range<u64>) -> Result<RangePlan, Error> {
        let length = self.length();
        if !blocks.is_empty() {
            if blocks.end > length {
                let block = blocks.start.max(length);
                return Err(Error::OutOfRange { block, length });
            }
            let block = self.bitfield.next_missing(blocks.start);
            if block < blocks.end {
                return Err(Error::NotStored { block });
            }
        }
        let end = blocks.end.min(blocks.start.saturating_add(MAX_RANGE));
        Ok(RangePlan(Leaves::new(self, blocks.start..end)))
    }
}

impl RangePlan {
    /// What has to be read first.
    pub fn reads(&self) -> &[Read] {
        self.0.reads()
    }

    /// Finds the place of the blocks.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a node isn't there, or a size can't be right.
    pub fn locate(&self, replies: &[Bytes]) -> Result<RangeRead, Error> {
        self.locate_portion(replies, Portion::MAX)
    }

    /// The same, of no more blocks than make a portion.
    ///
    /// # Errors
    /// As [`locate`](Self::locate).
    pub fn locate_portion(&self, replies: &[Bytes], portion: Portion) -> Result<RangeRead, Error> {
        self.0.locate(replies, portion)
    }
}

/// The leaves of blocks that follow one another, and the roots before them.
#[derive(Debug)]
pub(crate) struct Leaves {
    blocks: Range<u64>,
    before: NodeReads,
    /// The last leaf, where it is a root of the feed and so need not be believed.
    last: Option<Node>,
    reads: Vec<Read>,
    byte_length: u64,
}

impl Leaves {
    /// The number of blocks is bounded by the caller.
    pub(crate) fn new(feed: &Feed, blocks: Range<u64>) -> Self {
        let count = blocks.end.saturating_sub(blocks.start);
        let before = match count {
            0 => NodeReads::new([], &feed.roots),
            _ => NodeReads::new(full_roots(blocks.start), &feed.roots),
        };
        let last = blocks.end.checked_sub(1).map(Index::from_block);
        let mut reads = before.reads().to_vec();
        if count > 0 {
            // With the parents between them, which costs less than to read them one by one.
            reads.push(Read {
                file: File::Tree,
                offset: node_offset(Index::from_block(blocks.start)),
                len: (2 * count - 1) as usize * Node::LEN,
            });
        }
        Leaves {
            blocks: blocks.start..blocks.start + count,
            before,
            last: last.and_then(|last| feed.roots.node(last)).copied(),
            reads,
            byte_length: feed.byte_length(),
        }
    }

    pub(crate) fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// The place of the blocks, as many of them as make a portion and have a leaf. The first one must have a leaf.
    pub(crate) fn locate(&self, replies: &[Bytes], portion: Portion) -> Result<RangeRead, Error> {
        let before = self.before.parse(replies)?;
        let leaves = match replies.last() {
            Some(bytes) if !self.blocks.is_empty() => &bytes[..],
            _ => &[],
        };
        let mut found = RangeRead {
            first: self.blocks.start,
            offset: match self.blocks.is_empty() {
                true => 0,
                false => offset(self.blocks.start, |index| before.get(index))?,
            },
            size: 0,
            leaves: Vec::new(),
        };
        let mut slots = leaves.chunks(2 * Node::LEN);
        for block in self.blocks.clone() {
            let slot = slots.next().and_then(|slot| slot.get(..Node::LEN));
            let index = Index::from_block(block);
            let leaf = match self.last.filter(|last| last.index == index) {
                Some(leaf) => Ok(leaf),
                None => parse_node(index, slot),
            };
            match leaf.and_then(|leaf| found.push(leaf, portion, self.byte_length)) {
                Ok(true) => {}
                Ok(false) => break,
                // The next piece begins there, and finds out.
                Err(_) if !found.leaves.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

/// Blocks whose place is known.
#[derive(Clone, Debug)]
pub struct RangeRead {
    first: u64,
    offset: u64,
    size: u64,
    leaves: Vec<Node>,
}

impl RangeRead {
    /// The blocks that will be read.
    pub fn blocks(&self) -> Range<u64> {
        self.first..self.first + self.leaves.len() as u64
    }

    /// Where they are.
    pub fn read(&self) -> Read {
        Read {
            file: File::Data,
            offset: self.offset,
            // On a machine that can't hold it the read comes back short.
            len: usize::try_from(self.size).unwrap_or(usize::MAX),
        }
    }

    /// The blocks, if all of them are what the tree says. They share the memory of what was read, which is kept as long as
    /// one of them is.
    ///
    /// # Errors
    /// [`Error::Corrupt`]: wrong bytes are never returned.
    pub fn finish(&self, bytes: Bytes) -> Result<Vec<Bytes>, Error> {
        let blocks = self.split(&bytes);
        if blocks.len() < self.leaves.len() {
            return Err(Error::corrupt(File::Data, Damage::Short));
        }
        match self.count_valid(&blocks) == self.leaves.len() {
            true => Ok(blocks),
            false => Err(Error::corrupt(File::Data, Damage::WrongBlock)),
        }
    }

    /// How many of the blocks, from the first one on, are what the tree says.
    pub(crate) fn valid(&self, bytes: &Bytes) -> u64 {
        self.count_valid(&self.split(bytes)) as u64
    }

    /// Takes one more block, unless that makes it too much. Nothing is read, or allocated, beyond the bytes that were signed.
    fn push(&mut self, leaf: Node, portion: Portion, byte_length: u64) -> Result<bool, Error> {
        let size = self.size.saturating_add(leaf.size);
        if self.offset.saturating_add(size) > byte_length {
            return Err(Error::corrupt(File::Tree, Damage::Size));
        }
        let takes = portion.takes(self.leaves.len() + 1, size);
        if takes {
            self.size = size;
            self.leaves.push(leaf);
        }
        Ok(takes)
    }

    /// The blocks that are there as a whole.
    fn split(&self, bytes: &Bytes) -> Vec<Bytes> {
        let mut start = 0;
        let blocks = self.leaves.iter().map_while(|leaf| {
            let end = usize::try_from(leaf.size).ok()?.checked_add(start)?;
            let block = (end <= bytes.len()).then(|| bytes.slice(start..end));
            start = end;
            block
        });
        blocks.collect()
    }

    fn count_valid(&self, blocks: &[Bytes]) -> usize {
        let hashes = leaf_hashes(blocks.iter().map(|block| &block[..]));
        let fits = |(hash, leaf): &(_, &Node)| *hash == leaf.hash;
        hashes
            .into_iter()
            .zip(&self.leaves)
            .take_while(fits)
            .count()
    }
}
