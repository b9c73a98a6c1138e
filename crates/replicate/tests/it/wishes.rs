//! Single blocks, ranges, lengths and seeks.

use bitfield::RangeSet;
use hypercore_replicate::{Config, Order, Outcome, Wish};
use wire::{Message, Request};

use crate::{model::Model, world::World};

fn sparse(world: &mut World) -> usize {
    let config = Config {
        sparse: true,
        ..Config::default()
    };
    world.add(config, Model::default())
}

fn requests(world: &World, link: usize, node: usize) -> Vec<&Request> {
    let said = world.said(link, node).into_iter();
    said.filter_map(|message| match message {
        Message::Request(request) => Some(request),
        _ => None,
    })
    .collect()
}

#[test]
fn sparse_reader_fetches_only_what_is_wished_for() {
    let mut world = World::new(0);
    let (writer, reader) = (world.writer(3_000_000), sparse(&mut world));
    let link = world.join(writer, reader, true);
    let blocks = [4, 2_900_000, 1 << 20, (1 << 20) - 1];
    let wishes = blocks.map(|block| world.want(reader, block));
    world.settle();
    for wish in wishes {
        assert_eq!(world.nodes[reader].resolved[&wish], Outcome::Stored);
    }
    let mut asked: Vec<u64> = requests(&world, link, reader)
        .iter()
        .map(|r| r.index)
        .collect();
    asked.sort_unstable();
    assert_eq!(asked, [4, (1 << 20) - 1, 1 << 20, 2_900_000]);
    let again = world.want(reader, 4);
    assert_eq!(world.nodes[reader].resolved[&again], Outcome::Stored);
}

#[test]
fn who_knows_nothing_of_the_tree_asks_for_one_block_first() {
    let mut world = World::new(2);
    let (writer, reader) = (world.writer(1000), sparse(&mut world));
    let link = world.join(writer, reader, true);
    for block in (0..1000).step_by(10) {
        world.want(reader, block);
    }
    while requests(&world, link, reader).is_empty() {
        world.step();
    }
    assert_eq!(requests(&world, link, reader).len(), 1);
    while world.nodes[reader].feed.length == 0 {
        assert_eq!(requests(&world, link, reader).len(), 1);
        world.step();
    }
    assert!(requests(&world, link, reader).len() > 16);
    world.settle();
    assert_eq!(world.nodes[reader].requested, 100);
}

#[test]
fn block_beyond_the_end_is_fetched_when_it_exists() {
    let mut world = World::new(1);
    let (writer, reader) = (world.writer(10), sparse(&mut world));
    world.join(writer, reader, true);
    let wish = world.want(reader, 100);
    world.settle();
    assert!(world.nodes[reader].resolved.is_empty());
    world.append(writer, 90);
    world.settle();
    assert!(world.nodes[reader].resolved.is_empty());
    world.append(writer, 1);
    world.settle();
    assert_eq!(world.nodes[reader].resolved[&wish], Outcome::Stored);
    assert_eq!(world.nodes[reader].requested, 1);
}

#[test]
fn blocks_that_somebody_waits_for_go_first() {
    let mut world = World::new(2);
    let (writer, reader) = (world.writer(1000), world.reader());
    let link = world.join(writer, reader, true);
    for _ in 0..30 {
        world.step();
    }
    let before = requests(&world, link, reader).len();
    assert_eq!(world.nodes[reader].requested as usize, before);
    let block = (0..1000).find(|block| {
        let asked = requests(&world, link, reader);
        asked.iter().all(|request| request.index != *block)
    });
    world.want(reader, block.unwrap());
    let asked = requests(&world, link, reader);
    assert_eq!(asked[before].index, block.unwrap(), "asked for at once");
}

#[test]
fn every_waiting_caller_is_told() {
    let mut world = World::new(3);
    let (writer, reader) = (world.writer(10), sparse(&mut world));
    let wishes = [world.want(reader, 3), world.want(reader, 3)];
    world.join(writer, reader, true);
    world.settle();
    assert!(
        wishes
            .iter()
            .all(|wish| world.nodes[reader].resolved.contains_key(wish))
    );
    assert_eq!(world.nodes[reader].requested, 1);
}

#[test]
fn ranges_resolve_when_they_are_complete() {
    let mut world = World::new(4);
    let (writer, reader) = (world.writer(1000), sparse(&mut world));
    world.join(writer, reader, true);
    let range = world.want(reader, 100..200);
    let set = world.want(reader, RangeSet::from_iter([5..7, 900..910]));
    let open = world.want(reader, 995..u64::MAX);
    let late = world.want(reader, 999..1002);
    world.settle();
    let resolved = &world.nodes[reader].resolved;
    assert_eq!(resolved.len(), 2);
    assert!(resolved.contains_key(&range) && resolved.contains_key(&set));
    assert_eq!(world.nodes[reader].feed.blocks.count(0..1000), 100 + 12 + 5);
    world.append(writer, 2);
    world.settle();
    let resolved = &world.nodes[reader].resolved;
    assert!(resolved.contains_key(&late) && !resolved.contains_key(&open));
}

