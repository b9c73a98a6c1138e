//! Why a handshake fails.

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Only an initiator can find out the dialect: a responder has to choose before it could tell.
    #[error("a responder has to choose a dialect")]
    AutoResponder,
    /// A message announces a length that no handshake message has.
    #[error("a handshake message of {len} bytes, 1 to {max} are allowed")]
    Length {
        /// The length.
        len: u64,
        /// The longest allowed.
        max: usize,
    },
    /// A message doesn't open: it was altered, or the other side speaks another dialect or another protocol.
    #[error("a handshake message doesn't open")]
    Rejected,
    /// The remote's key is one with which no secret can be shared.
    #[error("a key of low order")]
    LowOrder,
    /// The remote never said its nonce.
    #[error("no payload")]
    NoPayload,
    /// What the remote said isn't a nonce.
    #[error("the payload is not understood")]
    Payload(#[source] wire::Error),
    /// The application didn't accept the remote's key.
    #[error("the remote's key was not accepted")]
    Refused,
    /// The handshake isn't over.
    #[error("the handshake is not finished")]
    Unfinished,
}
