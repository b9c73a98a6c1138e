//! A socket whose other side has to take what it has asked for.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use async_std::task::sleep;
use futures_lite::{AsyncRead, AsyncWrite};

/// Fails once nothing could be written for a while.
pub(super) struct Hurried<S> {
    socket: S,
    patience: Duration,
    /// Runs while a write waits.
    late: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<S> Hurried<S> {
    pub(super) fn new(socket: S, patience: Duration) -> Self {
        Hurried {
            socket,
            patience,
            late: None,
        }
    }

    fn limit<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.late = None;
            return written;
        }
        let patience = self.patience;
        let late = self.late.get_or_insert_with(|| Box::pin(sleep(patience)));
        match late.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Hurried<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Hurried<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.limit(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        self.limit(cx, flushed)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.socket).poll_close(cx);
        self.limit(cx, closed)
    }
}

#[cfg(test)]
mod tests {
    use async_std::task::block_on;
    use futures_lite::AsyncWriteExt;

    use super::*;

    /// Takes a few bytes, and then nothing.
    struct Stuck(usize);

    impl AsyncWrite for Stuck {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let len = bytes.len().min(self.0);
            self.0 -= len;
            match len {
                0 => Poll::Pending,
                len => Poll::Ready(Ok(len)),
            }
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn whoever_takes_nothing_is_given_up() {
        let mut socket = Hurried::new(Stuck(10), Duration::from_millis(20));
        block_on(socket.write_all(&[0; 10])).unwrap();
        let error = block_on(socket.write_all(&[0; 10])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
