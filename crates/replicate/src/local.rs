//! The feed as the replicator sees it: what is stored, and which hashes are known.

use core::ops::Range;

/// What a replicator asks about the feed that it replicates.
///
/// It is passed into each call by reference and never kept. All answers are about what is *stored*: the replicator announces
/// what `has` says, and no peer may ever hold a block that a crash can take back. Every method must accept any block
/// number, however far beyond the length, at no more than logarithmic cost.
pub trait Local {
    /// The length of the feed in blocks, as far as it is verified.
    fn length(&self) -> u64;

    /// Whether a block is stored.
    fn has(&self, block: u64) -> bool;

    /// Whether all blocks of a range are stored. True for an empty range.
    fn has_all(&self, blocks: Range<u64>) -> bool;

    /// The first block at or after `from` that isn't stored.
    fn next_missing(&self, from: u64) -> u64;

    /// Whether the hash of a block is known, so that asking for it would bring nothing new.
    fn has_node_of(&self, block: u64) -> bool;

    /// Which hashes around a block are known, for `Request.nodes`.
    fn digest(&self, block: u64) -> u64;

    /// The blocks behind the end whose proofs show that a longer feed begins with this one. What lies behind them is only asked
    /// for together with one of them. By default it needn't be shown, and all blocks are of that kind.
    fn proving(&self) -> Range<u64> {
        self.length()..u64::MAX
    }

    /// Whether the proof of a block below the end, made by a peer with an older feed of `length` blocks, leads to something that
    /// is stored. By default it needn't.
    fn is_linked(&self, block: u64, length: u64) -> bool {
        let _ = (block, length);
        true
    }

    /// Copies the bits of the blocks from `start` on, first block in the highest bit; those past the end are zero.
    ///
    /// `start` is a multiple of 8192.
    fn have_bits(&self, start: u64, out: &mut [u8]);
}