#[test]
fn linear_ranges_are_asked_for_in_order() {
    let mut world = World::new(5);
    let (writer, reader) = (world.writer(300), sparse(&mut world));
    let link = world.join(writer, reader, true);
    world.want(
        reader,
        Wish::Range {
            blocks: 10..250,
            order: Order::Linear,
        },
    );
    world.settle();
    let asked = requests(&world, link, reader).into_iter().map(|r| r.index);
    assert!(asked.eq(10..250));
}

#[test]
fn longer_feed_is_found_by_a_hash() {
    let mut world = World::new(6);
    let (writer, reader) = (world.writer(5), sparse(&mut world));
    let link = world.join(writer, reader, true);
    let first = world.want(reader, Wish::Length(1));
    world.settle();
    assert_eq!(
        world.nodes[reader].resolved[&first],
        Outcome::Grown { length: 5 }
    );
    let second = world.want(reader, Wish::Length(7));
    world.append(writer, 1);
    world.settle();
    assert!(!world.nodes[reader].resolved.contains_key(&second));
    world.append(writer, 3);
    world.settle();
    assert!(world.nodes[reader].resolved.contains_key(&second));
    let asked = requests(&world, link, reader);
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|request| request.hash()));
    assert!(world.nodes[reader].feed.blocks.is_empty());
}

#[test]
fn longer_feed_and_its_last_block_come_with_one_request() {
    let mut world = World::new(16);
    let (writer, reader) = (world.writer(5), sparse(&mut world));
    let link = world.join(writer, reader, true);
    let here = world.want(reader, Wish::Tip(3));
    world.settle();
    assert_eq!(
        world.nodes[reader].resolved[&here],
        Outcome::Grown { length: 5 }
    );
    let (short, far) = (
        world.want(reader, Wish::Tip(6)),
        world.want(reader, Wish::Tip(9)),
    );
    world.append(writer, 2);
    world.settle();
    assert!(world.nodes[reader].resolved.contains_key(&short));
    assert!(!world.nodes[reader].resolved.contains_key(&far));
    world.append(writer, 4);
    world.settle();
    assert!(world.nodes[reader].resolved.contains_key(&far));
    let asked = requests(&world, link, reader);
    let asked: Vec<_> = asked.iter().map(|it| (it.index, it.hash())).collect();
    assert_eq!(asked, [(4, false), (6, false), (10, false)]);
    // What is here already is asked of nobody.
    let again = world.want(reader, Wish::Tip(11));
    world.settle();
    assert!(world.nodes[reader].resolved.contains_key(&again));
    assert_eq!(requests(&world, link, reader).len(), 3);
}

#[test]
fn last_block_is_asked_for_until_nobody_wants_it() {
    let mut world = World::new(17);
    let (writer, reader) = (world.writer(8), sparse(&mut world));
    world.nodes[writer].silent = true;
    let link = world.join(writer, reader, true);
    let (tip, block) = (world.want(reader, Wish::Tip(1)), world.want(reader, 2));
    world.settle();
    let cancelled = |world: &World| {
        let log = world.links[link].log.iter();
        let cancels = log.filter_map(|(_, message)| match message {
            Message::Cancel(cancel) => Some(cancel.index),
            _ => None,
        });
        cancels.collect::<Vec<_>>()
    };
    for wish in [block, tip] {
        assert!(!cancelled(&world).contains(&7));
        world.tell(reader, |node, now| {
            node.replicator.cancel(now, wish, &node.feed)
        });
        world.settle();
    }
    assert!(cancelled(&world).contains(&7));
}

#[test]
fn seek_asks_one_peer_for_hashes_and_ends_with_the_answer() {
    let mut world = World::new(7);
    let (writer, reader) = (world.writer(30), sparse(&mut world));
    let links = [world.join(writer, reader, true)];
    world.settle();
    let wish = world.want(
        reader,
        Wish::Seek {
            bytes: 140,
            within: 6..8,
        },
    );
    world.settle();
    assert_eq!(world.nodes[reader].resolved[&wish], Outcome::Answered);
    let asked = requests(&world, links[0], reader);
    assert_eq!(asked.len(), 1);
    assert!(asked[0].bytes() == 140 && asked[0].hash() && (6..8).contains(&asked[0].index));
}

#[test]
fn withdrawn_wishes_are_cancelled_with_the_peer() {
    let mut world = World::new(8);
    let (writer, reader) = (world.writer(10), sparse(&mut world));
    world.nodes[writer].silent = true;
    let link = world.join(writer, reader, true);
    let (mine, ours, also_ours) = (
        world.want(reader, 3),
        world.want(reader, 4),
        world.want(reader, 4),
    );
    world.settle();
    for wish in [mine, ours] {
        world.tell(reader, |node, now| {
            node.replicator.cancel(now, wish, &node.feed)
        });
    }
    let cancelled: Vec<u64> = world
        .said(link, reader)
        .into_iter()
        .filter_map(|message| match message {
            Message::Cancel(cancel) => Some(cancel.index),
            _ => None,
        })
        .collect();
    assert_eq!(cancelled, [3]);
    world.nodes[writer].silent = false;
    world.settle();
    // Block 3 isn't sent any longer.
    assert_eq!(
        world.nodes[reader].feed.blocks,
        std::iter::once(4..5).collect()
    );
    assert!(world.nodes[reader].resolved.contains_key(&also_ours));
    assert_eq!(world.nodes[reader].resolved.len(), 1);
    // It can be wished for again.
    let again = world.want(reader, 3);
    world.settle();
    assert!(world.nodes[reader].resolved.contains_key(&again));
}

