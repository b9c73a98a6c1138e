//! What must hold in a world.

use std::{collections::BTreeMap, future::IntoFuture, sync::atomic::Ordering};

use bytes::Bytes;
use testkit::lock;

use crate::{
    edge::{Fate, Other},
    ends::copy_at,
    node::{Node, Role, at_once},
    wishes::{Wish, Wished},
    world::World,
};

/// What somebody still waits for although a peer offers it.
pub(crate) fn unmet(world: &World) -> Vec<String> {
    let stored = stored_by_all(world);
    let mut unmet = Vec::new();
    for (n, node) in world.nodes.iter().enumerate() {
        let place = Place::new(world, n, &stored);
        if node.role == Role::Full && node.downloading {
            let diary = lock(&node.diary);
            let blocks = 0..stored[n].len() as u64;
            for block in blocks.filter(|block| !stored[n][*block as usize]) {
                if let Some(peer) = place.offers(block)
                    && !diary.cleared.contains(&block)
                {
                    unmet.push(format!("{n} lacks block {block}, which {peer} has"));
                }
            }
        }
        for wished in world.wishes.iter().filter(|wished| wished.node == n) {
            place.look(wished, &mut unmet);
        }
    }
    unmet
}

/// Whether a peer that stays connected with a copy has a block and gives it. None if only the answer will tell whether it can be
/// shown to be of the same history.
pub(crate) fn is_offered(world: &World, n: usize, block: u64) -> Option<bool> {
    let stored = stored_by_all(world);
    let place = Place::new(world, n, &stored);
    let there = place.peers.iter().any(|peer| place.has(*peer, block));
    match place.offers(block) {
        None if there && block < world.nodes[n].feed.len() => None,
        offers => Some(offers.is_some()),
    }
}

/// Which blocks each node has.
fn stored_by_all(world: &World) -> Vec<Vec<bool>> {
    let blocks = |node: &Node| world.feeds[node.copy_of].blocks.len() as u64;
    let stored = |node: &Node| {
        (0..blocks(node))
            .map(|block| node.feed.has(block))
            .collect()
    };
    world.nodes.iter().map(stored).collect()
}

/// A copy of a feed among those that are connected with it.
struct Place<'a> {
    world: &'a World,
    n: usize,
    /// The blocks of each node.
    stored: &'a [Vec<bool>],
    peers: Vec<usize>,
}

impl<'a> Place<'a> {
    fn new(world: &'a World, n: usize, stored: &'a [Vec<bool>]) -> Self {
        Place {
            world,
            n,
            stored,
            peers: peers(world, n),
        }
    }

    /// A peer that has a block and gives it, in such a way that it can be shown to be of the same history as what is known.
    fn offers(&self, block: u64) -> Option<usize> {
        let feed = &self.world.nodes[self.n].feed;
        let mut offering = self.peers.iter().copied();
        match block < feed.len() {
            true => offering.find(|peer| {
                let older = self.world.nodes[*peer].feed.len();
                self.has(*peer, block) && is_linked(feed, block, older)
            }),
            false if self.is_growth_offered() => offering.find(|peer| self.has(*peer, block)),
            false => None,
        }
    }

    fn has(&self, peer: usize, block: u64) -> bool {
        self.stored[peer].get(block as usize) == Some(&true)
    }

    /// Whether some peer has a block that shows that a longer feed begins with the one that is known.
    fn is_growth_offered(&self) -> bool {
        let known = self.world.nodes[self.n].feed.len();
        let mut showing = match known {
            0 => 0..u64::MAX,
            known => known..known + (1 << known.trailing_zeros()),
        }
        .take_while(|block| (*block as usize) < self.stored[self.n].len());
        showing.any(|block| self.peers.iter().any(|peer| self.has(*peer, block)))
    }

    fn look(&self, wished: &Wished, unmet: &mut Vec<String>) {
        let (world, n, wish) = (self.world, self.n, &wished.wish);
        let node = &world.nodes[n];
        let all = &world.feeds[node.copy_of].blocks;
        let blocks = all.len() as u64;
        let has = |block: u64| self.stored[n].get(block as usize) == Some(&true);
        let wanted = wish.blocks();
        if node.downloading {
            for block in wanted.iter().filter(|block| !has(**block)) {
                if let Some(peer) = self.offers(*block) {
                    unmet.push(format!(
                        "{n}: {wish:?} lacks block {block}, which {peer} has"
                    ));
                }
            }
        }
        let is_here = !wanted.is_empty() && wanted.iter().all(|block| has(*block));
        let proven = match wish {
            Wish::Length(min) => {
                let min = min.unwrap_or(wished.length + 1).max(1);
                let offered = (min - 1..blocks).any(|block| self.offers(block).is_some());
                node.feed.len() >= min || (node.downloading && offered)
            }
            // Whoever has everything can tell where a byte is.
            Wish::Byte(byte) => {
                let complete = |peer: &usize| self.stored[*peer].iter().all(|has| *has);
                let bytes: usize = all.iter().map(Bytes::len).sum();
                node.downloading && *byte < bytes as u64 && self.peers.iter().any(complete)
            }
            _ => false,
        };
        // Nobody knows what a liar has.
        let hopeless = wished.gives_up() && !is_lied_to(world, n) && is_settled(world, n);
        if is_here || proven || hopeless {
            unmet.push(format!("{n} waits for {wish:?}, {:?}", wished.patience));
        }
    }
}

