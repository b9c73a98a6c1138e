//! Sessions recorded between two JavaScript peers: our machine takes the place of one of them and hears the other.
//!
//! Compared as they are, in their order: Options, Status, Want, Have, Unhave and Close, with all their fields; for the
//! writer also the requests that it hands out. Compared as sets: the requests of a reader without their digests, since both
//! depend on random choices, and its acknowledgements, which follow the order of answers. Answers are given when our
//! machine asks for them rather than when they were recorded. Of a seek, JavaScript sends one request for each candidate at
//! once; ours sends one of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hypercore_replicate::{Action, Config, PeerConfig, PeerId, Replicator, Wish};
use serde_json::Value;
use testkit::vectors::{hex, list, load};
use wire::{Close, Data, Decoder, Limits, Message, Request};

use crate::model::Model;

const PEER: PeerId = PeerId(0);
const NOW: Duration = Duration::ZERO;

/// What was said in a session, by the writer or not, without the opening of the channel.
struct Session {
    name: String,
    said: Vec<(bool, Message)>,
}

#[test]
fn reader_of_the_vectors_says_the_same() {
    for session in sessions() {
        let mut reader = Reader::new(&session);
        for (writer, message) in &session.said {
            match (writer, message) {
                (true, Message::Data(data)) => reader.answers.push(data.clone()),
                (true, Message::Extension(_)) => {}
                (true, message) => reader.hear(message.clone()),
                (false, Message::Request(request)) if session.is_sparse() => reader.wish(request),
                (false, _) => {}
            }
            reader.work();
        }
        let said = reader.said.iter().filter(|message| is_control(message));
        let recorded = session.by(false).filter(|message| is_control(message));
        assert!(said.eq(recorded), "{}: {:#?}", session.name, reader.said);

        let acks = |said: &mut dyn Iterator<Item = &Message>| {
            let acks = said.filter_map(|message| match message {
                Message::Have(have) if have.ack() => Some((have.start, have.length)),
                _ => None,
            });
            acks.collect::<BTreeSet<_>>()
        };
        assert_eq!(
            acks(&mut reader.said.iter()),
            acks(&mut session.by(false)),
            "{}",
            session.name
        );

        let mut ours = questions(reader.said.iter());
        let mut theirs = questions(session.by(false));
        let seek = |question: &(u64, u64, bool)| question.1 > 0;
        let sought: Vec<_> = ours.extract_if(.., |question| seek(question)).collect();
        let candidates: Vec<_> = theirs.extract_if(.., |question| seek(question)).collect();
        assert_eq!(sought.len(), candidates.len().min(1), "{}", session.name);
        assert!(sought.iter().all(|question| candidates.contains(question)));
        ours.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(ours, theirs, "{}", session.name);
    }
}

#[test]
fn writer_of_the_vectors_says_the_same() {
    for session in sessions() {
        let mut writer = Writer::new(&session);
        for (by_writer, message) in &session.said {
            match (by_writer, message) {
                (false, Message::Extension(_)) => {}
                (false, message) => writer.hear(message.clone()),
                (true, message) => writer.follow(&session, message),
            }
        }
        let recorded = session.by(true).filter(|message| is_control(message));
        assert!(
            writer.said.iter().eq(recorded),
            "{}: {:#?}",
            session.name,
            writer.said
        );
        // The second request of a seek is settled by the answer to the first.
        let mut theirs = questions(session.by(false));
        let mut seen = BTreeSet::new();
        theirs.retain(|question| question.1 == 0 || seen.insert(question.1));
        assert_eq!(questions(&writer.served), theirs, "{}", session.name);
        let acknowledged: BTreeSet<u64> = session
            .by(false)
            .filter_map(|message| match message {
                Message::Have(have) if have.ack() => Some(have.start),
                _ => None,
            })
            .collect();
        assert_eq!(writer.acknowledged, acknowledged, "{}", session.name);
    }
}

struct Reader {
    replicator: Replicator,
    feed: Model,
    /// What the writer is known to have.
    remote_length: u64,
    answers: Vec<Data>,
    asked: Vec<Request>,
    said: Vec<Message>,
    wished: BTreeSet<(u64, u64, bool)>,
}

