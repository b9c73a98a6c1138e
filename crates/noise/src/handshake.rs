//! The three messages of the pattern XX, in either dialect.
//!
//! ```text
//! -> e                  payload in clear
//! <- e, ee, s, es       the responder's payload
//! -> s, se              the initiator's payload
//! ```

use alloc::{boxed::Box, vec::Vec};
use core::{fmt, mem};

use crypto::Dialect;
use snow::HandshakeState;
use wire::NoisePayload;
use zeroize::Zeroizing;

use crate::{
    Capability, DialectChoice, Error, KeyPair, Randomness, Role, StreamCipher,
    message::{MAX_MESSAGE, Reader, framed},
    resolver::handshake_state,
};

/// One side of a handshake: bytes in, bytes out, and in the end the keys of the stream.
///
/// The remote's key is authenticated when [`needs_authentication`](Self::needs_authentication) gives it, and the caller
/// then decides whether it likes it. Bytes that aren't for the handshake are left alone.
///
/// An example is at the top of the crate.
pub struct Handshake {
    role: Role,
    nonce: Zeroizing<[u8; 24]>,
    reader: Reader,
    outgoing: Option<Vec<u8>>,
    state: State,
}

/// What comes next.
enum State {
    /// The responder waits for the first message.
    First(Candidate),
    /// The initiator waits for the second message, in each dialect that it may come in.
    Second(Vec<Candidate>),
    /// The responder waits for the third message.
    Third(Candidate),
    /// The remote is who it says; the caller has to accept it.
    Authenticate(Remote),
    Finished(Remote),
    Failed,
}

/// A key schedule that the remote may follow.
struct Candidate {
    dialect: Dialect,
    noise: Box<HandshakeState>,
}

/// The remote, authenticated.
struct Remote {
    candidate: Candidate,
    public_key: [u8; 32],
    nonce: [u8; 24],
}

/// What a finished handshake leaves.
pub struct Outcome {
    /// The dialect that both speak.
    pub dialect: Dialect,
    /// Who the remote is.
    pub remote_public_key: [u8; 32],
    /// The hash over all that was said, the same on both sides and on no other connection.
    pub handshake_hash: [u8; 64],
    /// The stream that is sent.
    pub tx: StreamCipher,
    /// The stream that is received.
    pub rx: StreamCipher,
    /// Makes and checks the capabilities of this connection.
    pub capability: Capability,
}

impl Handshake {
    /// A handshake before the first byte. `randomness` must be fresh.
    ///
    /// # Errors
    /// [`Error::AutoResponder`].
    pub fn new(
        role: Role,
        choice: DialectChoice,
        key_pair: KeyPair,
        randomness: Randomness,
    ) -> Result<Self, Error> {
        let dialects: &[Dialect] = match (choice, role) {
            (DialectChoice::Auto, Role::Responder) => return Err(Error::AutoResponder),
            (DialectChoice::Auto, Role::Initiator) => &[Dialect::V8, Dialect::V9],
            (DialectChoice::Fixed(Dialect::V8), _) => &[Dialect::V8],
            (DialectChoice::Fixed(Dialect::V9), _) => &[Dialect::V9],
        };
        let candidates = dialects
            .iter()
            .map(|&dialect| {
                let (secret, ephemeral) = (key_pair.secret(), &randomness.ephemeral);
                let noise = handshake_state(role, dialect, secret, ephemeral, &[])
                    .map_err(|error| failure(1, &error))?;
                Ok(Candidate {
                    dialect,
                    noise: Box::new(noise),
                })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let mut handshake = Handshake {
            role,
            nonce: Zeroizing::new(randomness.nonce),
            reader: Reader::default(),
            outgoing: None,
            state: State::Failed,
        };
        handshake.state = handshake.begin(candidates)?;
        Ok(handshake)
    }

    /// Changes how many bytes a message of the remote may have. Default: 1024, at most 65535.
    pub fn set_max_message(&mut self, max: usize) {
        self.reader = Reader::new(max);
    }

    /// Takes what arrived, and says how many bytes of it were for the handshake. The rest belongs to the stream, or has to
    /// be given again once [`authenticate`](Self::authenticate) was called.
    ///
    /// # Errors
    /// [`Error`] if the remote broke the rules. The handshake is over then.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let mut rest = bytes;
        while self.is_listening() {
            let message = match self.reader.read(&mut rest) {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(error) => {
                    self.state = State::Failed;
                    return Err(error);
                }
            };
            // If it doesn't hold, the handshake stays failed.
            let state = mem::replace(&mut self.state, State::Failed);
            self.state = self.handle_message(state, &message)?;
        }
        match self.state {
            State::Failed => Err(Error::OutOfTurn),
            _ => Ok(bytes.len() - rest.len()),
        }
    }

    /// Accepts the remote's key or turns it down.
    ///
    /// # Errors
    /// [`Error::TurnedDown`] if it was; [`Error::OutOfTurn`] if nobody asked.
    pub fn authenticate(&mut self, accept: bool) -> Result<(), Error> {
        let State::Authenticate(mut remote) = mem::replace(&mut self.state, State::Failed) else {
            return Err(Error::OutOfTurn);
        };
        if !accept {
            return Err(Error::TurnedDown);
        }
        if self.role == Role::Initiator {
            self.write(3, &mut remote.candidate)?;
        }
        self.state = State::Finished(remote);
        Ok(())
    }

    /// The next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.outgoing.take()
    }

