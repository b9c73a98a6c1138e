//! Blocks that a peer announces and takes back.

use hypercore_replicate::{Action, Config, Error, Limits};
use wire::{Message, Unhave, Want};

use crate::{
    face::{Face, PEER, WINDOW, error, sent},
    model::{Model, data},
};

fn unhave(start: u64, length: u64) -> Message {
    Message::Unhave(Unhave {
        start,
        length: Some(length),
    })
}

/// Blocks that are announced in these actions.
fn announced(actions: &[Action]) -> Vec<(u64, u64)> {
    let haves = sent(actions)
        .into_iter()
        .filter_map(|message| match message {
            Message::Have(have) if have.bitfield.is_none() => Some((have.start, have.length())),
            _ => None,
        });
    haves.collect()
}

/// A reader whose peer listens and has blocks 0 to 9, all of which were fetched from it.
fn after_fetching() -> Face {
    let mut face = Face::reader();
    face.say(Message::Want(Want {
        start: 0,
        length: Some(WINDOW),
    }));
    face.have(0, 10);
    for block in 0..10 {
        let answer = data(block, true, 10);
        face.say(Message::Data(answer.clone()));
        face.feed.store(&answer);
        face.replicator
            .handle_stored(face.now, PEER, block, true, &face.feed);
        assert_eq!(announced(&face.drain()), []);
    }
    face
}

#[test]
fn whoever_loses_a_block_hears_that_it_is_here() {
    let mut face = after_fetching();
    assert_eq!(announced(&face.say(unhave(2, 3))), [(2, 3)]);
    assert_eq!(announced(&face.say(unhave(2, 3))), [], "once");
    // Not what was lost here as well.
    face.feed.clear(7..8);
    face.replicator
        .handle_cleared(face.now, 7..8, 7..8, &face.feed);
    face.drain();
    assert_eq!(
        announced(&face.say(unhave(0, 1 << 40))),
        [(0, 2), (5, 2), (8, 2)]
    );
}

#[test]
fn a_block_from_elsewhere_is_announced_to_who_takes_it_back_just_then() {
    let mut face = Face::reader();
    face.say(Message::Want(Want {
        start: 0,
        length: Some(WINDOW),
    }));
    face.have(4, 1);
    // It comes by other means, and the peer is believed to have it.
    let blocks = {
        face.feed.append(5);
        4..5
    };
    face.replicator
        .handle_appended(face.now, blocks, &face.feed);
    assert_eq!(announced(&face.drain()), []);
    assert_eq!(announced(&face.say(unhave(4, 1))), [(4, 1)]);
}

#[test]
fn who_takes_everything_back_that_is_asked_for_is_left_in_the_end() {
    let config = Config {
        limits: Limits {
            retractions: 20,
            ..Limits::default()
        },
        ..Config::default()
    };
    let mut face = Face::new(config, Model::default());
    face.have(0, 1 << 32);
    for _ in 0..20 {
        assert_eq!(error(&face.say(unhave(0, 1 << 32))), None);
        // Nothing is in flight now, so this one counts for nothing.
        assert_eq!(error(&face.say(unhave(0, 1 << 32))), None);
        face.have(0, 1 << 32);
    }
    let actions = face.say(unhave(0, 1 << 32));
    assert_eq!(
        error(&actions),
        Some(&Error::TooManyRetractions { count: 21 })
    );
    assert!(!face.is_connected());
}

#[test]
fn who_delivers_as_much_as_it_takes_back_may_stay() {
    let config = Config {
        max_requests: 1,
        limits: Limits {
            retractions: 3,
            ..Limits::default()
        },
        ..Config::default()
    };
    let mut face = Face::new(config, Model::default());
    for n in 0..100 {
        let actions = face.have(n, 1);
        assert!(!sent(&actions).is_empty());
        if n % 2 == 0 {
            assert_eq!(error(&face.say(unhave(n, 1))), None);
            continue;
        }
        let answer = data(n, true, n + 1);
        face.say(Message::Data(answer.clone()));
        face.feed.store(&answer);
        face.replicator
            .handle_stored(face.now, PEER, n, true, &face.feed);
        face.drain();
    }
    assert!(face.is_connected());
}
