//! Reading without async: blocks, iterators over them, the bytes as a file, and waiting for what isn't here.

use std::{
    fmt,
    future::IntoFuture,
    io::{self, SeekFrom},
    ops::{Range, RangeBounds},
};

use futures_core::Stream;
use futures_lite::{AsyncReadExt, AsyncSeekExt, StreamExt};
use merkle::Proof;

use super::{Hypercore, wait_for};
use crate::{
    CreateProof, DownloadRequest, Encoding, Events, Get, GetRange, Head, Progress, ReadStream,
    Result, Seek, Update,
};

impl<E: Encoding> Hypercore<E> {
    /// A block: from the files if it is stored here, else from the first peer that has it. Waits for as long as that takes.
    ///
    /// # Errors
    /// As [`crate::Hypercore::get`].
    pub fn get(&self, block: u64) -> Result<E::Value> {
        self.get_with(block, |get| get)
    }

    /// The same with options, such as [`Get::wait`], [`Get::timeout`] and [`Get::encoding`].
    ///
    /// ```
    /// use hypercore::{Storage, Utf8, blocking::Hypercore};
    ///
    /// let feed = Hypercore::open(Storage::memory())?;
    /// feed.append("a")?;
    /// let text: String = feed.get_with(0, |get| get.encoding(Utf8).wait(false))?;
    /// # assert_eq!(text, "a");
    /// # Ok::<_, hypercore::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`crate::Hypercore::get`].
    pub fn get_with<F: Encoding>(
        &self,
        block: u64,
        options: impl FnOnce(Get<E>) -> Get<F>,
    ) -> Result<F::Value> {
        run(options(self.feed.get(block)))
    }

    /// The blocks of a range, all of them.
    ///
    /// # Errors
    /// As [`crate::Hypercore::get_range`].
    pub fn get_range(&self, blocks: Range<u64>) -> Result<Vec<E::Value>> {
        self.get_range_with(blocks, |get| get)
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`crate::Hypercore::get_range`].
    pub fn get_range_with<F: Encoding>(
        &self,
        blocks: Range<u64>,
        options: impl FnOnce(GetRange<E>) -> GetRange<F>,
    ) -> Result<Vec<F::Value>> {
        run(options(self.feed.get_range(blocks)))
    }

    /// The last block, as far as the length is known here.
    ///
    /// # Errors
    /// As [`crate::Hypercore::head`].
    pub fn head(&self) -> Result<E::Value> {
        self.head_with(|head| head)
    }

    /// The same with options, such as [`Head::update`].
    ///
    /// # Errors
    /// As [`crate::Hypercore::head`].
    pub fn head_with<F: Encoding>(
        &self,
        options: impl FnOnce(Head<E>) -> Head<F>,
    ) -> Result<F::Value> {
        run(options(self.feed.head()))
    }

    /// The blocks of a range, one after the other.
    ///
    /// ```
    /// use hypercore::{Storage, blocking::Hypercore};
    ///
    /// let feed = Hypercore::open(Storage::memory())?;
    /// feed.append_batch(["a", "b", "c"])?;
    /// let blocks: Vec<_> = feed.read(1..).collect::<Result<_, _>>()?;
    /// assert_eq!(blocks, ["b", "c"]);
    /// // Without an end: whatever is appended, when it is.
    /// let mut tail = feed.read_with(3.., |read| read.live(true));
    /// feed.append("d")?;
    /// assert_eq!(tail.next().unwrap()?, "d");
    /// # Ok::<_, hypercore::Error>(())
    /// ```
    pub fn read(&self, blocks: impl RangeBounds<u64>) -> Iter<ReadStream<E>>
    where
        E: Unpin,
    {
        self.read_with(blocks, |read| read)
    }

    /// The same with options, such as [`ReadStream::live`] and [`ReadStream::batch`].
    pub fn read_with<F: Encoding + Unpin>(
        &self,
        blocks: impl RangeBounds<u64>,
        options: impl FnOnce(ReadStream<E>) -> ReadStream<F>,
    ) -> Iter<ReadStream<F>> {
        iter(options(self.feed.read(blocks)))
    }

    /// The bytes of the feed, or a range of them, as a file to read and to seek in.
    pub fn bytes(&self, range: impl RangeBounds<u64>) -> ByteReader {
        self.bytes_with(range, |bytes| bytes)
    }

    /// The same with options.
    pub fn bytes_with(
        &self,
        range: impl RangeBounds<u64>,
        options: impl FnOnce(crate::ByteReader) -> crate::ByteReader,
    ) -> ByteReader {
        ByteReader {
            reader: options(self.feed.bytes(range)),
        }
    }

