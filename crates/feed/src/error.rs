//! Why the log refuses.

use crypto::{PublicKey, SignatureError};
use merkle::{ProofError, RootsError};
use storage::File;

/// Why something can't be done with a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing is stored and nothing may be created.
    #[error("no feed is stored here")]
    NotFound,
    /// Another feed is stored.
    #[error("another feed is stored here, {stored}")]
    KeyMismatch {
        /// The key that is stored.
        stored: PublicKey,
        /// The key that was asked for.
        given: PublicKey,
    },
    /// A secret key doesn't belong to the public key.
    #[error("the secret key belongs to another feed")]
    KeyPairMismatch,
    /// The file `key` is lost, while others hold data. A new feed is never made over it.
    #[error("the file key is missing although there is data")]
    KeyFileMissing,
    /// A file doesn't hold what it must, according to the others.
    #[error("the file {file} is damaged: {what}")]
    Corrupt {
        /// The file.
        file: File,
        /// What is wrong with it.
        what: Damage,
    },
    /// What is stored is longer than the options allow.
    #[error("the feed stored here is longer than the {max} blocks allowed")]
    BeyondLimit {
        /// The longest length allowed.
        max: u64,
    },
    /// The secret key isn't here.
    #[error("the feed is not writable")]
    NotWritable,
    /// A peer has shown that this feed, which is written here, was longer once: blocks are lost here. Another block in the place of
    /// one of them would be a fork. Appending goes on once they have been fetched.
    #[error("{seen} blocks were signed once, and {mine} of them are here")]
    WriterBehind {
        /// How many blocks there were here.
        mine: u64,
        /// The longest length that the feed's own key is known to have signed.
        seen: u64,
    },
    /// The feed was opened only to be read.
    #[error("the feed was opened only to be read")]
    ReadOnly,
    /// The feed is static and finalized: with another block it would be another feed.
    #[error("a static feed that is finalized can't grow")]
    Finalized,
    /// The feed is static and not finalized, so it has no key by which others could check anything.
    #[error("the static feed is not finalized yet")]
    Unfinished,
    /// The feed is static, so nothing in it is signed.
    #[error("a static feed has no signatures")]
    NoSignatures,
    /// A block doesn't fit in a message with its proof.
    #[error("a block of {len} bytes, {max} are allowed")]
    BlockTooLarge {
        /// Its size.
        len: usize,
        /// The largest size allowed.
        max: usize,
    },
    /// The feed would become longer than its limits allow.
    #[error(transparent)]
    TooLong(#[from] RootsError),
    /// There is no such block.
    #[error("no block {block}, the length is {length}")]
    OutOfRange {
        /// The block.
        block: u64,
        /// The length of the feed.
        length: u64,
    },
    /// The feed has fewer bytes.
    #[error("no byte {byte}, the feed has {byte_length}")]
    BeyondEnd {
        /// The byte.
        byte: u64,
        /// The length of the feed in bytes.
        byte_length: u64,
    },
    /// The block isn't stored.
    #[error("block {block} is not stored")]
    NotStored {
        /// The block.
        block: u64,
    },
    /// The hash of the block isn't stored, so there is nothing to prove it with.
    #[error("no proof for block {block}")]
    NoProof {
        /// The block.
        block: u64,
    },
    /// Not all of the roots that the feed had at a length are stored.
    #[error("the roots of length {length} are not stored")]
    MissingRoots {
        /// The length.
        length: u64,
    },
    /// A signature that was made elsewhere isn't that of this feed.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// It ends too early.
    #[error("it is too short")]
    Short,
    /// Its header isn't one.
    #[error("its header is not one of a feed")]
    Header,
    /// A node that must be there is blank.
    #[error("a node is missing")]
    MissingNode,
    /// A node doesn't match those below it.
    #[error("a node doesn't match those below it")]
    WrongNode,
    /// Sizes add up to more than a feed can have.
    #[error("its sizes are too large")]
    Size,
    /// The signature of the length is missing.
    #[error("the signature of the last block is missing")]
    MissingSignature,
    /// The signature of the length is not the author's.
    #[error("the signature of the last block doesn't fit the tree and the key")]
    WrongSignature,
    /// A block doesn't match its hash.
    #[error("a block doesn't match its hash")]
    WrongBlock,
    /// The key isn't one.
    #[error("the key is none")]
    WrongKey,
}

impl Error {
    /// Whether a file is lost or damaged, so that no other call will do better.
    pub fn is_damage(&self) -> bool {
        matches!(self, Error::Corrupt { .. } | Error::KeyFileMissing)
    }

    pub(crate) const fn corrupt(file: File, what: Damage) -> Self {
        Error::Corrupt { file, what }
    }
}

/// Why something that a peer sent isn't stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// It isn't true: the peer's fault.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// It contradicts something verified that arrived with it: the peer's or the author's fault.
    #[error("block {block} contradicts another one that came with it")]
    Conflict {
        /// The block.
        block: u64,
    },
    /// Its author signed it, but nothing shows that it is of the same history as what is stored here, see
    /// [`ForkPolicy::Strict`](crate::ForkPolicy::Strict). Nobody's fault: it may be stored once that is shown.
    #[error(
        "nothing shows that {stored} blocks known here and {signed} blocks signed there are one feed"
    )]
    Unproven {
        /// The length of the feed as far as it is known here.
        stored: u64,
        /// The length of the feed that it is about.
        signed: u64,
        /// A block whose proof would show it, from who has the longer of the two feeds.
        by: u64,
    },
    /// It can't be decided, because of what is stored here: nobody else's fault.
    #[error(transparent)]
    Local(Error),
}

impl From<SignatureError> for PutError {
    fn from(error: SignatureError) -> Self {
        PutError::Proof(error.into())
    }
}
