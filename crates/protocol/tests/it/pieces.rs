//! The same bytes in other pieces are the same events and the same answers.

use hypercore_protocol::{Config, Connection, Error, Event, Role};
use proptest::prelude::*;
use wire::Message;

use crate::world::{
    SECOND, block, close, config, connection, events, feed, frame, live, open, plain, status,
};

/// What came of some input: events, the error, what is answered.
type Outcome = (Vec<Event>, Option<Error>, Vec<u8>);

fn hear(mut connection: Connection, pieces: &[&[u8]], drain: impl Fn(usize) -> bool) -> Outcome {
    let (mut said, mut error, mut sent) = (Vec::new(), None, Vec::new());
    for (n, piece) in pieces.iter().enumerate() {
        if error.is_some() {
            break;
        }
        error = connection.handle_bytes(SECOND, piece).err();
        if error.is_none() && drain(n) {
            let (more, ended) = events(&mut connection);
            said.extend(more);
            error = ended;
        }
    }
    if error.is_none() {
        let (more, ended) = events(&mut connection);
        said.extend(more);
        error = ended;
    }
    while let Some(bytes) = connection.poll_transmit(SECOND) {
        sent.extend_from_slice(&bytes);
    }
    (said, error, sent)
}

fn cut<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at((*size).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

fn start() -> Connection {
    let mut connection = connection(Config {
        live: true,
        ..plain(Role::Initiator)
    });
    connection.open(&feed(1)).unwrap();
    connection.open(&feed(2)).unwrap();
    connection
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let message = prop_oneof![
        (0..5u8).prop_map(open),
        prop::option::of(0..5u8).prop_map(close),
        any::<bool>().prop_map(status),
        (0..200usize).prop_map(|len| block(len as u64, len)),
        Just(Message::Options(wire::Options::default())),
    ];
    prop_oneof![
        8 => (0..5u64, message).prop_map(|(channel, message)| frame(channel, &message)),
        1 => Just(vec![0]),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ]
}

#[test]
fn blocks_of_any_size_leave_in_short_pieces_and_stay_as_they_are() {
    let (mut a, mut b) = (
        connection(live(Role::Initiator)),
        connection(live(Role::Responder)),
    );
    let channel = b.open(&feed(9)).unwrap();
    let theirs = a.open(&feed(9)).unwrap();
    while let Some(bytes) = a.poll_transmit(SECOND) {
        b.handle_bytes(SECOND, &bytes).unwrap();
        assert_eq!(events(&mut b).1, None);
        while let Some(bytes) = b.poll_transmit(SECOND) {
            a.handle_bytes(SECOND, &bytes).unwrap();
            assert_eq!(events(&mut a).1, None);
        }
    }
    let kib = 1024;
    let lens = [
        0,
        1,
        8 * kib - 1,
        8 * kib,
        64 * kib,
        64 * kib + 1,
        128 * kib,
        128 * kib + 1,
    ];
    let blocks: Vec<Message> = lens.iter().map(|len| block(*len as u64, *len)).collect();
    // One that is in use elsewhere must not be encrypted where it is; one that isn't may be.
    for (n, message) in blocks.iter().enumerate() {
        let sent = match n % 2 {
            0 => message.clone(),
            _ => block(lens[n] as u64, lens[n]),
        };
        b.send(channel, &sent).unwrap();
    }
    let queued = b.queued();
    let mut left = 0;
    while let Some(bytes) = b.poll_transmit(SECOND) {
        assert!(bytes.len() <= 64 * kib);
        left += bytes.len();
        assert_eq!(b.queued(), queued - left);
        a.handle_bytes(SECOND, &bytes).unwrap();
    }
    assert!(b.held() <= 256 * kib, "{}", b.held());
    let heard: Vec<Message> = events(&mut a)
        .0
        .into_iter()
        .map(|event| match event {
            Event::Message { channel, message } if channel == theirs => message,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(heard, blocks);
    let again: Vec<Message> = lens.iter().map(|len| block(*len as u64, *len)).collect();
    assert_eq!(blocks, again);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_pieces_of_any_frames_give_the_same_events(
        frames in prop::collection::vec(any_frame(), 0..20),
        sizes in prop::collection::vec(1..60usize, 1..10),
        drained in any::<u64>(),
    ) {
        let bytes = frames.concat();
        let whole = hear(start(), &[&bytes], |_| true);
        let pieces = cut(&bytes, &sizes);
        // Whether events are taken out in between makes no difference either.
        let some = |n: usize| drained >> (n % 64) & 1 == 1;
        prop_assert_eq!(&hear(start(), &pieces, some), &whole);
        prop_assert_eq!(&hear(start(), &cut(&bytes, &[1]), |_| true), &whole);
    }

    #[test]
    fn any_pieces_of_an_encrypted_connection_give_the_same_events(
        sizes in prop::collection::vec(1..200usize, 1..10),
        lens in prop::collection::vec(0..300usize, 0..5),
    ) {
        // All that the responder says, with the handshake, to an initiator that has said all of its own.
        let (mut a, mut b) = (connection(live(Role::Initiator)), connection(config(Role::Responder)));
        let channel = b.open(&feed(9)).unwrap();
        a.open(&feed(9)).unwrap();
        let mut said = Vec::new();
        while let Some(bytes) = a.poll_transmit(SECOND) {
            b.handle_bytes(SECOND, &bytes).unwrap();
            prop_assert_eq!(events(&mut b).1, None);
            while let Some(bytes) = b.poll_transmit(SECOND) {
                said.extend_from_slice(&bytes);
                a.handle_bytes(SECOND, &bytes).unwrap();
                prop_assert_eq!(events(&mut a).1, None);
            }
        }
        for len in lens {
            b.send(channel, &block(len as u64, len)).unwrap();
        }
        while let Some(bytes) = b.poll_transmit(SECOND) {
            said.extend_from_slice(&bytes);
        }
        let again = || {
            let mut a = connection(live(Role::Initiator));
            a.open(&feed(9)).unwrap();
            a
        };
        let whole = hear(again(), &[&said], |_| true);
        prop_assert!(whole.1.is_none() && whole.0.len() > 1);
        prop_assert_eq!(hear(again(), &cut(&said, &sizes), |_| true), whole);
    }
}
