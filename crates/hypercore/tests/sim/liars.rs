//! Peers that know the key of the feed and lie about what is in it, or just make trouble.
//!
//! A liar reads the writer's own copy, so that every second thing it says may be true. One may even have the secret key, and another
//! history of the feed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use hypercore::{Dialect, Hypercore, PublicKey, Role, SecretKey, Storage};
use noise::{DialectChoice, KeyPair};
use protocol::{Channel, Config, Connection, Event, Randomness};
use testkit::{Rng, Sim};
use wire::{Data, Have, Message, Node, Options, Request, Status, Unhave, Want};

use crate::{faults::millis, net::Socket, node::at_once, runtime::Surroundings};

/// What a liar is up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    // Answers that aren't true.
    OtherBytes,
    LongerBlock,
    OtherHash,
    OtherSize,
    OtherSignature,
    NoSignature,
    FewerNodes,
    MoreNodes,
    SwappedNodes,
    OtherBlock,
    OtherNumber,
    OnlyHashes,
    Nothing,
    // Answers that are signed, and of another history.
    Fork,
    // Answers that come late, or never.
    Late,
    Silent,
    ClaimsTheFuture,
    ClaimsAndTakesBack,
    // Too much of everything.
    Haves,
    Requests,
    Wants,
    Extensions,
    Strays,
    // Nothing but the truth, of which it claims nothing and which nobody asks for.
    Pushes,
    // No messages at all.
    Garbage,
    Mute,
    GarbledHandshake,
}

impl Lie {
    const ALL: [Lie; 27] = [
        Lie::OtherBytes,
        Lie::LongerBlock,
        Lie::OtherHash,
        Lie::OtherSize,
        Lie::OtherSignature,
        Lie::NoSignature,
        Lie::FewerNodes,
        Lie::MoreNodes,
        Lie::SwappedNodes,
        Lie::OtherBlock,
        Lie::OtherNumber,
        Lie::OnlyHashes,
        Lie::Nothing,
        Lie::Fork,
        Lie::Late,
        Lie::Silent,
        Lie::ClaimsTheFuture,
        Lie::ClaimsAndTakesBack,
        Lie::Haves,
        Lie::Requests,
        Lie::Wants,
        Lie::Extensions,
        Lie::Strays,
        Lie::Pushes,
        Lie::Garbage,
        Lie::Mute,
        Lie::GarbledHandshake,
    ];

    pub(crate) fn any(rng: &mut Rng) -> Self {
        match rng.one_in(8) {
            // It takes some time, and a copy that lets it.
            true => Lie::Pushes,
            false => Lie::ALL[rng.below(Lie::ALL.len() as u64) as usize],
        }
    }
}

/// One connection of a liar.
pub(crate) struct Liar {
    sim: Sim,
    rng: Rng,
    lie: Lie,
    /// Where it has its answers from.
    truth: Hypercore,
    connection: Connection,
    channel: Channel,
    open: bool,
    over: bool,
    later: Vec<(Duration, Message)>,
    pushing: Pushing,
}

/// A peer that pushes all blocks of a feed, again and again from the first to the last, and claims none.
#[derive(Clone)]
pub(crate) struct Pushing {
    /// What it is known by.
    pub(crate) public_key: [u8; 32],
    pub(crate) feed: PublicKey,
    /// How many it has pushed.
    pub(crate) count: Arc<AtomicU64>,
}

/// What the author has signed as well: a feed in which everything is otherwise, as long as the true one or longer.
///
/// Only who knows a part of the true one can tell the two apart; who knows nothing would take either.
pub(crate) fn other_history(
    sim: &Sim,
    rng: &mut Rng,
    truth: &Hypercore,
    secret: &SecretKey,
) -> Hypercore {
    let surroundings = Surroundings::new(sim, Rng::new(rng.next_u64()));
    let builder = Hypercore::builder(Storage::memory()).runtime(Arc::new(surroundings));
    let feed = at_once(builder.secret_key(secret.clone()).open()).unwrap();
    let longer = [0, 0, 1, 60][rng.below(4) as usize];
    let blocks = (0..truth.len() + longer).map(|_| Bytes::from(rng.bytes(17)));
    at_once(feed.append_batch(blocks.collect::<Vec<_>>())).unwrap();
    feed
}

