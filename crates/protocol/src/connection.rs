//! One connection as a machine: bytes and time in, bytes and events out.
//!
//! What came in is looked at when events are taken out, one frame at a time. So after every call that hands something in, drain
//! [`Connection::poll_event`], and then [`Connection::poll_transmit`]. An error ends the machine.
//!
//! Source: `docs/protocol.md`.

use alloc::collections::VecDeque;
use core::{fmt, mem, time::Duration};

use bytes::Bytes;
use crypto::{Dialect, PublicKey};
use noise::{Capability, Handshake, Randomness, Role};
use wire::Message;

use crate::{
    Channel, Config, Error, Event, Security,
    channels::{Channels, Closing},
    clock::Clock,
    greeting::Greeting,
    incoming::Incoming,
    outgoing::Outgoing,
};

/// One connection with a peer, whatever carries its bytes.
///
/// ```
/// use core::time::Duration;
/// use hypercore_protocol::{Config, Connection, Event, KeyPair, Randomness, Role};
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
/// while a.poll_event()? != Some(Event::Opened { channel: on_a }) {}
///
/// a.send(on_a, &wire::Message::Want(wire::Want { start: 0, length: Some(1 << 20) }))?;
/// exchange(&mut a, &mut b)?;
/// while !matches!(b.poll_event()?, Some(Event::Message { .. })) {}
/// # Ok::<_, hypercore_protocol::Error>(())
/// ```
pub struct Connection {
    pub(crate) config: Config,
    pub(crate) phase: Phase,
    pub(crate) channels: Channels,
    pub(crate) outgoing: Outgoing,
    pub(crate) events: VecDeque<Event>,
    pub(crate) incoming: Incoming,
    pub(crate) clock: Clock,
    /// Our direction ends once everything is sent.
    pub(crate) finishing: bool,
    pub(crate) remote_ended: bool,
    /// Whether the end was announced: of the last feed, or of the remote's direction.
    end_told: bool,
    /// Whether the remote has said anything beyond the handshake.
    heard: bool,
    pub(crate) known: Option<Known>,
}

pub(crate) enum Phase {
    Greeting(Greeting),
    /// With what makes and checks capabilities, unless they aren't used.
    Talking(Option<Capability>),
    Ended,
}

/// What the handshake told.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    pub(crate) remote_public_key: [u8; 32],
    pub(crate) dialect: Dialect,
    pub(crate) handshake_hash: [u8; 64],
}

impl Connection {
    /// Begins.
    ///
    /// # Errors
    /// [`Error::Handshake`] if a responder is told to find out the dialect.
    pub fn new(config: Config, randomness: Randomness, now: Duration) -> Result<Self, Error> {
        let phase = match config.security {
            Security::Plain => Phase::Talking(None),
            Security::Encrypted | Security::Authenticated => {
                let pair = config.key_pair.clone();
                let mut handshake = Handshake::new(config.role, config.dialect, pair, randomness)?;
                handshake.set_max_message(config.handshake_message);
                let (ask, max_early) = (config.authenticate, config.receive_hard);
                Phase::Greeting(Greeting::new(handshake, ask, max_early))
            }
        };
        let mut connection = Connection {
            incoming: Incoming::new(config.limits, config.receive_hard),
            clock: Clock::new(now, config.timeout, config.handshake_timeout),
            config,
            phase,
            channels: Channels::default(),
            outgoing: Outgoing::default(),
            events: VecDeque::new(),
            finishing: false,
            remote_ended: false,
            end_told: false,
            heard: false,
            known: None,
        };
        connection.greet(&[])?;
        Ok(connection)
    }

    /// Takes bytes that arrived, in any pieces.
    ///
    /// # Errors
    /// [`Error`]: the connection is over.
    pub fn handle_bytes(&mut self, now: Duration, bytes: &[u8]) -> Result<(), Error> {
        let handled = self.check_deadlines(now).and_then(|()| {
            if !bytes.is_empty() {
                self.clock.heard(now, bytes.len());
            }
            match self.phase {
                Phase::Greeting(_) => self.greet(bytes),
                Phase::Talking(_) => {
                    self.heard |= !bytes.is_empty();
                    self.incoming.push(bytes)
                }
                Phase::Ended => Err(Error::Ended),
            }
        });
        self.or_end(handled)
    }

    /// The remote has ended its direction: so do we, once everything is sent. What it means is told by
    /// [`poll_event`](Self::poll_event).
    pub fn handle_end(&mut self, _now: Duration) {
        self.remote_ended = true;
        self.finishing = true;
    }

