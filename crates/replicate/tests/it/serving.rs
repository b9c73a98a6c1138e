//! Requests of a peer between the moment when they are handed out and the moment when their owner comes to them.

use hypercore_replicate::{Action, Config, Limits};
use wire::{Cancel, Message, Request};

use crate::{
    face::{Face, PEER, request},
    model::Model,
};

/// A writer that hands out two requests at a time.
fn face() -> Face {
    let limits = Limits {
        serving: 2,
        ..Limits::default()
    };
    let config = Config {
        limits,
        ..Config::default()
    };
    Face::new(config, Model::full(100))
}

/// What is handed out after the peer asks for a block.
fn ask(face: &mut Face, block: u64) -> Vec<Request> {
    let actions = face.say(Message::Request(request(block)));
    served(actions)
}

fn cancel(face: &mut Face, block: u64) -> Vec<Request> {
    let cancel = Cancel {
        index: block,
        bytes: Some(0),
        hash: Some(false),
    };
    let actions = face.say(Message::Cancel(cancel));
    served(actions)
}

fn served(actions: Vec<Action>) -> Vec<Request> {
    let served = actions.into_iter().filter_map(|action| match action {
        Action::Serve { request, .. } => Some(request),
        _ => None,
    });
    served.collect()
}

fn begin(face: &mut Face, block: u64) -> (bool, Vec<Request>) {
    let begins = face.replicator.begin_serving(PEER, &request(block));
    (begins, served(face.drain()))
}

#[test]
fn what_is_taken_back_while_it_waits_is_over_when_its_owner_comes_to_it() {
    let mut face = face();
    assert_eq!(ask(&mut face, 1), [request(1)]);
    assert_eq!(ask(&mut face, 2), [request(2)]);
    for block in 3..6 {
        assert_eq!(ask(&mut face, block), []);
    }
    // One that waits behind them leaves no trace; one that is handed out keeps its place, so that no more are handed out.
    assert_eq!(cancel(&mut face, 4), []);
    assert_eq!(cancel(&mut face, 1), []);
    assert_eq!(begin(&mut face, 1), (false, vec![request(3)]));
    assert_eq!(begin(&mut face, 2), (true, vec![]));
    face.replicator.handle_served(PEER, &request(2), None);
    assert_eq!(served(face.drain()), [request(5)]);
    // Neither is one that nobody asked for, or that has its answer.
    assert_eq!(begin(&mut face, 77), (false, vec![]));
    assert_eq!(begin(&mut face, 2), (false, vec![]));
}

#[test]
fn what_is_taken_back_and_asked_for_again_has_one_answer() {
    let mut face = face();
    ask(&mut face, 1);
    for _ in 0..1000 {
        cancel(&mut face, 1);
        assert_eq!(ask(&mut face, 1), [], "it is handed out already");
    }
    assert_eq!(begin(&mut face, 1), (true, vec![]));
    face.replicator.handle_served(PEER, &request(1), None);
    assert_eq!(begin(&mut face, 1), (false, vec![]));
    let status = face.replicator.peer(PEER).map(|peer| peer.serving);
    assert_eq!(status, Some(0));
}

#[test]
fn a_block_and_its_hash_are_two_requests_and_each_has_its_own_end() {
    let mut face = face();
    let hash = Request {
        hash: Some(true),
        ..request(1)
    };
    ask(&mut face, 1);
    face.say(Message::Request(hash));
    face.replicator.handle_unserved(PEER, &hash);
    face.drain();
    assert!(!face.replicator.begin_serving(PEER, &hash));
    assert!(face.replicator.begin_serving(PEER, &request(1)));
}

#[test]
fn of_a_peer_that_has_gone_nothing_is_answered() {
    let mut face = face();
    ask(&mut face, 1);
    let now = face.now;
    face.replicator.remove_peer(now, PEER, &face.feed);
    assert_eq!(begin(&mut face, 1), (false, vec![]));
}

#[test]
fn a_seek_that_is_taken_back_lets_another_for_the_same_byte_go_on() {
    let mut face = face();
    let seek = |index| Request {
        bytes: Some(50),
        hash: Some(true),
        ..request(index)
    };
    assert_eq!(served(face.say(Message::Request(seek(1)))), [seek(1)]);
    assert_eq!(served(face.say(Message::Request(seek(2)))), []);
    face.say(Message::Cancel(Cancel {
        index: 1,
        bytes: Some(50),
        hash: Some(true),
    }));
    assert!(!face.replicator.begin_serving(PEER, &seek(1)));
    assert_eq!(served(face.drain()), [seek(2)]);
    assert!(face.replicator.begin_serving(PEER, &seek(2)));
}
