//! One connection as a machine: bytes and time in, bytes and events out.
//!
//! After every call that hands something in, drain [`Connection::poll_event`] and [`Connection::poll_transmit`]. An error ends the
//! machine.
//!
//! Source: `docs/protocol.md`.

use alloc::{collections::VecDeque, vec::Vec};
use core::{fmt, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use crypto::{Dialect, PublicKey};
use noise::{Capability, Handshake, Outcome, Randomness, StreamCipher};
use wire::{Close, Decoder, Frame, Kind, Message, Open};

use crate::{
    Channel, Config, Error, Event, Security,
    channels::{Channels, Unknown},
};

/// The most bytes that are sent in one piece.
const MAX_TRANSMIT: usize = 256 * 1024;

/// One connection with a peer, whatever carries its bytes.
///
/// ```
/// use core::time::Duration;
/// use hypercore_protocol::{Config, Connection, Event, Randomness, Role};
/// use noise::KeyPair;
/// # use {hypercore_crypto as crypto, hypercore_noise as noise, hypercore_wire as wire};
///
/// let now = Duration::ZERO;
/// let key = crypto::KeyPair::from_seed([9; 32]).public();
/// let start = |role, seed: u8| {
///     let config = Config::new(role, KeyPair::from_seed([seed; 32]));
///     let mut connection = Connection::new(config, Randomness { ephemeral: [seed; 32], nonce: [seed; 24] }, now)?;
///     let channel = connection.open(&key)?;
///     Ok::<_, hypercore_protocol::Error>((connection, channel))
/// };
/// let (mut a, on_a) = start(Role::Initiator, 1)?;
/// let (mut b, _) = start(Role::Responder, 2)?;
/// let mut exchange = |a: &mut Connection, b: &mut Connection| -> Result<(), hypercore_protocol::Error> {
///     loop {
///         let (to_b, to_a) = (a.poll_transmit(now), b.poll_transmit(now));
///         if to_a.is_none() && to_b.is_none() {
///             return Ok(());
///         }
///         b.handle_bytes(now, &to_b.unwrap_or_default())?;
///         a.handle_bytes(now, &to_a.unwrap_or_default())?;
///     }
/// };
/// exchange(&mut a, &mut b)?;
/// while a.poll_event() != Some(Event::Opened { channel: on_a }) {}
///
/// a.send(on_a, &wire::Message::Want(wire::Want { start: 0, length: Some(1 << 20) }))?;
/// exchange(&mut a, &mut b)?;
/// let heard = core::iter::from_fn(|| b.poll_event()).any(|event| matches!(event, Event::Message { .. }));
/// assert!(heard);
/// # Ok::<_, hypercore_protocol::Error>(())
/// ```
pub struct Connection {
    config: Config,
    phase: Phase,
    channels: Channels,
    decoder: Decoder,
    /// The last message of the handshake, which leaves in the clear before anything that is encrypted.
    clear: Option<Bytes>,
    /// Frames that are not encrypted yet.
    outgoing: BytesMut,
    events: VecDeque<Event>,
    clock: Clock,
    finishing: bool,
    remote_public_key: Option<[u8; 32]>,
    dialect: Option<Dialect>,
    handshake_hash: Option<[u8; 64]>,
    bytes_sent: u64,
    bytes_received: u64,
}

enum Phase {
    Handshake {
        handshake: Handshake,
        /// What arrived and is no whole message yet.
        pending: Vec<u8>,
    },
    Talking {
        /// For what we send and for what we receive.
        ciphers: Option<(StreamCipher, StreamCipher)>,
        capability: Option<Capability>,
    },
    Ended,
}

/// When what was last heard and said.
struct Clock {
    started: Duration,
    heard: Duration,
    said: Duration,
}

impl Connection {
    /// Begins.
    ///
    /// # Errors
    /// [`Error::Handshake`] if a responder is told to find out the dialect.
    pub fn new(config: Config, randomness: Randomness, now: Duration) -> Result<Self, Error> {
        let phase = match config.security {
            Security::Plain => Phase::Talking {
                ciphers: None,
                capability: None,
            },
            Security::Encrypted | Security::Authenticated => Phase::Handshake {
                handshake: Handshake::new(
                    config.role,
                    config.dialect,
                    config.key_pair.clone(),
                    randomness,
                )?,
                pending: Vec::new(),
            },
        };
        Ok(Connection {
            decoder: Decoder::new(config.limits),
            config,
            phase,
            channels: Channels::default(),
            clear: None,
            outgoing: BytesMut::new(),
            events: VecDeque::new(),
            clock: Clock {
                started: now,
                heard: now,
                said: now,
            },
            finishing: false,
            remote_public_key: None,
            dialect: None,
            handshake_hash: None,
            bytes_sent: 0,
            bytes_received: 0,
        })
    }

    /// Takes bytes that arrived, in any pieces.
    ///
    /// # Errors
    /// [`Error`]: the connection is over.
    pub fn handle_bytes(&mut self, now: Duration, bytes: &[u8]) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.clock.heard = now;
        self.bytes_received += bytes.len() as u64;
        let handled = match &mut self.phase {
            Phase::Handshake { pending, .. } => {
                pending.extend_from_slice(bytes);
                self.handle_handshake()
            }
            Phase::Talking { .. } => self.handle_stream(bytes),
            Phase::Ended => Err(Error::Ended),
        };
        self.or_end(handled)
    }

    /// Lets time pass: gives up a remote that has gone silent, and sends signs of life.
    ///
    /// # Errors
    /// [`Error::HandshakeTimeout`], [`Error::IdleTimeout`].
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), Error> {
        let passed = self.pass(now);
        self.or_end(passed)
    }

    /// The remote has ended its direction: so do we.
    pub fn handle_end(&mut self, _now: Duration) {
        self.events.push_back(Event::Finished);
    }

    /// Opens a feed. Opening it again gives the same channel.
    ///
    /// # Errors
    /// [`Error::TooManyChannels`]; [`Error::Capability`] if the remote opened it before without knowing the key, which ends
    /// the connection.
    pub fn open(&mut self, key: &PublicKey) -> Result<Channel, Error> {
        let name = key.discovery_key().to_bytes();
        if let Some(number) = self.channels.named(&name) {
            return Ok(Channel(number));
        }
        if self.channels.open_count() >= self.config.max_channels {
            return Err(Error::TooManyChannels {
                max: self.config.max_channels,
            });
        }
        let (number, unknown) = self.channels.open(*key);
        if self.is_talking() {
            self.write_open(number);
        }
        if let Some(unknown) = unknown {
            let checked = self.check_capability(key, unknown.capability);
            self.or_end(checked)?;
            let channel = Channel(number);
            self.events.push_back(Event::Opened { channel });
        }
        Ok(Channel(number))
    }

    /// Says that a feed that the remote has opened isn't shared here.
    pub fn refuse(&mut self, discovery_key: [u8; 32]) {
        if self.channels.remove_unknown(&discovery_key) {
            let number = self.channels.number();
            let close = Message::Close(Close {
                discovery_key: Some(discovery_key),
            });
            self.write(number, &close);
            self.check_finished();
        }
    }

    /// Sends a message about a feed. On a channel that isn't open on both sides it is dropped.
    ///
    /// # Errors
    /// [`Error::SendQueueFull`]: the connection is over.
    pub fn send(&mut self, channel: Channel, message: &Message) -> Result<(), Error> {
        let open = self.channels.get(channel.0);
        if open.is_none_or(|local| local.remote.is_none() || local.closing) {
            return Ok(());
        }
        if self.outgoing.len() > self.config.send_hard {
            return self.or_end(Err(Error::SendQueueFull));
        }
        self.write(channel.0, message);
        Ok(())
    }

    /// Closes a feed. The channel is gone when the remote has answered.
    pub fn close(&mut self, channel: Channel) {
        let Some(local) = self
            .channels
            .get_mut(channel.0)
            .filter(|local| !local.closing)
        else {
            return;
        };
        local.closing = true;
        if local.remote.is_none() {
            self.channels.remove(channel.0);
        }
        if self.is_talking() {
            self.write(channel.0, &Message::Close(Close::default()));
        }
        self.check_finished();
    }

    /// Accepts the remote's key or not, after [`Event::Authenticate`].
    ///
    /// # Errors
    /// [`Error::Handshake`] if not accepted: the connection is over.
    pub fn authenticate(&mut self, accepted: bool) -> Result<(), Error> {
        let authenticated = match &mut self.phase {
            Phase::Handshake { handshake, .. } => {
                handshake.authenticate(accepted).map_err(Error::Handshake)
            }
            _ => Ok(()),
        };
        let handled = authenticated.and_then(|()| self.handle_handshake());
        self.or_end(handled)
    }

    /// Ends our direction once everything is sent.
    pub fn finish(&mut self) {
        self.finishing = true;
    }

    /// The next bytes to send, in one piece.
    pub fn poll_transmit(&mut self, now: Duration) -> Option<Bytes> {
        let bytes = match &mut self.phase {
            Phase::Handshake { handshake, .. } => handshake.poll_transmit().map(Bytes::from),
            Phase::Talking { .. } if self.clear.is_some() => self.clear.take(),
            Phase::Talking { ciphers, .. } if !self.outgoing.is_empty() => {
                let len = self.outgoing.len().min(MAX_TRANSMIT);
                let mut piece = self.outgoing.split_to(len);
                if let Some((tx, _)) = ciphers {
                    tx.apply(&mut piece);
                }
                Some(piece.freeze())
            }
            _ => None,
        }?;
        self.clock.said = now;
        self.bytes_sent += bytes.len() as u64;
        Some(bytes)
    }

    /// What has happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let idle = self
            .config
            .timeout
            .map(|timeout| self.clock.heard + timeout);
        let other = match self.phase {
            Phase::Handshake { .. } => Some(self.clock.started + self.config.handshake_timeout),
            Phase::Talking { .. } => self
                .config
                .timeout
                .map(|timeout| self.clock.said + timeout / 2),
            Phase::Ended => return None,
        };
        [idle, other].into_iter().flatten().min()
    }

    /// How many bytes wait to be sent.
    pub fn queued(&self) -> usize {
        self.outgoing.len()
    }

    /// Whether to read on. While the remote doesn't take what it asks for, it should not be listened to.
    pub fn wants_input(&self) -> bool {
        self.outgoing.len() <= self.config.send_soft
    }

    /// Whether everything is said and sent: our direction can be ended.
    pub fn is_finished(&self) -> bool {
        self.finishing && self.outgoing.is_empty() && self.clear.is_none()
    }

    /// Who the remote is, after the handshake.
    pub fn remote_public_key(&self) -> Option<[u8; 32]> {
        self.remote_public_key
    }

    /// The dialect that is spoken, after the handshake.
    pub fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    /// A hash of the handshake, the same on both sides, after it.
    pub fn handshake_hash(&self) -> Option<[u8; 64]> {
        self.handshake_hash
    }

    /// How many bytes were given out to send.
    pub fn bytes_sent(&self) -> u64 {
        self.bytes_sent
    }

    /// How many bytes arrived.
    pub fn bytes_received(&self) -> u64 {
        self.bytes_received
    }

    fn is_talking(&self) -> bool {
        matches!(self.phase, Phase::Talking { .. })
    }

    fn or_end<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if result.is_err() {
            self.phase = Phase::Ended;
            self.outgoing.clear();
        }
        result
    }

    fn pass(&mut self, now: Duration) -> Result<(), Error> {
        match self.phase {
            Phase::Handshake { .. } => {
                if now >= self.clock.started + self.config.handshake_timeout {
                    return Err(Error::HandshakeTimeout);
                }
            }
            Phase::Talking { .. } => {
                let silent = self
                    .config
                    .timeout
                    .is_some_and(|t| now >= self.clock.said + t / 2);
                if silent && self.outgoing.is_empty() && !self.finishing {
                    self.outgoing.put_u8(0);
                }
                // Once said, whether it leaves or not: a remote that takes nothing gets no more of them.
                if silent {
                    self.clock.said = now;
                }
            }
            Phase::Ended => return Err(Error::Ended),
        }
        match self.config.timeout {
            Some(timeout) if now >= self.clock.heard + timeout => Err(Error::IdleTimeout),
            _ => Ok(()),
        }
    }

    fn handle_handshake(&mut self) -> Result<(), Error> {
        let Phase::Handshake { handshake, pending } = &mut self.phase else {
            return Ok(());
        };
        let consumed = handshake.handle_bytes(pending)?;
        pending.drain(..consumed);
        if let Some(remote_public_key) = handshake.needs_authentication() {
            if self.config.authenticate {
                self.config.authenticate = false;
                self.events
                    .push_back(Event::Authenticate { remote_public_key });
                return Ok(());
            }
            handshake.authenticate(true)?;
        }
        if !handshake.is_finished() {
            return Ok(());
        }
        let last = handshake.poll_transmit();
        let rest = core::mem::take(pending);
        let Phase::Handshake { handshake, .. } = core::mem::replace(&mut self.phase, Phase::Ended)
        else {
            return Ok(());
        };
        self.start_talking(handshake.finish()?, last)?;
        match rest.is_empty() {
            true => Ok(()),
            false => self.handle_stream(&rest),
        }
    }

    fn start_talking(&mut self, outcome: Outcome, last: Option<Vec<u8>>) -> Result<(), Error> {
        self.remote_public_key = Some(outcome.remote_public_key);
        self.dialect = Some(outcome.dialect);
        self.handshake_hash = Some(outcome.handshake_hash);
        self.events.push_back(Event::Handshake {
            remote_public_key: outcome.remote_public_key,
            dialect: outcome.dialect,
        });
        let ciphers = match self.config.security {
            Security::Encrypted => Some((outcome.tx, outcome.rx)),
            _ => None,
        };
        self.clear = last.map(Bytes::from);
        self.phase = Phase::Talking {
            ciphers,
            capability: Some(outcome.capability),
        };
        for number in self.channels.numbers() {
            self.write_open(number);
        }
        Ok(())
    }

    fn handle_stream(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let buffer = self.decoder.buffer();
        let before = buffer.len();
        buffer.extend_from_slice(bytes);
        if let (
            Phase::Talking {
                ciphers: Some((_, rx)),
                ..
            },
            Some(new),
        ) = (&mut self.phase, buffer.get_mut(before..))
        {
            rx.apply(new);
        }
        while let Some(frame) = self.decoder.next()? {
            self.handle_frame(frame)?;
        }
        Ok(())
    }

    fn handle_frame(&mut self, frame: Frame) -> Result<(), Error> {
        let Some(kind) = frame.kind else {
            return Ok(());
        };
        let local = self.channels.of_remote(frame.channel);
        let decode = || Message::decode(kind, frame.body.clone(), &self.config.limits);
        match (kind, local) {
            (Kind::Open, _) => {
                if let Message::Open(open) = decode()? {
                    self.remote_opens(frame.channel, open)?;
                }
            }
            (Kind::Close, _) => {
                if let Message::Close(close) = decode()? {
                    self.remote_closes(frame.channel, close);
                }
            }
            (_, Some(number)) => {
                let closing = self.channels.get(number).is_none_or(|local| local.closing);
                if !closing {
                    let message = decode()?;
                    let channel = Channel(number);
                    self.events.push_back(Event::Message { channel, message });
                }
            }
            (Kind::Options | Kind::Extension, None) if frame.channel == 0 => {
                let message = decode()?;
                self.events.push_back(Event::Stream { message });
            }
            // A feed that isn't open here, or not any longer.
            _ => {}
        }
        Ok(())
    }

    fn remote_opens(&mut self, remote: u64, open: Open) -> Result<(), Error> {
        let name = open.discovery_key;
        if self.channels.is_taken(remote, &name) {
            return Err(Error::OpenedTwice);
        }
        if let Some(number) = self.channels.named(&name) {
            let key = self.channels.get(number).map(|local| local.key);
            if let Some(key) = key {
                self.check_capability(&key, open.capability)?;
            }
            self.channels.matched(number, remote, name);
            let channel = Channel(number);
            self.events.push_back(Event::Opened { channel });
            return Ok(());
        }
        if self.channels.unknown_count() >= self.config.max_unknown {
            return Err(Error::TooManyChannels {
                max: self.config.max_unknown,
            });
        }
        self.channels.unmatched(
            name,
            Unknown {
                remote,
                capability: open.capability,
            },
        );
        self.events.push_back(Event::RemoteOpen {
            discovery_key: name,
        });
        Ok(())
    }

    fn remote_closes(&mut self, remote: u64, close: Close) {
        // By its number; a refusal comes under a number of its own and names the feed.
        let name = self.channels.remote_name(remote).or(close.discovery_key);
        let Some(name) = name else { return };
        if let Some(number) = self.channels.named(&name) {
            let closing = self.channels.get(number).is_some_and(|local| local.closing);
            self.channels.remove(number);
            if !closing {
                self.write(number, &Message::Close(Close::default()));
                let channel = Channel(number);
                self.events.push_back(Event::Closed { channel });
            }
            self.check_finished();
        } else if self.channels.remove_unknown(&name) {
            self.check_finished();
        }
    }

    fn check_finished(&mut self) {
        if self.channels.are_gone() && !self.config.live {
            self.events.push_back(Event::Finished);
        }
    }

    fn check_capability(&self, key: &PublicKey, shown: Option<[u8; 32]>) -> Result<(), Error> {
        let Phase::Talking {
            capability: Some(capability),
            ..
        } = &self.phase
        else {
            return Ok(());
        };
        match shown {
            Some(shown) if capability.verify(key.as_bytes(), &shown) => Ok(()),
            _ => Err(Error::Capability),
        }
    }

    fn write_open(&mut self, number: u64) {
        let Some(local) = self.channels.get(number) else {
            return;
        };
        let capability = match &self.phase {
            Phase::Talking { capability, .. } => capability.as_ref(),
            _ => None,
        };
        let open = Message::Open(Open {
            discovery_key: local.key.discovery_key().to_bytes(),
            capability: capability.map(|capability| capability.local(local.key.as_bytes())),
        });
        self.write(number, &open);
    }

    fn write(&mut self, number: u64, message: &Message) {
        if !matches!(self.phase, Phase::Ended) {
            message.encode_frame(number, &mut self.outgoing);
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.config.role)
            .field("talking", &self.is_talking())
            .field("queued", &self.outgoing.len())
            .finish_non_exhaustive()
    }
}
