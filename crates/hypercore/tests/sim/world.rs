//! A world: peers, the feeds that they have copies of, what joins them, and what happens to them, all from one seed.
//!
//! ```text
//! storm      writers append, readers wish, lose blocks and start anew, connections break in every way
//! calm       some connections stay and are whole; now everything that is offered must arrive
//! farewell   connections that are not live end by themselves
//! end        all feeds are closed, and nothing goes on
//! ```
//!
//! Half of the worlds have one feed and two to eight peers, the others up to ten feeds and two to four peers.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use hypercore::{Error, FeedError, KeyPair};
use testkit::{Rng, Sim};

use crate::{
    edge::{Edge, Other, Up},
    faults::millis,
    memory::Watch,
    node::{Node, Role, at_once},
    probe,
    shelf::Shelf,
    talk::Talk,
    wishes::{Patience, Wish, Wished},
};

pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) rng: Rng,
    pub(crate) feeds: Vec<Feed>,
    /// The copies of feeds at honest peers.
    pub(crate) nodes: Vec<Node>,
    /// What each honest peer shares.
    pub(crate) shelves: Vec<Shelf>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) wishes: Vec<Wished>,
    /// What is said in extensions, if anybody has one.
    pub(crate) talk: Option<Talk>,
    /// The keys of all that ever pushed blocks which they didn't claim.
    pub(crate) pushers: BTreeSet<[u8; 32]>,
    /// Whether nothing bad happens: no liars, no faults, nobody changes his mind.
    pub(crate) peaceful: bool,
    pub(crate) watch: Watch,
    pub(crate) calm: bool,
    /// Whether to tell what happens: if only one seed is played.
    pub(crate) aloud: bool,
}

/// A feed as its writer made it.
pub(crate) struct Feed {
    /// Which of the nodes is the writer's.
    pub(crate) writer: usize,
    /// What was appended.
    pub(crate) blocks: Vec<Bytes>,
    /// Whether it can grow.
    pub(crate) is_live: bool,
}

/// How a world was, whose promises were kept.
#[derive(Debug)]
#[allow(dead_code, reason = "shown to whoever plays a single world")]
pub(crate) struct Played {
    pub(crate) feeds: usize,
    pub(crate) copies: usize,
    pub(crate) blocks: usize,
    /// Messages of extensions that came.
    pub(crate) heard: usize,
    pub(crate) time: Duration,
    /// Two runs share it only if they did the same.
    pub(crate) trace: u64,
    pub(crate) most_memory: usize,
    pub(crate) least_left: usize,
    pub(crate) most_for_each: usize,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let watch = Watch::start();
        let mut rng = Rng::new(seed);
        let sim = Sim::new(rng.next_u64());
        let peaceful = rng.one_in(4);
        let (feeds, count) = match rng.one_in(2) {
            true => (1, 2 + rng.below(7) as usize),
            false => (2 + rng.below(9) as usize, 2 + rng.below(3) as usize),
        };
        let liars = match peaceful {
            true => 0,
            false => rng.below(count as u64 / 2 + 1) as usize,
        };
        let peers = (count - liars).max(2);
        let mut world = World {
            edges: join(&mut rng, peers, liars, feeds),
            sim,
            rng,
            feeds: Vec::new(),
            nodes: Vec::new(),
            shelves: (0..peers).map(|_| Shelf::default()).collect(),
            wishes: Vec::new(),
            talk: None,
            pushers: BTreeSet::new(),
            peaceful,
            watch,
            calm: false,
            aloud: std::env::var("SEED").is_ok(),
        };
        world.talk = world.rng.one_in(2).then(Talk::default);
        for feed in 0..feeds {
            world.settle_feed(feed, peers, feeds > 1);
        }
        let nodes = &world.nodes;
        // A liar needs something to lie about, and a connection for one feed needs that feed at both ends.
        world.edges.retain(|edge| {
            edge.other != Other::Liar || nodes.iter().any(|node| node.peer == edge.one)
        });
        for edge in &mut world.edges {
            let shares = edge.shares(nodes, feeds);
            edge.only = edge.only.filter(|feed| shares[*feed] == [true; 2]);
        }
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

