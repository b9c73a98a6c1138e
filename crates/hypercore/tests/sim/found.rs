//! What worlds have found, in small.

use std::{future::IntoFuture, time::Duration};

use bytes::Bytes;
use hypercore::{Dialect, DialectChoice, Error, KeyPair, Result, Role as Side, Session};
use testkit::{Rng, Sim, Task};

use crate::{
    faults::Quality,
    net,
    node::{Node, Role, at_once},
};

/// A writer of so many blocks, a sparse reader, and a live connection between them.
struct Pair {
    sim: Sim,
    writer: Node,
    reader: Node,
    _connection: [Task<Result<Session>>; 2],
}

impl Pair {
    fn new(blocks: usize) -> Self {
        let (sim, mut rng) = (Sim::new(1), Rng::new(1));
        let keys = KeyPair::from_seed([1; 32]);
        let writer = Node::new(&sim, &mut rng, Role::Writer, &keys);
        let reader = Node::new(&sim, &mut rng, Role::Sparse, &keys);
        append(&writer, blocks);
        let connection = connect(&sim, &mut rng, &reader, &writer);
        Pair {
            sim,
            writer,
            reader,
            _connection: connection,
        }
    }
}

/// A live connection.
fn connect(sim: &Sim, rng: &mut Rng, reader: &Node, writer: &Node) -> [Task<Result<Session>>; 2] {
    let quality = Quality::perfect(rng);
    let (left, right, _) = net::connect(sim, rng, &quality);
    let spoken = DialectChoice::Fixed(Dialect::V8);
    let left = reader.feed.replicate(Side::Initiator, left);
    let left = left.live(true).dialect(spoken);
    let right = writer.feed.replicate(Side::Responder, right);
    let right = right.live(true).dialect(spoken);
    [
        sim.spawn("reader", left.into_future()),
        sim.spawn("writer", right.into_future()),
    ]
}

fn append(writer: &Node, count: usize) {
    let blocks = (0..count).map(|n| Bytes::from(vec![n as u8; 10]));
    at_once(writer.feed.append_batch(blocks)).unwrap();
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_is_cleared_of_a_range_that_is_waited_for_is_fetched_again() {
    let Pair {
        sim,
        writer,
        reader,
        ..
    } = &Pair::new(3);
    let first = sim.spawn("first", reader.feed.get_range(0..3).into_future());
    sim.run_for(SECOND);
    assert_eq!(first.take().unwrap().unwrap().len(), 3);
    let range = sim.spawn("range", reader.feed.get_range(0..5).into_future());
    sim.run_ready();
    reader.clear(1..2);
    sim.run_for(SECOND);
    assert!(reader.feed.has(1) && range.take().is_none());
    append(writer, 2);
    sim.run_for(SECOND);
    assert_eq!(range.take().unwrap().unwrap().len(), 5);
}

#[test]
fn what_is_cleared_of_a_whole_copy_is_fetched_again_from_whoever_came_later() {
    let Pair {
        sim,
        writer,
        reader,
        _connection: first,
    } = Pair::new(5);
    let all = sim.spawn("all", reader.feed.get_range(0..5).into_future());
    sim.run_for(SECOND);
    assert_eq!(all.take().unwrap().unwrap().len(), 5);
    first.iter().for_each(Task::cancel);
    let _second = connect(&sim, &mut Rng::new(2), &reader, &writer);
    sim.run_for(SECOND);
    reader.clear(1..3);
    let get = reader.feed.get(2).if_available();
    let get = sim.spawn("get", get.into_future());
    sim.run_for(SECOND);
    assert_eq!(get.take().unwrap().unwrap(), [2; 10][..]);
}

#[test]
fn clearing_what_is_not_here_raises_no_doubt_about_what_the_others_have() {
    let Pair {
        sim,
        writer,
        reader,
        ..
    } = &Pair::new(3);
    let first = sim.spawn("first", reader.feed.get(0).into_future());
    sim.run_for(SECOND);
    assert_eq!(first.take().unwrap().unwrap(), [0; 10][..]);
    writer.clear(1..2);
    sim.run_for(SECOND);
    reader.clear(1..3);
    // Nobody has to be asked, so no time passes.
    for (block, offered) in [(1, false), (2, true)] {
        let get = reader.feed.get(block).if_available();
        let get = sim.spawn("get", get.into_future());
        sim.run_ready();
        match get.take() {
            None if offered => get.cancel(),
            Some(Err(Error::NotAvailable { .. })) if !offered => {}
            told => panic!("{block}: {told:?}"),
        }
    }
}

#[test]
fn closing_a_feed_ends_a_connection_whose_remote_says_nothing() {
    let Pair { sim, reader, .. } = &Pair::new(0);
    let mut rng = Rng::new(2);
    let quality = Quality::perfect(&mut rng);
    let (socket, _silent, _) = net::connect(sim, &mut rng, &quality);
    let replicate = reader.feed.replicate(Side::Initiator, socket);
    let connection = sim.spawn("connection", replicate.into_future());
    sim.run_for(SECOND);
    assert!(!connection.is_done());
    reader.close();
    // It may be in the midst of something, and has two seconds for that.
    sim.run_for(2 * SECOND);
    assert!(matches!(connection.take(), Some(Err(Error::Closed))));
}
