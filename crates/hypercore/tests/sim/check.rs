//! What must hold in a world.

use bytes::Bytes;

use crate::{
    edge::{Fate, Other},
    executor::lock,
    node::{Node, Role, at_once},
    wishes::Wish,
    world::World,
};

/// What somebody still waits for although a peer offers it.
pub(crate) fn unmet(world: &World) -> Vec<String> {
    let blocks = world.blocks.len() as u64;
    let stored = |node: &Node| (0..blocks).map(|block| node.feed.has(block)).collect();
    let stored: Vec<Vec<bool>> = world.nodes.iter().map(stored).collect();
    let mut unmet = Vec::new();
    for (n, node) in world.nodes.iter().enumerate() {
        let lied_to = world
            .edges
            .iter()
            .any(|edge| edge.one == n && edge.other == Other::Liar);
        let peers = peers(world, n);
        let offers = |block: u64| peers.iter().find(|peer| stored[**peer][block as usize]);
        let lacks = |block: &u64| *block < blocks && !stored[n][*block as usize];
        if node.role == Role::Full {
            let diary = lock(&node.diary);
            for block in (0..blocks).filter(lacks) {
                if let Some(peer) = offers(block)
                    && !diary.cleared.contains(&block)
                {
                    unmet.push(format!("{n} lacks block {block}, which {peer} has"));
                }
            }
        }
        for wished in world.wishes.iter().filter(|wished| wished.node == n) {
            let wish = &wished.wish;
            for block in wish.blocks().into_iter().filter(lacks) {
                if let Some(peer) = offers(block) {
                    unmet.push(format!(
                        "{n}: {wish:?} lacks block {block}, which {peer} has"
                    ));
                }
            }
            let wanted = wish.blocks();
            let here = |block: &u64| *block < blocks && stored[n][*block as usize];
            let is_here = !wanted.is_empty() && wanted.iter().all(here);
            let proven = match wish {
                Wish::Length(min) => {
                    let min = min.unwrap_or(wished.length + 1).max(1);
                    node.feed.len() >= min || (min - 1..blocks).any(|block| offers(block).is_some())
                }
                // Whoever has everything can tell where a byte is.
                Wish::Byte(byte) => {
                    let complete = |peer: &usize| stored[*peer].iter().all(|has| *has);
                    let bytes: usize = world.blocks.iter().map(Bytes::len).sum();
                    *byte < bytes as u64 && peers.iter().any(complete)
                }
                _ => false,
            };
            // Nobody knows what a liar has.
            let hopeless = wished.gives_up() && !lied_to && peers_are_settled(world, n);
            if is_here || proven || hopeless {
                unmet.push(format!("{n} waits for {wish:?}, {:?}", wished.patience));
            }
        }
    }
    unmet
}

/// What is stored is what was appended, and what is known of it is true.
pub(crate) fn stored(world: &World) {
    let writer = &world.nodes[0].feed;
    for (n, node) in world.nodes.iter().enumerate() {
        let feed = &node.feed;
        assert!(feed.len() <= writer.len());
        for (block, bytes) in (0..feed.len()).zip(&world.blocks) {
            if feed.has(block) {
                let got = at_once(feed.get(block).wait(false).into_future()).unwrap();
                assert_eq!(got, bytes, "block {block} of {n}");
            }
        }
        let known = &world.blocks[..feed.len() as usize];
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

/// As many blocks were sent as were received: none was sent for nothing.
pub(crate) fn nothing_twice(world: &World) {
    let exchanged = world.nodes.iter().map(Node::exchanged);
    let (sent, received) = exchanged.fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    assert_eq!(sent, received, "blocks sent, and blocks received");
}

/// Pairs of which each has what it takes to end without being told: a full reader, and somebody who has all it may lack.
pub(crate) fn pairs_that_finish(world: &World) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (n, node) in world.nodes.iter().enumerate() {
        if node.role != Role::Full {
            continue;
        }
        let diary = lock(&node.diary);
        let completes = |other: &Node| {
            let mut blocks = 0..node.feed.len().max(other.feed.len());
            let has = |block| {
                node.feed.has(block) || other.feed.has(block) || diary.cleared.contains(&block)
            };
            blocks.all(has)
        };
        if completes(&world.nodes[0]) {
            pairs.push((n, 0));
        }
    }
    pairs
}

/// A reader has everything that the other has.
pub(crate) fn is_complete(world: &World, reader: usize, other: usize) {
    let (reader, other) = (&world.nodes[reader], &world.nodes[other]);
    let diary = lock(&reader.diary);
    for block in (0..other.feed.len()).filter(|block| other.feed.has(*block)) {
        let has = reader.feed.has(block) || diary.cleared.contains(&block);
        assert!(has, "finished without block {block}");
    }
}

/// The honest peers that stay connected.
fn peers(world: &World, node: usize) -> Vec<usize> {
    let kept = world.edges.iter().filter(|edge| edge.fate == Fate::Kept);
    let joined = kept.filter_map(|edge| match edge.other {
        Other::Peer(other) if edge.one == node => Some(other),
        Other::Peer(other) if other == node => Some(edge.one),
        _ => None,
    });
    joined.collect()
}

/// Whether no edge of a peer comes and goes.
fn peers_are_settled(world: &World, node: usize) -> bool {
    let mut mine = world
        .edges
        .iter()
        .filter(|edge| edge.one == node || edge.other == Other::Peer(node));
    mine.all(|edge| edge.fate != Fate::Stuck)
}
