//! Reading blocks in a row.

use std::{
    fmt,
    future::{Future, IntoFuture},
    ops::Range,
    pin::Pin,
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    Encoding, Result,
    core::Core,
    get::decode,
    mend::read_blocks,
    patience::{Missing, Patience, waiting_options},
};

/// Blocks in a row that are about to be read. Await it.
///
/// ```
/// # async_std::task::block_on(async {
/// use hypercore::{Error, Hypercore, Storage};
///
/// let feed = Hypercore::open(Storage::memory()).await?;
/// feed.append_batch(["a", "b", "c"]).await?;
/// assert_eq!(feed.get_range(1..3).await?, ["b", "c"]);
/// assert!(matches!(feed.get_range(1..5).wait(false).await, Err(Error::NotLocal { block: 3 })));
/// # Ok::<_, hypercore::Error>(()) }).unwrap();
/// ```
///
/// # Cancellation
/// Dropping the future withdraws the request; so does its timeout.
#[must_use = "nothing is read until it is awaited"]
pub struct GetRange<E: Encoding> {
    core: Arc<Core>,
    encoding: E,
    blocks: Range<u64>,
    patience: Patience,
}

impl<E: Encoding> GetRange<E> {
    pub(crate) fn new(core: Arc<Core>, encoding: E, blocks: Range<u64>) -> Self {
        GetRange {
            patience: Patience::of(&core),
            core,
            encoding,
            blocks,
        }
    }

    waiting_options!("NotLocal", "NotAvailable");

    /// Reads the blocks with another encoding.
    pub fn encoding<F: Encoding>(self, encoding: F) -> GetRange<F> {
        GetRange {
            core: self.core,
            encoding,
            blocks: self.blocks,
            patience: self.patience,
        }
    }
}

impl<E: Encoding> IntoFuture for GetRange<E> {
    type Output = Result<Vec<E::Value>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let reading = fetch_range(&self.core, self.blocks.clone(), self.patience);
            let blocks = self.patience.limit(&self.core, reading).await?;
            let numbered = self.blocks.zip(blocks);
            numbered
                .map(|(block, bytes)| decode(&self.encoding, block, bytes))
                .collect()
        })
    }
}

impl<E: Encoding> fmt::Debug for GetRange<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetRange")
            .field("blocks", &self.blocks)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// The blocks, from the files, once all of them are there at a time.
async fn fetch_range(
    core: &Arc<Core>,
    blocks: Range<u64>,
    patience: Patience,
) -> Result<Vec<Bytes>> {
    loop {
        core.check_open()?;
        let first = core.read(|feed| feed.bitfield().next_missing(blocks.start));
        if first < blocks.end {
            let blocks = blocks.clone();
            let missing = Missing::Blocks { first, blocks };
            patience.obtain(core, missing).await?;
            continue;
        }
        // One may have been cleared meanwhile.
        if let Some(all) = read_blocks(core, blocks.clone()).await? {
            return Ok(all);
        }
    }
}
