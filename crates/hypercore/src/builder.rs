//! How a feed is opened.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use crypto::{Dialect, PublicKey, SecretKey};
use feed::{ForkPolicy, OpenOptions, Opening, Step};
use noise::KeyPair;
use storage::{Barriers, FileSet, OpenContext};

use crate::{
    BoxError, CacheConfig, Durability, Error, Hypercore, PeerLimits, Result, Signer, Source,
    Storage, Verifier,
    core::{Core, Settings},
    durability::SyncAfter,
    hooks::Hooks,
    runtime::{Runtime, default_runtime, random},
};

/// The options of a feed that is about to be opened.
///
/// ```
/// # async_std::task::block_on(async {
/// use hypercore::{Hypercore, Storage};
///
/// let writer = Hypercore::builder(Storage::memory()).open().await?;
/// let reader = Hypercore::builder(Storage::memory()).key(writer.key()).open().await?;
/// assert!(writer.is_writable() && !reader.is_writable());
/// # Ok::<_, hypercore::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until it is opened"]
pub struct Builder {
    storage: Storage,
    key: Option<PublicKey>,
    secret_key: Option<SecretKey>,
    create_if_missing: bool,
    overwrite: bool,
    store_secret_key: bool,
    force: bool,
    static_feed: bool,
    writable: bool,
    read_only: bool,
    indexing: bool,
    accept_loss: bool,
    rebuild: bool,
    dialect: Dialect,
    fork_policy: ForkPolicy,
    noise_key_pair: Option<KeyPair>,
    runtime: Option<Arc<dyn Runtime>>,
    hooks: Hooks,
    stats: bool,
    settings: Settings,
}

impl Builder {
    pub(crate) fn new(storage: Storage) -> Self {
        Builder {
            storage,
            key: None,
            secret_key: None,
            create_if_missing: true,
            overwrite: false,
            store_secret_key: true,
            force: false,
            static_feed: false,
            writable: false,
            read_only: false,
            indexing: false,
            accept_loss: false,
            rebuild: false,
            dialect: Dialect::default(),
            fork_policy: ForkPolicy::default(),
            noise_key_pair: None,
            runtime: default_runtime(),
            hooks: Hooks::default(),
            stats: true,
            settings: Settings::default(),
        }
    }

    /// The feed's public key: to clone it from peers, or to make sure that it is the one stored.
    pub fn key(mut self, key: PublicKey) -> Self {
        self.key = Some(key);
        self
    }

    /// The feed's secret key, which makes it writable. Its public key is derived.
    pub fn secret_key(mut self, key: SecretKey) -> Self {
        self.secret_key = Some(key);
        self
    }

    /// Whether to make a feed where none is stored. Default: yes.
    pub fn create_if_missing(mut self, yes: bool) -> Self {
        self.create_if_missing = yes;
        self
    }

    /// Whether to forget what is stored and begin anew. Default: no.
    pub fn overwrite(mut self, yes: bool) -> Self {
        self.overwrite = yes;
        self
    }

    /// Whether to forget what is stored if that is another feed than the one whose key is given. Default: no, opening fails
    /// then.
    pub fn force(mut self, yes: bool) -> Self {
        self.force = yes;
        self
    }

    /// Whether a new feed is static: without a key pair and without signatures, its key being the hash of what it holds.
    /// Append to it, then [`finalize`](Hypercore::finalize) it. Until then it is opened again with the same option.
    /// Default: no.
    ///
    /// ```
    /// # async_std::task::block_on(async {
    /// use hypercore::{Hypercore, Storage};
    ///
    /// let feed = Hypercore::builder(Storage::memory()).static_feed(true).open().await?;
    /// feed.append("never to change").await?;
    /// let key = feed.finalize().await?;
    /// assert_eq!(key.as_bytes(), feed.tree_hash().as_bytes());
    /// assert!(feed.append("again").await.is_err());
    /// # Ok::<_, hypercore::Error>(()) }).unwrap();
    /// ```
    pub fn static_feed(mut self, yes: bool) -> Self {
        self.static_feed = yes;
        self
    }

    /// Whether opening fails if the feed can't be appended to. Default: no.
    pub fn writable(mut self, yes: bool) -> Self {
        self.writable = yes;
        self
    }

    /// Whether to write nothing, neither now nor later. A feed in a directory that can't be written to is opened so.
    /// Default: no.
    pub fn read_only(mut self, yes: bool) -> Self {
        self.read_only = yes;
        self
    }

