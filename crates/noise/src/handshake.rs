//! The handshake as a machine: bytes in, bytes out, and at the end two ciphers and a capability.
//!
//! ```text
//! initiator                                  responder
//!     -> e                       payload         58 bytes
//!     <- e, ee, s, es            payload        122 bytes
//!     -> s, se                   payload         90 bytes
//! ```
//!
//! Each message stands behind its length, a varint. The payload is the nonce of the sender's stream.
//! Source: `docs/protocol.md`, "Handshake".

use alloc::{boxed::Box, collections::VecDeque, vec, vec::Vec};
use core::fmt;

use crypto::Dialect;
use snow::{Builder, HandshakeState, params::NoiseParams};
use wire::NoisePayload;
use zeroize::Zeroizing;

use crate::{Capability, Error, KeyPair, StreamCipher, resolver::Resolver};

/// The longest message that is read. Real ones have 58, 122 and 90 bytes.
const MAX_MESSAGE: usize = 1024;

/// Which side one is on. By convention who connects is the initiator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends the first message.
    Initiator,
    /// Answers it.
    Responder,
}

/// Which dialect to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialectChoice {
    /// This one.
    Fixed(Dialect),
    /// Whichever the responder speaks, which its answer tells. For initiators only.
    Auto,
}

impl From<Dialect> for DialectChoice {
    fn from(dialect: Dialect) -> Self {
        DialectChoice::Fixed(dialect)
    }
}

/// What a handshake needs that nobody can foresee. Use each value once.
pub struct Randomness {
    /// The secret of the key that is made for this connection.
    pub ephemeral: [u8; 32],
    /// The nonce of the stream that we send.
    pub nonce: [u8; 24],
}

impl fmt::Debug for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Randomness(..)")
    }
}

/// A handshake that is under way.
///
/// ```
/// use hypercore_noise::{Handshake, KeyPair, Randomness, Role};
/// # use hypercore_crypto::Dialect;
///
/// let start = |role, seed: u8| {
///     let randomness = Randomness { ephemeral: [seed; 32], nonce: [seed; 24] };
///     Handshake::new(role, Dialect::V8.into(), KeyPair::from_seed([seed; 32]), randomness)
/// };
/// let mut a = start(Role::Initiator, 1)?;
/// let mut b = start(Role::Responder, 2)?;
/// while !(a.is_finished() && b.is_finished()) {
///     for (from, to) in [(&mut a, &mut b) as (&mut Handshake, &mut Handshake)] {
///         while let Some(bytes) = from.poll_transmit() {
///             to.handle_bytes(&bytes)?;
///         }
///         while let Some(bytes) = to.poll_transmit() {
///             from.handle_bytes(&bytes)?;
///         }
///         // Who the other side is was learnt: here everybody is welcome.
///         from.authenticate(true)?;
///         to.authenticate(true)?;
///     }
/// }
/// let (mut a, mut b) = (a.finish()?, b.finish()?);
/// let mut bytes = *b"hello";
/// a.tx.apply(&mut bytes);
/// b.rx.apply(&mut bytes);
/// assert_eq!(&bytes, b"hello");
/// # Ok::<_, hypercore_noise::Error>(())
/// ```
pub struct Handshake {
    role: Role,
    /// One state, or one for each dialect until it is clear which is spoken.
    states: Vec<(Dialect, HandshakeState)>,
    nonce: [u8; 24],
    outgoing: VecDeque<Vec<u8>>,
    stage: Stage,
    /// The last payload of the remote that wasn't empty.
    payload: Vec<u8>,
    remote_public_key: Option<[u8; 32]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The next message has this number, counted from 1.
    Read(u8),
    /// The remote's key is known and has to be accepted.
    Authenticate,
    Finished,
}

/// A finished handshake.
#[derive(Debug)]
pub struct Outcome {
    /// The dialect that was spoken.
    pub dialect: Dialect,
    /// Who the other side is.
    pub remote_public_key: [u8; 32],
    /// A hash of everything that was said, the same on both sides.
    pub handshake_hash: [u8; 64],
    /// For what we send.
    pub tx: StreamCipher,
    /// For what we receive.
    pub rx: StreamCipher,
    /// Shows and checks who knows which feed.
    pub capability: Capability,
}

