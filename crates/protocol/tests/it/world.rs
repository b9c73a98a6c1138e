//! Two connections, two links and a clock.

use std::time::Duration;

use crypto::PublicKey;
use hypercore_protocol::{Config, Connection, Error, Event, KeyPair, Randomness, Role, Security};
use testkit::{Arrival, Clock, Link, Rng};
use wire::Message;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// The key of a feed.
pub(crate) fn feed(seed: u8) -> PublicKey {
    crypto::KeyPair::from_seed([seed; 32]).public()
}

pub(crate) fn name(seed: u8) -> [u8; 32] {
    feed(seed).discovery_key().to_bytes()
}

pub(crate) fn config(role: Role) -> Config {
    let seed = match role {
        Role::Initiator => 1,
        Role::Responder => 2,
    };
    Config::new(role, KeyPair::from_seed([seed; 32]))
}

pub(crate) fn live(role: Role) -> Config {
    Config {
        live: true,
        ..config(role)
    }
}

pub(crate) fn plain(role: Role) -> Config {
    Config {
        security: Security::Plain,
        ..config(role)
    }
}

pub(crate) fn randomness(role: Role) -> Randomness {
    let seed = match role {
        Role::Initiator => 3,
        Role::Responder => 4,
    };
    Randomness {
        ephemeral: [seed; 32],
        nonce: [seed; 24],
    }
}

pub(crate) fn connection(config: Config) -> Connection {
    let randomness = randomness(config.role);
    Connection::new(config, randomness, Duration::ZERO).unwrap()
}

/// Everything that has happened on a connection, and the error that ended it.
pub(crate) fn events(connection: &mut Connection) -> (Vec<Event>, Option<Error>) {
    let mut events = Vec::new();
    loop {
        match connection.poll_event() {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (events, None),
            Err(error) => return (events, Some(error)),
        }
    }
}

pub(crate) fn status(uploading: bool) -> Message {
    Message::Status(wire::Status {
        uploading: Some(uploading),
        downloading: Some(false),
    })
}

pub(crate) fn block(index: u64, len: usize) -> Message {
    Message::Data(wire::Data {
        index,
        value: Some(vec![index as u8; len].into()),
        ..wire::Data::default()
    })
}

/// One side of the world.
pub(crate) struct Peer {
    pub(crate) connection: Connection,
    pub(crate) events: Vec<Event>,
    pub(crate) error: Option<Error>,
    hung_up: bool,
}

impl Peer {
    fn new(connection: Connection) -> Self {
        Peer {
            connection,
            events: Vec::new(),
            error: None,
            hung_up: false,
        }
    }

    fn note(&mut self, result: Result<(), Error>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
        let (events, error) = events(&mut self.connection);
        if events.contains(&Event::Finished) {
            self.connection.finish();
        }
        self.events.extend(events);
        self.error = self.error.or(error);
    }

    pub(crate) fn messages(&self) -> Vec<&Message> {
        let messages = self.events.iter().filter_map(|event| match event {
            Event::Message { message, .. } => Some(message),
            _ => None,
        });
        messages.collect()
    }

    pub(crate) fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| wanted(event)).count()
    }
}

pub(crate) struct World {
    pub(crate) clock: Clock,
    /// The initiator first.
    pub(crate) peers: [Peer; 2],
    /// From each peer to the other.
    pub(crate) links: [Link; 2],
}

impl World {
    /// The initiator first.
    pub(crate) fn new(configs: [Config; 2]) -> Self {
        World {
            clock: Clock::default(),
            peers: configs.map(|config| Peer::new(connection(config))),
            links: [1, 2].map(|seed| Link::new(Rng::new(seed))),
        }
    }

    /// Two peers that have opened the same feed, each with its first channel.
    pub(crate) fn opened(configs: [Config; 2]) -> (Self, [hypercore_protocol::Channel; 2]) {
        let mut world = World::new(configs);
        let channels = [0, 1].map(|n| world.peers[n].connection.open(&feed(9)).unwrap());
        world.settle();
        for (peer, channel) in world.peers.iter().zip(channels) {
            assert!(peer.events.contains(&Event::Opened { channel }));
        }
        (world, channels)
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Lets everything arrive that is under way, and no time limit pass.
    pub(crate) fn settle(&mut self) {
        loop {
            self.work();
            let Some(then) = self.next_arrival() else {
                return;
            };
            self.clock.advance_to(then);
        }
    }

    /// Lets time pass, and everything happen in it.
    pub(crate) fn pass(&mut self, by: Duration) {
        let until = self.now().saturating_add(by);
        loop {
            self.work();
            let timeouts = self.peers.iter().map(|peer| peer.connection.poll_timeout());
            let next = timeouts.chain([self.next_arrival()]).flatten().min();
            let Some(then) = next.filter(|then| *then <= until) else {
                break;
            };
            self.clock.advance_to(then);
            let now = self.now();
            for peer in &mut self.peers {
                if peer.connection.poll_timeout().is_some_and(|due| due <= now) {
                    let result = peer.connection.handle_timeout(now);
                    peer.note(result);
                    let due = peer.connection.poll_timeout();
                    assert!(due.is_none_or(|due| due > now), "time goes on: {due:?}");
                }
            }
        }
        self.clock.advance_to(until);
    }

    pub(crate) fn errors(&self) -> [Option<Error>; 2] {
        [self.peers[0].error, self.peers[1].error]
    }

    fn next_arrival(&self) -> Option<Duration> {
        let arrivals = [(0, 1), (1, 0)].map(|(from, to)| {
            self.listens(to)
                .then(|| self.links[from].next_arrival())
                .flatten()
        });
        arrivals.into_iter().flatten().min()
    }

    fn listens(&self, n: usize) -> bool {
        let peer = &self.peers[n];
        peer.error.is_none() && peer.connection.wants_input()
    }

    /// Everything that can be done at this time.
    fn work(&mut self) {
        let now = self.now();
        let mut busy = true;
        while busy {
            busy = false;
            for (from, to) in [(0, 1), (1, 0)] {
                let link = &mut self.links[from];
                let peer = &mut self.peers[from];
                peer.note(Ok(()));
                while link.room() > 0
                    && let Some(bytes) = peer.connection.poll_transmit(now)
                {
                    link.send(now, &bytes);
                    busy = true;
                }
                let over = peer.error.is_some() || peer.connection.is_finished();
                if over && !std::mem::replace(&mut peer.hung_up, true) {
                    link.end(now);
                }
                while self.listens(to)
                    && let Some(arrival) = self.links[from].receive(now)
                {
                    let peer = &mut self.peers[to];
                    let result = match arrival {
                        Arrival::Bytes(bytes) => peer.connection.handle_bytes(now, &bytes),
                        Arrival::End => {
                            peer.connection.handle_end(now);
                            Ok(())
                        }
                    };
                    peer.note(result);
                    busy = true;
                }
            }
        }
    }
}

/// A frame as it goes over a connection that isn't encrypted.
pub(crate) fn frame(channel: u64, message: &Message) -> Vec<u8> {
    let mut bytes = bytes::BytesMut::new();
    message.encode_frame(channel, &mut bytes);
    bytes.to_vec()
}

pub(crate) fn open(seed: u8) -> Message {
    Message::Open(wire::Open {
        discovery_key: name(seed),
        capability: None,
    })
}

pub(crate) fn close(seed: Option<u8>) -> Message {
    Message::Close(wire::Close {
        discovery_key: seed.map(name),
    })
}
