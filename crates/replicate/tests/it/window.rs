//! How the window of requests finds what a link takes: a reader and a source, with a delay and a rate between them.

use std::{collections::VecDeque, time::Duration};

use hypercore_replicate::{Action, Config, PeerConfig, PeerId, Replicator};
use wire::{Have, Message};

use crate::model::{Model, data};

const PEER: PeerId = PeerId(1);

/// A link to a source that answers in the order of the requests.
#[derive(Clone, Copy)]
struct Link {
    /// From one side to the other.
    delay: Duration,
    /// What the link needs for one block.
    per_block: Duration,
    /// How long answers gather before they are looked at and stored together.
    gather: Duration,
}

struct Fetched {
    took: Duration,
    largest_window: usize,
    last_window: usize,
    /// The longest time from a request to its answer.
    slowest: Duration,
}

/// Fetches a feed of so many blocks.
fn fetch(config: Config, link: Link, blocks: u64) -> Fetched {
    let mut reader = Replicator::new(config);
    let mut feed = Model::default();
    let mut now = Duration::ZERO;
    reader.add_peer(now, PEER, PeerConfig::default(), &feed);
    let have = Have {
        start: 0,
        length: Some(blocks),
        bitfield: None,
        ack: None,
    };
    reader.handle_message(now, PEER, Message::Have(have), &feed);
    let mut fetched = Fetched {
        took: now,
        largest_window: 0,
        last_window: 0,
        slowest: now,
    };
    // Answers under way: when each arrives, and when it was asked for.
    let mut under_way = VecDeque::new();
    let mut free = Duration::ZERO;
    loop {
        while let Some(action) = reader.poll_action() {
            match action {
                Action::Send {
                    message: Message::Request(request),
                    ..
                } => {
                    free = free.max(now + link.delay) + link.per_block;
                    under_way.push_back((free + link.delay, now, request.index));
                }
                Action::Store { data, .. } => {
                    feed.store(&data);
                    reader.handle_stored(now, PEER, data.index, true, &feed);
                }
                Action::Disconnect { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
        let window = reader.peers().next().map_or(0, |(_, peer)| peer.window);
        fetched.largest_window = fetched.largest_window.max(window);
        if window > 0 {
            fetched.last_window = window;
        }
        let Some((arrival, sent, block)) = under_way.pop_front() else {
            assert_eq!(feed.length, blocks);
            assert!(feed.is_full());
            fetched.took = now;
            return fetched;
        };
        while reader.poll_timeout().is_some_and(|due| due < arrival) {
            now = now.max(reader.poll_timeout().unwrap_or(now));
            reader.handle_timeout(now, &feed);
        }
        now = arrival + link.gather;
        let mut arrived = vec![(arrival, sent, block)];
        while under_way.front().is_some_and(|(due, ..)| *due <= now) {
            arrived.extend(under_way.pop_front());
        }
        for (_, sent, block) in arrived {
            fetched.slowest = fetched.slowest.max(now - sent);
            reader.handle_message(now, PEER, Message::Data(data(block, true, blocks)), &feed);
        }
    }
}

fn fixed(window: usize) -> Config {
    Config {
        first_requests: window,
        max_requests: window,
        ..Config::default()
    }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn a_long_way_is_filled_and_sooner_than_with_a_window_that_stays() {
    // 100 ms there and back, and room for far more than is asked for.
    let link = Link {
        delay: ms(50),
        per_block: Duration::from_micros(10),
        gather: ms(1),
    };
    for blocks in [1_000, 10_000, 100_000] {
        let grows = fetch(Config::default(), link, blocks);
        let stays = fetch(fixed(128), link, blocks);
        let ratio = grows.took.as_secs_f64() / stays.took.as_secs_f64();
        eprintln!("{blocks} blocks over 100 ms: {ratio:.2} of the time of 128 at once");
        assert!(ratio <= 1.0, "{ratio}");
        assert_eq!(grows.largest_window, 256);
    }
}

#[test]
fn a_short_way_is_filled_as_well() {
    let link = Link {
        delay: Duration::from_micros(20),
        per_block: Duration::from_micros(10),
        gather: Duration::from_micros(500),
    };
    let grows = fetch(Config::default(), link, 100_000);
    let stays = fetch(fixed(128), link, 100_000);
    let ratio = grows.took.as_secs_f64() / stays.took.as_secs_f64();
    assert!(ratio <= 1.001, "{ratio}");
}

#[test]
fn a_narrow_way_is_kept_busy_without_a_queue_of_requests() {
    // A block takes 20 ms: with 128 at once each answer would come after 2.5 s, and one that somebody waits for behind them.
    let link = Link {
        delay: ms(30),
        per_block: ms(20),
        gather: Duration::ZERO,
    };
    let grows = fetch(Config::default(), link, 1_000);
    let stays = fetch(fixed(128), link, 1_000);
    let ratio = grows.took.as_secs_f64() / stays.took.as_secs_f64();
    assert!(ratio <= 1.01, "{ratio}");
    assert!(grows.last_window <= 24, "{}", grows.last_window);
    assert!(grows.slowest <= ms(500), "{:?}", grows.slowest);
    assert!(stays.slowest >= ms(2_000), "{:?}", stays.slowest);
}
