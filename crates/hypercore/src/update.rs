//! Waiting for the feed to get longer.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use futures_lite::future;
use replicate::Wish;

use crate::{Encoding, Error, Hypercore, Result, core::Core, get::within};

impl<E: Encoding> Hypercore<E> {
    /// Waits until the feed is longer than now, by an append here or because a peer proves it, and returns its length. A
    /// sparse copy fetches the proof and no block.
    ///
    /// # Errors
    /// The future fails with [`Error::NoUpdate`] or [`Error::TimedOut`] as its options say, and with [`Error::Closed`].
    pub fn update(&self) -> Update {
        Update {
            core: Arc::clone(self.core()),
            min_length: None,
            if_available: self.core().if_available(),
            timeout: None,
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
    if_available: bool,
    timeout: Option<Duration>,
}

impl Update {
    /// The length that will do. Default: one more than when it is awaited.
    pub fn min_length(mut self, length: u64) -> Self {
        self.min_length = Some(length);
        self
    }

    /// Waits only as long as some connected peer claims such a length or hasn't said yet; fails with [`Error::NoUpdate`]
    /// otherwise, and at once if there is no peer.
    pub fn if_available(mut self) -> Self {
        self.if_available = true;
        self
    }

    /// How long to wait at most; then the call fails with [`Error::TimedOut`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
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
                let wish = core.wish(Wish::Length(min));
                let grown = wish.granted();
                let waiting = async {
                    match self.if_available {
                        true => future::or(grown, hopeless(core, min)).await,
                        false => grown.await,
                    }
                };
                within(core, self.timeout, waiting).await?;
            }
            Ok(core.read(|feed| feed.length()))
        })
    }
}

/// Fails once nobody claims to have such a length and nobody has still to say.
async fn hopeless(core: &Core, min: u64) -> Result<()> {
    loop {
        // Listen first, look second, so that nothing that changes in between is missed.
        let changed = core.changed();
        if !core.is_length_available(min) {
            return Err(Error::NoUpdate);
        }
        changed.await;
    }
}

impl fmt::Debug for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Update")
            .field("min_length", &self.min_length)
            .field("if_available", &self.if_available)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
