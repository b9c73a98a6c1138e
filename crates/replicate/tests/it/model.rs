//! A feed without contents: which blocks and hashes are there, and how long it is.

use std::ops::Range;

use bitfield::RangeSet;
use bytes::Bytes;
use hypercore_replicate::Local;
use wire::{Data, Node, Request};

/// What a feed of the simulated world knows. Data carries the sender's length where a real one carries a signature.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) blocks: RangeSet,
    pub(crate) hashes: RangeSet,
    pub(crate) length: u64,
    /// A longer feed has to be shown to begin with this one.
    pub(crate) strict: bool,
}

impl Model {
    /// A feed with all its blocks.
    pub(crate) fn full(length: u64) -> Self {
        Model::with(length, 0..length)
    }

    /// A feed with some of its blocks.
    pub(crate) fn with(length: u64, blocks: Range<u64>) -> Self {
        let blocks: RangeSet = std::iter::once(blocks).collect();
        Model {
            hashes: blocks.clone(),
            blocks,
            length,
            strict: false,
        }
    }

    pub(crate) fn append(&mut self, count: u64) -> Range<u64> {
        let new = self.length..self.length + count;
        self.blocks.insert(new.clone());
        self.hashes.insert(new.clone());
        self.length = new.end;
        new
    }

    pub(crate) fn clear(&mut self, blocks: Range<u64>) {
        self.blocks.remove(blocks);
    }

    pub(crate) fn answer(&self, request: &Request) -> Option<Data> {
        let block = request.index;
        let there = match request.hash() {
            true => self.has_node_of(block),
            false => self.has(block),
        };
        there.then(|| data(block, !request.hash(), self.length))
    }

    /// Whether an answer is understood. What is below the end is linked to a longer feed, and to what a neighbour brought.
    pub(crate) fn understands(&self, data: &Data) -> bool {
        let (block, signed) = (data.index, data.nodes[0].size);
        match block < self.length {
            true => self.is_linked(block, signed),
            false => self.proving().contains(&block),
        }
    }

    pub(crate) fn store(&mut self, data: &Data) {
        self.length = self.length.max(data.nodes[0].size);
        self.hashes.insert(data.index..data.index + 1);
        if data.value.is_some() {
            self.blocks.insert(data.index..data.index + 1);
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.has_all(0..self.length)
    }
}

/// An answer about a block of a feed that is so long.
pub(crate) fn data(block: u64, has_value: bool, length: u64) -> Data {
    Data {
        index: block,
        value: has_value.then(|| Bytes::from_static(b"block")),
        nodes: vec![Node {
            index: 0,
            hash: [0; 32],
            size: length,
        }],
        signature: None,
    }
}

impl Local for Model {
    fn length(&self) -> u64 {
        self.length
    }

    fn has(&self, block: u64) -> bool {
        self.blocks.contains(block)
    }

    fn has_all(&self, blocks: Range<u64>) -> bool {
        blocks.is_empty() || self.blocks.next_out(blocks.start) >= blocks.end
    }

    fn next_missing(&self, from: u64) -> u64 {
        self.blocks.next_out(from)
    }

    fn has_node_of(&self, block: u64) -> bool {
        self.hashes.contains(block)
    }

    fn digest(&self, block: u64) -> u64 {
        u64::from(self.hashes.contains(block))
    }

    fn proving(&self) -> Range<u64> {
        match self.length {
            length if self.strict && length > 0 => length..length + (1 << length.trailing_zeros()),
            length => length..u64::MAX,
        }
    }

    fn is_linked(&self, block: u64, length: u64) -> bool {
        !self.strict || length >= self.length || self.hashes.contains(block ^ 1)
    }

    fn have_bits(&self, start: u64, out: &mut [u8]) {
        out.fill(0);
        let end = start + 8 * out.len() as u64;
        for block in self.blocks.intersection(start..end).flatten() {
            let bit = block - start;
            out[(bit / 8) as usize] |= 128 >> (bit % 8);
        }
    }
}
