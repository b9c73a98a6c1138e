//! Messages of extensions between the copies of a world, and whether they arrive as they should.
//!
//! What is sent to a peer that has the extension, over a connection that stays up and changes nothing, arrives once, in order, and
//! under the right name, whoever registers and drops which names meanwhile. On any other connection it may be lost, but never
//! comes twice, out of order, or under another name.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_lite::StreamExt;
use hypercore::{Error, Extension, Messages, PeerId, Result, Utf8};
use testkit::{Rng, Sim, Task, lock};

use crate::{
    edge::{Edge, Fate, Other, Up},
    node::{Diary, Node},
};

/// In no order, some of them in another one as UTF-16 than as UTF-8.
const NAMES: [&str; 9] = ["b", "chat", "", "\u{ffee}", "😀", "a", "ü", "7", "Chat"];

/// After this time everybody knows of a name.
const LONG_AGO: Duration = Duration::from_secs(30);

/// All that is said in a world.
#[derive(Default)]
pub(crate) struct Talk {
    extensions: Vec<Registered>,
    sent: Vec<Sent>,
    heard: Arc<Mutex<Vec<Heard>>>,
    /// The ends of all connections between honest peers, by the keys by which they know one another.
    ends: BTreeMap<[u8; 32], Known>,
    registrations: u64,
    /// When it is now, as far as anybody has said.
    now: Duration,
}

/// An end of a connection, as the other one knows it.
#[derive(Clone, Copy)]
struct Known {
    peer: usize,
    other: [u8; 32],
    /// When the connection was made.
    since: Duration,
    /// Whether the cable changes nothing.
    is_true: bool,
}

/// An extension at a copy of a feed.
struct Registered {
    number: u64,
    since: Duration,
    node: usize,
    name: &'static str,
    extension: Extension<Utf8>,
    listener: Task<()>,
}

struct Sent {
    from: usize,
    life: u64,
    by: u64,
    name: &'static str,
    to: Vec<To>,
}

/// Whom a message is for.
struct To {
    peer: PeerId,
    end: [u8; 32],
    /// The copy there, and the registration that it has for the name.
    receiver: (usize, u64),
}

struct Heard {
    at: usize,
    life: u64,
    by: u64,
    name: &'static str,
    from: PeerId,
    diary: Arc<Mutex<Diary>>,
    /// None if it couldn't be decoded.
    text: Option<String>,
}

impl Talk {
    /// A connection was made: both its ends can be told by their keys.
    pub(crate) fn connected(&mut self, now: Duration, up: &Up) {
        self.now = now;
        let [one, other] = &up.ends[..] else { return };
        for (end, other) in [(one, other), (other, one)] {
            let known = Known {
                peer: end.peer,
                other: other.public_key,
                since: now,
                is_true: up.quality.is_true(),
            };
            self.ends.insert(end.public_key, known);
        }
    }

    /// A copy begins with a few extensions.
    pub(crate) fn begin(&mut self, sim: &Sim, rng: &mut Rng, nodes: &[Node], node: usize) {
        for _ in 0..rng.below(4) {
            self.register(sim, rng, nodes, node);
        }
    }

    /// Those that have just come are told something at once: mostly before they have told what they can hear.
    pub(crate) fn greet(&mut self, now: Duration, rng: &mut Rng, nodes: &[Node], node: usize) {
        self.now = now;
        let newcomers = std::mem::take(&mut lock(&nodes[node].diary).newcomers);
        for peer in newcomers {
            for nth in 0..self.extensions.len() {
                if self.extensions[nth].node == node && rng.one_in(2) {
                    // One that has gone again hears nothing.
                    let _ = self.say(nodes, nth, &[peer]);
                }
            }
        }
    }

    /// Somebody registers an extension, drops one, or says something.
    pub(crate) fn go_on(&mut self, sim: &Sim, rng: &mut Rng, nodes: &[Node]) -> String {
        self.now = sim.now();
        let node = rng.below(nodes.len() as u64) as usize;
        match rng.below(5) {
            0 => self.register(sim, rng, nodes, node),
            1 if rng.one_in(3) => self.forget(rng),
            2 => self.broadcast(rng, nodes),
            _ => self.send(rng, nodes),
        }
    }

    /// What was registered at a copy is gone with the feed, which was closed.
    pub(crate) fn closed(&mut self, node: usize) {
        let gone = self
            .extensions
            .extract_if(.., |registered| registered.node == node);
        for registered in gone {
            assert!(registered.listener.is_done(), "listens to a closed feed");
            let sent = registered.extension.broadcast("");
            assert!(matches!(sent, Err(Error::Closed)), "{sent:?}");
        }
    }

