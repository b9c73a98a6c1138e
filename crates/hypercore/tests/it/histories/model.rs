//! What a feed must be, said as plainly as it can be: a list of blocks, and a list of who has which. The tree is computed
//! anew whenever it is asked for, from the leaves.

use std::{collections::BTreeMap, ops::Range};

use bytes::Bytes;
use hypercore::Hash;

/// A node of the tree: its position, the bytes below it, and its hash.
pub(crate) type PlainNode = (u64, u64, Hash);

/// Everything that the author has ever appended.
#[derive(Debug, Default)]
pub(crate) struct Log {
    blocks: Vec<Bytes>,
    leaves: Vec<Hash>,
    /// Where each block begins, and in the end where the next one will.
    starts: Vec<u64>,
    /// The lengths at which a signature was made, ascending.
    signed: Vec<u64>,
    /// The hashes over the roots that were asked for, by length.
    tree_hashes: BTreeMap<u64, Hash>,
}

/// What one feed has of it.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// How many blocks it knows to exist, and for each whether it is here.
    here: Vec<bool>,
}

impl Log {
    pub(crate) fn append(&mut self, blocks: &[Bytes]) {
        for block in blocks {
            self.starts.push(self.byte_length(self.length()));
            self.leaves.push(crypto::leaf_hash(block));
            self.blocks.push(block.clone());
        }
        if !blocks.is_empty() {
            self.signed.push(self.length());
        }
    }

    pub(crate) fn length(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// The bytes of the first blocks.
    pub(crate) fn byte_length(&self, length: u64) -> u64 {
        match length.checked_sub(1) {
            Some(last) => self.starts[last as usize] + self.block(last).len() as u64,
            None => 0,
        }
    }

    pub(crate) fn block(&self, block: u64) -> &Bytes {
        &self.blocks[block as usize]
    }

    pub(crate) fn leaf(&self, block: u64) -> PlainNode {
        self.node(block..block + 1)
    }

    /// The last block that the first signature covers which covers this block.
    pub(crate) fn signed_at(&self, block: u64) -> u64 {
        let after = self.signed.partition_point(|length| *length <= block);
        self.signed[after] - 1
    }

    /// Where a byte is, in a feed of some length; none if it is behind the end.
    pub(crate) fn seek(&self, byte: u64, length: u64) -> Option<(u64, u64)> {
        let end = self.byte_length(length);
        match byte {
            0 => Some((0, 0)),
            _ if byte < end => (0..length).rev().find_map(|block| {
                let offset = byte.checked_sub(self.starts[block as usize])?;
                Some((block, offset))
            }),
            _ => (byte == end).then_some((length, 0)),
        }
    }

    /// Bytes of the feed, counted from its beginning.
    pub(crate) fn bytes(&self, range: Range<u64>) -> Vec<u8> {
        let all = self.blocks.concat();
        all[range.start as usize..range.end as usize].to_vec()
    }

    /// The roots of a feed of some length: over the largest power of two of blocks, then over the largest of the rest.
    pub(crate) fn roots(&self, length: u64) -> Vec<PlainNode> {
        let mut roots = Vec::new();
        let mut start = 0;
        while start < length {
            let count = 1 << (length - start).ilog2();
            roots.push(self.node(start..start + count));
            start += count;
        }
        roots
    }

    pub(crate) fn tree_hash(&mut self, length: u64) -> Hash {
        if let Some(hash) = self.tree_hashes.get(&length) {
            return *hash;
        }
        let hash = crypto::tree_hash(self.roots(length));
        self.tree_hashes.insert(length, hash);
        hash
    }

    /// The node over a power of two of blocks.
    fn node(&self, blocks: Range<u64>) -> PlainNode {
        let count = blocks.end - blocks.start;
        let size = self.byte_length(blocks.end) - self.byte_length(blocks.start);
        let hash = match count {
            1 => self.leaves[blocks.start as usize],
            _ => {
                let middle = blocks.start + count / 2;
                let (_, _, left) = self.node(blocks.start..middle);
                let (_, _, right) = self.node(middle..blocks.end);
                crypto::parent_hash(&left, &right, size)
            }
        };
        // In-order numbers: the middle of its leaves, which are the even ones.
        (2 * blocks.start + count - 1, size, hash)
    }
}

impl Held {
    pub(crate) fn length(&self) -> u64 {
        self.here.len() as u64
    }

    /// Learns that there are more blocks.
    pub(crate) fn grow(&mut self, length: u64, here: bool) {
        assert!(length >= self.length(), "feeds don't shrink");
        self.here.resize(length as usize, here);
    }

    pub(crate) fn set(&mut self, block: u64, here: bool) {
        self.here[block as usize] = here;
    }

    pub(crate) fn clear(&mut self, blocks: Range<u64>) {
        (blocks.start..blocks.end.min(self.length())).for_each(|block| self.set(block, false));
    }

    pub(crate) fn has(&self, block: u64) -> bool {
        self.here.get(block as usize) == Some(&true)
    }

    pub(crate) fn blocks(&self) -> impl Iterator<Item = u64> {
        (0..self.length()).filter(|block| self.has(*block))
    }

    /// The runs of blocks that are not here.
    pub(crate) fn missing(&self) -> Vec<Range<u64>> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        for block in (0..self.length()).filter(|block| !self.has(*block)) {
            match runs.last_mut() {
                Some(run) if run.end == block => run.end += 1,
                _ => runs.push(block..block + 1),
            }
        }
        runs
    }
}
