//! One replicator among hostile peers: any messages, answers, wishes and times, compared with what was asked for and is
//! stored, and with bounds on growth.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::Duration,
};

use bitfield::RangeSet;
use bytes::Bytes;
use replicate::{
    Action, Config, Limits, Local, Order, Outcome, PeerConfig, PeerId, Replicator, Wish, WishId,
};
use wire::{Cancel, Data, Have, Message, Node, Request, Status, Unhave, Want};

const WINDOW: u64 = 1 << 20;
const MAX_REQUESTS: usize = 4;
const URGENT: usize = 16;

/// The first byte chooses the settings; then each record of six bytes is an event.
pub fn replicate(data: &[u8]) {
    let Some((settings, events)) = data.split_first() else {
        return;
    };
    let mut world = World::new(*settings);
    for event in events.chunks_exact(6).take(512) {
        let [what, who, a1, a0, b1, b0] = *event else {
            return;
        };
        let a = number(u16::from_be_bytes([a1, a0]));
        let b = number(u16::from_be_bytes([b1, b0]));
        world.happen(what, PeerId(u64::from(who % 3)), a, b);
        world.drain();
        world.check();
    }
}

/// Block numbers and lengths that are close together, around the edges of windows, or far out.
fn number(n: u16) -> u64 {
    let low = u64::from(n & 0x0fff);
    match n >> 12 {
        0..=7 => low % 64,
        8..=9 => low,
        10 => low * 8192,
        11 => WINDOW - 32 + low % 64,
        12 => (1 << 32) - 32 + low % 64,
        13 => WINDOW,
        14 => low % 4 * WINDOW,
        _ if low % 8 == 0 => u64::MAX - low,
        _ => (1 << 52) - 64 + low % 65,
    }
}

struct World {
    replicator: Replicator,
    feed: Feed,
    now: Duration,
    peers: BTreeSet<PeerId>,
    /// Requests sent and not answered, by peer; hash requests without their block, because a seek may be answered by any.
    asked: BTreeMap<(PeerId, Option<u64>), u32>,
    stores: Vec<(PeerId, Data)>,
    /// Answers that came too early, and will be handed out once more: their blocks, and whether they came with these.
    kept: BTreeSet<(PeerId, u64, bool)>,
    serves: Vec<(PeerId, Request)>,
    wishes: BTreeMap<WishId, Option<u64>>,
    limits: Limits,
    allow_push: bool,
}

#[derive(Default)]
struct Feed {
    blocks: RangeSet,
    /// All that ever was stored.
    once: RangeSet,
    hashes: RangeSet,
    length: u64,
    /// A longer feed has to be shown to begin with this one.
    strict: bool,
}

impl World {
    fn new(settings: u8) -> Self {
        let limits = Limits {
            runs: 16,
            requests: 4,
            serving: 2,
            ..Limits::default()
        };
        let allow_push = settings & 8 != 0;
        let config = Config {
            allow_push,
            sparse: settings & 1 == 0,
            downloading: settings & 2 == 0,
            uploading: settings & 4 == 0,
            max_requests: MAX_REQUESTS,
            seed: u64::from(settings),
            limits,
            ..Config::default()
        };
        World {
            replicator: Replicator::new(config),
            feed: Feed {
                strict: settings & 8 == 0,
                ..Feed::default()
            },
            now: Duration::ZERO,
            peers: BTreeSet::new(),
            asked: BTreeMap::new(),
            stores: Vec::new(),
            kept: BTreeSet::new(),
            serves: Vec::new(),
            wishes: BTreeMap::new(),
            limits,
            allow_push,
        }
    }

