//! A man in the middle who knows the feed's key: two handshakes, and every message goes through his hands.

use bytes::Bytes;
use crypto::{Dialect, PublicKey};
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use noise::{DialectChoice, KeyPair, Role};
use protocol::{Channel, Config, Connection, Event, Randomness};
use wire::Message;

/// One of the two connections of the man in the middle.
struct Side<S> {
    socket: S,
    connection: Connection,
    channel: Channel,
    open: bool,
    // What is to be sent once both have opened the feed.
    waiting: Vec<Message>,
    buffer: Vec<u8>,
    ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Side<S> {
    fn new(socket: S, role: Role, key: &PublicKey, dialect: Dialect, seed: u8) -> Self {
        let mut config = Config::new(role, KeyPair::from_seed([seed; 32]));
        config.dialect = DialectChoice::Fixed(dialect);
        let randomness = Randomness {
            ephemeral: [seed + 1; 32],
            nonce: [seed + 2; 24],
        };
        let mut connection =
            Connection::new(config, randomness, std::time::Duration::ZERO).unwrap();
        let channel = connection.open(key).unwrap();
        Side {
            socket,
            connection,
            channel,
            open: false,
            waiting: Vec::new(),
            buffer: vec![0; 64 * 1024],
            ended: false,
        }
    }

    /// Whatever arrived, or nothing when the remote has gone.
    async fn read(&mut self) -> usize {
        if self.ended {
            return future::pending().await;
        }
        self.socket.read(&mut self.buffer).await.unwrap_or(0)
    }

    /// The messages in the `len` bytes that were read.
    fn receive(&mut self, len: usize) -> Vec<Message> {
        let now = std::time::Duration::ZERO;
        if len == 0
            || self
                .connection
                .handle_bytes(now, &self.buffer[..len])
                .is_err()
        {
            self.ended = true;
        }
        let mut messages = Vec::new();
        while let Some(event) = self.connection.poll_event().unwrap_or_else(|_| {
            self.ended = true;
            None
        }) {
            match event {
                Event::Opened { .. } => {
                    self.open = true;
                    for message in std::mem::take(&mut self.waiting) {
                        self.send(message);
                    }
                }
                Event::Message { message, .. } => messages.push(message),
                Event::Closed { .. } | Event::Finished | Event::HungUp => self.ended = true,
                _ => {}
            }
        }
        messages
    }

    fn send(&mut self, message: Message) {
        match self.open {
            true => self.connection.send(self.channel, &message).unwrap(),
            false => self.waiting.push(message),
        }
    }

    async fn flush(&mut self) {
        while let Some(bytes) = self.connection.poll_transmit(std::time::Duration::ZERO) {
            // A victim that has hung up is what some tests wait for.
            let _ = self.socket.write_all(&bytes).await;
        }
    }
}

/// Relays between a reader, who is the initiator, and a writer, until one of them has gone. `tamper` sees each message
/// of the writer and says what the reader gets instead.
pub(crate) async fn relay<S>(
    key: PublicKey,
    dialect: Dialect,
    reader: S,
    writer: S,
    mut tamper: impl FnMut(Message) -> Vec<Message>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut reader = Side::new(reader, Role::Responder, &key, dialect, 10);
    let mut writer = Side::new(writer, Role::Initiator, &key, dialect, 20);
    enum Arrived {
        FromReader(usize),
        FromWriter(usize),
    }
    while !reader.ended && !writer.ended {
        reader.flush().await;
        writer.flush().await;
        let arrived = future::or(async { Arrived::FromReader(reader.read().await) }, async {
            Arrived::FromWriter(writer.read().await)
        })
        .await;
        match arrived {
            Arrived::FromReader(len) => {
                for message in reader.receive(len) {
                    writer.send(message);
                }
            }
            Arrived::FromWriter(len) => {
                for message in writer.receive(len).into_iter().flat_map(&mut tamper) {
                    reader.send(message);
                }
            }
        }
    }
    reader.flush().await;
    writer.flush().await;
}

/// Flips one bit of a block, a hash or a signature.
pub(crate) fn flip(bytes: &Bytes, at: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    let len = bytes.len();
    bytes[at % len] ^= 1 << (at % 8);
    bytes.into()
}
