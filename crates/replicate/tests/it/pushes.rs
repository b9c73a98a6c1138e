//! Answers that nobody asked for.

use hypercore_replicate::{Action, Config, Error};
use wire::{Message, Unhave, Want};

use crate::{
    face::{Face, PEER, WINDOW, error, sent},
    model::{Model, data},
};

fn reader(allow_push: bool) -> Face {
    let config = Config {
        allow_push,
        ..Config::default()
    };
    let mut face = Face::new(config, Model::default());
    face.say(Message::Want(Want {
        start: 0,
        length: Some(WINDOW),
    }));
    face
}

fn takes(actions: &[Action]) -> bool {
    let mut actions = actions.iter();
    actions.any(|action| matches!(action, Action::Store { .. }))
}

fn store(face: &mut Face, block: u64, has_value: bool) {
    face.feed.store(&data(block, has_value, 100));
    face.replicator
        .handle_stored(face.now, PEER, block, has_value, &face.feed);
    face.drain();
}

#[test]
fn a_pushed_block_is_stored_where_that_is_allowed_and_else_turned_down() {
    let mut face = reader(false);
    let actions = face.say(Message::Data(data(7, true, 100)));
    assert!(!takes(&actions));
    let unhave = Message::Unhave(Unhave {
        start: 7,
        length: None,
    });
    assert_eq!(sent(&actions), [&unhave]);

    let mut face = reader(true);
    let actions = face.say(Message::Data(data(7, true, 100)));
    assert!(takes(&actions));
    assert!(sent(&actions).is_empty());
    // While it is being stored and after that another one is dropped without a word.
    for _ in 0..2 {
        assert_eq!(face.say(Message::Data(data(7, true, 100))), []);
        store(&mut face, 7, true);
    }
}

#[test]
fn any_number_of_blocks_may_be_pushed() {
    let mut face = reader(true);
    for block in 0..2000 {
        let actions = face.say(Message::Data(data(block, true, 100)));
        assert!(takes(&actions), "{block}");
        store(&mut face, block, true);
    }
    assert!(face.is_connected());
}

#[test]
fn only_so_many_pushed_blocks_are_being_stored() {
    let mut face = reader(true);
    let taken = (0..5000).filter(|block| takes(&face.say(Message::Data(data(*block, true, 9000)))));
    assert_eq!(taken.count(), 1024);
    assert!(face.is_connected());
}

#[test]
fn hashes_are_welcome_but_only_so_often() {
    let mut face = reader(false);
    for block in 0..16 {
        assert!(takes(&face.say(Message::Data(data(block, false, 100)))));
        store(&mut face, block, false);
    }
    let actions = face.say(Message::Data(data(16, false, 100)));
    assert_eq!(error(&actions), Some(&Error::TooManyStrays { count: 17 }));
    assert!(!takes(&actions));
}

#[test]
fn a_pushed_block_whose_peer_goes_is_asked_for_elsewhere() {
    let mut face = reader(true);
    assert!(takes(&face.say(Message::Data(data(3, true, 100)))));
    // It didn't verify, which costs the peer its place.
    face.replicator
        .handle_refused(face.now, PEER, 3, &face.feed);
    face.drain();
    face.join();
    let asked = face.have(3, 1);
    let asks =
        |message: &&Message| matches!(message, Message::Request(request) if request.index == 3);
    assert!(sent(&asked).iter().any(asks));
}
