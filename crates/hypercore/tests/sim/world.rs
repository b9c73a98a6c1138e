//! A world: peers, what joins them, and what happens to them, all from one seed.
//!
//! ```text
//! storm      the writer appends, readers wish, lose blocks and start anew, connections break in every way
//! calm       some connections stay and are whole; now everything that is offered must arrive
//! farewell   connections that are not live end by themselves
//! end        all feeds are closed, and nothing goes on
//! ```

use std::time::Duration;

use bytes::Bytes;
use hypercore::KeyPair;
use testkit::Rng;

use crate::{
    check,
    edge::{Edge, Fate, Other, Terms},
    executor::{Sim, lock},
    faults::{Quality, millis},
    memory::Watch,
    node::{Node, Role, at_once},
    wishes::{Patience, Wish, Wished},
};

pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) rng: Rng,
    /// What the writer has appended.
    pub(crate) blocks: Vec<Bytes>,
    /// The honest peers; the first is the writer.
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) wishes: Vec<Wished>,
    /// Whether nothing bad happens: no liars, no faults, nobody changes his mind.
    pub(crate) peaceful: bool,
    pub(crate) watch: Watch,
    calm: bool,
    /// Whether to tell what happens: if only one seed is played.
    aloud: bool,
}

/// How a world was, whose promises were kept.
#[derive(Debug)]
#[allow(dead_code, reason = "shown to whoever plays a single world")]
pub(crate) struct Played {
    peers: usize,
    blocks: usize,
    time: Duration,
    /// Two runs share it only if they did the same.
    pub(crate) trace: u64,
    most_memory: usize,
    least_left: usize,
    most_for_each: usize,
}

