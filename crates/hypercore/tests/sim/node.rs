//! A copy of a feed at an honest peer: over memory, may be closed and opened again, and keeps a diary of what happened to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_lite::{StreamExt, future};
use hypercore::{
    Dialect, Durability, Event, Events, Hypercore, KeyPair, Peer, PeerId, PublicKey, SecretKey,
};
use testkit::{Rng, Sim, Task, lock};

use crate::{disk::Disk, runtime::Surroundings};

/// What a peer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Appends.
    Writer,
    /// Wants everything.
    Full,
    /// Wants what it wishes for.
    Sparse,
}

pub(crate) struct Node {
    /// Whose it is.
    pub(crate) peer: usize,
    /// Of which feed of the world.
    pub(crate) copy_of: usize,
    pub(crate) role: Role,
    pub(crate) feed: Hypercore,
    /// How often the feed was opened here.
    pub(crate) life: u64,
    /// Whether it fetches.
    pub(crate) downloading: bool,
    /// Whether it answers requests.
    pub(crate) uploading: bool,
    pub(crate) diary: Arc<Mutex<Diary>>,
    /// The peers from which nothing is fetched, each with what it had been asked for.
    shunned: BTreeMap<PeerId, Vec<u64>>,
    /// Blocks that earlier lives of the feed have sent and received.
    pub(crate) before: (u64, u64),
    options: Options,
    disk: Disk,
    /// How long the feed was when last all of it was synced.
    synced: u64,
    listener: Task<()>,
}

/// What the events of a feed told.
#[derive(Debug, Default)]
pub(crate) struct Diary {
    /// The blocks that are stored.
    pub(crate) present: BTreeSet<u64>,
    /// The blocks that were cleared since the feed was opened: nobody has to fetch them.
    pub(crate) cleared: BTreeSet<u64>,
    /// Whether any ever were.
    pub(crate) has_lost: bool,
    /// Of a feed that is appended to.
    length: u64,
    /// The Noise keys of all peers there ever were.
    pub(crate) keys: BTreeMap<PeerId, Option<[u8; 32]>>,
    /// The peers that came since somebody looked.
    pub(crate) newcomers: Vec<PeerId>,
    /// The blocks that were sent to each peer, as often as they were.
    pub(crate) sent: BTreeMap<(PeerId, u64), u64>,
    /// How many blocks each peer brought.
    pub(crate) brought: BTreeMap<PeerId, u64>,
    /// The blocks that each peer confirmed, likewise.
    pub(crate) acknowledged: BTreeMap<(PeerId, u64), u64>,
    /// How often it was switched whether it gives.
    switches: u64,
    /// If it gives nothing any more: how many requests of a peer may be in hand all the same.
    most_left: Option<u64>,
    /// The blocks that each peer got since then.
    left: BTreeMap<PeerId, u64>,
    /// Of each peer for which that was switched: whether it gives to it, and if not, how many blocks that may get all the same.
    given: BTreeMap<PeerId, (bool, u64)>,
    /// What must not happen.
    pub(crate) wrong: Vec<String>,
}

#[derive(Clone, Debug)]
struct Options {
    key: PublicKey,
    secret_key: Option<SecretKey>,
    dialect: Dialect,
    max_requests: usize,
    request_timeout: Duration,
    allow_push: bool,
    durability: Durability,
}

/// How long something may be unsynced by default, unless it needn't be synced at all.
const SYNC_AFTER: Duration = Duration::from_secs(1);

/// So many requests of a peer are taken in hand at a time, and answered even if it is decided meanwhile to give nothing any more.
const IN_HAND: u64 = 64;

impl Node {
    pub(crate) fn new(sim: &Sim, rng: &mut Rng, role: Role, keys: &KeyPair) -> Self {
        let secret = (role == Role::Writer).then(|| keys.secret().clone());
        let options = Options::any(rng, keys.public(), secret);
        let disk = Disk::new(sim);
        let feed = open(sim, rng, role, &options, &disk);
        Node::of(sim, role, feed, options, disk)
    }

    /// The author's copy of a static feed, whole.
    pub(crate) fn finalized(sim: &Sim, rng: &mut Rng, blocks: &[Bytes]) -> Self {
        let disk = Disk::new(sim);
        let surroundings = Surroundings::new(sim, Rng::new(rng.next_u64()));
        let feed = Hypercore::builder(disk.storage())
            .static_feed(true)
            .runtime(Arc::new(surroundings));
        let feed = at_once(feed.open()).unwrap();
        at_once(feed.append_batch(blocks.iter().cloned())).unwrap();
        let key = at_once(feed.finalize()).unwrap();
        let options = Options {
            durability: Durability::default(),
            ..Options::any(rng, key, None)
        };
        let node = Node::of(sim, Role::Writer, feed, options, disk);
        let mut diary = lock(&node.diary);
        diary.present = (0..blocks.len() as u64).collect();
        diary.length = blocks.len() as u64;
        drop(diary);
        node
    }

