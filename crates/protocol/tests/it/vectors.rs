//! `sessions-v8.json`, `sessions-v9.json` and the streams of `handshake-v8.json`, `handshake-v9.json`: our machine takes the
//! place of either side, hears what is recorded of the other, and says the same bytes.

use std::time::Duration;

use crypto::{Dialect, PublicKey};
use hypercore_protocol::{
    Channel, Config, Connection, DialectChoice, Event, KeyPair, Randomness, Role, Security,
};
use serde_json::Value;
use testkit::vectors::{hex, hex_array, list, load};
use wire::{Decoder, Frame, Kind, Limits, Message};

use crate::world::events;

const NOW: Duration = Duration::ZERO;
const DIALECTS: [(Dialect, &str); 2] = [(Dialect::V8, "v8"), (Dialect::V9, "v9")];
const ROLES: [(Role, &str); 2] = [
    (Role::Initiator, "initiator"),
    (Role::Responder, "responder"),
];

/// What is recorded: by whom, as frames before encryption, as bytes.
struct Recorded {
    initiator: bool,
    plaintext: Option<Vec<u8>>,
    bytes: Vec<u8>,
}

fn recorded(frame: &Value) -> Recorded {
    Recorded {
        initiator: frame["from"] == "initiator",
        plaintext: frame
            .get("plaintext")
            .filter(|plaintext| !plaintext.is_null())
            .map(hex),
        bytes: hex(&frame["bytes"]),
    }
}

/// Our side of a recorded connection.
struct Player {
    connection: Connection,
    channel: Channel,
    now: Duration,
    /// What we have said and the recording hasn't yet.
    said: Vec<u8>,
    events: Vec<Event>,
}

impl Player {
    fn new(case: &Value, role: Role, name: &str, dialect: Dialect, key: &PublicKey) -> Self {
        let keys = &case[name];
        let pair = KeyPair::from_secret(hex_array(&keys["static"]["secretKey"]));
        let config = Config {
            dialect: DialectChoice::Fixed(dialect),
            security: match case["encrypted"] == false {
                true => Security::Authenticated,
                false => Security::Encrypted,
            },
            ..Config::new(role, pair)
        };
        let randomness = Randomness {
            ephemeral: hex_array(&keys["ephemeral"]["secretKey"]),
            nonce: hex_array(&keys["nonce"]),
        };
        let mut connection = Connection::new(config, randomness, NOW).unwrap();
        Player {
            channel: connection.open(key).unwrap(),
            connection,
            now: NOW,
            said: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Says what is recorded of us, unless the machine has said it by itself.
    fn say(&mut self, recorded: &Recorded) {
        self.drain();
        if self.said.is_empty() {
            match recorded.plaintext.as_deref() {
                Some([0]) => {
                    let due = self.connection.poll_timeout().unwrap();
                    self.now = due;
                    self.connection.handle_timeout(due).unwrap();
                }
                Some(plaintext) => match message(plaintext) {
                    (_, Message::Close(_)) => self.connection.close(self.channel),
                    (_, message) => self.connection.send(self.channel, &message).unwrap(),
                },
                None => panic!("the handshake is said unasked"),
            }
            self.drain();
        }
        let len = recorded.bytes.len().min(self.said.len());
        let said: Vec<u8> = self.said.drain(..len).collect();
        assert_eq!(said, recorded.bytes);
    }

    /// Hears what is recorded of the other side.
    fn hear(&mut self, recorded: &Recorded) {
        let known = self.events.len();
        self.connection
            .handle_bytes(self.now, &recorded.bytes)
            .unwrap();
        self.drain();
        let news = &self.events[known..];
        let Some(plaintext) = &recorded.plaintext else {
            assert!(matches!(news, [] | [Event::Handshake { .. }]), "{news:?}");
            return;
        };
        if plaintext == &[0] {
            assert_eq!(news, []);
            return;
        }
        let channel = self.channel;
        match message(plaintext) {
            (_, Message::Open(_)) => assert_eq!(news, [Event::Opened { channel }]),
            (_, Message::Close(_)) => {
                let (last, before) = news.split_last().unwrap();
                assert_eq!(last, &Event::Finished);
                assert!(matches!(before, [] | [Event::Closed { .. }]));
            }
            (frame, message) => {
                let heard = Event::Message { channel, message };
                assert_eq!(news, [heard], "{frame:?}");
            }
        }
    }

    fn drain(&mut self) {
        let (events, error) = events(&mut self.connection);
        assert_eq!(error, None);
        self.events.extend(events);
        while let Some(bytes) = self.connection.poll_transmit(self.now) {
            self.said.extend_from_slice(&bytes);
        }
    }
}

/// The one message in a frame, which has to be the same bytes when it is written again.
fn message(plaintext: &[u8]) -> (Frame, Message) {
    let limits = Limits::default();
    let mut decoder = Decoder::new(limits);
    decoder.extend(plaintext);
    let frame = decoder.next().unwrap().unwrap();
    assert_eq!(decoder.buffered(), 0);
    let kind: Kind = frame.kind.unwrap();
    let message = Message::decode(kind, frame.body.clone(), &limits).unwrap();
    let mut again = bytes::BytesMut::new();
    message.encode_frame(frame.channel, &mut again);
    assert_eq!(again, plaintext);
    (frame, message)
}

fn play(player: &mut Player, role: Role, frames: impl Iterator<Item = Recorded>) {
    for frame in frames {
        match frame.initiator == (role == Role::Initiator) {
            true => player.say(&frame),
            false => player.hear(&frame),
        }
    }
    player.drain();
    assert_eq!(player.said, b"", "nothing more is said");
}

#[test]
fn either_side_of_the_sessions_in_the_vectors_says_the_same_bytes() {
    let mut closed = 0;
    for (dialect, version) in DIALECTS {
        let file = load(&format!("sessions-{version}.json"));
        let sessions = list(&file["sessions"]);
        assert!(!sessions.is_empty());
        for session in sessions {
            let key = PublicKey::new(hex_array(&session["feed"]["publicKey"]));
            for (role, name) in ROLES {
                let mut player = Player::new(session, role, name, dialect, &key);
                let frames = list(&session["frames"]).iter().map(recorded);
                play(&mut player, role, frames);
                assert_eq!(player.connection.dialect(), Some(dialect));
                let finished = player.events.contains(&Event::Finished);
                let ends = list(&session["frames"])
                    .iter()
                    .filter(|frame| frame["plaintext"] == "011a")
                    .count();
                assert_eq!(finished, ends == 2, "{}", session["name"]);
                closed += usize::from(finished);
            }
        }
    }
    assert!(closed > 0, "some sessions are closed by both sides");
}

#[test]
fn either_side_of_the_streams_in_the_vectors_says_the_same_bytes() {
    for (dialect, version) in DIALECTS {
        let file = load(&format!("handshake-{version}.json"));
        for case in list(&file["cases"]) {
            let key = PublicKey::new(hex_array(&case["capabilities"][0]["key"]));
            for (role, name) in ROLES {
                let mut player = Player::new(case, role, name, dialect, &key);
                let messages = list(&case["messages"]).iter();
                let frames = messages.chain(list(&case["stream"])).map(recorded);
                play(&mut player, role, frames);
                let hash = player.connection.handshake_hash().unwrap();
                assert_eq!(hash.to_vec(), hex(&case["handshakeHash"]));
                assert_eq!(player.events.last(), Some(&Event::Finished));
            }
        }
    }
}
