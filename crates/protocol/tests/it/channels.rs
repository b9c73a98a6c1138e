//! Feeds are opened, matched, closed and refused, in any order and crossing each other on the way.

use hypercore_protocol::{Error, Event, Role};
use testkit::{Rng, seed};
use wire::{Extension, Message, Options};

use crate::world::{
    SECOND, World, close, config, connection, events, feed, frame, live, name, open, plain, status,
};

const BOTH: [Role; 2] = [Role::Initiator, Role::Responder];

#[test]
fn a_feed_that_both_open_carries_messages_both_ways() {
    let (mut world, channels) = World::opened(BOTH.map(config));
    for n in [0, 1] {
        world.peers[n]
            .connection
            .send(channels[n], &status(n == 0))
            .unwrap();
    }
    world.settle();
    assert_eq!(world.peers[0].messages(), [&status(false)]);
    assert_eq!(world.peers[1].messages(), [&status(true)]);
}

#[test]
fn opening_twice_gives_the_same_channel() {
    let mut a = connection(config(Role::Initiator));
    let first = a.open(&feed(1)).unwrap();
    assert_ne!(a.open(&feed(2)).unwrap(), first);
    assert_eq!(a.open(&feed(1)).unwrap(), first);
}

#[test]
fn many_feeds_share_a_connection_under_different_numbers() {
    let mut world = World::new(BOTH.map(live));
    let ours: Vec<_> = (0..20)
        .map(|n| world.peers[0].connection.open(&feed(n)).unwrap())
        .collect();
    let theirs: Vec<_> = (0..20)
        .rev()
        .map(|n| world.peers[1].connection.open(&feed(n)).unwrap())
        .collect();
    world.settle();
    for (n, channel) in ours.iter().enumerate() {
        let message = Message::Have(wire::Have {
            start: n as u64,
            ..wire::Have::default()
        });
        world.peers[0].connection.send(*channel, &message).unwrap();
    }
    world.settle();
    for (n, event) in world.peers[1]
        .events
        .iter()
        .filter(|event| matches!(event, Event::Message { .. }))
        .enumerate()
    {
        let Event::Message {
            channel,
            message: Message::Have(have),
        } = event
        else {
            panic!("{event:?}");
        };
        assert_eq!((have.start, *channel), (n as u64, theirs[19 - n]));
    }
    assert_eq!(world.peers[1].messages().len(), 20);
}

#[test]
fn nothing_is_said_about_a_feed_that_only_one_side_has_opened() {
    let mut world = World::new(BOTH.map(live));
    let channel = world.peers[0].connection.open(&feed(1)).unwrap();
    world.settle();
    let before = world.peers[0].connection.bytes_sent();
    world.peers[0]
        .connection
        .send(channel, &status(true))
        .unwrap();
    world.settle();
    assert_eq!(world.peers[0].connection.bytes_sent(), before);
    let discovery_key = name(1);
    assert!(
        world.peers[1]
            .events
            .contains(&Event::RemoteOpen { discovery_key })
    );
    // Once the other side opens it too, both are told.
    world.peers[1].connection.open(&feed(1)).unwrap();
    world.settle();
    for peer in &world.peers {
        assert_eq!(peer.count(|event| matches!(event, Event::Opened { .. })), 1);
    }
}

#[test]
fn a_feed_that_is_refused_is_closed_and_the_rest_goes_on() {
    let (mut world, _) = World::opened(BOTH.map(live));
    let channel = world.peers[0].connection.open(&feed(1)).unwrap();
    world.settle();
    world.peers[1].connection.refuse(name(1)).unwrap();
    world.peers[1].connection.refuse(name(2)).unwrap();
    world.settle();
    assert_eq!(
        world.peers[0].events.last(),
        Some(&Event::Closed { channel })
    );
    world.pass(60 * SECOND);
    assert_eq!(world.errors(), [None; 2]);
    // It may be opened again.
    let again = world.peers[0].connection.open(&feed(1)).unwrap();
    assert_ne!(again, channel);
    let theirs = world.peers[1].connection.open(&feed(1)).unwrap();
    world.settle();
    for (peer, channel) in world.peers.iter().zip([again, theirs]) {
        assert_eq!(peer.events.last(), Some(&Event::Opened { channel }));
    }
}

#[test]
fn refusing_the_only_feed_finishes_both() {
    let mut world = World::new(BOTH.map(config));
    world.peers[0].connection.open(&feed(1)).unwrap();
    world.settle();
    world.peers[1].connection.refuse(name(1)).unwrap();
    world.settle();
    assert_eq!(world.errors(), [None; 2]);
    for peer in &world.peers {
        assert_eq!(peer.events.last(), Some(&Event::Finished));
        assert!(peer.connection.is_finished());
    }
}

