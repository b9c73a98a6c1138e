//! The tests of JavaScript hypercore-protocol 7.10 and 8.0.7 and of simple-hypercore-protocol, said again: what theirs show of a
//! connection and isn't shown elsewhere. `docs/javascript-tests.md` says which test of ours stands for each of theirs.

use std::time::Duration;

use hypercore_protocol::{
    Channel, Connection, Error, Event, ExtensionEvent, Extensions, KeyPair, Role,
};
use wire::{
    Cancel, Data, Extension, Have, Message, Options, Request, Status, Unhave, Unwant, Want,
};

use crate::world::{
    SECOND, World, block, close, config, connection, events, feed, frame, live, name, open, plain,
    randomness, status,
};

const BOTH: [Role; 2] = [Role::Initiator, Role::Responder];

fn request(index: u64) -> Message {
    Message::Request(Request {
        index,
        ..Request::default()
    })
}

fn options(names: &[&str]) -> Message {
    Message::Options(Options {
        extensions: names.iter().map(|name| (*name).to_owned()).collect(),
        ack: None,
    })
}

fn extension(id: u64, payload: &'static str) -> Message {
    let payload = payload.into();
    Message::Extension(Extension { id, payload })
}

fn say(world: &mut World, from: usize, channel: Channel, messages: &[Message]) {
    for message in messages {
        world.peers[from].connection.send(channel, message).unwrap();
    }
    world.settle();
}

#[test]
fn a_request_is_answered_with_data() {
    let (mut world, channels) = World::opened(BOTH.map(config));
    say(&mut world, 0, channels[0], &[request(42)]);
    assert_eq!(world.peers[1].messages(), [&request(42)]);
    let answer = Message::Data(Data {
        index: 42,
        value: Some("value".into()),
        ..Data::default()
    });
    say(&mut world, 1, channels[1], std::slice::from_ref(&answer));
    assert_eq!(world.peers[0].messages(), [&answer]);
    world.peers[0].connection.close(channels[0]);
    world.settle();
    let channel = channels[1];
    assert!(world.peers[1].events.contains(&Event::Closed { channel }));
}

#[test]
fn every_kind_of_message_arrives_with_its_defaults() {
    let (mut world, channels) = World::opened(BOTH.map(live));
    let have = |ack| Have {
        start: 10,
        length: Some(10),
        bitfield: None,
        ack,
    };
    let (start, length) = (18, Some(100));
    let said = [
        Message::Want(Want { start: 10, length }),
        Message::Status(Status {
            uploading: Some(false),
            downloading: Some(true),
        }),
        Message::Unwant(Unwant { start: 11, length }),
        Message::Unhave(Unhave { start, length }),
        Message::Have(have(None)),
        Message::Have(have(Some(true))),
        Message::Cancel(Cancel {
            index: 100,
            ..Cancel::default()
        }),
        request(10),
        block(42, 2),
        extension(42, "binary!"),
    ];
    say(&mut world, 1, channels[1], &said);
    let heard = world.peers[0].messages();
    assert!(heard.iter().copied().eq(&said));
    let (Message::Have(plain), Message::Have(ack)) = (heard[4], heard[5]) else {
        panic!("{heard:?}");
    };
    assert_eq!((plain.ack(), ack.ack()), (false, true));
    let (Message::Request(request), Message::Cancel(cancel)) = (heard[7], heard[6]) else {
        panic!("{heard:?}");
    };
    assert_eq!(
        (request.bytes(), request.hash(), request.nodes()),
        (0, false, 0)
    );
    assert_eq!(
        (cancel.bytes.unwrap_or(0), cancel.hash.unwrap_or(false)),
        (0, false)
    );
    // And the other side hears of a feed that it doesn't have.
    world.peers[1].connection.open(&feed(7)).unwrap();
    world.settle();
    let discovery_key = name(7);
    let last = world.peers[0].events.last();
    assert_eq!(last, Some(&Event::RemoteOpen { discovery_key }));
}

#[test]
fn whoever_ends_a_connection_hears_nothing_more_of_its_feeds() {
    let (mut world, channels) = World::opened(BOTH.map(live));
    world.peers[0].connection.finish();
    world.settle();
    assert_eq!(world.peers[1].events.last(), Some(&Event::HungUp));
    say(&mut world, 1, channels[1], &[status(true)]);
    assert!(world.peers[0].messages().is_empty());
}

#[test]
fn a_feed_that_is_opened_later_was_verified_before() {
    let mut world = World::new(BOTH.map(live));
    let channel = world.peers[0].connection.open(&feed(1)).unwrap();
    world.settle();
    world.pass(SECOND / 10);
    let b = &world.peers[1].connection;
    let shown = b.shown_capability(&name(1)).unwrap();
    assert!(b.capability().unwrap().verify(feed(1).as_bytes(), &shown));
    assert!(!b.capability().unwrap().verify(feed(2).as_bytes(), &shown));
    world.peers[1].connection.open(&feed(1)).unwrap();
    world.settle();
    say(&mut world, 0, channel, &[request(42)]);
    assert_eq!(world.peers[1].messages(), [&request(42)]);
}

