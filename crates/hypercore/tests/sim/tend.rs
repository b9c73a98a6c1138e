//! Lets time pass in a world, and looks after its connections and calls meanwhile.

use std::time::Duration;

use hypercore::Hypercore;
use testkit::lock;

use crate::{
    edge::{Edge, Fate, Other, Terms},
    ends::Scene,
    faults::{Quality, millis},
    node::Role,
    plan::{Plan, any_options, willing},
    wishes::Patience,
    world::World,
};

impl World {
    /// Lets time pass, and tends to connections and calls meanwhile.
    pub(crate) fn run_until(&mut self, then: Duration) {
        loop {
            self.sim.run_ready();
            self.watch.look(&self.edges);
            self.look_after_wishes();
            self.look_at_disks();
            for (n, node) in self.nodes.iter().enumerate() {
                let diary = lock(&node.diary);
                assert!(diary.wrong.is_empty(), "{n}: {:?}", diary.wrong);
                drop(diary);
                node.must_ask_none_of_the_shunned();
                if let Some(talk) = &mut self.talk {
                    talk.greet(self.sim.now(), &mut self.rng, &self.nodes, n);
                }
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

    /// Nobody holds a block that a power cut can take from its author.
    fn look_at_disks(&mut self) {
        let now = self.sim.now();
        let nodes = self.nodes.iter_mut();
        nodes.for_each(|node| node.look_at_disk(now));
        // A liar reads in the memory of the author.
        if self.edges.iter().any(|edge| edge.other == Other::Liar) {
            return;
        }
        for (n, node) in self.nodes.iter().enumerate() {
            let writer = &self.nodes[self.feeds[node.copy_of].writer];
            let safe = writer.safe_length().unwrap_or(u64::MAX);
            let known = node.feed.len();
            assert!(
                node.role == Role::Writer || known <= safe,
                "{n} knows of {known} blocks, of which {safe} are safe: {}",
                writer.describe_disk()
            );
        }
    }

    /// Makes the connections that are due, breaks those that are. Says whether there was anything to do.
    fn tend(&mut self) -> bool {
        let mut busy = false;
        for nth in 0..self.edges.len() {
            busy |= match self.edges[nth].up {
                Some(_) => self.tend_to(nth),
                None => self.connect(nth),
            };
        }
        busy
    }

    fn tend_to(&mut self, nth: usize) -> bool {
        let now = self.sim.now();
        let edge = &mut self.edges[nth];
        let Some(up) = &mut edge.up else { return false };
        let mut busy = up.go_on(&self.nodes, now);
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
            edge.next = now + millis(1 + self.rng.below(pause));
            busy = true;
        }
        busy
    }

    fn connect(&mut self, nth: usize) -> bool {
        let now = self.sim.now();
        let edge = &self.edges[nth];
        if edge.next > now || edge.fate == Fate::Gone {
            return false;
        }
        let honest = edge.other != Other::Liar;
        let calm = self.calm || self.peaceful;
        let rng = &mut self.rng;
        let quality = match calm {
            _ if self.peaceful => Quality::perfect(rng),
            true => Quality::whole(rng),
            false => Quality::bad(rng),
        };
        let live = match calm && (honest || self.peaceful) {
            true => [true; 2],
            false => [!rng.one_in(3), !rng.one_in(3)],
        };
        let shares = edge.shares(&self.nodes, self.feeds.len());
        let plan = match edge.only {
            Some(feed) if calm => Plan::of_one(feed, [willing(rng), willing(rng)]),
            Some(feed) => Plan::of_one(feed, [any_options(rng), any_options(rng)]),
            None if calm => Plan::calm(rng, &shares, self.peaceful),
            None => Plan::storm(rng, &shares),
        };
        let terms = Terms {
            quality,
            live,
            plan,
        };
        self.make(nth, terms);
        let edge = &mut self.edges[nth];
        if let Some(up) = &mut edge.up {
            if self.aloud {
                eprintln!("{now:?}: up: {}", up.what);
            }
            if !calm && self.rng.one_in(2) {
                up.cut_at = Some(now + millis(self.rng.below(20_000)));
            }
            if self.calm && edge.fate == Fate::Stuck {
                up.clog_at = Some(now + millis(self.rng.below(3_000)));
            }
        }
        true
    }

    /// Makes the connection of an edge.
    pub(crate) fn make(&mut self, nth: usize, terms: Terms) {
        let truths = self.feeds.iter();
        let truths: Vec<Hypercore> = truths
            .map(|feed| self.nodes[feed.writer].feed.clone())
            .collect();
        let scene = Scene {
            sim: &self.sim,
            nodes: &self.nodes,
            shelves: &self.shelves,
            truths: &truths,
        };
        self.edges[nth].connect(&scene, &mut self.rng, terms);
        if let Some(up) = &self.edges[nth].up {
            let pushing = up.pushing.iter();
            self.pushers
                .extend(pushing.map(|pushing| pushing.public_key));
            if let Some(talk) = &mut self.talk {
                talk.connected(self.sim.now(), up);
            }
        }
    }

    /// Takes out the calls that have ended, and looks at what they returned.
    pub(crate) fn look_after_wishes(&mut self) {
        let now = self.sim.now();
        let (nodes, feeds) = (&self.nodes, &self.feeds);
        self.wishes.retain(|wished| {
            if !wished.task.is_done() {
                let late = matches!(wished.patience, Patience::Until(then) if then < now);
                let late = late && wished.has_timeout();
                assert!(!late, "waits beyond its time: {:?}", wished.wish);
                return true;
            }
            if let Some(result) = wished.task.take() {
                let blocks = &feeds[nodes[wished.node].copy_of].blocks;
                let wrong = wished.judge(&result, blocks);
                assert!(wrong.is_none(), "{wrong:?}");
            }
            false
        });
    }
}

impl Edge {
    /// When it is made, or broken.
    fn next_change(&self) -> Option<Duration> {
        match &self.up {
            Some(up) => [up.cut_at, up.clog_at, up.next_step()]
                .into_iter()
                .flatten()
                .min(),
            None if self.fate == Fate::Gone => None,
            None => Some(self.next),
        }
    }
}
