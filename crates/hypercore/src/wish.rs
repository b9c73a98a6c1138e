//! Something that a caller waits for.

use std::sync::Arc;

use async_channel::Receiver;
use replicate::WishId;

use crate::{Error, Result, core::Core};

/// A wish that the replicator knows of, until it is granted or this is dropped.
pub(crate) struct Wish {
    core: Arc<Core>,
    id: WishId,
    granted: Receiver<()>,
}

impl Wish {
    pub(crate) fn new(core: Arc<Core>, id: WishId, granted: Receiver<()>) -> Self {
        Wish { core, id, granted }
    }

    /// Completes when the wish has come true.
    ///
    /// # Errors
    /// [`Error::Closed`] if the feed is closed meanwhile.
    pub(crate) async fn granted(&self) -> Result<()> {
        self.granted.recv().await.map_err(|_| Error::Closed)
    }
}

impl Drop for Wish {
    fn drop(&mut self) {
        self.core.withdraw(self.id);
    }
}
