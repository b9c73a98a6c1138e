//! What a stranger can make us spend has a bound.

use std::time::Duration;

use hypercore_protocol::{Config, Connection, Error, Event, Role};
use wire::{Limits, Message};

use crate::world::{
    SECOND, World, block, close, config, connection, events, feed, frame, live, name, open, plain,
    randomness, status,
};

const BOTH: [Role; 2] = [Role::Initiator, Role::Responder];

/// A connection without a handshake on which feed 1 is open.
fn opened() -> (Connection, hypercore_protocol::Channel) {
    opened_with(plain(Role::Initiator))
}

fn opened_with(config: Config) -> (Connection, hypercore_protocol::Channel) {
    let mut a = connection(config);
    let channel = a.open(&feed(1)).unwrap();
    a.handle_bytes(SECOND, &frame(1, &open(1))).unwrap();
    assert_eq!(events(&mut a), (vec![Event::Opened { channel }], None));
    while a.poll_transmit(SECOND).is_some() {}
    (a, channel)
}

#[test]
fn tiny_frames_are_looked_at_one_by_one() {
    let (mut a, _) = opened();
    // Two bytes each: a Status without fields.
    let input: Vec<u8> = [1, 0x12].repeat(32 * 1024);
    a.handle_bytes(SECOND, &input).unwrap();
    for _ in 0..32 * 1024 {
        assert!(matches!(a.poll_event(), Ok(Some(Event::Message { .. }))));
    }
    assert_eq!(a.poll_event(), Ok(None));
}

#[test]
fn what_means_nothing_costs_nothing() {
    let (mut a, _) = opened();
    for input in [
        // Signs of life, types without a meaning, channels that aren't open, closes of what isn't there.
        vec![0; 64 * 1024],
        [1, 0x1b].repeat(32 * 1024),
        [1, 0x22].repeat(32 * 1024),
        [1, 0x2a].repeat(32 * 1024),
    ] {
        a.handle_bytes(SECOND, &input).unwrap();
        assert_eq!(events(&mut a), (vec![], None));
        assert_eq!(a.queued(), 0);
    }
}

#[test]
fn input_that_nobody_looks_at_is_refused_at_a_bound() {
    let small = Config {
        receive_hard: 1000,
        ..plain(Role::Initiator)
    };
    let mut a = connection(small.clone());
    for _ in 0..10 {
        a.handle_bytes(SECOND, &[0; 100]).unwrap();
    }
    let full = Error::InputQueueFull { max: 1000 };
    assert_eq!(a.handle_bytes(SECOND, &[0]), Err(full));
    // Looked at in between, it goes on.
    let mut a = connection(small);
    for _ in 0..100 {
        a.handle_bytes(SECOND, &[0; 1000]).unwrap();
        assert_eq!(a.poll_event(), Ok(None));
    }
}

#[test]
fn what_arrives_before_the_decision_about_a_key_is_bounded() {
    let ask = Config {
        authenticate: true,
        receive_hard: 1000,
        ..live(Role::Responder)
    };
    let mut world = World::new([live(Role::Initiator), ask]);
    let channels = [0, 1].map(|n| world.peers[n].connection.open(&feed(9)).unwrap());
    world.settle();
    let [_, b] = &mut world.peers;
    assert!(matches!(b.events[..], [Event::Authenticate { .. }]));
    // The link holds what the initiator has said since; a caller that reads on regardless comes to an end.
    assert!(!b.connection.wants_input());
    let mut early = Vec::new();
    while let Some(testkit::Arrival::Bytes(bytes)) = world.links[0].receive(SECOND) {
        early.extend(bytes);
    }
    assert!(!early.is_empty());
    b.connection.handle_bytes(SECOND, &early).unwrap();
    assert_eq!(b.connection.poll_event(), Ok(None), "asked once");
    b.connection.authenticate(SECOND, true).unwrap();
    world.settle();
    let channel = channels[1];
    let opened = Event::Opened { channel };
    assert_eq!(world.peers[1].events.last(), Some(&opened));

    let mut a = connection(live(Role::Initiator));
    let mut b = Connection::new(
        Config {
            authenticate: true,
            receive_hard: 1000,
            ..live(Role::Responder)
        },
        randomness(Role::Responder),
        Duration::ZERO,
    )
    .unwrap();
    for _ in 0..2 {
        b.handle_bytes(SECOND, &a.poll_transmit(SECOND).unwrap())
            .unwrap();
        if let Some(bytes) = b.poll_transmit(SECOND) {
            a.handle_bytes(SECOND, &bytes).unwrap();
        }
    }
    let full = Error::InputQueueFull { max: 1000 };
    let flood = (0..20).find_map(|_| b.handle_bytes(SECOND, &[7; 100]).err());
    assert_eq!(flood, Some(full));
}

