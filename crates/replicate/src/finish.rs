//! Coming to an end: how two sides that are not live agree that nothing is left to do.
//!
//! ```text
//!   reader                                        writer
//!                   ◀─  Status { up, not down }   never fetches anything
//!   has everything   Status { up, not down }  ─▶
//!                    Close  ─▶
//!                   ◀─  Close
//! ```
//!
//! Of two readers, each says that it fetches no more once it has everything; who hears that second closes. A reader of
//! JavaScript waits for the Close also from a writer, which one that is live never sends, and for ever where the writer lacks a
//! block. Here a reader is done with a peer that fetches nothing once it has all that this peer has.

use alloc::vec::Vec;
use core::time::Duration;

use wire::{Message, Status};

use crate::{Action, Local, PeerId, Replicator, choose::Everything, peer::Peer};

impl Replicator {
    /// Changes [`PeerConfig::live`](crate::PeerConfig::live). A peer that isn't live any longer is left once neither side has
    /// anything for the other.
    pub fn set_live(&mut self, now: Duration, id: PeerId, live: bool, local: &dyn Local) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.live = live;
        self.update(now, local);
        self.finish_after_status(id);
    }

    /// Ends with every peer that has nothing left for us: because nothing is missing, or nothing that it has or will fetch.
    pub(crate) fn finish_complete(&mut self, local: &dyn Local) {
        let Some(everything) = &self.everything else {
            return;
        };
        let complete = everything.next_missing(0, local);
        // What nobody can show to be of the same history won't come, once all have said what they have.
        let reachable = match self.is_asking() || self.is_growth_proven(local) {
            true => u64::MAX,
            false => local.length(),
        };
        let done = self.peers.iter().filter(|(_, peer)| {
            let length = peer.claims.length().min(reachable);
            !peer.live
                && peer.downloading
                // What the peer claims means something once it said anything at all.
                && (peer.heard || !peer.remote_uploading)
                && match complete >= local.length() {
                    true => complete >= length,
                    false => self.is_spent(peer, everything, local) && length <= local.length(),
                }
                && !self.is_busy(peer, local)
        });
        let done: Vec<PeerId> = done.map(|(id, _)| *id).collect();
        for id in done {
            self.end(id);
        }
    }

    /// Whether nothing that a peer has is missing here, and it will have no more, because it fetches nothing.
    fn is_spent(&self, peer: &Peer, everything: &Everything, local: &dyn Local) -> bool {
        // What is on its way already, or late, isn't asked for, but may have to be, if it comes to nothing or brings hashes alone.
        let lacks =
            |block| peer.claims.contains(block) && everything.next_missing(block, local) == block;
        let own = peer.flight.iter().map(|asked| asked.block);
        let mut on_its_way = self.traffic.on_its_way().chain(own);
        let asked = !peer.wants.are_outstanding() && peer.idle_at == Some(self.epoch);
        !peer.remote_downloading && (!peer.remote_uploading || asked && !on_its_way.any(lacks))
    }

    /// Whether something that a peer was asked for is still on its way.
    fn is_busy(&self, peer: &Peer, local: &dyn Local) -> bool {
        let mut asked = peer.flight.iter();
        peer.flight.storing().next().is_some()
            || asked.any(|asked| !self.is_satisfied(asked, local))
    }

    /// After a Status of the peer: perhaps that was all we waited for.
    pub(crate) fn finish_after_status(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        // While we fetch from it, the end comes by completeness.
        if peer.remote_downloading || peer.live || peer.downloading {
            return;
        }
        if self.config.sparse && peer.remote_uploading {
            return;
        }
        self.end(id);
    }

    fn end(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let uploading = peer.is_served(&self.config);
        let mut tell = |uploading| {
            self.actions.push_back(Action::Send {
                peer: id,
                message: Message::Status(Status {
                    uploading: Some(uploading),
                    downloading: Some(false),
                }),
            });
        };
        if !peer.downloading && !peer.remote_downloading {
            if !peer.downloaded_at_first {
                tell(false);
            }
            self.close(id);
        } else if !peer.closing {
            peer.closing = true;
            peer.downloading = false;
            tell(uploading);
            // Nothing can come of waiting: neither has anything left for the other. A peer that is live wouldn't answer.
            if !peer.remote_downloading || !uploading {
                self.close(id);
            }
        } else {
            self.close(id);
        }
    }

    fn close(&mut self, id: PeerId) {
        self.forget(id);
        self.actions.push_back(Action::Close { peer: id });
    }
}
