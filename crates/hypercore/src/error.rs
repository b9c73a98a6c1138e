//! What can go wrong, grouped by who must act: the caller, the peer, or whoever owns the disk.

use std::{io, sync::Arc};

use merkle::Fork;
use replicate::PeerId;

use crate::Error::{Disk, Peer};

/// The result of a call on a feed.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a hook or a codec, as it came.
pub type SharedError = Arc<dyn std::error::Error + Send + Sync>;

/// Why a call failed.
///
/// It can be cloned, because one failure may end many calls.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The feed was closed, before the call or while it waited.
    #[error("the feed is closed")]
    Closed,
    /// No runtime was named and the crate was built without one.
    #[error("no runtime: enable the feature async-std or blocking, or name one in the builder")]
    NoRuntime,
    /// The system has no randomness for keys and nonces.
    #[error("no randomness")]
    Randomness(#[source] getrandom::Error),
    /// The time that the caller allowed is over.
    #[error("timed out")]
    TimedOut,
    /// [`Hypercore::cancel_range`](crate::Hypercore::cancel_range) ended the wait.
    #[error("cancelled")]
    Cancelled,
    /// The block isn't stored here, and the caller didn't want to wait for it.
    #[error("block {block} is not stored here")]
    NotLocal {
        /// The block.
        block: u64,
    },
    /// Where the byte is can't be told from what is stored here, and the caller didn't want to wait for more.
    #[error("byte {byte} can't be found with what is stored here")]
    ByteNotLocal {
        /// The byte.
        byte: u64,
    },
    /// No connected peer has the block, and the caller only wanted to wait for one that has.
    #[error("no peer has block {block}")]
    NotAvailable {
        /// The block.
        block: u64,
    },
    /// No connected peer has a longer feed, and the caller only wanted to wait for one that has.
    #[error("no peer has an update")]
    NoUpdate,
    /// The feed has no blocks, so it has no last one.
    #[error("the feed is empty")]
    Empty,
    /// A value can't be written as a block.
    #[error("cannot encode the value")]
    Encode(#[source] SharedError),
    /// A block can't be read as a value.
    #[error("cannot decode block {block}")]
    Decode {
        /// The block.
        block: u64,
        /// What the codec says.
        source: SharedError,
    },
    /// The hook [`on_write`](crate::Builder::on_write) refused a block.
    #[error("refused before writing")]
    Refused(#[source] SharedError),
    /// The signer of the feed couldn't sign.
    #[error("no signature")]
    Signer(#[source] SharedError),
    /// The verifier of the feed couldn't decide.
    #[error("a signature can't be checked")]
    Verifier(#[source] SharedError),
    /// The feed or the connection has an extension of that name already.
    #[error("there is an extension {name} already")]
    DuplicateExtension {
        /// The name.
        name: String,
    },
    /// The peer doesn't have the extension.
    #[error("the peer doesn't have the extension {name}")]
    UnsupportedExtension {
        /// The name.
        name: String,
    },
    /// A message of an extension can't be decoded.
    #[error("cannot decode a message of a peer")]
    DecodeMessage {
        /// Who sent it.
        peer: PeerId,
        /// What the codec says.
        source: SharedError,
    },
    /// A message of an extension of a connection can't be decoded.
    #[error("cannot decode a message of the remote")]
    DecodeConnectionMessage(#[source] SharedError),
    /// An extension of a connection can't be registered, or its message can't be sent.
    #[error("the extension can't do that")]
    Extension(#[source] protocol::Error),
    /// So many feeds are on the connection already.
    #[error("more than {max} feeds on a connection")]
    TooManyFeeds {
        /// How many may be.
        max: usize,
    },
    /// The listener was too slow, and messages of an extension are lost.
    #[error("{missed} messages were lost")]
    MissedMessages {
        /// How many.
        missed: u64,
    },
    /// A block is signed by the author, but nothing shows that it is of the same history as what is stored here. See
    /// [`ForkPolicy::Strict`](crate::ForkPolicy::Strict).
    #[error("block {block} can't be shown to belong to the history that is stored here")]
    Unproven {
        /// The block.
        block: u64,
        /// A block whose proof would show it, from who has the longer feed.
        by: u64,
    },
    /// The peer is not connected any more.
    #[error("the peer has gone")]
    NoPeer,
    /// The log refused: there is no such block, the feed isn't writable, the keys don't fit, or its files are damaged.
    #[error(transparent)]
    Feed(feed::Error),
    /// The peer broke the protocol or sent what doesn't verify. Its connection is over; the feed goes on.
    #[error(transparent)]
    Peer(PeerError),
    /// A connection failed or ended before its time.
    #[error("connection failed")]
    Connection(#[source] Arc<io::Error>),
    /// A file could not be read or written.
    #[error(transparent)]
    Disk(storage::Error),
}

/// What a peer did that ended its connection.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// It broke the rules of the connection: handshake, framing, capability, timeouts.
    #[error(transparent)]
    Protocol(protocol::Error),
    /// It broke the rules of replication.
    #[error(transparent)]
    Replication(replicate::Error),
    /// It had to go, because the connections of the program hold too much together, or too many of them are in the middle of their
    /// handshake. See [`GateLimits`](crate::GateLimits).
    #[error("had to make room for other connections")]
    Expelled,
    /// It sent a block or hashes that don't verify. Nothing of it was stored.
    #[error("block {block} doesn't verify")]
    Verification {
        /// The block it sent.
        block: u64,
        /// What was wrong with it.
        source: feed::PutError,
    },
    /// It sent what the author signed, and what contradicts something else that the author signed: the feed has two histories.
    /// The one that was known first is kept, and nothing of the other was stored. The peer may be as honest as we are.
    #[error("block {block} is of another history of the feed")]
    Fork {
        /// The block it sent.
        block: u64,
        /// Both signed states, which anyone can check.
        fork: Arc<Fork>,
    },
}

impl Error {
    /// Whether the feed is locked by another handle or another process.
    pub fn is_locked(&self) -> bool {
        matches!(self, Disk(storage::Error::Locked))
    }

    /// Whether the same call may succeed later although neither the program nor its files change: peers come and go, disks
    /// get room, other handles are closed. What a caller does wrong, damaged files, and a feed that is closed stay as they are.
    ///
    /// ```
    /// # async_std::task::block_on(async {
    /// use hypercore::{Hypercore, Storage};
    ///
    /// let feed = Hypercore::open(Storage::memory()).await?;
    /// let missing = feed.get(0).if_available().await.unwrap_err();
    /// assert!(missing.is_retryable());
    /// feed.close().await?;
    /// let closed = feed.get(0).await.unwrap_err();
    /// assert!(!closed.is_retryable());
    /// # Ok::<_, hypercore::Error>(()) }).unwrap();
    /// ```
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::TimedOut
            | Error::NotLocal { .. }
            | Error::ByteNotLocal { .. }
            | Error::NotAvailable { .. }
            | Error::NoUpdate
            | Error::Empty
            | Error::Unproven { .. }
            | Error::Signer(_)
            | Error::Verifier(_)
            | Error::Connection(_)
            | Disk(storage::Error::Locked | storage::Error::Io { .. })
            | Peer(PeerError::Expelled) => true,
            // A remote that was too slow or has gone may be quicker next time. One that can't keep the rules can't then either.
            Peer(PeerError::Protocol(error)) => matches!(
                error,
                protocol::Error::HandshakeTimeout
                    | protocol::Error::OpenTimeout
                    | protocol::Error::CloseTimeout
                    | protocol::Error::IdleTimeout
                    | protocol::Error::FrameTimeout
                    | protocol::Error::SendTimeout
                    | protocol::Error::HungUp
            ),
            Peer(PeerError::Replication(error)) => matches!(
                error,
                replicate::Error::RequestTimeout { .. } | replicate::Error::WantTimeout
            ),
            // It waits for what peers have shown to be lost here.
            Error::Feed(feed::Error::WriterBehind { .. }) => true,
            _ => false,
        }
    }

    /// Whether a peer showed that the author has signed two histories.
    pub fn is_fork(&self) -> bool {
        matches!(self, Peer(PeerError::Fork { .. }))
    }

    /// Whether a peer sent something that doesn't verify.
    pub fn is_verification(&self) -> bool {
        matches!(self, Peer(PeerError::Verification { .. }))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::Connection(Arc::new(error))
    }
}

impl From<feed::Error> for Error {
    fn from(error: feed::Error) -> Self {
        Error::Feed(error)
    }
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        match error {
            // The files of a feed are closed with it, also under a call that is reading them.
            storage::Error::Closed => Error::Closed,
            error => Disk(error),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_time_or_others_may_change_is_worth_another_try() {
        let full = storage::Error::io("write", io::ErrorKind::StorageFull.into());
        let retryable = [
            Error::TimedOut,
            Error::NotAvailable { block: 3 },
            Error::NoUpdate,
            io::Error::from(io::ErrorKind::ConnectionReset).into(),
            storage::Error::Locked.into(),
            full.into(),
            protocol::Error::IdleTimeout.into(),
            protocol::Error::HungUp.into(),
            replicate::Error::RequestTimeout { block: 3 }.into(),
            Peer(PeerError::Expelled),
        ];
        for error in retryable {
            assert!(error.is_retryable(), "{error}");
        }
    }

    #[test]
    fn a_feed_whose_files_are_closed_is_closed() {
        assert!(matches!(storage::Error::Closed.into(), Error::Closed));
    }

    #[test]
    fn what_the_program_or_a_liar_does_wrong_is_not() {
        let lasting = [
            Error::Closed,
            Error::Cancelled,
            Error::NoPeer,
            storage::Error::Latched.into(),
            protocol::Error::Capability.into(),
            protocol::Error::OpenedTwice.into(),
            replicate::Error::TooManyStrays { count: 17 }.into(),
            feed::Error::Unfinished.into(),
        ];
        for error in lasting {
            assert!(!error.is_retryable(), "{error}");
        }
    }
}
