//! The peers of a feed, as a program sees and steers them.

use std::{fmt, sync::Arc, time::Duration};

use bitfield::RangeSet;
use crypto::Dialect;
use replicate::PeerId;

use crate::{
    ConnectionHandle, Counters, Encoding, Error, Hypercore, Result, Stats, core::Core, slot::Slot,
    state::State,
};

impl<E: Encoding> Hypercore<E> {
    /// The peers: every channel of this feed on any connection, also one that the remote hasn't opened yet.
    pub fn peers(&self) -> Vec<Peer> {
        let core = self.core();
        let ids: Vec<PeerId> = core.state().peers.keys().copied().collect();
        ids.into_iter().filter_map(|id| self.peer(id)).collect()
    }

    /// A peer that an event or a message tells of, unless it has gone.
    pub fn peer(&self, id: PeerId) -> Option<Peer> {
        let core = self.core();
        let connection = core.state().peers.get(&id)?.connection.clone();
        Some(Peer {
            core: Arc::clone(core),
            id,
            connection,
        })
    }
}

/// A peer of a feed: one channel on one connection. Cheap to clone.
///
/// It stays what it is when the peer has gone: then what was known of it is known no more, and what is done to it fails with
/// [`Error::NoPeer`]. A peer that connects again is another one.
#[derive(Clone)]
pub struct Peer {
    core: Arc<Core>,
    id: PeerId,
    connection: ConnectionHandle,
}

/// What is known of a peer at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The peer's Noise key, if the connection has a handshake and that is done.
    pub remote_public_key: Option<[u8; 32]>,
    /// The dialect it speaks, once it has opened the feed.
    pub dialect: Option<Dialect>,
    /// Whether the remote has opened the feed too. Before that what follows is what we begin with.
    pub is_open: bool,
    /// The length that it claims, in blocks. Nothing is proven by it.
    pub remote_length: u64,
    /// Whether it says that it fetches.
    pub remote_downloading: bool,
    /// Whether it says that it answers.
    pub remote_uploading: bool,
    /// Whether it wants to know what is stored here.
    pub remote_acks: bool,
    /// Whether it is asked for blocks.
    pub downloading: bool,
    /// Whether its requests are answered.
    pub uploading: bool,
    /// How many requests to it are unanswered or being stored.
    pub requested: usize,
    /// How many may be, which follows how quickly it answers.
    pub window: usize,
    /// How many of its requests are unanswered.
    pub serving: usize,
    /// How long it usually takes to answer, once it did.
    pub usual_delay: Option<Duration>,
    /// What was exchanged with it.
    pub stats: Counters,
}

impl Peer {
    /// Tells it from the others of this feed, also in events.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// The connection that it is on, with its address and whatever else is on it.
    pub fn connection(&self) -> &ConnectionHandle {
        &self.connection
    }

    /// The peer's Noise key, if the connection has a handshake and that is done. It is known also when the peer has gone.
    pub fn remote_public_key(&self) -> Option<[u8; 32]> {
        let known = self.look(|slot, _| slot.remote_public_key).flatten();
        known.or_else(|| self.connection.remote_public_key())
    }

    /// Whether the remote has opened the feed too, and neither side has closed it.
    pub fn is_open(&self) -> bool {
        self.look(|slot, _| slot.is_open()).unwrap_or(false)
    }

    /// Whether it has gone, or the feed is closed.
    pub fn has_gone(&self) -> bool {
        self.look(|_, _| ()).is_none()
    }

    /// All that is known of it now, unless it has gone.
    pub fn info(&self) -> Option<PeerInfo> {
        self.look(|slot, state| {
            let status = state.replicator.peer(self.id);
            let (downloading, uploading) = match (&status, &slot.beginning) {
                (Some(status), _) => (status.downloading, status.uploading),
                (None, Some(config)) => (!config.upload_only, !config.download_only),
                (None, None) => (false, false),
            };
            PeerInfo {
                remote_public_key: slot.remote_public_key,
                dialect: slot.dialect,
                is_open: slot.is_open(),
                remote_length: status.map_or(0, |status| status.remote_length),
                remote_downloading: status.is_none_or(|status| status.remote_downloading),
                remote_uploading: status.is_none_or(|status| status.remote_uploading),
                remote_acks: status.is_some_and(|status| status.remote_acks),
                downloading,
                uploading,
                requested: status.map_or(0, |status| status.requested),
                window: status.map_or(0, |status| status.window),
                serving: status.map_or(0, |status| status.serving),
                usual_delay: status.and_then(|status| status.usual_delay),
                stats: slot.counters,
            }
        })
    }

