//! A feed as a stream of values.

use std::{
    fmt,
    ops::{Range, RangeBounds},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;

use crate::{
    Encoding, Result,
    ahead::Ahead,
    core::Core,
    get::{decode, fetch},
    hypercore::bounded,
    patience::{Patience, waiting_options},
    runtime::BoxFuture,
};

/// The blocks of a range, one after the other. Options can be set until it is polled for the first time.
///
/// It ends at the end of the range; without one at the length that the feed has when it is first polled. The first error
/// ends it too.
///
/// Blocks that are stored here are read and checked many at a time, about 64 KiB or four blocks; large ones four times as many, with
/// the help of other threads. Those that were read together share their memory: who keeps few of many for long had better
/// copy them.
///
/// ```
/// # async_std::task::block_on(async {
/// use futures_lite::StreamExt;
/// use hypercore::{Hypercore, Storage};
///
/// let feed = Hypercore::open(Storage::memory()).await?;
/// feed.append_batch(["a", "b", "c"]).await?;
///
/// let mut blocks = feed.read(1..);
/// assert_eq!(blocks.next().await.unwrap()?, "b");
/// assert_eq!(blocks.next().await.unwrap()?, "c");
/// assert!(blocks.next().await.is_none());
/// # Ok::<_, hypercore::Error>(()) }).unwrap();
/// ```
#[must_use = "a stream does nothing unless it is polled"]
pub struct ReadStream<E: Encoding> {
    core: Arc<Core>,
    encoding: E,
    options: Options,
    /// With each block.
    patience: Patience,
    state: State,
    /// What is read ahead, unless the last block comes first.
    ahead: Ahead,
}

#[derive(Clone, Copy, Debug)]
struct Options {
    start: u64,
    end: Option<u64>,
    live: bool,
    tail: bool,
    snapshot: bool,
    reverse: bool,
}

enum State {
    New,
    /// What is still to come; an open end follows the length, or never comes.
    Between {
        next: u64,
        end: Option<u64>,
    },
    /// A block has to be waited for.
    Waiting {
        block: u64,
        bytes: BoxFuture<Result<Bytes>>,
        then: (u64, Option<u64>),
    },
    Done,
}

impl<E: Encoding> ReadStream<E> {
    pub(crate) fn new(core: Arc<Core>, encoding: E, blocks: impl RangeBounds<u64>) -> Self {
        let Range { start, end } = bounded(&blocks, u64::MAX);
        ReadStream {
            encoding,
            options: Options {
                start,
                end: (end < u64::MAX).then_some(end),
                live: false,
                tail: false,
                snapshot: true,
                reverse: false,
            },
            patience: Patience::of(&core),
            state: State::New,
            ahead: Ahead::new(),
            core,
        }
    }

    waiting_options!("NotLocal", "NotAvailable");

    /// Whether to go on with what is appended later, and never end. A range with an end ends there all the same.
    pub fn live(mut self, yes: bool) -> Self {
        self.options.live = yes;
        self
    }

    /// Whether to begin at the end of the feed, wherever the range begins. Without [`live`](Self::live) nothing comes.
    pub fn tail(mut self, yes: bool) -> Self {
        self.options.tail = yes;
        self
    }

    /// Whether the length that counts is that of the first poll. Default: yes. If not, blocks that come while the stream
    /// is read are part of it.
    pub fn snapshot(mut self, yes: bool) -> Self {
        self.options.snapshot = yes;
        self
    }

    /// Whether to begin with the last block and end with the first. [`live`](Self::live) and an open end mean the length
    /// of the first poll then.
    pub fn reverse(mut self, yes: bool) -> Self {
        self.options.reverse = yes;
        self
    }

    /// How many blocks to read at a time, at least, where they are stored here already. Default, and least: 4. It makes a difference
    /// if they have more than the 64 KiB that are read at a time in any case, and less than 512 KiB, the most.
    pub fn batch(mut self, blocks: usize) -> Self {
        self.ahead.at_least(blocks);
        self
    }

    /// Reads the blocks with another encoding.
    pub fn encoding<F: Encoding>(self, encoding: F) -> ReadStream<F> {
        ReadStream {
            core: self.core,
            encoding,
            options: self.options,
            patience: self.patience,
            state: self.state,
            ahead: self.ahead,
        }
    }

    /// Where the range begins and ends, seen from the first poll.
    fn begin(&self) -> State {
        let Options {
            start,
            end,
            live,
            tail,
            snapshot,
            reverse,
            ..
        } = self.options;
        let length = self.core.length();
        let start = if tail { length } else { start };
        let open = (live || !snapshot) && !reverse;
        let end = match end {
            None if open => None,
            None => Some(length),
            end => end,
        };
        match reverse {
            false => State::Between { next: start, end },
            // Counted down: `next` is one past the block that comes next, `end` the last to come.
            true => State::Between {
                next: end.unwrap_or(length),
                end: Some(start),
            },
        }
    }

    /// The block that comes next and what `next` is then; none at the end.
    fn step(&self, next: u64, end: Option<u64>) -> Option<(u64, u64)> {
        if self.options.reverse {
            return (next > end.unwrap_or(0)).then(|| (next - 1, next - 1));
        }
        let end = match end {
            Some(end) => end,
            None if self.options.live => u64::MAX,
            None => self.core.length(),
        };
        (next < end).then(|| (next, next.saturating_add(1)))
    }

    /// The next value if it is here; otherwise the state says what to do.
    fn poll_value(
        &mut self,
        cx: &mut Context<'_>,
        next: u64,
        end: Option<u64>,
    ) -> Poll<Result<Option<E::Value>>> {
        self.core.check_open()?;
        let Some((block, after)) = self.step(next, end) else {
            self.state = State::Done;
            return Poll::Ready(Ok(None));
        };
        let bytes = match self.options.reverse {
            true => None,
            false => {
                let end = end.unwrap_or(u64::MAX);
                ready!(self.ahead.poll_next(cx, &self.core, block, end))?
            }
        };
        let Some(bytes) = bytes else {
            let (core, patience) = (Arc::clone(&self.core), self.patience);
            self.state = State::Waiting {
                block,
                bytes: Box::pin(async move {
                    let reading = fetch(&core, block, patience, None);
                    patience.limit(&core, reading).await
                }),
                then: (after, end),
            };
            return Poll::Ready(Ok(None));
        };
        self.state = State::Between { next: after, end };
        Poll::Ready(decode(&self.encoding, block, bytes).map(Some))
    }
}

impl<E: Encoding + Unpin> Stream for ReadStream<E> {
    type Item = Result<E::Value>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let next = loop {
            match &mut this.state {
                State::New => this.state = this.begin(),
                State::Between { next, end } => {
                    let (next, end) = (*next, *end);
                    match ready!(this.poll_value(cx, next, end)) {
                        Ok(None) => {}
                        Ok(Some(value)) => break Ok(value),
                        Err(error) => break Err(error),
                    }
                }
                State::Waiting { block, bytes, then } => {
                    let bytes = ready!(bytes.as_mut().poll(cx));
                    let (block, (next, end)) = (*block, *then);
                    this.state = State::Between { next, end };
                    break bytes.and_then(|bytes| decode(&this.encoding, block, bytes));
                }
                State::Done => return Poll::Ready(None),
            }
        };
        if next.is_err() {
            this.state = State::Done;
        }
        Poll::Ready(Some(next))
    }
}

impl<E: Encoding> fmt::Debug for ReadStream<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadStream")
            .field("options", &self.options)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}
