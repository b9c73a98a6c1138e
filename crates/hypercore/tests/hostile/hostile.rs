//! A hostile peer: it shakes hands as well as it must, and then says what it likes.

use std::{
    future::{Future, poll_fn},
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{BufMut, BytesMut};
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use hypercore::{DialectChoice, NoiseKeyPair, Role};
use noise::{Handshake, Outcome};
use protocol::Randomness;
use testkit::Rng;
use wire::{Decoder, Kind, Limits, Message, varint};

use crate::{arena::Arena, net::Socket};

/// How long it waits for a victim that takes nothing or says nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// The channel on which it speaks about the feed.
pub(crate) const CHANNEL: u64 = 1;

/// One connection of a hostile peer.
pub(crate) struct Hostile {
    pub(crate) arena: Arena,
    pub(crate) rng: Rng,
    pub(crate) socket: Socket,
    pub(crate) outcome: Option<Outcome>,
    decoder: Decoder,
    /// Whether it takes what the victim says while it speaks itself.
    listening: bool,
    gone: bool,
}

impl Hostile {
    /// Connects, and says nothing.
    pub(crate) fn connect(arena: &Arena) -> Self {
        Hostile::of(arena, arena.accept())
    }

    /// Connects from an address.
    pub(crate) fn connect_from(arena: &Arena, address: IpAddr) -> Self {
        Hostile::of(arena, arena.accept_from(address))
    }

    /// The far end of a connection that the victim makes.
    pub(crate) fn dialled(arena: &Arena) -> Self {
        Hostile::of(arena, arena.dial())
    }

    fn of(arena: &Arena, socket: Socket) -> Self {
        Hostile {
            arena: arena.clone(),
            rng: arena.rng(),
            socket,
            outcome: None,
            decoder: Decoder::new(Limits::default()),
            listening: true,
            gone: false,
        }
    }

    /// Connects and shakes hands.
    pub(crate) async fn meet(arena: &Arena) -> Self {
        let mut hostile = Hostile::connect(arena);
        hostile.shake(Role::Initiator).await;
        hostile
    }

    /// Connects, shakes hands and opens the feed.
    pub(crate) async fn open(arena: &Arena) -> Self {
        let mut hostile = Hostile::meet(arena).await;
        hostile.open_feed(CHANNEL).await;
        while !matches!(hostile.hear().await, None | Some((_, Message::Open(_)))) {}
        hostile
    }

    pub(crate) fn handshake(&mut self, role: Role) -> Handshake {
        let randomness = Randomness {
            ephemeral: self.rng.array(),
            nonce: self.rng.array(),
        };
        let pair = NoiseKeyPair::from_seed(self.rng.array());
        let choice = DialectChoice::Fixed(self.arena.dialect());
        Handshake::new(role, choice, pair, randomness).unwrap()
    }

    /// Shakes hands honestly. Says whether that went well.
    pub(crate) async fn shake(&mut self, role: Role) -> bool {
        let mut handshake = self.handshake(role);
        let mut heard = Vec::new();
        loop {
            while let Some(bytes) = handshake.poll_transmit() {
                self.raw(&bytes).await;
            }
            if handshake.is_finished() {
                break;
            }
            let Some(bytes) = self.read().await else {
                return false;
            };
            heard.extend(bytes);
            let Ok(consumed) = handshake.handle_bytes(&heard) else {
                return false;
            };
            heard.drain(..consumed);
            if handshake.needs_authentication().is_some() {
                handshake.authenticate(true).unwrap();
            }
        }
        let mut outcome = handshake.finish().unwrap();
        outcome.rx.apply(&mut heard);
        self.decoder.extend(&heard);
        self.outcome = Some(outcome);
        true
    }

    /// Opens the feed with the right capability.
    pub(crate) async fn open_feed(&mut self, channel: u64) -> bool {
        let key = self.arena.key();
        let capability = &self.outcome.as_ref().unwrap().capability;
        let open = wire::Open {
            discovery_key: key.discovery_key().to_bytes(),
            capability: Some(capability.local(key.as_bytes())),
        };
        self.say_on(channel, &Message::Open(open)).await
    }

    /// From here on it takes nothing of what the victim says.
    pub(crate) fn stop_listening(&mut self) {
        self.listening = false;
    }

    /// Sends bytes as they are. False once the victim has gone, or takes nothing.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) -> bool {
        if self.gone {
            return false;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let sim = self.arena.sim().clone();
            let write = poll_fn(|cx| {
                if self.listening {
                    self.take_what_came(cx);
                }
                Pin::new(&mut self.socket).poll_write(cx, rest)
            });
            match patiently(&sim, PATIENCE, write).await {
                Some(Ok(len @ 1..)) => rest = &rest[len..],
                _ => {
                    self.gone = true;
                    return false;
                }
            }
        }
        self.arena.sent(bytes.len());
        true
    }

    /// Encrypts and sends.
    pub(crate) async fn bytes(&mut self, bytes: &[u8]) -> bool {
        let mut bytes = bytes.to_vec();
        if let Some(outcome) = &mut self.outcome {
            outcome.tx.apply(&mut bytes);
        }
        self.raw(&bytes).await
    }

    /// Sends a frame, whatever is in it.
    pub(crate) async fn frame(&mut self, channel: u64, kind: u8, body: &[u8]) -> bool {
        let frame = frame(channel, kind, body);
        self.arena.framed(1);
        self.bytes(&frame).await
    }

    /// Sends a message about the feed.
    pub(crate) async fn say(&mut self, message: &Message) -> bool {
        self.say_on(CHANNEL, message).await
    }

    pub(crate) async fn say_on(&mut self, channel: u64, message: &Message) -> bool {
        let mut frame = BytesMut::new();
        message.encode_frame(channel, &mut frame);
        self.arena.framed(1);
        self.bytes(&frame).await
    }

    /// Sends many messages, so many to a piece.
    pub(crate) async fn flood(
        &mut self,
        count: usize,
        mut message: impl FnMut(&mut Rng, usize) -> Message,
    ) -> bool {
        const PIECE: usize = 500;
        for first in (0..count).step_by(PIECE) {
            let mut frames = BytesMut::new();
            for n in first..count.min(first + PIECE) {
                message(&mut self.rng, n).encode_frame(CHANNEL, &mut frames);
                self.arena.framed(1);
            }
            if !self.bytes(&frames).await {
                return false;
            }
        }
        true
    }

    /// The next message, and the channel. None once the victim has gone, or is silent.
    pub(crate) async fn hear(&mut self) -> Option<(u64, Message)> {
        loop {
            if let Some(frame) = self.decoder.next().unwrap() {
                let kind = frame.kind.unwrap();
                let message = Message::decode(kind, frame.body, &Limits::default()).unwrap();
                return Some((frame.channel, message));
            }
            let mut bytes = self.read().await?;
            self.outcome.as_mut()?.rx.apply(&mut bytes);
            self.decoder.extend(&bytes);
        }
    }

    /// The next request.
    pub(crate) async fn asked(&mut self) -> Option<wire::Request> {
        loop {
            if let (_, Message::Request(request)) = self.hear().await? {
                return Some(request);
            }
        }
    }

    /// Reads on until the victim has gone, for so long at most. Says whether it has.
    pub(crate) async fn left_within(&mut self, time: Duration) -> bool {
        let sim = self.arena.sim().clone();
        let left = async { while self.read().await.is_some() {} };
        patiently(&sim, time, left).await;
        self.gone
    }

    /// Ends its own direction.
    pub(crate) async fn end_sending(&mut self) {
        let _ = self.socket.close().await;
    }

    /// Waits for the victim to end the connection, as long as anybody may have to.
    pub(crate) async fn be_left(&mut self) {
        self.left_within(Duration::from_secs(45)).await;
    }

    /// Stays and gives a sign of life now and then.
    pub(crate) async fn hold(&mut self, time: Duration) {
        let until = self.arena.sim().now() + time;
        while self.arena.sim().now() < until && self.bytes(&[0]).await {
            self.arena.pause(Duration::from_secs(5)).await;
        }
    }

    /// Some bytes; none once the victim has gone, or is silent.
    pub(crate) async fn read(&mut self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 2 * 1024];
        let sim = self.arena.sim().clone();
        let read = patiently(&sim, PATIENCE, self.socket.read(&mut buffer)).await;
        match read {
            Some(Ok(len @ 1..)) => {
                buffer.truncate(len);
                Some(buffer)
            }
            read => {
                self.gone |= read.is_some();
                None
            }
        }
    }

    /// Listens without looking at what is said.
    fn take_what_came(&mut self, cx: &mut Context<'_>) {
        let mut buffer = [0; 2 * 1024];
        while let Poll::Ready(Ok(len @ 1..)) = Pin::new(&mut self.socket).poll_read(cx, &mut buffer)
        {
            // The stream has to go on.
            if let Some(outcome) = &mut self.outcome {
                outcome.rx.apply(&mut buffer[..len]);
            }
        }
    }
}

