//! Peers that let us wait: others are asked, and who answers nothing at all is dropped.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    Error, Local, PeerId, Replicator,
    flight::{Asked, Kind},
};

impl Replicator {
    /// Time has passed: peers that let us wait are passed over or dropped.
    pub fn handle_timeout(&mut self, now: Duration, local: &dyn Local) {
        let mut late = Vec::new();
        let mut silent = Vec::new();
        let mut lost = Vec::new();
        for (&id, peer) in &mut self.peers {
            peer.forgive_older(now);
            let traffic = &mut self.traffic;
            peer.flight
                .mark_slow(now, self.config.retry_after, |asked| {
                    if asked.kind != Kind::Proving {
                        traffic.release(asked.block);
                    }
                    lost.extend(asked.wish);
                    self.epoch += 1;
                });
            let Some(timeout) = self.config.request_timeout else {
                continue;
            };
            if let Some(oldest) = peer.flight.overdue(now, timeout) {
                late.push((id, oldest));
            }
            if peer
                .untold_since()
                .is_some_and(|since| since + timeout <= now)
            {
                silent.push(id);
            }
        }
        for wish in lost {
            self.wishes.unask(wish);
        }
        for (id, oldest) in late {
            self.handle_overdue(now, id, oldest, local);
        }
        for id in silent {
            if self.peers.contains_key(&id) {
                self.disconnect(now, id, Error::WantTimeout, local);
            }
        }
        let waiting: Vec<PeerId> = self.peers.keys().copied().collect();
        for id in waiting {
            self.answer_wants(now, id, local);
        }
        self.update(now, local);
    }

    /// Gives up requests to a peer that it won't answer.
    pub(crate) fn give_up(&mut self, id: PeerId, lost: impl FnMut(&Asked) -> bool) {
        let Replicator {
            peers,
            wishes,
            traffic,
            epoch,
            ..
        } = self;
        let Some(peer) = peers.get_mut(&id) else {
            return;
        };
        peer.flight.forget(lost, |asked| {
            if asked.reserves() {
                traffic.release(asked.block);
            }
            if let Some(wish) = asked.wish {
                wishes.unask(wish);
            }
            *epoch += 1;
        });
    }

    /// Whether what a request was for has come from elsewhere or is no longer wanted.
    pub(crate) fn is_satisfied(&self, asked: &Asked, local: &dyn Local) -> bool {
        match asked.kind {
            Kind::Value => local.has(asked.block),
            Kind::Proving => local.length() > asked.block,
            Kind::Hash | Kind::Seek { .. } => {
                !asked.wish.is_some_and(|wish| self.wishes.is_looking(wish))
            }
        }
    }

    /// A peer has answered nothing for the whole timeout.
    fn handle_overdue(&mut self, now: Duration, id: PeerId, oldest: Asked, local: &dyn Local) {
        if !self.is_satisfied(&oldest, local) {
            let error = Error::RequestTimeout {
                block: oldest.block,
            };
            self.disconnect(now, id, error, local);
            return;
        }
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let satisfied: Vec<Asked> = peer
            .flight
            .iter()
            .filter(|asked| self.is_satisfied(asked, local))
            .copied()
            .collect();
        self.give_up(id, |asked| satisfied.contains(asked));
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.flight.restart(now);
        }
    }
}