#[test]
fn a_remote_that_takes_nothing_is_not_listened_to_and_then_dropped() {
    let (mut a, channel) = opened();
    let message = block(1, 64 * 1024);
    let mut last = 0;
    while a.wants_input() {
        a.send(channel, &message).unwrap();
        assert!(a.queued() > last);
        last = a.queued();
    }
    assert!((1024 * 1024..1024 * 1024 + 70_000).contains(&last));
    let error = loop {
        if let Err(error) = a.send(channel, &message) {
            break error;
        }
        assert!(a.queued() < 4 * 1024 * 1024 + 70_000);
    };
    assert_eq!(error, Error::SendQueueFull);
    assert_eq!(a.queued(), 0);
}

#[test]
fn answers_to_a_flood_of_opens_and_closes_are_bounded() {
    let (mut a, _) = opened_with(Config {
        limits: Limits {
            max_channel: u64::MAX,
            data: 20_000,
            ..Limits::default()
        },
        send_hard: 40_000,
        ..plain(Role::Initiator)
    });
    // Each is refused, and none of the refusals is taken.
    let mut rounds = 0;
    let error = loop {
        a.handle_bytes(SECOND, &frame(5, &open(2))).unwrap();
        match a.poll_event() {
            Ok(Some(Event::RemoteOpen { discovery_key })) => a.refuse(discovery_key).unwrap(),
            Ok(event) => panic!("{event:?}"),
            Err(error) => break error,
        }
        assert!(a.queued() < 60_000 + 200);
        rounds += 1;
    };
    assert_eq!(error, Error::SendQueueFull);
    assert!(rounds > 1000);
}

#[test]
fn what_a_remote_opens_beyond_the_limit_is_refused_and_the_rest_goes_on() {
    let few = Config {
        max_unknown: 32,
        ..plain(Role::Initiator)
    };
    let mut a = connection(few.clone());
    for n in 0..40 {
        a.handle_bytes(SECOND, &frame(n, &open(n as u8))).unwrap();
    }
    let (said, error) = events(&mut a);
    assert_eq!((said.len(), error), (32, None));
    let refusals: Vec<u8> = (1..=8)
        .flat_map(|n| frame(n, &close(Some(31 + n as u8))))
        .collect();
    assert_eq!(a.poll_transmit(SECOND).unwrap(), refusals);

    // Those that we have opened or refused don't count.
    let mut a = connection(few);
    for n in 0..100 {
        a.handle_bytes(SECOND, &frame(n, &open(n as u8))).unwrap();
        assert_eq!(events(&mut a).0.len(), 1);
        match n % 2 {
            0 => drop(a.open(&feed(n as u8)).unwrap()),
            _ => a.refuse(name(n as u8)).unwrap(),
        }
        assert!(events(&mut a).0.len() < 2);
    }
}

#[test]
fn we_have_so_many_feeds_open() {
    let mut a = connection(Config {
        max_channels: 128,
        ..live(Role::Initiator)
    });
    let channels: Vec<_> = (0..128).map(|n| a.open(&feed(n)).unwrap()).collect();
    let full = Error::TooManyChannels { max: 128 };
    assert_eq!(a.open(&feed(200)), Err(full));
    // That is the caller's affair: the connection goes on.
    assert_eq!(a.open(&feed(5)), Ok(channels[5]));
    a.close(channels[5]);
    assert!(a.open(&feed(200)).is_ok());
}

#[test]
fn a_feed_that_the_remote_has_not_closed_still_counts() {
    let (mut a, mut channel) = opened_with(Config {
        max_channels: 3,
        ..plain(Role::Initiator)
    });
    for n in 2..4 {
        a.close(channel);
        channel = a.open(&feed(1)).unwrap();
        a.handle_bytes(SECOND, &frame(n, &open(1))).unwrap();
        assert_eq!(events(&mut a), (vec![Event::Opened { channel }], None));
    }
    a.close(channel);
    let full = Error::TooManyChannels { max: 3 };
    assert_eq!(a.open(&feed(1)), Err(full));
    a.handle_bytes(SECOND, &frame(1, &close(None))).unwrap();
    assert_eq!(events(&mut a), (vec![], None));
    assert!(a.open(&feed(1)).is_ok());
}

#[test]
fn numbers_go_as_high_as_the_limit_and_then_no_feed_is_opened_or_refused() {
    let mut a = connection(Config {
        limits: Limits {
            max_channel: 5,
            ..Limits::default()
        },
        ..plain(Role::Initiator)
    });
    for _ in 0..5 {
        let channel = a.open(&feed(1)).unwrap();
        let refusal = frame(4, &close(Some(1)));
        a.handle_bytes(SECOND, &refusal).unwrap();
        let heard = events(&mut a).0;
        assert_eq!(heard, [Event::Closed { channel }, Event::Finished]);
    }
    let none_left = Error::TooManyChannels { max: 5 };
    assert_eq!(a.open(&feed(1)), Err(none_left));
    // What the remote opens can't be refused any longer, and it would wait for an answer for ever.
    a.handle_bytes(SECOND, &frame(1, &open(2))).unwrap();
    assert!(matches!(events(&mut a).0[..], [Event::RemoteOpen { .. }]));
    assert_eq!(a.refuse(name(2)), Err(none_left));
    assert_eq!(a.open(&feed(1)), Err(Error::Ended));
}

