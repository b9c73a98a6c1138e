//! Appending from many tasks at once: whoever gets the writer's lock appends for all who wait, with one signature.
//!
//! ```text
//! append ──┐
//! append ──┼─▶ queue ─▶ the first to hold the lock: hook, hashes, signature, commit ─▶ each its numbers
//! append ──┘
//! ```
//!
//! A call that is dropped leaves the queue with its blocks, unless they are being committed. A leader that is dropped
//! while a hook or a signer is still deciding gives back what it took, and another one leads.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_channel::Sender;
use bytes::Bytes;
use feed::Feed;
use futures_lite::future;
use replicate::Replicator;

use crate::{Error, Result, core::Core, durability::Writer, hooks::Source, view::View};

/// What is appended with one signature at most, unless a single call brings more.
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Appends blocks and says which numbers they got.
pub(crate) async fn append(core: &Arc<Core>, blocks: Vec<Bytes>) -> Result<Range<u64>> {
    core.check_open()?;
    core.read(|feed| feed.check_append(&blocks))?;
    if !core.is_writable() {
        return Err(feed::Error::NotWritable.into());
    }
    let (done, result) = async_channel::bounded(1);
    let _place = core.appends().enter(blocks, done);
    let somebody_else = async { result.recv().await.unwrap_or(Err(Error::Closed)) };
    let we_do = async {
        loop {
            let writer = core.writer().await?;
            if let Ok(result) = result.try_recv() {
                return result;
            }
            Batch::take(core).append(writer).await;
            if let Ok(result) = result.try_recv() {
                return result;
            }
        }
    };
    future::or(somebody_else, we_do).await
}

/// The calls that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    next: u64,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    blocks: Vec<Bytes>,
    done: Sender<Result<Range<u64>>>,
}

impl Queue {
    fn enter(&self, blocks: Vec<Bytes>, done: Sender<Result<Range<u64>>>) -> Place<'_> {
        let mut waiting = self.waiting();
        let id = waiting.next;
        waiting.next += 1;
        waiting.entries.push_back(Entry { id, blocks, done });
        Place { queue: self, id }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call's place in the queue, given up when the call is dropped.
struct Place<'a> {
    queue: &'a Queue,
    id: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let entries = &mut self.queue.waiting().entries;
        if let Ok(at) = entries.binary_search_by_key(&self.id, |entry| entry.id) {
            entries.remove(at);
        }
    }
}

/// What is appended together. The writer's lock must be held.
struct Batch<'a> {
    core: &'a Arc<Core>,
    entries: Vec<Entry>,
}

impl<'a> Batch<'a> {
    fn take(core: &'a Arc<Core>) -> Self {
        let waiting = &mut core.appends().waiting().entries;
        let mut bytes = 0;
        let mut count = 0;
        for entry in waiting.iter() {
            bytes += entry.blocks.iter().map(Bytes::len).sum::<usize>();
            if count > 0 && bytes > MAX_BATCH_BYTES {
                break;
            }
            count += 1;
        }
        Batch {
            core,
            entries: waiting.drain(..count).collect(),
        }
    }

    /// Appends, and tells each call what became of it.
    async fn append(mut self, writer: Writer) {
        self.ask_hook().await;
        let (range, commit) = match self.plan().await {
            Ok(planned) => planned,
            Err(error) => return tell(std::mem::take(&mut self.entries), Err(error)),
        };
        let entries = std::mem::take(&mut self.entries);
        let Some(commit) = commit else {
            return tell(entries, Ok(range.start));
        };
        // From here on it is done, whether anybody waits or not.
        let core = self.core;
        let start = range.start;
        let appended = move |replicator: &mut Replicator, now: Duration, view: &View<'_>| {
            replicator.handle_appended(now, range, view);
        };
        let done = move |stored: &Result<()>| tell(entries, stored.clone().map(|()| start));
        // Each call is told.
        let _ = core
            .store(writer, commit, None, Box::new(appended), done)
            .await;
    }

    /// Lets the hook see each block under its number; a call of which it refuses one leaves the batch.
    async fn ask_hook(&mut self) {
        let Some(hook) = self.core.hooks().on_write.clone() else {
            return;
        };
        let mut next = self.core.read(|feed| feed.length());
        let mut at = 0;
        while let Some(entry) = self.entries.get(at) {
            let mut refused = None;
            for (block, number) in entry.blocks.iter().zip(next..) {
                if let Err(reason) = hook(number, block.clone(), Source::Local).await {
                    refused = Some(Error::Refused(reason.into()));
                    break;
                }
            }
            match refused {
                None => {
                    next += entry.blocks.len() as u64;
                    at += 1;
                }
                Some(error) => {
                    let _ = self.entries.remove(at).done.try_send(Err(error));
                }
            }
        }
    }

    /// The numbers of the blocks, and the commit that appends them unless there are none.
    async fn plan(&self) -> Result<(Range<u64>, Option<feed::Commit>)> {
        let core = self.core;
        let blocks = self
            .entries
            .iter()
            .flat_map(|entry| entry.blocks.iter().cloned());
        let plan = core.read(|feed| feed.plan_append(blocks.collect()))?;
        let range = plan.range();
        let commit = match &core.hooks().signer {
            _ if range.is_empty() => return Ok((range, None)),
            Some(signer) if core.read(Feed::is_live) => {
                let signature = signer.sign(plan.signable(), core.dialect()).await;
                plan.with_signature(signature.map_err(|reason| Error::Signer(reason.into()))?)?
            }
            _ => core.read(|feed| plan.sign(feed))?,
        };
        Ok((range, Some(commit)))
    }
}

/// Tells each call which numbers its blocks have got, from the first on.
fn tell(entries: Vec<Entry>, start: Result<u64>) {
    let mut next = start.as_ref().map_or(0, |start| *start);
    for entry in entries {
        let numbers = next..next + entry.blocks.len() as u64;
        next = numbers.end;
        // Whoever called may have gone.
        let _ = entry.done.try_send(match &start {
            Ok(_) => Ok(numbers),
            Err(error) => Err(error.clone()),
        });
    }
}

impl Drop for Batch<'_> {
    /// Gives back what was not decided.
    fn drop(&mut self) {
        let mut waiting = self.core.appends().waiting();
        for entry in self.entries.drain(..).rev() {
            // Unless its call has gone meanwhile.
            if !entry.done.is_closed() {
                waiting.entries.push_front(entry);
            }
        }
    }
}