    /// Gives a feed its writer, and its readers.
    fn settle_feed(&mut self, feed: usize, peers: usize, one_of_many: bool) {
        let rng = &mut self.rng;
        let first = match one_of_many {
            false => [0, 1, 2, 5, 33, 150][rng.below(6) as usize],
            true => [0, 1, 2, 5, 33][rng.below(5) as usize],
        };
        let home = match one_of_many {
            false => 0,
            true => rng.below(peers as u64) as usize,
        };
        let is_live = !rng.one_in(8);
        let (writer, blocks) = match is_live {
            true => {
                let keys = KeyPair::from_seed(rng.array());
                let writer = Node::new(&self.sim, rng, Role::Writer, &keys);
                (writer, Vec::new())
            }
            false => {
                let mut blocks = any_blocks(rng, first);
                // Whatever is the same has the same key.
                blocks.push(rng.bytes(16).into());
                let writer = Node::finalized(&self.sim, rng, &blocks);
                (writer, blocks)
            }
        };
        let key = writer.feed.key();
        let number = self.nodes.len();
        self.nodes.push(writer.at(home, feed));
        for peer in (0..peers).filter(|peer| *peer != home) {
            if one_of_many && rng.one_in(3) {
                continue;
            }
            let role = if rng.one_in(3) {
                Role::Sparse
            } else {
                Role::Full
            };
            let copy = Node::copy(&self.sim, rng, role, key);
            self.nodes.push(copy.at(peer, feed));
        }
        for node in self.nodes.iter().skip(number) {
            self.shelves[node.peer].put(&node.feed);
        }
        let copies = self.nodes.len() - number;
        self.watch.store(&blocks, copies);
        self.watch.add_copies(copies);
        self.feeds.push(Feed {
            writer: number,
            blocks,
            is_live,
        });
        self.append(feed, first);
        for node in number..self.nodes.len() {
            if let Some(talk) = &mut self.talk {
                talk.begin(&self.sim, &mut self.rng, &self.nodes, node);
            }
        }
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
        match self.rng.below(23) {
            0..4 => self.append_some(),
            4..8 => self.wish(),
            20..23 => self.talk(),
            _ if self.peaceful => {}
            8 | 9 => self.clear_some(),
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
            16 => self.disturb(|up, rng| up.hang_up(rng)),
            17 | 18 => self.switch(),
            _ => self.disturb(|up, _| up.clog(false)),
        }
    }

    /// Something happens that breaks no connection.
    pub(crate) fn stir(&mut self) {
        match self.rng.below(8) {
            0 => self.append_some(),
            1 => self.wish(),
            2 if !self.peaceful => self.clear_some(),
            3 if !self.peaceful => self.switch(),
            _ => self.talk(),
        }
    }

    fn append_some(&mut self) {
        let count = [1, 1, 2, 7, 40][self.rng.below(5) as usize];
        let feed = self.rng.below(self.feeds.len() as u64) as usize;
        self.append(feed, count);
    }

    fn clear_some(&mut self) {
        let node = self.any_node();
        // A writer that loses much leaves little to look at.
        if self.nodes[node].role != Role::Writer || self.rng.one_in(4) {
            let blocks = &self.feeds[self.nodes[node].copy_of].blocks;
            let start = self.rng.below(blocks.len() as u64 + 1);
            let end = start + self.rng.below(10);
            self.tell(|| format!("{node} clears {start}..{end}"));
            self.nodes[node].clear(start..end);
        }
    }

    fn append(&mut self, feed: usize, count: u64) {
        let node = self.feeds[feed].writer;
        if !self.feeds[feed].is_live {
            return;
        }
        let blocks = any_blocks(&mut self.rng, count);
        let length = self.feeds[feed].blocks.len() as u64;
        let appended = at_once(self.nodes[node].feed.append_batch(blocks.clone()));
        if let Err(Error::Feed(FeedError::WriterBehind { seen, .. })) = &appended {
            // A liar that has the author's secret has shown it a longer history.
            assert!(!self.peaceful && *seen > length);
            self.tell(|| format!("not appended to feed {feed}: {seen} are signed"));
            return;
        }
        let numbers = appended.unwrap();
        assert_eq!(numbers.start, length);
        let copies = self.nodes.iter().filter(|node| node.copy_of == feed);
        self.watch.store(&blocks, copies.count());
        self.feeds[feed].blocks.extend(blocks);
        self.tell(|| format!("appended {numbers:?} to feed {feed}"));
    }

    fn wish(&mut self) {
        let node = self.any_node();
        if self.nodes[node].role == Role::Writer {
            return;
        }
        let wish = Wish::any(&mut self.rng, &self.feeds[self.nodes[node].copy_of].blocks);
        let patience = match self.rng.below(4) {
            0 if !self.peaceful => Patience::Until(self.sim.now() + millis(self.rng.below(20_000))),
            1 if !self.peaceful => Patience::WhileAvailable,
            _ => Patience::Forever,
        };
        self.tell(|| format!("{node} wishes {wish:?}, {patience:?}"));
        let wished = wish.make(&self.sim, &self.nodes[node].feed, node, patience);
        self.wishes.push(wished);
    }

