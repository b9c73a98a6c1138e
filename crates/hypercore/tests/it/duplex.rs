//! A pair of sockets in memory.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures_io::{AsyncRead, AsyncWrite};
use piper::{Reader, Writer};

/// One end of a two-way pipe.
pub(crate) struct Duplex {
    reader: Reader,
    writer: Option<Writer>,
}

/// Two ends, each of which reads what the other writes. At most `capacity` bytes are under way in a direction.
pub(crate) fn duplex(capacity: usize) -> (Duplex, Duplex) {
    let (a_reader, b_writer) = piper::pipe(capacity);
    let (b_reader, a_writer) = piper::pipe(capacity);
    let end = |reader, writer| Duplex {
        reader,
        writer: Some(writer),
    };
    (end(a_reader, a_writer), end(b_reader, b_writer))
}

impl AsyncRead for Duplex {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read(cx, out)
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.writer {
            // A pipe whose reader is gone takes nothing more: what a socket calls broken.
            Some(writer) => Pin::new(writer)
                .poll_write(cx, bytes)
                .map(|written| match written {
                    Ok(0) => Err(io::ErrorKind::BrokenPipe.into()),
                    other => other,
                }),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer = None;
        Poll::Ready(Ok(()))
    }
}