    /// Each extension says something to each peer: those that have it too must be known to, and those that don't as well.
    pub(crate) fn last_words(&mut self, nodes: &[Node], edges: &[Edge]) {
        for nth in 0..self.extensions.len() {
            let Registered { node, name, .. } = self.extensions[nth];
            for peer in nodes[node].feed.peers() {
                let end = peer.remote_public_key().filter(|end| stays(edges, *end));
                let Some(copy) = end.and_then(|end| self.copy_at(nodes, end, node)) else {
                    continue;
                };
                let has = self.number_of(copy, name).is_some();
                let has_others = self.extensions.iter().any(|known| known.node == copy);
                let sent = self.say(nodes, nth, &[peer.id()]);
                assert!(sent.is_ok() || !has, "{copy} has {name:?}, {sent:?}");
                assert!(
                    sent.is_err() || has || !has_others,
                    "{copy} has no {name:?}"
                );
            }
        }
    }

    /// # Panics
    /// If something came that shouldn't have, or didn't although it should.
    pub(crate) fn judge(&self, nodes: &[Node], edges: &[Edge]) {
        let mut come = BTreeSet::new();
        let mut last = BTreeMap::new();
        for heard in lock(&self.heard).iter() {
            let key = lock(&heard.diary).keys.get(&heard.from).copied().flatten();
            // Of a liar, or over a connection without a handshake, anything may come.
            let Some(end) = key.and_then(|key| self.ends.get(&key)) else {
                continue;
            };
            if !end.is_true {
                continue;
            }
            let text = heard.text.as_deref().unwrap();
            let number: usize = text.parse().unwrap();
            let sent = &self.sent[number];
            let what = format!("{:?} of {} at {}", sent.name, sent.from, heard.at);
            assert_eq!(sent.name, heard.name, "the name of {what}");
            let (from, at) = (&nodes[sent.from], &nodes[heard.at]);
            assert_eq!((from.peer, from.copy_of), (end.peer, at.copy_of), "{what}");
            assert!(come.insert((number, end.other)), "came twice: {what}");
            let before = last.insert((heard.at, heard.life, heard.from, heard.by), number);
            assert!(before < Some(number), "out of order: {what}");
        }
        for (number, sent) in self.sent.iter().enumerate() {
            for to in &sent.to {
                let came = come.contains(&(number, to.end));
                assert!(
                    came || !self.must_come(sent, to, nodes, edges),
                    "{number}, {:?} of {}, didn't come to {:?}",
                    sent.name,
                    sent.from,
                    to.receiver
                );
            }
        }
    }

    /// How many messages came.
    pub(crate) fn heard(&self) -> usize {
        lock(&self.heard).len()
    }

    fn must_come(&self, sent: &Sent, to: &To, nodes: &[Node], edges: &[Edge]) -> bool {
        let from = &nodes[sent.from];
        let mut peers = from.feed.peers().into_iter();
        let registered = |node: usize, number: u64| {
            let mut all = self.extensions.iter();
            all.any(|known| known.node == node && known.number == number)
        };
        // Liars know this name too, and say so much that messages are lost.
        let flooded = sent.name == "7" && edges.iter().any(|edge| edge.other == Other::Liar);
        stays(edges, to.end)
            && !flooded
            && from.life == sent.life
            && peers.any(|peer| peer.id() == to.peer)
            && registered(sent.from, sent.by)
            && registered(to.receiver.0, to.receiver.1)
    }

    fn register(&mut self, sim: &Sim, rng: &mut Rng, nodes: &[Node], node: usize) -> String {
        let name = NAMES[rng.below(NAMES.len() as u64) as usize];
        let (at, feed) = (&nodes[node], &nodes[node].feed);
        let taken = self.number_of(node, name).is_some();
        match feed.extension(name, Utf8) {
            Ok(extension) => {
                assert!(!taken, "{name:?} is registered twice");
                self.registrations += 1;
                let number = self.registrations;
                let like = Heard {
                    at: node,
                    life: at.life,
                    by: number,
                    name,
                    from: PeerId(0),
                    diary: Arc::clone(&at.diary),
                    text: None,
                };
                let listening = listen(extension.messages(), like, Arc::clone(&self.heard));
                self.extensions.push(Registered {
                    number,
                    since: sim.now(),
                    node,
                    name,
                    extension,
                    listener: sim.spawn(format!("a listener of {node}"), listening),
                });
            }
            Err(Error::DuplicateExtension { .. }) => assert!(taken),
            Err(error) => panic!("{error}"),
        }
        format!("{node} registers {name:?}")
    }

    fn forget(&mut self, rng: &mut Rng) -> String {
        if self.extensions.is_empty() {
            return String::new();
        }
        let nth = rng.below(self.extensions.len() as u64) as usize;
        let gone = self.extensions.swap_remove(nth);
        format!("{} drops {:?}", gone.node, gone.name)
    }

    fn send(&mut self, rng: &mut Rng, nodes: &[Node]) -> String {
        if self.extensions.is_empty() {
            return String::new();
        }
        let nth = rng.below(self.extensions.len() as u64) as usize;
        let node = self.extensions[nth].node;
        let peers = nodes[node].feed.peers();
        if peers.is_empty() {
            return String::new();
        }
        let peer = peers[rng.below(peers.len() as u64) as usize].id();
        let sent = self.say(nodes, nth, &[peer]);
        format!("{node} says {:?}: {sent:?}", self.extensions[nth].name)
    }