/// How long a liar waits for a victim that takes nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a liar keeps for the victim, which is none of the victim's memory.
const MOST_AHEAD: usize = 64 * 1024;

impl Liar {
    pub(crate) fn new(
        sim: &Sim,
        rng: &mut Rng,
        lie: Lie,
        truth: &Hypercore,
        role: Role,
        dialect: Dialect,
    ) -> Self {
        let pair = KeyPair::from_seed(rng.array());
        let public_key = pair.public();
        let mut config = Config::new(role, pair);
        config.dialect = DialectChoice::Fixed(dialect);
        config.live = true;
        let randomness = Randomness {
            ephemeral: rng.array(),
            nonce: rng.array(),
        };
        let mut connection = Connection::new(config, randomness, sim.now()).unwrap();
        let channel = connection.open(&truth.key()).unwrap();
        Liar {
            sim: sim.clone(),
            rng: Rng::new(rng.next_u64()),
            lie,
            truth: truth.clone(),
            connection,
            channel,
            open: false,
            over: false,
            later: Vec::new(),
            pushing: Pushing {
                public_key,
                feed: truth.key(),
                count: Arc::default(),
            },
        }
    }

    /// If it pushes.
    pub(crate) fn pushes(&self) -> Option<Pushing> {
        (self.lie == Lie::Pushes).then(|| self.pushing.clone())
    }

    /// Lies until the victim has had enough.
    pub(crate) async fn run(mut self, mut socket: Socket) {
        let mut buffer = vec![0; 16 * 1024];
        let mut steps = 0;
        while !self.over {
            steps += 1;
            if self.lie == Lie::GarbledHandshake && steps == 1 + self.rng.below(2) {
                let len = 1 + self.rng.below(300) as usize;
                let bytes = self.rng.bytes(len);
                let _ = self.patiently(socket.write_all(&bytes)).await;
            }
            while let Some(bytes) = self.connection.poll_transmit(self.sim.now()) {
                if self.patiently(socket.write_all(&bytes)).await.is_none() {
                    return;
                }
            }
            let pause = millis(50 + self.rng.below(1_000));
            let pause = self.sim.sleep(pause);
            let read = async { Some(socket.read(&mut buffer).await.unwrap_or(0)) };
            let read = future::or(read, async {
                pause.await;
                None
            });
            match read.await {
                Some(0) => return,
                Some(len) => self.listen(&buffer[..len]).await,
                None if self.open && self.lie == Lie::Garbage => {
                    let bytes = self.rng.bytes(200);
                    let _ = self.patiently(socket.write_all(&bytes)).await;
                }
                None if self.open && self.lie == Lie::Pushes => self.push().await,
                None => self.act(),
            }
            self.send_what_is_due();
        }
    }

    async fn patiently<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Option<T> {
        let work = async { work.await.ok() };
        let late = async {
            self.sim.sleep(PATIENCE).await;
            None
        };
        future::or(work, late).await
    }

    async fn listen(&mut self, bytes: &[u8]) {
        let now = self.sim.now();
        self.over |= self.connection.handle_bytes(now, bytes).is_err();
        loop {
            match self.connection.poll_event() {
                Ok(Some(Event::Opened { .. })) => {
                    self.open = true;
                    self.greet();
                }
                Ok(Some(Event::Message { message, .. })) => self.hear(message).await,
                Ok(Some(Event::Closed { .. } | Event::Finished | Event::HungUp)) => {
                    self.over = true;
                }
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(_) => {
                    self.over = true;
                    return;
                }
            }
        }
    }

