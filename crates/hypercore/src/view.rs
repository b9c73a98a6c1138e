//! The feed as the replicator sees it.

use std::ops::Range;

use feed::Feed;
use replicate::Local;

/// A borrowed feed that answers what the replicator asks: what is stored, and which hashes are known.
pub(crate) struct View<'a>(pub(crate) &'a Feed);

impl Local for View<'_> {
    fn length(&self) -> u64 {
        self.0.length()
    }

    fn has(&self, block: u64) -> bool {
        self.0.bitfield().has_block(block)
    }

    fn has_all(&self, blocks: Range<u64>) -> bool {
        self.0.bitfield().has_blocks(blocks)
    }

    fn next_missing(&self, from: u64) -> u64 {
        self.0.bitfield().next_missing(from)
    }

    fn has_node_of(&self, block: u64) -> bool {
        self.0.knows_hash(block)
    }

    fn digest(&self, block: u64) -> u64 {
        merkle::digest(self.0.bitfield(), block)
    }

    fn proving(&self) -> Range<u64> {
        self.0.proving_blocks()
    }

    fn is_linked(&self, block: u64, length: u64) -> bool {
        self.0.is_linked(block, length)
    }

    fn have_bits(&self, start: u64, out: &mut [u8]) {
        self.0.bitfield().copy_block_bits(start, out);
    }
}
