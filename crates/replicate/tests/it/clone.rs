//! Not live: everything is fetched, then both sides end by themselves, in the words that JavaScript uses.

use std::time::Duration;

use bytes::Bytes;
use hypercore_replicate::{Action, Config, PeerConfig, PeerId, Wish};
use wire::{Data, Have, Message, Status, Unhave, Want};

use crate::{
    face::{Face, PEER, sent},
    model::{Model, data},
    world::World,
};

const WINDOW: u64 = 1 << 20;

#[test]
fn reader_and_writer_end_in_the_words_of_javascript() {
    for length in [0, 1, 5, 1000] {
        for swapped in [false, true] {
            let mut world = World::new(length);
            let (writer, reader) = (world.writer(length), world.reader());
            let link = match swapped {
                false => world.join(writer, reader, false),
                true => world.join(reader, writer, false),
            };
            world.settle();

            assert_eq!(world.nodes[reader].feed.blocks, Model::full(length).blocks);
            assert_eq!(world.nodes[reader].requested, length);
            assert_eq!(world.links[link].closed, [true, true]);
            assert!(world.links[link].error.is_none());
            let said = phrases(&world.said(link, reader));
            assert_eq!(said, ["want 0", "status up", "close"], "{length} {swapped}");
            let said = phrases(&world.said(link, writer));
            let mut expected = vec!["status up", "picture", "status", "close"];
            if length > 0 {
                expected.insert(1, "tip");
            }
            assert_eq!(said, expected, "{length} {swapped}");
        }
    }
}

#[test]
fn complete_readers_end_at_once() {
    let mut world = World::new(1);
    let a = world.add(Config::default(), Model::full(20));
    let b = world.add(Config::default(), Model::full(20));
    let link = world.join(a, b, false);
    world.settle();
    assert_eq!(world.links[link].closed, [true, true]);
    assert_eq!(world.nodes[a].requested + world.nodes[b].requested, 0);
}

#[test]
fn empty_readers_end_at_once() {
    let mut world = World::new(2);
    let (a, b) = (world.reader(), world.reader());
    let link = world.join(a, b, false);
    world.settle();
    assert_eq!(world.links[link].closed, [true, true]);
}

#[test]
fn complete_reader_stays_until_the_other_has_everything() {
    for seed in 0..10 {
        let mut world = World::new(seed);
        let complete = world.add(Config::default(), Model::full(300));
        let partial = world.add(Config::default(), Model::with(200, 50..130));
        let link = world.join(complete, partial, false);
        world.settle();
        assert!(world.nodes[partial].feed.is_full());
        assert_eq!(world.nodes[partial].requested, 220);
        assert_eq!(world.links[link].closed, [true, true]);
    }
}

#[test]
fn readers_complete_each_other() {
    for seed in 0..10 {
        let mut world = World::new(seed);
        let left = world.add(Config::default(), Model::with(100, 0..60));
        let right = world.add(Config::default(), Model::with(100, 40..100));
        let link = world.join(left, right, false);
        world.settle();
        assert!(world.nodes[left].feed.is_full() && world.nodes[right].feed.is_full());
        assert_eq!(world.links[link].closed, [true, true]);
    }
}

#[test]
fn several_sources_share_the_work_and_all_end() {
    for seed in 0..10 {
        let mut world = World::new(seed);
        let reader = world.reader();
        let mut sources = vec![world.writer(500)];
        for _ in 0..3 {
            sources.push(world.add(Config::default(), Model::full(500)));
        }
        let links: Vec<usize> = sources
            .iter()
            .map(|source| world.join(*source, reader, false))
            .collect();
        world.settle();
        assert!(world.nodes[reader].feed.is_full());
        // The world has checked that nothing was in flight twice; so nothing came twice.
        assert_eq!(world.nodes[reader].requested, 500);
        for link in links {
            assert_eq!(world.links[link].closed, [true, true]);
            let asked = world.said(link, reader);
            let asked = asked.iter().filter(|m| matches!(m, Message::Request(_)));
            assert!(asked.count() > 16, "each source delivers something");
        }
    }
}

