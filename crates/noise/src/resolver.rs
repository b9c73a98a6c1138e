//! Gives snow its parts: the primitives of one dialect, and randomness that the caller chose.

use alloc::boxed::Box;

use crypto::Dialect;
use snow::{
    Builder, HandshakeState,
    params::{CipherChoice, DHChoice, HashChoice, NoiseParams},
    resolvers::CryptoResolver,
    types::{Cipher, Dh, Hash, Random},
};
use zeroize::Zeroizing;

use crate::{
    Role,
    cipher::MessageCipher,
    dh::{Tail, X25519},
    hash::{Blake2b, Stretched},
};

/// The name that both dialects are parsed by: snow knows no XChaChaPoly unless it brings its own.
const PARSED: &str = "Noise_XX_25519_ChaChaPoly_BLAKE2b";

/// What is hashed first.
fn protocol_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::V8 => "Noise_XX_25519_XChaChaPoly_BLAKE2b",
        Dialect::V9 => PARSED,
    }
}

/// The state before the first message.
pub(crate) fn handshake_state(
    role: Role,
    dialect: Dialect,
    secret: &[u8; 32],
    ephemeral: &[u8; 32],
    prologue: &[u8],
) -> Result<HandshakeState, snow::Error> {
    let resolver = Resolver::new(role, dialect, ephemeral);
    state_of(Box::new(resolver), role, dialect, secret, prologue)
}

/// The same, made of the given parts.
pub(crate) fn state_of(
    parts: Box<dyn CryptoResolver + Send>,
    role: Role,
    dialect: Dialect,
    secret: &[u8; 32],
    prologue: &[u8],
) -> Result<HandshakeState, snow::Error> {
    let mut params: NoiseParams = PARSED.parse()?;
    params.name = protocol_name(dialect).into();
    let builder = Builder::with_resolver(params, parts)
        .local_private_key(secret)?
        .prologue(prologue)?;
    match role {
        Role::Initiator => builder.build_initiator(),
        Role::Responder => builder.build_responder(),
    }
}

/// One for each handshake, because the shared secret of dialect 8 depends on the role.
pub(crate) struct Resolver {
    role: Role,
    dialect: Dialect,
    ephemeral: Zeroizing<[u8; 32]>,
    tail: Tail,
}

impl Resolver {
    pub(crate) fn new(role: Role, dialect: Dialect, ephemeral: &[u8; 32]) -> Self {
        Resolver {
            role,
            dialect,
            ephemeral: Zeroizing::new(*ephemeral),
            tail: Tail::default(),
        }
    }
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Once(Some(self.ephemeral.clone()))))
    }

    fn resolve_dh(&self, _: &DHChoice) -> Option<Box<dyn Dh>> {
        let tail = self.tail.clone();
        Some(Box::new(X25519::new(self.role, self.dialect, tail)))
    }

    fn resolve_hash(&self, _: &HashChoice) -> Option<Box<dyn Hash>> {
        Some(match self.dialect {
            Dialect::V8 => Box::new(Stretched::new(self.tail.clone())),
            Dialect::V9 => Box::new(Blake2b::default()),
        })
    }

    fn resolve_cipher(&self, _: &CipherChoice) -> Option<Box<dyn Cipher>> {
        Some(Box::new(MessageCipher::new(self.dialect)))
    }
}

/// Randomness for one ephemeral key and no more.
struct Once(Option<Zeroizing<[u8; 32]>>);

impl Random for Once {
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), snow::Error> {
        match self.0.take() {
            Some(bytes) if bytes.len() == out.len() => {
                out.copy_from_slice(&*bytes);
                Ok(())
            }
            _ => Err(snow::Error::Rng),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec;

    use testkit::vectors::{hex, hex_array, list, load};

    use super::*;

    /// The one public vector of the pattern. It has a prologue and payloads, which hypercore doesn't.
    #[test]
    fn dialect_9_fits_cacophony_vectors() {
        let file = load("known/noise-xx-25519-chachapoly-blake2b.json");
        for case in list(&file["vectors"]) {
            assert_eq!(case["protocol_name"], PARSED);
            let mut sides =
                [("init", Role::Initiator), ("resp", Role::Responder)].map(|(name, role)| {
                    let field = |what: &str| &case[std::format!("{name}_{what}")];
                    handshake_state(
                        role,
                        Dialect::V9,
                        &hex_array(field("static")),
                        &hex_array(field("ephemeral")),
                        &hex(field("prologue")),
                    )
                    .unwrap()
                });
            let messages = list(&case["messages"]);
            let mut buffers = [vec![0; 1024], vec![0; 1024]];
            for (n, message) in messages[..3].iter().enumerate() {
                let [wire, payload] = &mut buffers;
                let sent = hex(&message["payload"]);
                let len = sides[n % 2].write_message(&sent, wire).unwrap();
                assert_eq!(wire[..len], hex(&message["ciphertext"]));
                let len = sides[1 - n % 2]
                    .read_message(&wire[..len], payload)
                    .unwrap();
                assert_eq!(payload[..len], sent);
            }
            let hash = hex(&case["handshake_hash"]);
            let mut transports = sides.map(|side| {
                assert_eq!(side.get_handshake_hash(), hash);
                side.into_transport_mode().unwrap()
            });
            for (n, message) in messages.iter().enumerate().skip(3) {
                let [wire, payload] = &mut buffers;
                let sent = hex(&message["payload"]);
                let len = transports[n % 2].write_message(&sent, wire).unwrap();
                assert_eq!(wire[..len], hex(&message["ciphertext"]));
                let len = transports[1 - n % 2]
                    .read_message(&wire[..len], payload)
                    .unwrap();
                assert_eq!(payload[..len], sent);
            }
        }
    }

    #[test]
    fn randomness_is_given_once() {
        let mut once = Resolver::new(Role::Initiator, Dialect::V8, &[7; 32])
            .resolve_rng()
            .unwrap();
        let mut out = [0; 32];
        once.try_fill_bytes(&mut out).unwrap();
        assert_eq!(out, [7; 32]);
        assert_eq!(once.try_fill_bytes(&mut out), Err(snow::Error::Rng));
    }
}
