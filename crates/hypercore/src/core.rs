//! What all handles and connections of a feed share: its files, the log, and the replicator between its peers.
//!
//! Two locks. `state` is held for plans and for applying what was stored, never across an await or a read of a file that
//! isn't cached. `writer` is asynchronous and orders the commits: whoever holds it plans, writes and applies without
//! another await, so a caller that stops waiting leaves the feed either as it was or with the commit done.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_channel::Sender;
use bytes::Bytes;
use crypto::{Dialect, DiscoveryKey, PublicKey};
use event_listener::{Event as Wake, EventListener};
use feed::Feed;
use noise::KeyPair;
use replicate::{Action, Config, PeerId, Replicator, WishId};
use storage::{FileSet, Read};
use wire::Request;

use crate::{
    Error, Event, Events, Result,
    append::Queue,
    cache::{CacheConfig, NodeCache},
    events::Broadcast,
    extension::{Name, Registered},
    hooks::Hooks,
    peers::{Joining, Member, PeerInfo, Slot},
    runtime::{Runtime, random},
    stats::{Counters, Stats},
    view::View,
    wish::Wish,
};

/// What the builder passes on to the replicator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) sparse: bool,
    pub(crate) max_requests: usize,
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) cache: CacheConfig,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            sparse: false,
            max_requests: 128,
            request_timeout: Some(Duration::from_secs(20)),
            cache: CacheConfig::default(),
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
    appends: Queue,
    writer: async_lock::Mutex<()>,
    state: Mutex<State>,
    /// Notified when what peers have or are asked for may have changed.
    changed: Wake,
    events: Broadcast,
    closed: AtomicBool,
}

