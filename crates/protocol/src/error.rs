//! Why a connection ends before its time.

/// What ended a connection. All but the last two are the remote's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The handshake failed.
    #[error("handshake failed")]
    Handshake(#[source] noise::Error),
    /// The handshake took too long.
    #[error("the handshake took too long")]
    HandshakeTimeout,
    /// The remote sent bytes that are no frame or no message.
    #[error("not understood")]
    Frame(#[source] wire::Error),
    /// The remote opened a feed without being able to show that it knows the key.
    #[error("the remote doesn't know the key of the feed that it opened")]
    Capability,
    /// The remote opened a feed, or used a number, twice.
    #[error("a channel was opened twice")]
    OpenedTwice,
    /// The remote opened too many feeds.
    #[error("more than {max} channels")]
    TooManyChannels {
        /// How many are allowed.
        max: usize,
    },
    /// Nothing came for too long.
    #[error("the remote has gone silent")]
    IdleTimeout,
    /// More waits to be sent than the remote can ever have asked for politely.
    #[error("the remote doesn't take what it asks for")]
    SendQueueFull,
    /// The machine was used after an error had ended it.
    #[error("the connection is over")]
    Ended,
}

impl From<noise::Error> for Error {
    fn from(error: noise::Error) -> Self {
        Error::Handshake(error)
    }
}

impl From<wire::Error> for Error {
    fn from(error: wire::Error) -> Self {
        Error::Frame(error)
    }
}
