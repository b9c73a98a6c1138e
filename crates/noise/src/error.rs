//! Why a handshake ended early.

/// What went wrong in a handshake. After any of these the connection is over.
///
/// The remote is told nothing: it sees the connection close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A responder was asked to find out the dialect, which only an initiator can.
    #[error("a responder can't tell the dialect of the initiator")]
    AutoResponder,
    /// The authenticated key of the remote was turned down by [`Handshake::authenticate`](crate::Handshake::authenticate).
    #[error("the remote's key was turned down")]
    TurnedDown,
    /// The handshake isn't at the point where that can be done, or has failed before.
    #[error("the handshake is not at that point")]
    OutOfTurn,
    /// The remote announced an empty message.
    #[error("an empty handshake message")]
    EmptyMessage,
    /// The remote announced a message longer than any.
    #[error("a handshake message of {len} bytes, at most {max} are allowed")]
    MessageTooLong {
        /// How long, as far as it was read.
        len: u64,
        /// How long it may be.
        max: usize,
    },
    /// The remote's length prefix doesn't end.
    #[error("the length of a handshake message has too many bytes")]
    LengthTooLong,
    /// A message ends before its keys do.
    #[error("handshake message {number} is too short")]
    MessageTooShort {
        /// Which of the three, from 1.
        number: u8,
    },
    /// A key of the remote is a point of low order, which would make the secret public.
    #[error("handshake message {number} has a key of low order")]
    LowOrder {
        /// Which of the three, from 1.
        number: u8,
    },
    /// A message doesn't open: it was altered, or the remote speaks the other dialect.
    #[error("handshake message {number} doesn't open")]
    Unauthentic {
        /// Which of the three, from 1.
        number: u8,
    },
    /// The remote's payload is no nonce of 24 bytes.
    #[error("the payload of the handshake is no nonce")]
    Payload(#[source] wire::Error),
}
