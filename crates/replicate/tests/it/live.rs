//! Live: what is appended travels on by itself.

use std::{iter, time::Duration};

use hypercore_replicate::{Action, Config, PeerConfig, PeerId, Replicator};
use wire::{Have, Message, Request, Unhave};

use crate::{model::Model, world::World};

#[test]
fn appends_travel_through_a_middle_peer_without_time_passing() {
    for seed in 0..10 {
        let mut world = World::new(seed);
        let (writer, middle, leaf) = (world.writer(3), world.reader(), world.reader());
        world.join(writer, middle, true);
        world.join(middle, leaf, true);
        world.settle();
        for count in [1, 1, 7, 40] {
            world.append(writer, count);
            world.settle();
            let length = world.nodes[writer].feed.length;
            assert_eq!(world.nodes[leaf].feed.blocks, Model::full(length).blocks);
        }
        assert_eq!(world.now, Duration::ZERO);
        assert_eq!(world.nodes[middle].requested, 52);
        assert_eq!(world.nodes[leaf].requested, 52);
    }
}

#[test]
fn ring_of_readers_gets_every_append_once() {
    for seed in 0..10 {
        let mut world = World::new(seed);
        let writer = world.writer(0);
        let readers: Vec<usize> = (0..4).map(|_| world.reader()).collect();
        world.join(writer, readers[0], true);
        world.join(writer, readers[2], true);
        for n in 0..4 {
            world.join(readers[n], readers[(n + 1) % 4], true);
        }
        world.settle();
        for _ in 0..20 {
            world.append(writer, 5);
            world.settle();
        }
        for reader in readers {
            assert_eq!(world.nodes[reader].feed.blocks, Model::full(100).blocks);
            assert_eq!(world.nodes[reader].requested, 100);
        }
    }
}

#[test]
fn announcements_have_the_form_of_javascript() {
    let mut world = World::new(1);
    let (writer, reader) = (world.writer(2), world.reader());
    let link = world.join(writer, reader, true);
    world.settle();
    let before = world.said(link, writer).len();
    world.append(writer, 1);
    world.append(writer, 5);
    let said = world.said(link, writer);
    let have = |start, length| {
        Message::Have(Have {
            start,
            length,
            bitfield: None,
            ack: None,
        })
    };
    assert_eq!(said[before..], [&have(2, None), &have(3, Some(5))]);
}

#[test]
fn nobody_is_told_what_it_sent_or_has() {
    let mut world = World::new(2);
    let (writer, a, b) = (world.writer(50), world.reader(), world.reader());
    let to_a = world.join(writer, a, true);
    world.join(writer, b, true);
    let between = world.join(a, b, true);
    world.settle();
    let news =
        |message: &&Message| matches!(message, Message::Have(have) if have.bitfield.is_none());
    // The writer never wants anything, so it is told nothing.
    assert_eq!(world.said(to_a, a).into_iter().filter(news).count(), 0);
    let told = world.said(between, a).into_iter().filter(news).count();
    assert!(told <= 50, "{told}");
}

#[test]
fn cleared_blocks_are_taken_back_and_not_fetched_again() {
    let mut world = World::new(3);
    let (writer, reader, leaf) = (world.writer(20), world.reader(), world.reader());
    world.join(writer, reader, true);
    world.settle();
    let link = world.join(reader, leaf, true);
    world.settle();
    let before = world.nodes[reader].requested;
    world.clear(reader, 5..8);
    world.settle();
    assert_eq!(world.nodes[reader].requested, before);
    let unhave = Message::Unhave(Unhave {
        start: 5,
        length: Some(3),
    });
    assert!(world.said(link, reader).contains(&&unhave));
    // Unless somebody wishes.
    let wish = world.want(reader, 6);
    world.settle();
    assert!(world.nodes[reader].resolved.contains_key(&wish));
}