    /// The length that it claims, in blocks; none once it has gone. Nothing is proven by it.
    pub fn remote_len(&self) -> Option<u64> {
        self.info().map(|info| info.remote_length)
    }

    /// Whether it claims to have a block that is missing here. False once it has gone.
    pub fn remote_has(&self, block: u64) -> bool {
        let has = self.look(|_, state| {
            let claimed = state.replicator.claimed_by(self.id);
            let claimed = claimed.is_some_and(|claimed| claimed.contains(block));
            claimed && !state.feed.bitfield().has_block(block)
        });
        has.unwrap_or(false)
    }

    /// How many blocks that are missing here it claims to have. Costs O(log n) for each run of blocks that it claims, of which
    /// at most 65,536 are remembered.
    pub fn remote_count(&self) -> u64 {
        let count = self.look(|_, state| {
            let claimed = state.replicator.claimed_by(self.id);
            let runs = claimed.into_iter().flat_map(RangeSet::iter);
            runs.map(|run| run.end - run.start - state.feed.bitfield().count_blocks(run))
                .sum()
        });
        count.unwrap_or(0)
    }

    /// The blocks that it was asked for and hasn't answered, oldest request first. Empty once it has gone.
    pub fn inflight(&self) -> Vec<u64> {
        self.look(|_, state| state.replicator.requested_from(self.id))
            .unwrap_or_default()
    }

    /// What was exchanged with it; none once it has gone.
    pub fn stats(&self) -> Option<Counters> {
        self.look(|slot, _| slot.counters)
    }

    /// Starts or stops fetching from it, as far as the feed fetches at all; it is told. What it was asked for is asked elsewhere.
    ///
    /// # Errors
    /// [`Error::NoPeer`] if it has gone, [`Error::Closed`] if the feed is closed.
    pub fn set_downloading(&self, yes: bool) -> Result<()> {
        self.change(|slot| {
            if let Some(config) = &mut slot.beginning {
                config.upload_only = !yes;
            }
        })?;
        self.core.replicate(|replicator, now, view| {
            replicator.set_peer_downloading(now, self.id, yes, view);
        });
        Ok(())
    }

    /// Starts or stops answering its requests, as far as the feed answers any; it is told. What it has asked for and waits for is
    /// dropped.
    ///
    /// # Errors
    /// [`Error::NoPeer`] if it has gone, [`Error::Closed`] if the feed is closed.
    pub fn set_uploading(&self, yes: bool) -> Result<()> {
        self.change(|slot| {
            if let Some(config) = &mut slot.beginning {
                config.download_only = !yes;
            }
            if !yes {
                slot.drop_requests();
            }
        })?;
        self.core.replicate(|replicator, now, view| {
            replicator.set_peer_uploading(now, self.id, yes, view);
        });
        Ok(())
    }

    /// Ends the connection to it, with all feeds that are on it. Does nothing if it has gone.
    pub fn disconnect(&self) {
        self.connection.hang_up();
    }

    fn look<T>(&self, look: impl FnOnce(&Slot, &State) -> T) -> Option<T> {
        self.core.check_open().ok()?;
        let state = self.core.state();
        let slot = state.peers.get(&self.id)?;
        Some(look(slot, &state))
    }

    fn change(&self, change: impl FnOnce(&mut Slot)) -> Result<()> {
        self.core.check_open()?;
        let mut state = self.core.state();
        let slot = state.peers.get_mut(&self.id).ok_or(Error::NoPeer)?;
        change(slot);
        Ok(())
    }
}

impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && Arc::ptr_eq(&self.core, &other.core)
    }
}

impl Eq for Peer {}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("id", &self.id)
            .field("is_open", &self.is_open())
            .finish_non_exhaustive()
    }
}

impl Core {
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
