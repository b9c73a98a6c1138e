//! Every wait ends.

use std::time::Duration;

use hypercore_protocol::{Config, Error, Event, Role};
use wire::Message;

use crate::world::{
    SECOND, World, block, config, connection, events, feed, frame, live, open, plain, status,
};

const BOTH: [Role; 2] = [Role::Initiator, Role::Responder];

#[test]
fn signs_of_life_keep_an_idle_connection() {
    let (mut world, channels) = World::opened(BOTH.map(live));
    let before = world.peers[0].connection.bytes_sent();
    world.pass(995 * SECOND);
    assert_eq!(world.errors(), [None; 2]);
    // One byte each ten seconds.
    assert_eq!(world.peers[0].connection.bytes_sent(), before + 99);
    let known = world.peers[1].events.len();
    world.peers[0]
        .connection
        .send(channels[0], &status(true))
        .unwrap();
    world.settle();
    assert_eq!(world.peers[1].events.len(), known + 1);
}

#[test]
fn whatever_is_sent_puts_the_sign_of_life_off() {
    let (mut world, channels) = World::opened(BOTH.map(live));
    for _ in 0..10 {
        world.pass(9 * SECOND);
        let before = world.peers[0].connection.bytes_sent();
        world.peers[0]
            .connection
            .send(channels[0], &status(true))
            .unwrap();
        world.settle();
        assert_eq!(
            world.peers[0].connection.bytes_sent() - before,
            frame(1, &status(true)).len() as u64
        );
    }
}

#[test]
fn a_remote_that_has_gone_silent_is_given_up() {
    let (world, _) = World::opened(BOTH.map(live));
    let mut a = world.peers.into_iter().next().unwrap().connection;
    let heard = world.clock.now();
    let mut now = heard;
    let error = loop {
        now = a.poll_timeout().unwrap().max(now);
        while a.poll_transmit(now).is_some() {}
        if let Err(error) = a.handle_timeout(now) {
            break error;
        }
    };
    assert_eq!((error, now), (Error::IdleTimeout, heard + 20 * SECOND));
    assert_eq!(a.poll_timeout(), None);
    assert_eq!(a.poll_transmit(now), None);
    assert_eq!(a.poll_event(), Ok(None));
    assert_eq!(a.handle_timeout(now), Err(Error::Ended));
    assert_eq!(a.handle_bytes(now, b"more"), Err(Error::Ended));
    assert_eq!(a.open(&feed(1)), Err(Error::Ended));
}

#[test]
fn a_handshake_has_its_time_however_it_drips() {
    for role in BOTH {
        let mut a = connection(config(role));
        a.poll_transmit(Duration::ZERO);
        assert_eq!(a.poll_timeout(), Some(10 * SECOND));
        // A message of 122 bytes that comes in at one byte a second.
        a.handle_bytes(Duration::ZERO, &[122]).unwrap();
        for n in 1..10 {
            a.handle_bytes(n * SECOND, &[1]).unwrap();
            assert_eq!(a.poll_timeout(), Some(10 * SECOND));
        }
        let late = a.handle_bytes(10 * SECOND, &[1]);
        assert_eq!(late, Err(Error::HandshakeTimeout));

        let mut a = connection(config(role));
        assert_eq!(a.handle_timeout(10 * SECOND), Err(Error::HandshakeTimeout));
    }
}

#[test]
fn the_application_has_to_decide_within_the_time_of_the_handshake() {
    let ask = |role| Config {
        authenticate: true,
        ..config(role)
    };
    let mut world = World::new([config(Role::Initiator), ask(Role::Responder)]);
    world.pass(9 * SECOND);
    assert!(matches!(
        world.peers[1].events[..],
        [Event::Authenticate { .. }]
    ));
    world.pass(SECOND);
    assert_eq!(world.peers[1].error, Some(Error::HandshakeTimeout));
}