    /// Somebody says something, or registers a name for it.
    pub(crate) fn talk(&mut self) {
        let nth = self.rng.below(self.edges.len() as u64) as usize;
        if let Some(up) = &mut self.edges[nth].up {
            up.chat(&self.sim, &mut self.rng);
        }
        if let Some(talk) = &mut self.talk {
            let said = talk.go_on(&self.sim, &mut self.rng, &self.nodes);
            self.tell(|| said);
        }
    }

    /// Somebody stops giving or taking, or starts again: with everybody, or with one peer.
    fn switch(&mut self) {
        let nth = self.any_node();
        let (yes, up) = (self.rng.one_in(2), self.rng.one_in(2));
        let peers = self.nodes[nth].feed.peers();
        let one = match peers.len() as u64 {
            0 => None,
            _ if self.rng.one_in(2) => None,
            many => Some(&peers[self.rng.below(many) as usize]),
        };
        let with = one.map(|peer| peer.id());
        self.tell(|| match up {
            true => format!("{nth} gives: {yes}, {with:?}"),
            false => format!("{nth} takes: {yes}, {with:?}"),
        });
        let node = &mut self.nodes[nth];
        match (one, up) {
            (Some(peer), true) => node.give_to(peer, yes),
            (Some(peer), false) => node.take_from(peer, yes),
            (None, true) => node.set_uploading(yes),
            (None, false) => node.set_downloading(yes),
        }
    }

    /// A peer closes a feed and opens it again.
    fn restart(&mut self) {
        let nth = self.any_node();
        self.tell(|| format!("{nth} restarts"));
        let node = &self.nodes[nth];
        let (peer, feed) = (node.peer, node.copy_of);
        node.close();
        self.sim.run_ready();
        let now = self.sim.now();
        for edge in &mut self.edges {
            // Liars read from the writer.
            let lies = edge.other == Other::Liar;
            if edge.carries(feed)
                && let Some(up) = &mut edge.up
            {
                up.must_be_left_by(peer, now);
                up.disturbed |= lies;
                if self.rng.one_in(2) {
                    let later = now + millis(self.rng.below(3_000));
                    up.add_later(peer, feed, later);
                }
            }
        }
        self.look_after_wishes();
        let waits = self.wishes.iter().find(|wished| wished.node == nth);
        assert!(
            waits.is_none(),
            "waits for a closed feed: {:?}",
            waits.map(|w| &w.wish)
        );
        probe::closed(&self.nodes[nth].feed);
        if let Some(talk) = &mut self.talk {
            talk.closed(nth);
        }
        let node = &mut self.nodes[nth];
        node.reopen(&self.sim, &mut self.rng);
        self.shelves[peer].put(&node.feed);
    }

    fn disturb(&mut self, disturb: impl Fn(&mut Up, &mut Rng)) {
        let nth = self.rng.below(self.edges.len() as u64) as usize;
        if let Some(up) = &mut self.edges[nth].up {
            disturb(up, &mut self.rng);
        }
    }

    fn any_node(&mut self) -> usize {
        self.rng.below(self.nodes.len() as u64) as usize
    }

    pub(crate) fn tell(&self, what: impl FnOnce() -> String) {
        if self.aloud {
            eprintln!("{:?}: {}", self.sim.now(), what());
        }
    }
}

/// Blocks of mixed sizes.
fn any_blocks(rng: &mut Rng, count: u64) -> Vec<Bytes> {
    let blocks = (0..count).map(|_| {
        let len = match rng.below(12) {
            0 | 1 => 0,
            2 => rng.below(20_000),
            _ => rng.below(200),
        };
        Bytes::from(rng.bytes(len as usize))
    });
    blocks.collect()
}

/// Joins the honest peers to one whole, with some edges more than that takes, and liars to some of them.
fn join(rng: &mut Rng, honest: usize, liars: usize, feeds: usize) -> Vec<Edge> {
    let mut edges = Vec::new();
    let mut edge = |rng: &mut Rng, one: usize, other: Other| {
        // Few connections of many feeds are for one of them, most of those of a single feed.
        let only = match feeds {
            1 => !rng.one_in(4),
            _ => rng.one_in(6),
        };
        let only = only.then(|| rng.below(feeds as u64) as usize);
        edges.push(Edge::new(one, other, only));
    };
    for node in 1..honest {
        let other = rng.below(node as u64) as usize;
        edge(rng, node, Other::Peer(other));
        if node > 1 && rng.one_in(2) {
            let other = rng.below(node as u64) as usize;
            edge(rng, node, Other::Peer(other));
        }
    }
    for _ in 0..liars {
        for _ in 0..1 + rng.below(2) {
            let victim = rng.below(honest as u64) as usize;
            edge(rng, victim, Other::Liar);
        }
    }
    edges
}