    fn greet(&mut self) {
        let status = Status {
            uploading: Some(true),
            downloading: Some(self.rng.one_in(2)),
        };
        self.send(Message::Status(status));
        if !matches!(self.lie, Lie::Mute | Lie::Pushes) {
            self.claim();
        }
    }

    fn claim(&mut self) {
        let length = match self.lie {
            Lie::ClaimsTheFuture => self.rng.next_u64() >> self.rng.below(62),
            _ => self.truth.len(),
        };
        self.send(have(0, Some(length.max(1))));
    }

    async fn hear(&mut self, message: Message) {
        match message {
            Message::Want(want) if self.lie == Lie::Pushes => {
                self.send(Message::Have(Have {
                    bitfield: Some(Bytes::new()),
                    ..claimed(want.start, want.length)
                }));
            }
            Message::Want(want) if self.lie != Lie::Mute => {
                let mut bits = vec![0xff; (self.truth.len() / 8) as usize];
                bits.push(0x80);
                if self.rng.one_in(4) {
                    bits.fill(0xff);
                    bits.extend([0xff; 64]);
                }
                self.send(Message::Have(Have {
                    start: want.start,
                    length: want.length,
                    bitfield: Some(wire::rle_encode(&bits).into()),
                    ack: None,
                }));
                self.claim();
            }
            Message::Request(request) => {
                let silent = matches!(self.lie, Lie::Silent | Lie::Mute | Lie::ClaimsTheFuture);
                if silent && !self.rng.one_in(8) {
                    return;
                }
                let Some(data) = self.answer(&request).await else {
                    return;
                };
                let data = match self.rng.one_in(2) {
                    true => data,
                    false => self.tamper(data).await,
                };
                let delay = match self.lie {
                    Lie::Late => millis(self.rng.below(30_000)),
                    _ => millis(0),
                };
                self.later
                    .push((self.sim.now() + delay, Message::Data(data)));
            }
            _ => {}
        }
    }

    /// The truth.
    async fn answer(&self, request: &Request) -> Option<Data> {
        let block = request.index;
        let proof = self.truth.proof(block).hash(request.hash());
        let proof = proof.digest(request.nodes()).await.ok()?;
        let value = match request.hash() {
            true => None,
            false => Some(self.truth.get(block).wait(false).await.ok()?),
        };
        let node = |node: &hypercore::Node| Node {
            index: node.index.get(),
            hash: node.hash.to_bytes(),
            size: node.size,
        };
        Some(Data {
            index: block,
            value,
            nodes: proof.nodes.iter().map(node).collect(),
            signature: proof.signature.map(|signature| signature.to_bytes()),
        })
    }

    /// And what is made of it.
    async fn tamper(&mut self, mut data: Data) -> Data {
        let rng = &mut self.rng;
        let mut value = data.value.as_deref().unwrap_or_default().to_vec();
        let some_node = match data.nodes.len() as u64 {
            0 => None,
            len => Some(rng.below(len) as usize),
        };
        match self.lie {
            Lie::OtherBytes if !value.is_empty() => {
                let at = rng.below(value.len() as u64) as usize;
                value[at] ^= 1 << rng.below(8);
                data.value = Some(value.into());
            }
            Lie::LongerBlock => {
                value.push(0);
                data.value = Some(value.into());
            }
            Lie::OtherHash => {
                if let Some(at) = some_node {
                    data.nodes[at].hash[rng.below(32) as usize] ^= 1 << rng.below(8);
                }
            }
            Lie::OtherSize => {
                if let Some(at) = some_node {
                    data.nodes[at].size = rng.next_u64() >> rng.below(64);
                }
            }
            Lie::OtherSignature => {
                if let Some(signature) = &mut data.signature {
                    signature[rng.below(64) as usize] ^= 1 << rng.below(8);
                }
            }
            Lie::NoSignature => data.signature = None,
            Lie::FewerNodes => {
                if let Some(at) = some_node {
                    data.nodes.remove(at);
                }
            }
            Lie::MoreNodes => {
                for _ in 0..rng.below(60) {
                    data.nodes.push(Node {
                        index: rng.below(3_000),
                        hash: rng.array(),
                        size: rng.below(1_000),
                    });
                }
            }
            Lie::SwappedNodes => data.nodes.reverse(),
            Lie::OtherBlock | Lie::OtherNumber => {
                let other = rng.below(self.truth.len().max(1));
                let request = Request {
                    index: other,
                    ..Request::default()
                };
                if let Some(honest) = self.answer(&request).await {
                    let index = data.index;
                    data = honest;
                    if self.lie == Lie::OtherBlock {
                        data.index = index;
                    }
                }
            }
            Lie::OnlyHashes => data.value = None,
            Lie::Nothing => {
                data.nodes.clear();
                data.signature = None;
                data.value = self.rng.one_in(2).then(Bytes::new);
            }
            _ => {}
        }
        data
    }

