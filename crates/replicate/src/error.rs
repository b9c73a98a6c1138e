//! Why a peer loses its connection.

/// What a peer did that ends its connection. The feed and its other peers notice nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A message names a block that no feed can have.
    #[error("block {block} is beyond the largest block number")]
    BlockOutOfRange {
        /// The block named.
        block: u64,
    },
    /// An answer without a value and without hashes.
    #[error("data for block {block} holds neither a value nor hashes")]
    EmptyData {
        /// The block it claims to be about.
        block: u64,
    },
    /// The peer keeps sending blocks that nobody asked for.
    #[error("{count} answers that nobody asked for")]
    TooManyStrays {
        /// How many came, the last one included.
        count: u32,
    },
    /// The peer keeps announcing blocks and taking them back once they are asked for.
    #[error("took back {count} times what it had announced")]
    TooManyRetractions {
        /// How often, less what it delivered.
        count: u32,
    },
    /// The run-length code of a Have is damaged, or stands for more blocks than its length says.
    #[error("damaged bitfield of what the peer has")]
    Bitfield(#[source] wire::Error),
    /// The peer announced blocks but answers no request for them.
    #[error("no answer to the request for block {block}")]
    RequestTimeout {
        /// The block that was asked for first.
        block: u64,
    },
    /// The peer says that it uploads, but doesn't tell what it has. See [`Config::request_timeout`](crate::Config::request_timeout).
    #[error("no answer to the question what the peer has")]
    WantTimeout,
    /// More waits to be sent to the peer than may wait. For owners that queue actions for a connection.
    #[error("the peer takes too little of what is sent to it")]
    Overloaded,
}
