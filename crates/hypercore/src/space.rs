//! The space that a feed takes: clearing blocks, checking what is left, removing everything.

use std::{ops::Range, sync::Arc, time::Duration};

use feed::{AuditReport, AuditStep};
use futures_lite::future;
use replicate::{Local, Replicator};

use crate::{Encoding, Hypercore, Result, core::Core, view::View};

impl<E: Encoding> Hypercore<E> {
    /// Removes blocks from storage and gives back their space (on Linux by punching holes into the file; elsewhere at the
    /// end of the file only). The feed doesn't get shorter, what is left can still be proved, and peers are told. What was
    /// cleared is fetched again only if somebody asks for it.
    ///
    /// A range that reaches beyond the feed ends with it.
    ///
    /// # Errors
    /// [`Error::Disk`](crate::Error::Disk) if writing fails, [`Error::Feed`](crate::Error::Feed) if the tree is damaged or the
    /// feed was opened only to be read, [`Error::Closed`](crate::Error::Closed).
    ///
    /// # Cancellation
    /// A call that is dropped has either cleared or not.
    pub async fn clear(&self, blocks: Range<u64>) -> Result<()> {
        let core = self.core();
        let writer = core.writer().await?;
        let plan = core.read(|feed| feed.plan_clear(blocks.clone()))?;
        let stored = plan.stored();
        let nodes = core.read_nodes(plan.reads())?;
        let commit = plan.finish(&nodes)?;
        let tell = move |replicator: &mut Replicator, now: Duration, view: &View<'_>| {
            let end = blocks.end.min(view.length());
            replicator.handle_cleared(now, blocks.start..end, stored, view);
        };
        core.store(writer, commit, None, Box::new(tell), |_| {})
            .await
    }

    /// How many bytes of disk, or of memory, the six files take. Less than their lengths where they have holes.
    ///
    /// # Errors
    /// [`Error::Disk`](crate::Error::Disk), [`Error::Closed`](crate::Error::Closed).
    pub fn disk_usage(&self) -> Result<u64> {
        self.core().disk_usage()
    }

    /// Reads every stored block and compares it with its hash. Those that don't match, or can't be read, are forgotten, so
    /// that they can be fetched again, unless only the tree was damaged and follows from the blocks; a second audit doesn't count
    /// them any more. A read that meets such a block does the same for it.
    ///
    /// # Errors
    /// [`Error::Disk`](crate::Error::Disk), [`Error::Closed`](crate::Error::Closed). Damage is no error: the report tells of it.
    ///
    /// # Cancellation
    /// A call that is dropped has forgotten nothing.
    pub async fn audit(&self) -> Result<AuditReport> {
        let core = self.core();
        let report = look(core, core.read(|feed| feed.audit())).await?;
        if !report.bad.is_empty() {
            core.mend(&report.bad).await?;
        }
        Ok(report)
    }

    /// Checks all that is stored and changes nothing: the blocks against their hashes, the hashes against one another, the
    /// signatures against the roots, and the file of the bitfield against what is known.
    ///
    /// # Errors
    /// As [`audit`](Self::audit).
    ///
    /// # Cancellation
    /// It changes nothing, so it can be dropped at any time.
    pub async fn deep_audit(&self) -> Result<AuditReport> {
        let core = self.core();
        if core.files().unsynced() > 0 {
            // The file of the bitfield is to say what is known.
            core.sync().await?;
        }
        look(core, core.read(|feed| feed.deep_audit())).await
    }

    /// Closes the feed, as [`close`](Self::close), and removes its six files. Their directory stays. A feed that was closed
    /// before can be destroyed as well.
    ///
    /// # Errors
    /// [`Error::Disk`](crate::Error::Disk) if a file can't be removed, or if another handle has opened the feed since it was
    /// closed here.
    ///
    /// # Cancellation
    /// A call that is dropped has closed the feed, and removes the files if it got that far. Call it again to be sure.
    pub async fn destroy(&self) -> Result<()> {
        self.core().destroy().await
    }
}

/// Plays an audit against the files, past all caches, giving others their turn between the pieces.
async fn look(core: &Arc<Core>, first: AuditStep) -> Result<AuditReport> {
    let mut step = first;
    loop {
        core.check_open()?;
        step = match step {
            AuditStep::Read { auditing, reads } => {
                let replies = core.files().read(&reads)?;
                core.read(|feed| auditing.step(feed, &replies))
            }
            AuditStep::Done(report) => return Ok(report),
        };
        future::yield_now().await;
    }
}