    /// A copy that knows only the key.
    pub(crate) fn copy(sim: &Sim, rng: &mut Rng, role: Role, key: PublicKey) -> Self {
        let options = Options::any(rng, key, None);
        let disk = Disk::new(sim);
        let feed = open(sim, rng, role, &options, &disk);
        Node::of(sim, role, feed, options, disk)
    }

    fn of(sim: &Sim, role: Role, feed: Hypercore, options: Options, disk: Disk) -> Self {
        let diary = Arc::default();
        let listener = listen(sim, &feed, &diary);
        Node {
            peer: 0,
            copy_of: 0,
            role,
            feed,
            life: 0,
            downloading: role != Role::Writer,
            uploading: true,
            diary,
            shunned: BTreeMap::new(),
            before: (0, 0),
            options,
            disk,
            synced: 0,
            listener,
        }
    }

    /// The same copy, of the feed of a number, at a peer.
    pub(crate) fn at(self, peer: usize, copy_of: usize) -> Self {
        Node {
            peer,
            copy_of,
            ..self
        }
    }

    pub(crate) fn set_downloading(&mut self, yes: bool) {
        self.downloading = yes;
        self.feed.set_downloading(yes);
    }

    pub(crate) fn set_uploading(&mut self, yes: bool) {
        self.uploading = yes;
        self.feed.set_uploading(yes);
        let mut diary = lock(&self.diary);
        diary.left.clear();
        diary.switches += 1;
        diary.most_left = (!yes).then_some(diary.switches * IN_HAND);
    }

    /// Answers a peer, or doesn't.
    pub(crate) fn give_to(&self, peer: &Peer, yes: bool) {
        peer.set_uploading(yes).unwrap();
        let mut diary = lock(&self.diary);
        let (gives, most) = diary.given.entry(peer.id()).or_default();
        *gives = yes;
        *most += if yes { 0 } else { IN_HAND };
    }

    /// Fetches from a peer, or doesn't.
    pub(crate) fn take_from(&mut self, peer: &Peer, yes: bool) {
        peer.set_downloading(yes).unwrap();
        self.shunned.remove(&peer.id());
        if !yes {
            self.shunned.insert(peer.id(), peer.inflight());
        }
    }

    /// Exchanges with every peer.
    pub(crate) fn exchange_with_all(&mut self) {
        for peer in self.feed.peers() {
            self.give_to(&peer, true);
            self.take_from(&peer, true);
        }
    }

    /// # Panics
    /// If a peer is asked from which nothing is to be fetched.
    pub(crate) fn must_ask_none_of_the_shunned(&self) {
        for (id, asked) in &self.shunned {
            let peer = self.feed.peer(*id);
            let inflight = peer.map_or_else(Vec::new, |peer| peer.inflight());
            let new = inflight.iter().find(|block| !asked.contains(block));
            assert_eq!(new, None, "{id:?} is asked for it");
        }
    }

    /// Clears blocks: those that aren't here yet won't be fetched either.
    pub(crate) fn clear(&self, blocks: Range<u64>) {
        at_once(self.feed.clear(blocks.clone())).unwrap();
        let end = blocks.end.min(self.feed.len());
        lock(&self.diary).cleared.extend(blocks.start..end);
    }

    /// Closes the feed. All that waits for it has to end.
    pub(crate) fn close(&self) {
        at_once(self.feed.close()).unwrap();
    }

    /// Opens the feed again that was closed: it is as it was.
    pub(crate) fn reopen(&mut self, sim: &Sim, rng: &mut Rng) {
        assert!(
            self.listener.is_done(),
            "events go on after the feed is closed"
        );
        let before = lock(&self.diary).present.clone();
        let totals = self.feed.stats().unwrap().totals;
        self.before.0 += totals.uploaded_blocks;
        self.before.1 += totals.downloaded_blocks;
        let length = self.feed.len();
        self.feed = open(sim, rng, self.role, &self.options, &self.disk);
        self.life += 1;
        self.downloading = self.role != Role::Writer;
        self.uploading = true;
        self.shunned.clear();
        let present = (0..self.feed.len()).filter(|block| self.feed.has(*block));
        let present: BTreeSet<u64> = present.collect();
        assert_eq!(
            (length, &before),
            (self.feed.len(), &present),
            "after a restart"
        );
        self.diary = Arc::new(Mutex::new(Diary {
            present,
            length,
            ..Diary::default()
        }));
        self.listener = listen(sim, &self.feed, &self.diary);
    }

    /// Whether it takes what nobody asked for.
    pub(crate) fn takes_pushes(&self) -> bool {
        self.options.allow_push
    }

    /// Looks how much a power cut would take, now that everything has run that could.
    ///
    /// # Panics
    /// If that is more than was promised.
    pub(crate) fn look_at_disk(&mut self, now: Duration) {
        let since = self.disk.unsynced_since();
        let promised = match self.options.durability {
            Durability::Always => since.is_none(),
            Durability::Timely => since.is_none_or(|since| now <= since + SYNC_AFTER),
            _ => true,
        };
        assert!(promised, "{}", self.describe_disk());
        if since.is_none() {
            self.synced = self.feed.len();
        }
    }