    /// Whether the bytes of the blocks are somebody else's business: appending doesn't write them to the file `data`,
    /// which must hold them already, and clearing doesn't delete them there. Default: no.
    pub fn indexing(mut self, yes: bool) -> Self {
        self.indexing = yes;
        self
    }

    /// Whether to write the secret key of a new feed to its storage. Default: yes.
    pub fn store_secret_key(mut self, yes: bool) -> Self {
        self.store_secret_key = yes;
        self
    }

    /// Whether to fetch only what is asked for. Default: no, everything that peers have is fetched.
    pub fn sparse(mut self, yes: bool) -> Self {
        self.settings.sparse = yes;
        self
    }

    /// The form of new signatures, and the handshake that connections of this feed speak unless told otherwise.
    /// Default: 8, whose signatures JavaScript 8 and 9 both accept. Signatures of both forms are always read.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// What is believed of a feed whose author may have signed two histories. Default: [`ForkPolicy::Strict`], a copy never has
    /// blocks of both.
    pub fn fork_policy(mut self, policy: ForkPolicy) -> Self {
        self.fork_policy = policy;
        self
    }

    /// The key pair by which this side is known to its peers. Default: a new one for every feed that is opened.
    pub fn noise_key_pair(mut self, pair: KeyPair) -> Self {
        self.noise_key_pair = Some(pair);
        self
    }

    /// Whether a sparse feed follows its length: whenever a peer has a longer one, the proof of it is fetched, and no block.
    /// Default: no. A feed that isn't sparse does so anyway.
    pub fn eager_update(mut self, yes: bool) -> Self {
        self.settings.eager_update = yes;
        self
    }

    /// Whether reads, seeks and updates wait only as long as some peer has what they want, unless they are told otherwise.
    /// Default: no, they wait until it comes.
    pub fn if_available(mut self, yes: bool) -> Self {
        self.settings.if_available = yes;
        self
    }

