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
//! JavaScript waits for the Close also from a writer, which one that is live never sends.

use core::time::Duration;

use wire::{Message, Status};

use crate::{Action, Local, PeerId, Replicator};

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

    /// Ends with every peer that has nothing left for us.
    pub(crate) fn finish_complete(&mut self, local: &dyn Local) {
        let Some(everything) = &self.everything else {
            return;
        };
        let complete = everything.next_missing(0, local);
        if complete < local.length() {
            return;
        }
        // What nobody can show to be of the same history won't come, once all have said what they have.
        let reachable = match self.is_asking() || self.is_growth_proven(local) {
            true => u64::MAX,
            false => local.length(),
        };
        let done = self.peers.iter().filter(|(_, peer)| {
            // What the peer claims means something once it said anything at all.
            let known = peer.heard || !peer.remote_uploading;
            let unfinished = || {
                let mut asked = peer.flight.iter();
                peer.flight.storing().next().is_some()
                    || asked.any(|asked| !self.is_satisfied(asked, local))
            };
            !peer.live
                && peer.downloading
                && known
                && complete >= peer.claims.length().min(reachable)
                && !unfinished()
        });
        let done: alloc::vec::Vec<PeerId> = done.map(|(id, _)| *id).collect();
        for id in done {
            self.end(id);
        }
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