impl Reader {
    fn new(session: &Session) -> Self {
        let config = Config {
            sparse: session.is_sparse(),
            ..Config::default()
        };
        let mut reader = Reader {
            replicator: Replicator::new(config),
            feed: Model::default(),
            remote_length: 0,
            answers: Vec::new(),
            asked: Vec::new(),
            said: Vec::new(),
            wished: BTreeSet::new(),
        };
        let config = session.peer_config(&["zeta"]);
        reader.replicator.add_peer(NOW, PEER, config, &reader.feed);
        reader
    }

    fn hear(&mut self, message: Message) {
        if let Message::Have(have) = &message
            && have.bitfield.is_none()
        {
            self.remote_length = self.remote_length.max(have.start + have.length());
        }
        self.replicator
            .handle_message(NOW, PEER, message, &self.feed);
    }

    /// The application asked for something here, as the recorded request shows.
    fn wish(&mut self, request: &Request) {
        let block = request.index;
        let (bytes, hash) = (request.bytes(), request.hash());
        // The recorded seek has two requests, for blocks 6 and 7.
        let key = if bytes > 0 {
            (0, bytes, hash)
        } else {
            (block, 0, hash)
        };
        if !self.wished.insert(key) {
            return;
        }
        let wish = match (bytes, hash) {
            (0, false) => Wish::Block(block),
            (0, true) => Wish::Length(block + 1),
            _ => Wish::Seek {
                bytes,
                within: block..block + 2,
            },
        };
        self.replicator.want(NOW, wish, &self.feed);
    }

    /// Does what the machine wants done, with the recorded answers.
    fn work(&mut self) {
        loop {
            while let Some(action) = self.replicator.poll_action() {
                self.perform(action);
            }
            let answered = self.asked.iter().enumerate().find_map(|(n, request)| {
                let fits = |data: &Data| {
                    let sought = request.bytes() > 0 || data.index == request.index;
                    sought && data.value.is_none() == request.hash()
                };
                Some((n, self.answers.iter().position(fits)?))
            });
            let Some((asked, answer)) = answered else {
                return;
            };
            self.asked.remove(asked);
            let data = self.answers.remove(answer);
            self.hear(Message::Data(data));
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Send { message, .. } => {
                if let Message::Request(request) = &message {
                    self.asked.push(*request);
                }
                self.said.push(message);
            }
            Action::Store { data, .. } => {
                let block = data.index;
                if data.signature.is_some() {
                    self.feed.length = self.remote_length;
                }
                self.feed.hashes.insert(block..block + 1);
                let has_value = data.value.is_some();
                if has_value {
                    self.feed.blocks.insert(block..block + 1);
                }
                self.replicator
                    .handle_stored(NOW, PEER, block, has_value, &self.feed);
            }
            Action::Close { .. } => self.said.push(close()),
            Action::Resolved { .. } | Action::Announced { .. } => {}
            other => panic!("unexpected {other:?}"),
        }
    }
}

struct Writer {
    replicator: Replicator,
    feed: Model,
    uploading: bool,
    pending: BTreeMap<u64, Request>,
    served: Vec<Message>,
    said: Vec<Message>,
    acknowledged: BTreeSet<u64>,
}

impl Writer {
    fn new(session: &Session) -> Self {
        let tip = session.by(true).find_map(|message| match message {
            Message::Have(have) => Some(have.start + 1),
            _ => None,
        });
        let config = Config {
            downloading: false,
            ..Config::default()
        };
        let mut writer = Writer {
            replicator: Replicator::new(config),
            feed: Model::full(tip.unwrap_or(0)),
            uploading: true,
            pending: BTreeMap::new(),
            served: Vec::new(),
            said: Vec::new(),
            acknowledged: BTreeSet::new(),
        };
        let config = session.peer_config(&["alpha", "zeta"]);
        writer.replicator.add_peer(NOW, PEER, config, &writer.feed);
        writer.work();
        writer
    }

    fn hear(&mut self, message: Message) {
        self.replicator
            .handle_message(NOW, PEER, message, &self.feed);
        self.work();
    }