    /// Opens a feed. Opening it again gives the same channel, unless it was closed after the remote had opened it, too.
    ///
    /// # Errors
    /// [`Error::TooManyChannels`], after which the connection goes on; so it does after [`Error::Capability`], if the remote
    /// opened the feed before without knowing the key: the feed isn't opened, and the remote is told that it is closed.
    pub fn open(&mut self, key: &PublicKey) -> Result<Channel, Error> {
        if matches!(self.phase, Phase::Ended) {
            return Err(Error::Ended);
        }
        let name = key.discovery_key().to_bytes();
        if let Some(number) = self.channels.named(&name) {
            return Ok(Channel(number));
        }
        if let Some(unknown) = self.channels.unknown(&name).copied()
            && let Err(error) = self.check_capability(key, unknown.capability)
        {
            self.refuse(name)?;
            return Err(error);
        }
        let max = self.config.max_channels;
        if self.channels.open_count() >= max {
            return Err(Error::TooManyChannels { max });
        }
        // It may be closed again before anybody looks.
        self.end_told &= self.remote_ended;
        if let Some(number) = self.channels.reopen(&name) {
            return Ok(Channel(number));
        }
        let number = self.number()?;
        let both = self.channels.open(number, name, *key);
        if self.is_talking() {
            self.write_open(number);
        }
        let channel = Channel(number);
        if both {
            self.events.push_back(Event::Opened { channel });
        }
        Ok(channel)
    }

    /// Says that a feed that the remote has opened isn't shared here.
    ///
    /// # Errors
    /// [`Error::TooManyChannels`] if no number is left under which to say it: the connection is over.
    pub fn refuse(&mut self, discovery_key: [u8; 32]) -> Result<(), Error> {
        if !self.channels.remove_unknown(&discovery_key) {
            return Ok(());
        }
        let refused = self.write_refusal(discovery_key);
        self.or_end(refused)
    }

    /// Sends a message about a feed. On a channel that isn't open on both sides it is dropped.
    ///
    /// # Errors
    /// [`Error::SendQueueFull`], [`Error::MessageTooLong`]: the connection is over.
    pub fn send(&mut self, channel: Channel, message: &Message) -> Result<(), Error> {
        let open = self.channels.get(channel.0);
        if open.is_none_or(|local| local.remote.is_none()) {
            return Ok(());
        }
        self.push(channel.0, message)
    }