    /// The block that holds a byte, and where in the block the byte is.
    ///
    /// # Errors
    /// As [`crate::Hypercore::seek`].
    pub fn seek(&self, byte: u64) -> Result<(u64, u64)> {
        self.seek_with(byte, |seek| seek)
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`crate::Hypercore::seek`].
    pub fn seek_with(&self, byte: u64, options: impl FnOnce(Seek) -> Seek) -> Result<(u64, u64)> {
        run(options(self.feed.seek(byte)))
    }

    /// Waits until the feed is longer than now, and returns its length.
    ///
    /// # Errors
    /// As [`crate::Hypercore::update`].
    pub fn update(&self) -> Result<u64> {
        self.update_with(|update| update)
    }

    /// The same with options, such as [`Update::min_length`] and [`Update::if_available`].
    ///
    /// # Errors
    /// As [`crate::Hypercore::update`].
    pub fn update_with(&self, options: impl FnOnce(Update) -> Update) -> Result<u64> {
        run(options(self.feed.update()))
    }

    /// Begins to fetch blocks from whoever has them. [`Download::wait`] returns when all are here.
    ///
    /// ```
    /// use hypercore::{Storage, blocking::Hypercore};
    ///
    /// let feed = Hypercore::open(Storage::memory())?;
    /// feed.append_batch(["a", "b", "c"])?;
    /// feed.download(0..2).wait()?;
    /// let steps: Vec<_> = feed.download(0..3).collect::<Result<_, _>>()?;
    /// assert_eq!(steps.last().map(|step| step.have), Some(3));
    /// # Ok::<_, hypercore::Error>(())
    /// ```
    pub fn download(&self, request: impl Into<DownloadRequest>) -> Download {
        Download {
            download: self.feed.download(request),
        }
    }

    /// The hashes that show that a block belongs to this feed.
    ///
    /// # Errors
    /// As [`crate::Hypercore::proof`].
    pub fn proof(&self, block: u64) -> Result<Proof> {
        self.proof_with(block, |proof| proof)
    }

    /// The same with options, such as [`CreateProof::digest`].
    ///
    /// # Errors
    /// As [`crate::Hypercore::proof`].
    pub fn proof_with(
        &self,
        block: u64,
        options: impl FnOnce(CreateProof) -> CreateProof,
    ) -> Result<Proof> {
        run(options(self.feed.proof(block)))
    }

    /// What happens from now on.
    pub fn events(&self) -> Iter<Events> {
        iter(self.feed.events())
    }
}

fn run<C: IntoFuture>(call: C) -> C::Output {
    wait_for(call.into_future())
}

/// Any stream of this crate as an iterator: the messages of an [extension](crate::Hypercore::extension), the
/// [events](crate::ConnectionHandle::events) of a connection.
pub fn iter<S: Stream + Unpin>(stream: S) -> Iter<S> {
    Iter { stream }
}

/// A stream as an iterator, which waits for each item.
#[derive(Debug)]
#[must_use = "an iterator does nothing unless it is consumed"]
pub struct Iter<S> {
    stream: S,
}

impl<S: Stream + Unpin> Iterator for Iter<S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        wait_for(self.stream.next())
    }
}

/// A range of a feed's bytes as a file; positions count from the beginning of the range.
#[must_use = "nothing is read by itself"]
pub struct ByteReader {
    reader: crate::ByteReader,
}

impl io::Read for ByteReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        wait_for(self.reader.read(out))
    }
}

impl io::Seek for ByteReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        wait_for(self.reader.seek(to))
    }
}

impl fmt::Debug for ByteReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reader.fmt(f)
    }
}

/// Blocks that are being fetched by the connections of the feed. Dropping it ends that.
#[must_use = "dropping a download cancels it"]
pub struct Download {
    download: crate::Download,
}

impl Download {
    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.download.progress()
    }

    /// Returns when all blocks are here.
    ///
    /// # Errors
    /// As [`crate::Hypercore::download`].
    pub fn wait(self) -> Result<()> {
        run(self.download)
    }

    /// Ends it, like dropping it.
    pub fn cancel(self) {}
}

/// How far it is: at once, and then whenever that changes, until all blocks are here.
impl Iterator for Download {
    type Item = Result<Progress>;

    fn next(&mut self) -> Option<Self::Item> {
        wait_for(self.download.next())
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.download.fmt(f)
    }
}
