//! The six files of a feed, and what it means to read from one.

use core::fmt;

/// One of the six files of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum File {
    /// The public key, 32 bytes.
    Key,
    /// The secret key, 64 bytes; only where the feed can be appended to.
    SecretKey,
    /// The nodes of the Merkle tree.
    Tree,
    /// The blocks, back to back.
    Data,
    /// Which blocks and nodes are stored. The lock lies on this file.
    Bitfield,
    /// The signatures, one for each length at which an append ended.
    Signatures,
}

impl File {
    /// All files, in the order in which a [`Provider`](crate::Provider) is asked for them.
    pub const ALL: [File; 6] = [
        File::Key,
        File::SecretKey,
        File::Tree,
        File::Data,
        File::Bitfield,
        File::Signatures,
    ];

    /// The name of the file in a feed's directory.
    pub const fn name(self) -> &'static str {
        match self {
            File::Key => "key",
            File::SecretKey => "secret_key",
            File::Tree => "tree",
            File::Data => "data",
            File::Bitfield => "bitfield",
            File::Signatures => "signatures",
        }
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A piece of a file that is wanted.
///
/// The answer is shorter than `len` where the file ends, and empty where there is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Read {
    /// The file to read from.
    pub file: File,
    /// Where the piece begins, in bytes.
    pub offset: u64,
    /// How many bytes are wanted.
    pub len: usize,
}