#[test]
fn no_more_closes_are_held_back_than_feeds_may_be_open() {
    let mut a = connection(Config {
        max_channels: 4,
        ..Config {
            live: true,
            ..plain(Role::Initiator)
        }
    });
    let mut closes = 0;
    for n in 0..9 {
        let channel = a.open(&feed(n)).unwrap();
        while a.poll_transmit(SECOND).is_some() {}
        a.close(channel);
        assert_eq!(a.open_count(), 0);
        // Those beyond are said, the oldest first.
        let said = a.poll_transmit(SECOND);
        let oldest = (n >= 4).then(|| frame(u64::from(n) - 3, &close(None)).into());
        assert_eq!(said, oldest);
        closes += usize::from(said.is_some());
    }
    assert_eq!(closes, 5);
}

#[test]
fn many_thousand_feeds_come_and_go_in_the_life_of_a_connection() {
    let mut world = World::new(BOTH.map(live));
    for round in 0..5000 {
        let (ours, theirs) = [0, 1]
            .map(|n| world.peers[n].connection.open(&feed(9)).unwrap())
            .into();
        world.settle();
        for (peer, channel) in world.peers.iter_mut().zip([ours, theirs]) {
            assert_eq!(
                peer.events.pop(),
                Some(Event::Opened { channel }),
                "{round}"
            );
            peer.events.clear();
        }
        world.peers[round % 2]
            .connection
            .close([ours, theirs][round % 2]);
        world.settle();
    }
    assert_eq!(world.errors(), [None; 2]);
}

#[test]
fn the_highest_number_costs_no_more_than_the_lowest() {
    let mut a = connection(plain(Role::Initiator));
    let max = Limits::default().max_channel;
    let channel = a.open(&feed(1)).unwrap();
    a.handle_bytes(SECOND, &frame(max, &open(1))).unwrap();
    a.handle_bytes(SECOND, &frame(max, &status(true))).unwrap();
    let message = status(true);
    let said = vec![
        Event::Opened { channel },
        Event::Message { channel, message },
    ];
    assert_eq!(events(&mut a), (said, None));
    a.handle_bytes(SECOND, &frame(max + 1, &open(2))).unwrap();
    let error = wire::Error::Channel {
        channel: max + 1,
        max,
    };
    assert_eq!(events(&mut a), (vec![], Some(Error::Frame(error))));
}

#[test]
fn a_message_that_no_peer_would_read_is_not_sent() {
    let (mut a, channel) = opened();
    let max = 8 * 1024 * 1024;
    let fits = max - (block(1, max).encoded_len() - max);
    assert_eq!(block(1, fits).encoded_len(), max);
    a.send(channel, &block(1, fits)).unwrap();
    while a.poll_transmit(SECOND).is_some() {}
    let len = max + 1;
    let refused = a.send(channel, &block(1, fits + 1));
    assert_eq!(refused, Err(Error::MessageTooLong { len, max }));
}

#[test]
fn hostile_frames_end_the_connection_with_a_typed_error() {
    for input in [
        // A length beyond all limits, a header longer than its frame, a varint without an end.
        &[0xff, 0xff, 0xff, 0xff, 0x0f][..],
        &[1, 0x80],
        &[0x80; 11],
        // An Open without a key, a Status that is too long, an Open of a channel too high.
        &[1, 0x10],
        &[18, 0x12],
        &[5, 0x80, 0x80, 0x80, 0x80, 8],
    ] {
        let (mut a, channel) = opened();
        a.handle_bytes(SECOND, &frame(1, &status(true))).unwrap();
        a.handle_bytes(SECOND, input).unwrap();
        let (said, error) = events(&mut a);
        let message = status(true);
        assert_eq!(said, [Event::Message { channel, message }]);
        assert!(
            matches!(error, Some(Error::Frame(_))),
            "{input:x?}: {error:?}"
        );
    }
}

#[test]
fn what_is_queued_counts_the_handshake() {
    let mut a = connection(config(Role::Initiator));
    assert_eq!(a.queued(), 59);
    assert!(!a.is_finished());
    a.finish();
    assert!(!a.is_finished());
    assert_eq!(a.poll_transmit(SECOND).map(|bytes| bytes.len()), Some(59));
    assert!(a.is_finished());
}

#[test]
fn a_piece_to_send_is_short() {
    let (mut world, channels) = World::opened(BOTH.map(live));
    let a = &mut world.peers[0].connection;
    for n in 0..40 {
        a.send(channels[0], &block(n, 10_000)).unwrap();
    }
    let queued = a.queued();
    let mut sent = 0;
    while let Some(bytes) = a.poll_transmit(SECOND) {
        assert!(bytes.len() <= 64 * 1024);
        sent += bytes.len();
    }
    assert_eq!(sent, queued);
}

#[test]
fn messages_on_an_unknown_channel_are_not_even_read() {
    let (mut a, _) = opened();
    let garbage = Message::Data(wire::Data::default());
    let mut bytes = frame(9, &garbage);
    let last = bytes.len() - 1;
    bytes[last] = 0xff;
    a.handle_bytes(SECOND, &bytes).unwrap();
    assert_eq!(events(&mut a), (vec![], None));
}
