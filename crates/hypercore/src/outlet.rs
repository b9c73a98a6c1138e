//! What is being written to a socket: pieces that leave together.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use futures_io::AsyncWrite;

/// Pieces on their way to a socket, first the oldest.
#[derive(Default)]
pub(crate) struct Outlet {
    pieces: VecDeque<Bytes>,
    len: usize,
}

/// How many pieces are written at a time.
const GATHERED: usize = 16;

/// No more is taken than this at a time, and then what makes it whole: what is taken counts as having left.
const ENOUGH: usize = 64 * 1024;

impl Outlet {
    /// Takes pieces as long as they are few.
    pub(crate) fn fill(&mut self, mut next: impl FnMut() -> Option<Bytes>) {
        while self.len < ENOUGH
            && self.pieces.len() < GATHERED
            && let Some(piece) = next()
        {
            self.len += piece.len();
            self.pieces.push_back(piece);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes wait.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Writes everything, and sees to it that it leaves.
    pub(crate) fn poll_write<S>(
        &mut self,
        socket: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>>
    where
        S: AsyncWrite + Unpin,
    {
        while !self.is_empty() {
            let mut slices = [IoSlice::new(&[]); GATHERED];
            for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                *slice = IoSlice::new(piece);
            }
            let slices = slices.get(..self.pieces.len()).unwrap_or(&slices);
            match Pin::new(&mut *socket).poll_write_vectored(cx, slices) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(len)) => self.advance(len),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Pin::new(socket).poll_flush(cx)
    }

    fn advance(&mut self, written: usize) {
        let mut left = written.min(self.len);
        self.len -= left;
        while let Some(piece) = self.pieces.front_mut() {
            if piece.len() > left {
                piece.advance(left);
                return;
            }
            left -= piece.len();
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use futures_lite::future::{block_on, poll_fn};

    use super::*;

    /// Takes a few bytes at a time, over the bounds of pieces.
    struct Narrow(Vec<u8>);

    impl AsyncWrite for Narrow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.0.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            let taken = &bytes[..bytes.len().min(7)];
            self.0.extend_from_slice(taken);
            Poll::Ready(Ok(taken.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn pieces_leave_in_order_however_little_the_socket_takes() {
        let pieces: Vec<Bytes> = (0..40u8).map(|n| vec![n; usize::from(n)].into()).collect();
        let mut waiting: VecDeque<Bytes> = pieces.iter().skip(1).cloned().collect();
        let (mut outlet, mut socket) = (Outlet::default(), Narrow(Vec::new()));
        loop {
            outlet.fill(|| waiting.pop_front());
            if outlet.is_empty() {
                break;
            }
            assert!(outlet.pieces.len() <= GATHERED);
            block_on(poll_fn(|cx| outlet.poll_write(&mut socket, cx))).unwrap();
        }
        assert_eq!(socket.0, pieces.concat());
    }

    #[test]
    fn no_more_is_taken_than_enough() {
        let mut outlet = Outlet::default();
        outlet.fill(|| Some(Bytes::from(vec![0; 60 * 1024])));
        assert_eq!(outlet.len(), 120 * 1024);
    }
}