#[test]
fn what_a_writer_has_lost_is_not_waited_for() {
    for seed in 0..10 {
        let mut world = World::new(seed);
        let (writer, reader) = (world.writer(100), world.reader());
        world.clear(writer, 10..20);
        let link = world.join(writer, reader, false);
        world.settle();
        assert_eq!(world.links[link].closed, [true, true]);
        let all = world.nodes[writer].feed.blocks.clone();
        assert_eq!(world.nodes[reader].feed.blocks, all);
    }
}

#[test]
fn a_peer_is_not_left_while_another_may_fail_to_deliver_what_both_have() {
    let mut face = Face::new(Config::default(), Model::with(2, 0..1));
    let other = PeerId(2);
    face.replicator
        .add_peer(face.now, other, PeerConfig::default(), &face.feed);
    face.replicator.set_live(face.now, PEER, false, &face.feed);
    let gives = Message::Status(Status {
        uploading: Some(true),
        downloading: Some(false),
    });
    // Both of two blocks.
    let has = Message::Have(Have {
        start: 0,
        length: Some(WINDOW),
        bitfield: Some(Bytes::from_static(&[2, 0b1100_0000])),
        ack: None,
    });
    let mut said = Vec::new();
    for id in [PEER, other] {
        for message in [&gives, &has] {
            face.replicator
                .handle_message(face.now, id, message.clone(), &face.feed);
            said.extend(face.drain());
        }
    }
    let asked = sent(&said);
    let asked = asked.iter().filter(|m| matches!(m, Message::Request(_)));
    assert_eq!(asked.count(), 1, "of one of them");
    let mut sent = sent(&said).into_iter();
    let leaves = sent.any(|message| matches!(message, Message::Status(_)));
    assert!(!leaves, "{said:?}");
    // The one that was asked has lost it.
    let lost = Message::Unhave(Unhave {
        start: 1,
        length: Some(1),
    });
    face.replicator
        .handle_message(face.now, PEER, lost, &face.feed);
    let said = face.drain();
    let again = said.iter().any(|action| {
        matches!(action, Action::Send { peer, message: Message::Request(_) } if *peer == other)
    });
    assert!(again, "{said:?}");
}

#[test]
fn a_peer_is_not_left_while_it_is_late_with_hashes_of_a_block_that_is_missing() {
    let mut face = Face::new(Config::default(), Model::with(3, 0..1));
    let other = PeerId(2);
    face.replicator.set_live(face.now, PEER, false, &face.feed);
    let seek = Wish::Seek {
        bytes: 9,
        within: 1..2,
    };
    face.replicator.want(face.now, seek, &face.feed);
    let gives = Message::Status(Status {
        uploading: Some(true),
        downloading: Some(false),
    });
    let has = Message::Have(Have {
        start: 0,
        length: Some(WINDOW),
        bitfield: Some(Bytes::from_static(&[2, 0b0100_0000])),
        ack: None,
    });
    face.say(gives.clone());
    let said = face.picture(0, &[2, 0b1110_0000]);
    let asked = requests(&said);
    assert_eq!(asked, [(PEER, 1, 9), (PEER, 2, 0)], "1 for its hashes");
    // It is late, so somebody else is asked, who brings the hashes and then loses the block.
    face.replicator
        .add_peer(face.now, other, PeerConfig::default(), &face.feed);
    for message in [gives, has] {
        face.replicator
            .handle_message(face.now, other, message, &face.feed);
    }
    face.drain();
    let mut said = Vec::new();
    for _ in 0..4 {
        face.now += Duration::from_secs(1);
        face.replicator.handle_timeout(face.now, &face.feed);
        said.extend(face.drain());
    }
    assert_eq!(requests(&said), [(other, 1, 9)]);
    let hashes = data(1, false, 3);
    bring(&mut face, other, &hashes);
    let lost = Message::Unhave(Unhave {
        start: 1,
        length: Some(1),
    });
    face.replicator
        .handle_message(face.now, other, lost, &face.feed);
    let mut said = face.drain();
    // Nothing else is left to be asked.
    said.extend(bring(&mut face, PEER, &data(2, true, 3)));
    let left = said.iter().any(|action| {
        matches!(
            action,
            Action::Send {
                peer: PEER,
                message: Message::Status(_)
            }
        )
    });
    assert!(!left, "{said:?}");
    let said = bring(&mut face, PEER, &hashes);
    assert_eq!(requests(&said), [(PEER, 1, 0)]);
}

