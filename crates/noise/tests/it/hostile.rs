//! Peers that break the rules, and people in the middle. None of them gets an outcome.

use hypercore_noise::{Dialect, DialectChoice, Error, Handshake, Role};

use crate::pair::{DIALECTS, hear, initiator, messages, responder, side};

/// Points of order 1, 2, 4 and 8 on the curve and on its twist, and those that are the same once they are reduced.
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn point(hex: &str) -> [u8; 32] {
    core::array::from_fn(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap())
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = message.len();
    match length {
        0..128 => [&[length as u8], message].concat(),
        _ => [&[length as u8 | 0x80, (length >> 7) as u8], message].concat(),
    }
}

/// A side that waits for message 2 or 3.
fn listener(dialect: Dialect, number: usize) -> Handshake {
    match number {
        2 => {
            let mut a = initiator(dialect);
            a.poll_transmit();
            a
        }
        _ => {
            let mut b = responder(dialect);
            hear(&mut b, &messages(dialect)[0], usize::MAX).unwrap();
            b
        }
    }
}

#[test]
fn every_flipped_bit_of_an_encrypted_message_is_refused() {
    for dialect in DIALECTS {
        let messages = messages(dialect);
        for number in [2, 3] {
            let honest = &messages[number - 1];
            for bit in 0..8 * honest.len() {
                let mut bytes = honest.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                let mut side = listener(dialect, number);
                let heard = hear(&mut side, &bytes, usize::MAX);
                // A longer length leaves the message incomplete, which the time limit of the connection ends.
                let waits = bit < 8 && matches!(&heard, Ok((said, _)) if said.is_empty());
                assert!(
                    waits || heard.is_err(),
                    "{dialect:?}: message {number}, bit {bit}: {heard:?}"
                );
                assert!(!side.is_finished());
                assert!(side.remote_public_key().is_none());
                if heard.is_err() {
                    assert_eq!(side.handle_bytes(honest), Err(Error::OutOfTurn));
                }
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_the_first_message_is_noticed_in_the_second() {
    // The first message is in clear: the responder can't see the change, the initiator does.
    for dialect in DIALECTS {
        let [first, ..] = messages(dialect);
        for bit in 8..8 * first.len() {
            let mut bytes = first.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Ok((second, _)) = hear(&mut responder(dialect), &bytes, usize::MAX) else {
                continue;
            };
            let mut a = listener(dialect, 2);
            let error = hear(&mut a, &second, usize::MAX);
            assert_eq!(error, Err(Error::Unauthentic { number: 2 }), "bit {bit}");
        }
    }
}

#[test]
fn a_message_that_is_cut_gives_nothing() {
    for dialect in DIALECTS {
        let messages = messages(dialect);
        for number in [2, 3] {
            let honest = &messages[number - 1];
            for len in 0..honest.len() {
                // Cut on the way: more is awaited.
                let mut side = listener(dialect, number);
                let (said, taken) = hear(&mut side, &honest[..len], usize::MAX).unwrap();
                assert_eq!((said.len(), taken), (0, len));
                assert!(!side.is_finished());
                // Cut by its sender: refused.
                let Some(body) = honest[1..]
                    .get(..len)
                    .filter(|body| (1..honest.len() - 1).contains(&body.len()))
                else {
                    continue;
                };
                let mut side = listener(dialect, number);
                let refused = hear(&mut side, &framed(body), usize::MAX);
                assert!(
                    matches!(
                        refused,
                        Err(Error::MessageTooShort { .. } | Error::Unauthentic { .. })
                    ),
                    "{number} {len}: {refused:?}"
                );
            }
        }
        for len in 1..32 {
            let refused = hear(&mut responder(dialect), &framed(&vec![9; len]), usize::MAX);
            assert_eq!(refused, Err(Error::MessageTooShort { number: 1 }));
        }
    }
}

#[test]
fn a_longer_message_is_refused() {
    for dialect in DIALECTS {
        let messages = messages(dialect);
        for number in [2, 3] {
            for more in [1, 16, 500] {
                let body = [&messages[number - 1][1..], &vec![0; more]].concat();
                let refused = hear(&mut listener(dialect, number), &framed(&body), usize::MAX);
                let number = number as u8;
                assert_eq!(refused, Err(Error::Unauthentic { number }));
            }
        }
    }
}

#[test]
fn lengths_that_no_message_has_are_refused_at_once() {
    for dialect in DIALECTS {
        for prefix in [
            &[0][..],
            &[0x80, 0],
            &[0x81, 8],
            &[0xff, 0xff, 3],
            &[0xff; 10],
            &[0x80; 11],
        ] {
            for number in [1, 2, 3] {
                let mut side = match number {
                    1 => responder(dialect),
                    _ => listener(dialect, number),
                };
                let refused = hear(&mut side, prefix, 1);
                assert!(
                    matches!(
                        refused,
                        Err(Error::EmptyMessage
                            | Error::MessageTooLong { max: 1024, .. }
                            | Error::LengthTooLong)
                    ),
                    "{prefix:x?}: {refused:?}"
                );
            }
        }
    }
}

#[test]
fn a_first_message_with_any_payload_is_answered() {
    // So does JavaScript: what counts is the payload of the third message.
    for dialect in DIALECTS {
        let [first, ..] = messages(dialect);
        let key = &first[1..33];
        for payload in [&[][..], &[0xff], b"garbage", &[0x0a, 0x18], &[7; 900]] {
            let mut b = responder(dialect);
            let bytes = framed(&[key, payload].concat());
            let (second, taken) = hear(&mut b, &bytes, usize::MAX).unwrap();
            assert_eq!((second.len(), taken), (123, bytes.len()));
        }
    }
}

#[test]
fn ephemeral_keys_of_low_order_are_refused() {
    for dialect in DIALECTS {
        let [first, second, _] = messages(dialect);
        // The highest bit isn't looked at.
        let points = LOW_ORDER.map(point).into_iter();
        for key in points.flat_map(|key| [0, 0x80].map(|bit| with_last(key, bit))) {
            let mut bytes = first.clone();
            bytes[1..33].copy_from_slice(&key);
            let refused = hear(&mut responder(dialect), &bytes, usize::MAX);
            assert_eq!(refused, Err(Error::LowOrder { number: 1 }), "{key:x?}");

            let mut bytes = second.clone();
            bytes[1..33].copy_from_slice(&key);
            let refused = hear(&mut listener(dialect, 2), &bytes, usize::MAX);
            assert_eq!(refused, Err(Error::LowOrder { number: 2 }), "{key:x?}");
        }
    }
}

fn with_last(mut key: [u8; 32], bit: u8) -> [u8; 32] {
    key[31] |= bit;
    key
}

#[test]
fn the_other_dialect_is_refused_both_ways() {
    for (ours, theirs) in [(Dialect::V8, Dialect::V9), (Dialect::V9, Dialect::V8)] {
        let mut a = initiator(ours);
        let first = a.poll_transmit().unwrap();
        let (second, _) = hear(&mut responder(theirs), &first, usize::MAX).unwrap();
        let refused = hear(&mut a, &second, usize::MAX);
        assert_eq!(refused, Err(Error::Unauthentic { number: 2 }));

        let [.., third] = messages(theirs);
        let refused = hear(&mut listener(ours, 3), &third, usize::MAX);
        assert_eq!(refused, Err(Error::Unauthentic { number: 3 }));
    }
}

#[test]
fn auto_refuses_what_opens_in_neither_dialect() {
    let mut a = side(Role::Initiator, DialectChoice::Auto, 1);
    let first = a.poll_transmit().unwrap();
    let (mut second, _) = hear(&mut responder(Dialect::V9), &first, usize::MAX).unwrap();
    second[100] ^= 1;
    let refused = hear(&mut a, &second, usize::MAX);
    assert_eq!(refused, Err(Error::Unauthentic { number: 2 }));
}

#[test]
fn messages_of_another_handshake_are_refused() {
    for dialect in DIALECTS {
        let [first, second, third] = messages(dialect);
        // The same peers again, with other randomness on the side that listens.
        let mut a = side(Role::Initiator, DialectChoice::Fixed(dialect), 7);
        a.poll_transmit();
        let refused = hear(&mut a, &second, usize::MAX);
        assert_eq!(refused, Err(Error::Unauthentic { number: 2 }));

        let mut b = side(Role::Responder, DialectChoice::Fixed(dialect), 8);
        hear(&mut b, &first, usize::MAX).unwrap();
        let refused = hear(&mut b, &third, usize::MAX);
        assert_eq!(refused, Err(Error::Unauthentic { number: 3 }));
    }
}

#[test]
fn messages_out_of_their_order_are_refused() {
    for dialect in DIALECTS {
        let [first, second, third] = messages(dialect);
        // The first again instead of the third, the first sent back to its sender, and so on.
        for (number, message) in [(3, &first), (3, &second), (2, &first), (2, &third)] {
            let refused = hear(&mut listener(dialect, number), message, usize::MAX);
            assert!(
                matches!(
                    refused,
                    Err(Error::Unauthentic { .. } | Error::MessageTooShort { .. })
                ),
                "{refused:?}"
            );
        }
        // Again after the end it isn't looked at: that is the stream's.
        let mut b = listener(dialect, 3);
        hear(&mut b, &third, usize::MAX).unwrap();
        assert_eq!(b.handle_bytes(&third), Ok(0));
    }
}

#[test]
fn two_initiators_part() {
    for dialect in DIALECTS {
        let mut b = side(Role::Initiator, DialectChoice::Fixed(dialect), 2);
        let first = b.poll_transmit().unwrap();
        let refused = hear(&mut listener(dialect, 2), &first, usize::MAX);
        assert!(refused.is_err());
    }
}