    fn happen(&mut self, what: u8, id: PeerId, a: u64, b: u64) {
        let (now, feed) = (self.now, &mut self.feed);
        let replicator = &mut self.replicator;
        let near = a % 256..a % 256 + b % 16;
        let which = |len: usize| (len > 0).then(|| a as usize % len);
        match what % 24 {
            0 => {
                let config = PeerConfig {
                    live: b.is_multiple_of(2),
                    ack: b.is_multiple_of(3),
                    ..PeerConfig::default()
                };
                self.leave(id);
                self.peers.insert(id);
                self.replicator.add_peer(now, id, config, &self.feed);
            }
            1 => {
                replicator.remove_peer(now, id, feed);
                self.leave(id);
            }
            2 => {
                self.now += Duration::from_millis(b % 30_000);
                replicator.handle_timeout(self.now, feed);
            }
            3 => {
                let blocks = feed.length..feed.length + b % 16;
                feed.add(blocks.clone());
                replicator.handle_appended(now, blocks, feed);
            }
            4 => {
                feed.blocks.remove(near.clone());
                replicator.handle_cleared(now, near.clone(), near, feed);
            }
            5 | 6 => {
                if let Some(n) = which(self.stores.len()) {
                    let (id, data) = self.stores.swap_remove(n);
                    let (block, has_value) = (data.index, data.value.is_some());
                    let understood = match block < feed.length {
                        true => feed.is_linked(block, b % 64),
                        false => feed.proving().contains(&block),
                    };
                    if !understood {
                        if !replicator.handle_unproven(now, id, data, b % 64, feed) {
                            self.kept.insert((id, block, has_value));
                        }
                        return;
                    }
                    feed.store(&data);
                    replicator.handle_stored(now, id, data.index, has_value, feed);
                }
            }
            7 => {
                if let Some(n) = which(self.stores.len()) {
                    let (id, data) = self.stores.swap_remove(n);
                    replicator.handle_refused(now, id, data.index, feed);
                    self.leave(id);
                }
            }
            8 => {
                if let Some(n) = which(self.serves.len()) {
                    let (id, request) = self.serves.swap_remove(n);
                    // An owner that answers at once needn't ask.
                    if b.is_multiple_of(2) && !replicator.begin_serving(id, &request) {
                        return;
                    }
                    match b % 3 {
                        0 => replicator.handle_unserved(id, &request),
                        found => {
                            let found = (found == 1).then_some(request.index);
                            replicator.handle_served(id, &request, found);
                        }
                    }
                }
            }
            9 => {
                let wish = match b % 6 {
                    0 => Wish::Length(a),
                    5 => Wish::Tip(a),
                    1 => Wish::from(near),
                    2 => Wish::Range {
                        blocks: a..u64::MAX,
                        order: Order::Linear,
                    },
                    3 => Wish::Seek {
                        bytes: b,
                        within: near,
                    },
                    _ => Wish::Block(a),
                };
                let block = match wish {
                    Wish::Block(block) => Some(block),
                    _ => None,
                };
                let id = replicator.want(now, wish, feed);
                self.wishes.insert(id, block);
            }
            10 if b % 8 == 7 => replicator.cancel_range(now, near, feed),
            10 => {
                let wish = which(self.wishes.len());
                if let Some(wish) = wish.and_then(|n| self.wishes.keys().nth(n).copied()) {
                    self.wishes.remove(&wish);
                    replicator.cancel(now, wish, feed);
                }
            }
            11 => match b % 8 {
                n @ 0..2 => replicator.set_uploading(now, n == 0, feed),
                n @ 2..4 => replicator.set_downloading(now, n == 2, feed),
                n @ 4..6 => replicator.set_peer_uploading(now, id, n == 4, feed),
                n => replicator.set_peer_downloading(now, id, n == 6, feed),
            },
            // The honest answer to some request.
            12 | 22 | 23 => {
                let open = self.asked.iter().filter(|(_, count)| **count > 0);
                let open: Vec<(PeerId, Option<u64>)> = open.map(|(key, _)| *key).collect();
                if let Some((id, block)) = which(open.len()).and_then(|n| open.get(n)) {
                    let data = answer(block.unwrap_or(b), block.is_some(), feed.length);
                    replicator.handle_message(now, *id, Message::Data(data), feed);
                }
            }
            kind => {
                let message = message(kind, a, b, feed.length);
                replicator.handle_message(now, id, message, feed);
            }
        }
    }