    /// What of its own feed a power cut can't take; none if nothing is promised about that.
    pub(crate) fn safe_length(&self) -> Option<u64> {
        let promises = self.options.durability != Durability::None;
        (promises && self.role == Role::Writer).then_some(self.synced)
    }

    pub(crate) fn describe_disk(&self) -> String {
        let since = self.disk.unsynced_since();
        format!("not synced since {since:?}: {:?}", self.options)
    }

    pub(crate) fn secret_key(&self) -> Option<&SecretKey> {
        self.options.secret_key.as_ref()
    }

    /// Blocks sent and received, in all lives of the feed.
    pub(crate) fn exchanged(&self) -> (u64, u64) {
        let totals = self.feed.stats().unwrap().totals;
        (
            self.before.0 + totals.uploaded_blocks,
            self.before.1 + totals.downloaded_blocks + totals.unproven_blocks,
        )
    }
}

impl Options {
    fn any(rng: &mut Rng, key: PublicKey, secret_key: Option<SecretKey>) -> Self {
        Options {
            key,
            secret_key,
            dialect: dialect(rng),
            max_requests: [1, 3, 16, 128][rng.below(4) as usize],
            request_timeout: Duration::from_secs([5, 20][rng.below(2) as usize]),
            allow_push: rng.one_in(3),
            durability: match rng.below(4) {
                0 => Durability::Always,
                1 => Durability::None,
                _ => Durability::Timely,
            },
        }
    }
}

pub(crate) fn dialect(rng: &mut Rng) -> Dialect {
    [Dialect::V8, Dialect::V9][rng.below(2) as usize]
}

/// What a call on a feed returns that has nothing to wait for.
pub(crate) fn at_once<T>(call: impl Future<Output = T>) -> T {
    future::block_on(future::poll_once(call)).expect("nothing to wait for")
}

fn open(sim: &Sim, rng: &mut Rng, role: Role, options: &Options, disk: &Disk) -> Hypercore {
    let surroundings = Surroundings::new(sim, Rng::new(rng.next_u64()));
    let mut builder = Hypercore::builder(disk.storage())
        .key(options.key)
        .dialect(options.dialect)
        .sparse(role == Role::Sparse)
        // Nobody takes the author of a static feed for one once it is opened again.
        .downloading(role != Role::Writer)
        .max_requests(options.max_requests)
        .allow_push(options.allow_push)
        .durability(options.durability)
        .request_timeout(Some(options.request_timeout))
        .runtime(Arc::new(surroundings));
    if let Some(secret) = &options.secret_key {
        builder = builder.secret_key(secret.clone());
    }
    at_once(builder.open()).unwrap()
}

fn listen(sim: &Sim, feed: &Hypercore, diary: &Arc<Mutex<Diary>>) -> Task<()> {
    let (events, diary) = (feed.events(), Arc::clone(diary));
    let writes = feed.is_writable();
    sim.spawn("listener", write_down(events, writes, diary))
}

async fn write_down(mut events: Events, writes: bool, diary: Arc<Mutex<Diary>>) {
    while let Some(event) = events.next().await {
        let mut diary = lock(&diary);
        match event {
            Event::Append { length, .. } if writes => {
                let new = diary.length..length;
                diary.present.extend(new);
                diary.length = length;
            }
            Event::Download { block, peer, .. } => {
                *diary.brought.entry(peer).or_default() += 1;
                if !diary.present.insert(block) {
                    diary
                        .wrong
                        .push(format!("block {block} was downloaded twice"));
                }
                diary.cleared.remove(&block);
            }
            Event::Clear { blocks } => {
                diary.has_lost = true;
                for block in blocks {
                    diary.present.remove(&block);
                    diary.cleared.insert(block);
                }
            }
            Event::PeerOpen {
                peer,
                remote_public_key,
            } => {
                diary.keys.insert(peer, remote_public_key);
                diary.newcomers.push(peer);
            }
            Event::Upload { block, peer, .. } => {
                *diary.sent.entry((peer, block)).or_default() += 1;
                if let Some((false, most)) = diary.given.get_mut(&peer) {
                    match most.checked_sub(1) {
                        Some(less) => *most = less,
                        None => diary.wrong.push(format!("{block} is given to {peer:?}")),
                    }
                }
                let left = diary.left.entry(peer).or_default();
                *left += 1;
                let left = *left;
                if diary.most_left.is_some_and(|most| left > most) {
                    let wrong = format!("{left} blocks are given, although nothing is to be");
                    diary.wrong.push(wrong);
                }
            }
            Event::Ack { block, peer } => {
                *diary.acknowledged.entry((peer, block)).or_default() += 1;
            }
            Event::Lagged { missed } => diary.wrong.push(format!("{missed} events were lost")),
            _ => {}
        }
    }
}