#[test]
fn block_whose_hash_is_on_its_way_is_fetched_after_it() {
    let mut world = World::new(9);
    let (writer, reader) = (world.writer(5), sparse(&mut world));
    world.nodes[writer].silent = true;
    world.join(writer, reader, true);
    world.want(reader, Wish::Length(5));
    world.settle();
    let block = world.want(reader, 4);
    world.settle();
    assert_eq!(world.nodes[reader].requested, 1);
    world.nodes[writer].silent = false;
    world.settle();
    assert!(world.nodes[reader].resolved.contains_key(&block));
    assert_eq!(world.nodes[reader].requested, 2);
}

#[test]
fn cleared_block_of_an_open_range_is_fetched_again() {
    let mut world = World::new(10);
    let (writer, reader) = (world.writer(50), sparse(&mut world));
    world.join(writer, reader, true);
    world.want(reader, 10..u64::MAX);
    world.settle();
    world.clear(reader, 20..25);
    world.settle();
    assert_eq!(world.nodes[reader].requested, 45);
    assert_eq!(world.nodes[reader].feed.blocks.count(0..50), 40);
}

#[test]
fn seek_asks_for_no_hash_that_is_here() {
    let mut world = World::new(9);
    let reader = sparse(&mut world);
    world.nodes[reader].feed = Model {
        length: 8,
        hashes: std::iter::once(0..6).collect(),
        ..Model::default()
    };
    let early = world.add(Config::default(), Model::with(8, 0..6));
    let link = world.join(early, reader, true);
    let seek = Wish::Seek {
        bytes: 40,
        within: 4..8,
    };
    let wish = world.want(reader, seek);
    world.settle();
    assert_eq!(requests(&world, link, reader), Vec::<&Request>::new());
    // Whoever has a block that isn't known helps.
    let late = world.add(Config::default(), Model::with(8, 7..8));
    world.join(late, reader, true);
    world.settle();
    assert_eq!(world.nodes[reader].resolved[&wish], Outcome::Answered);
}

#[test]
fn seek_ends_when_hashes_come_otherwise() {
    let mut world = World::new(10);
    let reader = sparse(&mut world);
    world.nodes[reader].feed.length = 8;
    let seek = Wish::Seek {
        bytes: 40,
        within: 4..8,
    };
    let wish = world.want(reader, seek);
    world.settle();
    world.append(reader, 1);
    assert!(
        world.nodes[reader].resolved.is_empty(),
        "8 is none of these blocks"
    );
    let outcome = world.want(
        reader,
        Wish::Seek {
            bytes: 90,
            within: 9..10,
        },
    );
    world.append(reader, 1);
    assert_eq!(world.nodes[reader].resolved[&outcome], Outcome::Answered);
    assert!(!world.nodes[reader].resolved.contains_key(&wish));
}

#[test]
fn wishes_within_a_range_are_cancelled_together() {
    let mut world = World::new(18);
    let (writer, reader) = (world.writer(30), sparse(&mut world));
    world.nodes[writer].silent = true;
    let link = world.join(writer, reader, true);
    world.nodes[reader].feed.length = 30;
    let inside = [
        world.want(reader, 4),
        world.want(reader, 4),
        world.want(reader, 4..8),
        world.want(reader, Wish::Blocks([4..5, 7..8].into_iter().collect())),
        world.want(reader, seek(4..8)),
    ];
    let beyond = [
        world.want(reader, 3),
        world.want(reader, 8),
        world.want(reader, 7..9),
        world.want(reader, 0..u64::MAX),
        world.want(reader, seek(3..8)),
        world.want(reader, Wish::Length(31)),
        world.want(reader, Wish::Tip(31)),
    ];
    world.settle();
    world.tell(reader, |node, now| {
        node.replicator.cancel_range(now, 4..8, &node.feed);
    });
    world.settle();
    let resolved = &world.nodes[reader].resolved;
    let cancelled = |wish| resolved.get(wish) == Some(&Outcome::Cancelled);
    assert!(inside.iter().all(cancelled));
    assert!(!beyond.iter().any(|wish| resolved.contains_key(wish)));
    // Everything is wished for besides, so only the seek is taken back.
    let cancels = world.said(link, reader).into_iter();
    let cancels = cancels.filter(|message| matches!(message, Message::Cancel(_)));
    assert!(cancels.count() <= 1);
}

fn seek(within: std::ops::Range<u64>) -> Wish {
    Wish::Seek { bytes: 9, within }
}
