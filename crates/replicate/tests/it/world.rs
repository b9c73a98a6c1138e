//! A few replicators, joined by links that keep the order of each direction and nothing else. Time is virtual.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use hypercore_replicate::{Action, Config, Error, Outcome, PeerConfig, PeerId, Replicator, WishId};
use testkit::Rng;
use wire::{Close, Data, Message, Request};

use crate::model::Model;

pub(crate) struct World {
    pub(crate) now: Duration,
    pub(crate) nodes: Vec<Node>,
    pub(crate) links: Vec<Link>,
    rng: Rng,
    /// Nothing may be in flight twice. Off where peers let us wait.
    pub(crate) strict: bool,
}

pub(crate) struct Node {
    pub(crate) replicator: Replicator,
    pub(crate) feed: Model,
    /// Requests are taken but never answered.
    pub(crate) silent: bool,
    pub(crate) resolved: BTreeMap<WishId, Outcome>,
    pub(crate) acknowledged: Vec<u64>,
    pub(crate) requested: u64,
    /// Answers that weren't understood.
    pub(crate) left_aside: u64,
    in_flight: BTreeMap<(u64, bool), u32>,
    serves: Vec<(PeerId, Request)>,
    stores: Vec<(PeerId, Data)>,
}

pub(crate) struct Link {
    pub(crate) ends: [usize; 2],
    queues: [VecDeque<Message>; 2],
    /// Everything that was sent, by the index of the sender in `ends`.
    pub(crate) log: Vec<(usize, Message)>,
    pub(crate) closed: [bool; 2],
    pub(crate) error: Option<Error>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let seed = testkit::seed(seed);
        // Shown if the test fails; `SEED=` replays it.
        eprintln!("SEED={seed}");
        World {
            now: Duration::ZERO,
            nodes: Vec::new(),
            links: Vec::new(),
            rng: Rng::new(seed),
            strict: true,
        }
    }

    pub(crate) fn writer(&mut self, length: u64) -> usize {
        let config = Config {
            downloading: false,
            ..Config::default()
        };
        self.add(config, Model::full(length))
    }

    pub(crate) fn reader(&mut self) -> usize {
        self.add(Config::default(), Model::default())
    }

    pub(crate) fn add(&mut self, config: Config, feed: Model) -> usize {
        let seed = self.rng.next_u64();
        self.nodes.push(Node {
            replicator: Replicator::new(Config { seed, ..config }),
            feed,
            silent: false,
            resolved: BTreeMap::new(),
            acknowledged: Vec::new(),
            requested: 0,
            left_aside: 0,
            in_flight: BTreeMap::new(),
            serves: Vec::new(),
            stores: Vec::new(),
        });
        self.nodes.len() - 1
    }

    /// Joins two nodes for good (`live`) or until both have what they want.
    pub(crate) fn join(&mut self, a: usize, b: usize, live: bool) -> usize {
        let config = PeerConfig {
            live,
            ..PeerConfig::default()
        };
        self.join_with(a, b, config)
    }

    pub(crate) fn join_with(&mut self, a: usize, b: usize, config: PeerConfig) -> usize {
        self.join_each(a, b, [config.clone(), config])
    }

    /// Joins two nodes that don't agree on how.
    pub(crate) fn join_each(&mut self, a: usize, b: usize, configs: [PeerConfig; 2]) -> usize {
        let link = self.links.len();
        self.links.push(Link {
            ends: [a, b],
            queues: Default::default(),
            log: Vec::new(),
            closed: [false; 2],
            error: None,
        });
        for (node, config) in [a, b].into_iter().zip(configs) {
            let id = PeerId(link as u64);
            self.tell(node, |node, now| {
                node.replicator.add_peer(now, id, config, &node.feed);
            });
        }
        link
    }

    /// The connection breaks; what was under way is lost.
    pub(crate) fn cut(&mut self, link: usize) {
        let ends = self.links[link].ends;
        self.links[link].queues = Default::default();
        self.links[link].closed = [true; 2];
        for node in ends {
            self.leave(node, link);
        }
    }

    pub(crate) fn want(
        &mut self,
        node: usize,
        wish: impl Into<hypercore_replicate::Wish>,
    ) -> WishId {
        self.tell(node, |node, now| {
            node.replicator.want(now, wish, &node.feed)
        })
    }

    pub(crate) fn append(&mut self, node: usize, count: u64) {
        self.tell(node, |node, now| {
            let blocks = node.feed.append(count);
            node.replicator.handle_appended(now, blocks, &node.feed);
        });
    }

    pub(crate) fn clear(&mut self, node: usize, blocks: std::ops::Range<u64>) {
        self.tell(node, |node, now| {
            node.feed.clear(blocks.clone());
            node.replicator
                .handle_cleared(now, blocks.clone(), blocks, &node.feed);
        });
    }

    /// Does something to a node, then all that follows from it at once.
    pub(crate) fn tell<T>(&mut self, node: usize, act: impl FnOnce(&mut Node, Duration) -> T) -> T {
        let told = act(&mut self.nodes[node], self.now);
        while let Some(action) = self.nodes[node].replicator.poll_action() {
            self.perform(node, action);
        }
        told
    }

    /// Lets things happen in random order until nothing more happens without time passing.
    pub(crate) fn settle(&mut self) {
        for _ in 0..5_000_000 {
            if !self.step() {
                return;
            }
        }
        panic!("the world doesn't come to rest");
    }

    /// The same, with time passing up to a moment.
    pub(crate) fn run_until(&mut self, end: Duration) {
        loop {
            self.settle();
            let deadlines = self.nodes.iter().map(|node| node.replicator.poll_timeout());
            let Some(next) = deadlines.flatten().min().filter(|next| *next <= end) else {
                self.now = end;
                return;
            };
            assert!(next >= self.now || next < self.now + Duration::from_millis(1));
            self.now = self.now.max(next);
            for node in 0..self.nodes.len() {
                self.tell(node, |node, now| {
                    node.replicator.handle_timeout(now, &node.feed);
                });
            }
        }
    }

    /// Everything that a node has sent over a link.
    pub(crate) fn said(&self, link: usize, node: usize) -> Vec<&Message> {
        let link = &self.links[link];
        let side = link.ends.iter().position(|end| *end == node).unwrap();
        let said = link.log.iter().filter(|(sender, _)| *sender == side);
        said.map(|(_, message)| message).collect()
    }

    /// One random thing that can happen now.
    pub(crate) fn step(&mut self) -> bool {
        let mut choices = Vec::new();
        for (n, link) in self.links.iter().enumerate() {
            for side in 0..2 {
                if !link.queues[side].is_empty() {
                    choices.push(Choice::Deliver(n, side));
                }
            }
        }
        for (n, node) in self.nodes.iter().enumerate() {
            if !node.serves.is_empty() && !node.silent {
                choices.push(Choice::Serve(n));
            }
            if !node.stores.is_empty() {
                choices.push(Choice::Store(n));
            }
        }
        if choices.is_empty() {
            return false;
        }
        match choices.swap_remove(self.rng.below(choices.len() as u64) as usize) {
            Choice::Deliver(link, side) => self.deliver(link, side),
            Choice::Serve(node) => self.serve(node),
            Choice::Store(node) => self.store(node),
        }
        true
    }

    fn deliver(&mut self, link: usize, side: usize) {
        let message = self.links[link].queues[side].pop_front().unwrap();
        let to = self.links[link].ends[1 - side];
        if let Message::Close(_) = message {
            self.links[link].closed[1 - side] = true;
            self.leave(to, link);
            return;
        }
        if let Message::Data(data) = &message {
            let key = (data.index, data.value.is_some());
            if let Some(count) = self.nodes[to].in_flight.get_mut(&key) {
                *count = count.saturating_sub(1);
            }
        }
        if let Message::Unhave(unhave) = &message {
            // What was asked for won't come.
            for has_value in [true, false] {
                self.nodes[to].in_flight.remove(&(unhave.start, has_value));
            }
        }
        self.tell(to, |node, now| {
            let id = PeerId(link as u64);
            node.replicator.handle_message(now, id, message, &node.feed);
        });
    }

    fn serve(&mut self, node: usize) {
        let count = self.nodes[node].serves.len() as u64;
        let which = self.rng.below(count) as usize;
        let (id, request) = self.nodes[node].serves.swap_remove(which);
        if !self.tell(node, |node, _| node.replicator.begin_serving(id, &request)) {
            return;
        }
        let answer = self.nodes[node].feed.answer(&request);
        let served = answer.is_some();
        if let Some(data) = answer {
            self.send(node, id, Message::Data(data));
        }
        self.tell(node, |node, _| match served {
            true => node.replicator.handle_served(id, &request, None),
            false => node.replicator.handle_unserved(id, &request),
        });
    }

    fn store(&mut self, node: usize) {
        let count = self.nodes[node].stores.len() as u64;
        let which = self.rng.below(count) as usize;
        self.tell(node, |node, now| {
            let (id, data) = node.stores.swap_remove(which);
            let has_value = data.value.is_some();
            if !node.feed.understands(&data) {
                let signed = data.nodes[0].size;
                let lost = node
                    .replicator
                    .handle_unproven(now, id, data, signed, &node.feed);
                node.left_aside += u64::from(lost);
                return;
            }
            node.feed.store(&data);
            node.replicator
                .handle_stored(now, id, data.index, has_value, &node.feed);
        });
    }

    fn perform(&mut self, node: usize, action: Action) {
        match action {
            Action::Send { peer, message } => {
                if let Message::Request(request) = &message {
                    self.note_request(node, request);
                }
                if let Message::Cancel(cancel) = &message {
                    // It may be answered or not, and may be asked for again.
                    let asked = (cancel.index, !cancel.hash());
                    self.nodes[node].in_flight.remove(&asked);
                }
                self.send(node, peer, message);
            }
            Action::Serve { peer, request } => self.nodes[node].serves.push((peer, request)),
            Action::Store { peer, data } => self.nodes[node].stores.push((peer, data)),
            Action::Acknowledged { block, .. } => self.nodes[node].acknowledged.push(block),
            Action::Announced { .. } => {}
            Action::Resolved { wish, outcome } => {
                let before = self.nodes[node].resolved.insert(wish, outcome);
                assert_eq!(before, None, "a wish resolves once");
            }
            Action::Close { peer } => {
                self.send(
                    node,
                    peer,
                    Message::Close(Close {
                        discovery_key: None,
                    }),
                );
                let link = &mut self.links[peer.0 as usize];
                let side = link.ends.iter().position(|end| *end == node).unwrap();
                link.closed[side] = true;
            }
            Action::Disconnect { peer, error } => {
                self.cut(peer.0 as usize);
                self.links[peer.0 as usize].error = Some(error);
            }
            _ => panic!("an action that the world doesn't know"),
        }
    }

    /// A request never is for what is stored, nor for what is asked for already.
    fn note_request(&mut self, node: usize, request: &Request) {
        let node = &mut self.nodes[node];
        node.requested += 1;
        let block = request.index;
        if !request.hash() {
            assert!(!node.feed.blocks.contains(block), "block {block} is stored");
        }
        let storing = node.stores.iter().any(|(_, data)| data.index == block);
        let count = node.in_flight.entry((block, !request.hash())).or_default();
        *count += 1;
        if self.strict {
            assert!(!storing, "block {block} is being stored");
            assert_eq!(*count, 1, "block {block} is asked for twice");
        }
    }

    fn send(&mut self, node: usize, peer: PeerId, message: Message) {
        let link = &mut self.links[peer.0 as usize];
        let side = link.ends.iter().position(|end| *end == node).unwrap();
        if !link.closed[side] && link.error.is_none() {
            link.log.push((side, message.clone()));
            link.queues[side].push_back(message);
        }
    }

    fn leave(&mut self, node: usize, link: usize) {
        let id = PeerId(link as u64);
        // What was asked for over this link may be asked for again.
        let side = self.links[link]
            .ends
            .iter()
            .position(|end| *end == node)
            .unwrap();
        for (sender, message) in &self.links[link].log {
            if let (true, Message::Request(request)) = (*sender == side, message) {
                self.nodes[node]
                    .in_flight
                    .remove(&(request.index, !request.hash()));
            }
        }
        self.tell(node, |node, now| {
            node.serves.retain(|(peer, _)| *peer != id);
            node.stores.retain(|(peer, _)| *peer != id);
            node.replicator.remove_peer(now, id, &node.feed);
        });
    }
}

enum Choice {
    Deliver(usize, usize),
    Serve(usize),
    Store(usize),
}
