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
    /// sparse copy fetches the proof and no block.
    ///
    /// # Errors
    /// The future fails with [`Error::NoUpdate`](crate::Error::NoUpdate) or [`Error::TimedOut`](crate::Error::TimedOut) as its options
    /// say, and with [`Error::Closed`](crate::Error::Closed).
    pub fn update(&self) -> Update {
        Update {
            core: Arc::clone(self.core()),
            min_length: None,
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
    patience: Patience,
}

impl Update {
    /// The length that will do. Default: one more than when it is awaited.
    pub fn min_length(mut self, length: u64) -> Self {
        self.min_length = Some(length);
        self
    }

    waiting_options!("NoUpdate", "NoUpdate");
}

impl IntoFuture for Update {
    type Output = Result<u64>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<u64>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let core = &self.core;
            core.check_open()?;
            let length = core.read(|feed| feed.length());
            let min = self.min_length.unwrap_or(length.saturating_add(1));
            if length < min {
                let growing = self.patience.obtain(core, Missing::Length(min));
                self.patience.limit(core, growing).await?;
            }
            Ok(core.read(|feed| feed.length()))
        })
    }
}

impl fmt::Debug for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Update")
            .field("min_length", &self.min_length)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}
