//! What an acknowledged append survives, and the syncs that see to it.
//!
//! ```text
//!           append returns after        killed process    power cut
//! Always    two syncs, shared           nothing lost      nothing lost
//! Timely    the writes                  nothing lost      what the last sync covers; peers hold no more than that
//! None      the writes                  nothing lost      anything may be lost, which opening tells
//! ```
//!
//! The rule behind it: no peer may ever hold a block of ours that a power cut can take back. A feed that lost such a block would
//! sign another one in its place, and its readers would never agree with it again.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_lock::MutexGuardArc;
use feed::Recovery;
use replicate::{PeerId, Replicator};
use storage::{Barriers, Batch};

use crate::{Encoding, Error, Hypercore, Result, core::Core, view::View};

/// What an acknowledged append survives.
///
/// At every level a killed process loses nothing, wrong bytes are never returned or served, and opening after a crash finds the
/// longest length that is proved (see [`Hypercore::recovery`](crate::Hypercore::recovery)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// Power cuts. An append returns once it is on the disk, with two waits for the disk that it shares with all appends that
    /// are made meanwhile.
    Always,
    /// What was written before the last sync survives a power cut: the feed syncs once a second and once in 16 MiB
    /// ([`Builder::sync_after`](crate::Builder::sync_after)), by [`sync`](crate::Hypercore::sync), and before anything is announced
    /// to a peer, so that while a peer listens each append waits as with [`Always`](Durability::Always).
    ///
    /// Until then JavaScript, should it open the directory after a crash, finds the feed as it was at the last sync.
    #[default]
    Timely,
    /// Nothing but what [`sync`](crate::Hypercore::sync) covers. Blocks are announced without waiting, so after a power
    /// cut peers may hold some that are lost here: with that a feed can be broken for good. This is what JavaScript does.
    None,
}

impl Durability {
    /// Whether no bit reaches the disk before what it promises.
    pub(crate) fn is_ordered(self) -> bool {
        self != Durability::None
    }

    /// How the batches of an opening are written. There is nobody yet who could be made to wait.
    pub(crate) fn at_opening(self) -> Barriers {
        match self {
            Durability::None => Barriers::Skip,
            _ => Barriers::Sync,
        }
    }
}

/// When a feed syncs by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SyncAfter {
    pub(crate) time: Duration,
    pub(crate) bytes: u64,
}

impl Default for SyncAfter {
    fn default() -> Self {
        SyncAfter {
            time: Duration::from_secs(1),
            bytes: 16 * 1024 * 1024,
        }
    }
}

/// The durability of a feed that is open.
#[derive(Debug)]
pub(crate) struct Syncs {
    pub(crate) durability: Durability,
    pub(crate) after: SyncAfter,
    /// Whether a task waits for the time to sync.
    armed: AtomicBool,
    /// When storing what peers send is tried again, after the disk has refused.
    paused: Mutex<Option<Duration>>,
}

/// How long nothing is stored after the disk has refused.
const PAUSE: Duration = Duration::from_secs(1);

impl Syncs {
    pub(crate) fn new(durability: Durability, after: SyncAfter) -> Self {
        Syncs {
            durability,
            after,
            armed: AtomicBool::new(false),
            paused: Mutex::default(),
        }
    }