#[test]
fn a_close_is_answered_with_one_close() {
    let (mut world, channels) = World::opened(BOTH.map(live));
    let before = [0, 1].map(|n| world.peers[n].connection.bytes_sent());
    world.peers[0].connection.close(channels[0]);
    world.peers[0].connection.close(channels[0]);
    world.settle();
    // Two bytes each: its length and its header.
    let after = [0, 1].map(|n| world.peers[n].connection.bytes_sent());
    assert_eq!(after, before.map(|sent| sent + 2));
    let channel = channels[1];
    assert_eq!(
        world.peers[1].events.last(),
        Some(&Event::Closed { channel })
    );
    let closed = |event: &Event| matches!(event, Event::Closed { .. });
    assert_eq!(world.peers[0].count(closed), 0, "it knows");
    world.pass(100 * SECOND);
    assert_eq!(world.errors(), [None; 2]);
}

#[test]
fn closes_that_cross_need_no_answer() {
    let (mut world, channels) = World::opened(BOTH.map(config));
    for n in [0, 1] {
        world.peers[n].connection.close(channels[n]);
    }
    world.settle();
    for peer in &world.peers {
        assert_eq!(peer.count(|event| matches!(event, Event::Closed { .. })), 0);
        assert_eq!(peer.events.last(), Some(&Event::Finished));
        assert!(peer.connection.is_finished());
    }
    assert_eq!(world.errors(), [None; 2]);
}

#[test]
fn what_arrives_on_a_closed_channel_is_dropped() {
    let (mut world, channels) = World::opened(BOTH.map(live));
    // The message is under way when the other side closes.
    world.peers[1]
        .connection
        .send(channels[1], &status(true))
        .unwrap();
    world.peers[0].connection.close(channels[0]);
    world.settle();
    assert!(world.peers[0].messages().is_empty());
    world.peers[1]
        .connection
        .send(channels[1], &status(true))
        .unwrap();
    assert_eq!(world.peers[1].connection.queued(), 0);
}

#[test]
fn a_feed_is_opened_anew_while_its_old_channel_is_closing() {
    let (mut world, channels) = World::opened(BOTH.map(live));
    world.peers[0].connection.close(channels[0]);
    let again = world.peers[0].connection.open(&feed(9)).unwrap();
    assert_ne!(again, channels[0]);
    world.settle();
    let discovery_key = name(9);
    let events = &world.peers[1].events;
    assert_eq!(
        events[events.len() - 2..],
        [
            Event::Closed {
                channel: channels[1]
            },
            Event::RemoteOpen { discovery_key }
        ]
    );
    let theirs = world.peers[1].connection.open(&feed(9)).unwrap();
    world.settle();
    world.peers[1]
        .connection
        .send(theirs, &status(true))
        .unwrap();
    world.settle();
    assert_eq!(world.peers[0].messages(), [&status(true)]);
    world.pass(100 * SECOND);
    assert_eq!(world.errors(), [None; 2]);
}

#[test]
fn a_feed_may_be_closed_before_the_handshake() {
    let mut world = World::new(BOTH.map(live));
    let channel = world.peers[0].connection.open(&feed(1)).unwrap();
    world.peers[0].connection.close(channel);
    world.settle();
    assert_eq!(
        world.peers[1].count(|event| matches!(event, Event::RemoteOpen { .. })),
        0
    );
    assert_eq!(world.errors(), [None; 2]);
}

#[test]
fn messages_about_the_connection_come_on_channel_zero() {
    let options = Message::Options(Options {
        extensions: vec!["a".into()],
        ack: None,
    });
    let extension = Message::Extension(Extension {
        id: 0,
        payload: b"hello".as_slice().into(),
    });
    let mut a = connection(plain(Role::Initiator));
    for message in [&options, &extension, &status(true)] {
        a.handle_bytes(SECOND, &frame(0, message)).unwrap();
    }
    let (said, error) = events(&mut a);
    assert_eq!(error, None);
    let stream = |message| Event::Stream { message };
    assert_eq!(said, [stream(options.clone()), stream(extension)]);

    // Unless somebody has opened a feed under that number.
    let channel = a.open(&feed(1)).unwrap();
    a.handle_bytes(SECOND, &frame(0, &open(1))).unwrap();
    a.handle_bytes(SECOND, &frame(0, &options)).unwrap();
    let (said, error) = events(&mut a);
    assert_eq!(error, None);
    let message = options;
    assert_eq!(
        said,
        [
            Event::Opened { channel },
            Event::Message { channel, message }
        ]
    );
}

