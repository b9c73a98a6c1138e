//! What can be wrong with bytes from a peer.

use crate::Kind;

/// Bytes that break the protocol. The connection can't go on after any of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A varint is longer than 10 bytes or stands for more than 2^64 - 1.
    #[error("a varint is too long")]
    VarintTooLong,
    /// A number is above 2^53 - 1, more than JavaScript can hold.
    #[error("the number {value} is above 2^53 - 1")]
    NumberTooLarge {
        /// The number.
        value: u64,
    },
    /// A message ends in the middle of a field.
    #[error("the message ends in the middle of a field")]
    Truncated,
    /// A field has a wire type that isn't used.
    #[error("wire type {wire_type} is not used")]
    WireType {
        /// Which one.
        wire_type: u8,
    },
    /// A field that must be there isn't.
    #[error("field {field} is missing")]
    Missing {
        /// Its number.
        field: u32,
    },
    /// A key, a hash, a signature or a nonce has the wrong length.
    #[error("field {field} has {len} bytes instead of {expected}")]
    Length {
        /// The number of the field.
        field: u32,
        /// How many bytes it has.
        len: usize,
        /// How many it should have.
        expected: usize,
    },
    /// A name is not UTF-8.
    #[error("a name is not UTF-8")]
    Utf8,
    /// A frame is shorter than its own header.
    #[error("a frame is shorter than its header")]
    FrameTooShort,
    /// A frame is longer than its type may be. Known from the header, before anything is buffered.
    #[error("a frame of {len} bytes, {max} are allowed for {kind:?}")]
    FrameTooLong {
        /// Its type; none for the types that mean nothing.
        kind: Option<Kind>,
        /// The length of its body.
        len: u64,
        /// How long it may be.
        max: usize,
    },
    /// A channel number is higher than allowed.
    #[error("channel {channel}, {max} is the highest allowed")]
    Channel {
        /// The number.
        channel: u64,
        /// The highest allowed.
        max: u64,
    },
    /// A message has more parts (nodes, names) than allowed.
    #[error("more than {max} parts")]
    TooMany {
        /// How many there may be.
        max: usize,
    },
    /// A run-length code ends in the middle of a run.
    #[error("a run-length code ends in the middle of a run")]
    Run,
    /// A run-length code stands for more bits than it may.
    #[error("a run-length code of more than {max} bits")]
    TooManyBits {
        /// How many it may stand for.
        max: u64,
    },
}
