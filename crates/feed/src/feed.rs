//! The log itself: what is known of it in memory, and the only way in which that changes.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use bitfield::{Bitfield, Changes};
use bytes::Bytes;
use core::ops::Range;
use crypto::{Dialect, DiscoveryKey, KeyPair, PublicKey};
use flat_tree::Index;
use merkle::{Fork, Node, Pair, Roots, is_linked, proving_blocks};
use storage::{Batch, File};

use crate::{
    Error, ForkPolicy, Recovery,
    behind::Behind,
    hints::Hints,
    layout::node_offset,
    notes::Notes,
    places::{Place, Places},
};

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
    pub(crate) kind: Kind,
    pub(crate) roots: Roots,
    pub(crate) bitfield: Bitfield,
    pub(crate) hints: Hints,
    pub(crate) places: Places,
    pub(crate) forks: Vec<Fork>,
    pub(crate) max_length: u64,
    pub(crate) fork_policy: ForkPolicy,
    pub(crate) external: bool,
    pub(crate) read_only: bool,
    /// Whether whoever commits waits at barriers, or keeps bits back until a sync.
    pub(crate) ordered: bool,
    /// What is noted in the header of the bitfield.
    pub(crate) notes: Notes,
    pub(crate) recovery: Option<Box<Recovery>>,
    pub(crate) behind: Behind,
}

/// What vouches for the blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Signatures. A copy without blocks counts as such, and may turn out to be static.
    Live,
    /// The key, which is the tree hash.
    Static,
    /// Nothing yet: a static feed that is being written.
    Unfinished,
}

impl Feed {
    /// The public key. That of a static feed which isn't finalized changes with every append: it is what the key would be
    /// if the feed ended here.
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

    /// Whether the hash of a block is known: stored, or said in an answer without the block, which leaves the size of a block
    /// open and is remembered only for a while. Asking for the hash of such a block brings nothing new.
    pub fn knows_hash(&self, block: u64) -> bool {
        let leaf = Index::from_block(block);
        self.bitfield.has_node(leaf) || self.hints.below(leaf.parent()).is_some()
    }

    /// The blocks behind the end that can be taken from a peer, or their hashes, as things are: those that show that the longer
    /// feed begins with this one, or all of them if that needn't be shown.
    pub fn proving_blocks(&self) -> Range<u64> {
        match self.fork_policy {
            ForkPolicy::Strict => proving_blocks(self.length()),
            ForkPolicy::Compat => self.length()..u64::MAX,
        }
    }

    /// Whether a block below the end can be taken from a peer that has a feed of `length` blocks: whether its proof leads to
    /// something that is stored, or needn't.
    pub fn is_linked(&self, block: u64, length: u64) -> bool {
        self.fork_policy == ForkPolicy::Compat || is_linked(&self.bitfield, block, length)
    }

    /// Whether it can be appended to.
    pub fn is_writable(&self) -> bool {
        match self.kind {
            Kind::Live => self.pair.is_some(),
            Kind::Static => false,
            Kind::Unfinished => !self.read_only,
        }
    }

    /// Whether it has signatures. A static feed has none: its key is its tree hash.
    pub fn is_live(&self) -> bool {
        self.kind == Kind::Live
    }

    /// Whether its key stays as it is. Only a static feed that isn't finalized has yet to get one.
    pub fn is_finalized(&self) -> bool {
        self.kind != Kind::Unfinished
    }

    /// Whether it was opened only to be read.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// The form of new signatures.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What opening had to repair, if anything.
    pub fn recovery(&self) -> Option<&Recovery> {
        self.recovery.as_deref()
    }

