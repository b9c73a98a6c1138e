//! A stream of bytes made of two: one to read from, one to write to.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use blocking::Unblock;
use futures_lite::{AsyncRead, AsyncWrite};

/// What is read comes from `reader`, what is written goes to `writer`.
pub(crate) struct Duplex<R, W> {
    reader: R,
    /// None once it is closed: dropping a pipe is what tells the other side.
    writer: Option<W>,
}

impl<R, W> Duplex<R, W> {
    pub(crate) fn new(reader: R, writer: W) -> Self {
        Duplex {
            reader,
            writer: Some(writer),
        }
    }
}

/// Standard input and standard output of this process.
pub(crate) fn stdio() -> Duplex<Unblock<io::Stdin>, Unblock<io::Stdout>> {
    Duplex::new(Unblock::new(io::stdin()), Unblock::new(io::stdout()))
}

impl<R: AsyncRead + Unpin, W: Unpin> AsyncRead for Duplex<R, W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read(cx, into)
    }
}

impl<R: Unpin, W: AsyncWrite + Unpin> AsyncWrite for Duplex<R, W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.writer {
            Some(writer) => Pin::new(writer).poll_write(cx, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.writer {
            Some(writer) => Pin::new(writer).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(writer) = &mut self.writer else {
            return Poll::Ready(Ok(()));
        };
        let closed = Pin::new(writer).poll_close(cx);
        if closed.is_ready() {
            self.writer = None;
        }
        closed
    }
}
