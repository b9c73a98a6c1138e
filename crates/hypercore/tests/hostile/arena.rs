//! Where an attack takes place: a victim, the honest peers that it has to go on serving, and whoever watches.

use std::{
    collections::BTreeMap,
    future::{Future, IntoFuture},
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hypercore::{
    Dialect, DialectChoice, Gate, GateLimits, Hypercore, KeyPair, Occupancy, Pass, PublicKey,
    Result, Role, Session, Signable, Storage,
};
use testkit::{Rng, Sim, Task, lock};

use crate::{
    attack::{Attack, Victim},
    faults::Quality,
    honest, memory,
    net::{self, Socket},
    report::Report,
    runtime::Surroundings,
};

/// How many blocks the author of small ones has.
pub(crate) const BLOCKS: u64 = 500;

/// How many a short feed has.
pub(crate) const FEW: u64 = 6;

/// How many of them a copy begins with.
pub(crate) const KNOWN: u64 = 64;

/// So long an attack may go on.
const LONGEST: Duration = Duration::from_secs(600);

/// So long after it everything has to be over at the victim's, or to have arrived.
const AFTERWARDS: Duration = Duration::from_secs(60);

/// What may be kept when everybody has gone: what is remembered of a feed, the executor's own.
const KEPT: usize = 512 * 1024;

/// A handle of the place. All are the same.
#[derive(Clone)]
pub(crate) struct Arena(Arc<Inner>);

struct Inner {
    sim: Sim,
    dialect: Dialect,
    keys: KeyPair,
    author: Hypercore,
    victim: Hypercore,
    gate: Gate,
    rng: Mutex<Rng>,
    tally: Mutex<Tally>,
}

/// What is counted.
#[derive(Default)]
pub(crate) struct Tally {
    /// Bytes and frames that hostile peers sent.
    pub(crate) sent: usize,
    pub(crate) frames: usize,
    /// Connections of hostile peers, and how those ended that are over.
    pub(crate) connections: usize,
    pub(crate) ends: BTreeMap<String, usize>,
    /// How many honest peers have come.
    pub(crate) honest: u32,
    /// How often a connection of theirs was given time.
    pub(crate) polls: usize,
    /// What honest peers asked for, and the longest that one of them waited.
    pub(crate) served: usize,
    pub(crate) longest_wait: Duration,
    /// How long the author took to give the victim everything, if it fetches.
    pub(crate) complete: Option<Duration>,
    /// Whether the honest peers may go home.
    pub(crate) over: bool,
}

impl Arena {
    pub(crate) fn new(victim: Victim, dialect: Dialect, seed: u64) -> Self {
        let (sim, mut rng) = (Sim::new(seed), Rng::new(seed));
        let keys = KeyPair::from_seed(rng.array());
        let author = open(&sim, &mut rng, dialect, |builder| {
            builder
                .key(keys.public())
                .secret_key(keys.secret().clone())
                .uploading(true)
        });
        let copy = |rng: &mut Rng, sparse: bool| {
            open(&sim, rng, dialect, |builder| {
                builder.key(keys.public()).sparse(sparse)
            })
        };
        let victim = match victim {
            Victim::Writer => {
                append(&sim, &author, blocks(0..BLOCKS));
                author.clone()
            }
            Victim::Few => {
                append(&sim, &author, blocks(0..FEW));
                author.clone()
            }
            Victim::Large => {
                let blocks = (0..128).map(|n| vec![n; 64 * 1024].into());
                append(&sim, &author, blocks);
                author.clone()
            }
            Victim::Comb => {
                append(&sim, &author, (0..8192).map(|n| vec![n as u8].into()));
                let comb = copy(&mut rng, true);
                transfer(&sim, &mut rng, &author, &comb, (0..8192).step_by(2));
                comb
            }
            Victim::Copy => {
                append(&sim, &author, blocks(0..KNOWN));
                let copy = copy(&mut rng, false);
                transfer(&sim, &mut rng, &author, &copy, 0..KNOWN);
                append(&sim, &author, blocks(KNOWN..BLOCKS));
                copy
            }
        };
        let clock = Arc::new(Surroundings::new(&sim, Rng::new(rng.next_u64())));
        Arena(Arc::new(Inner {
            sim,
            dialect,
            keys,
            author,
            victim,
            gate: Gate::new(GateLimits::default()).runtime(clock),
            rng: Mutex::new(rng),
            tally: Mutex::default(),
        }))
    }

    /// Plays an attack, and judges the victim.
    ///
    /// # Panics
    /// If it didn't do what it has to.
    pub(crate) fn play(attack: &Attack, dialect: Dialect) -> Report {
        let arena = Arena::new(attack.victim, dialect, 1);
        let (sim, victim) = (arena.sim(), arena.victim());
        honest::arrive(&arena, attack.victim);
        sim.run_for(Duration::from_secs(1));
        let before = memory::start();
        let (start, clock) = (sim.now(), Instant::now());
        let attacker = sim.spawn(attack.name, (attack.play)(arena.clone()));
        arena.run_until(|| attacker.is_done(), LONGEST, "the attacker");
        let lasted = sim.now() - start;
        let fetches = attack.victim == Victim::Copy;
        arena.run_until(
            || {
                let tally =
                    arena.tally(|tally| tally.ends.values().sum::<usize>() == tally.connections);
                tally && (!fetches || victim.downloaded(..) == BLOCKS)
            },
            AFTERWARDS,
            "the victim",
        );
        // Whoever is honest has had time to be served after the attack as well.
        sim.run_for(Duration::from_secs(2));
        arena.tally(|tally| tally.over = true);
        sim.run_for(Duration::from_secs(5));
        memory::look();
        let report = arena.report(attack, before, lasted, clock.elapsed());
        report.check(attack);
        arena.check(victim);
        report
    }

    /// # Panics
    /// If it isn't done in time.
    pub(crate) fn run_until(&self, done: impl Fn() -> bool, time: Duration, who: &str) {
        let sim = self.sim();
        let end = sim.now() + time;
        loop {
            sim.run_ready();
            memory::look();
            if done() {
                return;
            }
            let next = sim.next_timer().expect("somebody waits for something");
            assert!(
                next <= end,
                "{who} doesn't come to an end: {:?}",
                sim.tasks()
            );
            sim.advance_to(next);
        }
    }

    fn report(&self, attack: &Attack, before: usize, lasted: Duration, took: Duration) -> Report {
        self.tally(|tally| Report {
            name: attack.name,
            dialect: self.dialect(),
            connections: tally.connections,
            sent: tally.sent,
            frames: tally.frames,
            polls: tally.polls,
            growth: memory::peak().saturating_sub(before),
            kept: memory::in_use().saturating_sub(before),
            may_keep: KEPT,
            served: tally.served,
            longest_wait: tally.longest_wait,
            complete: tally.complete,
            lasted,
            took,
            ends: tally.ends.clone(),
        })
    }

    /// Nothing is stored but what the author wrote.
    pub(crate) fn check(&self, copy: &Hypercore) {
        let author = self.author();
        assert!(copy.len() <= author.len());
        for block in (0..copy.len()).filter(|block| copy.has(*block)) {
            let [ours, theirs] = [copy, author].map(|feed| {
                let get = feed.get(block).wait(false).into_future();
                futures_lite::future::block_on(get).unwrap()
            });
            assert_eq!(ours, theirs, "block {block} is another one");
        }
    }

    /// A hostile peer connects, each time from another address.
    pub(crate) fn accept(&self) -> Socket {
        let nth = self.tally(|tally| tally.connections) as u32;
        self.accept_from(Ipv4Addr::from_bits((10 << 24) + nth).into())
    }

    /// A hostile peer connects, if the victim's gate lets it.
    pub(crate) fn accept_from(&self, address: IpAddr) -> Socket {
        match self.0.gate.admit(address) {
            Ok(pass) => self.join(Role::Responder, Some(pass)),
            Err(reason) => {
                self.tally(|tally| {
                    tally.connections += 1;
                    let end = format!("TurnedAway({reason:?})");
                    *tally.ends.entry(end).or_default() += 1;
                });
                self.cable().0
            }
        }
    }

    /// The victim connects to a hostile peer.
    pub(crate) fn dial(&self) -> Socket {
        self.join(Role::Initiator, None)
    }

    fn join(&self, role: Role, pass: Option<Pass>) -> Socket {
        let (far, near) = self.cable();
        let session = self.session(self.victim(), role, near, pass);
        let arena = self.clone();
        self.tally(|tally| tally.connections += 1);
        let watched = Watched {
            arena: self.clone(),
            session: Box::pin(session),
        };
        self.sim().spawn("a hostile connection", async move {
            let end = match watched.await {
                Ok(_) => "Ok".into(),
                Err(error) => format!("{error:?}"),
            };
            arena.tally(|tally| *tally.ends.entry(end).or_default() += 1);
        });
        far
    }

    /// An honest peer connects to the victim, from an address of its own.
    pub(crate) fn welcome(&self, feed: &Hypercore) {
        let (far, near) = self.cable();
        let nth = self.tally(|tally| {
            tally.honest += 1;
            tally.honest
        });
        let address = Ipv4Addr::from_bits((192 << 24) + nth);
        let Ok(pass) = self.0.gate.admit(address.into()) else {
            return;
        };
        let (initiator, responder) = (Role::Initiator, Role::Responder);
        let sim = self.sim();
        sim.spawn("honest", self.session(feed, initiator, far, None));
        let other = self.session(self.victim(), responder, near, Some(pass));
        sim.spawn("for an honest one", other);
    }

    pub(crate) fn occupancy(&self) -> Occupancy {
        self.0.gate.occupancy()
    }

    /// A connection of a feed.
    pub(crate) fn session(
        &self,
        feed: &Hypercore,
        role: Role,
        socket: Socket,
        pass: Option<Pass>,
    ) -> impl Future<Output = Result<Session>> + Send + use<> {
        let mut replicate = feed.replicate(role, socket).live(true);
        if let Some(pass) = pass {
            replicate = replicate.pass(pass);
        }
        replicate
            .dialect(DialectChoice::Fixed(self.dialect()))
            .into_future()
    }

    /// Quick, with room for as much as a socket has.
    pub(crate) fn quality(&self) -> Quality {
        let millisecond = Duration::from_millis(1);
        Quality {
            delay: millisecond..2 * millisecond,
            pieces: None,
            capacity: 64 * 1024,
            cut_at: [None; 2],
            flip_at: [None; 2],
        }
    }

    /// The two ends of a cable.
    pub(crate) fn cable(&self) -> (Socket, Socket) {
        let mut rng = lock(&self.0.rng);
        let quality = self.quality();
        let (far, near, _) = net::connect(self.sim(), &mut rng, &quality);
        (far, near)
    }

    /// A sparse copy of an honest reader.
    pub(crate) fn reader(&self) -> Hypercore {
        self.copy(true)
    }

    /// An empty copy, of all or of what is asked for.
    pub(crate) fn copy(&self, sparse: bool) -> Hypercore {
        let mut rng = lock(&self.0.rng);
        open(self.sim(), &mut rng, self.dialect(), |builder| {
            builder.key(self.key()).sparse(sparse)
        })
    }

    pub(crate) fn rng(&self) -> Rng {
        Rng::new(lock(&self.0.rng).next_u64())
    }

    pub(crate) fn sim(&self) -> &Sim {
        &self.0.sim
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.0.dialect
    }

    pub(crate) fn key(&self) -> PublicKey {
        self.0.keys.public()
    }

    pub(crate) fn author(&self) -> &Hypercore {
        &self.0.author
    }

    /// What the author would sign so.
    pub(crate) fn sign(&self, signable: &Signable) -> [u8; 64] {
        self.0.keys.sign(signable, self.dialect()).to_bytes()
    }

    /// Another history of the author's, as long as it likes.
    pub(crate) async fn branch(&self, common: u64, length: u64) -> Hypercore {
        let (sim, keys) = (self.sim(), &self.0.keys);
        let branch = open(sim, &mut self.rng(), self.dialect(), |builder| {
            builder.secret_key(keys.secret().clone())
        });
        let others = (common..length).map(|n| Bytes::from(format!("another block {n}")));
        let blocks: Vec<Bytes> = blocks(0..common).chain(others).collect();
        branch.append_batch(blocks).await.unwrap();
        branch
    }

    pub(crate) fn victim(&self) -> &Hypercore {
        &self.0.victim
    }

    pub(crate) fn tally<T>(&self, look: impl FnOnce(&mut Tally) -> T) -> T {
        look(&mut lock(&self.0.tally))
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.tally(|tally| tally.sent += bytes);
    }

    pub(crate) fn framed(&self, frames: usize) {
        self.tally(|tally| tally.frames += frames);
    }

    pub(crate) async fn pause(&self, time: Duration) {
        self.sim().sleep(time).await;
    }

    /// Does something many times at once.
    pub(crate) async fn many<F>(&self, count: usize, act: impl Fn(Arena, usize) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let tasks: Vec<Task<()>> = (0..count)
            .map(|n| self.sim().spawn("one of many", act(self.clone(), n)))
            .collect();
        while !tasks.iter().all(Task::is_done) {
            self.pause(Duration::from_millis(50)).await;
        }
    }
}

/// A connection whose polls are counted, and the memory after each.
struct Watched<F> {
    arena: Arena,
    session: Pin<Box<F>>,
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.arena.tally(|tally| tally.polls += 1);
        let polled = self.session.as_mut().poll(cx);
        memory::look();
        polled
    }
}

