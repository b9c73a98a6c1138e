//! One connection and a stranger; two connections and a link that does what it likes.

use std::{sync::LazyLock, time::Duration};

use crypto::PublicKey;
use protocol::{
    Channel, Config, Connection, DialectChoice, Error, Event, ExtensionEvent, Extensions, KeyPair,
    Randomness, Role, Security,
};
use wire::{Have, Message};

/// How many feeds there are.
const FEEDS: u8 = 6;

const SEND_HARD: usize = 20_000;
const LONGEST: usize = 10_000;

static KEYS: LazyLock<[PublicKey; FEEDS as usize]> =
    LazyLock::new(|| std::array::from_fn(|n| crypto::KeyPair::from_seed([n as u8; 32]).public()));

fn feed(n: u8) -> PublicKey {
    KEYS[usize::from(n % FEEDS)]
}

fn name(n: u8) -> [u8; 32] {
    feed(n).discovery_key().to_bytes()
}

fn config(role: Role, security: Security, live: bool) -> Config {
    let seed = match role {
        Role::Initiator => 1,
        Role::Responder => 2,
    };
    let mut config = Config::new(role, KeyPair::from_seed([seed; 32]));
    config.security = security;
    config.live = live;
    config.send_soft = SEND_HARD / 2;
    config.send_hard = SEND_HARD;
    config.limits.data = LONGEST;
    config.max_unknown = usize::from(FEEDS);
    config
}

fn randomness(role: Role) -> Randomness {
    let seed = match role {
        Role::Initiator => 3,
        Role::Responder => 4,
    };
    Randomness {
        ephemeral: [seed; 32],
        nonce: [seed; 24],
    }
}

fn connection(role: Role, security: Security, live: bool) -> Connection {
    let config = config(role, security, live);
    Connection::new(config, randomness(role), Duration::ZERO).expect("a dialect is chosen")
}

/// A responder that has shaken hands with an initiator whose keys of the stream we keep.
fn shaken(live: bool) -> (Connection, noise::Outcome) {
    let mut ours = connection(Role::Responder, Security::Encrypted, live);
    let mut theirs = noise::Handshake::new(
        Role::Initiator,
        DialectChoice::default(),
        KeyPair::from_seed([1; 32]),
        randomness(Role::Initiator),
    )
    .expect("a dialect is chosen");
    let now = Duration::ZERO;
    let first = theirs.poll_transmit().expect("it speaks first");
    ours.handle_bytes(now, &first).expect("it is honest");
    let second = ours.poll_transmit(now).expect("it answers");
    theirs.handle_bytes(&second).expect("it is honest");
    theirs.authenticate(true).expect("it waits for that");
    let third = theirs.poll_transmit().expect("it speaks last");
    ours.handle_bytes(now, &third).expect("it is honest");
    (ours, theirs.finish().expect("it is finished"))
}

/// The first byte chooses the protection, which feeds we have opened, and what we do about others; the second one the size of the pieces.
/// In any pieces, the rest gives the same events and answers, and neither grows beyond its bounds.
pub fn protocol_bytes(data: &[u8]) {
    let [how, piece, input @ ..] = data else {
        return;
    };
    let whole = stranger(*how, input, usize::MAX);
    assert_eq!(stranger(*how, input, usize::from(*piece) + 1), whole);
}

fn stranger(how: u8, input: &[u8], piece: usize) -> (Vec<Event>, Option<Error>, Vec<u8>) {
    let live = how & 1 == 1;
    let now = Duration::from_secs(1);
    let mut input = input.to_vec();
    let mut ours = match how >> 1 & 3 {
        0 => connection(Role::Responder, Security::Encrypted, live),
        1 => connection(Role::Initiator, Security::Encrypted, live),
        2 => connection(Role::Initiator, Security::Plain, live),
        _ => {
            let (ours, mut theirs) = shaken(live);
            theirs.tx.apply(&mut input);
            ours
        }
    };
    for n in 0..how >> 3 & 3 {
        ours.open(&feed(n)).expect("there is room");
    }
    let (mut events, mut said) = (Vec::new(), Vec::new());
    let mut extensions = Extensions::default();
    for name in ["", "a"] {
        extensions.register(name).expect("there is room");
    }
    let mut error = None;
    'input: for piece in input.chunks(piece) {
        if let Err(refused) = ours.handle_bytes(now, piece) {
            error = Some(refused);
            break;
        }
        loop {
            match ours.poll_event() {
                Ok(Some(event)) => {
                    respond(&mut ours, how, &event);
                    if let Event::Stream { message } = &event {
                        hear(&mut extensions, message.clone());
                    }
                    // It says that nothing is left just now, which depends on what has arrived.
                    if event != Event::Finished {
                        events.push(event);
                    }
                }
                Ok(None) => break,
                Err(refused) => {
                    error = Some(refused);
                    break 'input;
                }
            }
            assert!(ours.queued() <= SEND_HARD + LONGEST + 200);
        }
    }
    assert!(events.len() <= input.len() + 8);
    match error {
        None => {
            while let Some(bytes) = ours.poll_transmit(now) {
                said.extend_from_slice(&bytes);
            }
        }
        // Nothing half-ends.
        Some(_) => {
            assert_eq!(ours.poll_transmit(now), None);
            assert_eq!(ours.poll_event(), Ok(None));
            assert_eq!(ours.poll_timeout(), None);
            assert_eq!(ours.handle_bytes(now, b"more"), Err(Error::Ended));
            assert_eq!(ours.open(&feed(0)), Err(Error::Ended));
        }
    }
    (events, error, said)
}

