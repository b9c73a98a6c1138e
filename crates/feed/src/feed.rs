//! The log itself: what is known of it in memory, and the only way in which that changes.

use alloc::vec::Vec;
use core::fmt;

use bitfield::{Bitfield, Changes};
use core::ops::Range;
use crypto::{Dialect, DiscoveryKey, KeyPair, PublicKey};
use merkle::Roots;
use storage::Batch;

/// The log of one feed: its key, its roots, and which blocks and hashes are stored.
///
/// It does no I/O. What it wants to read and to write comes out of it as lists, in five beats:
///
/// ```
/// use bytes::Bytes;
/// use hypercore_feed::{OpenOptions, Opening, Step};
/// use storage::{FileSet, MemoryFiles};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let files = FileSet::open(Box::new(MemoryFiles::default()))?;
/// let mut step = Opening::new(OpenOptions { seed: [7; 32], ..OpenOptions::default() }).step(vec![])?;
/// let mut feed = loop {
///     step = match step {
///         Step::Read { opening, reads } => opening.step(files.read(&reads)?)?,
///         Step::Commit { opening, batch } => {
///             files.commit(&batch)?;
///             opening.step(vec![])?
///         }
///         Step::Done(feed) => break feed,
///     };
/// };
///
/// let plan = feed.plan_append(vec![Bytes::from("hello")])?; // pure
/// let commit = plan.sign(&feed)?;                           // pure
/// files.commit(commit.batch())?;                            // one trip, in crash order
/// feed.apply(commit);                                       // pure, cannot fail
///
/// let plan = feed.plan_get(0)?;
/// let place = plan.locate(&files.read(plan.reads())?)?;
/// let block = place.finish(files.read(&[place.read()])?.remove(0))?;
/// assert_eq!(block, "hello");
/// # Ok(()) }
/// ```
pub struct Feed {
    pub(crate) key: PublicKey,
    pub(crate) pair: Option<KeyPair>,
    pub(crate) dialect: Dialect,
    /// Whether there are signatures. A feed without blocks may turn out either way.
    pub(crate) live: bool,
    pub(crate) roots: Roots,
    pub(crate) bitfield: Bitfield,
    pub(crate) max_length: u64,
}

impl Feed {
    /// The public key.
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// The name under which peers look for it.
    pub fn discovery_key(&self) -> DiscoveryKey {
        self.key.discovery_key()
    }

    /// The key pair, if the feed is written here.
    pub fn key_pair(&self) -> Option<&KeyPair> {
        self.pair.as_ref()
    }

    /// The length in blocks.
    pub fn length(&self) -> u64 {
        self.roots.length()
    }

    /// The length in bytes.
    pub fn byte_length(&self) -> u64 {
        self.roots.byte_length()
    }

    /// The roots of the tree.
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Which blocks and hashes are stored.
    pub fn bitfield(&self) -> &Bitfield {
        &self.bitfield
    }

    /// Whether it can be appended to.
    pub fn is_writable(&self) -> bool {
        self.pair.is_some() && self.live
    }

    /// Whether it has signatures. A static feed has none: its key is its tree hash.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// The form of new signatures.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Makes known what was committed, and tells what has happened. The commit must have been planned on what the feed is
    /// now: between a plan and its `apply` nothing else may be applied.
    pub fn apply(&mut self, commit: Commit) -> Vec<Event> {
        self.roots = commit.roots;
        self.live = commit.live;
        self.bitfield.apply(commit.changes);
        commit.events
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("length", &self.length())
            .field("writable", &self.is_writable())
            .field("bitfield", &self.bitfield)
            .finish_non_exhaustive()
    }
}

/// Verified changes: what is to be written, and what is then to be made known.
#[derive(Debug)]
#[must_use = "a commit changes nothing until it is written and applied"]
pub struct Commit {
    pub(crate) batch: Batch,
    pub(crate) changes: Changes,
    pub(crate) roots: Roots,
    pub(crate) live: bool,
    pub(crate) events: Vec<Event>,
}

impl Commit {
    /// What is to be written, in the order in which it may reach the disk.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }
}

/// Something that has happened to a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Blocks were appended here.
    Append {
        /// The new length.
        length: u64,
        /// The new blocks.
        blocks: Range<u64>,
    },
    /// A peer proved that the feed is longer.
    Grown {
        /// The new length.
        length: u64,
    },
    /// A block from a peer is stored.
    Download {
        /// The block.
        block: u64,
        /// Its size.
        len: usize,
    },
}
