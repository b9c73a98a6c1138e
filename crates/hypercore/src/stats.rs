//! How much was exchanged.

use replicate::PeerId;

/// Blocks that were exchanged with peers, and their bytes. Hashes, proofs and framing don't count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Blocks that were sent.
    pub uploaded_blocks: u64,
    /// Their bytes.
    pub uploaded_bytes: u64,
    /// Blocks that were received and stored.
    pub downloaded_blocks: u64,
    /// Their bytes.
    pub downloaded_bytes: u64,
    /// Blocks that were received and left aside, because nothing showed that they are of the history that is stored. They are
    /// asked for again once that is shown. See [`ForkPolicy::Strict`](crate::ForkPolicy::Strict).
    pub unproven_blocks: u64,
    /// Blocks and proofs that were received and didn't verify. Each ended a connection, so only the totals know of them.
    pub refused_blocks: u64,
}

/// How much a feed has exchanged since it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// With all peers, also those that have gone.
    pub totals: Counters,
    /// With each peer that is connected.
    pub peers: Vec<(PeerId, Counters)>,
}

impl Counters {
    pub(crate) fn uploaded(&mut self, bytes: usize) {
        self.uploaded_blocks += 1;
        self.uploaded_bytes += bytes as u64;
    }

    pub(crate) fn downloaded(&mut self, bytes: usize) {
        self.downloaded_blocks += 1;
        self.downloaded_bytes += bytes as u64;
    }

    pub(crate) fn unproven(&mut self) {
        self.unproven_blocks += 1;
    }

    pub(crate) fn refused(&mut self) {
        self.refused_blocks += 1;
    }
}
