//! The handle of a feed.

use std::{fmt, ops::Range, sync::Arc};

use bytes::Bytes;
use crypto::{Dialect, DiscoveryKey, Hash, PublicKey};
use noise::Role;

use crate::{
    Builder, Events, Replicate, Result, Storage,
    core::{Core, PeerInfo},
    read::read_local,
};

/// A feed: an append-only log of blocks that anyone who knows its key can fetch from anyone, and verify.
///
/// The handle is cheap to clone and every method takes `&self`; all handles see the same feed.
///
/// ```
/// # async_std::task::block_on(async {
/// use hypercore::{Hypercore, Storage};
///
/// let feed = Hypercore::open(Storage::memory()).await?;
/// feed.append("hello").await?;
/// feed.append_batch(["big", "world"]).await?;
///
/// assert_eq!(feed.len(), 3);
/// assert_eq!(feed.get(1).await?, "big");
/// # Ok::<_, hypercore::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Hypercore {
    core: Arc<Core>,
}

impl Hypercore {
    /// Opens the feed that is stored at a place, or creates one there.
    ///
    /// # Errors
    /// As [`Builder::open`].
    pub async fn open(storage: impl Into<Storage>) -> Result<Self> {
        Self::builder(storage).open().await
    }

    /// Opens a feed with options.
    pub fn builder(storage: impl Into<Storage>) -> Builder {
        Builder::new(storage.into())
    }

    pub(crate) fn from_core(core: Arc<Core>) -> Self {
        Hypercore { core }
    }

    /// Appends one block and returns its number.
    ///
    /// When it returns, the block, its hashes and the signature are with the operating system: they survive the end of
    /// this process, but not yet a loss of power.
    ///
    /// # Errors
    /// [`Error::Feed`](crate::Error::Feed) if the feed isn't writable or the block is larger than 8 MiB - 16 KiB (what fits in a message);
    /// [`Error::Disk`](crate::Error::Disk) if writing fails: nothing is appended, and the feed must be opened again before it can grow.
    ///
    /// # Cancellation
    /// A call that is dropped has either appended or not; the feed is whole in both cases.
    pub async fn append(&self, block: impl Into<Bytes>) -> Result<u64> {
        Ok(self.append_batch([block]).await?.start)
    }

    /// Appends blocks with one signature and one write a file, and returns their numbers.
    ///
    /// # Errors
    /// As [`append`](Self::append); either all blocks are appended or none.
    ///
    /// # Cancellation
    /// As [`append`](Self::append).
    pub async fn append_batch<B: Into<Bytes>>(
        &self,
        blocks: impl IntoIterator<Item = B>,
    ) -> Result<Range<u64>> {
        let blocks: Vec<Bytes> = blocks.into_iter().map(Into::into).collect();
        let _writer = self.core.writer().await?;
        let commit = self.core.read(|feed| {
            let plan = feed.plan_append(blocks)?;
            let range = plan.range();
            plan.sign(feed).map(|commit| (commit, range))
        });
        let (commit, range) = commit?;
        self.core.files().commit(commit.batch())?;
        self.core.apply(commit, |replicator, now, view| {
            replicator.handle_appended(now, range.clone(), view);
        });
        Ok(range)
    }

    /// A block: from the files if it is stored here, else from the first peer that has it. Waits for as long as that
    /// takes, also for blocks that are still to be appended.
    ///
    /// What is returned matches the signed tree.
    ///
    /// # Errors
    /// [`Error::Feed`](crate::Error::Feed) if the stored bytes don't match their hash, [`Error::Disk`](crate::Error::Disk) if reading fails, [`Error::Closed`](crate::Error::Closed)
    /// if the feed is closed meanwhile.
    ///
    /// # Cancellation
    /// Dropping the future withdraws the request.
    pub async fn get(&self, block: u64) -> Result<Bytes> {
        loop {
            self.core.check_open()?;
            if let Some(bytes) = read_local(&self.core, block)? {
                return Ok(bytes);
            }
            self.core.wish(block).granted().await?;
        }
    }

    /// How many blocks the feed has, as far as is known and proved here.
    pub fn len(&self) -> u64 {
        self.core.read(|feed| feed.length())
    }

    /// Whether the feed has no blocks.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sizes of all blocks together, in bytes.
    pub fn byte_len(&self) -> u64 {
        self.core.read(|feed| feed.byte_length())
    }

    /// The hash over the roots of the tree: what the writer signs. The same on all copies of the same length.
    pub fn tree_hash(&self) -> Hash {
        self.core.read(|feed| feed.roots().tree_hash())
    }

    /// The public key: who knows it can read the feed, and verify it.
    pub fn key(&self) -> PublicKey {
        self.core.key()
    }

    /// The name under which peers look for the feed without giving away its key.
    pub fn discovery_key(&self) -> DiscoveryKey {
        self.core.discovery_key()
    }

    /// The form of new signatures and the handshake of connections.
    pub fn dialect(&self) -> Dialect {
        self.core.dialect()
    }

    /// Whether the secret key is here.
    pub fn is_writable(&self) -> bool {
        self.core.is_writable()
    }

    /// Whether a block is stored here.
    pub fn has(&self, block: u64) -> bool {
        self.core.read(|feed| feed.bitfield().has_block(block))
    }

    /// How many blocks of a range are stored here.
    pub fn downloaded(&self, blocks: Range<u64>) -> u64 {
        self.core.read(|feed| feed.bitfield().count_blocks(blocks))
    }

    /// The largest length that a connected peer claims, in blocks.
    pub fn remote_len(&self) -> u64 {
        self.core.remote_len()
    }

    /// The peers that have this feed open, now.
    pub fn peers(&self) -> Vec<PeerInfo> {
        self.core.peers()
    }

    /// What happens from now on.
    pub fn events(&self) -> Events {
        self.core.events()
    }

    /// Exchanges the feed with a peer over a stream of bytes. The side that connects is the initiator.
    ///
    /// Nothing happens until the result is awaited, which drives the connection to its end: without
    /// [`live`](Replicate::live) when both sides have what they want, with it when one of them hangs up.
    ///
    /// # Errors
    /// The future fails with [`Error::Peer`](crate::Error::Peer) if the peer breaks the protocol or sends what doesn't verify,
    /// [`Error::Connection`](crate::Error::Connection) if the socket fails, [`Error::Closed`](crate::Error::Closed) if the feed is closed. The feed and its other
    /// connections go on.
    pub fn replicate<S>(&self, role: Role, socket: S) -> Replicate<S> {
        Replicate::new(Arc::clone(&self.core), role, socket)
    }

    /// Closes the feed for all handles: waits that are under way end with [`Error::Closed`](crate::Error::Closed), connections end, and the
    /// files are synced. Closing again does nothing.
    ///
    /// # Errors
    /// [`Error::Disk`](crate::Error::Disk) if the last sync fails.
    pub async fn close(&self) -> Result<()> {
        self.core.close().await
    }
}

impl fmt::Debug for Hypercore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hypercore")
            .field("discovery_key", &self.discovery_key())
            .field("len", &self.len())
            .field("writable", &self.is_writable())
            .finish_non_exhaustive()
    }
}