impl Handshake {
    /// Begins. An initiator has its first message ready at once.
    ///
    /// # Errors
    /// [`Error::AutoResponder`].
    pub fn new(
        role: Role,
        choice: DialectChoice,
        pair: KeyPair,
        randomness: Randomness,
    ) -> Result<Self, Error> {
        let dialects = match (choice, role) {
            (DialectChoice::Fixed(dialect), _) => vec![dialect],
            (DialectChoice::Auto, Role::Initiator) => vec![Dialect::V8, Dialect::V9],
            (DialectChoice::Auto, Role::Responder) => return Err(Error::AutoResponder),
        };
        let states = dialects.into_iter().map(|dialect| {
            let state = state(dialect, role, &pair, randomness.ephemeral)?;
            Ok((dialect, state))
        });
        let mut handshake = Handshake {
            role,
            states: states.collect::<Result<_, Error>>()?,
            nonce: randomness.nonce,
            outgoing: VecDeque::new(),
            stage: match role {
                Role::Initiator => Stage::Read(2),
                Role::Responder => Stage::Read(1),
            },
            payload: Vec::new(),
            remote_public_key: None,
        };
        if role == Role::Initiator {
            handshake.write()?;
        }
        Ok(handshake)
    }

    /// Takes bytes that arrived and says how many of them belonged to the handshake; those behind are for the next call, or,
    /// once it is finished, for the stream.
    ///
    /// # Errors
    /// [`Error`]: the connection is over.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let mut consumed = 0;
        while let Stage::Read(number) = self.stage {
            let rest = bytes.get(consumed..).unwrap_or_default();
            let Some((len, prefix)) = length(rest)? else {
                break;
            };
            let Some(message) = rest.get(prefix..prefix + len) else {
                break;
            };
            self.read(number, message)?;
            consumed += prefix + len;
        }
        Ok(consumed)
    }

    /// The next bytes to send, if there are any.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }

    /// The remote's key, once it is known but not yet accepted.
    pub fn needs_authentication(&self) -> Option<[u8; 32]> {
        self.remote_public_key
            .filter(|_| self.stage == Stage::Authenticate)
    }

    /// Accepts the remote's key or not. Without a key to accept it does nothing.
    ///
    /// # Errors
    /// [`Error::Refused`] if not accepted.
    pub fn authenticate(&mut self, accepted: bool) -> Result<(), Error> {
        if self.stage != Stage::Authenticate {
            return Ok(());
        }
        if !accepted {
            return Err(Error::Refused);
        }
        if self.role == Role::Initiator {
            self.write()?;
        }
        self.stage = Stage::Finished;
        Ok(())
    }

    /// Whether all messages are read and written.
    pub fn is_finished(&self) -> bool {
        self.stage == Stage::Finished
    }

    /// The remote's key, once it is known.
    pub fn remote_public_key(&self) -> Option<[u8; 32]> {
        self.remote_public_key
    }

    /// What came of it.
    ///
    /// # Errors
    /// [`Error::Unfinished`]; [`Error::NoPayload`] and [`Error::Payload`] if the remote never said a proper nonce.
    pub fn finish(mut self) -> Result<Outcome, Error> {
        if !self.is_finished() {
            return Err(Error::Unfinished);
        }
        if self.payload.is_empty() {
            return Err(Error::NoPayload);
        }
        let remote = NoisePayload::decode(&self.payload).map_err(Error::Payload)?;
        let remote_public_key = self.remote_public_key.ok_or(Error::Unfinished)?;
        let (dialect, mut state) = self.states.pop().ok_or(Error::Unfinished)?;
        let (first, second) = state.dangerously_get_raw_split();
        let (first, second) = (Zeroizing::new(first), Zeroizing::new(second));
        let (tx, rx) = match self.role {
            Role::Initiator => (&first, &second),
            Role::Responder => (&second, &first),
        };
        let hash = state.get_handshake_hash();
        Ok(Outcome {
            dialect,
            remote_public_key,
            handshake_hash: hash.try_into().map_err(|_| Error::Unfinished)?,
            tx: StreamCipher::new(tx, &self.nonce),
            rx: StreamCipher::new(rx, &remote.nonce),
            capability: Capability::new(**tx, **rx),
        })
    }

    fn read(&mut self, number: u8, message: &[u8]) -> Result<(), Error> {
        let mut payload = vec![0; message.len()];
        // With two states the one that opens the message is the one that is spoken.
        let mut failure = Error::Rejected;
        let opened = self.states.iter_mut().position(|(_, state)| {
            match state.read_message(message, &mut payload) {
                Ok(len) => {
                    payload.truncate(len);
                    true
                }
                Err(snow::Error::Dh) => {
                    failure = Error::LowOrder;
                    false
                }
                Err(_) => false,
            }
        });
        let spoken = opened.ok_or(failure)?;
        self.states.swap(0, spoken);
        self.states.truncate(1);
        if !payload.is_empty() {
            self.payload = payload;
        }
        match number {
            1 => {
                self.write()?;
                self.stage = Stage::Read(3);
            }
            _ => {
                let key = self
                    .states
                    .first()
                    .and_then(|(_, state)| state.get_remote_static());
                let key = key
                    .and_then(|key| key.try_into().ok())
                    .ok_or(Error::Rejected)?;
                self.remote_public_key = Some(key);
                self.stage = Stage::Authenticate;
            }
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Error> {
        let payload = NoisePayload { nonce: self.nonce }.encode();
        let mut message = [0; MAX_MESSAGE];
        let mut len = 0;
        // The first message is the same in both dialects, so it doesn't matter whose is sent.
        for (_, state) in &mut self.states {
            len = match state.write_message(&payload, &mut message) {
                Ok(len) => len,
                Err(snow::Error::Dh) => return Err(Error::LowOrder),
                Err(_) => return Err(Error::Rejected),
            };
        }
        let mut framed = Vec::with_capacity(len + 2);
        match len {
            0..0x80 => framed.push(len as u8),
            _ => framed.extend([len as u8 | 0x80, (len >> 7) as u8]),
        }
        framed.extend(message.iter().take(len));
        self.outgoing.push_back(framed);
        Ok(())
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("role", &self.role)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

fn state(
    dialect: Dialect,
    role: Role,
    pair: &KeyPair,
    ephemeral: [u8; 32],
) -> Result<HandshakeState, Error> {
    // Snow knows dialect 8 only by the parts that the resolver gives it; the name is what the first hash is made of.
    let mut params: NoiseParams = "Noise_XX_25519_ChaChaPoly_BLAKE2b"
        .parse()
        .map_err(|_| Error::Rejected)?;
    if dialect == Dialect::V8 {
        params.name = "Noise_XX_25519_XChaChaPoly_BLAKE2b".into();
    }
    let resolver = Resolver::new(dialect, role, ephemeral);
    let builder = Builder::with_resolver(params, Box::new(resolver))
        .local_private_key(pair.secret())
        .map_err(|_| Error::Rejected)?;
    match role {
        Role::Initiator => builder.build_initiator(),
        Role::Responder => builder.build_responder(),
    }
    .map_err(|_| Error::Rejected)
}

/// The length of a message and of its prefix, if the prefix is there.
fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, Error> {
    let mut len: u64 = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        len |= u64::from(byte & 0x7f) << (7 * at);
        // Two bytes are enough for every length that is allowed; a third can only say zero.
        if byte & 0x80 == 0 {
            return match usize::try_from(len) {
                Ok(len @ 1..=MAX_MESSAGE) => Ok(Some((len, at + 1))),
                _ => Err(Error::Length {
                    len,
                    max: MAX_MESSAGE,
                }),
            };
        }
        if len > MAX_MESSAGE as u64 || at >= 2 {
            return Err(Error::Length {
                len,
                max: MAX_MESSAGE,
            });
        }
    }
    Ok(None)
}
