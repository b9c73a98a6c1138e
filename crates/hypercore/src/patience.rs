//! How long a call waits for what isn't here: the same three options for everything that can be asked of a feed.
//!
//! | option | waits | and then fails with |
//! | --- | --- | --- |
//! | `wait(true)` | until it comes | |
//! | `wait(false)` | not at all | [`Missing::not_here`] |
//! | `if_available()` | as long as a peer has it, or hasn't said yet what it has | [`Missing::check_hope`] |
//! | `timeout(time)` | no longer than that, whatever the others say | [`Error::TimedOut`] |
//!
//! Of the first three the one that was said last counts. Unless one is said, the feed's own choice does
//! ([`Builder::if_available`](crate::Builder::if_available)).

use std::{future::Future, ops::Range, sync::Arc, time::Duration};

use futures_lite::future;
use replicate::{Order, Wish};

use crate::{Error, Result, core::Core, observe};

/// How long a call waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    wait: Wait,
    timeout: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Forever,
    Never,
    WhileAvailable,
}

impl Patience {
    /// That of a caller who hasn't said anything.
    pub(crate) fn of(core: &Core) -> Self {
        Patience {
            wait: match core.if_available() {
                true => Wait::WhileAvailable,
                false => Wait::Forever,
            },
            timeout: None,
        }
    }

    pub(crate) fn wait(&mut self, yes: bool) {
        self.wait = if yes { Wait::Forever } else { Wait::Never };
    }

    pub(crate) fn if_available(&mut self) {
        self.wait = Wait::WhileAvailable;
    }

    pub(crate) fn timeout(&mut self, timeout: Duration) {
        self.timeout = Some(timeout);
    }

    /// Whether the caller waits at all.
    pub(crate) fn waits(&self) -> bool {
        self.wait != Wait::Never
    }

    /// Waits for something, if that is what the caller wants. What is wished for is withdrawn if the future is dropped.
    ///
    /// # Errors
    /// Those of what is missing, [`Error::Closed`].
    pub(crate) async fn obtain(self, core: &Arc<Core>, missing: Missing) -> Result<()> {
        if !self.waits() {
            return Err(missing.not_here());
        }
        let work = self.wait_for(core, &missing);
        observe::waiting(core, &missing, work).await
    }

    async fn wait_for(self, core: &Arc<Core>, missing: &Missing) -> Result<()> {
        let wish = core.wish(missing.wish());
        let hopeless = async {
            if self.wait == Wait::Forever {
                return future::pending().await;
            }
            loop {
                // Listen first, look second, so that nothing that changes in between is missed.
                let changed = core.changed();
                missing.check_hope(core)?;
                changed.await;
            }
        };
        future::or(wish.granted(), hopeless).await
    }

    /// Gives up once the time is over. To be put around all that one call waits for.
    ///
    /// # Errors
    /// [`Error::TimedOut`], or as the work says.
    pub(crate) async fn limit<T>(
        self,
        core: &Core,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(timeout) = self.timeout else {
            return work.await;
        };
        // The timer is made only if there is something to wait for.
        let late = async {
            core.runtime().sleep(timeout).await;
            Err(Error::TimedOut)
        };
        future::or(work, late).await
    }
}

/// What isn't here.
#[derive(Clone, Debug)]
pub(crate) enum Missing {
    /// A block.
    Block(u64),
    /// Some of these blocks, the first of which is `first`.
    Blocks { first: u64, blocks: Range<u64> },
    /// So long a feed.
    Length(u64),
    /// The same, of which the last block is wanted next.
    Tip(u64),
    /// The hashes that tell which of these blocks holds a byte.
    Hashes { byte: u64, within: Range<u64> },
    /// The byte itself: the feed has to be longer than so many blocks.
    Byte { byte: u64, length: u64 },
}

impl Missing {
    fn wish(&self) -> Wish {
        match self.clone() {
            Missing::Block(block) => Wish::Block(block),
            // All of them, since what is here now may be cleared before the rest comes.
            Missing::Blocks { blocks, .. } => Wish::Range {
                blocks,
                order: Order::Linear,
            },
            Missing::Length(length) => Wish::Length(length),
            Missing::Tip(length) => Wish::Tip(length),
            Missing::Hashes { byte, within } => Wish::Seek {
                bytes: byte,
                within,
            },
            Missing::Byte { length, .. } => Wish::Length(length.saturating_add(1)),
        }
    }

    /// What a caller is told who doesn't wait.
    fn not_here(&self) -> Error {
        match *self {
            Missing::Block(block) | Missing::Blocks { first: block, .. } => {
                Error::NotLocal { block }
            }
            Missing::Length(_) | Missing::Tip(_) => Error::NoUpdate,
            Missing::Hashes { byte, .. } | Missing::Byte { byte, .. } => {
                Error::ByteNotLocal { byte }
            }
        }
    }

    /// Fails as soon as nobody can be expected to have it, with what a caller is told who waits only as long.
    fn check_hope(&self, core: &Core) -> Result<()> {
        let unavailable = match self {
            Missing::Block(block) => core.first_unavailable(*block..block.saturating_add(1)),
            Missing::Blocks { blocks, .. } => core.first_unavailable(blocks.clone()),
            _ => None,
        };
        if let Some(block) = unavailable {
            return Err(Error::NotAvailable { block });
        }
        let hope = match *self {
            Missing::Block(_) | Missing::Blocks { .. } => true,
            Missing::Length(length) | Missing::Tip(length) => core.is_length_available(length),
            Missing::Byte { length, .. } => core.is_length_available(length.saturating_add(1)),
            Missing::Hashes { .. } => core.is_anybody_there(),
        };
        hope.then_some(()).ok_or_else(|| self.not_here())
    }
}

/// The options of waiting for something that has a `patience`, with the names of the errors that it fails with.
macro_rules! waiting_options {
    ($not_here:literal, $not_available:literal) => {
        /// Whether to wait for what isn't stored here. Default: yes, as the feed's
        #[doc = concat!("[default](crate::Builder::if_available) says. If not, the call fails with [`Error::", $not_here, "`](crate::Error::", $not_here, ").")]
        pub fn wait(mut self, yes: bool) -> Self {
            self.patience.wait(yes);
            self
        }

        /// Waits only as long as some connected peer has it or hasn't said yet what it has; without peers, not at all.
        #[doc = concat!("Fails with [`Error::", $not_available, "`](crate::Error::", $not_available, ") otherwise.")]
        pub fn if_available(mut self) -> Self {
            self.patience.if_available();
            self
        }

        /// How long to wait at most. Then the call fails with [`Error::TimedOut`](crate::Error::TimedOut), and what it has asked
        /// for is withdrawn.
        pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
            self.patience.timeout(timeout);
            self
        }
    };
}

pub(crate) use waiting_options;
