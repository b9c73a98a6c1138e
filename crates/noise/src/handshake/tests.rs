//! What only a peer that bends the handshake from inside can send: another payload, a static key that is none.

extern crate std;

use std::{boxed::Box, vec, vec::Vec};

use snow::{
    HandshakeState,
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::CryptoResolver,
    types::{Cipher, Dh, Hash, Random},
};

use super::*;
use crate::resolver::{Resolver, state_of};

const DIALECTS: [Dialect; 2] = [Dialect::V8, Dialect::V9];

/// A key pair that shows another public key than its own, if its secret was chosen: a static one.
struct Liar {
    inner: Box<dyn Dh>,
    shown: Option<[u8; 32]>,
    is_static: bool,
}

impl Dh for Liar {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn pub_len(&self) -> usize {
        self.inner.pub_len()
    }

    fn priv_len(&self) -> usize {
        self.inner.priv_len()
    }

    fn dh_len(&self) -> usize {
        self.inner.dh_len()
    }

    fn set(&mut self, secret: &[u8]) {
        self.is_static = true;
        self.inner.set(secret);
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        self.inner.generate(rng)
    }

    fn pubkey(&self) -> &[u8] {
        match &self.shown {
            Some(shown) if self.is_static => shown,
            _ => self.inner.pubkey(),
        }
    }

    fn privkey(&self) -> &[u8] {
        self.inner.privkey()
    }

    fn dh(&self, remote: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        self.inner.dh(remote, out)
    }
}

struct Parts {
    honest: Resolver,
    shown: Option<[u8; 32]>,
}

impl CryptoResolver for Parts {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        self.honest.resolve_rng()
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        Some(Box::new(Liar {
            inner: self.honest.resolve_dh(choice)?,
            shown: self.shown,
            is_static: false,
        }))
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        self.honest.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        self.honest.resolve_cipher(choice)
    }
}

/// The other side, as bent as wanted.
fn bent(role: Role, dialect: Dialect, shown: Option<[u8; 32]>) -> HandshakeState {
    let honest = Resolver::new(role, dialect, &[4; 32]);
    let parts = Box::new(Parts { honest, shown });
    state_of(parts, role, dialect, &[3; 32], &[]).unwrap()
}

fn honest(role: Role, dialect: Dialect) -> Handshake {
    let pair = KeyPair::from_seed([1; 32]);
    let randomness = Randomness {
        ephemeral: [5; 32],
        nonce: [6; 24],
    };
    Handshake::new(role, DialectChoice::Fixed(dialect), pair, randomness).unwrap()
}

fn write(noise: &mut HandshakeState, payload: &[u8]) -> Vec<u8> {
    let mut message = vec![0; MAX_MESSAGE];
    let len = noise.write_message(payload, &mut message).unwrap();
    framed(&message[..len])
}

/// Takes an honest side to where it has heard the remote's static key and its payload.
fn heard(
    role: Role,
    dialect: Dialect,
    payload: &[u8],
    shown: Option<[u8; 32]>,
) -> Result<usize, Error> {
    let mut ours = honest(role, dialect);
    let mut buffer = vec![0; MAX_MESSAGE];
    match role {
        Role::Initiator => {
            let mut theirs = bent(Role::Responder, dialect, shown);
            let first = ours.poll_transmit().unwrap();
            theirs.read_message(&first[1..], &mut buffer).unwrap();
            ours.handle_bytes(&write(&mut theirs, payload))
        }
        Role::Responder => {
            let mut theirs = bent(Role::Initiator, dialect, shown);
            ours.handle_bytes(&write(&mut theirs, payload))?;
            let second = ours.poll_transmit().unwrap();
            theirs.read_message(&second[1..], &mut buffer).unwrap();
            ours.handle_bytes(&write(&mut theirs, payload))
        }
    }
}

fn everywhere(check: impl Fn(Role, Dialect)) {
    for role in [Role::Initiator, Role::Responder] {
        for dialect in DIALECTS {
            check(role, dialect);
        }
    }
}

#[test]
fn a_payload_that_is_no_nonce_of_24_bytes_is_refused() {
    everywhere(|role, dialect| {
        let nonce = |len: u8| [&[0x0a, len][..], &vec![7; len.into()]].concat();
        assert!(heard(role, dialect, &nonce(24), None).is_ok());
        for payload in [
            vec![],
            nonce(0),
            nonce(23),
            nonce(25),
            nonce(100),
            nonce(24)[..25].to_vec(),
            vec![0x10, 1],
            b"garbage".to_vec(),
        ] {
            let refused = heard(role, dialect, &payload, None);
            assert!(matches!(refused, Err(Error::Payload(_))), "{refused:?}");
        }
    });
}

#[test]
fn a_payload_may_carry_more_than_the_nonce() {
    // As protobuf has it: unknown fields are skipped, the last of several counts.
    everywhere(|role, dialect| {
        let nonce = [&[0x0a, 24][..], &[7; 24]].concat();
        let payload = [&nonce[..], &[0x10, 5, 0x1a, 2, 8, 8], &nonce].concat();
        assert!(heard(role, dialect, &payload, None).is_ok());
    });
}

#[test]
fn static_keys_of_low_order_are_refused() {
    let nonce = [&[0x0a, 24][..], &[7; 24]].concat();
    everywhere(|role, dialect| {
        let number = if role == Role::Initiator { 2 } else { 3 };
        let mut order_4 = [0; 32];
        order_4[0] = 1;
        let mut minus_1 = [0xff; 32];
        (minus_1[0], minus_1[31]) = (0xec, 0x7f);
        for shown in [[0; 32], order_4, minus_1] {
            let refused = heard(role, dialect, &nonce, Some(shown));
            assert_eq!(refused, Err(Error::LowOrder { number }));
        }
        // A key whose secret the remote doesn't have gets nowhere either.
        let refused = heard(role, dialect, &nonce, Some([9; 32]));
        assert_eq!(refused, Err(Error::Unauthentic { number }));
    });
}