    /// What an acknowledged append survives. Default: [`Durability::Timely`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.settings.durability = durability;
        self
    }

    /// How long, and for how many bytes, a feed of [`Durability::Timely`] puts off a sync at most. Default: 1 s, 16 MiB.
    pub fn sync_after(mut self, time: Duration, bytes: u64) -> Self {
        self.settings.sync_after = SyncAfter { time, bytes };
        self
    }

    /// Whether a feed that is written here may be opened for writing although its files can't prove any more all that was signed
    /// (see [`Hypercore::recovery`]). What can't be proved is given up then, and peers that have it will never agree with what is
    /// appended in its place. Default: no, opening fails.
    pub fn accept_loss(mut self, yes: bool) -> Self {
        self.accept_loss = yes;
        self
    }

    /// Whether opening makes the whole bitfield anew from tree, signatures and data, which reads everything. Blocks that don't
    /// match their hashes are forgotten. Default: no, only what can't be right is made anew.
    pub fn rebuild(mut self, yes: bool) -> Self {
        self.rebuild = yes;
        self
    }

    /// Whether to fetch blocks from peers. Default: yes, unless the feed is written here and nothing of it seems to be lost. With
    /// yes a writer that was put back from a backup finds out from its peers that it was longer once, appends nothing until it has
    /// fetched the rest ([`FeedError::WriterBehind`](crate::FeedError::WriterBehind)), and then goes on behind it.
    pub fn downloading(mut self, yes: bool) -> Self {
        self.settings.downloading = Some(yes);
        self
    }

    /// Whether to answer requests of peers. Default: yes.
    pub fn uploading(mut self, yes: bool) -> Self {
        self.settings.uploading = yes;
        self
    }

    /// Whether to store blocks that peers send without having been asked, if they verify. Default: no, they are dropped, and
    /// the peer is told that they aren't here.
    pub fn allow_push(mut self, yes: bool) -> Self {
        self.settings.allow_push = yes;
        self
    }

    /// Whether [`Hypercore::stats`] tells how much was exchanged. Default: yes.
    pub fn stats(mut self, yes: bool) -> Self {
        self.stats = yes;
        self
    }

    /// How many nodes of the tree are kept in memory, which makes reading and serving faster.
    pub fn cache(mut self, cache: CacheConfig) -> Self {
        self.settings.cache = cache;
        self
    }

    /// How many requests to a peer may be unanswered at a time, at most 1024. It begins with 16 and grows up to this while
    /// answers come quickly; blocks that somebody waits for may be 16 more. Default: 256.
    pub fn max_requests(mut self, requests: usize) -> Self {
        self.settings.max_requests = requests;
        self
    }

    /// How long a request may stay unanswered before the block is asked for elsewhere. Default: 20 s; `None`: for ever.
    pub fn request_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.settings.request_timeout = timeout;
        self
    }

    /// What each peer of this feed can make us remember, send and bear. Whoever goes beyond loses the connection, or isn't
    /// listened to any further, as each of the limits says; the feed and its other peers notice nothing. What connections
    /// may cost is set by [`ConnectionLimits`](crate::ConnectionLimits) and [`GateLimits`](crate::GateLimits).
    ///
    /// ```
    /// # async_std::task::block_on(async {
    /// use hypercore::{Hypercore, PeerLimits, Storage};
    ///
    /// let limits = PeerLimits { requests: 1000, ..PeerLimits::default() };
    /// let feed = Hypercore::builder(Storage::memory()).peer_limits(limits).open().await?;
    /// # Ok::<_, hypercore::Error>(()) }).unwrap();
    /// ```
    pub fn peer_limits(mut self, limits: PeerLimits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Sees every block before it is written, as the bytes that will be stored: its number, the bytes, and where it comes
    /// from. An error refuses it, and nothing has changed then: the append fails with [`Error::Refused`], or the connection
    /// that brought it ends.
    ///
    /// While it decides nothing else is written, so it must not wait for an append to this feed.
    pub fn on_write<F, D>(mut self, hook: F) -> Self
    where
        F: Fn(u64, Bytes, Source) -> D + Send + Sync + 'static,
        D: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.hooks.on_write = Some(Arc::new(move |block, bytes, source| {
            Box::pin(hook(block, bytes, source))
        }));
        self
    }

    /// Signs in place of a secret key that is stored here. Makes the feed writable; its key must be known.
    pub fn signer(mut self, signer: impl Signer) -> Self {
        self.hooks.signer = Some(Arc::new(signer));
        self
    }

    /// Verifies the signatures that peers send, in place of Ed25519 with the feed's key.
    pub fn verifier(mut self, verifier: impl Verifier) -> Self {
        self.hooks.verifier = Some(Arc::new(verifier));
        self
    }

    /// The runtime that this feed takes its clock and timers from. Default: async-std.
    pub fn runtime(mut self, runtime: Arc<dyn Runtime>) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Opens the feed, or creates it.
    ///
    /// # Errors
    /// [`Error::Disk`] if the files can't be read or are locked by another handle, [`Error::Feed`] if nothing is stored
    /// and nothing may be created, if another key is stored, or if the files are damaged. A failed open leaves nothing
    /// behind.
    ///
    /// # Cancellation
    /// Opening does not wait: it is over with the first poll.
    pub async fn open(self) -> Result<Hypercore> {
        let runtime = self.runtime.ok_or(Error::NoRuntime)?;
        let noise = match self.noise_key_pair {
            Some(pair) => pair,
            None => KeyPair::from_secret(random(&*runtime)?),
        };
        let options = OpenOptions {
            key: self.key,
            secret_key: self.secret_key,
            create: self.create_if_missing,
            overwrite: self.overwrite,
            store_secret_key: self.store_secret_key,
            force: self.force,
            live: !self.static_feed,
            // A signer makes it writable without a secret key.
            writable: self.writable && self.hooks.signer.is_none(),
            read_only: self.read_only,
            external_data: self.indexing,
            ordered: self.settings.durability.is_ordered(),
            accept_loss: self.accept_loss,
            rebuild: self.rebuild,
            dialect: self.dialect,
            fork_policy: self.fork_policy,
            seed: random(&*runtime)?,
            ..OpenOptions::default()
        };
        let mut files = FileSet::open(self.storage.into_provider())?;
        let barriers = self.settings.durability.at_opening();
        let feed = open_feed(options, &mut files, barriers)?;
        let core = Core::new(feed, files, runtime, noise, self.hooks, self.settings)?;
        core.observer().opened(&core);
        Ok(Hypercore::from_core(Arc::new(core), self.stats))
    }
}

/// Plays the opening against the files, step by step.
fn open_feed(options: OpenOptions, files: &mut FileSet, barriers: Barriers) -> Result<feed::Feed> {
    let mut step = Opening::new(options).step(Vec::new())?;
    loop {
        step = match step {
            Step::Read { opening, reads } => {
                if let Some(key) = opening.key() {
                    files.set_context(OpenContext {
                        key: Some(key.to_bytes()),
                        discovery_key: Some(key.discovery_key().to_bytes()),
                    });
                }
                let replies = files.read(&reads)?;
                opening.step(replies)?
            }
            Step::Commit { opening, batch } => {
                files.commit_with(&batch, barriers)?;
                opening.step(Vec::new())?
            }
            Step::Done(feed) => return Ok(*feed),
        };
    }
}
