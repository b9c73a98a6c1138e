//! What each message of a peer means.

use alloc::vec::Vec;
use core::{ops::Range, time::Duration};

use wire::{Data, Have, Message, Request, Status, Unhave, Want};

use crate::{
    Action, Error, Local, PeerId, Replicator,
    config::{MAX_BLOCKS, WINDOW},
    peer::Peer,
    replicator::lacking,
};

impl Replicator {
    /// A message came on the peer's channel. Open, Close and Extension are no concern of the replicator and ignored, like
    /// all messages of a peer that it doesn't know or has forgotten.
    pub fn handle_message(
        &mut self,
        now: Duration,
        id: PeerId,
        message: Message,
        local: &dyn Local,
    ) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let handled = match message {
            Message::Options(options) => {
                peer.remote_wants_acks = options.ack();
                Ok(())
            }
            Message::Status(status) => {
                self.handle_status(now, id, &status, local);
                Ok(())
            }
            Message::Have(have) => self.handle_have(now, id, have, local),
            Message::Unhave(unhave) => self.handle_unhave(now, id, &unhave, local),
            Message::Want(want) => {
                self.handle_want(now, id, &want, local);
                Ok(())
            }
            Message::Unwant(unwant) => {
                peer.answers.unwant(unwant.start, unwant.length());
                Ok(())
            }
            Message::Request(request) => self.handle_request(id, request, local),
            Message::Cancel(cancel) => {
                peer.serving
                    .cancel(cancel.index, cancel.bytes(), cancel.hash());
                Ok(())
            }
            Message::Data(data) => self.handle_data(now, id, data, local),
            _ => Ok(()),
        };
        if let Err(error) = handled {
            self.disconnect(now, id, error, local);
        }
    }

    fn handle_status(&mut self, now: Duration, id: PeerId, status: &Status, local: &dyn Local) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.remote_uploading = status.uploading();
        peer.remote_downloading = status.downloading();
        peer.idle_at = None;
        if !status.uploading() {
            peer.wants.forget();
            self.give_up(id, |_| true);
        }
        self.update(now, local);
        self.finish_after_status(id);
    }

    fn handle_have(
        &mut self,
        now: Duration,
        id: PeerId,
        have: Have,
        local: &dyn Local,
    ) -> Result<(), Error> {
        let start = in_range(have.start)?;
        let Some(peer) = self.peers.get_mut(&id) else {
            return Ok(());
        };
        if peer.wants_acks && have.ack() && have.bitfield.is_none() {
            // Where only hashes were sent, no more than these is acknowledged: it is no claim.
            if peer.confirm(start) {
                self.actions.push_back(Action::Acknowledged {
                    peer: id,
                    block: start,
                });
            }
            return Ok(());
        }
        let length = peer.claims.length();
        let useful = match &have.bitfield {
            Some(bitfield) => picture(now, peer, start, have.length(), bitfield, local)?,
            None => {
                if have.length() == WINDOW {
                    peer.wants.answer(now, WINDOW);
                }
                let end = start.saturating_add(have.length().max(1));
                peer.claims.insert(start..end, local)
            }
        };
        let first = !core::mem::replace(&mut peer.heard, true);
        if first || peer.claims.length() != length {
            self.actions.push_back(Action::Announced {
                peer: id,
                length: peer.claims.length(),
            });
        }
        if useful {
            peer.idle_at = None;
        }
        if useful || first || have.length() == WINDOW {
            self.update_peer(now, id, local);
        }
        Ok(())
    }

    fn handle_unhave(
        &mut self,
        now: Duration,
        id: PeerId,
        unhave: &Unhave,
        local: &dyn Local,
    ) -> Result<(), Error> {
        let start = in_range(unhave.start)?;
        let blocks = start..start.saturating_add(unhave.length().max(1));
        let Some(peer) = self.peers.get_mut(&id) else {
            return Ok(());
        };
        peer.claims.remove(blocks.clone());
        // What wasn't announced to it because it had that is news now.
        let held: Vec<Range<u64>> = peer.withheld.intersection(blocks.clone()).collect();
        if !held.is_empty() {
            peer.withheld.remove(blocks.clone());
            for run in held {
                peer.news.insert(run);
            }
            self.newsy.insert(id);
        }
        let epoch = self.epoch;
        self.give_up(id, |asked| blocks.contains(&asked.block));
        if self.epoch != epoch {
            let limit = self.config.limits.retractions;
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.retractions += 1;
                if peer.retractions > limit {
                    let count = peer.retractions;
                    return Err(Error::TooManyRetractions { count });
                }
            }
            self.update(now, local);
        }
        Ok(())
    }

    fn handle_want(&mut self, now: Duration, id: PeerId, want: &Want, local: &dyn Local) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if !peer.is_served(&self.config) || !peer.answers.want(want.start, want.length()) {
            return;
        }
        let first = !core::mem::replace(&mut peer.remote_listens, true);
        let last = local
            .length()
            .checked_sub(1)
            .filter(|last| local.has(*last));
        if first && let Some(last) = last {
            let tip = Have {
                start: last,
                length: None,
                bitfield: None,
                ack: None,
            };
            self.send(id, Message::Have(tip));
        }
        self.answer_wants(now, id, local);
    }

    fn handle_request(
        &mut self,
        id: PeerId,
        request: Request,
        local: &dyn Local,
    ) -> Result<(), Error> {
        let block = in_range(request.index)?;
        let Some(peer) = self.peers.get_mut(&id) else {
            return Ok(());
        };
        if !peer.is_served(&self.config) {
            return Ok(());
        }
        // Where the block of a byte is, the owner finds out.
        let stored = match (request.bytes(), request.hash()) {
            (0, false) => local.has(block),
            (0, true) => local.has_node_of(block),
            _ => true,
        };
        if !stored {
            self.send(id, Message::Unhave(lacking(block)));
            return Ok(());
        }
        peer.serving.push(request, &self.config.limits);
        self.serve(id);
        Ok(())
    }

    fn handle_data(
        &mut self,
        now: Duration,
        id: PeerId,
        data: Data,
        local: &dyn Local,
    ) -> Result<(), Error> {
        let block = in_range(data.index)?;
        let has_value = data.value.is_some();
        if !has_value && data.nodes.is_empty() {
            return Err(Error::EmptyData { block });
        }
        let Some(peer) = self.peers.get_mut(&id) else {
            return Ok(());
        };
        let Some(asked) = peer.flight.answer(now, block, has_value) else {
            return self.handle_stray(now, id, data, local);
        };
        if asked.reserves() {
            self.traffic.release(asked.block);
        }
        // A slow answer may come when another one made it unnecessary.
        if (has_value && local.has(block)) || !self.traffic.store(block, has_value, id) {
            peer.flight.drop_answer();
            if let Some(wish) = asked.wish {
                self.wishes.unask(wish);
            }
            self.update(now, local);
            return Ok(());
        }
        self.actions.push_back(Action::Store { peer: id, data });
        Ok(())
    }

    /// An answer that belongs to no request. Hashes are welcome whoever thought of them; blocks only if they may be pushed.
    fn handle_stray(
        &mut self,
        now: Duration,
        id: PeerId,
        data: Data,
        local: &dyn Local,
    ) -> Result<(), Error> {
        let (block, has_value) = (data.index, data.value.is_some());
        let Some(peer) = self.peers.get_mut(&id) else {
            return Ok(());
        };
        let pushed = has_value && self.config.allow_push;
        if !peer.flight.was_forgotten(block, has_value) && !pushed {
            peer.strays += 1;
            if peer.strays > self.config.limits.strays {
                return Err(Error::TooManyStrays { count: peer.strays });
            }
        }
        let stored = has_value && local.has(block);
        if (pushed || !has_value)
            && !stored
            && peer.flight.takes_pushes()
            && self.traffic.store(block, has_value, id)
        {
            peer.flight.push_answer(now, block, has_value);
            self.actions.push_back(Action::Store { peer: id, data });
        } else if has_value && peer.remote_listens && !stored && !pushed {
            // The peer would believe that we have the block now.
            self.send(id, Message::Unhave(lacking(block)));
        }
        Ok(())
    }
}

/// A bitfield is the new picture of its window. Says whether there is anything worth fetching in it.
fn picture(
    now: Duration,
    peer: &mut Peer,
    start: u64,
    length: u64,
    bitfield: &[u8],
    local: &dyn Local,
) -> Result<bool, Error> {
    // An old peer, which can't be asked about windows and sends what it has by itself.
    let old = length <= 1;
    if old {
        peer.wants.stop();
    }
    if !peer.wants.answer(now, length) {
        return Ok(false);
    }
    let most = if old { WINDOW } else { length.min(WINDOW) };
    let runs = wire::rle_decode(bitfield, most).map_err(Error::Bitfield)?;
    peer.claims.blank(start..start.saturating_add(most));
    let mut useful = false;
    for run in runs {
        if peer.claims.is_full() {
            break;
        }
        useful |= peer
            .claims
            .insert(start + run.start..start + run.end, local);
    }
    Ok(useful)
}

/// No feed has a block with a higher number, and tree positions above it would not fit.
fn in_range(block: u64) -> Result<u64, Error> {
    if block < MAX_BLOCKS {
        Ok(block)
    } else {
        Err(Error::BlockOutOfRange { block })
    }
}