fn open(
    sim: &Sim,
    rng: &mut Rng,
    dialect: Dialect,
    with: impl FnOnce(hypercore::Builder) -> hypercore::Builder,
) -> Hypercore {
    let surroundings = Surroundings::new(sim, Rng::new(rng.next_u64()));
    let builder = Hypercore::builder(Storage::memory())
        .dialect(dialect)
        .runtime(Arc::new(surroundings));
    futures_lite::future::block_on(with(builder).open()).unwrap()
}

/// Blocks of the author's, of mixed sizes.
fn blocks(range: std::ops::Range<u64>) -> impl Iterator<Item = Bytes> {
    range.map(|n| vec![n as u8; (n * 37 % 200) as usize + 1].into())
}

fn append(sim: &Sim, feed: &Hypercore, blocks: impl Iterator<Item = Bytes>) {
    let (feed, blocks) = (feed.clone(), blocks.collect::<Vec<_>>());
    let append = sim.spawn("append", async move { feed.append_batch(blocks).await });
    sim.run_ready();
    append.take().unwrap().unwrap();
}

/// Copies blocks over a connection of their own.
fn transfer(
    sim: &Sim,
    rng: &mut Rng,
    from: &Hypercore,
    to: &Hypercore,
    blocks: impl Iterator<Item = u64>,
) {
    let quality = Quality::perfect(rng);
    let (left, right, _) = net::connect(sim, rng, &quality);
    let live =
        |feed: &Hypercore, role, socket| feed.replicate(role, socket).live(true).into_future();
    let ends = [
        sim.spawn("from", live(from, Role::Initiator, left)),
        sim.spawn("to", live(to, Role::Responder, right)),
    ];
    for block in blocks {
        let get = sim.spawn("get", to.get(block).into_future());
        if block % 256 == 0 {
            sim.run_for(Duration::from_millis(100));
            assert!(get.is_done());
        }
    }
    sim.run_for(Duration::from_secs(2));
    ends.iter().for_each(Task::cancel);
    sim.run_for(Duration::from_secs(1));
}
