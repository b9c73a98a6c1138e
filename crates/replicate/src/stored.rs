//! What becomes stored here, or stops being so: wishes come true and the peers that listen are told.

use alloc::vec::Vec;
use core::{ops::Range, time::Duration};

use bitfield::RangeSet;
use wire::{Have, Message, Unhave};

use crate::{Action, Local, PeerId, Replicator};

impl Replicator {
    /// Blocks were appended here and are stored.
    pub fn handle_appended(&mut self, now: Duration, blocks: Range<u64>, local: &dyn Local) {
        // Hashes that came without a block are an empty range.
        self.wishes
            .learnt(blocks.start..blocks.end.max(blocks.start.saturating_add(1)));
        self.note_new(None, blocks.clone());
        self.come_true(&[blocks], local);
        self.update(now, local);
    }

    /// An answer that was handed out by [`Action::Store`] is stored.
    pub fn handle_stored(
        &mut self,
        now: Duration,
        id: PeerId,
        block: u64,
        has_value: bool,
        local: &dyn Local,
    ) {
        self.handle_all_stored(now, id, &[(block, has_value)], local);
    }

    /// The same for answers that were stored together: the number of each block, and whether it came with its value.
    pub fn handle_all_stored(
        &mut self,
        now: Duration,
        id: PeerId,
        stored: &[(u64, bool)],
        local: &dyn Local,
    ) {
        for &(block, has_value) in stored {
            self.note_stored(id, block, has_value);
        }
        let new = stored.iter().filter(|(_, has_value)| *has_value);
        let new: Vec<Range<u64>> = runs(new.map(|(block, _)| *block));
        for blocks in &new {
            self.note_new(Some(id), blocks.clone());
        }
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.idle_at = None;
        }
        // They may be what the proofs of an older feed lead to.
        let older = self.peers.values_mut().filter(|peer| peer.older.is_some());
        older.for_each(|peer| peer.idle_at = None);
        if stored.iter().any(|(_, has_value)| !has_value) {
            // A hash kept the block itself from being asked for.
            self.epoch += 1;
        }
        self.come_true(&new, local);
        self.update(now, local);
    }

    fn note_stored(&mut self, id: PeerId, block: u64, has_value: bool) {
        self.traffic.stored(block, has_value);
        self.wishes.learnt(block..block.saturating_add(1));
        let mut wish = None;
        if let Some(peer) = self.peers.get_mut(&id) {
            wish = peer
                .flight
                .stored(block, has_value)
                .and_then(|asked| asked.wish);
            if has_value {
                peer.retractions = peer.retractions.saturating_sub(1);
            }
            if peer.remote_wants_acks {
                self.send(id, Message::Have(acknowledgement(block)));
            }
        }
        if let Some(wish) = wish {
            self.wishes.answered(wish, &mut self.actions);
        }
    }

    /// An answer that was handed out by [`Action::Store`] doesn't verify. The peer is forgotten: the owner, who knows the
    /// reason, ends its connection.
    pub fn handle_refused(&mut self, now: Duration, id: PeerId, _block: u64, local: &dyn Local) {
        self.remove_peer(now, id, local);
    }

    /// Blocks are not to be fetched any more unless somebody wishes. Those that were `stored`, from the first to the last of
    /// them, were removed from storage, which peers are told.
    pub fn handle_cleared(
        &mut self,
        now: Duration,
        blocks: Range<u64>,
        stored: Range<u64>,
        local: &dyn Local,
    ) {
        if let Some(everything) = &mut self.everything {
            everything.cleared.insert(blocks);
        }
        self.handle_gone(now, stored, false, local);
    }

    /// Blocks that were stored are found to be damaged and no longer count. Peers are told, and unless the feed is sparse the
    /// blocks are fetched again.
    pub fn handle_lost(&mut self, now: Duration, blocks: Range<u64>, local: &dyn Local) {
        let again = self.everything.is_some();
        self.handle_gone(now, blocks, again, local);
    }

    /// `again` says whether the blocks are to be fetched anew.
    fn handle_gone(&mut self, now: Duration, blocks: Range<u64>, again: bool, local: &dyn Local) {
        self.epoch += 1;
        if blocks.is_empty() {
            // What was asked for may not be wanted any more.
            self.update(now, local);
            return;
        }
        let unhave = Unhave {
            start: blocks.start,
            length: Some(blocks.end - blocks.start),
        };
        for (&id, peer) in &mut self.peers {
            peer.news.remove(blocks.clone());
            peer.withheld.remove(blocks.clone());
            if !peer.claims.contains_all(blocks.clone()) {
                peer.wants.doubt(blocks.clone());
                if again {
                    peer.wants.renew(blocks.clone());
                }
            }
            if peer.remote_listens && self.config.uploading {
                self.actions.push_back(Action::Send {
                    peer: id,
                    message: Message::Unhave(unhave),
                });
            }
        }
        self.update(now, local);
    }

    /// Turns the news for one peer into messages.
    pub(crate) fn announce(&mut self) {
        // News are collected while other work goes on, so blocks in a row become one message.
        while let Some(id) = self.newsy.pop_first() {
            let Some(peer) = self.peers.get_mut(&id).filter(|peer| !peer.news.is_empty()) else {
                continue;
            };
            let sends = peer.news.iter().map(|blocks| Action::Send {
                peer: id,
                message: Message::Have(announcement(blocks)),
            });
            self.actions.extend(sends);
            peer.news.clear();
            return;
        }
    }

    /// Blocks are stored that weren't before: the peers are to be told.
    fn note_new(&mut self, source: Option<PeerId>, blocks: Range<u64>) {
        if let Some(everything) = &mut self.everything {
            everything.cleared.remove(blocks.clone());
        }
        if !self.config.uploading {
            return;
        }
        let limit = self.config.limits.runs;
        for (&id, peer) in &mut self.peers {
            if !peer.remote_listens {
                continue;
            }
            // Who has a block needn't be told; JavaScript tells everybody but the source. It may be taking that back just now: then
            // it is told when its Unhave comes.
            if source == Some(id) {
                if peer.withheld.runs() < limit {
                    peer.withheld.insert(blocks.clone());
                }
                continue;
            }
            let single = blocks.end - blocks.start == 1;
            let known: Vec<Range<u64>> = match source.is_some() || single {
                true => peer.claims.blocks().intersection(blocks.clone()).collect(),
                false => Vec::new(),
            };
            let mut news: RangeSet = core::iter::once(blocks.clone()).collect();
            for run in known {
                if peer.withheld.runs() < limit {
                    news.remove(run.clone());
                    peer.withheld.insert(run);
                }
            }
            if !news.is_empty() {
                peer.news.extend(news.iter());
                self.newsy.insert(id);
            }
        }
    }

    /// Blocks are stored that weren't before: resolves wishes.
    fn come_true(&mut self, blocks: &[Range<u64>], local: &dyn Local) {
        self.wishes.stored(blocks, local, &mut self.actions);
        self.wishes.grown(local.length(), &mut self.actions);
    }
}

/// Blocks that follow one another, joined.
fn runs(blocks: impl Iterator<Item = u64>) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for block in blocks {
        let end = block.saturating_add(1);
        match runs.last_mut() {
            Some(run) if run.end == block => run.end = end,
            _ => runs.push(block..end),
        }
    }
    runs
}

/// News of stored blocks. JavaScript leaves out a length of one.
fn announcement(blocks: Range<u64>) -> Have {
    let length = blocks.end - blocks.start;
    Have {
        start: blocks.start,
        length: (length > 1).then_some(length),
        bitfield: None,
        ack: None,
    }
}

fn acknowledgement(block: u64) -> Have {
    Have {
        start: block,
        length: Some(1),
        bitfield: None,
        ack: Some(true),
    }
}