    fn drain(&mut self) {
        let mut count = 0;
        while let Some(action) = self.replicator.poll_action() {
            count += 1;
            self.perform(action);
        }
        let feed = &self.feed;
        self.kept
            .retain(|(_, block, has_value)| !has_value || !feed.has(*block));
        // For each peer: a window of requests, a window of Wants, answers to Wants, news of up to some 300 single blocks.
        assert!(count < 2000, "{count} actions at once");
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Send { peer, message } => {
                assert!(self.peers.contains(&peer), "a message for nobody");
                self.look_at(peer, &message);
            }
            Action::Serve { peer, request } => {
                // It may have been cleared while the request waited.
                let stored = self.feed.once.contains(request.index);
                assert!(request.bytes() > 0 || request.hash() || stored);
                self.serves.push((peer, request));
                let serving = self.serves.iter().filter(|(id, _)| *id == peer).count();
                // Those of a peer that stopped and started listening are counted anew.
                assert!(serving <= 512 * self.limits.serving);
            }
            Action::Store { peer, data } => {
                let (block, has_value) = (data.index, data.value.is_some());
                if !self.kept.remove(&(peer, block, has_value)) {
                    let asked = self.asked.entry((peer, has_value.then_some(block)));
                    let asked = asked.or_default();
                    // Hashes are taken whoever thought of them.
                    assert!(
                        *asked > 0 || !has_value || self.allow_push,
                        "nobody asked for it"
                    );
                    *asked = asked.saturating_sub(1);
                }
                assert!(data.value.is_none() || !self.feed.has(data.index));
                let twice = |(_, other): &(PeerId, Data)| {
                    other.index == data.index && other.value.is_some() == data.value.is_some()
                };
                assert!(!self.stores.iter().any(twice), "it is being stored");
                self.stores.push((peer, data));
            }
            Action::Resolved { wish, outcome } => {
                // A wish that is fulfilled at once is resolved before its number is known here.
                if let Some(Some(block)) = self.wishes.remove(&wish)
                    && outcome != Outcome::Cancelled
                {
                    assert_eq!(outcome, Outcome::Stored);
                    assert!(self.feed.has(block));
                }
            }
            Action::Close { peer } | Action::Disconnect { peer, .. } => {
                assert!(self.peers.contains(&peer), "it was gone");
                self.leave(peer);
            }
            Action::Acknowledged { block, .. } => assert!(self.feed.has(block)),
            _ => {}
        }
    }

    fn look_at(&mut self, peer: PeerId, message: &Message) {
        match message {
            Message::Request(request) => {
                assert!(request.hash() || !self.feed.has(request.index));
                assert!(request.index < 1 << 32, "nobody has that");
                let key = (peer, (!request.hash()).then_some(request.index));
                *self.asked.entry(key).or_default() += 1;
            }
            Message::Have(have) if have.bitfield.is_none() && !have.ack() => {
                let end = have.start + have.length();
                assert!(
                    self.feed.has_all(have.start..end),
                    "what is announced is there"
                );
            }
            Message::Have(have) => {
                let len = have.bitfield.as_ref().map_or(0, |bits| bits.len());
                assert!(len <= (WINDOW / 8 + 8) as usize);
            }
            Message::Open(_) | Message::Data(_) | Message::Close(_) | Message::Extension(_) => {
                panic!("that is said by others")
            }
            _ => {}
        }
    }

    fn check(&self) {
        for (id, peer) in self.replicator.peers() {
            assert!(self.peers.contains(&id));
            let unanswered = self.replicator.requested_from(id).len();
            assert!(unanswered <= MAX_REQUESTS + URGENT);
            // Hashes that nobody asked for may be stored beside.
            let kept = self.kept.iter().filter(|(peer, ..)| *peer == id).count();
            assert!(kept <= 16 && peer.requested <= unanswered + self.stores.len() + kept);
            assert!(peer.serving <= 8 * self.limits.requests);
            assert!(peer.remote_length <= self.limits.max_length);
        }
        assert_eq!(self.replicator.peers().count(), self.peers.len());
    }

    /// The peer is gone, with all that was under way.
    fn leave(&mut self, id: PeerId) {
        self.peers.remove(&id);
        self.asked.retain(|(peer, _), _| *peer != id);
        self.stores.retain(|(peer, _)| *peer != id);
        self.kept.retain(|(peer, ..)| *peer != id);
        self.serves.retain(|(peer, _)| *peer != id);
    }
}

