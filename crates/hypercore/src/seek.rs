//! From a byte to its block, and the feed as a file of bytes.

use std::{
    fmt,
    future::{Future, IntoFuture},
    io::{self, SeekFrom},
    ops::{Range, RangeBounds},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use feed::SeekStep;
use futures_io::{AsyncRead, AsyncSeek};

use crate::{
    Encoding, Error, Hypercore, Result,
    core::Core,
    get::fetch,
    hypercore::bounded,
    patience::{Missing, Patience, waiting_options},
    runtime::BoxFuture,
};

impl<E: Encoding> Hypercore<E> {
    /// Finds the block that holds a byte, and where in the block the byte is. On a sparse copy hashes are fetched for that,
    /// but no blocks. The byte behind the last one is found at the beginning of the block behind the last one.
    ///
    /// Of two blocks side by side, the even one first, the hashes prove only how many bytes they have together. As long as neither
    /// is here, a peer that lies can name the wrong one of the two; after [`get`](Self::get) of either the answer is certain.
    ///
    /// ```
    /// # async_std::task::block_on(async {
    /// use hypercore::{Hypercore, Storage};
    ///
    /// let feed = Hypercore::open(Storage::memory()).await?;
    /// feed.append_batch(["abc", "", "defg"]).await?;
    /// assert_eq!(feed.seek(2).await?, (0, 2));
    /// assert_eq!(feed.seek(5).await?, (2, 2));
    /// assert_eq!(feed.seek(7).await?, (3, 0));
    /// # Ok::<_, hypercore::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The future fails with [`Error::ByteNotLocal`] or [`Error::TimedOut`] as its options say, [`Error::Closed`],
    /// [`Error::Disk`], [`Error::Feed`] if the tree is damaged.
    pub fn seek(&self, byte: u64) -> Seek {
        Seek {
            patience: Patience::of(self.core()),
            core: Arc::clone(self.core()),
            byte,
        }
    }

    /// The bytes of the feed, or a range of them, as a file to read and to seek in. Blocks that aren't here are fetched when
    /// they are read. An open end is the length in bytes when the end is first needed.
    ///
    /// ```
    /// # async_std::task::block_on(async {
    /// use futures_lite::{AsyncReadExt, AsyncSeekExt};
    /// use hypercore::{Hypercore, Storage};
    ///
    /// let feed = Hypercore::open(Storage::memory()).await?;
    /// feed.append_batch(["hello ", "world"]).await?;
    /// let mut text = String::new();
    /// let mut file = feed.bytes(..);
    /// file.seek(std::io::SeekFrom::Start(4)).await.unwrap();
    /// file.read_to_string(&mut text).await.unwrap();
    /// assert_eq!(text, "o world");
    /// # Ok::<_, hypercore::Error>(()) }).unwrap();
    /// ```
    pub fn bytes(&self, range: impl RangeBounds<u64>) -> ByteReader {
        let range = bounded(&range, u64::MAX);
        ByteReader {
            core: Arc::clone(self.core()),
            patience: Patience::of(self.core()),
            start: range.start,
            end: (range.end < u64::MAX).then_some(range.end),
            position: range.start,
            current: None,
            fetching: None,
        }
    }
}

/// A byte that is about to be looked for. Await it.
///
/// # Cancellation
/// Dropping the future withdraws the request; so does its timeout.
#[must_use = "nothing is looked for until it is awaited"]
pub struct Seek {
    core: Arc<Core>,
    byte: u64,
    patience: Patience,
}

impl Seek {
    waiting_options!("ByteNotLocal", "ByteNotLocal");
}

impl IntoFuture for Seek {
    type Output = Result<(u64, u64)>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Seek {
                core,
                byte,
                patience,
            } = self;
            let seeking = find(&core, byte, patience);
            patience.limit(&core, seeking).await
        })
    }
}

impl fmt::Debug for Seek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seek")
            .field("byte", &self.byte)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

async fn find(core: &Arc<Core>, byte: u64, patience: Patience) -> Result<(u64, u64)> {
    loop {
        core.check_open()?;
        let missing = match find_local(core, byte) {
            Ok(Place::Found(block, offset)) => return Ok((block, offset)),
            Ok(Place::Unknown(within)) => Missing::Hashes { byte, within },
            Err(Error::Feed(feed::Error::BeyondEnd { .. })) => Missing::Byte {
                byte,
                length: core.length(),
            },
            Err(error) => return Err(error),
        };
        patience.obtain(core, missing).await?;
    }
}

pub(crate) enum Place {
    Found(u64, u64),
    /// It is in one of these blocks.
    Unknown(Range<u64>),
}