#[test]
fn a_decision_may_take_as_long_as_the_handshake_may() {
    let patient = |role| Config {
        authenticate: true,
        handshake_timeout: 100 * SECOND,
        ..live(role)
    };
    let mut world = World::new(BOTH.map(patient));
    world.peers[0].connection.open(&feed(9)).unwrap();
    let channel = world.peers[1].connection.open(&feed(9)).unwrap();
    // The initiator has told the responder who it is before the responder has to decide, and waits for the answer.
    for (n, seconds) in [(0, 25), (1, 15)] {
        world.pass(seconds * SECOND);
        let now = world.now();
        world.peers[n].connection.authenticate(now, true).unwrap();
    }
    world.pass(SECOND);
    assert_eq!(world.errors(), [None; 2]);
    let opened = Event::Opened { channel };
    assert_eq!(world.peers[1].events.last(), Some(&opened));
}

#[test]
fn no_time_limit_is_put_off_by_nothing() {
    let mut a = connection(plain(Role::Initiator));
    for n in 0..20 {
        a.handle_bytes(n * SECOND, &[]).unwrap();
    }
    assert_eq!(a.handle_timeout(20 * SECOND), Err(Error::IdleTimeout));
}

#[test]
fn a_feed_that_the_remote_never_opens_ends_a_connection_that_is_not_live() {
    let mut world = World::new(BOTH.map(config));
    world.peers[0].connection.open(&feed(1)).unwrap();
    world.settle();
    world.pass(19 * SECOND);
    assert_eq!(world.errors(), [None; 2]);
    world.pass(SECOND);
    assert_eq!(world.peers[0].error, Some(Error::OpenTimeout));
    // The other side, which hasn't decided about the feed, is told that nothing more will come.
    assert_eq!(world.peers[1].error, None);
    assert_eq!(world.peers[1].events.last(), Some(&Event::HungUp));
    assert!(world.peers[1].connection.is_finished());
}

#[test]
fn a_live_connection_waits_for_the_remote_to_open_a_feed() {
    let mut world = World::new(BOTH.map(live));
    let channel = world.peers[0].connection.open(&feed(1)).unwrap();
    world.pass(1000 * SECOND);
    assert_eq!(world.errors(), [None; 2]);
    world.peers[1].connection.open(&feed(1)).unwrap();
    world.settle();
    let opened = Event::Opened { channel };
    assert_eq!(world.peers[0].events.last(), Some(&opened));
}

#[test]
fn a_late_open_has_its_own_time() {
    let (mut world, _) = World::opened(BOTH.map(config));
    world.pass(100 * SECOND);
    world.peers[0].connection.open(&feed(1)).unwrap();
    world.settle();
    world.pass(19 * SECOND);
    assert_eq!(world.errors(), [None; 2]);
    world.pass(SECOND);
    assert_eq!(world.peers[0].error, Some(Error::OpenTimeout));
}

#[test]
fn a_close_that_is_never_answered_ends_the_connection() {
    for live in [true, false] {
        let mut a = connection(Config {
            live,
            ..plain(Role::Initiator)
        });
        let channel = a.open(&feed(1)).unwrap();
        a.handle_bytes(Duration::ZERO, &frame(1, &open(1))).unwrap();
        assert_eq!(events(&mut a).1, None);
        while a.poll_transmit(Duration::ZERO).is_some() {}
        a.close(channel);
        while a.poll_transmit(SECOND).is_some() {}
        // Signs of life are no answer, and neither is anything else.
        for n in 2..21 {
            a.handle_bytes(n * SECOND, &[0]).unwrap();
            a.handle_bytes(n * SECOND, &frame(1, &status(true)))
                .unwrap();
            assert_eq!(events(&mut a), (Vec::new(), None));
            a.handle_timeout(n * SECOND).unwrap();
        }
        assert_eq!(a.poll_timeout().map(|due| due <= 21 * SECOND), Some(true));
        assert_eq!(a.handle_timeout(21 * SECOND), Err(Error::CloseTimeout));
    }
}

