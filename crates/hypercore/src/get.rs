//! Reading blocks, and waiting for those that aren't here.

use std::{
    fmt,
    future::{Future, IntoFuture},
    ops::Range,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_lite::future;
use replicate::{Order, Wish};

use crate::{
    Encoding, Error, Result,
    core::Core,
    read::{read_local, read_local_range},
    runtime::BoxFuture,
};

/// What to do about blocks that aren't stored here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Wait until they are.
    #[default]
    Forever,
    /// Fail at once.
    Never,
    /// Wait as long as some peer has them, or hasn't said yet.
    WhileAvailable,
}

/// How blocks are read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Patience {
    pub(crate) wait: Wait,
    pub(crate) timeout: Option<Duration>,
}

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
    which: Which,
    patience: Patience,
    on_wait: Option<Box<dyn FnOnce(u64) + Send>>,
}

#[derive(Clone, Copy, Debug)]
enum Which {
    Block(u64),
    Last,
}

impl<E: Encoding> Get<E> {
    pub(crate) fn block(core: Arc<Core>, encoding: E, block: u64) -> Self {
        Get::new(core, encoding, Which::Block(block))
    }

    pub(crate) fn last(core: Arc<Core>, encoding: E) -> Self {
        Get::new(core, encoding, Which::Last)
    }

    fn new(core: Arc<Core>, encoding: E, which: Which) -> Self {
        Get {
            patience: core.patience(),
            core,
            encoding,
            which,
            on_wait: None,
        }
    }

    /// Whether to wait for a block that isn't stored here. Default: yes. If not, the call fails with [`Error::NotLocal`].
    pub fn wait(mut self, yes: bool) -> Self {
        self.patience.wait = if yes { Wait::Forever } else { Wait::Never };
        self
    }

    /// Waits only as long as some connected peer has the block or hasn't said yet what it has; fails with
    /// [`Error::NotAvailable`] otherwise, and at once if there is no peer.
    pub fn if_available(mut self) -> Self {
        self.patience.wait = Wait::WhileAvailable;
        self
    }

    /// How long to wait at most; then the call fails with [`Error::TimedOut`] and the request is withdrawn.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.patience.timeout = Some(timeout);
        self
    }

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
            which: self.which,
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
            let block = match self.which {
                Which::Block(block) => block,
                Which::Last => self
                    .core
                    .read(|feed| feed.length())
                    .checked_sub(1)
                    .ok_or(Error::Empty)?,
            };
            let bytes = fetch(&self.core, block, self.patience, self.on_wait).await?;
            decode(&self.encoding, block, bytes)
        })
    }
}

impl<E: Encoding> fmt::Debug for Get<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get")
            .field("which", &self.which)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

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
            core,
            encoding,
            blocks,
            patience: Patience::default(),
        }
    }

    /// Whether to wait for blocks that aren't stored here. Default: yes. If not, the call fails with [`Error::NotLocal`].
    pub fn wait(mut self, yes: bool) -> Self {
        self.patience.wait = if yes { Wait::Forever } else { Wait::Never };
        self
    }

    /// How long to wait for all of them at most; then the call fails with [`Error::TimedOut`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.patience.timeout = Some(timeout);
        self
    }

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
            self.core.check_open()?;
            let reading = fetch_range(&self.core, self.blocks.clone(), self.patience.wait);
            let blocks = within(&self.core, self.patience.timeout, reading).await?;
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

pub(crate) fn decode<E: Encoding>(encoding: &E, block: u64, bytes: Bytes) -> Result<E::Value> {
    encoding.decode(bytes).map_err(|source| Error::Decode {
        block,
        source: source.into(),
    })
}

/// A block, from the files or from whoever has it.
pub(crate) async fn fetch(
    core: &Arc<Core>,
    block: u64,
    patience: Patience,
    on_wait: Option<Box<dyn FnOnce(u64) + Send>>,
) -> Result<Bytes> {
    if let Some(bytes) = read_local(core, block)? {
        return Ok(bytes);
    }
    if patience.wait == Wait::Never {
        return Err(Error::NotLocal { block });
    }
    if let Some(call) = on_wait {
        call(block);
    }
    let waiting = async {
        loop {
            match patience.wait {
                Wait::WhileAvailable => wait_while_available(core, block).await?,
                _ => core.wish(block).granted().await?,
            }
            if let Some(bytes) = read_local(core, block)? {
                return Ok(bytes);
            }
        }
    };
    within(core, patience.timeout, waiting).await
}

async fn fetch_range(core: &Arc<Core>, blocks: Range<u64>, wait: Wait) -> Result<Vec<Bytes>> {
    loop {
        let missing = core.read(|feed| feed.bitfield().next_missing(blocks.start));
        if missing < blocks.end {
            if wait == Wait::Never {
                return Err(Error::NotLocal { block: missing });
            }
            // All of it, since what is here now may be cleared before the rest comes.
            let wish = Wish::Range {
                blocks: blocks.clone(),
                order: Order::Linear,
            };
            core.wish(wish).granted().await?;
            core.check_open()?;
        }
        // Unless one was cleared meanwhile.
        if let Some(all) = read_local_range(core, blocks.clone())? {
            return Ok(all);
        }
    }
}

/// Waits for a block until it is here or it turns out that nobody has it.
async fn wait_while_available(core: &Arc<Core>, block: u64) -> Result<()> {
    let wish = core.wish(block);
    let granted = wish.granted();
    let hopeless = async {
        loop {
            // Listen first, look second, so that nothing that changes in between is missed.
            let changed = core.changed();
            if !core.is_available(block) {
                return Err(Error::NotAvailable { block });
            }
            changed.await;
        }
    };
    future::or(granted, hopeless).await
}

/// Gives up after a while.
pub(crate) async fn within<T>(
    core: &Core,
    timeout: Option<Duration>,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let Some(timeout) = timeout else {
        return work.await;
    };
    let sleep: BoxFuture<()> = core.runtime().sleep(timeout);
    let late = async {
        sleep.await;
        Err(Error::TimedOut)
    };
    future::or(work, late).await
}
