//! A peer played by hand: it shakes hands honestly, and then says what the test wants it to.

use bytes::BytesMut;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use hypercore::{Dialect, DialectChoice, DiscoveryKey, NoiseKeyPair, PublicKey, Role};
use noise::{Handshake, Outcome};
use protocol::Randomness;
use wire::{Close, Decoder, Limits, Message, Open};

use crate::duplex::Duplex;

/// One end of a connection.
pub(crate) struct Raw {
    socket: Duplex,
    outcome: Outcome,
    decoder: Decoder,
}

impl Raw {
    /// Shakes hands in dialect 8.
    pub(crate) async fn meet(role: Role, mut socket: Duplex) -> Self {
        let randomness = Randomness {
            ephemeral: [71; 32],
            nonce: [72; 24],
        };
        let pair = NoiseKeyPair::from_seed([73; 32]);
        let choice = DialectChoice::Fixed(Dialect::V8);
        let mut handshake = Handshake::new(role, choice, pair, randomness).unwrap();
        let mut buffer = Vec::new();
        while !handshake.is_finished() {
            if let Some(bytes) = handshake.poll_transmit() {
                socket.write_all(&bytes).await.unwrap();
                continue;
            }
            let mut piece = [0; 1024];
            let len = socket.read(&mut piece).await.unwrap();
            assert!(len > 0, "the other side has hung up");
            buffer.extend_from_slice(&piece[..len]);
            let consumed = handshake.handle_bytes(&buffer).unwrap();
            buffer.drain(..consumed);
            if handshake.needs_authentication().is_some() {
                handshake.authenticate(true).unwrap();
            }
        }
        if let Some(bytes) = handshake.poll_transmit() {
            socket.write_all(&bytes).await.unwrap();
        }
        let mut outcome = handshake.finish().unwrap();
        outcome.rx.apply(&mut buffer);
        let mut decoder = Decoder::new(Limits::default());
        decoder.extend(&buffer);
        Raw {
            socket,
            outcome,
            decoder,
        }
    }

    /// Opens a feed whose key is known.
    pub(crate) async fn open(&mut self, channel: u64, key: &PublicKey) {
        let capability = self.outcome.capability.local(key.as_bytes());
        self.open_with(channel, key.discovery_key(), Some(capability))
            .await;
    }

    /// Opens a feed with a capability that may be right or not.
    pub(crate) async fn open_with(
        &mut self,
        channel: u64,
        discovery_key: DiscoveryKey,
        capability: Option<[u8; 32]>,
    ) {
        let open = Open {
            discovery_key: discovery_key.to_bytes(),
            capability,
        };
        self.send(channel, &Message::Open(open)).await;
    }

    pub(crate) async fn send(&mut self, channel: u64, message: &Message) {
        let mut bytes = BytesMut::new();
        message.encode_frame(channel, &mut bytes);
        self.send_bytes(&bytes).await;
    }

    /// Sends messages in one piece.
    pub(crate) async fn send_all(&mut self, channel: u64, messages: &[Message]) {
        let mut bytes = BytesMut::new();
        for message in messages {
            message.encode_frame(channel, &mut bytes);
        }
        self.send_bytes(&bytes).await;
    }

    /// Sends what need not be a message.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        self.outcome.tx.apply(&mut bytes);
        self.socket.write_all(&bytes).await.unwrap();
    }

    /// The next message and its channel, or none when the other side has hung up.
    pub(crate) async fn next(&mut self) -> Option<(u64, Message)> {
        loop {
            if let Some(frame) = self.decoder.next().unwrap() {
                let kind = frame.kind.unwrap();
                let message = Message::decode(kind, frame.body, &Limits::default()).unwrap();
                return Some((frame.channel, message));
            }
            let mut piece = [0; 1024];
            match self.socket.read(&mut piece).await {
                Ok(len @ 1..) => {
                    let piece = &mut piece[..len];
                    self.outcome.rx.apply(piece);
                    self.decoder.extend(piece);
                }
                _ => return None,
            }
        }
    }
}

/// The refusal of a feed.
pub(crate) fn refusal(discovery_key: DiscoveryKey) -> Message {
    Message::Close(Close {
        discovery_key: Some(discovery_key.to_bytes()),
    })
}
