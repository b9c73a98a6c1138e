//! How a connection ends, and what each side is told of it.

use std::time::Duration;

use hypercore_protocol::{Config, Error, Event, Role};
use testkit::{Link, Rng, seed};

use crate::world::{
    SECOND, World, block, config, connection, events, feed, frame, live, name, open, plain, status,
};

const BOTH: [Role; 2] = [Role::Initiator, Role::Responder];

#[test]
fn both_finish_when_the_last_feed_is_closed() {
    let (mut world, channels) = World::opened(BOTH.map(config));
    world.peers[0].connection.close(channels[0]);
    world.settle();
    assert_eq!(world.errors(), [None; 2]);
    for peer in &world.peers {
        assert_eq!(peer.count(|event| *event == Event::Finished), 1);
        assert_eq!(peer.count(|event| *event == Event::HungUp), 0);
        assert!(peer.connection.is_finished());
    }
    // Whoever has said and heard all waits for nothing.
    assert_eq!(world.peers[0].connection.poll_timeout(), None);
}

#[test]
fn whoever_has_said_all_owes_no_signs_of_life() {
    let mut a = connection(plain(Role::Initiator));
    let channel = a.open(&feed(1)).unwrap();
    let close = wire::Message::Close(wire::Close::default());
    a.handle_bytes(Duration::ZERO, &frame(1, &open(1))).unwrap();
    a.handle_bytes(Duration::ZERO, &frame(1, &close)).unwrap();
    let (said, error) = events(&mut a);
    assert_eq!(error, None);
    assert_eq!(said[1..], [Event::Closed { channel }, Event::Finished]);
    a.finish();
    while a.poll_transmit(Duration::ZERO).is_some() {}
    assert!(a.is_finished());
    assert_eq!(
        a.poll_timeout(),
        Some(20 * SECOND),
        "until the remote hangs up"
    );
    a.handle_timeout(19 * SECOND).unwrap();
    assert_eq!(a.poll_transmit(19 * SECOND), None);
    assert_eq!(a.handle_timeout(20 * SECOND), Err(Error::IdleTimeout));
}

#[test]
fn a_live_connection_stays_when_its_last_feed_is_closed() {
    let (mut world, channels) = World::opened(BOTH.map(live));
    world.peers[0].connection.close(channels[0]);
    world.pass(100 * SECOND);
    assert_eq!(world.errors(), [None; 2]);
    assert_eq!(world.peers[0].count(|event| *event == Event::Finished), 0);
    let channel = world.peers[0].connection.open(&feed(2)).unwrap();
    world.peers[1].connection.open(&feed(2)).unwrap();
    world.settle();
    let opened = Event::Opened { channel };
    assert_eq!(world.peers[0].events.last(), Some(&opened));
}

#[test]
fn finished_is_told_only_when_nothing_is_left_in_the_input() {
    let mut a = connection(plain(Role::Initiator));
    a.open(&feed(1)).unwrap();
    let close = wire::Message::Close(wire::Close::default());
    let input = [frame(1, &open(1)), frame(1, &close), frame(2, &open(2))].concat();
    a.handle_bytes(SECOND, &input).unwrap();
    let (said, error) = events(&mut a);
    assert_eq!(error, None);
    assert!(matches!(
        said[..],
        [
            Event::Opened { .. },
            Event::Closed { .. },
            Event::RemoteOpen { .. }
        ]
    ));
    a.refuse(name(2)).unwrap();
    assert_eq!(events(&mut a), (vec![Event::Finished], None));
    assert_eq!(events(&mut a), (vec![], None), "told once");
    // And again when that has changed.
    let channel = a.open(&feed(3)).unwrap();
    assert_eq!(events(&mut a), (vec![], None));
    a.close(channel);
    assert_eq!(events(&mut a), (vec![Event::Finished], None));
}

#[test]
fn what_waits_is_sent_before_the_end() {
    let (mut world, channels) = World::opened(BOTH.map(config));
    for n in 0..20 {
        world.peers[0]
            .connection
            .send(channels[0], &block(n, 100_000))
            .unwrap();
    }
    world.peers[0].connection.finish();
    assert!(!world.peers[0].connection.is_finished());
    world.settle();
    assert_eq!(world.peers[1].messages().len(), 20);
    assert!(world.peers[0].connection.is_finished());
    assert_eq!(world.peers[1].events.last(), Some(&Event::HungUp));
    assert_eq!(world.errors(), [None; 2]);
}

#[test]
fn a_remote_that_hangs_up_with_a_feed_open_is_not_taken_for_finished() {
    for make in [config, live] {
        let (mut world, channels) = World::opened(BOTH.map(make));
        world.peers[1]
            .connection
            .send(channels[1], &status(true))
            .unwrap();
        world.peers[1].connection.finish();
        world.settle();
        let peer = &world.peers[0];
        assert_eq!(peer.messages(), [&status(true)]);
        assert_eq!(peer.events.last(), Some(&Event::HungUp));
        assert_eq!(peer.count(|event| *event == Event::Finished), 0);
        assert!(peer.connection.is_finished(), "so do we");
    }
}