    /// Sends a message about the connection as a whole, one of [`Extensions`](crate::Extensions). Before the handshake is done
    /// it is dropped.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_stream(&mut self, message: &Message) -> Result<(), Error> {
        if !self.is_talking() {
            return Ok(());
        }
        self.push(0, message)
    }

    /// Sends a sign of life, unless the handshake isn't done or something waits to be sent, which is one as well.
    pub fn ping(&mut self) {
        if self.is_talking() && self.outgoing.is_empty() {
            self.outgoing.push_sign_of_life();
        }
    }

    /// Changes [`Config::timeout`]. The new one counts from now.
    pub fn set_timeout(&mut self, now: Duration, timeout: Option<Duration>) {
        self.clock.set_timeout(now, timeout);
    }

    /// Changes [`Config::live`].
    pub fn set_live(&mut self, live: bool) {
        self.config.live = live;
    }

    /// Closes a feed: nothing more is heard about it. The remote is given [`Config::answer_timeout`] to close it as well.
    ///
    /// If the remote hasn't opened it yet, it is told when it has, or after that time: its answer to our Open may be under way,
    /// and if we opened the feed again meanwhile, nobody could tell which Open it answers.
    pub fn close(&mut self, channel: Channel) {
        let may_hold = self.is_talking() && !self.finishing;
        let closing = self.channels.close(channel.0, may_hold);
        if closing == Closing::Told && self.is_talking() {
            self.write_close(channel.0);
        }
        if self.channels.held_count() > self.config.max_channels {
            self.write_held();
        }
    }

    /// Ends our direction once everything is sent.
    pub fn finish(&mut self) {
        self.finishing = true;
        if self.is_talking() {
            while self.write_held() {}
            self.take_leave();
        }
    }

    /// A responder that ends without having said a word would be taken for one that turns the remote away.
    pub(crate) fn take_leave(&mut self) {
        if self.config.role == Role::Responder && self.known.is_some() && !self.outgoing.has_said()
        {
            self.outgoing.push_sign_of_life();
        }
    }

    /// The next bytes to send, in one piece. Taking them counts as their having left, so don't take more than the transport
    /// does.
    pub fn poll_transmit(&mut self, now: Duration) -> Option<Bytes> {
        if !self.wants_input() {
            // What we don't read can't go on arriving.
            self.clock.frame_ended();
        }
        let bytes = self.outgoing.pop();
        if self.outgoing.is_empty() && self.is_talking() {
            self.channels.stamp(now);
        }
        if bytes.is_some() {
            self.clock.said(now);
        }
        bytes
    }

    /// What has happened.
    ///
    /// # Errors
    /// [`Error`] if the remote broke the rules in what arrived before: the connection is over. It is returned once, after all that
    /// happened before it.
    pub fn poll_event(&mut self) -> Result<Option<Event>, Error> {
        let event = self.next_event();
        self.or_end(event)
    }

    /// How many feeds we have open, or the remote hasn't closed yet: what [`Config::max_channels`] caps.
    pub fn open_count(&self) -> usize {
        self.channels.open_count()
    }

    /// How many bytes wait to be sent.
    pub fn queued(&self) -> usize {
        self.outgoing.len()
    }

    /// How many bytes of memory are taken by what waits to be sent and by what has arrived and isn't a whole message yet, or wasn't
    /// looked at.
    pub fn held(&self) -> usize {
        let early = match &self.phase {
            Phase::Greeting(greeting) => greeting.allocated(),
            _ => 0,
        };
        self.outgoing.allocated() + self.incoming.allocated() + early
    }

    /// Whether to read on. While the remote doesn't take what it asks for, and while the application decides about its key, it
    /// should not be listened to.
    pub fn wants_input(&self) -> bool {
        !self.is_deciding() && self.outgoing.len() <= self.config.send_soft
    }

    /// Whether everything is said and sent: our direction can be ended.
    pub fn is_finished(&self) -> bool {
        self.finishing && self.outgoing.is_empty()
    }

    /// Whether the handshake is done, or there is none: messages may be sent.
    pub fn is_open(&self) -> bool {
        self.is_talking()
    }

    /// What makes and checks capabilities, after the handshake.
    pub fn capability(&self) -> Option<&Capability> {
        match &self.phase {
            Phase::Talking(capability) => capability.as_ref(),
            _ => None,
        }
    }

    /// What the remote has shown for a feed that only it has opened.
    pub fn shown_capability(&self, discovery_key: &[u8; 32]) -> Option<[u8; 32]> {
        self.channels.unknown(discovery_key)?.capability
    }

    /// Who the remote is, after the handshake.
    pub fn remote_public_key(&self) -> Option<[u8; 32]> {
        self.known.map(|known| known.remote_public_key)
    }

    /// The dialect that is spoken, after the handshake.
    pub fn dialect(&self) -> Option<Dialect> {
        self.known.map(|known| known.dialect)
    }

    /// A hash of the handshake, the same on both sides, after it.
    pub fn handshake_hash(&self) -> Option<[u8; 64]> {
        self.known.map(|known| known.handshake_hash)
    }

    /// How many bytes were given out to send.
    pub fn bytes_sent(&self) -> u64 {
        self.outgoing.sent()
    }

    /// How many bytes arrived.
    pub fn bytes_received(&self) -> u64 {
        self.clock.received()
    }

    pub(crate) fn is_talking(&self) -> bool {
        matches!(self.phase, Phase::Talking(_))
    }

    /// Whether the application has to decide about the remote's key.
    pub(crate) fn is_deciding(&self) -> bool {
        matches!(&self.phase, Phase::Greeting(greeting) if greeting.is_waiting())
    }

    pub(crate) fn or_end<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if result.is_err() {
            // Without channels nothing can be said or opened any more.
            self.phase = Phase::Ended;
            self.channels = Channels::default();
            self.outgoing.drop_all();
            self.incoming.drop_all();
            self.events.clear();
        }
        result
    }

    fn push(&mut self, number: u64, message: &Message) -> Result<(), Error> {
        let (len, max) = (
            message.encoded_len(),
            self.config.limits.body(Some(message.kind())),
        );
        let room = match len > max {
            true => Err(Error::MessageTooLong { len, max }),
            false => self.check_room(0),
        };
        self.or_end(room)?;
        self.outgoing.push(number, message);
        Ok(())
    }

    fn next_event(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            match self.phase {
                Phase::Greeting(_) if self.remote_ended => return Err(Error::HungUp),
                Phase::Greeting(_) | Phase::Ended => return Ok(None),
                Phase::Talking(_) => {}
            }
            // A stranger's frames may have to be answered, and it may take none of the answers. What we said ourselves
            // went one message beyond the cap at most.
            self.check_room(self.config.limits.data)?;
            let Some(frame) = self.incoming.pop()? else {
                break;
            };
            self.clock.frame_ended();
            self.handle_frame(frame)?;
        }
        if self.incoming.is_empty() {
            self.clock.frame_ended();
        } else if self.remote_ended {
            return Err(Error::HungUp);
        }
        if self.is_turned_away() {
            return Err(Error::HungUp);
        }
        Ok(self.end())
    }

    /// Whether the remote has answered the last message of the handshake, by which it has learnt who we are, and the feeds that
    /// we opened, by hanging up.
    fn is_turned_away(&self) -> bool {
        let last_word = self.config.role == Role::Initiator && self.known.is_some();
        let nothing_answered = !self.heard && !self.channels.are_left() && !self.end_told;
        self.remote_ended && last_word && nothing_answered && self.channels.open_count() > 0
    }

    /// The end, once everything before it was told.
    fn end(&mut self) -> Option<Event> {
        let event = match (self.remote_ended, self.config.live) {
            (true, _) if self.channels.are_left() => Event::Finished,
            (true, _) => Event::HungUp,
            (false, false) if self.channels.are_gone() => Event::Finished,
            (false, _) => {
                self.end_told = false;
                return None;
            }
        };
        (!mem::replace(&mut self.end_told, true)).then_some(event)
    }

    fn check_room(&self, more: usize) -> Result<(), Error> {
        match self.outgoing.len() > self.config.send_hard.saturating_add(more) {
            true => Err(Error::SendQueueFull),
            false => Ok(()),
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