#[test]
fn a_remote_that_takes_nothing_is_given_up_though_it_talks() {
    let (mut world, channels) = World::opened(BOTH.map(live));
    world.links[0] = world.links[0].clone().capacity(0);
    world.peers[0]
        .connection
        .send(channels[0], &block(1, 1000))
        .unwrap();
    world.pass(9 * SECOND);
    assert_eq!(world.errors(), [None; 2]);
    world.pass(20 * SECOND);
    assert_eq!(world.peers[0].error, Some(Error::SendTimeout));
}

#[test]
fn a_slow_remote_is_alive_while_it_takes_what_it_asked_for() {
    // 8 MiB at 64 KiB in five seconds: far more than may wait, so for minutes the remote isn't listened to.
    let (mut world, channels) = World::opened(BOTH.map(live));
    world.links[0] = world.links[0]
        .clone()
        .capacity(1)
        .delay(5 * SECOND..5 * SECOND);
    let message = block(1, 8 * 1024 * 1024 - 100);
    world.peers[0]
        .connection
        .send(channels[0], &message)
        .unwrap();
    assert!(!world.peers[0].connection.wants_input());
    world.pass(700 * SECOND);
    assert_eq!(world.errors(), [None; 2]);
    assert_eq!(world.peers[1].messages(), [&message]);
}

#[test]
fn a_frame_that_drips_is_given_up() {
    let mut a = connection(plain(Role::Initiator));
    let bytes = frame(1, &block(1, 1_000_000));
    for (n, byte) in (0..).zip(&bytes) {
        match a.handle_bytes(n * SECOND, &[*byte]) {
            Ok(()) => assert_eq!(events(&mut a), (Vec::new(), None)),
            Err(error) => {
                assert_eq!((n, error), (11, Error::FrameTimeout));
                return;
            }
        }
    }
    panic!("it was never given up");
}

#[test]
fn a_long_message_over_a_slow_line_arrives() {
    let mut a = connection(plain(Role::Initiator));
    a.open(&feed(1)).unwrap();
    a.handle_bytes(Duration::ZERO, &frame(1, &open(1))).unwrap();
    let bytes = frame(1, &block(1, 100_000));
    let mut heard = Vec::new();
    for (n, piece) in (0..).zip(bytes.chunks(1500)) {
        a.handle_bytes(n * SECOND, piece).unwrap();
        while a.poll_transmit(n * SECOND).is_some() {}
        let (said, error) = events(&mut a);
        assert_eq!(error, None);
        heard.extend(said);
    }
    assert!(matches!(
        heard[..],
        [
            Event::Opened { .. },
            Event::Message {
                message: Message::Data(_),
                ..
            }
        ]
    ));
}

#[test]
fn a_frame_may_pause_while_it_is_not_read() {
    // The remote is in the middle of a message when we stop reading, because it doesn't take what it asked for.
    let mut a = connection(plain(Role::Initiator));
    let channel = a.open(&feed(1)).unwrap();
    a.handle_bytes(Duration::ZERO, &frame(1, &open(1))).unwrap();
    assert_eq!(events(&mut a), (vec![Event::Opened { channel }], None));
    let message = frame(1, &block(1, 1000));
    a.handle_bytes(Duration::ZERO, &message[..20]).unwrap();
    assert_eq!(events(&mut a), (vec![], None));
    for n in 0..40 {
        a.send(channel, &block(n, 64 * 1024)).unwrap();
    }
    let mut now = Duration::ZERO;
    while !a.wants_input() {
        now += 5 * SECOND;
        a.handle_timeout(now).unwrap();
        a.poll_transmit(now).unwrap();
    }
    assert!(now > 100 * SECOND);
    a.handle_bytes(now, &message[20..]).unwrap();
    let (said, error) = events(&mut a);
    assert_eq!((said.len(), error), (1, None));
}

#[test]
fn signs_of_life_are_no_frame_that_drips() {
    let mut a = connection(Config {
        live: true,
        ..plain(Role::Initiator)
    });
    for n in 0..1000 {
        a.handle_bytes(n * SECOND, &[0]).unwrap();
        assert_eq!(events(&mut a), (Vec::new(), None));
        a.handle_timeout(n * SECOND).unwrap();
        while a.poll_transmit(n * SECOND).is_some() {}
    }
}

