//! Where tests are played that look at what happens in time, and what doesn't: feeds in memory, cables that delay, a clock that
//! jumps, and one thread whose tasks go on in an order that a seed decides.
//!
//! Each test is played in several orders, in either dialect, with either side connecting. Nothing sleeps: when a test waits for
//! [`quiet`](Stage::quiet), it goes on once everything has arrived that was under way.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_channel::Receiver;
use futures_lite::{StreamExt, future};
use hypercore::{
    Builder, Dialect, DialectChoice, Event, Events, Hypercore, Replicate, Result, Role, Runtime,
    Session, Storage,
};
use testkit::{Rng, Sim, lock};

use crate::{
    faults::{Quality, millis},
    net::{self, Socket},
    pair::fill,
    runtime::Surroundings,
};

/// In how many orders a test is played.
const ORDERS: u64 = 12;
/// How long it takes from one end of a cable to the other.
const DELAY: Duration = millis(10);
/// More than a dozen ways there and back, and less than the silence after which a sign of life is sent.
const QUIET: Duration = millis(1000);
/// What hasn't come after this never will.
const FOREVER: Duration = Duration::from_secs(24 * 3600);

/// What a test needs to be played. All clones are the same.
#[derive(Clone)]
pub(crate) struct Stage {
    sim: Sim,
    rng: Arc<Mutex<Rng>>,
    pub(crate) dialect: Dialect,
}

/// Plays a test in several orders. `SEED=` plays it in one.
pub(crate) fn play<F>(test: impl Fn(Stage) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut seeds: Vec<u64> = (0..ORDERS).map(testkit::seed).collect();
    seeds.dedup();
    for seed in seeds {
        play_once(seed, &test);
    }
}

/// Plays a test in the order of a seed.
pub(crate) fn play_once<F>(seed: u64, test: impl Fn(Stage) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let _told = Told(seed);
    let sim = Sim::new(seed);
    let stage = Stage {
        sim: sim.clone(),
        rng: Arc::new(Mutex::new(Rng::new(seed))),
        dialect: [Dialect::V8, Dialect::V9][(seed % 2) as usize],
    };
    let task = sim.spawn("the test", test(stage));
    loop {
        sim.run_ready();
        if task.is_done() {
            break;
        }
        let next = sim.next_timer().filter(|next| *next < FOREVER);
        sim.advance_to(next.expect("the test waits for ever"));
    }
    sim.stop();
}

/// Says which seed it was if the test fails.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("SEED={} plays it again", self.0);
        }
    }
}

impl Stage {
    /// A feed that is about to be opened in memory.
    pub(crate) fn builder(&self) -> Builder {
        Hypercore::builder(Storage::memory())
            .dialect(self.dialect)
            .runtime(self.runtime())
    }

    /// A feed with some blocks.
    pub(crate) async fn feed(&self, blocks: &[&'static str]) -> Hypercore {
        let feed = self.builder().open().await.unwrap();
        feed.append_batch(blocks.iter().copied()).await.unwrap();
        feed
    }

    /// A feed with so many blocks of mixed sizes, some of them empty.
    pub(crate) async fn writer(&self, count: u64) -> Hypercore {
        let feed = self.feed(&[]).await;
        fill(&feed, count).await;
        feed
    }

    /// A copy that wants everything.
    pub(crate) async fn copy(&self, feed: &Hypercore) -> Hypercore {
        self.builder().key(feed.key()).open().await.unwrap()
    }

    /// A copy that wants what it is asked for.
    pub(crate) async fn sparse(&self, feed: &Hypercore) -> Hypercore {
        let builder = self.builder().key(feed.key()).sparse(true);
        builder.open().await.unwrap()
    }

    /// Connects two feeds until one of them hangs up.
    pub(crate) fn live(&self, a: &Hypercore, b: &Hypercore) {
        self.connect(a, b, |a| a.live(true), |b| b.live(true));
    }

    /// Connects two feeds until both have what they want.
    pub(crate) async fn exchange(&self, a: &Hypercore, b: &Hypercore) {
        finished(self.connect(a, b, |a| a, |b| b)).await;
    }

    /// Connects two feeds, with options for each end. The connection goes on even if nobody waits for its two ends.
    pub(crate) fn connect(
        &self,
        a: &Hypercore,
        b: &Hypercore,
        a_options: impl FnOnce(Replicate<Socket>) -> Replicate<Socket>,
        b_options: impl FnOnce(Replicate<Socket>) -> Replicate<Socket>,
    ) -> [Ending; 2] {
        let (left, right) = self.cable();
        let mut roles = [Role::Initiator, Role::Responder];
        if lock(&self.rng).one_in(2) {
            roles.reverse();
        }
        let spoken = DialectChoice::Fixed(self.dialect);
        let a = a_options(a.replicate(roles[0], left).dialect(spoken));
        let b = b_options(b.replicate(roles[1], right).dialect(spoken));
        [self.spawn(a.into_future()), self.spawn(b.into_future())]
    }

    /// Both ends of a cable.
    pub(crate) fn cable(&self) -> (Socket, Socket) {
        let mut rng = lock(&self.rng);
        let quality = Quality {
            delay: DELAY..DELAY,
            ..Quality::perfect(&mut rng)
        };
        let (left, right, _) = net::connect(&self.sim, &mut rng, &quality);
        (left, right)
    }

    /// Goes on with something beside the test, whether or not that waits for it.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Spawned<T> {
        let (sender, receiver) = async_channel::bounded(1);
        self.sim.spawn("beside the test", async move {
            let _ = sender.send(work.await).await;
        });
        Spawned(receiver)
    }

    /// Waits until everything has arrived that was under way, and everybody has said what there was to say to that.
    pub(crate) async fn quiet(&self) {
        self.pass(QUIET).await;
    }

    /// Lets time pass.
    pub(crate) async fn pass(&self, time: Duration) {
        self.sim.sleep(time).await;
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Duration {
        self.sim.now()
    }

    /// The clock of the world, and randomness of its own.
    pub(crate) fn runtime(&self) -> Arc<dyn Runtime> {
        let seed = lock(&self.rng).next_u64();
        Arc::new(Surroundings::new(&self.sim, Rng::new(seed)))
    }
}

/// What goes on beside the test.
pub(crate) struct Spawned<T>(Receiver<T>);

/// One end of a connection.
pub(crate) type Ending = Spawned<Result<Session>>;

impl<T> Spawned<T> {
    pub(crate) fn is_done(&self) -> bool {
        !self.0.is_empty()
    }

    /// What comes of it.
    pub(crate) async fn done(self) -> T {
        self.0.recv().await.unwrap()
    }
}

/// Waits for both ends of a connection, which have to have all they wanted.
pub(crate) async fn finished(ends: [Ending; 2]) {
    for end in ends {
        assert!(end.done().await.unwrap().finished);
    }
}

/// What a listener has heard and not yet been asked for.
pub(crate) async fn heard(events: &mut Events) -> Vec<Event> {
    let mut heard = Vec::new();
    while let Some(Some(event)) = future::poll_once(events.next()).await {
        assert!(!matches!(event, Event::Lagged { .. }));
        heard.push(event);
    }
    heard
}
