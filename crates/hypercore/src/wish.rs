//! Something that a caller waits for, and whether there is hope for it.

use std::{
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_channel::Receiver;
use futures_core::Stream;
use replicate::{Outcome, WishId};

use crate::{Error, Result, core::Core, state::State, view::View};

/// A wish that the replicator knows of, until it is granted or this is dropped.
pub(crate) struct Wish {
    core: Arc<Core>,
    id: WishId,
    granted: Pin<Box<Receiver<Outcome>>>,
}

impl Wish {
    pub(crate) fn new(core: Arc<Core>, id: WishId, granted: Receiver<Outcome>) -> Self {
        Wish {
            core,
            id,
            granted: Box::pin(granted),
        }
    }

    /// Completes when the wish has come true.
    ///
    /// # Errors
    /// [`Error::Closed`] if the feed is closed meanwhile, [`Error::Cancelled`].
    pub(crate) async fn granted(&self) -> Result<()> {
        outcome(self.granted.recv().await.ok())
    }

    /// The same, to be polled until it is ready.
    pub(crate) fn poll_granted(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.granted.as_mut().poll_next(cx).map(outcome)
    }
}

fn outcome(told: Option<Outcome>) -> Result<()> {
    match told {
        Some(Outcome::Cancelled) => Err(Error::Cancelled),
        Some(_) => Ok(()),
        None => Err(Error::Closed),
    }
}

impl Drop for Wish {
    fn drop(&mut self) {
        self.core.withdraw(self.id);
    }
}

impl Core {
    /// Wishes for something that isn't here. The wish is withdrawn when what is returned is dropped.
    pub(crate) fn wish(self: &Arc<Self>, wish: impl Into<replicate::Wish>) -> Wish {
        let (sender, granted) = async_channel::bounded(1);
        let now = self.runtime().now();
        let mut state = self.state();
        let State {
            feed,
            replicator,
            wishes,
            ..
        } = &mut *state;
        let id = replicator.want(now, wish, &View(feed));
        // Once the feed is closed nobody would grant it: without its sender the wait ends at once.
        if self.check_open().is_ok() {
            wishes.insert(id, sender);
        }
        state.hand_out();
        drop(state);
        Wish::new(Arc::clone(self), id, granted)
    }

    /// Takes a wish back that nobody waits for any longer.
    pub(crate) fn withdraw(&self, id: WishId) {
        if self.state().wishes.remove(&id).is_some() {
            self.replicate(|replicator, now, view| replicator.cancel(now, id, view));
        }
    }

    /// The first of these blocks that isn't here and that no peer has which could be shown to belong to this feed. None as long
    /// as that may still turn out.
    pub(crate) fn first_unavailable(&self, blocks: Range<u64>) -> Option<u64> {
        if self.discovery().is_going_on() {
            return None;
        }
        let state = self.state();
        if state.replicator.is_asking() {
            return None;
        }
        let view = View(&state.feed);
        state.replicator.first_unavailable(blocks, &view)
    }

    /// Whether there is anybody who may know where a byte is.
    pub(crate) fn is_anybody_there(&self) -> bool {
        self.discovery().is_going_on() || self.state().replicator.peers().next().is_some()
    }

    /// Whether some peer claims a length that can be shown to be one of this feed, or may turn out to.
    pub(crate) fn is_length_available(&self, length: u64) -> bool {
        let state = self.state();
        let view = View(&state.feed);
        state.replicator.is_length_available(length, &view)
            || state.replicator.is_asking()
            || self.discovery().is_promising(state.feed.length())
    }
}
