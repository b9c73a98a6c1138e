//! What a replicator wants done, and the names by which it speaks of peers and wishes.

use wire::{Data, Message, Request};

use crate::Error;

/// One connection to one peer. The number is the caller's choice and must not be used again while the replicator lives.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

/// Something that somebody waits for, as returned by [`Replicator::want`](crate::Replicator::want).
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WishId(pub(crate) u64);

/// What the owner of a replicator has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Send a message on the peer's channel.
    Send {
        /// The receiver.
        peer: PeerId,
        /// Never an Open, Close, Data or Extension.
        message: Message,
    },
    /// Answer a request: read the proof and the block and send them as Data, then report by
    /// [`handle_served`](crate::Replicator::handle_served) or [`handle_unserved`](crate::Replicator::handle_unserved).
    ///
    /// If `bytes` isn't zero, the block that holds that byte is meant if it can be found, else the one named.
    Serve {
        /// Who asks.
        peer: PeerId,
        /// What is asked for.
        request: Request,
    },
    /// Verify and store an answer, then report by
    /// [`handle_stored`](crate::Replicator::handle_stored) or [`handle_refused`](crate::Replicator::handle_refused).
    Store {
        /// Who sent it.
        peer: PeerId,
        /// The answer, unverified.
        data: Data,
    },
    /// The peer has told for the first time what it has, or claims another length now. Nothing is proven by it.
    Announced {
        /// Who claims it.
        peer: PeerId,
        /// In blocks.
        length: u64,
    },
    /// The peer confirms that it stored a block of ours.
    Acknowledged {
        /// Who stored it.
        peer: PeerId,
        /// The block.
        block: u64,
    },
    /// This feed is done with this peer: close the channel. The replicator has forgotten the peer already.
    Close {
        /// The peer that both sides are done with.
        peer: PeerId,
    },
    /// End the connection. The replicator has forgotten the peer already.
    Disconnect {
        /// The peer that broke the protocol.
        peer: PeerId,
        /// How it did that.
        error: Error,
    },
    /// A wish is over: it has come true, or it was cancelled with others.
    Resolved {
        /// The wish.
        wish: WishId,
        /// What came of it.
        outcome: Outcome,
    },
}

/// How a wish ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// All blocks wished for are stored.
    Stored,
    /// The feed has grown to at least the length wished for; this is its length now.
    Grown {
        /// In blocks.
        length: u64,
    },
    /// New hashes for a seek are stored: look for the byte again, and wish again if it still isn't found.
    Answered,
    /// [`Replicator::cancel_range`](crate::Replicator::cancel_range) has ended it.
    Cancelled,
}