/// Whether the proof of a block in a feed of `length` blocks leads to something that a copy has, as its digest tells.
fn is_linked(feed: &hypercore::Hypercore, block: u64, length: u64) -> bool {
    let digest = feed.digest(block);
    if digest == 1 {
        return true;
    }
    // The highest bit stands for a node on the way up that is known, the others for known siblings.
    let top = match digest & 1 {
        1 => digest.ilog2() - 1,
        _ => return false,
    };
    let known = |level: u32| digest & (2 << level) != 0;
    let in_older = |level: u32| ((block >> (level + 1)) + 1) << (level + 1) <= length;
    (0..top).all(|level| in_older(level) || known(level))
}

/// What is stored is what was appended, and what is known of it is true.
pub(crate) fn stored(world: &World) {
    for (n, node) in world.nodes.iter().enumerate() {
        let (feed, truth) = (&node.feed, &world.feeds[node.copy_of]);
        let writer = &world.nodes[truth.writer].feed;
        assert!(feed.len() <= writer.len());
        for (block, bytes) in (0..feed.len()).zip(&truth.blocks) {
            if feed.has(block) {
                let got = at_once(feed.get(block).wait(false).into_future()).unwrap();
                assert_eq!(got, bytes, "block {block} of {n}");
            }
        }
        let known = &truth.blocks[..feed.len() as usize];
        let bytes: usize = known.iter().map(Bytes::len).sum();
        assert_eq!(feed.byte_len(), bytes as u64, "bytes of {n}");
        if feed.len() == writer.len() {
            assert_eq!(feed.tree_hash(), writer.tree_hash(), "{n}");
        }
        let present = lock(&node.diary).present.clone();
        let has: Vec<u64> = (0..feed.len()).filter(|block| feed.has(*block)).collect();
        assert!(
            present.iter().eq(&has),
            "the events of {n} tell of other blocks"
        );
    }
}

/// Nobody confirmed a block that wasn't sent to him, or more often; and where nothing bad happens, whoever confirms confirms all
/// that he could understand.
pub(crate) fn acknowledged(world: &World) {
    let mut silent: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut unproven: BTreeMap<usize, u64> = BTreeMap::new();
    for (n, node) in world.nodes.iter().enumerate() {
        let diary = lock(&node.diary);
        for (at, count) in &diary.acknowledged {
            let sent = diary.sent.get(at).copied().unwrap_or(0);
            assert!(
                *count <= sent,
                "{n} sent block {at:?} {sent} times, and it was confirmed {count} times"
            );
        }
        *unproven.entry(node.copy_of).or_default() +=
            node.feed.stats().unwrap().totals.unproven_blocks;
        for ((peer, block), sent) in diary.sent.iter().filter(|_| world.peaceful) {
            let confirmed = diary.acknowledged.get(&(*peer, *block)).unwrap_or(&0);
            let mut all = diary.acknowledged.keys();
            if all.any(|(other, _)| other == peer) {
                let silent = silent.entry(node.copy_of).or_default();
                silent.extend((*confirmed..*sent).map(|_| format!("{block} of {n} by {peer:?}")));
            }
        }
    }
    for (feed, silent) in silent {
        if silent.len() as u64 > unproven[&feed] {
            world.describe();
            panic!("not confirmed of feed {feed}: {silent:?}");
        }
    }
}

/// As many blocks were sent as were received: none was sent for nothing.
pub(crate) fn nothing_twice(world: &World) {
    let mut sums: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for node in &world.nodes {
        let (sent, received) = node.exchanged();
        let sum = sums.entry(node.copy_of).or_default();
        *sum = (sum.0 + sent, sum.1 + received);
    }
    for (feed, (sent, received)) in sums {
        assert_eq!(
            sent, received,
            "blocks sent of feed {feed}, and blocks received"
        );
    }
}

