//! The connections that have a feed open, as the feed sees them.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use crypto::Dialect;
use event_listener::Event as Wake;
use replicate::{Action, PeerConfig, PeerId};
use wire::{Extension, Message, Options};

use crate::{Result, core::Core, extension::Name, stats::Counters};

/// How many actions may wait for a connection that doesn't take them before it is given up.
const MAX_ACTIONS: usize = 65_536;

/// How many messages of extensions wait for a peer to tell which it has.
const MAX_UNTOLD: usize = 64;

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
    id: PeerId,
    actions: VecDeque<Action>,
    wake: Arc<Wake>,
    remote_public_key: Option<[u8; 32]>,
    dialect: Dialect,
    pub(crate) counters: Counters,
    /// Whether we want blocks acknowledged.
    ack: bool,
    /// The names of the remote's extensions, once it has told.
    theirs: Option<Vec<String>>,
    /// Messages of extensions that wait for that.
    untold: Vec<(Name, Bytes)>,
}

/// A connection that becomes a peer.
pub(crate) struct Joining {
    pub(crate) wake: Arc<Wake>,
    pub(crate) config: PeerConfig,
    pub(crate) remote_public_key: Option<[u8; 32]>,
    pub(crate) dialect: Dialect,
}

impl Slot {
    pub(crate) fn new(
        id: PeerId,
        wake: Arc<Wake>,
        remote_public_key: Option<[u8; 32]>,
        dialect: Dialect,
        ack: bool,
    ) -> Self {
        Slot {
            id,
            actions: VecDeque::new(),
            wake,
            remote_public_key,
            dialect,
            counters: Counters::default(),
            ack,
            theirs: None,
            untold: Vec::new(),
        }
    }

    pub(crate) fn info(&self, remote_length: u64) -> PeerInfo {
        PeerInfo {
            id: self.id,
            remote_public_key: self.remote_public_key,
            dialect: self.dialect,
            remote_length,
        }
    }

    pub(crate) fn wake(&self) {
        self.wake.notify(usize::MAX);
    }

    /// Sends a message of the extension `name`, one of our `names`. Says whether the remote can have a use for it.
    pub(crate) fn send_extension(&mut self, names: &[String], name: &Name, payload: Bytes) -> bool {
        match &self.theirs {
            None if self.untold.len() < MAX_UNTOLD => self.untold.push((name.clone(), payload)),
            Some(theirs) if theirs.contains(&name.0) => self.number(names, name, payload),
            _ => return false,
        }
        true
    }

    /// The remote has told which extensions it has.
    pub(crate) fn handle_names(&mut self, names: &[String], theirs: &[String]) {
        self.theirs = Some(theirs.to_vec());
        for (name, payload) in std::mem::take(&mut self.untold) {
            self.send_extension(names, &name, payload);
        }
    }

    /// The remote's extension of a number.
    pub(crate) fn name(&self, number: u64) -> Option<Name> {
        let number = usize::try_from(number).ok()?;
        let name = self.theirs.as_ref()?.get(number)?;
        Some(Name(name.clone()))
    }

    pub(crate) fn tell_names(&mut self, names: &[String]) {
        let options = Options {
            extensions: names.to_vec(),
            ack: Some(self.ack),
        };
        self.push(Action::Send {
            peer: self.id,
            message: Message::Options(options),
        });
    }

    fn number(&mut self, names: &[String], name: &Name, payload: Bytes) {
        if let Some(number) = names.iter().position(|known| *known == name.0) {
            let message = Message::Extension(Extension {
                id: number as u64,
                payload,
            });
            self.push(Action::Send {
                peer: self.id,
                message,
            });
        }
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
