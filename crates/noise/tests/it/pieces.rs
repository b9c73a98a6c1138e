//! Bytes arrive in any pieces, and what isn't for the handshake is left alone.

use hypercore_noise::{DialectChoice, Error, Role};
use testkit::{Rng, seed};

use crate::pair::{DIALECTS, assert_meet, hear, initiator, messages, responder, side};

#[test]
fn a_handshake_works_in_pieces_of_any_size() {
    for dialect in DIALECTS {
        for size in 1..=130 {
            let (mut a, mut b) = (initiator(dialect), responder(dialect));
            let first = a.poll_transmit().unwrap();
            let (second, _) = hear(&mut b, &first, size).unwrap();
            let (third, _) = hear(&mut a, &second, size).unwrap();
            let (nothing, _) = hear(&mut b, &third, size).unwrap();
            assert!(nothing.is_empty());
            assert_meet(a.finish().unwrap(), b.finish().unwrap());
        }
    }
}

#[test]
fn random_pieces_give_the_same_bytes() {
    let mut rng = Rng::new(seed(1));
    for dialect in DIALECTS {
        let [first, second, third] = messages(dialect);
        for _ in 0..50 {
            let mut b = responder(dialect);
            let (mut pending, mut said) = (Vec::new(), Vec::new());
            let mut rest = &[&first[..], &third].concat()[..];
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(rng.below(rest.len() as u64 + 1) as usize);
                rest = later;
                pending.extend_from_slice(piece);
                let consumed = b.handle_bytes(&pending).unwrap();
                pending.drain(..consumed);
                said.extend(b.poll_transmit().unwrap_or_default());
            }
            assert_eq!(said, second);
            assert!(b.needs_authentication().is_some());
        }
    }
}

#[test]
fn what_follows_the_last_message_is_left_for_the_stream() {
    for dialect in DIALECTS {
        let [first, second, third] = messages(dialect);
        let mut a = initiator(dialect);
        let (said, taken) = hear(&mut a, &[&second[..], b"stream"].concat(), usize::MAX).unwrap();
        assert_eq!((said, taken), (third.clone(), second.len()));
        assert_eq!(a.handle_bytes(b"stream"), Ok(0));

        let mut b = responder(dialect);
        hear(&mut b, &first, usize::MAX).unwrap();
        let (_, taken) = hear(&mut b, &[&third[..], b"stream"].concat(), usize::MAX).unwrap();
        assert_eq!(taken, third.len());
        assert_eq!(b.handle_bytes(b"stream"), Ok(0));
    }
}

#[test]
fn nothing_is_taken_while_the_key_waits_to_be_accepted() {
    for dialect in DIALECTS {
        let [_, second, _] = messages(dialect);
        let mut a = initiator(dialect);
        assert_eq!(a.remote_public_key(), None);
        assert_eq!(a.handle_bytes(&second), Ok(second.len()));
        let key = responder_key();
        assert_eq!(a.needs_authentication(), Some(key));
        assert_eq!(a.handle_bytes(b"more"), Ok(0));
        // The first message; the third isn't said before the key is accepted.
        assert_eq!(a.poll_transmit().map(|bytes| bytes.len()), Some(59));
        assert_eq!(a.poll_transmit(), None);
        a.authenticate(true).unwrap();
        assert_eq!(a.poll_transmit().map(|bytes| bytes.len()), Some(91));
        assert_eq!(a.remote_public_key(), Some(key));
        assert!(a.is_finished());
    }
}

fn responder_key() -> [u8; 32] {
    hypercore_noise::KeyPair::from_seed([2; 32]).public()
}

#[test]
fn a_key_that_is_turned_down_ends_the_handshake() {
    for dialect in DIALECTS {
        let [_, second, third] = messages(dialect);
        let mut a = initiator(dialect);
        a.poll_transmit();
        a.handle_bytes(&second).unwrap();
        assert_eq!(a.authenticate(false), Err(Error::TurnedDown));
        assert_eq!(a.poll_transmit(), None);
        assert_eq!(a.handle_bytes(&third), Err(Error::OutOfTurn));
        assert_eq!(a.authenticate(true), Err(Error::OutOfTurn));
        assert!(matches!(a.finish(), Err(Error::OutOfTurn)));
    }
}

#[test]
fn nothing_is_finished_before_its_time() {
    for dialect in DIALECTS {
        assert!(matches!(initiator(dialect).finish(), Err(Error::OutOfTurn)));
        let mut b = responder(dialect);
        assert_eq!(b.authenticate(true), Err(Error::OutOfTurn));
    }
    let choice = DialectChoice::Auto;
    let refused = hypercore_noise::Handshake::new(
        Role::Responder,
        choice,
        hypercore_noise::KeyPair::from_seed([1; 32]),
        hypercore_noise::Randomness {
            ephemeral: [1; 32],
            nonce: [1; 24],
        },
    );
    assert!(matches!(refused, Err(Error::AutoResponder)));
    // The other way round it works, whatever the responder speaks.
    for dialect in DIALECTS {
        let (mut a, mut b) = (side(Role::Initiator, choice, 1), responder(dialect));
        let first = a.poll_transmit().unwrap();
        let (second, _) = hear(&mut b, &first, 7).unwrap();
        let (third, _) = hear(&mut a, &second, 7).unwrap();
        hear(&mut b, &third, 7).unwrap();
        assert_meet(a.finish().unwrap(), b.finish().unwrap());
    }
}
