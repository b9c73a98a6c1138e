//! Reading a block, and waiting for one that isn't here.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    Encoding, Error, Result,
    core::Core,
    mend::read_block,
    patience::{Missing, Patience, waiting_options},
};

/// A block that is about to be read. Await it.
///
/// ```
/// # async_std::task::block_on(async {
/// use std::time::Duration;
/// use hypercore::{Error, Hypercore, Storage, Utf8};
///
/// let feed = Hypercore::open(Storage::memory()).await?;
/// feed.append("a").await?;
/// assert_eq!(feed.get(0).encoding(Utf8).await?, "a");
/// assert!(matches!(feed.get(1).wait(false).await, Err(Error::NotLocal { block: 1 })));
/// assert!(matches!(feed.get(1).timeout(Duration::ZERO).await, Err(Error::TimedOut)));
/// # Ok::<_, hypercore::Error>(()) }).unwrap();
/// ```
///
/// # Cancellation
/// Dropping the future withdraws the request; so does its timeout.
#[must_use = "nothing is read until it is awaited"]
pub struct Get<E: Encoding> {
    core: Arc<Core>,
    encoding: E,
    block: u64,
    patience: Patience,
    on_wait: Option<OnWait>,
}

/// Told that a block has to be waited for.
pub(crate) type OnWait = Box<dyn FnOnce(u64) + Send>;

impl<E: Encoding> Get<E> {
    pub(crate) fn new(core: Arc<Core>, encoding: E, block: u64) -> Self {
        Get {
            patience: Patience::of(&core),
            core,
            encoding,
            block,
            on_wait: None,
        }
    }

    waiting_options!("NotLocal", "NotAvailable");

    /// Calls a function, once, with the number of the block if it has to be waited for.
    pub fn on_wait(mut self, call: impl FnOnce(u64) + Send + 'static) -> Self {
        self.on_wait = Some(Box::new(call));
        self
    }

    /// Reads the block with another encoding.
    pub fn encoding<F: Encoding>(self, encoding: F) -> Get<F> {
        Get {
            core: self.core,
            encoding,
            block: self.block,
            patience: self.patience,
            on_wait: self.on_wait,
        }
    }
}

impl<E: Encoding> IntoFuture for Get<E> {
    type Output = Result<E::Value>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            self.core.check_open()?;
            let reading = fetch(&self.core, self.block, self.patience, self.on_wait);
            let bytes = self.patience.limit(&self.core, reading).await?;
            decode(&self.encoding, self.block, bytes)
        })
    }
}

impl<E: Encoding> fmt::Debug for Get<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get")
            .field("block", &self.block)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

pub(crate) fn decode<E: Encoding>(encoding: &E, block: u64, bytes: Bytes) -> Result<E::Value> {
    encoding.decode(bytes).map_err(|source| Error::Decode {
        block,
        source: source.into(),
    })
}

/// A block, from the files or from whoever has it. However long that takes.
pub(crate) async fn fetch(
    core: &Arc<Core>,
    block: u64,
    patience: Patience,
    mut on_wait: Option<OnWait>,
) -> Result<Bytes> {
    loop {
        if let Some(bytes) = read_block(core, block).await? {
            return Ok(bytes);
        }
        if let Some(call) = on_wait.take().filter(|_| patience.waits()) {
            call(block);
        }
        // It may be cleared again before it is read.
        patience.obtain(core, Missing::Block(block)).await?;
    }
}
