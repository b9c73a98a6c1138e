//! Waiting for the feed to get longer.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
};

use crate::{
    Encoding, Hypercore, Result,
    core::Core,
    patience::{Missing, Patience, waiting_options},
};

impl<E: Encoding> Hypercore<E> {
    /// Waits until the feed is longer than now, by an append here or because a peer proves it, and returns its length. A
    /// sparse copy fetches the proof and no block, unless told [otherwise](Update::with_block).
    ///
    /// # Errors
    /// The future fails with [`Error::NoUpdate`](crate::Error::NoUpdate) or [`Error::TimedOut`](crate::Error::TimedOut) as its options
    /// say, and with [`Error::Closed`](crate::Error::Closed).
    pub fn update(&self) -> Update {
        Update {
            core: Arc::clone(self.core()),
            min_length: None,
            with_block: false,
            patience: Patience::of(self.core()),
        }
    }
}

/// A longer feed that is about to be waited for. Await it.
///
/// ```
/// # async_std::task::block_on(async {
/// use hypercore::{Error, Hypercore, Storage};
///
/// let feed = Hypercore::open(Storage::memory()).await?;
/// feed.append("a").await?;
/// assert_eq!(feed.update().min_length(1).await?, 1);
/// assert_eq!(feed.update().min_length(1).with_block(true).await?, 1);
/// // Nobody is connected who could have more.
/// assert!(matches!(feed.update().if_available().await, Err(Error::NoUpdate)));
/// # Ok::<_, hypercore::Error>(()) }).unwrap();
/// ```
///
/// # Cancellation
/// Dropping the future withdraws the request; so does its timeout.
#[must_use = "nothing is waited for until it is awaited"]
pub struct Update {
    core: Arc<Core>,
    min_length: Option<u64>,
    with_block: bool,
    patience: Patience,
}

impl Update {
    /// The length that will do. Default: one more than when it is awaited.
    pub fn min_length(mut self, length: u64) -> Self {
        self.min_length = Some(length);
        self
    }

    /// Whether to wait for the last block as well: the length is then one whose last block is here. It is asked for in place of
    /// the hash that would do otherwise, so it takes no longer. Default: no.
    pub fn with_block(mut self, yes: bool) -> Self {
        self.with_block = yes;
        self
    }

    waiting_options!("NoUpdate", "NoUpdate");
}

impl IntoFuture for Update {
    type Output = Result<u64>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<u64>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (core, patience) = (&self.core, self.patience);
            let updating = async {
                if !self.with_block {
                    return grow(core, self.min_length, Missing::Length, patience).await;
                }
                let length = grow(core, self.min_length, Missing::Tip, patience).await?;
                let last = length.checked_sub(1);
                // It has come with the length, unless another peer has proved that first.
                while let Some(last) = last.filter(|last| !core.has(*last)) {
                    patience.obtain(core, Missing::Block(last)).await?;
                }
                Ok(length)
            };
            patience.limit(core, updating).await
        })
    }
}

/// Waits for the feed to be as long as `least`, or longer than now, and gives its length. `missing` says what for.
pub(crate) async fn grow(
    core: &Arc<Core>,
    least: Option<u64>,
    missing: fn(u64) -> Missing,
    patience: Patience,
) -> Result<u64> {
    core.check_open()?;
    let length = core.length();
    let least = least.unwrap_or(length.saturating_add(1));
    if length < least {
        patience.obtain(core, missing(least)).await?;
    }
    Ok(core.length())
}

impl fmt::Debug for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Update")
            .field("min_length", &self.min_length)
            .field("with_block", &self.with_block)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}