#[test]
fn a_feed_or_a_number_that_is_opened_twice_ends_the_connection() {
    // JavaScript lets it pass, and never does it: its numbers go up, and it opens a feed once until it has closed it.
    for (before, twice) in [((5, 1), (5, 2)), ((5, 1), (6, 1)), ((5, 1), (5, 1))] {
        for ours in [true, false] {
            let mut a = connection(plain(Role::Initiator));
            if ours {
                a.open(&feed(1)).unwrap();
                a.open(&feed(2)).unwrap();
            }
            for (number, seed) in [before, twice] {
                a.handle_bytes(SECOND, &frame(number, &open(seed))).unwrap();
            }
            let (said, error) = events(&mut a);
            assert_eq!((said.len(), error), (1, Some(Error::OpenedTwice)));
        }
    }
}

#[test]
fn a_number_and_a_feed_may_be_used_again_after_a_close() {
    let mut a = connection(plain(Role::Initiator));
    a.open(&feed(1)).unwrap();
    for (number, message) in [
        (5, open(1)),
        (5, close(None)),
        (5, open(1)),
        (5, close(None)),
        (6, open(1)),
        (6, close(None)),
        (5, open(2)),
        // By name, under a number of its own.
        (7, close(Some(2))),
        (6, open(2)),
    ] {
        a.handle_bytes(SECOND, &frame(number, &message)).unwrap();
    }
    let (said, error) = events(&mut a);
    assert_eq!(error, None);
    let opened = said
        .iter()
        .filter(|event| matches!(event, Event::RemoteOpen { .. } | Event::Opened { .. }));
    assert_eq!(opened.count(), 5);
    // Only the remote had opened them, all but the first time, so nothing of ours is closed.
    let withdrawn = |seed| Event::Withdrawn {
        discovery_key: name(seed),
    };
    let closed = said
        .iter()
        .filter(|event| matches!(event, Event::Withdrawn { .. }));
    assert!(closed.eq([&withdrawn(1), &withdrawn(1), &withdrawn(2)]));
}

#[test]
fn a_close_of_something_unknown_is_ignored() {
    let mut a = connection(plain(Role::Initiator));
    for message in [close(None), close(Some(3)), status(true)] {
        a.handle_bytes(SECOND, &frame(77, &message)).unwrap();
    }
    assert_eq!(events(&mut a), (Vec::new(), None));
    assert_eq!(a.queued(), 0);
}

#[test]
fn peers_that_open_and_close_at_random_stay_together() {
    let mut rng = Rng::new(seed(5));
    for _ in 0..60 {
        let mut world = World::new(BOTH.map(live));
        for (n, link) in world.links.iter_mut().enumerate() {
            *link = testkit::Link::new(Rng::new(rng.next_u64()))
                .delay(SECOND / 100..SECOND)
                .pieces(1 + n * 50);
        }
        for _ in 0..80 {
            let connection = &mut world.peers[rng.below(2) as usize].connection;
            let seed = rng.below(4) as u8;
            match rng.below(4) {
                0 | 1 => drop(connection.open(&feed(seed))),
                2 => connection.refuse(name(seed)).unwrap(),
                _ => {
                    // Whichever it has by that name, or a new one.
                    if let Ok(channel) = connection.open(&feed(seed)) {
                        connection.send(channel, &status(true)).unwrap();
                        connection.close(channel);
                    }
                }
            }
            world.pass(SECOND / 10 * rng.below(8) as u32);
        }
        world.settle();
        assert_eq!(world.errors(), [None; 2]);
        // In the end both open everything, and everything is open on both sides.
        for n in [0, 1] {
            for seed in 0..4 {
                let channel = world.peers[n].connection.open(&feed(seed)).unwrap();
                world.peers[n].connection.close(channel);
            }
        }
        world.settle();
        let channels = [0, 1].map(|n| {
            world.peers[n].events.clear();
            [0, 1, 2, 3].map(|seed| world.peers[n].connection.open(&feed(seed)).unwrap())
        });
        world.settle();
        for n in [0, 1] {
            for channel in channels[n] {
                let opened = Event::Opened { channel };
                assert!(world.peers[n].events.contains(&opened), "{channel:?}");
            }
        }
        world.pass(100 * SECOND);
        assert_eq!(world.errors(), [None; 2]);
    }
}
