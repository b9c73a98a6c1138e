//! The connections that have a feed open, as the feed sees them.

use std::{collections::VecDeque, sync::Arc};

use crypto::Dialect;
use event_listener::Event as Wake;
use replicate::{Action, PeerId};
use wire::Message;

use crate::{Result, core::Core, stats::Counters};

/// How many actions may wait for a connection that doesn't take them before it is given up.
const MAX_ACTIONS: usize = 65_536;

/// A peer of a feed, as it was when asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// Tells it from the others of this feed, also in events.
    pub id: PeerId,
    /// The peer's Noise key, if the connection has a handshake.
    pub remote_public_key: Option<[u8; 32]>,
    /// The dialect it speaks.
    pub dialect: Dialect,
    /// The length that it claims, in blocks.
    pub remote_length: u64,
}

/// What waits for one connection.
pub(crate) struct Slot {
    actions: VecDeque<Action>,
    wake: Arc<Wake>,
    remote_public_key: Option<[u8; 32]>,
    dialect: Dialect,
    pub(crate) counters: Counters,
}

impl Slot {
    pub(crate) fn new(
        wake: Arc<Wake>,
        remote_public_key: Option<[u8; 32]>,
        dialect: Dialect,
    ) -> Self {
        Slot {
            actions: VecDeque::new(),
            wake,
            remote_public_key,
            dialect,
            counters: Counters::default(),
        }
    }

    pub(crate) fn info(&self, id: PeerId, remote_length: u64) -> PeerInfo {
        PeerInfo {
            id,
            remote_public_key: self.remote_public_key,
            dialect: self.dialect,
            remote_length,
        }
    }

    pub(crate) fn wake(&self) {
        self.wake.notify(usize::MAX);
    }

    pub(crate) fn take_actions(&mut self, into: &mut VecDeque<Action>) -> Option<()> {
        if self.actions.len() > MAX_ACTIONS {
            return None;
        }
        into.append(&mut self.actions);
        Some(())
    }

    pub(crate) fn push(&mut self, action: Action) {
        if !self.merge(&action) {
            self.actions.push_back(action);
        }
        self.wake();
    }

    /// Joins the news of an append to those still unsent, so that a peer that doesn't read costs no memory for each.
    fn merge(&mut self, action: &Action) -> bool {
        let Action::Send {
            message: Message::Have(new),
            ..
        } = action
        else {
            return false;
        };
        let Some(Action::Send {
            message: Message::Have(last),
            ..
        }) = self.actions.back_mut()
        else {
            return false;
        };
        let plain = |have: &wire::Have| have.bitfield.is_none() && have.ack.is_none();
        if !plain(last) || !plain(new) || last.start + last.length() != new.start {
            return false;
        }
        last.length = Some(last.length() + new.length());
        true
    }
}

/// A connection's place among the peers of a feed.
pub(crate) struct Member {
    core: Arc<Core>,
    id: PeerId,
    remote_public_key: Option<[u8; 32]>,
}

impl Member {
    pub(crate) fn new(core: Arc<Core>, id: PeerId, remote_public_key: Option<[u8; 32]>) -> Self {
        Member {
            core,
            id,
            remote_public_key,
        }
    }

    pub(crate) fn id(&self) -> PeerId {
        self.id
    }

    pub(crate) fn remote_public_key(&self) -> Option<[u8; 32]> {
        self.remote_public_key
    }

    /// What is to be done for this peer, oldest first.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed) once the feed is closed.
    pub(crate) fn take_actions(&self, into: &mut VecDeque<Action>) -> Result<()> {
        self.core.check_open()?;
        let taken = self.core.take_actions(self.id, into);
        taken.ok_or_else(|| replicate::Error::Overloaded.into())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.core.leave(self.id, self.remote_public_key);
    }
}