/// Who is asked for which block, or byte.
fn requests(said: &[Action]) -> Vec<(PeerId, u64, u64)> {
    let requests = said.iter().filter_map(|action| match action {
        Action::Send {
            peer,
            message: Message::Request(request),
        } => Some((*peer, request.index, request.bytes())),
        _ => None,
    });
    requests.collect()
}

/// An answer comes and is stored.
fn bring(face: &mut Face, from: PeerId, answer: &Data) -> Vec<Action> {
    let (block, has_value) = (answer.index, answer.value.is_some());
    face.replicator
        .handle_message(face.now, from, Message::Data(answer.clone()), &face.feed);
    let mut said = face.drain();
    face.feed.store(answer);
    face.replicator
        .handle_stored(face.now, from, block, has_value, &face.feed);
    said.extend(face.drain());
    said
}

#[test]
fn what_a_reader_lacks_may_still_come_to_it() {
    let mut world = World::new(1);
    let (writer, reader) = (world.writer(100), world.reader());
    let middle = world.add(Config::default(), Model::with(100, 0..60));
    let link = world.join(middle, reader, false);
    world.run_until(Duration::from_secs(600));
    assert_eq!(world.links[link].closed, [false, false]);
    world.join(writer, middle, false);
    world.settle();
    assert!(world.nodes[reader].feed.is_full());
    assert_eq!(world.links[link].closed, [true, true]);
}

#[test]
fn lying_about_the_length_keeps_nobody_else() {
    let mut world = World::new(3);
    let (writer, reader) = (world.writer(50), world.reader());
    let honest = world.join(writer, reader, false);
    // A peer that claims far more than there is, driven by hand.
    world.tell(reader, |node, now| {
        let liar = PeerId(99);
        let config = PeerConfig {
            max_requests: Some(1),
            ..PeerConfig::default()
        };
        node.replicator.add_peer(now, liar, config, &node.feed);
        let have = Have {
            start: 1000,
            length: Some(1 << 40),
            bitfield: None,
            ack: None,
        };
        node.replicator
            .handle_message(now, liar, Message::Have(have), &node.feed);
        // What it is asked for goes nowhere.
        while node.replicator.poll_action().is_some() {}
    });
    world.settle();
    assert!(world.nodes[reader].feed.is_full());
    assert_eq!(world.links[honest].closed, [true, true]);
}

#[test]
fn live_peers_stay() {
    let mut world = World::new(4);
    let (writer, reader) = (world.writer(5), world.reader());
    let link = world.join(writer, reader, true);
    world.run_until(Duration::from_secs(100));
    assert!(world.nodes[reader].feed.is_full());
    assert_eq!(world.links[link].closed, [false, false]);
}

#[test]
fn reader_that_is_not_live_ends_with_a_live_writer() {
    for length in [0, 1, 5] {
        let mut world = World::new(4);
        let (writer, reader) = (world.writer(length), world.reader());
        let live = PeerConfig {
            live: true,
            ..PeerConfig::default()
        };
        let link = world.join_each(writer, reader, [live, PeerConfig::default()]);
        world.settle();
        assert!(world.nodes[reader].feed.is_full());
        assert_eq!(world.links[link].closed, [true, true], "{length} blocks");
    }
}

#[test]
fn reader_that_only_downloads_ends_with_a_live_reader() {
    let mut world = World::new(4);
    let (source, reader) = (world.add(Config::default(), Model::full(5)), world.reader());
    let live = PeerConfig {
        live: true,
        ..PeerConfig::default()
    };
    let only = PeerConfig {
        download_only: true,
        ..PeerConfig::default()
    };
    let link = world.join_each(source, reader, [live, only]);
    world.settle();
    assert!(world.nodes[reader].feed.is_full());
    assert_eq!(world.links[link].closed, [true, true]);
}

