//! Who may talk: handshakes, capabilities, and the ways to do without.

use crypto::Dialect;
use hypercore_protocol::{Config, Connection, DialectChoice, Error, Event, Role, Security};
use noise::StreamCipher;

use crate::world::{
    SECOND, World, block, close, config, connection, events, feed, frame, live, name, open, plain,
    status,
};

const BOTH: [Role; 2] = [Role::Initiator, Role::Responder];
const DIALECTS: [Dialect; 2] = [Dialect::V8, Dialect::V9];

fn speaking(role: Role, dialect: DialectChoice) -> Config {
    Config {
        dialect,
        ..config(role)
    }
}

fn secured(role: Role, security: Security) -> Config {
    Config {
        security,
        ..config(role)
    }
}

#[test]
fn peers_get_to_know_each_other() {
    for dialect in DIALECTS {
        let configs = BOTH.map(|role| speaking(role, DialectChoice::Fixed(dialect)));
        let keys = [&configs[1], &configs[0]].map(|config| config.key_pair.public());
        let (world, _) = World::opened(configs);
        for (peer, remote_public_key) in world.peers.iter().zip(keys) {
            let known = Event::Handshake {
                remote_public_key,
                dialect,
            };
            assert_eq!(peer.events[0], known);
            assert_eq!(peer.connection.remote_public_key(), Some(remote_public_key));
            assert_eq!(peer.connection.dialect(), Some(dialect));
        }
        let [a, b] = [0, 1].map(|n| world.peers[n].connection.handshake_hash());
        assert!(a.is_some() && a == b);
    }
}

#[test]
fn an_initiator_finds_out_the_dialect() {
    for dialect in DIALECTS {
        let (world, _) = World::opened([
            speaking(Role::Initiator, DialectChoice::Auto),
            speaking(Role::Responder, DialectChoice::Fixed(dialect)),
        ]);
        assert_eq!(world.peers[0].connection.dialect(), Some(dialect));
    }
    let refused = hypercore_protocol::Connection::new(
        speaking(Role::Responder, DialectChoice::Auto),
        crate::world::randomness(Role::Responder),
        SECOND,
    );
    assert!(matches!(refused, Err(Error::Handshake(_))));
}

#[test]
fn peers_of_different_dialects_part_in_the_handshake() {
    for (ours, theirs) in [(Dialect::V8, Dialect::V9), (Dialect::V9, Dialect::V8)] {
        let mut world = World::new([
            speaking(Role::Initiator, DialectChoice::Fixed(ours)),
            speaking(Role::Responder, DialectChoice::Fixed(theirs)),
        ]);
        world.settle();
        let error = noise::Error::Unauthentic { number: 2 };
        assert_eq!(
            world.errors(),
            [Some(Error::Handshake(error)), Some(Error::HungUp)]
        );
        for peer in &world.peers {
            assert_eq!(peer.events, []);
        }
    }
}

#[test]
fn all_ways_of_protection_carry_the_same_messages() {
    for security in [
        Security::Encrypted,
        Security::Authenticated,
        Security::Plain,
    ] {
        let (mut world, channels) = World::opened(BOTH.map(|role| secured(role, security)));
        let known = world.peers[0].connection.remote_public_key().is_some();
        assert_eq!(known, security != Security::Plain);
        for n in [0, 1] {
            let message = block(n as u64, 100_000);
            world.peers[n]
                .connection
                .send(channels[n], &message)
                .unwrap();
        }
        world.settle();
        assert_eq!(world.peers[0].messages(), [&block(1, 100_000)]);
        assert_eq!(world.peers[1].messages(), [&block(0, 100_000)]);
        world.peers[0].connection.close(channels[0]);
        world.settle();
        assert_eq!(world.errors(), [None; 2]);
    }
}

#[test]
fn only_an_encrypted_connection_hides_what_is_said() {
    for (security, seen) in [
        (Security::Encrypted, false),
        (Security::Authenticated, true),
    ] {
        let (mut world, channels) = World::opened(BOTH.map(|role| secured(role, security)));
        let a = &mut world.peers[0].connection;
        a.send(channels[0], &status(true)).unwrap();
        let bytes = a.poll_transmit(SECOND).unwrap();
        assert_eq!(bytes == frame(1, &status(true)), seen);
    }
}

#[test]
fn peers_that_disagree_on_encryption_get_nowhere() {
    for securities in [
        [Security::Encrypted, Security::Authenticated],
        [Security::Authenticated, Security::Encrypted],
        [Security::Encrypted, Security::Plain],
        [Security::Plain, Security::Authenticated],
    ] {
        let mut world = World::new([
            secured(Role::Initiator, securities[0]),
            secured(Role::Responder, securities[1]),
        ]);
        for peer in &mut world.peers {
            peer.connection.open(&feed(9)).unwrap();
        }
        world.pass(60 * SECOND);
        for peer in &world.peers {
            let opened = |event: &Event| matches!(event, Event::Opened { .. });
            assert_eq!(peer.count(opened), 0, "{securities:?}");
            let over = peer.error.is_some() || peer.connection.is_finished();
            assert!(over, "{securities:?}");
        }
    }
}