    fn broadcast(&mut self, rng: &mut Rng, nodes: &[Node]) -> String {
        if self.extensions.is_empty() {
            return String::new();
        }
        let nth = rng.below(self.extensions.len() as u64) as usize;
        let node = self.extensions[nth].node;
        let peers: Vec<PeerId> = nodes[node]
            .feed
            .peers()
            .iter()
            .map(|peer| peer.id())
            .collect();
        let sent = self.say(nodes, nth, &peers);
        format!("{node} shouts {:?}: {sent:?}", self.extensions[nth].name)
    }

    /// Sends a message to one peer, or else to all.
    fn say(&mut self, nodes: &[Node], nth: usize, peers: &[PeerId]) -> Result<()> {
        let registered = &self.extensions[nth];
        let from = &nodes[registered.node];
        let text = self.sent.len().to_string();
        let mut to: Vec<To> = Vec::new();
        for peer in from.feed.peers() {
            let Some(end) = peer
                .remote_public_key()
                .filter(|_| peers.contains(&peer.id()))
            else {
                continue;
            };
            let copy = self.copy_at(nodes, end, registered.node);
            let receiver =
                copy.and_then(|copy| Some((copy, self.heard_of(copy, registered.name, end)?)));
            to.extend(receiver.map(|receiver| To {
                peer: peer.id(),
                end,
                receiver,
            }));
        }
        let sent = match peers {
            [peer] => registered.extension.send(text, *peer),
            // Whoever hasn't been told of the name yet is left out.
            all => registered.extension.broadcast(text).map(|count| {
                if count < all.len() {
                    to.clear();
                }
            }),
        };
        match sent {
            Err(Error::UnsupportedExtension { .. } | Error::NoPeer) | Ok(()) => {}
            Err(error) => panic!("{error}"),
        }
        self.sent.push(Sent {
            from: registered.node,
            life: from.life,
            by: registered.number,
            name: registered.name,
            to: if sent.is_ok() { to } else { Vec::new() },
        });
        sent
    }

    /// The copy of the feed of a node at an end of a connection.
    fn copy_at(&self, nodes: &[Node], end: [u8; 32], of: usize) -> Option<usize> {
        let (known, feed) = (self.ends.get(&end)?, nodes[of].copy_of);
        let mut copies = nodes.iter();
        copies.position(|node| node.peer == known.peer && node.copy_of == feed)
    }

    /// The registration of a name at a copy, if it was the first that was told over a connection, was told long ago, or has heard
    /// something over that connection. Otherwise a message may wait for names among which this one isn't yet.
    fn heard_of(&self, node: usize, name: &str, end: [u8; 32]) -> Option<u64> {
        let Known {
            since: made,
            other: sender,
            ..
        } = *self.ends.get(&end)?;
        let mut all = self.extensions.iter();
        let known = all.find(|known| known.node == node && known.name == name)?;
        let told = known.since < made
            || known.since + LONG_AGO < self.now
            || self.has_heard(known.number, sender);
        told.then_some(known.number)
    }

    /// Whether anything has come to a registration over a connection, by the sender's key.
    fn has_heard(&self, number: u64, sender: [u8; 32]) -> bool {
        let heard = lock(&self.heard);
        let mut heard = heard.iter().filter(|heard| heard.by == number);
        heard.any(|heard| lock(&heard.diary).keys.get(&heard.from) == Some(&Some(sender)))
    }

    /// The registration of a name at a copy.
    fn number_of(&self, node: usize, name: &str) -> Option<u64> {
        let mut all = self.extensions.iter();
        let found = all.find(|known| known.node == node && known.name == name);
        found.map(|known| known.number)
    }
}

/// Whether the connection with this end stays up, and nothing happens to it.
fn stays(edges: &[Edge], end: [u8; 32]) -> bool {
    let kept = edges.iter().filter(|edge| edge.fate == Fate::Kept);
    let mut ups = kept.filter_map(|edge| edge.up.as_ref());
    ups.any(|up| up.is_untouched() && up.ends.iter().any(|known| known.public_key == end))
}

async fn listen(mut messages: Messages<Utf8>, like: Heard, heard: Arc<Mutex<Vec<Heard>>>) {
    while let Some(message) = messages.next().await {
        let (from, text) = match message {
            Ok((from, text)) => (from, Some(text)),
            Err(Error::DecodeMessage { peer, .. }) => (peer, None),
            // A liar may say more than anybody cares for.
            Err(Error::MissedMessages { .. }) => continue,
            Err(error) => panic!("{error}"),
        };
        lock(&heard).push(Heard {
            from,
            text,
            diary: Arc::clone(&like.diary),
            ..like
        });
    }
}