    /// Does what the application of the recorded writer must have done before it said this.
    fn follow(&mut self, session: &Session, message: &Message) {
        match message {
            Message::Data(data) => {
                let block = data.index;
                // A seek is answered with the block that was found.
                let seek = || self.pending.iter().find(|(_, seek)| seek.bytes() > 0);
                let asked = match self.pending.contains_key(&block) {
                    true => block,
                    false => *seek().expect("it was asked for").0,
                };
                let request = self.pending.remove(&asked).expect("it was asked for");
                let found = (request.bytes() > 0).then_some(block);
                self.replicator.handle_served(PEER, &request, found);
            }
            Message::Have(have) if have.start >= self.feed.length => {
                let blocks = self.feed.append(have.length());
                self.replicator.handle_appended(NOW, blocks, &self.feed);
            }
            Message::Status(status)
                if session.name == "upload-off" && self.uploading != status.uploading() =>
            {
                self.uploading = status.uploading();
                self.replicator
                    .set_uploading(NOW, self.uploading, &self.feed);
            }
            _ => {}
        }
        self.work();
    }

    fn work(&mut self) {
        while let Some(action) = self.replicator.poll_action() {
            match action {
                Action::Send { message, .. } => self.said.push(message),
                Action::Serve { request, .. } => {
                    self.served.push(Message::Request(request));
                    self.pending.insert(request.index, request);
                }
                Action::Acknowledged { block, .. } => {
                    self.acknowledged.insert(block);
                }
                Action::Close { .. } => self.said.push(close()),
                Action::Announced { .. } => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }
}

impl Session {
    fn by(&self, writer: bool) -> impl Iterator<Item = &Message> {
        let said = self.said.iter().filter(move |(by, _)| *by == writer);
        said.map(|(_, message)| message)
    }

    fn is_sparse(&self) -> bool {
        ["sparse", "update", "upload-off"].contains(&self.name.as_str())
    }

    fn peer_config(&self, extensions: &[&str]) -> PeerConfig {
        let extended = self.name == "ack-extension";
        let extensions = extensions.iter().filter(|_| extended);
        PeerConfig {
            live: !self.name.starts_with("clone"),
            ack: extended,
            extensions: extensions.map(|name| name.to_string()).collect(),
            ..PeerConfig::default()
        }
    }
}

/// Everything but requests, answers, acknowledgements and what applications say to each other.
fn is_control(message: &Message) -> bool {
    match message {
        Message::Request(_) | Message::Data(_) | Message::Extension(_) => false,
        Message::Have(have) => !have.ack(),
        _ => true,
    }
}

fn questions<'a>(said: impl IntoIterator<Item = &'a Message>) -> Vec<(u64, u64, bool)> {
    let questions = said.into_iter().filter_map(|message| match message {
        Message::Request(request) => Some((request.index, request.bytes(), request.hash())),
        _ => None,
    });
    questions.collect()
}

fn close() -> Message {
    Message::Close(Close {
        discovery_key: None,
    })
}

fn sessions() -> Vec<Session> {
    let recorded: Vec<Value> = ["sessions-v8.json", "sessions-v9.json"]
        .iter()
        .flat_map(|file| list(&load(file)["sessions"]).to_vec())
        .collect();
    assert!(recorded.len() > 10, "both versions");
    recorded.iter().map(parse).collect()
}

fn parse(session: &Value) -> Session {
    let mut said = Vec::new();
    for frame in list(&session["frames"]) {
        if frame["plaintext"].is_null() {
            continue;
        }
        let from = frame["from"].as_str().expect("a name");
        let writer = session[from]["role"] == "writer";
        let messages = decode(&hex(&frame["plaintext"]));
        said.extend(messages.into_iter().map(|message| (writer, message)));
    }
    Session {
        name: session["name"].as_str().expect("a name").into(),
        said,
    }
}

fn decode(bytes: &[u8]) -> Vec<Message> {
    let mut decoder = Decoder::new(Limits::default());
    decoder.extend(bytes);
    let frames = std::iter::from_fn(|| decoder.next().expect("JavaScript's frames are sound"));
    frames
        .filter_map(|frame| {
            let kind = frame.kind.expect("a known type");
            let message = Message::decode(kind, frame.body, &Limits::default());
            let message = message.expect("so are its messages");
            (!matches!(message, Message::Open(_))).then_some(message)
        })
        .collect()
}
