//! What can go wrong, grouped by who must act: the caller, the peer, or whoever owns the disk.

use std::io;

use crate::Error::{Disk, Peer};

/// The result of a call on a feed.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The feed was closed, before the call or while it waited.
    #[error("the feed is closed")]
    Closed,
    /// No runtime was named and the crate was built without one.
    #[error("no runtime: enable the feature async-std or name one in the builder")]
    NoRuntime,
    /// The system has no randomness for keys and nonces.
    #[error("no randomness")]
    Randomness(#[source] getrandom::Error),
    /// The log refused: there is no such block, the feed isn't writable, the keys don't fit, or its files are damaged.
    #[error(transparent)]
    Feed(feed::Error),
    /// The peer broke the protocol or sent what doesn't verify. Its connection is over; the feed goes on.
    #[error(transparent)]
    Peer(PeerError),
    /// A connection failed or ended before its time.
    #[error("connection failed")]
    Connection(#[source] io::Error),
    /// A file could not be read or written.
    #[error(transparent)]
    Disk(storage::Error),
}

/// What a peer did that ended its connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// It broke the rules of the connection: handshake, framing, capability, timeouts.
    #[error(transparent)]
    Protocol(protocol::Error),
    /// It broke the rules of replication.
    #[error(transparent)]
    Replication(replicate::Error),
    /// It sent a block or hashes that don't verify. Nothing of it was stored.
    #[error("block {block} doesn't verify")]
    Verification {
        /// The block it sent.
        block: u64,
        /// What was wrong with it.
        source: feed::PutError,
    },
}

impl Error {
    /// Whether the feed is locked by another handle or another process.
    pub fn is_locked(&self) -> bool {
        matches!(self, Disk(storage::Error::Locked { .. }))
    }

    /// Whether a peer sent something that doesn't verify.
    pub fn is_verification(&self) -> bool {
        matches!(self, Peer(PeerError::Verification { .. }))
    }
}

impl From<feed::Error> for Error {
    fn from(error: feed::Error) -> Self {
        Error::Feed(error)
    }
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        Disk(error)
    }
}

impl From<protocol::Error> for Error {
    fn from(error: protocol::Error) -> Self {
        Peer(PeerError::Protocol(error))
    }
}

impl From<replicate::Error> for Error {
    fn from(error: replicate::Error) -> Self {
        Peer(PeerError::Replication(error))
    }
}
