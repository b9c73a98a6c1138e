//! What all handles and connections of a feed share: its files, the log, and the replicator between its peers.
//!
//! Two locks. `state` is held for plans and for applying what was stored, never across an await or a read of a file that
//! isn't cached. `writer` is asynchronous and orders the commits: whoever holds it plans, writes and applies. Only
//! hooks and signers are awaited meanwhile, and never between writing and applying, so a caller that stops waiting leaves the
//! feed either as it was or with the commit done.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use crypto::{Dialect, DiscoveryKey, PublicKey};
use event_listener::{Event as Wake, EventListener};
use feed::{BlockRead, Commit, Feed};
use noise::KeyPair;
use replicate::{Config, Limits, PeerId, Replicator};
use storage::{FileSet, Read};

use crate::{
    Error, Event, Events, Result,
    append::Queue,
    behind::{leave_cleared, may_be_behind},
    broadcast::Broadcast,
    cache::{CacheConfig, NodeCache},
    discovery::Discovery,
    durability::{Durability, SyncAfter, Syncs, Writer},
    hooks::Hooks,
    observe::Observer,
    runtime::{Runtime, random},
    state::State,
    view::View,
};

/// What the builder passes on to the replicator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) sparse: bool,
    pub(crate) max_requests: usize,
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) limits: Limits,
    pub(crate) cache: CacheConfig,
    pub(crate) downloading: Option<bool>,
    pub(crate) uploading: bool,
    pub(crate) allow_push: bool,
    pub(crate) if_available: bool,
    pub(crate) eager_update: bool,
    pub(crate) durability: Durability,
    pub(crate) sync_after: SyncAfter,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            sparse: false,
            max_requests: Config::default().max_requests,
            request_timeout: Some(Duration::from_secs(20)),
            limits: Limits::default(),
            cache: CacheConfig::default(),
            downloading: None,
            uploading: true,
            allow_push: false,
            if_available: false,
            eager_update: false,
            durability: Durability::default(),
            sync_after: SyncAfter::default(),
        }
    }
}

pub(crate) struct Core {
    files: FileSet,
    nodes: NodeCache,
    runtime: Arc<dyn Runtime>,
    noise: KeyPair,
    dialect: Dialect,
    /// Whether it could be appended to when it was opened, so that it is no copy.
    writer_here: bool,
    hooks: Hooks,
    if_available: bool,
    discovery: Discovery,
    observer: Observer,
    appends: Queue,
    syncs: Syncs,
    writer: Arc<async_lock::Mutex<()>>,
    state: Mutex<State>,
    /// Notified when what peers have or are asked for may have changed.
    changed: Wake,
    events: Broadcast<Event>,
    closed: AtomicBool,
}

impl Core {
    pub(crate) fn new(
        feed: Feed,
        files: FileSet,
        runtime: Arc<dyn Runtime>,
        noise: KeyPair,
        hooks: Hooks,
        settings: Settings,
    ) -> Result<Self> {
        let writer_here = is_writable(&feed, &hooks);
        let behind = writer_here && may_be_behind(&feed);
        let config = Config {
            sparse: settings.sparse,
            downloading: settings.downloading.unwrap_or(!writer_here || behind),
            uploading: settings.uploading,
            allow_push: settings.allow_push,
            max_requests: settings.max_requests,
            request_timeout: settings.request_timeout,
            limits: settings.limits,
            seed: u64::from_le_bytes(random(&*runtime)?),
            ..Config::default()
        };
        let mut replicator = Replicator::new(config);
        if behind && settings.downloading.is_none() {
            leave_cleared(&feed, &mut replicator, runtime.now());
        }
        Ok(Core {
            files,
            nodes: NodeCache::new(settings.cache),
            runtime,
            noise,
            dialect: feed.dialect(),
            writer_here,
            hooks,
            if_available: settings.if_available,
            discovery: Discovery::default(),
            observer: Observer::default(),
            appends: Queue::default(),
            syncs: Syncs::new(settings.durability, settings.sync_after),
            writer: Arc::default(),
            state: Mutex::new(State::new(
                feed,
                replicator,
                settings.eager_update && settings.sparse,
            )),
            changed: Wake::new(),
            events: Broadcast::new(),
            closed: AtomicBool::new(false),
        })
    }

    pub(crate) fn key(&self) -> PublicKey {
        self.read(Feed::key)
    }

    pub(crate) fn discovery_key(&self) -> DiscoveryKey {
        self.key().discovery_key()
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.check_open().is_ok() && self.read(|feed| is_writable(feed, &self.hooks))
    }

