//! Connections that are all but over, and a remote that says no more, or still more.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use async_std::task;
use futures_lite::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use hypercore::{Dialect, Error, Role};
use noise::{DialectChoice, KeyPair};
use protocol::{Config, Connection, Event, Randomness};
use wire::{Message, Status};

use crate::{
    duplex::{Duplex, duplex},
    pair::writer,
};

const NOW: Duration = Duration::ZERO;

/// A remote that opens the feed, wants nothing and has nothing, and never closes. Says when the feed was closed at it.
async fn stay(mut socket: Duplex, key: &crypto::PublicKey, closed: async_channel::Sender<()>) {
    let mut config = Config::new(Role::Initiator, KeyPair::from_seed([1; 32]));
    config.dialect = DialectChoice::Fixed(Dialect::V8);
    let randomness = Randomness {
        ephemeral: [2; 32],
        nonce: [3; 24],
    };
    let mut connection = Connection::new(config, randomness, NOW).unwrap();
    let channel = connection.open(key).unwrap();
    let mut buffer = [0; 4096];
    loop {
        while let Some(bytes) = connection.poll_transmit(NOW) {
            if socket.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let len = socket.read(&mut buffer).await.unwrap_or(0);
        if len == 0 || connection.handle_bytes(NOW, &buffer[..len]).is_err() {
            return;
        }
        while let Some(event) = connection.poll_event().unwrap() {
            match event {
                Event::Opened { .. } => {
                    let status = Status {
                        uploading: Some(false),
                        downloading: Some(false),
                    };
                    connection.send(channel, &Message::Status(status)).unwrap();
                }
                Event::Closed { .. } => {
                    closed.send(()).await.unwrap();
                    // The answer to the Close stays here.
                    return std::future::pending().await;
                }
                _ => {}
            }
        }
    }
}

#[test]
fn a_feed_that_is_closed_ends_its_connection_while_that_waits_for_the_remotes_close() {
    task::block_on(async {
        let feed = writer(3, Dialect::V8).await;
        let (left, right) = duplex(4096);
        let (sender, closed) = async_channel::bounded(1);
        let key = feed.key();
        let remote = task::spawn(async move { stay(left, &key, sender).await });
        let end = task::spawn(feed.replicate(Role::Responder, right).into_future());
        closed.recv().await.unwrap();
        let started = Instant::now();
        feed.close().await.unwrap();
        assert!(matches!(end.await, Err(Error::Closed)));
        assert!(started.elapsed() < Duration::from_secs(5));
        remote.cancel().await;
    });
}

#[test]
fn a_remote_that_is_still_sending_when_the_feed_is_closed_is_heard_to_its_end() {
    task::block_on(async {
        let feed = writer(3, Dialect::V8).await;
        let (mut left, right) = duplex(4096);
        let end = task::spawn(feed.replicate(Role::Responder, right).into_future());
        feed.close().await.unwrap();
        // More than the socket holds: somebody has to take it.
        left.write_all(&[0; 64 * 1024]).await.unwrap();
        let mut said = Vec::new();
        left.read_to_end(&mut said).await.unwrap();
        left.close().await.unwrap();
        assert!(matches!(end.await, Err(Error::Closed)));
    });
}

/// A socket from which there is always more to read, once our direction has ended.
struct Torrent {
    breaks_loose: bool,
}

impl AsyncRead for Torrent {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.breaks_loose {
            true => Poll::Ready(Ok(buffer.len())),
            false => Poll::Pending,
        }
    }
}

impl AsyncWrite for Torrent {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.breaks_loose = true;
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_remote_that_never_pauses_is_not_heard_for_ever() {
    task::block_on(async {
        let feed = writer(3, Dialect::V8).await;
        let socket = Torrent {
            breaks_loose: false,
        };
        let connection = task::spawn(feed.replicate(Role::Responder, socket).into_future());
        task::sleep(Duration::from_millis(100)).await;
        let started = Instant::now();
        feed.close().await.unwrap();
        assert!(matches!(connection.await, Err(Error::Closed)));
        let took = started.elapsed();
        assert!((1..10).contains(&took.as_secs()), "{took:?}");
    });
}
