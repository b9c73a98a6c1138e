//! Blocks that are read before they are asked for: many at a time, and large ones by several threads.
//!
//! ```text
//!    ready      elsewhere               here
//!  | 7 | 8 |  | 9 ... 12 | 13 ... 16 |  17 ... 20 | 21 ... 24 |  25 ...
//! ```
//!
//! Of four portions two are read and checked where calls run that take long, and two here, instead of waiting for the first: to wake
//! another thread takes a third of the time that it saves. Small blocks are all read here.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use feed::{MAX_RANGE, Portion, RangeRead};

use crate::{
    Error, Result,
    core::Core,
    read::{find_portion, read_portion},
    runtime::BoxFuture,
};

/// What is read ahead of a stream.
pub(crate) struct Ahead {
    ready: VecDeque<Bytes>,
    checking: VecDeque<Checking>,
    portion: Portion,
    /// How many blocks to read next: more and more of them, so that who wants but one doesn't wait for others.
    run: u64,
}

impl Ahead {
    pub(crate) fn new() -> Self {
        Ahead {
            ready: VecDeque::new(),
            checking: VecDeque::new(),
            portion: Portion {
                bytes: 64 * 1024,
                blocks: LANES,
            },
            run: 1,
        }
    }

    /// Reads so many blocks at a time, in so far as they aren't too large for that.
    pub(crate) fn at_least(&mut self, blocks: usize) {
        self.portion.blocks = blocks.max(LANES);
    }

    /// The block `next`, if it is stored here and nothing is wrong with it. Whoever asks goes on with the block behind it, and up
    /// to `end`.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::Closed`]. Of damage it tells nothing: that is found by whoever reads the block alone.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        core: &Arc<Core>,
        next: u64,
        end: u64,
    ) -> Poll<Result<Option<Bytes>>> {
        if self.ready.is_empty() {
            match ready!(self.poll_portion(cx, core, next, end)) {
                Ok(blocks) => self.ready.extend(blocks),
                Err(Error::Feed(damage)) if damage.is_damage() => {
                    self.checking.clear();
                    self.run = 1;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(self.ready.pop_front()))
    }

    /// The next portion.
    fn poll_portion(
        &mut self,
        cx: &mut Context<'_>,
        core: &Arc<Core>,
        next: u64,
        end: u64,
    ) -> Poll<Result<Vec<Bytes>>> {
        let mut start = next + self.checking.iter().map(|part| part.blocks).sum::<u64>();
        while self.checking.len() < AT_ONCE {
            let place = match self.find(core, start, end) {
                Ok(Some(place)) => place,
                Ok(None) => break,
                // What comes before may be good.
                Err(_) if !self.checking.is_empty() => break,
                Err(error) => return Poll::Ready(Err(error)),
            };
            let (blocks, len) = (place.blocks(), place.read().len);
            let blocks = blocks.end - blocks.start;
            start += blocks;
            // No more hashes than there will be blocks for.
            self.run = (2 * blocks).min(MAX_RANGE);
            if self.checking.is_empty() && len < LARGE {
                return Poll::Ready(read(core, &place));
            }
            let elsewhere = |part: &&Checking| matches!(part.check, Check::Elsewhere(_));
            let elsewhere = self.checking.iter().filter(elsewhere).count();
            let check = match len <= SHORT && elsewhere == ELSEWHERE {
                true => Check::Here(place),
                false => Check::Elsewhere(Elsewhere::begin(core, place)),
            };
            self.checking.push_back(Checking { blocks, check });
        }
        let mut parts = self.checking.iter_mut();
        let Some(first) = parts.next() else {
            return Poll::Ready(Ok(Vec::new()));
        };
        if !first.check.is_done(cx, core) {
            // What can be done meanwhile is done before anybody waits.
            for part in parts {
                part.check.is_done(cx, core);
            }
            if !first.check.is_done(cx, core) {
                return Poll::Pending;
            }
        }
        match self.checking.pop_front().map(|first| first.check) {
            Some(Check::Done(blocks)) => Poll::Ready(blocks),
            _ => Poll::Ready(Ok(Vec::new())),
        }
    }

    /// Where some blocks from `start` on are, if the first of them is stored here.
    fn find(&self, core: &Core, start: u64, end: u64) -> Result<Option<RangeRead>> {
        let missing = core.read(|feed| feed.bitfield().next_missing(start));
        let end = end.min(missing).min(start.saturating_add(self.run));
        match start < end {
            true => find_portion(core, start..end, self.portion),
            false => Ok(None),
        }
    }
}

/// Blocks that are being read and compared with their hashes.
struct Checking {
    blocks: u64,
    check: Check,
}

enum Check {
    /// To be done here.
    Here(RangeRead),
    /// Done by another thread.
    Elsewhere(Elsewhere),
    Done(Result<Vec<Bytes>>),
}

impl Check {
    /// Does what is to be done here. Whether it is done then, or by the other thread.
    fn is_done(&mut self, cx: &mut Context<'_>, core: &Core) -> bool {
        let nothing = Check::Done(Ok(Vec::new()));
        *self = match std::mem::replace(self, nothing) {
            Check::Here(place) => Check::Done(read(core, &place)),
            Check::Elsewhere(mut elsewhere) => match elsewhere.checked.as_mut().poll(cx) {
                Poll::Ready(blocks) => Check::Done(blocks),
                Poll::Pending => Check::Elsewhere(elsewhere),
            },
            done => done,
        };
        matches!(self, Check::Done(_))
    }
}

fn read(core: &Core, place: &RangeRead) -> Result<Vec<Bytes>> {
    Ok(place.finish(read_portion(core, place)?)?)
}

/// Blocks that another thread reads. Dropping it waits for a read that is going on, so that nobody has the feed any longer whose
/// last handle is dropped then, and another one may open it.
struct Elsewhere {
    /// From where to read, until this is dropped.
    source: Arc<Mutex<Option<Arc<Core>>>>,
    checked: BoxFuture<Result<Vec<Bytes>>>,
}

impl Elsewhere {
    fn begin(core: &Arc<Core>, place: RangeRead) -> Self {
        let source = Arc::new(Mutex::new(Some(Arc::clone(core))));
        let (sender, result) = async_channel::bounded(1);
        let reading = Arc::clone(&source);
        let call = Box::new(move || {
            let core = reading.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(bytes) = core.as_ref().map(|core| read_portion(core, &place)) else {
                return;
            };
            drop(core);
            let blocks = bytes.and_then(|bytes| Ok(place.finish(bytes)?));
            // A stream that was dropped doesn't want to know.
            let _ = sender.try_send(blocks);
        });
        // Begun at once, however late somebody asks.
        let done = core.runtime().unblock(call);
        Elsewhere {
            source,
            checked: Box::pin(async move {
                done.await;
                result.try_recv().unwrap_or(Err(Error::Closed))
            }),
        }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let core = source.take();
        drop(source);
        drop(core);
    }
}

/// So many large blocks are hashed as fast as one of them.
const LANES: usize = 4;

/// So many portions are checked at a time.
const AT_ONCE: usize = 4;

/// And so many of them elsewhere.
const ELSEWHERE: usize = 2;

/// From so many bytes on it takes longer to hash them than to let another thread do it.
const LARGE: usize = 128 * 1024;

/// And up to so many bytes it doesn't take so long that other tasks of this thread would notice.
const SHORT: usize = 1024 * 1024;
