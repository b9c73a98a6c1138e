//! Fetching blocks without reading them.

use std::{
    fmt,
    future::{Future, IntoFuture},
    ops::{Range, RangeBounds},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bitfield::RangeSet;
use event_listener::EventListener;
use futures_core::Stream;
use replicate::Order;

use crate::{Encoding, Hypercore, Result, core::Core, hypercore::bounded, wish::Wish};

impl<E: Encoding> Hypercore<E> {
    /// Begins to fetch blocks from whoever has them: a block, a range, or a [`DownloadRequest`]. Blocks that somebody waits
    /// for, as [`get`](Self::get) does, go first.
    ///
    /// It goes on until everything is here or the result is dropped; awaiting that is only needed to know when.
    ///
    /// ```
    /// # async_std::task::block_on(async {
    /// use hypercore::{DownloadRequest, Hypercore, Storage};
    ///
    /// let feed = Hypercore::open(Storage::memory()).await?;
    /// feed.append_batch(["a", "b", "c"]).await?;
    /// // What is here already takes no time.
    /// feed.download(0..2).await?;
    /// let download = feed.download(DownloadRequest::blocks([0, 2, 7]));
    /// assert_eq!((download.progress().have, download.progress().total), (2, Some(3)));
    /// # Ok::<_, hypercore::Error>(()) }).unwrap();
    /// ```
    pub fn download(&self, request: impl Into<DownloadRequest>) -> Download {
        let request = request.into();
        let core = self.core();
        let wish = core.wish(match request.order {
            Order::Random => replicate::Wish::Blocks(request.blocks.clone()),
            order => replicate::Wish::Range {
                blocks: request.blocks.first().unwrap_or(0)..request.blocks.end(),
                order,
            },
        });
        Download {
            core: Arc::clone(core),
            blocks: request.blocks,
            wish,
            told: Told::default(),
        }
    }
}

impl<E: Encoding> Hypercore<E> {
    /// Ends whatever waits for blocks of a range and for none beside: gets, ranges, streams, downloads and seeks, on all handles of
    /// the feed. Each fails with [`Error::Cancelled`](crate::Error::Cancelled), and requests under way that serve nobody else are
    /// taken back. What reaches beyond the range goes on, and so does waiting for a longer feed.
    ///
    /// To end one wait only, drop it. A feed that isn't sparse goes on fetching the blocks by itself.
    ///
    /// ```
    /// # async_std::task::block_on(async {
    /// use futures_lite::future;
    /// use hypercore::{Error, Hypercore, Storage};
    ///
    /// let feed = Hypercore::open(Storage::memory()).await?;
    /// let mut get = feed.get(7).into_future();
    /// assert!(future::poll_once(&mut get).await.is_none());
    /// feed.cancel_range(5..10);
    /// assert!(matches!(get.await, Err(Error::Cancelled)));
    /// # Ok::<_, hypercore::Error>(()) }).unwrap();
    /// ```
    pub fn cancel_range(&self, blocks: impl RangeBounds<u64>) {
        let blocks = bounded(&blocks, u64::MAX);
        self.core()
            .replicate(|replicator, now, view| replicator.cancel_range(now, blocks, view));
    }
}

/// What to fetch.
#[derive(Clone, Debug)]
pub struct DownloadRequest {
    blocks: RangeSet,
    order: Order,
}

impl DownloadRequest {
    /// Everything there is and everything that is appended later. It is never done; drop it to end it.
    pub fn all() -> Self {
        DownloadRequest::from(0..u64::MAX)
    }

    /// These blocks.
    pub fn blocks(blocks: impl IntoIterator<Item = u64>) -> Self {
        let blocks = blocks
            .into_iter()
            .map(|block| block..block.saturating_add(1));
        DownloadRequest {
            blocks: blocks.collect(),
            order: Order::Random,
        }
    }

    /// A range, from its first block to its last. Other ranges are fetched from random places on, so that several readers of
    /// one writer soon have something for one another.
    pub fn linear(blocks: Range<u64>) -> Self {
        DownloadRequest {
            order: Order::Linear,
            ..DownloadRequest::from(blocks)
        }
    }
}

impl From<Range<u64>> for DownloadRequest {
    fn from(blocks: Range<u64>) -> Self {
        DownloadRequest {
            blocks: [blocks].into_iter().collect(),
            order: Order::Random,
        }
    }
}

impl From<u64> for DownloadRequest {
    fn from(block: u64) -> Self {
        DownloadRequest::blocks([block])
    }
}

/// Blocks that are being fetched. Await it to know when all are here; or take it as a stream, which tells how far it is, first
/// at once, then whenever that changes, and ends when all are here.
///
/// ```
/// # async_std::task::block_on(async {
/// use futures_lite::StreamExt;
/// use hypercore::{Hypercore, Storage};
///
/// let feed = Hypercore::open(Storage::memory()).await?;
/// feed.append_batch(["a", "b"]).await?;
/// let mut download = feed.download(0..3);
/// assert_eq!(download.next().await.unwrap()?.have, 2);
/// feed.append("c").await?;
/// assert_eq!(download.next().await.unwrap()?.have, 3);
/// assert!(download.next().await.is_none());
/// # Ok::<_, hypercore::Error>(()) }).unwrap();
/// ```
///
/// # Cancellation
/// Dropping it, or the future that it becomes, ends the fetching of what nobody else wants. Requests under way are taken
/// back.
#[must_use = "dropping a download cancels it"]
pub struct Download {
    core: Arc<Core>,
    blocks: RangeSet,
    wish: Wish,
    told: Told,
}

/// What whoever takes it as a stream knows.
#[derive(Default)]
struct Told {
    progress: Option<Progress>,
    /// Rings when there may be more to tell.
    changed: Option<EventListener>,
    /// Nothing follows.
    all: bool,
}

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// How many of the blocks are here.
    pub have: u64,
    /// How many there are to fetch, unless that has no end.
    pub total: Option<u64>,
}

impl Download {
    /// How far it is.
    pub fn progress(&self) -> Progress {
        let runs = self.blocks.iter();
        let have = self.core.read(|feed| {
            let counts = runs.map(|run| feed.bitfield().count_blocks(run));
            counts.sum()
        });
        Progress {
            have,
            total: (self.blocks.end() < u64::MAX).then(|| self.blocks.count(0..u64::MAX)),
        }
    }

    /// Ends it, like dropping it.
    pub fn cancel(self) {}
}

impl Stream for Download {
    type Item = Result<Progress>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.told.all {
            return Poll::Ready(None);
        }
        let ended = this.wish.poll_granted(cx);
        if let Poll::Ready(Err(error)) = ended {
            this.told.all = true;
            return Poll::Ready(Some(Err(error)));
        }
        this.told.all = ended.is_ready();
        loop {
            // Listen first, look second, so that nothing that changes in between is missed.
            let changed = this.told.changed.get_or_insert_with(|| this.core.changed());
            let rung = Pin::new(changed).poll(cx).is_ready();
            if rung {
                this.told.changed = None;
            }
            let progress = this.progress();
            if this.told.progress != Some(progress) {
                this.told.progress = Some(progress);
                return Poll::Ready(Some(Ok(progress)));
            }
            if this.told.all {
                return Poll::Ready(None);
            }
            if !rung {
                return Poll::Pending;
            }
        }
    }
}

impl IntoFuture for Download {
    type Output = Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            self.core.check_open()?;
            self.wish.granted().await
        })
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("progress", &self.progress())
            .finish_non_exhaustive()
    }
}