    pub(crate) fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// Whether calls that don't say otherwise wait only as long as there is hope.
    pub(crate) fn if_available(&self) -> bool {
        self.if_available
    }

    pub(crate) fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    pub(crate) fn observer(&self) -> &Observer {
        &self.observer
    }

    pub(crate) fn appends(&self) -> &Queue {
        &self.appends
    }

    pub(crate) fn syncs(&self) -> &Syncs {
        &self.syncs
    }

    /// Whether it is written here, so that what gets lost here may be lost for all.
    pub(crate) fn is_author(&self) -> bool {
        self.writer_here
    }

    pub(crate) fn has_peers(&self) -> bool {
        self.state().is_listened_to()
    }

    pub(crate) fn noise(&self) -> &KeyPair {
        &self.noise
    }

    pub(crate) fn runtime(&self) -> &dyn Runtime {
        &*self.runtime
    }

    pub(crate) fn runtime_handle(&self) -> Arc<dyn Runtime> {
        Arc::clone(&self.runtime)
    }

    pub(crate) fn files(&self) -> &FileSet {
        &self.files
    }

    /// Reads from the files, nodes of the tree from memory where it has them.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub(crate) fn read_nodes(&self, reads: &[Read]) -> Result<Vec<Bytes>> {
        self.nodes.read(&self.files, reads)
    }

    /// Where a block is stored.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::Feed`] if it isn't stored, or a node is missing.
    pub(crate) fn place(&self, block: u64) -> Result<BlockRead> {
        let known = self.nodes.group(block);
        if let Some(place) =
            known.and_then(|group| self.read(|feed| feed.place(block, &group)).ok())
        {
            return Ok(place);
        }
        let start = self.nodes.start(block);
        let plan = self.read(|feed| feed.plan_group(block, start))?;
        let group = plan.finish(&self.read_nodes(plan.reads())?)?;
        let place = self.read(|feed| feed.place(block, &group))?;
        self.nodes.keep(group);
        Ok(place)
    }

    /// Keeps the nodes that a commit has written.
    pub(crate) fn learn_nodes(&self, commit: &Commit) {
        self.nodes.learn(commit.nodes());
    }

    /// Forgets the nodes that were read so far: some of them were damaged, and are made again.
    pub(crate) fn forget_nodes(&self) {
        self.nodes.clear();
    }

    pub(crate) fn events(&self) -> Events {
        Events::new(self.events.listen())
    }

    /// The right to commit. Whoever has it plans, commits and applies, and never awaits between the last two.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub(crate) async fn writer(&self) -> Result<Writer> {
        let guard = self.writer.lock_arc().await;
        self.check_open()?;
        Ok(guard)
    }

    /// # Errors
    /// [`Error::Feed`] if it is a static feed that has no key yet.
    pub(crate) fn check_finalized(&self) -> Result<()> {
        match self.read(Feed::is_finalized) {
            true => Ok(()),
            false => Err(feed::Error::Unfinished.into()),
        }
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        match self.closed.load(Ordering::Acquire) {
            false => Ok(()),
            true => Err(Error::Closed),
        }
    }

    pub(crate) fn length(&self) -> u64 {
        self.read(Feed::length)
    }

    pub(crate) fn has(&self, block: u64) -> bool {
        self.read(|feed| feed.bitfield().has_block(block))
    }

    /// Looks at the feed.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Feed) -> T) -> T {
        look(&self.state().feed)
    }

    /// Tells the replicator something, then hands out what it wants done.
    pub(crate) fn replicate<T>(
        &self,
        tell: impl FnOnce(&mut Replicator, Duration, &View<'_>) -> T,
    ) -> T {
        let now = self.runtime.now();
        let mut state = self.state();
        let State {
            feed, replicator, ..
        } = &mut *state;
        let told = tell(replicator, now, &View(feed));
        state.hand_out();
        let news = std::mem::take(&mut state.news);
        drop(state);
        self.notify();
        for event in news {
            self.announce(event);
        }
        told
    }

    /// When the replicator next wants to know the time.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let deadlines = [
            self.state().replicator.poll_timeout(),
            self.syncs.paused_until(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Makes a stored commit known: to the feed, the replicator, the listeners.
    ///
    /// # Errors
    /// [`Error::Disk`] if a peer has come meanwhile and what it would be told of can't be brought to the disk. Nothing has
    /// changed then.
    pub(crate) fn apply(
        &self,
        commit: feed::Commit,
        source: Option<PeerId>,
        tell: impl FnOnce(&mut Replicator, Duration, &View<'_>),
    ) -> Result<()> {
        let now = self.runtime.now();
        let mut state = self.state();
        while state.is_listened_to() && self.holds_back() {
            drop(state);
            self.files.sync()?;
            state = self.state();
        }
        let State {
            feed, replicator, ..
        } = &mut *state;
        let happened = feed.apply(commit);
        tell(replicator, now, &View(feed));
        let complete = !self.writer_here && feed.bitfield().has_blocks(0..feed.length());
        let byte_length = feed.byte_length();
        let mut downloaded = false;
        let mut news = Vec::with_capacity(happened.len());
        for event in happened {
            match event {
                feed::Event::Append { length, .. } | feed::Event::Grown { length } => {
                    news.push(Event::Append {
                        length,
                        byte_length,
                    });
                }
                feed::Event::Download { block, len } => {
                    downloaded = true;
                    let Some(peer) = source else { continue };
                    state.count(peer, |counters| counters.downloaded(len));
                    news.push(Event::Download { block, len, peer });
                }
                feed::Event::Clear { blocks } => news.push(Event::Clear { blocks }),
                _ => {}
            }
        }
        if downloaded && complete {
            news.push(Event::Sync);
        }
        state.hand_out();
        state.follow(now);
        state.hand_out();
        drop(state);
        self.notify();
        for event in news {
            self.announce(event);
        }
        Ok(())
    }

    /// How many bytes the files take.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::Closed`].
    pub(crate) fn disk_usage(&self) -> Result<u64> {
        self.check_open()?;
        Ok(self.files.disk_usage()?)
    }

    /// Closes the feed and removes its files.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub(crate) async fn destroy(self: &Arc<Self>) -> Result<()> {
        // What the last sync says doesn't matter any longer.
        let _ = self.close().await;
        let (sender, destroyed) = async_channel::bounded(1);
        let core = Arc::clone(self);
        let destroy = Box::new(move || {
            // A caller that no longer waits doesn't want to know.
            let _ = sender.try_send(core.files.destroy());
        });
        self.runtime.unblock(destroy).await;
        match destroyed.try_recv() {
            Ok(result) => Ok(result?),
            Err(_) => Err(Error::Closed),
        }
    }

    /// Ends every wait, every connection and, once the last commit is through, the feed.
    ///
    /// # Errors
    /// [`Error::Disk`] if the last sync fails.
    pub(crate) async fn close(self: &Arc<Self>) -> Result<()> {
        self.closed.store(true, Ordering::Release);
        {
            let mut state = self.state();
            // Dropping a sender tells the one who waits.
            state.wishes.clear();
            // And with its sender each stream of messages ends.
            state.extensions.clear();
            for connection in state.connections.drain(..) {
                if let Some(bell) = connection.upgrade() {
                    bell.ring();
                }
            }
        }
        // Behind the last commit, and behind whoever is closing it already. The files keep the lock until they are closed,
        // even if nobody waits for that any longer.
        let writer = self.writer.lock_arc().await;
        self.observer.happened(self, &Event::Close);
        self.events.close(Event::Close);
        let (sender, synced) = async_channel::bounded(1);
        let core = Arc::clone(self);
        let sync = Box::new(move || {
            let result = core.settle();
            core.files.close();
            drop(writer);
            // A caller that no longer waits doesn't want to know.
            let _ = sender.try_send(result);
        });
        self.runtime.unblock(sync).await;
        match synced.try_recv() {
            // Somebody else has closed it.
            Ok(Err(storage::Error::Closed)) => Ok(()),
            Ok(Err(error)) => Err(error.into()),
            _ => Ok(()),
        }
    }

    pub(crate) fn announce(&self, event: Event) {
        self.observer.happened(self, &event);
        self.events.send(event);
    }

    /// Lets those look again who wait only as long as there is hope.
    pub(crate) fn notify(&self) {
        self.changed.notify(usize::MAX);
    }

    /// Completes when what peers have or are asked for may have changed.
    pub(crate) fn changed(&self) -> EventListener {
        self.changed.listen()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held would be a bug of ours; what the lock guards is only changed by calls that
        // can't fail half-way, so the others may go on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there is somebody to sign what is appended, or nothing to be signed.
fn is_writable(feed: &Feed, hooks: &Hooks) -> bool {
    let signer = hooks.signer.is_some() && feed.is_live() && !feed.is_read_only();
    feed.is_writable() || signer
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
