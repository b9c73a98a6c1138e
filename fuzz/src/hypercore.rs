//! The facade: a stranger's bytes on a socket of a feed that must survive them.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures_io::{AsyncRead, AsyncWrite};
use hypercore::{Dialect, DialectChoice, Hypercore, KeyPair, Role, Storage};

/// A socket from which the input arrives in pieces and which swallows whatever is written.
struct Stranger {
    input: io::Cursor<Vec<u8>>,
    piece: usize,
}

impl AsyncRead for Stranger {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let len = self.piece.min(out.len());
        Poll::Ready(io::Read::read(&mut self.input, &mut out[..len]))
    }
}

impl AsyncWrite for Stranger {
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

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The first two bytes choose role, dialect and the size of the pieces; the rest arrives. The connection ends, with
/// whatever result, and the feed is what it was.
pub fn facade(data: &[u8]) {
    let [how, piece, input @ ..] = data else {
        return;
    };
    let socket = Stranger {
        input: io::Cursor::new(input.to_vec()),
        piece: usize::from(*piece) + 1,
    };
    let role = match how & 1 {
        0 => Role::Initiator,
        _ => Role::Responder,
    };
    let dialect = match how & 2 {
        0 => Dialect::V8,
        _ => Dialect::V9,
    };
    futures_lite::future::block_on(async {
        let feed = Hypercore::builder(Storage::memory())
            .secret_key(KeyPair::from_seed([1; 32]).secret().clone())
            .open()
            .await
            .expect("memory can be opened");
        feed.append("block").await.expect("memory can be written");
        let _ = feed
            .replicate(role, socket)
            .dialect(DialectChoice::Fixed(dialect))
            .await;
        assert_eq!((feed.len(), feed.byte_len()), (1, 5));
        assert_eq!(feed.get(0).await.expect("the block is there"), "block");
        assert!(feed.peers().is_empty());
    });
}
