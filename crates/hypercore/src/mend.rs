//! What is done when a block that is marked as stored can't be read: what follows from the rest of the files is made good, and what
//! doesn't is forgotten, so that it is fetched again.
//!
//! Whoever reads a block that is lost is told so, once. For peers it was never there.

use std::{ops::Range, sync::Arc, time::Duration};

use bitfield::RangeSet;
use bytes::Bytes;
use feed::MendStep;
use replicate::Replicator;

use crate::{
    Error, Result,
    core::Core,
    read::{read_local, read_local_range},
    view::View,
};

/// The block, or none if it isn't stored here.
///
/// # Errors
/// As [`read_local`]: a block that can't be made good was forgotten then.
pub(crate) async fn read_block(core: &Arc<Core>, block: u64) -> Result<Option<Bytes>> {
    match read_local(core, block) {
        Err(Error::Feed(damage)) if damage.is_damage() => {
            core.mend_blocks(block..block + 1, damage).await?;
            read_local(core, block)?.map_or(Err(damage.into()), |bytes| Ok(Some(bytes)))
        }
        other => other,
    }
}

/// Blocks in a row, or none if one of them isn't stored here.
///
/// # Errors
/// As [`read_block`].
pub(crate) async fn read_blocks(
    core: &Arc<Core>,
    blocks: Range<u64>,
) -> Result<Option<Vec<Bytes>>> {
    match read_local_range(core, blocks.clone()) {
        Err(Error::Feed(damage)) if damage.is_damage() => {
            core.mend_blocks(blocks.clone(), damage).await?;
            read_local_range(core, blocks)?.map_or(Err(damage.into()), |all| Ok(Some(all)))
        }
        other => other,
    }
}

impl Core {
    /// Mends blocks of which one can't be read.
    ///
    /// # Errors
    /// The damage, if nothing may be changed; [`Error::Disk`], [`Error::Closed`].
    async fn mend_blocks(self: &Arc<Self>, blocks: Range<u64>, damage: feed::Error) -> Result<()> {
        if self.read(feed::Feed::is_read_only) {
            return Err(damage.into());
        }
        let mut set = RangeSet::default();
        set.insert(blocks);
        self.mend(&set).await
    }

    /// The same while nobody waits for it.
    pub(crate) fn mend_later(self: &Arc<Self>, block: u64, damage: feed::Error) {
        let core = Arc::downgrade(self);
        self.runtime().spawn(Box::pin(async move {
            if let Some(core) = core.upgrade() {
                // What fails here fails for whoever asks next as well.
                let _ = core.mend_blocks(block..block + 1, damage).await;
            }
        }));
    }

    /// Makes good what can be, and forgets the rest.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::Closed`], [`Error::Feed`] if the feed was opened only to be read.
    pub(crate) async fn mend(self: &Arc<Self>, blocks: &RangeSet) -> Result<()> {
        let writer = self.writer().await?;
        let mut step = self.read(|feed| feed.mend(blocks))?;
        let mended = loop {
            step = match step {
                MendStep::Read { mending, reads } => {
                    let replies = self.files().read(&reads)?;
                    self.read(|feed| mending.step(feed, &replies))
                }
                MendStep::Done(mended) => break mended,
            };
        };
        if mended.lost.is_empty() && mended.commit.batch().is_empty() {
            // Somebody else was quicker. What was read before that may be kept all the same.
            self.forget_nodes();
            return Ok(());
        }
        let lost = mended.lost;
        let tell = move |replicator: &mut Replicator, now: Duration, view: &View<'_>| {
            for blocks in lost.iter() {
                replicator.handle_lost(now, blocks, view);
            }
        };
        let core = Arc::clone(self);
        let forget = move |_: &Result<()>| core.forget_nodes();
        self.store(writer, mended.commit, None, Box::new(tell), forget)
            .await
    }
}
