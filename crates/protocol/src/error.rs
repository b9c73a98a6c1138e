//! Why a connection ends before its time.

/// What ended a connection. Of these, [`TooManyChannels`](Self::TooManyChannels) may be, and
/// [`MessageTooLong`](Self::MessageTooLong), [`InputQueueFull`](Self::InputQueueFull), [`Ended`](Self::Ended) and those about
/// extensions are, the caller's doing; the others are the remote's.
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
    /// Too many feeds are open, or all numbers were used.
    #[error("more than {max} channels")]
    TooManyChannels {
        /// How many are allowed.
        max: usize,
    },
    /// The remote hasn't opened a feed that we opened, on a connection that isn't live.
    #[error("the remote doesn't open the feed")]
    OpenTimeout,
    /// The remote hasn't closed a feed that we closed.
    #[error("the remote doesn't close the feed")]
    CloseTimeout,
    /// Nothing came for too long.
    #[error("the remote has gone silent")]
    IdleTimeout,
    /// The remote began a frame, and sends the rest of it too slowly.
    #[error("the remote takes too long over a message")]
    FrameTimeout,
    /// The remote takes nothing of what waits to be sent.
    #[error("the remote takes nothing")]
    SendTimeout,
    /// The remote ended its direction in the middle of the handshake or of a message; or right after the handshake, in which
    /// case it may not like who we are.
    #[error("the remote hung up before it had said all")]
    HungUp,
    /// More waits to be sent than the remote can ever have asked for politely.
    #[error("the remote doesn't take what it asks for")]
    SendQueueFull,
    /// A message is longer than any that the remote would read.
    #[error("a message of {len} bytes, at most {max} are allowed")]
    MessageTooLong {
        /// How long it is.
        len: usize,
        /// How long it may be.
        max: usize,
    },
    /// So many extensions are registered already. The connection goes on.
    #[error("more than {max} extensions")]
    TooManyExtensions {
        /// How many are allowed.
        max: usize,
    },
    /// No remote would read the name of the extension. The connection goes on.
    #[error("a name of {len} bytes for an extension, at most {max} are allowed")]
    ExtensionNameTooLong {
        /// How long it is.
        len: usize,
        /// How long it may be.
        max: usize,
    },
    /// The extension isn't registered. The connection goes on.
    #[error("the extension isn't registered")]
    UnknownExtension,
    /// More messages of extensions wait to be sent than are kept. The connection goes on.
    #[error("more than {max} messages of extensions wait to be sent, or too many bytes")]
    ExtensionQueueFull {
        /// How many may wait.
        max: usize,
    },
    /// More was handed in than is kept without events being taken out.
    #[error("more than {max} bytes of input wait to be looked at")]
    InputQueueFull {
        /// How many bytes may wait.
        max: usize,
    },
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