pub(crate) fn find_local(core: &Core, byte: u64) -> Result<Place> {
    let mut step = core.read(|feed| feed.seek(byte))?;
    loop {
        step = match step {
            SeekStep::Read { seeking, reads } => {
                let nodes = core.read_nodes(&reads)?;
                core.read(|feed| seeking.step(feed, &nodes))?
            }
            SeekStep::Found { block, offset } => return Ok(Place::Found(block, offset)),
            SeekStep::Unknown { within } => return Ok(Place::Unknown(within)),
        }
    }
}

/// A range of a feed's bytes as a file. Made by [`Hypercore::bytes`]; positions count from the beginning of the range.
#[must_use = "nothing is read until it is polled"]
pub struct ByteReader {
    core: Arc<Core>,
    patience: Patience,
    start: u64,
    end: Option<u64>,
    /// In bytes of the feed.
    position: u64,
    current: Option<Piece>,
    fetching: Option<BoxFuture<Result<Piece>>>,
}

/// A block and where it is.
struct Piece {
    block: u64,
    start: u64,
    bytes: Bytes,
}

impl ByteReader {
    waiting_options!("ByteNotLocal", "NotAvailable");

    fn end(&mut self) -> u64 {
        let core = &self.core;
        *self
            .end
            .get_or_insert_with(|| core.read(|feed| feed.byte_length()))
    }

    /// The bytes at the position, from the block that is at hand.
    fn at_hand(&self, end: u64) -> Option<Bytes> {
        let piece = self.current.as_ref()?;
        let from = self.position.checked_sub(piece.start)?;
        let from = usize::try_from(from)
            .ok()
            .filter(|from| *from < piece.bytes.len())?;
        let left = usize::try_from(end - self.position).unwrap_or(usize::MAX);
        let to = piece.bytes.len().min(from.saturating_add(left));
        Some(piece.bytes.slice(from..to))
    }

    /// Fetches the block that holds the position. Behind the one at hand that is mostly the next.
    fn fetch(&self) -> BoxFuture<Result<Piece>> {
        let (core, position) = (Arc::clone(&self.core), self.position);
        let patience = self.patience;
        let piece = self.current.as_ref();
        let next = piece.filter(|piece| piece.start + piece.bytes.len() as u64 == position);
        let next = next.map(|piece| piece.block + 1);
        Box::pin(async move {
            let fetching = fetch_piece(&core, position, next, patience);
            patience.limit(&core, fetching).await
        })
    }
}

/// The block that holds a byte, and where it begins. `next` is the first that can be if the one before it has just been read.
async fn fetch_piece(
    core: &Arc<Core>,
    position: u64,
    next: Option<u64>,
    patience: Patience,
) -> Result<Piece> {
    let mut place = next.map(|block| (block, position));
    loop {
        let (block, start) = match place.take() {
            Some(next) => next,
            None => {
                let (block, offset) = find(core, position, patience).await?;
                (block, position - offset)
            }
        };
        let bytes = fetch(core, block, patience, None).await?;
        // Of two blocks neither of which was here it is certain only now which one has the byte.
        if next.is_none() && position > 0 {
            let (certain, offset) = find(core, position, patience).await?;
            if (certain, position - offset) != (block, start) {
                place = Some((certain, position - offset));
                continue;
            }
        }
        if !bytes.is_empty() {
            return Ok(Piece {
                block,
                start,
                bytes,
            });
        }
        // Byte 0 is looked up as the first one of block 0, even if that is empty.
        if position == 0 {
            place = Some((block + 1, start));
        }
    }
}

impl AsyncRead for ByteReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let end = this.end();
        loop {
            if this.position >= end || out.is_empty() {
                return Poll::Ready(Ok(0));
            }
            if let Some(bytes) = this.at_hand(end) {
                let len = bytes.len().min(out.len());
                out[..len].copy_from_slice(&bytes[..len]);
                this.position += len as u64;
                return Poll::Ready(Ok(len));
            }
            if this.fetching.is_none() {
                this.fetching = Some(this.fetch());
            }
            if let Some(fetching) = &mut this.fetching {
                let fetched = ready!(fetching.as_mut().poll(cx));
                this.fetching = None;
                this.current = Some(fetched.map_err(io::Error::other)?);
            }
        }
    }
}

impl AsyncSeek for ByteReader {
    fn poll_seek(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        to: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        let this = &mut *self;
        let target = match to {
            SeekFrom::Start(offset) => this.start.checked_add(offset),
            SeekFrom::Current(by) => this.position.checked_add_signed(by),
            SeekFrom::End(by) => this.end().max(this.start).checked_add_signed(by),
        };
        match target.filter(|target| *target >= this.start) {
            Some(target) => {
                this.position = target;
                this.fetching = None;
                Poll::Ready(Ok(target - this.start))
            }
            None => Poll::Ready(Err(io::ErrorKind::InvalidInput.into())),
        }
    }
}

impl fmt::Debug for ByteReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteReader")
            .field("start", &self.start)
            .field("end", &self.end)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
