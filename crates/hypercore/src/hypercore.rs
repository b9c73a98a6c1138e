//! The handle of a feed.

use std::{
    fmt,
    ops::{Bound, Range, RangeBounds},
    sync::Arc,
};

use bytes::Bytes;
use crypto::{Dialect, DiscoveryKey, Hash, PublicKey};
use noise::Role;

use crate::{
    Binary, Builder, ByteWriter, Encode, Encoding, Error, Events, Get, GetRange, Head, ReadStream,
    Replicate, Result, Stats, Storage, WriteSink, append::append, core::Core,
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
///
/// `E` says how values become blocks; see [`typed`](Hypercore::typed).
#[derive(Clone)]
pub struct Hypercore<E = Binary> {
    core: Arc<Core>,
    encoding: E,
    stats: bool,
}

impl Hypercore {
    /// Opens the feed that is stored at a place, or creates one there.
    ///
    /// # Errors
    /// As [`Builder::open`].
    ///
    /// # Cancellation
    /// As [`Builder::open`].
    pub async fn open(storage: impl Into<Storage>) -> Result<Self> {
        Self::builder(storage).open().await
    }

    /// Opens a feed with options.
    pub fn builder(storage: impl Into<Storage>) -> Builder {
        Builder::new(storage.into())
    }

    pub(crate) fn from_core(core: Arc<Core>, stats: bool) -> Self {
        Hypercore {
            core,
            stats,
            encoding: Binary,
        }
    }
}

impl<E: Encoding> Hypercore<E> {
    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// The same feed with another encoding, named by its type.
    ///
    /// ```
    /// # async_std::task::block_on(async {
    /// use hypercore::{Hypercore, Storage, Utf8};
    ///
    /// let feed = Hypercore::open(Storage::memory()).await?.typed::<Utf8>();
    /// feed.append("text").await?;
    /// let text: String = feed.get(0).await?;
    /// # assert_eq!(text, "text");
    /// # Ok::<_, hypercore::Error>(()) }).unwrap();
    /// ```
    pub fn typed<F: Encoding + Default>(&self) -> Hypercore<F> {
        self.with_encoding(F::default())
    }

    /// The same feed with another encoding.
    pub fn with_encoding<F: Encoding>(&self, encoding: F) -> Hypercore<F> {
        Hypercore {
            core: Arc::clone(&self.core),
            encoding,
            stats: self.stats,
        }
    }

    /// Appends one block and returns its number.
    ///
    /// When it returns, the block, its hashes and the signature are with the operating system: they survive the end of this
    /// process, however it comes. Whether they survive a power cut is up to [`Builder::durability`](crate::Builder::durability):
    /// with [`Always`](crate::Durability::Always) they do; with [`Timely`](crate::Durability::Timely), the default, they do after at
    /// most a second, or [`sync`](Self::sync), or at once while a peer is connected, and no peer holds what a power cut can
    /// take back; with [`None`](crate::Durability::None) only after a `sync`.
    ///
    /// Calls that come while another one is being written are appended together, in the order in which they came, with one
    /// signature.
    ///
    /// # Errors
    /// [`Error::Encode`] if the value can't be encoded; [`Error::Feed`] if the feed isn't writable, if the block is larger
    /// than 8 MiB - 16 KiB (what fits in a message), or if a peer has shown that blocks are lost here
    /// ([`FeedError::WriterBehind`](crate::FeedError::WriterBehind)); [`Error::Refused`] and [`Error::Signer`] if a hook says so;
    /// [`Error::Disk`] if writing fails: nothing is appended, what was there stays readable, and appending goes on as soon as
    /// the disk does. Only after a failed sync the feed has to be opened again before it can grow.
    ///
    /// # Cancellation
    /// A call that is dropped has either appended or not; the feed is whole in both cases.
    pub async fn append<T>(&self, value: T) -> Result<u64>
    where
        E: Encode<T>,
    {
        Ok(self.append_batch([value]).await?.start)
    }

    /// Appends blocks with one signature and one write a file, and returns their numbers.
    ///
    /// # Errors
    /// As [`append`](Self::append); either all blocks are appended or none.
    ///
    /// # Cancellation
    /// As [`append`](Self::append).
    pub async fn append_batch<T>(&self, values: impl IntoIterator<Item = T>) -> Result<Range<u64>>
    where
        E: Encode<T>,
    {
        let blocks = values.into_iter().map(|value| self.encoding.encode(value));
        let blocks = blocks.collect::<Result<Vec<Bytes>, _>>();
        let blocks = blocks.map_err(|reason| Error::Encode(reason.into()))?;
        append(&self.core, blocks).await
    }

    /// Completes when all appends that were called before it have: it appends nothing, behind them.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Feed`] if the feed isn't writable.
    ///
    /// # Cancellation
    /// A call that is dropped leaves no trace; the appends before it go on.
    pub async fn flush(&self) -> Result<()> {
        append(&self.core, Vec::new()).await.map(drop)
    }

    /// A sink that appends what is sent into it.
    pub fn write<T>(&self) -> WriteSink<E, T>
    where
        E: Encode<T>,
    {
        WriteSink::new(Arc::clone(&self.core), self.encoding.clone())
    }

    /// A byte stream that is cut into blocks of a size and appended. The size is held between 1 byte and the largest block.
    pub fn byte_writer(&self, block: usize) -> ByteWriter {
        ByteWriter::new(Arc::clone(&self.core), block)
    }

    /// A block: from the files if it is stored here, else from the first peer that has it. Waits for as long as that
    /// takes, also for blocks that are still to be appended; what is returned can be told otherwise before it is awaited.
    ///
    /// What is read matches the signed tree.
    ///
    /// # Errors
    /// The future fails with [`Error::Feed`] if the stored bytes don't match their hash, [`Error::Decode`] if the
    /// encoding doesn't like them, [`Error::Disk`] if reading fails, [`Error::Closed`] if the feed is closed meanwhile.
    ///
    /// # Cancellation
    /// Dropping the future withdraws the request.
    pub fn get(&self, block: u64) -> Get<E> {
        Get::new(Arc::clone(&self.core), self.encoding.clone(), block)
    }

    /// The blocks of a range, all of them. An empty range gives nothing, at once.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_range(&self, blocks: Range<u64>) -> GetRange<E> {
        GetRange::new(Arc::clone(&self.core), self.encoding.clone(), blocks)
    }

    /// The last block, as far as the length is known here when it is awaited; with [`update`](Head::update) the last that peers
    /// have.
    ///
    /// # Errors
    /// As [`get`](Self::get), [`Error::Empty`], and [`Error::NoUpdate`] if it was to be a longer feed.
    pub fn head(&self) -> Head<E> {
        Head::new(Arc::clone(&self.core), self.encoding.clone())
    }

    /// The blocks of a range, one after the other.
    pub fn read(&self, blocks: impl RangeBounds<u64>) -> ReadStream<E> {
        ReadStream::new(Arc::clone(&self.core), self.encoding.clone(), blocks)
    }

    /// How many blocks the feed has, as far as is known and proved here.
    pub fn len(&self) -> u64 {
        self.core.length()
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

    /// Whether it can be appended to: its secret key or its signer is here, or it is static and not finalized. False once it
    /// is closed.
    pub fn is_writable(&self) -> bool {
        self.core.is_writable()
    }

    /// Whether it is static: without signatures, its key being the hash of what it holds.
    pub fn is_static(&self) -> bool {
        !self.core.read(|feed| feed.is_live())
    }

    /// The public half of the key pair by which this feed's connections are known to their remotes.
    pub fn noise_public_key(&self) -> [u8; 32] {
        self.core.noise().public()
    }

    /// Whether it can be read: false once it is closed.
    pub fn is_readable(&self) -> bool {
        self.core.check_open().is_ok()
    }

    /// Whether a block is stored here.
    pub fn has(&self, block: u64) -> bool {
        self.core.has(block)
    }

    /// Whether all blocks of a range are stored here. True for an empty range.
    pub fn has_range(&self, blocks: Range<u64>) -> bool {
        self.core.read(|feed| feed.bitfield().has_blocks(blocks))
    }

    /// How many blocks of a range are stored here.
    pub fn downloaded(&self, blocks: impl RangeBounds<u64>) -> u64 {
        let blocks = bounded(&blocks, u64::MAX);
        self.core.read(|feed| feed.bitfield().count_blocks(blocks))
    }

    /// The blocks of a range that aren't stored here, as runs. An open end is the length of the feed.
    pub fn missing(&self, blocks: impl RangeBounds<u64>) -> Vec<Range<u64>> {
        self.core.read(|feed| {
            let blocks = bounded(&blocks, feed.length());
            let mut gaps = Vec::new();
            let mut next = blocks.start;
            for run in feed.bitfield().block_runs(blocks.clone()) {
                gaps.push(next..run.start);
                next = run.end;
            }
            gaps.push(next..blocks.end);
            gaps.retain(|gap| !gap.is_empty());
            gaps
        })
    }

    /// The largest length that a connected peer claims, in blocks.
    pub fn remote_len(&self) -> u64 {
        self.core.remote_len()
    }

    /// Starts or stops fetching blocks; all peers are told. Requests under way go on.
    pub fn set_downloading(&self, yes: bool) {
        self.core
            .replicate(|replicator, now, view| replicator.set_downloading(now, yes, view));
    }

    /// Starts or stops answering requests; all peers are told, and ask elsewhere.
    pub fn set_uploading(&self, yes: bool) {
        self.core
            .replicate(|replicator, now, view| replicator.set_uploading(now, yes, view));
    }

    /// How much was exchanged with peers since the feed was opened; none if that was turned off.
    pub fn stats(&self) -> Option<Stats> {
        self.stats.then(|| self.core.stats())
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

    /// Closes the feed for all handles: waits that are under way end with [`Error::Closed`](crate::Error::Closed), connections end, and
    /// what was written is synced. With [`Durability::None`](crate::Durability::None) it isn't: call [`sync`](Self::sync) before, where
    /// it matters. Closing again only waits until that is done. It doesn't wait for the connections, which say what they were
    /// saying and hear the remote out, for two seconds at most.
    ///
    /// # Errors
    /// [`Error::Disk`](crate::Error::Disk) if the last sync fails.
    ///
    /// # Cancellation
    /// A call that is dropped has closed the feed for everybody, but the files only if it got that far. Close again to be sure:
    /// that waits for what is under way.
    pub async fn close(&self) -> Result<()> {
        self.core.close().await
    }
}

/// A range with its bounds filled in.
pub(crate) fn bounded(blocks: &impl RangeBounds<u64>, end: u64) -> Range<u64> {
    let start = match blocks.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match blocks.end_bound() {
        Bound::Included(&last) => last.saturating_add(1),
        Bound::Excluded(&end) => end,
        Bound::Unbounded => end,
    };
    start..end.max(start)
}

impl<E: Encoding> fmt::Debug for Hypercore<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hypercore")
            .field("discovery_key", &self.discovery_key())
            .field("len", &self.len())
            .field("writable", &self.is_writable())
            .finish_non_exhaustive()
    }
}
