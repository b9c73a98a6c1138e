//! Reading the last block.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
};

use crate::{
    Encoding, Error, Result,
    core::Core,
    get::{OnWait, decode, fetch},
    patience::{Missing, Patience, waiting_options},
    update::grow,
};

/// The last block that is about to be read: which one that is, is decided when this is awaited.
///
/// ```
/// # async_std::task::block_on(async {
/// use hypercore::{Error, Hypercore, Storage};
///
/// let feed = Hypercore::open(Storage::memory()).await?;
/// assert!(matches!(feed.head().await, Err(Error::Empty)));
/// feed.append_batch(["a", "b"]).await?;
/// assert_eq!(feed.head().await?, "b");
/// // Nobody is connected who could have a later one.
/// let later = feed.head().update(true).if_available().await;
/// assert!(matches!(later, Err(Error::NoUpdate)));
/// # Ok::<_, hypercore::Error>(()) }).unwrap();
/// ```
///
/// # Cancellation
/// Dropping the future withdraws the request; so does its timeout.
#[must_use = "nothing is read until it is awaited"]
pub struct Head<E: Encoding> {
    core: Arc<Core>,
    encoding: E,
    update: bool,
    min_length: Option<u64>,
    patience: Patience,
    on_wait: Option<OnWait>,
}

impl<E: Encoding> Head<E> {
    pub(crate) fn new(core: Arc<Core>, encoding: E) -> Self {
        Head {
            patience: Patience::of(&core),
            core,
            encoding,
            update: false,
            min_length: None,
            on_wait: None,
        }
    }

    /// Whether to wait for a longer feed first, as [`update`](crate::Hypercore::update) does. Default: no, the last block is the
    /// last that is known here. If no longer one comes as the options say, the call fails with
    /// [`Error::NoUpdate`](crate::Error::NoUpdate) or [`Error::TimedOut`](crate::Error::TimedOut), and the last block that is known
    /// can still be asked for.
    pub fn update(mut self, yes: bool) -> Self {
        self.update = yes;
        self
    }

    /// The length that will do for an [`update`](Self::update). Default: one more than when it is awaited.
    pub fn min_length(mut self, length: u64) -> Self {
        self.min_length = Some(length);
        self
    }

    waiting_options!("NotLocal", "NotAvailable");

    /// Calls a function, once, with the number of the block if it has to be waited for. Not while the feed has to get longer
    /// first.
    pub fn on_wait(mut self, call: impl FnOnce(u64) + Send + 'static) -> Self {
        self.on_wait = Some(Box::new(call));
        self
    }

    /// Reads the block with another encoding.
    pub fn encoding<F: Encoding>(self, encoding: F) -> Head<F> {
        Head {
            core: self.core,
            encoding,
            update: self.update,
            min_length: self.min_length,
            patience: self.patience,
            on_wait: self.on_wait,
        }
    }
}

impl<E: Encoding> IntoFuture for Head<E> {
    type Output = Result<E::Value>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (core, patience) = (&self.core, self.patience);
            core.check_open()?;
            let reading = async {
                let length = match self.update {
                    true => grow(core, self.min_length, Missing::Tip, patience).await?,
                    false => core.length(),
                };
                let last = length.checked_sub(1).ok_or(Error::Empty)?;
                let bytes = fetch(core, last, patience, self.on_wait).await?;
                Ok((last, bytes))
            };
            let (last, bytes) = patience.limit(core, reading).await?;
            decode(&self.encoding, last, bytes)
        })
    }
}

impl<E: Encoding> fmt::Debug for Head<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("update", &self.update)
            .field("min_length", &self.min_length)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}
