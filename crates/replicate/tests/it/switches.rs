//! Fetching and answering, switched for one peer while it runs.

use std::time::Duration;

use hypercore_replicate::{Action, PeerId};
use wire::{Have, Message, Status};

use crate::{
    face::{Face, PEER, request, sent},
    model::{Model, data},
    world::World,
};

fn status(uploading: bool, downloading: bool) -> Message {
    Message::Status(Status {
        uploading: Some(uploading),
        downloading: Some(downloading),
    })
}

#[test]
fn what_a_peer_was_asked_for_is_taken_back_and_asked_elsewhere() {
    let mut world = World::new(1);
    let (writer, other, reader) = (world.writer(40), world.writer(40), world.reader());
    let first = world.join(writer, reader, true);
    world.nodes[writer].silent = true;
    world.settle();
    let before = world.said(first, reader);
    let requests = |message: &&&Message| matches!(message, Message::Request(_));
    let (asked, requested) = (before.len(), before.iter().filter(requests).count());
    assert!(requested > 0);
    world.join(other, reader, true);
    world.tell(reader, |node, now| {
        let id = PeerId(first as u64);
        node.replicator
            .set_peer_downloading(now, id, false, &node.feed);
        assert!(node.replicator.requested_from(id).is_empty());
        assert!(!node.replicator.peer(id).unwrap().downloading);
    });
    let said = world.said(first, reader);
    let cancels = |message: &&&Message| matches!(message, Message::Cancel(_));
    assert_eq!(said.iter().filter(cancels).count(), requested);
    assert!(said.contains(&&status(true, false)));
    world.strict = false;
    world.settle();
    assert!(world.nodes[reader].feed.is_full());
    // Nothing more went there.
    assert_eq!(world.said(first, reader).len(), asked + requested + 1);
}

#[test]
fn a_peer_is_asked_again_once_that_is_allowed_again() {
    let mut world = World::new(2);
    let (writer, reader) = (world.writer(10), world.reader());
    let link = world.join(writer, reader, true);
    let id = PeerId(link as u64);
    world.tell(reader, |node, now| {
        node.replicator
            .set_peer_downloading(now, id, false, &node.feed);
    });
    world.settle();
    assert_eq!(world.nodes[reader].feed.length, 0);
    world.tell(reader, |node, now| {
        node.replicator
            .set_peer_downloading(now, id, true, &node.feed);
    });
    world.settle();
    assert!(world.nodes[reader].feed.is_full());
    assert_eq!(world.nodes[reader].feed.length, 10);
}

#[test]
fn requests_of_a_peer_that_is_answered_no_more_are_dropped() {
    let mut face = Face::new(hypercore_replicate::Config::default(), Model::full(200));
    for block in 0..100 {
        face.say(Message::Request(request(block)));
    }
    assert_eq!(face.replicator.peer(PEER).unwrap().serving, 100);
    face.replicator
        .set_peer_uploading(face.now, PEER, false, &face.feed);
    assert_eq!(sent(&face.drain()), [&status(false, true)]);
    assert_eq!(face.replicator.peer(PEER).unwrap().serving, 0);
    assert_eq!(face.say(Message::Request(request(150))), []);
    face.replicator
        .set_peer_uploading(face.now, PEER, true, &face.feed);
    face.drain();
    let served = face.say(Message::Request(request(150)));
    assert!(matches!(served[..], [Action::Serve { .. }]), "{served:?}");
}

#[test]
fn a_switch_that_changes_nothing_says_nothing() {
    let mut face = Face::reader();
    face.replicator
        .set_peer_uploading(face.now, PEER, true, &face.feed);
    face.replicator
        .set_peer_downloading(face.now, PEER, true, &face.feed);
    face.replicator
        .set_peer_downloading(face.now, PeerId(77), false, &face.feed);
    assert_eq!(face.drain(), []);
}

#[test]
fn the_first_news_of_a_peer_and_each_other_length_are_told() {
    let mut face = Face::reader();
    let mut told = |message| -> Vec<u64> {
        let actions = face.say(message);
        let lengths = actions.into_iter().filter_map(|action| match action {
            Action::Announced { length, .. } => Some(length),
            _ => None,
        });
        lengths.collect()
    };
    let have = |start, length| {
        Message::Have(Have {
            start,
            length: Some(length),
            bitfield: None,
            ack: None,
        })
    };
    assert_eq!(told(have(3, 2)), [5]);
    assert!(told(have(0, 4)).is_empty());
    assert_eq!(told(have(7, 1)), [8]);
    assert!(told(Message::Data(data(3, true, 8))).is_empty());
    // A peer that has nothing says so once.
    let mut face = Face::reader();
    face.now = Duration::from_secs(1);
    let nothing = Message::Have(Have {
        start: 0,
        length: Some(1 << 20),
        bitfield: Some(bytes::Bytes::new()),
        ack: None,
    });
    let first = face.say(nothing.clone());
    assert!(first.contains(&Action::Announced {
        peer: PEER,
        length: 0
    }));
    assert_eq!(face.say(nothing), []);
}