/// What is said about the connection is of an extension that both have, or nothing.
fn hear(extensions: &mut Extensions, message: Message) {
    match extensions.handle_message(message) {
        Some(ExtensionEvent::Names(names)) => {
            assert!(
                extensions
                    .remote_names()
                    .is_some_and(|told| told.eq(&names))
            );
        }
        Some(ExtensionEvent::Message { name, .. }) => {
            assert!(["", "a"].contains(&&*name.0));
            assert_eq!(extensions.supports(&name.0), Some(true));
        }
        None => {}
    }
}

fn respond(ours: &mut Connection, how: u8, event: &Event) {
    match event {
        Event::RemoteOpen { discovery_key } => {
            let known = (0..FEEDS).find(|n| name(*n) == *discovery_key);
            match known.filter(|_| how >> 5 & 1 == 1) {
                // The remote may not know its key: then it is refused as well.
                Some(n) => drop(ours.open(&feed(n))),
                None => ours.refuse(*discovery_key).expect("numbers are left"),
            }
        }
        Event::Message { channel, .. } if how >> 6 & 1 == 1 => ours.close(*channel),
        _ => {}
    }
}

/// A peer of the pair, and what it has said that hasn't arrived.
struct Peer {
    connection: Connection,
    /// By feed, the channel that was opened last.
    channels: [Option<Channel>; FEEDS as usize],
    under_way: Vec<u8>,
    /// The number of the message that was sent last, and of the one that arrived last.
    sent: u64,
    heard: u64,
    /// Whether something was altered on its way from here or to here.
    altered: bool,
    error: Option<Error>,
}

impl Peer {
    fn note(&mut self, result: Result<(), Error>) {
        self.error = self.error.or(result.err());
        loop {
            match self.connection.poll_event() {
                Ok(Some(Event::Message {
                    message: Message::Have(have),
                    ..
                })) => {
                    // Some were dropped because a channel was closed, but none comes twice, late or out of nothing.
                    assert!(have.start > self.heard || self.altered);
                    self.heard = have.start;
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    self.error.get_or_insert(error);
                    break;
                }
            }
        }
    }
}

struct Pair {
    now: Duration,
    peers: [Peer; 2],
    /// Whether the link has done what links do.
    altered: bool,
}

/// Two peers do what the input says, three bytes at a time, over a link that carries as much as it says. As long as nothing is
/// altered on the way and no time limit passes, there is no error, and in the end each feed that both have open works.
pub fn protocol_pair(data: &[u8]) {
    let [how, steps @ ..] = data else {
        return;
    };
    let security = match how & 3 {
        0 => Security::Plain,
        1 => Security::Authenticated,
        _ => Security::Encrypted,
    };
    let mut pair = Pair {
        now: Duration::ZERO,
        peers: [Role::Initiator, Role::Responder].map(|role| Peer {
            connection: connection(role, security, how >> 2 & 1 == 1),
            channels: [None; FEEDS as usize],
            under_way: Vec::new(),
            sent: 0,
            heard: 0,
            altered: false,
            error: None,
        }),
        altered: false,
    };
    if how >> 3 & 1 == 1 {
        pair.settle();
    }
    for step in steps.chunks_exact(3).take(300) {
        pair.step(step[0], step[1], step[2]);
        for peer in &pair.peers {
            assert!(peer.connection.queued() <= SEND_HARD + 2 * LONGEST);
        }
    }
    pair.settle();
    let honest = |error: Option<Error>| {
        error.is_none_or(|error| {
            use Error::*;
            matches!(
                error,
                HandshakeTimeout
                    | OpenTimeout
                    | CloseTimeout
                    | IdleTimeout
                    | SendTimeout
                    | FrameTimeout
                    | SendQueueFull
                    | Ended
                    | HungUp
            )
        })
    };
    if !pair.altered {
        let [a, b] = [0, 1].map(|n| pair.peers[n].error);
        assert!(honest(a) && honest(b), "{a:?} {b:?}");
    }
    if !pair.altered && pair.peers.iter().all(|peer| peer.error.is_none()) {
        pair.converge();
    }
}