#[test]
fn a_remote_that_hangs_up_after_the_last_feed_has_finished() {
    for make in [config, live] {
        let mut a = connection(Config {
            security: hypercore_protocol::Security::Plain,
            ..make(Role::Initiator)
        });
        let channel = a.open(&feed(1)).unwrap();
        a.handle_bytes(SECOND, &frame(1, &open(1))).unwrap();
        assert_eq!(events(&mut a), (vec![Event::Opened { channel }], None));
        // Its Close and its end arrive together.
        let close = wire::Message::Close(wire::Close::default());
        a.handle_bytes(SECOND, &frame(1, &close)).unwrap();
        a.handle_end(SECOND);
        let (said, error) = events(&mut a);
        assert_eq!(
            (said, error),
            (vec![Event::Closed { channel }, Event::Finished], None)
        );
        // We had closed it, and the remote hung up instead of an answer: it has all it wanted.
        let mut a = connection(plain(Role::Initiator));
        let channel = a.open(&feed(1)).unwrap();
        a.handle_bytes(SECOND, &frame(1, &open(1))).unwrap();
        assert_eq!(events(&mut a).1, None);
        a.close(channel);
        a.handle_end(SECOND);
        assert_eq!(events(&mut a), (vec![Event::Finished], None));
    }
}

#[test]
fn an_end_within_the_handshake_is_an_error() {
    for role in BOTH {
        let mut a = connection(config(role));
        a.handle_end(SECOND);
        assert_eq!(events(&mut a), (vec![], Some(Error::HungUp)));
        assert_eq!(events(&mut a), (vec![], None), "told once");
        assert_eq!(a.handle_bytes(SECOND, &[1]), Err(Error::Ended));
    }
}

#[test]
fn an_initiator_that_is_answered_by_nothing_but_the_end_is_told() {
    let mut world = World::new(BOTH.map(config));
    world.settle();
    let initiator = &mut world.peers[0].connection;
    initiator.open(&feed(1)).unwrap();
    initiator.handle_end(world.clock.now());
    assert_eq!(events(initiator), (vec![], Some(Error::HungUp)));
    // One that leaves of its own accord says at least that it is there.
    let mut world = World::new(BOTH.map(config));
    world.settle();
    world.peers[0].connection.open(&feed(1)).unwrap();
    world.peers[1].connection.finish();
    world.settle();
    assert_eq!(world.errors(), [None; 2]);
    assert_eq!(world.peers[0].events.last(), Some(&Event::HungUp));
    // A responder was accepted when the last message of the handshake came.
    let mut world = World::new(BOTH.map(config));
    world.settle();
    let responder = &mut world.peers[1].connection;
    responder.open(&feed(1)).unwrap();
    responder.handle_end(world.clock.now());
    assert_eq!(events(responder), (vec![Event::HungUp], None));
}

#[test]
fn an_end_within_a_message_is_an_error() {
    let message = frame(1, &status(true));
    for len in 1..message.len() {
        let mut a = connection(plain(Role::Initiator));
        let channel = a.open(&feed(1)).unwrap();
        let input = [&frame(1, &open(1))[..], &message, &message[..len]].concat();
        a.handle_bytes(SECOND, &input).unwrap();
        a.handle_end(SECOND);
        // What is whole is heard.
        let message = status(true);
        assert_eq!(
            events(&mut a),
            (
                vec![
                    Event::Opened { channel },
                    Event::Message { channel, message }
                ],
                Some(Error::HungUp)
            )
        );
    }
}

#[test]
fn nothing_is_said_after_an_error() {
    let mut a = connection(plain(Role::Initiator));
    let channel = a.open(&feed(1)).unwrap();
    let input = [frame(1, &open(1)), frame(2, &open(2)), vec![1, 0x10]].concat();
    a.handle_bytes(SECOND, &input).unwrap();
    let (said, error) = events(&mut a);
    assert_eq!(said.len(), 2);
    assert!(matches!(error, Some(Error::Frame(_))));

    assert_eq!(a.send(channel, &status(true)), Ok(()), "dropped");
    a.close(channel);
    a.refuse(name(2)).unwrap();
    assert_eq!(a.open(&feed(3)), Err(Error::Ended));
    assert_eq!(a.queued(), 0);
    assert_eq!(a.poll_transmit(SECOND), None);
    a.handle_end(SECOND);
    assert_eq!(events(&mut a), (vec![], None));
}

#[test]
fn a_link_that_is_cut_at_any_byte_ends_both_sides() {
    let mut rng = Rng::new(seed(8));
    for cut in 0..400 {
        for from in [0, 1] {
            let mut world = World::new(BOTH.map(config));
            world.links[from] = Link::new(Rng::new(rng.next_u64())).pieces(40).cut_at(cut);
            let channels = [0, 1].map(|n| world.peers[n].connection.open(&feed(9)).unwrap());
            world.settle();
            for _ in 0..10 {
                for n in [0, 1] {
                    // On a connection that is over it is dropped.
                    let sent = world.peers[n].connection.send(channels[n], &block(1, 30));
                    assert!(sent.is_ok());
                }
            }
            world.settle();
            world.pass(60 * SECOND);
            for peer in &world.peers {
                let told = peer.events.last() == Some(&Event::HungUp);
                assert!(told ^ peer.error.is_some(), "{:?}", peer.error);
                assert_eq!(peer.count(|event| *event == Event::Finished), 0);
                assert!(peer.connection.is_finished() || peer.error.is_some());
            }
        }
    }
}

#[test]
fn a_connection_that_is_not_live_any_longer_ends_with_its_last_feed() {
    let (mut world, channels) = World::opened(BOTH.map(live));
    for peer in &mut world.peers {
        peer.connection.set_live(false);
    }
    world.pass(10 * SECOND);
    assert_eq!(world.peers[0].count(|event| *event == Event::Finished), 0);
    world.peers[0].connection.close(channels[0]);
    world.settle();
    for peer in &world.peers {
        assert_eq!(peer.events.last(), Some(&Event::Finished));
        assert!(peer.connection.is_finished());
    }
}