#[test]
fn a_key_that_is_accepted_may_talk() {
    let ask = |role| Config {
        authenticate: true,
        ..live(role)
    };
    let mut world = World::new(BOTH.map(ask));
    let channels = [0, 1].map(|n| world.peers[n].connection.open(&feed(9)).unwrap());
    // The initiator is asked first: its third message waits for the answer.
    for n in [0, 1] {
        world.settle();
        let remote_public_key = config(BOTH[1 - n]).key_pair.public();
        let peer = &mut world.peers[n];
        assert_eq!(peer.events, [Event::Authenticate { remote_public_key }]);
        assert_eq!(peer.connection.remote_public_key(), None);
        assert!(!peer.connection.wants_input());
        peer.connection.authenticate(SECOND, true).unwrap();
        assert!(peer.connection.wants_input());
    }
    world.settle();
    for (peer, channel) in world.peers.iter().zip(channels) {
        let opened = Event::Opened { channel };
        assert_eq!(peer.events.last(), Some(&opened));
        assert_eq!(
            peer.count(|event| matches!(event, Event::Authenticate { .. })),
            1
        );
    }
}

#[test]
fn a_key_that_is_turned_down_hears_nothing() {
    for asks in [0, 1] {
        let mut configs = BOTH.map(config);
        configs[asks].authenticate = true;
        let mut world = World::new(configs);
        for peer in &mut world.peers {
            peer.connection.open(&feed(9)).unwrap();
        }
        world.settle();
        let peer = &mut world.peers[asks];
        let before = peer.connection.bytes_sent();
        let turned_down = Error::Handshake(noise::Error::TurnedDown);
        assert_eq!(
            peer.connection.authenticate(SECOND, false),
            Err(turned_down)
        );
        assert_eq!(peer.connection.poll_transmit(SECOND), None);
        assert_eq!(peer.connection.bytes_sent(), before);
        assert_eq!(
            peer.connection.authenticate(SECOND, true),
            Ok(()),
            "it is over"
        );
        assert_eq!(peer.connection.poll_event(), Ok(None));
    }
}

/// A connection whose remote has shaken hands honestly and then opens feed 9, and what it says from there on.
fn after_handshake(opens_before: bool, capability: Option<[u8; 32]>) -> (Connection, StreamCipher) {
    let mut a = connection(live(Role::Initiator));
    if opens_before {
        a.open(&feed(9)).unwrap();
    }
    let mut theirs = noise::Handshake::new(
        Role::Responder,
        DialectChoice::default(),
        noise::KeyPair::from_seed([5; 32]),
        crate::world::randomness(Role::Responder),
    )
    .unwrap();
    let first = a.poll_transmit(SECOND).unwrap();
    theirs.handle_bytes(&first).unwrap();
    a.handle_bytes(SECOND, &theirs.poll_transmit().unwrap())
        .unwrap();
    theirs
        .handle_bytes(&a.poll_transmit(SECOND).unwrap())
        .unwrap();
    theirs.authenticate(true).unwrap();
    let mut outcome = theirs.finish().unwrap();
    while let Some(bytes) = a.poll_transmit(SECOND) {
        outcome.rx.apply(&mut bytes.to_vec());
    }
    let open = wire::Message::Open(wire::Open {
        discovery_key: name(9),
        capability,
    });
    let mut bytes = frame(1, &open);
    outcome.tx.apply(&mut bytes);
    a.handle_bytes(SECOND, &bytes).unwrap();
    (a, outcome.rx)
}

#[test]
fn a_capability_that_is_wrong_or_missing_ends_the_connection_if_we_have_opened_the_feed() {
    for capability in [None, Some([7; 32])] {
        let (mut a, _) = after_handshake(true, capability);
        let (said, error) = events(&mut a);
        assert!(matches!(said[..], [Event::Handshake { .. }]));
        assert_eq!(error, Some(Error::Capability));
        assert_eq!(a.poll_transmit(SECOND), None);
        assert_eq!(a.handle_bytes(SECOND, b"more"), Err(Error::Ended));
    }
}

#[test]
fn a_capability_that_is_wrong_or_missing_closes_a_feed_that_only_the_remote_has_opened() {
    for capability in [None, Some([7; 32])] {
        let (mut a, mut rx) = after_handshake(false, capability);
        let (said, error) = events(&mut a);
        let discovery_key = name(9);
        assert_eq!(said.last(), Some(&Event::RemoteOpen { discovery_key }));
        assert_eq!(error, None);
        assert_eq!(a.open(&feed(9)), Err(Error::Capability));
        // It is told by a Close that names the feed, as by JavaScript, and by nothing else.
        let mut bytes = a.poll_transmit(SECOND).unwrap().to_vec();
        rx.apply(&mut bytes);
        assert_eq!(bytes, frame(1, &close(Some(9))));
        assert_eq!(events(&mut a), (vec![], None));
        // The connection goes on, and the feed may be opened: then the remote has to show that it knows the key.
        assert!(a.open(&feed(8)).is_ok() && a.open(&feed(9)).is_ok());
        assert_eq!(events(&mut a), (vec![], None));
    }
}

#[test]
fn without_a_handshake_capabilities_are_not_looked_at() {
    let mut a = connection(plain(Role::Initiator));
    let channel = a.open(&feed(1)).unwrap();
    // And none is shown.
    assert_eq!(a.poll_transmit(SECOND).unwrap(), frame(1, &open(1)));
    let shown = wire::Message::Open(wire::Open {
        discovery_key: crate::world::name(1),
        capability: Some([7; 32]),
    });
    a.handle_bytes(SECOND, &frame(1, &shown)).unwrap();
    assert_eq!(events(&mut a), (vec![Event::Opened { channel }], None));
}
