//! An honest peer of a world: a feed over memory that may be closed and opened again, and a diary of what happened to it.

use std::{
    collections::BTreeSet,
    future::Future,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_lite::{StreamExt, future};
use hypercore::{
    Dialect, Event, Events, Hypercore, KeyPair, MemoryFiles, PublicKey, SecretKey, Storage,
};
use testkit::Rng;

use crate::{
    executor::{Sim, Task, lock},
    runtime::Surroundings,
};

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
    pub(crate) role: Role,
    pub(crate) feed: Hypercore,
    pub(crate) diary: Arc<Mutex<Diary>>,
    /// Blocks that earlier lives of the feed have sent and received.
    pub(crate) before: (u64, u64),
    options: Options,
    memory: MemoryFiles,
    listener: Task<()>,
}

/// What the events of a feed told.
#[derive(Debug, Default)]
pub(crate) struct Diary {
    /// The blocks that are stored.
    pub(crate) present: BTreeSet<u64>,
    /// The blocks that were cleared since the feed was opened: nobody has to fetch them.
    pub(crate) cleared: BTreeSet<u64>,
    /// Of a feed that is appended to.
    length: u64,
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
}

impl Node {
    pub(crate) fn new(sim: &Sim, rng: &mut Rng, role: Role, keys: &KeyPair) -> Self {
        let options = Options {
            key: keys.public(),
            secret_key: (role == Role::Writer).then(|| keys.secret().clone()),
            dialect: dialect(rng),
            max_requests: [1, 3, 16, 128][rng.below(4) as usize],
            request_timeout: Duration::from_secs([5, 20][rng.below(2) as usize]),
        };
        let memory = MemoryFiles::default();
        let feed = open(sim, rng, role, &options, &memory);
        let diary = Arc::default();
        let listener = listen(sim, &feed, &diary);
        Node {
            role,
            feed,
            diary,
            before: (0, 0),
            options,
            memory,
            listener,
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
        self.feed = open(sim, rng, self.role, &self.options, &self.memory);
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

    /// Blocks sent and received, in all lives of the feed.
    pub(crate) fn exchanged(&self) -> (u64, u64) {
        let totals = self.feed.stats().unwrap().totals;
        (
            self.before.0 + totals.uploaded_blocks,
            self.before.1 + totals.downloaded_blocks,
        )
    }
}

pub(crate) fn dialect(rng: &mut Rng) -> Dialect {
    [Dialect::V8, Dialect::V9][rng.below(2) as usize]
}

/// What a call on a feed returns that has nothing to wait for.
pub(crate) fn at_once<T>(call: impl Future<Output = T>) -> T {
    future::block_on(future::poll_once(call)).expect("nothing to wait for")
}

fn open(
    sim: &Sim,
    rng: &mut Rng,
    role: Role,
    options: &Options,
    memory: &MemoryFiles,
) -> Hypercore {
    let surroundings = Surroundings::new(sim, Rng::new(rng.next_u64()));
    let mut builder = Hypercore::builder(Storage::custom(memory.clone()))
        .key(options.key)
        .dialect(options.dialect)
        .sparse(role == Role::Sparse)
        .max_requests(options.max_requests)
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
            Event::Download { block, .. } => {
                if !diary.present.insert(block) {
                    diary
                        .wrong
                        .push(format!("block {block} was downloaded twice"));
                }
                diary.cleared.remove(&block);
            }
            Event::Clear { blocks } => {
                for block in blocks {
                    diary.present.remove(&block);
                    diary.cleared.insert(block);
                }
            }
            Event::Lagged { missed } => diary.wrong.push(format!("{missed} events were lost")),
            _ => {}
        }
    }
}