#[test]
fn an_end_can_be_held_until_another_feed_was_opened() {
    // The world finishes a side as soon as it is told that nothing is left. Here that is the caller's affair.
    let mut a = connection(plain(Role::Initiator));
    let first = a.open(&feed(1)).unwrap();
    a.close(first);
    assert_eq!(events(&mut a), (vec![Event::Finished], None));
    assert!(!a.is_finished());
    let second = a.open(&feed(2)).unwrap();
    assert_eq!(events(&mut a), (vec![], None));
    a.close(second);
    assert_eq!(events(&mut a), (vec![Event::Finished], None));
    a.finish();
    while a.poll_transmit(SECOND).is_some() {}
    assert!(a.is_finished());
}

#[test]
fn a_message_after_a_sign_of_life_arrives() {
    let mut a = connection(plain(Role::Initiator));
    let channel = a.open(&feed(1)).unwrap();
    let have = |start| {
        Message::Have(Have {
            start,
            ..Have::default()
        })
    };
    let input = [
        frame(1, &open(1)),
        frame(1, &have(1)),
        vec![0],
        frame(1, &have(2)),
    ]
    .concat();
    for piece in [1, input.len()] {
        let mut a = connection(plain(Role::Initiator));
        a.open(&feed(1)).unwrap();
        let mut said = Vec::new();
        for bytes in input.chunks(piece) {
            a.handle_bytes(SECOND, bytes).unwrap();
            said.extend(events(&mut a).0);
        }
        let message = |start| Event::Message {
            channel,
            message: have(start),
        };
        assert_eq!(said, [Event::Opened { channel }, message(1), message(2)]);
    }
}

#[test]
fn extension_messages_of_a_feed_travel_under_the_senders_numbers() {
    let (mut world, channels) = World::opened(BOTH.map(live));
    say(
        &mut world,
        0,
        channels[0],
        &[options(&["a", "b"]), extension(1, "hello ch2")],
    );
    say(
        &mut world,
        1,
        channels[1],
        &[options(&["b", "c"]), extension(0, "hello ch1")],
    );
    let heard = world.peers[1].messages();
    assert_eq!(heard, [&options(&["a", "b"]), &extension(1, "hello ch2")]);
    let heard = world.peers[0].messages();
    assert_eq!(heard, [&options(&["b", "c"]), &extension(0, "hello ch1")]);
}

#[test]
fn both_sides_are_told_of_a_refusal() {
    let mut world = World::new(BOTH.map(live));
    let channel = world.peers[0].connection.open(&feed(1)).unwrap();
    world.settle();
    world.peers[1].connection.refuse(name(1)).unwrap();
    world.settle();
    assert_eq!(
        world.peers[0].events.last(),
        Some(&Event::Closed { channel })
    );
    // Whoever refuses knows. It is told of what the remote takes back.
    let channel = world.peers[0].connection.open(&feed(1)).unwrap();
    world.settle();
    world.peers[0].connection.close(channel);
    world.pass(21 * SECOND);
    let discovery_key = name(1);
    let last = world.peers[1].events.last();
    assert_eq!(last, Some(&Event::Withdrawn { discovery_key }));
}

#[test]
fn only_a_live_connection_outlasts_its_feeds() {
    for make in [config, live] {
        let mut world = World::new(BOTH.map(make));
        world.peers[0].connection.open(&feed(1)).unwrap();
        world.settle();
        world.peers[1].connection.refuse(name(1)).unwrap();
        world.settle();
        world.pass(60 * SECOND);
        assert_eq!(world.errors(), [None; 2]);
        let is_live = make(Role::Initiator).live;
        for peer in &world.peers {
            assert_eq!(peer.connection.is_finished(), !is_live);
        }
    }
}

#[test]
fn opening_a_feed_twice_and_having_it_refused_ends_the_connection() {
    let mut world = World::new(BOTH.map(config));
    let channel = world.peers[0].connection.open(&feed(1)).unwrap();
    assert_eq!(world.peers[0].connection.open(&feed(1)), Ok(channel));
    world.settle();
    world.peers[1].connection.refuse(name(1)).unwrap();
    world.settle();
    assert_eq!(world.errors(), [None; 2]);
    for peer in &world.peers {
        assert_eq!(peer.events.last(), Some(&Event::Finished));
        assert!(peer.connection.is_finished());
    }
    // One that is opened again by whoever doesn't know its key ends it at once, if it is open here.
    let mut a = connection(config(Role::Initiator));
    a.open(&feed(1)).unwrap();
    let mut b = connection(config(Role::Responder));
    for _ in 0..3 {
        while let Some(bytes) = a.poll_transmit(SECOND) {
            b.handle_bytes(SECOND, &bytes).unwrap();
        }
        events(&mut b);
        while let Some(bytes) = b.poll_transmit(SECOND) {
            a.handle_bytes(SECOND, &bytes).unwrap();
        }
    }
    assert!(matches!(events(&mut a).0[..], [Event::Handshake { .. }]));
    let _ = b.open(&feed(2)).unwrap();
    // Its Open, with the name of another feed: the stream isn't authenticated, so flipping bits makes it so.
    let mut bytes = b.poll_transmit(SECOND).unwrap().to_vec();
    for (at, (theirs, ours)) in name(2).iter().zip(name(1)).enumerate() {
        bytes[4 + at] ^= theirs ^ ours;
    }
    a.handle_bytes(SECOND, &bytes).unwrap();
    assert_eq!(events(&mut a), (vec![], Some(Error::Capability)));
}

