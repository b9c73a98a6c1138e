//! Peers that let us wait: their blocks are fetched elsewhere, and in the end they are dropped.

use std::time::Duration;

use hypercore_replicate::{Config, Error};
use wire::{Message, Status};

use crate::{
    face::{Face, WINDOW, error},
    model::Model,
    world::World,
};

#[test]
fn liars_do_not_stop_honest_peers() {
    for seed in 0..5 {
        let mut world = World::new(seed);
        world.strict = false;
        let reader = world.reader();
        let mut stalled = Vec::new();
        for _ in 0..6 {
            let liar = world.add(Config::default(), Model::full(400));
            world.nodes[liar].silent = true;
            stalled.push(world.join(liar, reader, true));
        }
        let writer = world.writer(400);
        let honest = world.join(writer, reader, true);
        world.run_until(Duration::from_secs(2));
        assert!(
            world.nodes[reader].feed.is_full(),
            "at nearly the honest rate"
        );
        assert_eq!(world.nodes[reader].feed.length, 400);
        // Their requests were satisfied otherwise, so they may stay.
        world.run_until(Duration::from_secs(60));
        assert!(
            stalled
                .iter()
                .all(|link| world.links[*link].error.is_none())
        );
        assert!(world.links[honest].error.is_none());
    }
}

#[test]
fn only_source_that_never_answers_is_dropped_after_the_timeout() {
    let mut world = World::new(1);
    world.strict = false;
    let (writer, reader) = (world.writer(10), world.reader());
    world.nodes[writer].silent = true;
    let link = world.join(writer, reader, true);
    world.run_until(Duration::from_millis(19_900));
    assert!(world.links[link].error.is_none());
    world.run_until(Duration::from_millis(20_100));
    let error = world.links[link].error.clone();
    assert!(
        matches!(error, Some(Error::RequestTimeout { .. })),
        "{error:?}"
    );
    // A new connection starts from nothing and works.
    world.nodes[writer].silent = false;
    world.join(writer, reader, true);
    world.settle();
    assert!(world.nodes[reader].feed.is_full());
}

#[test]
fn without_a_timeout_a_slow_peer_may_answer_late() {
    let mut world = World::new(2);
    let writer = world.writer(10);
    let config = Config {
        request_timeout: None,
        ..Config::default()
    };
    let reader = world.add(config, Model::default());
    world.nodes[writer].silent = true;
    let link = world.join(writer, reader, true);
    world.run_until(Duration::from_secs(1000));
    world.nodes[writer].silent = false;
    world.settle();
    assert!(world.links[link].error.is_none());
    assert!(world.nodes[reader].feed.is_full());
    assert_eq!(world.nodes[reader].requested, 10);
}

#[test]
fn peer_that_wakes_up_is_asked_again() {
    let mut world = World::new(3);
    world.strict = false;
    let (writer, reader) = (world.writer(100), world.reader());
    let link = world.join(writer, reader, true);
    world.settle();
    world.nodes[writer].silent = true;
    world.append(writer, 100);
    world.run_until(Duration::from_secs(5));
    world.nodes[writer].silent = false;
    world.run_until(Duration::from_secs(6));
    assert!(world.links[link].error.is_none());
    assert_eq!(world.nodes[reader].feed.blocks, Model::full(200).blocks);
}

#[test]
fn unhave_lets_others_be_asked_at_once() {
    let mut world = World::new(4);
    let (first, second) = (
        world.add(Config::default(), Model::full(10)),
        world.writer(10),
    );
    let config = Config {
        sparse: true,
        ..Config::default()
    };
    let reader = world.add(config, Model::default());
    world.join(first, reader, true);
    world.settle();
    world.nodes[first].silent = true;
    world.want(reader, 4);
    world.settle();
    // The block is lost before it could be served; then the request is looked at.
    world.join(second, reader, true);
    world.settle();
    assert!(world.nodes[reader].feed.blocks.is_empty());
    world.nodes[first].feed.clear(4..5);
    world.nodes[first].silent = false;
    world.settle();
    assert_eq!(world.now, Duration::ZERO);
    assert!(world.nodes[reader].feed.blocks.contains(4));
}

/// What the peer of a reader has met with at this time.
fn look(reader: &mut Face, seconds: u64) -> Option<Error> {
    reader.now = Duration::from_secs(seconds);
    let due = reader.replicator.poll_timeout();
    if due.is_some_and(|due| due <= reader.now) {
        reader
            .replicator
            .handle_timeout(reader.now, &reader.feed.clone());
    }
    error(&reader.drain()).cloned()
}

#[test]
fn who_never_says_what_it_has_is_dropped_after_the_timeout() {
    let mut reader = Face::reader();
    assert_eq!(look(&mut reader, 19), None);
    assert_eq!(look(&mut reader, 20), Some(Error::WantTimeout));
    assert!(!reader.is_connected());
}

#[test]
fn who_said_what_it_has_owes_nothing() {
    let mut reader = Face::reader();
    reader.now = Duration::from_secs(19);
    reader.picture(0, &[]);
    assert_eq!(reader.replicator.poll_timeout(), None);
    // Each question has its own time.
    reader
        .replicator
        .want(reader.now, WINDOW, &reader.feed.clone());
    assert_eq!(look(&mut reader, 38), None);
    assert_eq!(look(&mut reader, 39), Some(Error::WantTimeout));
}

#[test]
fn who_stops_uploading_owes_nothing() {
    let mut reader = Face::reader();
    reader.say(Message::Status(Status {
        uploading: Some(false),
        downloading: Some(true),
    }));
    assert_eq!(reader.replicator.poll_timeout(), None);
    assert_eq!(look(&mut reader, 1000), None);
}