    /// When storing is tried again, if the disk has refused it.
    pub(crate) fn paused_until(&self) -> Option<Duration> {
        *self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_paused(&self, until: Option<Duration>) {
        *self.paused.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

impl Drop for Core {
    /// Whoever forgets to close loses nothing by it.
    fn drop(&mut self) {
        if self.check_open().is_ok() && self.syncs().durability.is_ordered() {
            let _ = self.settle();
        }
    }
}

/// What tells the replicator that a commit is stored.
pub(crate) type Tell = Box<dyn FnOnce(&mut Replicator, Duration, &View<'_>) + Send>;

/// The right to commit.
pub(crate) type Writer = MutexGuardArc<()>;

impl Core {
    /// Writes a commit, makes it known, and lets `done` know what came of it, all of which happens even if nobody waits. Where it
    /// has to wait for the disk, that is done where it holds up no other task.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub(crate) async fn store(
        self: &Arc<Self>,
        writer: Writer,
        commit: feed::Commit,
        source: Option<PeerId>,
        tell: Tell,
        done: impl FnOnce(&Result<()>) + Send + 'static,
    ) -> Result<()> {
        if !self.has_to_wait() {
            let barriers = match self.syncs().durability {
                Durability::None => Barriers::Skip,
                _ => Barriers::Defer,
            };
            let stored = self.write(commit, barriers, source, tell);
            done(&stored);
            drop(writer);
            self.sync_later();
            return stored;
        }
        let core = Arc::clone(self);
        self.unblock(move || {
            let stored = core.write(commit, Barriers::Sync, source, tell);
            done(&stored);
            drop(writer);
            stored
        })
        .await
    }

    /// Stores nothing of peers for a while: the disk doesn't take it.
    pub(crate) fn pause(&self) {
        let until = self.runtime().now() + PAUSE;
        self.syncs().set_paused(Some(until));
    }

    pub(crate) fn is_paused(&self) -> bool {
        let until = self.syncs().paused_until();
        let paused = until.is_some_and(|until| self.runtime().now() < until);
        if until.is_some() && !paused {
            self.syncs().set_paused(None);
        }
        paused
    }

    /// Whether the next commit has to be on the disk before it is made known.
    fn has_to_wait(&self) -> bool {
        match self.syncs().durability {
            Durability::Always => true,
            Durability::Timely => {
                self.files().unsynced() >= self.syncs().after.bytes
                    || self.is_author() && self.has_peers()
            }
            Durability::None => false,
        }
    }

    fn write(
        &self,
        commit: feed::Commit,
        barriers: Barriers,
        source: Option<PeerId>,
        tell: Tell,
    ) -> Result<()> {
        self.commit_batch(commit.batch(), barriers)?;
        if source.is_some() {
            self.learn_nodes(&commit);
        }
        self.apply(commit, source, tell)
    }

    fn commit_batch(&self, batch: &Batch, barriers: Barriers) -> Result<()> {
        Ok(self.files().commit_with(batch, barriers)?)
    }

    /// Whether what is known here and not on the disk must not be shown to peers.
    pub(crate) fn holds_back(&self) -> bool {
        self.syncs().durability == Durability::Timely
            && self.is_author()
            && self.files().unsynced() > 0
    }

    /// Waits until everything that was appended and stored so far is where a power cut can't take it back.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::Closed`].
    pub(crate) async fn sync(self: &Arc<Self>) -> Result<()> {
        let writer = self.writer().await?;
        let core = Arc::clone(self);
        self.unblock(move || {
            let synced = core.files().sync();
            drop(writer);
            Ok(synced?)
        })
        .await
    }

    /// The last thing that is done to the files: what was written is synced, if that was promised, and noted in them that nothing
    /// broke off.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) fn settle(&self) -> Result<(), storage::Error> {
        // Where nothing was written, whoever wrote before has kept its own promise; and if that life broke off, there is a note
        // to be taken back, behind a sync of all files.
        let promised = self.syncs().durability.is_ordered() && self.files().unsynced() > 0;
        if promised || self.files().has_deferred() {
            self.files().sync()?;
        }
        // Only now: until then opening has to look behind the bits.
        match self.read(feed::Feed::commit_close) {
            Some(last) => {
                let barriers = self.syncs().durability.at_opening();
                self.files().commit_with(last.batch(), barriers)
            }
            None => Ok(()),
        }
    }

    /// Sees to it that what was written now is synced in time.
    fn sync_later(self: &Arc<Self>) {
        let syncs = self.syncs();
        if syncs.durability != Durability::Timely
            || self.files().unsynced() == 0
            || syncs.armed.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let sleep = self.runtime().sleep(syncs.after.time);
        // A feed that nobody holds any more is synced when it is dropped.
        let core = Arc::downgrade(self);
        self.runtime().spawn(Box::pin(async move {
            sleep.await;
            let Some(core) = core.upgrade() else { return };
            core.syncs().armed.store(false, Ordering::Release);
            // What fails here fails for whoever writes next as well.
            let _ = core.sync().await;
        }));
    }

    /// Makes a call where it holds up no other task.
    async fn unblock<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, result) = async_channel::bounded(1);
        let call = Box::new(move || {
            // A caller that no longer waits doesn't want to know.
            let _ = sender.try_send(call());
        });
        self.runtime().unblock(call).await;
        result.try_recv().unwrap_or(Err(Error::Closed))
    }
}

impl<E: Encoding> Hypercore<E> {
    /// Waits until everything that was appended and stored so far is where a power cut can't take it back.
    ///
    /// # Errors
    /// [`Error::Disk`] if the disk fails. Nobody knows then what it holds: reading goes on, and to write the feed has to be opened
    /// again. [`Error::Closed`].
    ///
    /// # Cancellation
    /// The sync goes on, whether somebody waits for it or not.
    pub async fn sync(&self) -> Result<()> {
        self.core().sync().await
    }

    /// What opening found damaged, and what it did about it. `None` if everything was as it should be.
    ///
    /// ```
    /// # async_std::task::block_on(async {
    /// use hypercore::{File, Hypercore, MemoryFiles, RandomAccess, Storage};
    ///
    /// let files = MemoryFiles::default();
    /// let feed = Hypercore::open(Storage::custom(files.clone())).await?;
    /// feed.append("a").await?;
    /// feed.close().await?;
    /// // Somebody loses the file that says what is stored.
    /// files.file(File::Bitfield).truncate(0).unwrap();
    ///
    /// let feed = Hypercore::open(Storage::custom(files)).await?;
    /// let report = feed.recovery().unwrap();
    /// assert_eq!((report.claimed, report.length), (0, 1));
    /// assert_eq!(feed.get(0).await?, "a");
    /// # Ok::<_, hypercore::Error>(()) }).unwrap();
    /// ```
    pub fn recovery(&self) -> Option<Recovery> {
        self.core().read(|feed| feed.recovery().cloned())
    }
}