#[test]
fn extensions_of_the_connection_tell_their_names_and_carry_messages() {
    let mut world = World::new(BOTH.map(live));
    let mut sides = [["a", "test"], ["z", "test"]].map(|names| {
        let mut extensions = Extensions::default();
        for name in names {
            extensions.register(name).unwrap();
        }
        extensions
    });
    sides[1]
        .send("test", "{\"hello\":\"world\"}".into())
        .unwrap();
    world.settle();
    for (peer, extensions) in world.peers.iter_mut().zip(&mut sides) {
        while let Some(message) = extensions.poll_message() {
            peer.connection.send_stream(&message).unwrap();
        }
    }
    world.settle();
    let heard = [0, 1].map(|n: usize| {
        let said = std::mem::take(&mut world.peers[n].events).into_iter();
        let messages = said.filter_map(|event| match event {
            Event::Stream { message } => sides[n].handle_message(message),
            _ => None,
        });
        messages.collect::<Vec<_>>()
    });
    let names = |names: [&str; 2]| ExtensionEvent::Names(names.map(str::to_owned).to_vec());
    assert_eq!(heard[1], [names(["a", "test"])]);
    let (name, payload) = ("test".into(), "{\"hello\":\"world\"}".into());
    let message = ExtensionEvent::Message { name, payload };
    assert_eq!(heard[0], [names(["test", "z"]), message]);
}

#[test]
fn without_a_handshake_messages_flow_and_nobody_is_known() {
    let (mut world, channels) = World::opened(BOTH.map(plain));
    for n in [0, 1] {
        say(&mut world, n, channels[n], &[request(42)]);
        assert_eq!(world.peers[1 - n].messages(), [&request(42)]);
        let peer = &world.peers[n];
        assert_eq!(peer.connection.remote_public_key(), None);
        assert!(peer.connection.capability().is_none());
        assert_eq!(
            peer.count(|event| matches!(event, Event::Handshake { .. })),
            0
        );
    }
}

#[test]
fn a_feed_is_opened_closed_and_opened_again() {
    let mut world = World::new(BOTH.map(live));
    for _ in 0..3 {
        // The responder opens it whenever it is asked to.
        let first = world.peers[0].connection.open(&feed(1)).unwrap();
        world.settle();
        world.peers[1].connection.open(&feed(1)).unwrap();
        world.settle();
        let last = world.peers[0].events.last();
        assert_eq!(last, Some(&Event::Opened { channel: first }));
        world.peers[0].connection.close(first);
        // At once, without waiting for the answer.
        let second = world.peers[0].connection.open(&feed(1)).unwrap();
        world.settle();
        world.peers[1].connection.open(&feed(1)).unwrap();
        world.settle();
        let last = world.peers[0].events.last();
        assert_eq!(last, Some(&Event::Opened { channel: second }));
        say(&mut world, 0, second, &[request(1)]);
        assert_eq!(world.peers[1].messages().pop(), Some(&request(1)));
        world.peers[0].connection.close(second);
        world.settle();
    }
    world.pass(60 * SECOND);
    assert_eq!(world.errors(), [None; 2]);
    // A refusal under the remote's next number does no harm to what was opened since.
    let mut a = connection(plain(Role::Initiator));
    let first = a.open(&feed(1)).unwrap();
    a.close(first);
    let second = a.open(&feed(1)).unwrap();
    a.handle_bytes(SECOND, &frame(1, &open(1))).unwrap();
    a.handle_bytes(SECOND, &frame(2, &close(Some(2)))).unwrap();
    assert_eq!(
        events(&mut a),
        (vec![Event::Opened { channel: second }], None)
    );
}

#[test]
fn a_key_pair_may_be_chosen_after_the_remote_has_spoken() {
    // A machine is made when its key pair is known. What the remote has said before waits in its socket.
    let mut a = connection(config(Role::Initiator));
    let first = a.poll_transmit(Duration::ZERO).unwrap();
    let later = KeyPair::from_seed([7; 32]);
    let mut chosen = config(Role::Responder);
    chosen.key_pair = later.clone();
    let mut b = Connection::new(chosen, randomness(Role::Responder), SECOND).unwrap();
    b.handle_bytes(SECOND, &first).unwrap();
    let second = b.poll_transmit(SECOND).unwrap();
    a.handle_bytes(SECOND, &second).unwrap();
    assert_eq!(a.remote_public_key(), Some(later.public()));
}