struct State {
    feed: Feed,
    replicator: Replicator,
    peers: BTreeMap<PeerId, Slot>,
    wishes: BTreeMap<WishId, Sender<()>>,
    next_peer: u64,
    totals: Counters,
    extensions: BTreeMap<Name, Registered>,
    /// To be announced once the lock is given back.
    acknowledged: Vec<(PeerId, u64)>,
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
        let config = Config {
            sparse: settings.sparse,
            downloading: !writer_here,
            max_requests: settings.max_requests,
            request_timeout: settings.request_timeout,
            seed: u64::from_le_bytes(random(&*runtime)?),
            ..Config::default()
        };
        Ok(Core {
            files,
            nodes: NodeCache::new(settings.cache),
            runtime,
            noise,
            dialect: feed.dialect(),
            writer_here,
            hooks,
            appends: Queue::default(),
            writer: async_lock::Mutex::new(()),
            state: Mutex::new(State {
                feed,
                replicator: Replicator::new(config),
                peers: BTreeMap::new(),
                wishes: BTreeMap::new(),
                next_peer: 0,
                totals: Counters::default(),
                extensions: BTreeMap::new(),
                acknowledged: Vec::new(),
            }),
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

    pub(crate) fn appends(&self) -> &Queue {
        &self.appends
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

    pub(crate) fn events(&self) -> Events {
        self.events.listen()
    }

    /// The right to commit. Between getting it and having applied the commit nobody may await.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub(crate) async fn writer(&self) -> Result<async_lock::MutexGuard<'_, ()>> {
        let guard = self.writer.lock().await;
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
        let acknowledged = std::mem::take(&mut state.acknowledged);
        drop(state);
        self.changed.notify(usize::MAX);
        for (peer, block) in acknowledged {
            self.events.send(Event::Ack { peer, block });
        }
        told
    }

    /// When the replicator next wants to know the time.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.state().replicator.poll_timeout()
    }

    /// Makes a stored commit known: to the feed, the replicator, the listeners.
    pub(crate) fn apply(
        &self,
        commit: feed::Commit,
        source: Option<PeerId>,
        tell: impl FnOnce(&mut Replicator, Duration, &View<'_>),
    ) {
        let now = self.runtime.now();
        let mut state = self.state();
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
        drop(state);
        self.changed.notify(usize::MAX);
        for event in news {
            self.events.send(event);
        }
    }

    /// A request is answered: by a block of so many bytes, or by hashes only.
    pub(crate) fn served(&self, peer: PeerId, request: &Request, found: bool, len: Option<usize>) {
        self.replicate(|replicator, _, _| replicator.handle_served(peer, request, found));
        if let Some(len) = len {
            self.state().count(peer, |counters| counters.uploaded(len));
            let block = request.index;
            self.events.send(Event::Upload { block, len, peer });
        }
    }

    /// Adds a peer; it leaves when the guard is dropped.
    pub(crate) fn join(self: &Arc<Self>, joining: Joining) -> Member {
        let Joining {
            wake,
            mut config,
            remote_public_key,
            dialect,
        } = joining;
        let now = self.runtime.now();
        let mut state = self.state();
        let id = PeerId(state.next_peer);
        state.next_peer += 1;
        config.extensions = state.names();
        let slot = Slot::new(id, wake, remote_public_key, dialect, config.ack);
        state.peers.insert(id, slot);
        let State {
            feed, replicator, ..
        } = &mut *state;
        replicator.add_peer(now, id, config, &View(feed));
        state.hand_out();
        drop(state);
        self.changed.notify(usize::MAX);
        self.events.send(Event::PeerAdd {
            peer: id,
            remote_public_key,
        });
        Member::new(Arc::clone(self), id, remote_public_key)
    }

    /// Registers an extension and tells all peers. Says whether the name was free.
    pub(crate) fn register(&self, name: Name, registered: Registered) -> bool {
        let mut state = self.state();
        if state.extensions.contains_key(&name) {
            return false;
        }
        state.extensions.insert(name, registered);
        state.tell_names();
        true
    }

    pub(crate) fn unregister(&self, name: &Name) {
        let mut state = self.state();
        state.extensions.remove(name);
        state.tell_names();
    }

    /// Sends a message of an extension, or keeps it until the peer has told which it has.
    ///
    /// # Errors
    /// [`Error::UnsupportedExtension`], [`Error::NoPeer`].
    pub(crate) fn send_extension(&self, name: &Name, payload: Bytes, peer: PeerId) -> Result<()> {
        let mut state = self.state();
        let names = state.names();
        let slot = state.peers.get_mut(&peer).ok_or(Error::NoPeer)?;
        match slot.send_extension(&names, name, payload) {
            true => Ok(()),
            false => Err(Error::UnsupportedExtension {
                name: name.0.clone(),
            }),
        }
    }

    /// A peer has told which extensions it has: what waited for that is sent.
    pub(crate) fn handle_names(&self, peer: PeerId, theirs: &[String]) {
        let mut state = self.state();
        let names = state.names();
        if let Some(slot) = state.peers.get_mut(&peer) {
            slot.handle_names(&names, theirs);
        }
    }

    /// A message of an extension has come. One that isn't known here is dropped.
    pub(crate) fn handle_extension(&self, peer: PeerId, message: wire::Extension) {
        let state = self.state();
        let name = state
            .peers
            .get(&peer)
            .and_then(|slot| slot.name(message.id));
        if let Some(extension) = name.and_then(|name| state.extensions.get(&name)) {
            extension.deliver(peer, message.payload);
        }
    }

    /// Takes a peer away whose connection has ended.
    pub(crate) fn leave(&self, id: PeerId, remote_public_key: Option<[u8; 32]>) {
        self.state().peers.remove(&id);
        self.replicate(|replicator, now, view| replicator.remove_peer(now, id, view));
        self.events.send(Event::PeerRemove {
            peer: id,
            remote_public_key,
        });
    }

    /// What is to be done for a peer, oldest first. None if there is more than a connection ever leaves behind.
    pub(crate) fn take_actions(&self, id: PeerId, into: &mut VecDeque<Action>) -> Option<()> {
        match self.state().peers.get_mut(&id) {
            Some(slot) => slot.take_actions(into),
            None => Some(()),
        }
    }

    /// Wishes for something that isn't here. The wish is withdrawn when what is returned is dropped.
    pub(crate) fn wish(self: &Arc<Self>, wish: impl Into<replicate::Wish>) -> Wish {
        let (sender, granted) = async_channel::bounded(1);
        let now = self.runtime.now();
        let mut state = self.state();
        let State {
            feed,
            replicator,
            wishes,
            ..
        } = &mut *state;
        let id = replicator.want(now, wish, &View(feed));
        wishes.insert(id, sender);
        state.hand_out();
        drop(state);
        Wish::new(Arc::clone(self), id, granted)
    }

    /// Takes a wish back that nobody waits for any longer.
    pub(crate) fn withdraw(&self, id: WishId) {
        if self.state().wishes.remove(&id).is_some() {
            self.replicate(|replicator, now, view| replicator.cancel(now, id, view));
        }
    }

    /// Whether some peer has a block, or hasn't said yet.
    pub(crate) fn is_available(&self, block: u64) -> bool {
        let state = self.state();
        state.replicator.is_claimed(block) || state.replicator.is_asking()
    }

    /// Whether some peer claims a length, or hasn't said yet what it has.
    pub(crate) fn is_length_available(&self, length: u64) -> bool {
        let state = self.state();
        state.replicator.remote_length() >= length || state.replicator.is_asking()
    }

    /// Completes when what peers have or are asked for may have changed.
    pub(crate) fn changed(&self) -> EventListener {
        self.changed.listen()
    }

    pub(crate) fn peers(&self) -> Vec<PeerInfo> {
        let state = self.state();
        let peers = state
            .peers
            .iter()
            .map(|(id, slot)| slot.info(state.replicator.peer_length(*id).unwrap_or(0)));
        peers.collect()
    }

    pub(crate) fn stats(&self) -> Stats {
        let state = self.state();
        let peers = state.peers.iter().map(|(id, slot)| (*id, slot.counters));
        Stats {
            totals: state.totals,
            peers: peers.collect(),
        }
    }

    pub(crate) fn remote_len(&self) -> u64 {
        self.state().replicator.remote_length()
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
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        {
            let mut state = self.state();
            // Dropping a sender tells the one who waits.
            state.wishes.clear();
            // And with its sender each stream of messages ends.
            state.extensions.clear();
            for slot in state.peers.values() {
                slot.wake();
            }
        }
        // Behind the last commit.
        let _writer = self.writer.lock().await;
        self.events.close();
        let (sender, synced) = async_channel::bounded(1);
        let core = Arc::clone(self);
        let sync = Box::new(move || {
            let result = core.files.sync();
            core.files.close();
            // A caller that no longer waits doesn't want to know.
            let _ = sender.try_send(result);
        });
        self.runtime.unblock(sync).await;
        match synced.try_recv() {
            Ok(Err(error)) => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
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

impl State {
    /// The names of our extensions, in the order of their numbers.
    fn names(&self) -> Vec<String> {
        self.extensions.keys().map(|name| name.0.clone()).collect()
    }

    /// Tells all peers which extensions we have now. Messages behind it are numbered accordingly.
    fn tell_names(&mut self) {
        let names = self.names();
        for slot in self.peers.values_mut() {
            slot.tell_names(&names);
        }
    }

    fn count(&mut self, peer: PeerId, count: impl Fn(&mut Counters)) {
        count(&mut self.totals);
        if let Some(slot) = self.peers.get_mut(&peer) {
            count(&mut slot.counters);
        }
    }

    /// Brings each action to the connection or the caller that it is for.
    fn hand_out(&mut self) {
        while let Some(action) = self.replicator.poll_action() {
            let peer = match &action {
                Action::Acknowledged { peer, block } => {
                    self.acknowledged.push((*peer, *block));
                    continue;
                }
                Action::Resolved { wish, .. } => {
                    if let Some(sender) = self.wishes.remove(wish) {
                        // The one who wished may have gone.
                        let _ = sender.try_send(());
                    }
                    continue;
                }
                Action::Send { peer, .. }
                | Action::Serve { peer, .. }
                | Action::Store { peer, .. }
                | Action::Close { peer }
                | Action::Disconnect { peer, .. } => *peer,
                _ => continue,
            };
            if let Some(slot) = self.peers.get_mut(&peer) {
                slot.push(action);
            }
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
