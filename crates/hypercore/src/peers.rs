//! The connections that have a feed open, as the feed sees them.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use crypto::Dialect;
use replicate::{Action, PeerConfig, PeerId};
use wire::{Extension, Message, Options, Request};

use crate::{
    Event, Result,
    core::Core,
    extension::Name,
    ready::Bell,
    state::State,
    stats::{Counters, Stats},
    view::View,
};

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
    bell: Arc<Bell>,
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
    pub(crate) bell: Arc<Bell>,
    pub(crate) config: PeerConfig,
    pub(crate) remote_public_key: Option<[u8; 32]>,
    pub(crate) dialect: Dialect,
}

impl Slot {
    pub(crate) fn new(
        id: PeerId,
        bell: Arc<Bell>,
        remote_public_key: Option<[u8; 32]>,
        dialect: Dialect,
        ack: bool,
    ) -> Self {
        Slot {
            id,
            actions: VecDeque::new(),
            bell,
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
        self.bell.ring();
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

impl Core {
    /// A request is answered: by a block of so many bytes, or by hashes only.
    pub(crate) fn served(
        &self,
        peer: PeerId,
        request: &Request,
        found: Option<u64>,
        len: Option<usize>,
    ) {
        self.replicate(|replicator, _, _| replicator.handle_served(peer, request, found));
        if let Some(len) = len {
            self.state().count(peer, |counters| counters.uploaded(len));
            let block = found.unwrap_or(request.index);
            self.announce(Event::Upload { block, len, peer });
        }
    }

    /// A connection is to carry this feed. Its bell is rung when the feed is closed, though the remote may not have answered
    /// yet.
    pub(crate) fn attach(&self, bell: &Arc<Bell>) {
        let connections = &mut self.state().connections;
        connections.retain(|connection| connection.strong_count() > 0);
        connections.push(Arc::downgrade(bell));
    }

    /// Adds a peer; it leaves when the guard is dropped.
    pub(crate) fn join(self: &Arc<Self>, joining: Joining) -> Member {
        let Joining {
            bell,
            mut config,
            remote_public_key,
            dialect,
        } = joining;
        let now = self.runtime().now();
        let mut state = self.state();
        while self.holds_back() {
            // It is about to be told of blocks that a power cut could still take back.
            drop(state);
            let synced = self.files().sync();
            state = self.state();
            if synced.is_err() {
                break;
            }
        }
        let id = PeerId(state.next_peer);
        state.next_peer += 1;
        config.extensions = state.names();
        let slot = Slot::new(id, bell, remote_public_key, dialect, config.ack);
        state.peers.insert(id, slot);
        let State {
            feed, replicator, ..
        } = &mut *state;
        replicator.add_peer(now, id, config, &View(feed));
        state.follow(now);
        state.hand_out();
        drop(state);
        self.notify();
        self.announce(Event::PeerAdd {
            peer: id,
            remote_public_key,
        });
        Member::new(Arc::clone(self), id, remote_public_key)
    }

    /// Takes a peer away whose connection has ended.
    pub(crate) fn leave(&self, id: PeerId, remote_public_key: Option<[u8; 32]>) {
        self.state().peers.remove(&id);
        self.replicate(|replicator, now, view| replicator.remove_peer(now, id, view));
        self.announce(Event::PeerRemove {
            peer: id,
            remote_public_key,
        });
    }

    /// What is to be done for a peer, oldest first. None if there is more than a connection ever leaves behind.
    pub(crate) fn take_actions(&self, id: PeerId, into: &mut VecDeque<Action>) -> Option<()> {
        match self.state().peers.get_mut(&id) {
            Some(slot) => slot.take_actions(into),
            None => Some(()),
        }
    }

    pub(crate) fn peers(&self) -> Vec<PeerInfo> {
        let state = self.state();
        let peers = state
            .peers
            .iter()
            .map(|(id, slot)| slot.info(state.replicator.peer_length(*id).unwrap_or(0)));
        peers.collect()
    }

    pub(crate) fn stats(&self) -> Stats {
        let state = self.state();
        let peers = state.peers.iter().map(|(id, slot)| (*id, slot.counters));
        Stats {
            totals: state.totals,
            peers: peers.collect(),
        }
    }

    pub(crate) fn remote_len(&self) -> u64 {
        self.state().replicator.remote_length()
    }
}