    /// The remote's key, if it waits for [`authenticate`](Self::authenticate).
    pub fn needs_authentication(&self) -> Option<[u8; 32]> {
        match &self.state {
            State::Authenticate(remote) => Some(remote.public_key),
            _ => None,
        }
    }

    /// The remote's key, once it is authenticated.
    pub fn remote_public_key(&self) -> Option<[u8; 32]> {
        match &self.state {
            State::Authenticate(remote) | State::Finished(remote) => Some(remote.public_key),
            _ => None,
        }
    }

    /// Whether [`finish`](Self::finish) may be called. The last message may still have to be sent.
    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished(_))
    }

    /// The keys of the stream.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] if the handshake isn't finished.
    pub fn finish(self) -> Result<Outcome, Error> {
        let State::Finished(mut remote) = self.state else {
            return Err(Error::OutOfTurn);
        };
        let noise = &mut remote.candidate.noise;
        let (first, second) = noise.dangerously_get_raw_split();
        let (first, second) = (Zeroizing::new(first), Zeroizing::new(second));
        let (tx, rx) = match self.role {
            Role::Initiator => (first, second),
            Role::Responder => (second, first),
        };
        Ok(Outcome {
            dialect: remote.candidate.dialect,
            remote_public_key: remote.public_key,
            handshake_hash: noise
                .get_handshake_hash()
                .try_into()
                .map_err(|_| Error::OutOfTurn)?,
            tx: StreamCipher::new(&tx, &self.nonce),
            rx: StreamCipher::new(&rx, &remote.nonce),
            capability: Capability::new(&tx, &rx),
        })
    }

    fn is_listening(&self) -> bool {
        matches!(
            self.state,
            State::First(_) | State::Second(_) | State::Third(_)
        )
    }

    fn begin(&mut self, mut candidates: Vec<Candidate>) -> Result<State, Error> {
        match self.role {
            // The first message is the same in every dialect.
            Role::Initiator => {
                for candidate in &mut candidates {
                    self.write(1, candidate)?;
                }
                Ok(State::Second(candidates))
            }
            Role::Responder => {
                let candidate = candidates.pop().ok_or(Error::AutoResponder)?;
                Ok(State::First(candidate))
            }
        }
    }

    fn handle_message(&mut self, state: State, message: &[u8]) -> Result<State, Error> {
        match state {
            State::First(mut candidate) => {
                // Its payload is in clear and comes again in the third message, so JavaScript doesn't look at it.
                candidate.read(1, message)?;
                self.write(2, &mut candidate)?;
                Ok(State::Third(candidate))
            }
            State::Second(candidates) => {
                let mut failure = Error::Unauthentic { number: 2 };
                for mut candidate in candidates {
                    match candidate.read(2, message) {
                        Ok(payload) => return authenticated(2, candidate, &payload),
                        Err(error) => failure = error,
                    }
                }
                Err(failure)
            }
            State::Third(mut candidate) => {
                let payload = candidate.read(3, message)?;
                authenticated(3, candidate, &payload)
            }
            State::Authenticate(_) | State::Finished(_) | State::Failed => Err(Error::OutOfTurn),
        }
    }

    fn write(&mut self, number: u8, candidate: &mut Candidate) -> Result<(), Error> {
        let payload = NoisePayload { nonce: *self.nonce };
        let mut message = [0; MAX_MESSAGE];
        let written = candidate
            .noise
            .write_message(&payload.encode(), &mut message);
        let len = written.map_err(|error| failure(number - 1, &error))?;
        self.outgoing = message.get(..len).map(framed);
        Ok(())
    }
}

impl Candidate {
    /// Opens a message, and gives its payload.
    fn read(&mut self, number: u8, message: &[u8]) -> Result<Vec<u8>, Error> {
        // No payload is longer than its message.
        let mut payload = alloc::vec![0; message.len()];
        let len = self
            .noise
            .read_message(message, &mut payload)
            .map_err(|error| failure(number, &error))?;
        payload.truncate(len);
        Ok(payload)
    }
}

fn authenticated(number: u8, candidate: Candidate, payload: &[u8]) -> Result<State, Error> {
    let public_key = candidate
        .noise
        .get_remote_static()
        .and_then(|key| key.try_into().ok())
        .ok_or(Error::Unauthentic { number })?;
    let nonce = NoisePayload::decode(payload).map_err(Error::Payload)?.nonce;
    Ok(State::Authenticate(Remote {
        candidate,
        public_key,
        nonce,
    }))
}

/// What snow's error says about the message of the remote that was last looked at.
fn failure(number: u8, error: &snow::Error) -> Error {
    match error {
        snow::Error::Dh => Error::LowOrder { number },
        snow::Error::Input => Error::MessageTooShort { number },
        _ => Error::Unauthentic { number },
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::First(_) => "waits for message 1",
            State::Second(_) => "waits for message 2",
            State::Third(_) => "waits for message 3",
            State::Authenticate(_) => "waits for authenticate",
            State::Finished(_) => "finished",
            State::Failed => "failed",
        };
        f.debug_struct("Handshake")
            .field("role", &self.role)
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