#[test]
fn nothing_is_served_to_a_peer_of_which_is_only_downloaded() {
    let mut world = World::new(4);
    let (source, reader) = (world.add(Config::default(), Model::full(5)), world.reader());
    let only = PeerConfig {
        live: true,
        download_only: true,
        ..PeerConfig::default()
    };
    let link = world.join_each(source, reader, [only, PeerConfig::default()]);
    world.settle();
    assert_eq!(world.nodes[reader].feed.length, 0);
    let said = world.said(link, source);
    let served = |message: &&Message| matches!(message, Message::Have(_) | Message::Data(_));
    assert_eq!(said.into_iter().find(served), None);
}

#[test]
fn sparse_reader_ends_when_it_stops_downloading() {
    let mut world = World::new(5);
    let writer = world.writer(5);
    let config = Config {
        sparse: true,
        ..Config::default()
    };
    let reader = world.add(config, Model::default());
    let link = world.join(writer, reader, false);
    world.want(reader, 3);
    world.settle();
    assert_eq!(world.nodes[reader].requested, 1);
    assert_eq!(world.links[link].closed, [false, false]);
    world.tell(reader, |node, now| {
        node.replicator.set_downloading(now, false, &node.feed);
    });
    world.settle();
    assert_eq!(world.links[link].closed, [true, true]);
}

#[test]
fn reader_that_does_not_upload_ends_too() {
    let mut world = World::new(6);
    let writer = world.writer(30);
    let config = Config {
        uploading: false,
        ..Config::default()
    };
    let reader = world.add(config, Model::default());
    let link = world.join(writer, reader, false);
    world.settle();
    assert!(world.nodes[reader].feed.is_full());
    assert_eq!(world.links[link].closed, [true, true]);
}

#[test]
fn feed_of_several_windows_is_fetched_whole() {
    // Only the blocks around the edges are there to fetch.
    let mut source = Model::full(3 * WINDOW + 10);
    let mut there = Model::full(3 * WINDOW + 10);
    for edge in [WINDOW, 2 * WINDOW, 3 * WINDOW] {
        there.blocks.remove(edge - 5..edge + 5);
    }
    source.hashes.clear();
    source.hashes.insert(0..source.length);
    let mut world = World::new(7);
    let config = Config {
        downloading: false,
        ..Config::default()
    };
    let writer = world.add(config, source);
    let reader = world.add(Config::default(), there);
    let link = world.join(writer, reader, false);
    world.settle();
    assert!(world.nodes[reader].feed.is_full());
    assert_eq!(world.nodes[reader].requested, 30);
    assert_eq!(world.links[link].closed, [true, true]);
    let said = phrases(&world.said(link, reader));
    let wants: Vec<&str> = said
        .iter()
        .map(|s| s.as_str())
        .filter(|s| s.starts_with("want"))
        .collect();
    assert_eq!(wants, ["want 0", "want 1", "want 2", "want 3"]);
}

/// What was said, without requests, answers and news of single blocks.
fn phrases(messages: &[&Message]) -> Vec<String> {
    let phrase = |message: &Message| match message {
        Message::Want(Want { start, length }) => {
            assert_eq!(*length, Some(WINDOW));
            Some(format!("want {}", start / WINDOW))
        }
        Message::Status(Status {
            uploading: Some(true),
            downloading: Some(false),
        }) => Some("status up".into()),
        Message::Status(Status {
            uploading: Some(false),
            downloading: Some(false),
        }) => Some("status".into()),
        Message::Have(Have {
            length: Some(WINDOW),
            bitfield: Some(_),
            ..
        }) => Some("picture".into()),
        Message::Have(Have {
            length: None,
            bitfield: None,
            ack: None,
            ..
        }) => Some("tip".into()),
        Message::Close(_) => Some("close".into()),
        Message::Request(_) | Message::Data(_) => None,
        other => panic!("unexpected {other:?}"),
    };
    messages.iter().filter_map(|m| phrase(m)).collect()
}