    /// Makes the commit that is to be the last before the feed is closed, if one is needed: the files are then as JavaScript
    /// writes them, and the next opening knows that nothing broke off.
    pub fn commit_close(&self) -> Option<Commit> {
        if self.notes == Notes::default() {
            return None;
        }
        let mut batch = Batch::new();
        batch.barrier();
        self.note(&mut batch, &Notes::default());
        batch.barrier();
        Some(Commit {
            batch,
            changes: self.bitfield.draft().finish(),
            roots: self.roots.clone(),
            kind: self.kind,
            learnt: Box::default(),
            notes: Notes::default(),
            events: Vec::new(),
        })
    }

    /// Makes known what was committed, and tells what has happened. The commit must have been planned on what the feed is
    /// now: between a plan and its `apply` nothing else may be applied.
    pub fn apply(&mut self, commit: Commit) -> Vec<Event> {
        if commit.kind == Kind::Unfinished {
            self.key = static_key(&commit.roots);
        }
        for event in &commit.events {
            match event {
                // Only what peers bring makes a feed grow with that event.
                Event::Grown { length } => {
                    self.meet(self.length(), *length);
                    if self.fork_policy == ForkPolicy::Compat {
                        // It may be of another history.
                        self.places.forget();
                    }
                }
                // What has come once may be cleared again.
                Event::Clear { .. } => self.catch_up(),
                _ => {}
            }
        }
        self.roots = commit.roots;
        self.kind = commit.kind;
        self.notes = commit.notes;
        self.bitfield.apply(commit.changes);
        let Learnt { pairs, places, .. } = *commit.learnt;
        pairs.into_iter().for_each(|pair| self.hints.add(pair));
        self.places
            .note(places, |block| self.bitfield.has_block(block));
        commit.events
    }

    /// Begins a batch: if bits are to come behind a sync from now on, that is noted first. The notes as they are then.
    pub(crate) fn begin(&self, batch: &mut Batch) -> Notes {
        let notes = Notes {
            ordered: self.ordered,
            clearing: None,
        };
        if notes != self.notes {
            self.note(batch, &notes);
            batch.barrier();
        }
        notes
    }

    /// Writes notes into the header of the bitfield.
    pub(crate) fn note(&self, batch: &mut Batch, notes: &Notes) {
        let header = notes.header(self.bitfield.page_size());
        batch.write(File::Bitfield, 0, Bytes::copy_from_slice(&header));
    }

    pub(crate) fn check_block(&self, block: u64) -> Result<(), Error> {
        let length = self.length();
        match block < length {
            true => Ok(()),
            false => Err(Error::OutOfRange { block, length }),
        }
    }

    /// Whether anything may be changed at all.
    pub(crate) fn check_changes(&self) -> Result<(), Error> {
        match self.read_only {
            true => Err(Error::ReadOnly),
            false => Ok(()),
        }
    }
}

/// The key of a static feed with these roots.
pub(crate) fn static_key(roots: &Roots) -> PublicKey {
    PublicKey::new(roots.tree_hash().to_bytes())
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
    pub(crate) kind: Kind,
    pub(crate) learnt: Box<Learnt>,
    pub(crate) notes: Notes,
    pub(crate) events: Vec<Event>,
}

/// What is to be remembered, and not written.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    pub(crate) pairs: Vec<Pair>,
    pub(crate) places: Vec<Place>,
    pub(crate) nodes: Vec<Node>,
}

impl Commit {
    /// What is to be written, in the order in which it may reach the disk.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// The nodes that peers sent and that proofs of other blocks may end at, as they are written to the tree: for a cache, since they are
    /// wanted soon. Leaves of blocks that came themselves aren't.
    pub fn nodes(&self) -> impl Iterator<Item = (u64, [u8; Node::LEN])> {
        let nodes = self.learnt.nodes.iter();
        nodes.map(|node| (node_offset(node.index), node.to_bytes()))
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
    /// Blocks are no longer stored.
    Clear {
        /// The blocks; some of them may not have been stored before.
        blocks: Range<u64>,
    },
    /// A static feed is complete and has got its key.
    Finalized {
        /// The key.
        key: PublicKey,
    },
}