/// By when everything that is offered must have arrived, once the storm is over.
const CALM: Duration = Duration::from_secs(600);

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let watch = Watch::start();
        let mut rng = Rng::new(seed);
        let sim = Sim::new(rng.next_u64());
        let keys = KeyPair::from_seed(rng.array());
        let peaceful = rng.one_in(4);
        let count = 2 + rng.below(7) as usize;
        let liars = match peaceful {
            true => 0,
            false => rng.below(count as u64 / 2 + 1) as usize,
        };
        let honest = (count - liars).max(2);
        let nodes = (0..honest).map(|n| {
            let role = match n {
                0 => Role::Writer,
                _ if rng.one_in(3) => Role::Sparse,
                _ => Role::Full,
            };
            Node::new(&sim, &mut rng, role, &keys)
        });
        let nodes: Vec<Node> = nodes.collect();
        let mut world = World {
            edges: join(&mut rng, honest, liars),
            sim,
            rng,
            blocks: Vec::new(),
            nodes,
            wishes: Vec::new(),
            peaceful,
            watch,
            calm: false,
            aloud: std::env::var("SEED").is_ok(),
        };
        let first = [0, 1, 2, 5, 33, 150][world.rng.below(6) as usize];
        world.append(first);
        world
    }

    /// Plays the whole of it.
    pub(crate) fn play(mut self) -> Played {
        self.storm();
        self.settle();
        if self.rng.one_in(2) {
            self.farewell();
        }
        self.end()
    }

    fn storm(&mut self) {
        let end = Duration::from_secs(2 + self.rng.below(40));
        while self.sim.now() < end {
            let pause = [10, 200, 1_500][self.rng.below(3) as usize];
            let next = self.sim.now() + millis(self.rng.below(pause));
            self.run_until(next);
            self.happen();
        }
    }

    /// Something happens.
    fn happen(&mut self) {
        match self.rng.below(17) {
            0..4 => {
                let count = [1, 1, 2, 7, 40][self.rng.below(5) as usize];
                self.append(count);
            }
            4..8 => self.wish(),
            _ if self.peaceful => {}
            8 | 9 => {
                let node = self.rng.below(self.nodes.len() as u64) as usize;
                // A writer that loses much leaves little to look at.
                if node > 0 || self.rng.one_in(4) {
                    let start = self.rng.below(self.blocks.len() as u64 + 1);
                    let end = start + self.rng.below(10);
                    self.tell(|| format!("{node} clears {start}..{end}"));
                    self.nodes[node].clear(start..end);
                }
            }
            10 => self.restart(),
            11 if !self.wishes.is_empty() => {
                let nth = self.rng.below(self.wishes.len() as u64) as usize;
                let wished = self.wishes.swap_remove(nth);
                self.tell(|| format!("{} drops {:?}", wished.node, wished.wish));
                wished.task.cancel();
            }
            12 | 13 => self.disturb(|up, _| up.cut()),
            14 => self.disturb(|up, rng| up.abandon(rng)),
            15 => self.disturb(|up, _| up.clog(true)),
            _ => self.disturb(|up, _| up.clog(false)),
        }
    }

    fn append(&mut self, count: u64) {
        let rng = &mut self.rng;
        let blocks = (0..count).map(|_| {
            let len = match rng.below(12) {
                0 | 1 => 0,
                2 => rng.below(20_000),
                _ => rng.below(200),
            };
            Bytes::from(rng.bytes(len as usize))
        });
        let blocks: Vec<Bytes> = blocks.collect();
        self.watch.store(&blocks, self.nodes.len());
        let numbers = at_once(self.nodes[0].feed.append_batch(blocks.clone())).unwrap();
        assert_eq!(numbers.start, self.blocks.len() as u64);
        self.blocks.extend(blocks);
        self.tell(|| format!("appended {numbers:?}"));
    }

    fn wish(&mut self) {
        let readers = self.nodes.len() as u64 - 1;
        let node = 1 + self.rng.below(readers) as usize;
        let wish = Wish::any(&mut self.rng, &self.blocks);
        let patience = match self.rng.below(4) {
            0 if !self.peaceful => Patience::Until(self.sim.now() + millis(self.rng.below(20_000))),
            1 if !self.peaceful => Patience::WhileAvailable,
            _ => Patience::Forever,
        };
        self.tell(|| format!("{node} wishes {wish:?}, {patience:?}"));
        let wished = wish.make(&self.sim, &self.nodes[node].feed, node, patience);
        self.wishes.push(wished);
    }

    /// A peer closes its feed and opens it again.
    fn restart(&mut self) {
        let node = self.rng.below(self.nodes.len() as u64) as usize;
        self.tell(|| format!("{node} restarts"));
        self.nodes[node].close();
        self.sim.run_ready();
        for edge in &mut self.edges {
            if let Some(up) = &mut edge.up {
                up.must_be_left_by(node, self.sim.now());
                // Liars read from the writer.
                up.disturbed |= edge.other == Other::Liar;
            }
        }
        self.look_after_wishes();
        let waits = self.wishes.iter().find(|wished| wished.node == node);
        assert!(
            waits.is_none(),
            "waits for a closed feed: {:?}",
            waits.map(|w| &w.wish)
        );
        self.nodes[node].reopen(&self.sim, &mut self.rng);
    }

    fn disturb(&mut self, disturb: impl Fn(&mut crate::edge::Up, &mut Rng)) {
        let nth = self.rng.below(self.edges.len() as u64) as usize;
        if let Some(up) = &mut self.edges[nth].up {
            disturb(up, &mut self.rng);
        }
    }

    /// The storm is over: what is kept is made anew, and everything that is offered arrives.
    fn settle(&mut self) {
        self.calm = true;
        let now = self.sim.now();
        self.tell(|| "calm".to_owned());
        for edge in &mut self.edges {
            let kept = edge.other == Other::Liar || self.peaceful || !self.rng.one_in(5);
            edge.fate = match kept {
                true => Fate::Kept,
                false if self.rng.one_in(2) => Fate::Stuck,
                false => Fate::Gone,
            };
            if let Some(up) = &mut edge.up
                && edge.other != Other::Liar
                && !self.peaceful
            {
                up.cut();
            }
        }
        loop {
            let next = self.sim.now() + Duration::from_secs(1);
            self.run_until(next);
            let unmet = check::unmet(self);
            if unmet.is_empty() {
                break;
            }
            assert!(self.sim.now() < now + CALM, "not granted: {unmet:#?}");
        }
        check::stored(self);
        if self.peaceful {
            check::nothing_twice(self);
        }
    }

    /// Two peers with all there is part by themselves.
    fn farewell(&mut self) {
        for edge in &mut self.edges {
            edge.fate = Fate::Gone;
            if let Some(up) = &mut edge.up {
                up.cut();
            }
        }
        let gone = self.sim.now() + Duration::from_secs(40);
        self.run_until(gone);
        let up = self.edges.iter().filter_map(|edge| edge.up.as_ref());
        let up: Vec<&String> = up.map(|up| &up.what).collect();
        assert!(up.is_empty(), "goes on after it was cut: {up:#?}");
        for (one, other) in check::pairs_that_finish(self) {
            let mut edge = Edge {
                one,
                other: Other::Peer(other),
                fate: Fate::Kept,
                up: None,
                next: Duration::MAX,
            };
            // A writer that is live takes nothing, so there is nothing to stay for either.
            let live = [false, other == 0 && self.rng.one_in(3)];
            let quality = Quality::whole(&mut self.rng);
            let terms = Terms {
                quality,
                live,
                one_sided: false,
            };
            edge.connect(&self.sim, &mut self.rng, &self.nodes, terms);
            let Some(mut up) = edge.up else { continue };
            let limit = self.sim.now() + Duration::from_secs(600);
            while !up.is_over(self.sim.now()) {
                assert!(self.sim.now() < limit, "doesn't finish: {}", up.what);
                let next = self.sim.now() + Duration::from_secs(1);
                self.run_until(next);
            }
            let finished = |result: &hypercore::Result<hypercore::Session>| {
                result.as_ref().is_ok_and(|session| session.finished)
            };
            let results = up.results();
            assert!(results.iter().all(finished), "{results:?}: {}", up.what);
            check::is_complete(self, one, other);
        }
    }

    /// All feeds are closed.
    fn end(mut self) -> Played {
        for node in &self.nodes {
            node.close();
        }
        self.sim.run_ready();
        self.look_after_wishes();
        assert!(self.wishes.is_empty(), "waits for a closed feed");
        let now = self.sim.now();
        for edge in &mut self.edges {
            edge.fate = Fate::Gone;
            for node in 0..self.nodes.len() {
                let up = edge.up.as_mut();
                up.into_iter().for_each(|up| up.must_be_left_by(node, now));
            }
        }
        self.run_until(now + Duration::from_secs(3));
        // Liars aren't told where a cable is clogged.
        for up in self.edges.iter_mut().filter_map(|edge| edge.up.as_mut()) {
            up.cut();
        }
        self.run_until(now + Duration::from_secs(4));
        let left = self.sim.tasks();
        assert!(
            left.is_empty(),
            "goes on after all feeds are closed: {left:#?}"
        );
        assert_eq!(self.sim.next_timer(), None, "a timer without a task");
        Played {
            peers: self.nodes.len(),
            blocks: self.blocks.len(),
            time: self.sim.now(),
            trace: self.sim.trace(),
            most_memory: self.watch.peak(),
            least_left: self.watch.least_left(),
            most_for_each: self.watch.most_for_each(),
        }
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        if self.aloud {
            eprintln!("{:?}: {}", self.sim.now(), what());
        }
    }

    /// Lets time pass, and tends to connections and calls meanwhile.
    fn run_until(&mut self, then: Duration) {
        loop {
            self.sim.run_ready();
            self.watch.look(&self.edges);
            self.look_after_wishes();
            for node in &self.nodes {
                let diary = lock(&node.diary);
                assert!(diary.wrong.is_empty(), "{:?}", diary.wrong);
            }
            // What was connected just now is to run before time passes.
            if self.tend() {
                continue;
            }
            let next = self.sim.next_timer().unwrap_or(then);
            let edges = self.edges.iter().filter_map(|edge| edge.next_change());
            let next = edges.fold(next, Duration::min).max(self.sim.now());
            if next >= then {
                self.sim.advance_to(then);
                return;
            }
            self.sim.advance_to(next);
        }
    }

    /// Makes the connections that are due, breaks those that are. Says whether there was anything to do.
    fn tend(&mut self) -> bool {
        let now = self.sim.now();
        let mut busy = false;
        for edge in &mut self.edges {
            let rng = &mut self.rng;
            match &mut edge.up {
                Some(up) => {
                    if up.cut_at.is_some_and(|at| at <= now) {
                        up.cut_at = None;
                        up.cut();
                        busy = true;
                    }
                    if up.clog_at.is_some_and(|at| at <= now) {
                        up.clog_at = None;
                        up.clog(true);
                        busy = true;
                    }
                    if up.is_over(now) {
                        if self.aloud {
                            eprintln!("{now:?}: over: {}: {:?}", up.what, up.results());
                        }
                        edge.up = None;
                        let pause = if self.calm { 200 } else { 2_000 };
                        edge.next = now + millis(1 + rng.below(pause));
                        busy = true;
                    }
                }
                None if edge.next <= now && edge.fate != Fate::Gone => {
                    let honest = edge.other != Other::Liar;
                    let quality = match self.calm {
                        _ if self.peaceful => Quality::perfect(rng),
                        true => Quality::whole(rng),
                        false => Quality::bad(rng),
                    };
                    let live = match self.calm && honest {
                        true => [true; 2],
                        false => [!rng.one_in(3), !rng.one_in(3)],
                    };
                    let live = if self.peaceful { [true; 2] } else { live };
                    let one_sided = !self.calm && !self.peaceful;
                    let terms = Terms {
                        quality,
                        live,
                        one_sided,
                    };
                    edge.connect(&self.sim, rng, &self.nodes, terms);
                    if let Some(up) = &mut edge.up {
                        if self.aloud {
                            eprintln!("{now:?}: up: {}", up.what);
                        }
                        let storm = !self.calm && !self.peaceful;
                        if storm && rng.one_in(2) {
                            up.cut_at = Some(now + millis(rng.below(20_000)));
                        }
                        if self.calm && edge.fate == Fate::Stuck {
                            up.clog_at = Some(now + millis(rng.below(3_000)));
                        }
                    }
                    busy = true;
                }
                None => {}
            }
        }
        busy
    }

    /// Takes out the calls that have ended, and looks at what they returned.
    fn look_after_wishes(&mut self) {
        let now = self.sim.now();
        let blocks = &self.blocks;
        self.wishes.retain(|wished| {
            if !wished.task.is_done() {
                let late = matches!(wished.patience, Patience::Until(then) if then < now);
                let late = late && wished.has_timeout();
                assert!(!late, "waits beyond its time: {:?}", wished.wish);
                return true;
            }
            if let Some(result) = wished.task.take() {
                let wrong = wished.judge(&result, blocks);
                assert!(wrong.is_none(), "{wrong:?}");
            }
            false
        });
    }
}

/// Joins the honest peers to one whole, with some edges more than that takes, and liars to some of them.
fn join(rng: &mut Rng, honest: usize, liars: usize) -> Vec<Edge> {
    let mut edges = Vec::new();
    let mut edge = |one: usize, other: Other| {
        edges.push(Edge {
            one,
            other,
            fate: Fate::Kept,
            up: None,
            next: Duration::ZERO,
        });
    };
    for node in 1..honest {
        edge(node, Other::Peer(rng.below(node as u64) as usize));
        if node > 1 && rng.one_in(2) {
            edge(node, Other::Peer(rng.below(node as u64) as usize));
        }
    }
    for _ in 0..liars {
        for _ in 0..1 + rng.below(2) {
            edge(rng.below(honest as u64) as usize, Other::Liar);
        }
    }
    edges
}

impl Edge {
    /// When it is made, or broken.
    fn next_change(&self) -> Option<Duration> {
        match &self.up {
            Some(up) => [up.cut_at, up.clog_at].into_iter().flatten().min(),
            None if self.fate == Fate::Gone => None,
            None => Some(self.next),
        }
    }
}
