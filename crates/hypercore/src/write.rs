//! Appending through the standard faces: a [`Sink`] of values, and a byte stream that is cut into blocks.

use std::{
    fmt, io,
    marker::PhantomData,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use futures_io::AsyncWrite;
use futures_sink::Sink;

use crate::{Encode, Error, Result, append::append, core::Core, runtime::BoxFuture};

/// While more than this waits to be appended, nothing more is taken.
const MAX_BUFFERED: usize = 1024 * 1024;

/// Appends every value that is sent into it. What gathers between two appends shares a signature.
///
/// Values are stored once a flush or the close has completed.
///
/// ```
/// # async_std::task::block_on(async {
/// use futures_util::SinkExt;
/// use hypercore::{Hypercore, Storage};
///
/// let feed = Hypercore::open(Storage::memory()).await?;
/// let mut sink = feed.write();
/// sink.feed("a").await?;
/// sink.feed("b").await?;
/// sink.close().await?;
/// assert_eq!(feed.len(), 2);
/// # Ok::<_, hypercore::Error>(()) }).unwrap();
/// ```
#[must_use = "a sink appends nothing by itself"]
pub struct WriteSink<E, T> {
    encoding: E,
    appender: Appender,
    values: PhantomData<fn(T)>,
}

impl<E, T> WriteSink<E, T> {
    pub(crate) fn new(core: Arc<Core>, encoding: E) -> Self {
        WriteSink {
            encoding,
            appender: Appender::new(core),
            values: PhantomData,
        }
    }
}

impl<T, E: Encode<T> + Unpin> Sink<T> for WriteSink<E, T> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.appender.poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, value: T) -> Result<()> {
        let block = self.encoding.encode(value);
        let block = block.map_err(|reason| Error::Encode(reason.into()))?;
        self.appender.push(block);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.appender.poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.appender.poll_flush(cx)
    }
}

impl<E, T> fmt::Debug for WriteSink<E, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteSink")
            .field("buffered", &self.appender.bytes)
            .finish_non_exhaustive()
    }
}

/// Cuts the bytes that are written into it into blocks of one size, and appends them.
///
/// A flush appends full blocks only; the last, shorter one is appended when the writer is closed.
///
/// ```
/// # async_std::task::block_on(async {
/// use futures_lite::AsyncWriteExt;
/// use hypercore::{Hypercore, Storage};
///
/// let feed = Hypercore::open(Storage::memory()).await?;
/// let mut writer = feed.byte_writer(4);
/// writer.write_all(b"eleven byte").await.unwrap();
/// writer.close().await.unwrap();
/// assert_eq!(feed.len(), 3);
/// assert_eq!(feed.get(2).await?, "yte");
/// # Ok::<_, hypercore::Error>(()) }).unwrap();
/// ```
#[must_use = "a writer appends nothing by itself"]
pub struct ByteWriter {
    appender: Appender,
    block: usize,
    rest: BytesMut,
}

impl ByteWriter {
    pub(crate) fn new(core: Arc<Core>, block: usize) -> Self {
        ByteWriter {
            appender: Appender::new(core),
            block: block.clamp(1, feed::MAX_BLOCK),
            rest: BytesMut::new(),
        }
    }
}

impl AsyncWrite for ByteWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.appender.poll_ready(cx)).map_err(io::Error::other)?;
        let room = self.block - self.rest.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.rest.extend_from_slice(taken);
        if self.rest.len() == self.block {
            let block = self.rest.split().freeze();
            self.appender.push(block);
        }
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.appender.poll_flush(cx).map_err(io::Error::other)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.rest.is_empty() {
            let block = self.rest.split().freeze();
            self.appender.push(block);
        }
        self.poll_flush(cx)
    }
}

impl fmt::Debug for ByteWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteWriter")
            .field("block", &self.block)
            .field("buffered", &(self.appender.bytes + self.rest.len()))
            .finish_non_exhaustive()
    }
}

/// Blocks that wait, and an append that is under way.
struct Appender {
    core: Arc<Core>,
    blocks: Vec<Bytes>,
    bytes: usize,
    appending: Option<BoxFuture<Result<Range<u64>>>>,
}

impl Appender {
    fn new(core: Arc<Core>) -> Self {
        Appender {
            core,
            blocks: Vec::new(),
            bytes: 0,
            appending: None,
        }
    }

    fn push(&mut self, block: Bytes) {
        self.bytes += block.len() + 1;
        self.blocks.push(block);
    }

    /// Completes when there is room for another block.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match self.bytes < MAX_BUFFERED {
            true => Poll::Ready(Ok(())),
            false => self.poll_flush(cx),
        }
    }

    /// Completes when everything is appended.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            if let Some(appending) = &mut self.appending {
                let appended = ready!(appending.as_mut().poll(cx));
                self.appending = None;
                appended?;
            }
            if self.blocks.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let blocks = std::mem::take(&mut self.blocks);
            self.bytes = 0;
            let core = Arc::clone(&self.core);
            self.appending = Some(Box::pin(async move { append(&core, blocks).await }));
        }
    }
}