#[test]
fn what_was_here_when_a_peer_came_is_fetched_from_it_after_it_was_lost() {
    let mut world = World::new(3);
    let (writer, reader) = (world.writer(20), world.reader());
    let link = world.join(writer, reader, true);
    world.settle();
    world.cut(link);
    let link = world.join(writer, reader, true);
    world.settle();
    world.clear(reader, 5..8);
    world.clear(reader, 11..12);
    world.settle();
    let wants = |world: &World| {
        let said = world.said(link, reader).into_iter();
        said.filter(|said| matches!(said, Message::Want(_))).count()
    };
    assert_eq!(wants(&world), 1, "nobody wishes for it");
    for block in [6, 7, 11] {
        let wish = world.want(reader, block);
        world.settle();
        assert!(world.nodes[reader].resolved.contains_key(&wish), "{block}");
    }
    assert_eq!(wants(&world), 2);
}

#[test]
fn a_peer_that_is_not_live_any_longer_is_left_once_nothing_is_left_to_do() {
    let mut world = World::new(6);
    let (writer, reader) = (world.writer(5), world.reader());
    let link = world.join(writer, reader, true);
    world.settle();
    let closed = |world: &World| {
        let closes = |node| {
            world
                .said(link, node)
                .iter()
                .any(|message| matches!(message, Message::Close(_)))
        };
        [closes(writer), closes(reader)]
    };
    for (node, others) in [(writer, [false, false]), (reader, [true, true])] {
        assert_eq!(closed(&world), [false, false]);
        world.tell(node, |node, now| {
            let (peer, _) = node.replicator.peers().next().unwrap();
            node.replicator.set_live(now, peer, false, &node.feed);
        });
        world.settle();
        assert_eq!(closed(&world), others);
    }
    assert_eq!(world.nodes[reader].feed.blocks, Model::full(5).blocks);
}

#[test]
fn switching_uploads_off_and_on_goes_on_where_it_was() {
    let mut world = World::new(4);
    let (writer, reader) = (world.writer(5), world.reader());
    world.join(writer, reader, true);
    world.settle();
    let switch = |world: &mut World, on| {
        world.tell(writer, |node, now| {
            node.replicator.set_uploading(now, on, &node.feed);
        });
        world.settle();
    };
    switch(&mut world, false);
    world.append(writer, 5);
    world.settle();
    assert_eq!(world.nodes[reader].feed.length, 5);
    switch(&mut world, true);
    assert_eq!(world.nodes[reader].feed.blocks, Model::full(10).blocks);
}

#[test]
fn switching_downloads_off_stops_requests() {
    let mut world = World::new(5);
    let (writer, reader) = (world.writer(5), world.reader());
    world.join(writer, reader, true);
    world.settle();
    let switch = |world: &mut World, on| {
        world.tell(reader, |node, now| {
            node.replicator.set_downloading(now, on, &node.feed);
        });
    };
    switch(&mut world, false);
    world.append(writer, 5);
    world.settle();
    assert_eq!(world.nodes[reader].requested, 5);
    switch(&mut world, true);
    world.settle();
    assert_eq!(world.nodes[reader].requested, 10);
}

#[test]
fn stored_blocks_are_acknowledged_on_request() {
    let mut world = World::new(6);
    let (writer, reader) = (world.writer(4), world.reader());
    let config = hypercore_replicate::PeerConfig {
        live: true,
        ack: true,
        ..Default::default()
    };
    world.join_with(writer, reader, config);
    world.settle();
    let mut acknowledged = world.nodes[writer].acknowledged.clone();
    acknowledged.sort_unstable();
    assert_eq!(acknowledged, [0, 1, 2, 3]);
    assert!(world.nodes[reader].acknowledged.is_empty());
}

#[test]
fn links_that_break_and_return_lose_nothing() {
    for seed in 0..10 {
        let mut world = World::new(seed);
        let (writer, reader) = (world.writer(200), world.reader());
        for round in 0..5 {
            let link = world.join(writer, reader, true);
            world.append(writer, round);
            for _ in 0..100 {
                world.step();
            }
            world.cut(link);
        }
        world.join(writer, reader, true);
        world.settle();
        assert_eq!(world.nodes[reader].feed.blocks, Model::full(210).blocks);
    }
}

