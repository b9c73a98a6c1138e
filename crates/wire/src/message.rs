//! The messages. A field that the protocol calls optional is an `Option`, so that what was read is written as it was; the
//! method of its name gives the value that its absence stands for.

use alloc::{string::String, vec::Vec};
use core::fmt;

use bytes::Bytes;

/// The type of a message: the low four bits of a frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is described by the message of its name")]
pub enum Kind {
    Open = 0,
    Options = 1,
    Status = 2,
    Have = 3,
    Unhave = 4,
    Want = 5,
    Unwant = 6,
    Request = 7,
    Cancel = 8,
    Data = 9,
    Close = 10,
    Extension = 15,
}

impl Kind {
    /// The type with this number; none for 11 to 14, which mean nothing.
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Kind::Open,
            1 => Kind::Options,
            2 => Kind::Status,
            3 => Kind::Have,
            4 => Kind::Unhave,
            5 => Kind::Want,
            6 => Kind::Unwant,
            7 => Kind::Request,
            8 => Kind::Cancel,
            9 => Kind::Data,
            10 => Kind::Close,
            15 => Kind::Extension,
            _ => return None,
        })
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// Anything that is said on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each is described by the message of its name")]
pub enum Message {
    Open(Open),
    Options(Options),
    Status(Status),
    Have(Have),
    Unhave(Unhave),
    Want(Want),
    Unwant(Unwant),
    Request(Request),
    Cancel(Cancel),
    Data(Data),
    Close(Close),
    Extension(Extension),
}

impl Message {
    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Message::Open(_) => Kind::Open,
            Message::Options(_) => Kind::Options,
            Message::Status(_) => Kind::Status,
            Message::Have(_) => Kind::Have,
            Message::Unhave(_) => Kind::Unhave,
            Message::Want(_) => Kind::Want,
            Message::Unwant(_) => Kind::Unwant,
            Message::Request(_) => Kind::Request,
            Message::Cancel(_) => Kind::Cancel,
            Message::Data(_) => Kind::Data,
            Message::Close(_) => Kind::Close,
            Message::Extension(_) => Kind::Extension,
        }
    }
}

/// The first message of a channel: which feed it is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// The name of the feed that doesn't give its key away.
    pub discovery_key: [u8; 32],
    /// The proof that the sender knows the key; absent only on connections without a handshake.
    pub capability: Option<[u8; 32]>,
}

/// What the sender can do besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The names of its extensions, sorted.
    pub extensions: Vec<String>,
    /// Whether it wants blocks acknowledged.
    pub ack: Option<bool>,
}

/// Whether the sender gives and takes blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Whether it gives.
    pub uploading: Option<bool>,
    /// Whether it takes.
    pub downloading: Option<bool>,
}

/// Which blocks the sender has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Have {
    /// The first block.
    pub start: u64,
    /// How many blocks from there.
    pub length: Option<u64>,
    /// Which of them, run-length coded; without it all of them.
    pub bitfield: Option<Bytes>,
    /// Whether this acknowledges a block that the receiver sent.
    pub ack: Option<bool>,
}

/// Which blocks the sender has no longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unhave {
    /// The first block.
    pub start: u64,
    /// How many blocks from there.
    pub length: Option<u64>,
}

/// Which blocks the sender wants to know about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// The first block, a multiple of 8192.
    pub start: u64,
    /// How many blocks from there, a multiple of 8192.
    pub length: Option<u64>,
}

/// Which blocks the sender doesn't want to know about any longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unwant {
    /// The first block.
    pub start: u64,
    /// How many blocks from there.
    pub length: Option<u64>,
}

/// Asks for a block, or for its hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The block.
    pub index: u64,
    /// If not 0: rather the block that holds this byte of the feed.
    pub bytes: Option<u64>,
    /// Whether the hash will do.
    pub hash: Option<bool>,
    /// A digest of the hashes that the sender has around the block.
    pub nodes: Option<u64>,
}

/// Takes a request back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cancel {
    /// The block that was asked for.
    pub index: u64,
    /// The byte that was asked for.
    pub bytes: Option<u64>,
    /// Whether it was the hash.
    pub hash: Option<bool>,
}

/// A block, or its hash, with what is needed to verify it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Data {
    /// The block's number.
    pub index: u64,
    /// The block. Absent if only its hash was asked for; an empty block is there, and empty.
    pub value: Option<Bytes>,
    /// Nodes of the tree.
    pub nodes: Vec<Node>,
    /// The signature over the roots.
    pub signature: Option<[u8; 64]>,
}

/// A node of the tree.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Its position.
    pub index: u64,
    /// Its hash.
    pub hash: [u8; 32],
    /// The bytes below it.
    pub size: u64,
}

/// The sender is done with the channel, or doesn't share the feed.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Close {
    /// The feed, if the sender never opened it.
    pub discovery_key: Option<[u8; 32]>,
}

/// A message of an extension.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Extension {
    /// The place of its name in the sender's list.
    pub id: u64,
    /// Whatever the extension says.
    pub payload: Bytes,
}

/// Gives the value that an absent field stands for.
macro_rules! defaults {
    ($($message:ident: $($field:ident -> $type:ty = $default:expr),+;)+) => {
        $(impl $message {
            $(
                #[doc = concat!("`", stringify!($field), "`, or ", stringify!($default), " if absent.")]
                pub fn $field(&self) -> $type {
                    self.$field.unwrap_or($default)
                }
            )+
        })+
    };
}

defaults! {
    Options: ack -> bool = false;
    Status: uploading -> bool = false, downloading -> bool = false;
    Have: length -> u64 = 1, ack -> bool = false;
    Unhave: length -> u64 = 1;
    Want: length -> u64 = 0;
    Unwant: length -> u64 = 0;
    Request: bytes -> u64 = 0, hash -> bool = false, nodes -> u64 = 0;
    Cancel: bytes -> u64 = 0, hash -> bool = false;
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open")
            .field("capability", &self.capability.is_some())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Close")
            .field("discovery_key", &self.discovery_key.is_some())
            .finish()
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Data")
            .field("index", &self.index)
            .field("len", &self.value.as_ref().map(Bytes::len))
            .field("nodes", &self.nodes)
            .field("signature", &self.signature.is_some())
            .finish()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({} bytes)", self.index, self.size)
    }
}

impl fmt::Debug for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extension")
            .field("id", &self.id)
            .field("len", &self.payload.len())
            .finish()
    }
}