/// Who takes nothing that he didn't ask for has nothing from those who push; who does has all that was pushed over and over.
pub(crate) fn pushed(world: &World) {
    for (n, node) in world.nodes.iter().enumerate() {
        let diary = lock(&node.diary);
        let pushes =
            |id| matches!(diary.keys.get(id), Some(Some(key)) if world.pushers.contains(key));
        let pushed = diary.brought.keys().find(|id| pushes(id));
        assert!(
            pushed.is_none() || node.takes_pushes(),
            "{n} has blocks that {pushed:?} pushed"
        );
    }
    let ups = world
        .edges
        .iter()
        .filter_map(|edge| Some((edge.one, edge.up.as_ref()?)));
    for (one, up) in ups {
        let Some(pushing) = up.pushing.as_ref().filter(|_| up.quality.is_true()) else {
            continue;
        };
        let mut nodes = world.nodes.iter();
        let node = nodes.find(|node| node.peer == one && node.feed.key() == pushing.feed);
        let Some(node) = node.filter(|node| node.takes_pushes() && node.downloading) else {
            continue;
        };
        let writer = &world.nodes[world.feeds[node.copy_of].writer].feed;
        // As long as nothing shows that the longer feed begins with the known one, nothing of it is understood.
        let known = node.feed.len();
        let mut showing = known..known.saturating_add(known & known.wrapping_neg());
        if known > 0 && known < writer.len() && !showing.any(|block| writer.has(block)) {
            continue;
        }
        // The last round may be under way, and the first may have been too early.
        if !up.is_untouched() || pushing.count.load(Ordering::Relaxed) < 4 * writer.len() {
            continue;
        }
        let cleared = lock(&node.diary).cleared.clone();
        let mut there = (0..writer.len()).filter(|block| writer.has(*block));
        let lacks = there.find(|block| !node.feed.has(*block) && !cleared.contains(block));
        if lacks.is_some() {
            world.describe();
        }
        assert_eq!(lacks, None, "pushed over and over: {}", up.what);
    }
}

/// Pairs of peers, with the feeds of which each has what it takes to end without being told: a full reader, and the writer, who has
/// all it may lack.
pub(crate) fn pairs_that_finish(world: &World) -> Vec<(usize, usize, Vec<usize>)> {
    let mut pairs: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for node in world.nodes.iter().filter(|node| node.role == Role::Full) {
        let other = &world.nodes[world.feeds[node.copy_of].writer];
        let diary = lock(&node.diary);
        let has =
            |block| node.feed.has(block) || other.feed.has(block) || diary.cleared.contains(&block);
        if (0..node.feed.len().max(other.feed.len())).all(has) {
            let pair = (node.peer.min(other.peer), node.peer.max(other.peer));
            pairs.entry(pair).or_default().push(node.copy_of);
        }
    }
    let pairs = pairs.into_iter();
    pairs
        .map(|((one, other), feeds)| (one, other, feeds))
        .collect()
}

/// A reader has everything of a feed that the other has.
pub(crate) fn is_complete(world: &World, one: usize, other: usize, feed: usize) {
    let copy = |peer| copy_at(&world.nodes, peer, feed).unwrap();
    let (mut reader, mut other) = (copy(one), copy(other));
    if reader.role == Role::Writer {
        std::mem::swap(&mut reader, &mut other);
    }
    let diary = lock(&reader.diary);
    for block in (0..other.feed.len()).filter(|block| other.feed.has(*block)) {
        let has = reader.feed.has(block) || diary.cleared.contains(&block);
        if !has {
            world.describe();
        }
        assert!(has, "finished without block {block} of feed {feed}");
    }
}

/// The honest copies that stay connected with one, and give what they have.
fn peers(world: &World, n: usize) -> Vec<usize> {
    let node = &world.nodes[n];
    let kept = world
        .edges
        .iter()
        .filter(|edge| edge.fate == Fate::Kept && edge.carries(node.copy_of));
    let joined: Vec<usize> = kept
        .filter_map(|edge| match edge.other {
            Other::Peer(other) if edge.one == node.peer => Some(other),
            Other::Peer(other) if other == node.peer => Some(edge.one),
            _ => None,
        })
        .collect();
    let nodes = world.nodes.iter().enumerate();
    nodes
        .filter(|(_, other)| other.copy_of == node.copy_of && other.uploading)
        .filter(|(_, other)| joined.contains(&other.peer))
        .map(|(n, _)| n)
        .collect()
}

/// Whether a liar may have told it anything.
pub(crate) fn is_lied_to(world: &World, n: usize) -> bool {
    let node = &world.nodes[n];
    let mut edges = world.edges.iter();
    edges.any(|edge| {
        edge.other == Other::Liar && edge.one == node.peer && edge.carries(node.copy_of)
    })
}

/// Whether no edge of a copy comes and goes.
pub(crate) fn is_settled(world: &World, n: usize) -> bool {
    let node = &world.nodes[n];
    let mut mine = world
        .edges
        .iter()
        .filter(|edge| edge.carries(node.copy_of) && edge.peers().any(|peer| peer == node.peer));
    mine.all(|edge| edge.fate != Fate::Stuck)
}