#[test]
fn everybody_gets_everything_in_random_worlds() {
    for seed in 0..60 {
        let mut world = World::new(seed);
        let mut rng = testkit::Rng::new(testkit::seed(seed));
        let length = rng.below(120);
        let mut nodes = vec![world.writer(length)];
        for _ in 0..1 + rng.below(4) {
            let start = rng.below(length + 1);
            let stored = start..start + rng.below(length - start + 1);
            let config = Config {
                max_requests: 1 + rng.below(40) as usize,
                ..Config::default()
            };
            let known = stored.end;
            nodes.push(world.add(config, Model::with(known, stored)));
        }
        // A tree with some more links, so that everybody can be reached.
        for n in 1..nodes.len() {
            world.join(nodes[n], nodes[rng.below(n as u64) as usize], true);
            if rng.one_in(3) {
                world.join(nodes[n], nodes[0], true);
            }
        }
        for _ in 0..rng.below(30) {
            for _ in 0..rng.below(200) {
                world.step();
            }
            match rng.below(4) {
                0 => world.append(nodes[0], 1 + rng.below(10)),
                1 => {
                    let link = rng.below(world.links.len() as u64) as usize;
                    let [a, b] = world.links[link].ends;
                    if !world.links[link].closed[0] {
                        world.cut(link);
                        world.join(a, b, true);
                    }
                }
                2 => {
                    let node = nodes[rng.below(nodes.len() as u64) as usize];
                    world.want(node, rng.below(200));
                }
                _ => {}
            }
        }
        world.settle();
        let all = Model::full(world.nodes[nodes[0]].feed.length).blocks;
        for node in nodes {
            assert_eq!(world.nodes[node].feed.blocks, all);
        }
        assert_eq!(world.now, Duration::ZERO);
    }
}

#[test]
fn a_block_is_acknowledged_once_and_only_if_it_was_sent() {
    let (now, peer, feed) = (Duration::ZERO, PeerId(1), Model::full(9));
    let mut replicator = Replicator::new(Config::default());
    let config = PeerConfig {
        live: true,
        ack: true,
        ..PeerConfig::default()
    };
    replicator.add_peer(now, peer, config, &feed);
    let mut acknowledged = |request: Request, found: Option<u64>, block: u64| {
        replicator.handle_message(now, peer, Message::Request(request), &feed);
        replicator.handle_served(peer, &request, found);
        let have = Have {
            start: block,
            length: Some(1),
            bitfield: None,
            ack: Some(true),
        };
        for _ in 0..2 {
            replicator.handle_message(now, peer, Message::Have(have.clone()), &feed);
        }
        let actions = iter::from_fn(|| replicator.poll_action());
        let told = actions.filter_map(|action| match action {
            Action::Acknowledged { block, .. } => Some(block),
            _ => None,
        });
        Vec::from_iter(told)
    };
    let request = |index, hash| Request {
        index,
        bytes: None,
        hash: Some(hash),
        nodes: None,
    };
    assert_eq!(acknowledged(request(5, false), None, 5), [5]);
    // The peer confirms hashes as well.
    assert!(acknowledged(request(6, true), None, 6).is_empty());
    assert!(acknowledged(request(7, false), None, 8).is_empty());
    // The block of a byte that was asked for.
    let seek = Request {
        bytes: Some(30),
        ..request(1, false)
    };
    assert_eq!(acknowledged(seek, Some(3), 3), [3]);
}

#[test]
fn acknowledgement_of_hashes_is_no_claim_to_the_block() {
    let (now, peer) = (Duration::ZERO, PeerId(1));
    let mut replicator = Replicator::new(Config::default());
    let config = PeerConfig {
        live: true,
        ack: true,
        ..PeerConfig::default()
    };
    replicator.add_peer(now, peer, config, &Model::default());
    let acknowledgement = Have {
        start: 5,
        length: Some(1),
        bitfield: None,
        ack: Some(true),
    };
    replicator.handle_message(now, peer, Message::Have(acknowledgement), &Model::default());
    assert!(!replicator.is_available(5, &Model::default()));
}