/// What comes of it within a time.
pub(crate) async fn patiently<T>(
    sim: &testkit::Sim,
    time: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    let late = async {
        sim.sleep(time).await;
        None
    };
    future::or(async { Some(work.await) }, late).await
}

/// A frame of a channel and a type that may not exist.
pub(crate) fn frame(channel: u64, kind: u8, body: &[u8]) -> Vec<u8> {
    let header = channel << 4 | u64::from(kind);
    let mut frame = Vec::new();
    varint::write((varint::len(header) + body.len()) as u64, &mut frame);
    varint::write(header, &mut frame);
    frame.extend_from_slice(body);
    frame
}

/// The beginning of a frame whose body is announced to be so long.
pub(crate) fn announced(channel: u64, kind: Kind, len: u64) -> Vec<u8> {
    let header = channel << 4 | u64::from(kind.number());
    let mut frame = Vec::new();
    varint::write(varint::len(header) as u64 + len, &mut frame);
    varint::write(header, &mut frame);
    frame
}

/// A protobuf field that holds a number.
pub(crate) fn number(field: u8, value: u64) -> Vec<u8> {
    let mut out = vec![field << 3];
    varint::write(value, &mut out);
    out
}

/// A protobuf field that holds bytes.
pub(crate) fn field(field: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    varint::write(bytes.len() as u64, &mut out);
    out.put_slice(bytes);
    out
}