impl Pair {
    fn step(&mut self, what: u8, whose: u8, which: u8) {
        let n = usize::from(whose & 1);
        let (feed_number, now) = (whose >> 1, self.now);
        let peer = &mut self.peers[n];
        let slot = usize::from(feed_number % FEEDS);
        match what % 10 {
            0 => {
                if let Ok(channel) = peer.connection.open(&feed(feed_number)) {
                    peer.channels[slot] = Some(channel);
                }
            }
            1 => {
                if let Some(channel) = peer.channels[slot].take() {
                    peer.connection.close(channel);
                }
            }
            2 => {
                let refused = peer.connection.refuse(name(feed_number));
                refused.expect("numbers are left");
            }
            3 | 4 => {
                let Some(channel) = peer.channels[slot] else {
                    return;
                };
                peer.sent += 1;
                let message = Message::Have(Have {
                    start: peer.sent,
                    bitfield: Some(vec![1; 10 * usize::from(which)].into()),
                    ..Have::default()
                });
                let sent = peer.connection.send(channel, &message);
                peer.note(sent);
            }
            5 | 6 => self.carry(n, usize::from(which)),
            7 => self.carry(n, usize::MAX),
            8 => {
                self.now += Duration::from_millis(50) * u32::from(which);
                for peer in &mut self.peers {
                    if peer
                        .connection
                        .poll_timeout()
                        .is_some_and(|due| due <= self.now)
                    {
                        let passed = peer.connection.handle_timeout(self.now);
                        peer.note(passed);
                        let due = peer.connection.poll_timeout();
                        assert!(due.is_none_or(|due| due > now), "time goes on");
                    }
                }
            }
            _ => match peer.under_way.first_mut() {
                Some(byte) if which >= 128 => {
                    *byte ^= which;
                    self.altered = true;
                    self.peers.iter_mut().for_each(|peer| peer.altered = true);
                }
                _ => {}
            },
        }
    }

    /// Carries at most so many bytes from one to the other.
    fn carry(&mut self, from: usize, max: usize) {
        let sender = &mut self.peers[from];
        while sender.under_way.len() < 4096
            && let Some(bytes) = sender.connection.poll_transmit(self.now)
        {
            sender.under_way.extend_from_slice(&bytes);
        }
        let len = max.min(sender.under_way.len());
        let bytes: Vec<u8> = sender.under_way.drain(..len).collect();
        let receiver = &mut self.peers[1 - from];
        if !bytes.is_empty() && receiver.error.is_none() {
            let heard = receiver.connection.handle_bytes(self.now, &bytes);
            receiver.note(heard);
        }
    }

    /// Carries everything, both ways.
    fn settle(&mut self) {
        for _ in 0..1000 {
            let before = [0, 1].map(|n| self.peers[n].connection.bytes_sent());
            self.carry(0, usize::MAX);
            self.carry(1, usize::MAX);
            if [0, 1].map(|n| self.peers[n].connection.bytes_sent()) == before {
                return;
            }
        }
        panic!("two peers that don't come to rest");
    }

    /// Closes everything, opens one feed on both sides, and sends something over it.
    fn converge(&mut self) {
        for n in 0..FEEDS {
            for peer in &mut self.peers {
                if let Ok(channel) = peer.connection.open(&feed(n)) {
                    peer.connection.close(channel);
                }
            }
        }
        self.settle();
        let channels = [0, 1].map(|n| self.peers[n].connection.open(&feed(0)));
        self.settle();
        for (n, channel) in channels.into_iter().enumerate() {
            let [sender, receiver] = match n {
                0 => [0, 1],
                _ => [1, 0],
            };
            let channel = channel.expect("both have room and no errors");
            let peer = &mut self.peers[sender];
            peer.sent += 1;
            let start = peer.sent;
            let message = Message::Have(Have {
                start,
                ..Have::default()
            });
            peer.connection.send(channel, &message).expect("it is open");
            self.settle();
            assert_eq!(self.peers[receiver].heard, start);
            assert_eq!(self.peers[receiver].error, None);
        }
    }
}