    /// Sends a few blocks in a row, as long as the one before has left.
    async fn push(&mut self) {
        for _ in 0..8 {
            let block = self.pushing.count.load(Ordering::Relaxed) % self.truth.len().max(1);
            let request = Request {
                index: block,
                ..Request::default()
            };
            if let Some(data) = self.answer(&request).await {
                self.send(Message::Data(data));
            }
            self.pushing.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Makes trouble by its own will.
    fn act(&mut self) {
        if !self.open {
            return;
        }
        let burst = 1 + self.rng.below(600);
        for _ in 0..burst {
            if self.connection.queued() > MOST_AHEAD {
                return;
            }
            let rng = &mut self.rng;
            let anywhere = rng.next_u64() >> rng.below(60);
            let message = match self.lie {
                Lie::Haves => have(anywhere, Some(1 + rng.below(3))),
                Lie::Requests => Message::Request(Request {
                    index: rng.below(self.truth.len() + 3),
                    nodes: Some(rng.next_u64() >> rng.below(64)),
                    hash: Some(rng.one_in(3)),
                    bytes: rng.one_in(5).then(|| rng.below(5_000)),
                }),
                Lie::Wants => Message::Want(Want {
                    start: rng.below(64) << 20,
                    length: Some(1 << 20),
                }),
                Lie::Extensions => match rng.one_in(100) {
                    true => Message::Options(Options {
                        extensions: (0..rng.below(64)).map(|n| n.to_string()).collect(),
                        ack: Some(true),
                    }),
                    false => Message::Extension(wire::Extension {
                        id: rng.below(70),
                        payload: vec![7; rng.below(2_000) as usize].into(),
                    }),
                },
                Lie::Strays => Message::Data(Data {
                    index: rng.below(300),
                    value: Some(vec![1; rng.below(9_000) as usize].into()),
                    nodes: Vec::new(),
                    signature: None,
                }),
                Lie::ClaimsAndTakesBack => {
                    let (start, length) = (rng.below(self.truth.len() + 1), Some(rng.below(50)));
                    match rng.one_in(2) {
                        true => have(start, length),
                        false => Message::Unhave(Unhave { start, length }),
                    }
                }
                _ => return self.claim(),
            };
            self.send(message);
        }
    }

    fn send_what_is_due(&mut self) {
        let now = self.sim.now();
        let later = std::mem::take(&mut self.later);
        for (then, message) in later {
            match then <= now {
                true => self.send(message),
                false => self.later.push((then, message)),
            }
        }
    }

    fn send(&mut self, message: Message) {
        self.over |= self.connection.send(self.channel, &message).is_err();
    }
}

fn have(start: u64, length: Option<u64>) -> Message {
    Message::Have(claimed(start, length))
}

fn claimed(start: u64, length: Option<u64>) -> Have {
    Have {
        start,
        length,
        bitfield: None,
        ack: None,
    }
}