/// Messages whose numbers are anything.
fn message(kind: u8, a: u64, b: u64, length: u64) -> Message {
    let flag = |n: u64| Some(b & (1 << n) != 0);
    match kind {
        13 | 14 => Message::Have(Have {
            start: a,
            length: Some(b),
            bitfield: None,
            ack: None,
        }),
        15 => Message::Have(Have {
            start: a - a % 8,
            length: Some(WINDOW),
            bitfield: Some(match b % 8 {
                0 => Bytes::copy_from_slice(&b.to_le_bytes()),
                _ => wire::rle_encode(&b.to_le_bytes()).into(),
            }),
            ack: flag(0),
        }),
        16 => Message::Unhave(Unhave {
            start: a,
            length: Some(b),
        }),
        17 => Message::Want(Want {
            start: a - a % 8192,
            length: Some(b),
        }),
        18 => Message::Request(Request {
            index: a,
            bytes: Some(b % 4),
            hash: flag(7),
            nodes: None,
        }),
        19 => Message::Cancel(Cancel {
            index: a,
            bytes: None,
            hash: flag(7),
        }),
        20 => Message::Status(Status {
            uploading: flag(0),
            downloading: flag(1),
        }),
        _ => Message::Data(match b % 16 {
            0 => Data {
                nodes: Vec::new(),
                ..answer(a, false, length)
            },
            _ => answer(a, !b.is_multiple_of(4), length),
        }),
    }
}

/// Data that tells a length, where real ones carry proof of it.
fn answer(block: u64, has_value: bool, length: u64) -> Data {
    Data {
        index: block,
        value: has_value.then(Bytes::new),
        nodes: vec![Node {
            index: 0,
            hash: [0; 32],
            size: length.max(block.saturating_add(1)).min(1 << 20),
        }],
        signature: None,
    }
}

impl Feed {
    fn add(&mut self, blocks: Range<u64>) {
        self.blocks.insert(blocks.clone());
        self.once.insert(blocks.clone());
        self.hashes.insert(blocks.clone());
        self.length = self.length.max(blocks.end);
    }

    fn store(&mut self, data: &Data) {
        let block = data.index..data.index + 1;
        self.hashes.insert(block.clone());
        if data.value.is_some() {
            self.blocks.insert(block.clone());
            self.once.insert(block);
        }
        if let Some(node) = data.nodes.first() {
            self.length = self.length.max(node.size).max(data.index + 1);
        }
    }
}

impl Local for Feed {
    fn length(&self) -> u64 {
        self.length
    }

    fn has(&self, block: u64) -> bool {
        self.blocks.contains(block)
    }

    fn has_all(&self, blocks: Range<u64>) -> bool {
        self.blocks.contains_all(blocks)
    }

    fn next_missing(&self, from: u64) -> u64 {
        self.blocks.next_out(from)
    }

    fn has_node_of(&self, block: u64) -> bool {
        self.hashes.contains(block)
    }

    fn digest(&self, _: u64) -> u64 {
        0
    }

    fn proving(&self) -> Range<u64> {
        match self.length {
            length if self.strict && length > 0 => length..length + (1 << length.trailing_zeros()),
            length => length..u64::MAX,
        }
    }

    fn is_linked(&self, block: u64, length: u64) -> bool {
        !self.strict || length >= self.length || self.hashes.contains(block ^ 1)
    }

    fn have_bits(&self, start: u64, out: &mut [u8]) {
        out.fill(0);
        let end = start.saturating_add(8 * out.len() as u64);
        for block in self.blocks.intersection(start..end).flatten() {
            let bit = block - start;
            if let Some(byte) = out.get_mut((bit / 8) as usize) {
                *byte |= 128 >> (bit % 8);
            }
        }
    }
}
