//! A connection's place among the peers of a feed, from its beginning to its end.

use std::{collections::VecDeque, sync::Arc};

use crypto::Dialect;
use replicate::{Action, PeerConfig, PeerId};
use wire::Request;

use crate::{
    ConnectionHandle, Event, Result, core::Core, ready::Bell, slot::Slot, state::State, view::View,
};

/// A connection that becomes a peer.
pub(crate) struct Joining {
    pub(crate) bell: Arc<Bell>,
    pub(crate) config: PeerConfig,
    pub(crate) connection: ConnectionHandle,
    /// If the handshake is done.
    pub(crate) remote_public_key: Option<[u8; 32]>,
}

/// What has become of a request.
pub(crate) struct Served {
    pub(crate) request: Request,
    /// The block that was sent, or whose hashes were; none if it can't be.
    pub(crate) block: Option<u64>,
    /// How long the block is, if it was sent.
    pub(crate) len: Option<usize>,
    /// The block of the byte that was asked for, if it was found.
    pub(crate) found: Option<u64>,
}

/// A connection's place among the peers of a feed. It leaves when this is dropped.
pub(crate) struct Member {
    core: Arc<Core>,
    id: PeerId,
    remote_public_key: Option<[u8; 32]>,
}

impl Member {
    pub(crate) fn id(&self) -> PeerId {
        self.id
    }

    pub(crate) fn remote_public_key(&self) -> Option<[u8; 32]> {
        self.remote_public_key
    }

    /// Both sides have opened the feed.
    pub(crate) fn open(&mut self, remote_public_key: Option<[u8; 32]>, dialect: Dialect) {
        self.remote_public_key = remote_public_key;
        self.core.open_peer(self.id, remote_public_key, dialect);
    }

    /// The connection isn't live any longer.
    pub(crate) fn finish(&self) {
        let id = self.id;
        if let Some(slot) = self.core.state().peers.get_mut(&id)
            && let Some(config) = &mut slot.beginning
        {
            config.live = false;
        }
        self.core
            .replicate(|replicator, now, view| replicator.set_live(now, id, false, view));
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
    /// Those of some requests that are still to be answered: the peer may have taken others back.
    pub(crate) fn begin_serving(&self, peer: PeerId, requests: Vec<Request>) -> Vec<Request> {
        let mut requests = requests;
        let mut state = self.state();
        requests.retain(|request| state.replicator.begin_serving(peer, request));
        state.hand_out();
        requests
    }

    /// Requests are answered, or can't be.
    pub(crate) fn served(&self, peer: PeerId, served: &[Served]) {
        self.replicate(|replicator, _, _| {
            for Served {
                request,
                block,
                found,
                ..
            } in served
            {
                match block {
                    Some(_) => replicator.handle_served(peer, request, *found),
                    None => replicator.handle_unserved(peer, request),
                }
            }
        });
        let uploads = served.iter();
        let uploads = uploads.filter_map(|served| served.block.zip(served.len));
        let mut state = self.state();
        for (_, len) in uploads.clone() {
            state.count(peer, |counters| counters.uploaded(len));
        }
        drop(state);
        for (block, len) in uploads {
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

    /// A channel for the feed is there: adds a peer, which may still turn out not to have the feed.
    pub(crate) fn join(self: &Arc<Self>, joining: Joining) -> Member {
        let Joining {
            bell,
            config,
            connection,
            remote_public_key,
        } = joining;
        let mut state = self.state();
        let id = PeerId(state.next_peer);
        state.next_peer += 1;
        let slot = Slot::new(id, bell, connection, remote_public_key, config);
        state.peers.insert(id, slot);
        drop(state);
        self.announce(Event::PeerAdd {
            peer: id,
            remote_public_key,
        });
        self.announce(Event::Replicating { peer: id });
        Member {
            core: Arc::clone(self),
            id,
            remote_public_key,
        }
    }

    /// The remote has opened the feed as well: it is greeted and asked what it has.
    fn open_peer(&self, id: PeerId, remote_public_key: Option<[u8; 32]>, dialect: Dialect) {
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
        let names = state.names();
        let Some(slot) = state.peers.get_mut(&id) else {
            return;
        };
        slot.remote_public_key = remote_public_key;
        slot.dialect = Some(dialect);
        let Some(mut config) = slot.beginning.take() else {
            return;
        };
        config.extensions = names;
        let State {
            feed, replicator, ..
        } = &mut *state;
        replicator.add_peer(now, id, config, &View(feed));
        state.follow(now);
        state.hand_out();
        drop(state);
        self.notify();
        self.announce(Event::PeerOpen {
            peer: id,
            remote_public_key,
        });
    }

    /// Takes a peer away whose connection has ended.
    fn leave(&self, id: PeerId, remote_public_key: Option<[u8; 32]>) {
        let slot = self.state().peers.remove(&id);
        // It may hold the last handle of its connection.
        drop(slot);
        self.replicate(|replicator, now, view| replicator.remove_peer(now, id, view));
        self.announce(Event::PeerRemove {
            peer: id,
            remote_public_key,
        });
    }

    /// What is to be done for a peer, oldest first. None if there is more than a connection ever leaves behind.
    fn take_actions(&self, id: PeerId, into: &mut VecDeque<Action>) -> Option<()> {
        let mut state = self.state();
        let max = state.replicator.limits().actions;
        match state.peers.get_mut(&id) {
            Some(slot) => slot.take_actions(max, into),
            None => Some(()),
        }
    }
}