#[test]
fn without_a_time_limit_silence_lasts() {
    for timeout in [None, Some(Duration::ZERO)] {
        let forever = |role| Config {
            timeout,
            ..live(role)
        };
        let (mut world, _) = World::opened(BOTH.map(forever));
        let before = world.peers[0].connection.bytes_sent();
        assert_eq!(world.peers[0].connection.poll_timeout(), None);
        world.pass(1_000_000 * SECOND);
        assert_eq!(world.errors(), [None; 2]);
        assert_eq!(world.peers[0].connection.bytes_sent(), before);
    }
}

#[test]
fn the_shortest_time_limit_is_one() {
    let short = |role| Config {
        timeout: Some(Duration::from_nanos(1)),
        ..live(role)
    };
    let mut world = World::new(BOTH.map(short));
    world.pass(SECOND);
    assert!(world.errors().iter().any(Option::is_some));
}

#[test]
fn limits_beyond_all_time_are_no_limits() {
    let forever = |role| Config {
        timeout: Some(Duration::MAX),
        handshake_timeout: Duration::MAX,
        answer_timeout: Duration::MAX,
        ..config(role)
    };
    let mut world = World::new(BOTH.map(forever));
    world.clock.advance(Duration::MAX / 4);
    let channel = world.peers[0].connection.open(&feed(1)).unwrap();
    world.settle();
    world.peers[1].connection.open(&feed(1)).unwrap();
    world.settle();
    world.pass(1000 * SECOND);
    world.peers[0].connection.close(channel);
    world.settle();
    assert_eq!(world.errors(), [None; 2]);
    assert_eq!(world.peers[0].events.last(), Some(&Event::Finished));
}

#[test]
fn the_time_limit_can_be_changed_while_the_connection_runs() {
    let (mut world, _) = World::opened(BOTH.map(live));
    for peer in &mut world.peers {
        let now = world.clock.now();
        peer.connection.set_timeout(now, Some(SECOND));
    }
    let before = world.peers[0].connection.bytes_sent();
    world.pass(10 * SECOND);
    assert_eq!(world.errors(), [None; 2]);
    assert!(world.peers[0].connection.bytes_sent() >= before + 19);
    // One that has none is given up by the other, whose signs of life it doesn't answer.
    let now = world.now();
    world.peers[1].connection.set_timeout(now, None);
    world.pass(10 * SECOND);
    assert_eq!(world.peers[0].error, Some(Error::IdleTimeout));
}

#[test]
fn a_sign_of_life_can_be_sent_at_any_time_and_is_one_byte() {
    let mut world = World::new(BOTH.map(live));
    let before = world.peers[0].connection.queued();
    world.peers[0].connection.ping();
    assert_eq!(
        world.peers[0].connection.queued(),
        before,
        "not in the handshake"
    );
    world.settle();
    let before = world.peers[0].connection.bytes_sent();
    for _ in 0..100 {
        world.peers[0].connection.ping();
        world.settle();
    }
    assert_eq!(world.peers[0].connection.bytes_sent(), before + 100);
    assert_eq!(world.errors(), [None; 2]);
    // One that waits is enough.
    for _ in 0..100 {
        world.peers[0].connection.ping();
    }
    assert_eq!(world.peers[0].connection.queued(), 1);
}

#[test]
fn a_shorter_time_limit_counts_from_when_it_was_set() {
    let (mut world, _) = World::opened(BOTH.map(live));
    world.pass(9 * SECOND);
    // The remote was silent for nine seconds, as it may be, and says something each ten.
    let now = world.now();
    world.peers[0].connection.set_timeout(now, Some(5 * SECOND));
    world.pass(4 * SECOND);
    assert_eq!(world.errors(), [None; 2]);
    world.pass(6 * SECOND);
    assert_eq!(world.peers[0].error, Some(Error::IdleTimeout));
}
