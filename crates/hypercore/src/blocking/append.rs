//! Writing without async: appending, clearing, finalizing, and the two writers.

use std::{fmt, io, ops::Range, thread};

use bytes::Bytes;
use crypto::PublicKey;
use futures_lite::{AsyncWriteExt, future::poll_fn};
use futures_sink::Sink;
use merkle::Proof;

use super::{Hypercore, wait_for};
use crate::{AuditReport, Encode, Encoding, Result};

impl<E: Encoding> Hypercore<E> {
    /// Appends one block and returns its number. Threads that append at the same time share a write and a signature.
    ///
    /// # Errors
    /// As [`crate::Hypercore::append`].
    pub fn append<T>(&self, value: T) -> Result<u64>
    where
        E: Encode<T>,
    {
        wait_for(self.feed.append(value))
    }

    /// Appends blocks with one signature and one write a file, and returns their numbers.
    ///
    /// # Errors
    /// As [`append`](Self::append); either all blocks are appended or none.
    pub fn append_batch<T>(&self, values: impl IntoIterator<Item = T>) -> Result<Range<u64>>
    where
        E: Encode<T>,
    {
        wait_for(self.feed.append_batch(values))
    }

    /// Returns when all appends that were called before it have.
    ///
    /// # Errors
    /// As [`crate::Hypercore::flush`].
    pub fn flush(&self) -> Result<()> {
        wait_for(self.feed.flush())
    }

    /// Appends what is sent into it, many values with one signature.
    pub fn write<T>(&self) -> WriteSink<E, T>
    where
        E: Encode<T> + Unpin,
    {
        WriteSink {
            sink: self.feed.write(),
        }
    }

    /// A [`Write`](io::Write) that is cut into blocks of a size and appended.
    ///
    /// ```
    /// use std::io::{Read, Seek, SeekFrom, Write};
    /// use hypercore::{Storage, blocking::Hypercore};
    ///
    /// let feed = Hypercore::open(Storage::memory())?;
    /// let mut writer = feed.byte_writer(4);
    /// writer.write_all(b"eleven byte").unwrap();
    /// writer.close().unwrap();
    /// assert_eq!(feed.len(), 3);
    ///
    /// let mut file = feed.bytes(..);
    /// file.seek(SeekFrom::Start(7)).unwrap();
    /// let mut text = String::new();
    /// file.read_to_string(&mut text).unwrap();
    /// assert_eq!(text, "byte");
    /// # Ok::<_, hypercore::Error>(())
    /// ```
    pub fn byte_writer(&self, block: usize) -> ByteWriter {
        ByteWriter {
            writer: Some(self.feed.byte_writer(block)),
        }
    }

    /// Clears the blocks of a range: their bytes are gone here, and the feed stays as long as it was.
    ///
    /// # Errors
    /// As [`crate::Hypercore::clear`].
    pub fn clear(&self, blocks: Range<u64>) -> Result<()> {
        wait_for(self.feed.clear(blocks))
    }

    /// Stores a block that came with a proof, or only its hashes, as if a peer had sent it.
    ///
    /// # Errors
    /// As [`crate::Hypercore::put`].
    pub fn put(&self, proof: Proof, value: Option<Bytes>) -> Result<()> {
        wait_for(self.feed.put(proof, value))
    }

    /// Ends a static feed, whose tree hash is its key from then on.
    ///
    /// # Errors
    /// As [`crate::Hypercore::finalize`].
    pub fn finalize(&self) -> Result<PublicKey> {
        wait_for(self.feed.finalize())
    }

    /// Reads every stored block and compares it with its hash. Those that don't match are forgotten.
    ///
    /// # Errors
    /// As [`crate::Hypercore::audit`].
    pub fn audit(&self) -> Result<AuditReport> {
        wait_for(self.feed.audit())
    }

    /// Checks all that is stored and changes nothing.
    ///
    /// # Errors
    /// As [`crate::Hypercore::deep_audit`].
    pub fn deep_audit(&self) -> Result<AuditReport> {
        wait_for(self.feed.deep_audit())
    }
}

/// Appends every value that is sent into it. What gathers shares a signature, and is stored once a flush or the close returns.
///
/// ```
/// use hypercore::{Storage, blocking::Hypercore};
///
/// let feed = Hypercore::open(Storage::memory())?;
/// let mut sink = feed.write();
/// for line in ["a", "b", "c"] {
///     sink.send(line)?;
/// }
/// sink.close()?;
/// assert_eq!(feed.len(), 3);
/// # Ok::<_, hypercore::Error>(())
/// ```
#[must_use = "a sink appends nothing by itself"]
pub struct WriteSink<E, T> {
    sink: crate::WriteSink<E, T>,
}

impl<T, E: Encode<T> + Unpin> WriteSink<E, T> {
    /// Takes a value. Waits only if many wait to be appended already.
    ///
    /// # Errors
    /// [`Error::Encode`](crate::Error::Encode), and those of appending what came before it.
    pub fn send(&mut self, value: T) -> Result<()> {
        let sink = &mut self.sink;
        wait_for(poll_fn(|cx| {
            Sink::<T>::poll_ready(std::pin::Pin::new(&mut *sink), cx)
        }))?;
        std::pin::Pin::new(sink).start_send(value)
    }

    /// Appends what has gathered.
    ///
    /// # Errors
    /// As [`Hypercore::append`].
    pub fn flush(&mut self) -> Result<()> {
        let sink = &mut self.sink;
        wait_for(poll_fn(|cx| {
            Sink::<T>::poll_flush(std::pin::Pin::new(&mut *sink), cx)
        }))
    }

    /// Appends what has gathered, and ends.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn close(mut self) -> Result<()> {
        self.flush()
    }
}

/// Cuts the bytes that are written into it into blocks of one size, and appends them.
///
/// A flush appends full blocks only; the last, shorter one is appended when the writer is closed. One that is dropped is closed
/// too, but then nobody learns whether that failed.
#[must_use = "a writer appends nothing by itself"]
pub struct ByteWriter {
    /// There until it is closed.
    writer: Option<crate::ByteWriter>,
}

impl ByteWriter {
    /// Appends all that was written, the last block as short as it is.
    ///
    /// # Errors
    /// As [`Hypercore::append`], inside of an [`io::Error`].
    pub fn close(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        match self.writer.take() {
            Some(mut writer) => wait_for(writer.close()),
            None => Ok(()),
        }
    }

    fn writer(&mut self) -> io::Result<&mut crate::ByteWriter> {
        self.writer
            .as_mut()
            .ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl io::Write for ByteWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let writer = self.writer()?;
        wait_for(writer.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        let writer = self.writer()?;
        wait_for(writer.flush())
    }
}

impl Drop for ByteWriter {
    fn drop(&mut self) {
        // Who wants to know says `close`. In a panic half a block may be what somebody was about to complete.
        if !thread::panicking() {
            let _ = self.end();
        }
    }
}

impl<E, T> fmt::Debug for WriteSink<E, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sink.fmt(f)
    }
}

impl fmt::Debug for ByteWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.writer.fmt(f)
    }
}
