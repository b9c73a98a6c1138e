//! Fetching and answering, switched on and off while it runs: for the feed, or towards one peer.

use alloc::vec::Vec;
use core::time::Duration;

use wire::{Message, Status};

use crate::{Action, Local, PeerId, Replicator, flight::State, replicator::withdrawal};

impl Replicator {
    /// Starts or stops answering requests; all peers are told.
    pub fn set_uploading(&mut self, now: Duration, uploading: bool, local: &dyn Local) {
        if self.config.uploading == uploading {
            return;
        }
        self.config.uploading = uploading;
        if !uploading {
            for peer in self.peers.values_mut() {
                peer.stop_serving();
            }
        }
        self.send_status_to_all();
        self.update(now, local);
    }

    /// Starts or stops fetching; all peers are told. Requests under way go on.
    pub fn set_downloading(&mut self, now: Duration, downloading: bool, local: &dyn Local) {
        if self.config.downloading == downloading {
            return;
        }
        self.config.downloading = downloading;
        for peer in self.peers.values_mut().filter(|peer| !peer.closing) {
            peer.downloading = downloading && !peer.upload_only;
            peer.idle_at = None;
        }
        self.send_status_to_all();
        self.update(now, local);
    }

    /// Starts or stops answering the requests of one peer, as far as the feed answers any; the peer is told. What it has asked
    /// for and waits for is dropped.
    pub fn set_peer_uploading(
        &mut self,
        now: Duration,
        id: PeerId,
        uploading: bool,
        local: &dyn Local,
    ) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.download_only != uploading {
            return;
        }
        peer.download_only = !uploading;
        if !uploading {
            peer.stop_serving();
        }
        self.send_status(id);
        self.update(now, local);
    }

    /// Starts or stops fetching from one peer, as far as the feed fetches at all; the peer is told. What it was asked for is
    /// taken back and asked elsewhere.
    pub fn set_peer_downloading(
        &mut self,
        now: Duration,
        id: PeerId,
        downloading: bool,
        local: &dyn Local,
    ) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.upload_only != downloading {
            return;
        }
        peer.upload_only = !downloading;
        peer.idle_at = None;
        if !peer.closing {
            peer.downloading = self.config.downloading && downloading;
        }
        if !downloading {
            self.withdraw_requests(id);
        }
        self.send_status(id);
        self.update(now, local);
    }

    /// Gives up all that a peer was asked for, and tells it.
    fn withdraw_requests(&mut self, id: PeerId) {
        let Replicator {
            peers,
            wishes,
            traffic,
            actions,
            epoch,
            ..
        } = self;
        let Some(peer) = peers.get_mut(&id) else {
            return;
        };
        peer.flight.forget(
            |_| true,
            |asked| {
                if asked.state == State::Waiting {
                    traffic.release(asked.block);
                }
                if let Some(wish) = asked.wish {
                    wishes.unask(wish);
                }
                actions.push_back(Action::Send {
                    peer: id,
                    message: Message::Cancel(withdrawal(&asked)),
                });
                *epoch += 1;
            },
        );
    }

    pub(crate) fn send_status(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let status = Status {
            uploading: Some(peer.is_served(&self.config)),
            downloading: Some(peer.downloading),
        };
        self.send(id, Message::Status(status));
    }

    fn send_status_to_all(&mut self) {
        let ids: Vec<PeerId> = self.peers.keys().copied().collect();
        for id in ids {
            self.send_status(id);
        }
    }
}
