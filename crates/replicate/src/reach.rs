//! How far beyond the end of the feed a peer can be asked.
//!
//! The owner may want to be shown that a longer feed begins with the one that is stored, which only the proofs of a few blocks
//! do, the *proving* ones ([`Local::proving`]). Blocks behind them are asked for when a proving one was asked for before, over
//! the same connection, so that the answers come in this order:
//!
//! ```text
//!   stored 0..6, proving 6..8         Request { index: 7, hash }      the peer doesn't have 6; 7 is not wanted itself
//!   wanted: 40, 41                    Request { index: 40 }           its proof leads to roots that are known by then
//!                                     Request { index: 41 }
//! ```
//!
//! JavaScript reads the blocks that it sends, and what it has read first it sends first: answers overtake one another. One that
//! comes before the proving one is kept until that has come ([`Early`]). What there is no room to keep is left aside and asked
//! for again, but not behind a proving one: that has to be stored first.

use alloc::vec::Vec;
use core::{ops::Range, time::Duration};

use bytes::Bytes;
use wire::{Data, Node};

use crate::{Action, Local, PeerId, Replicator, choose::Chooser, flight::Kind, peer::Peer};

/// What one peer can be asked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Everything.
    All,
    /// Blocks below this one.
    Below(u64),
    /// Blocks below `end`, and others once `over` was asked about.
    Over {
        /// A proving block of the peer.
        over: u64,
        /// The end of the proving blocks.
        end: u64,
    },
}

impl Reach {
    pub(crate) fn of(peer: &Peer, local: &dyn Local) -> Self {
        let proving = local.proving();
        if peer.claims.length() <= proving.end {
            return Reach::All;
        }
        let asked = peer.flight.iter().map(|asked| asked.block);
        let mut asked = asked.chain(peer.flight.storing().map(|(block, _)| block));
        if asked.any(|block| proving.contains(&block)) {
            return Reach::proving(peer, local);
        }
        match peer.next_proving(local) {
            Some(over) => Reach::Over {
                over,
                end: proving.end,
            },
            None => Reach::Below(proving.end),
        }
    }

    /// The same once a block was asked for.
    pub(crate) fn after(self, block: u64, peer: &Peer, local: &dyn Local) -> Self {
        match self {
            Reach::Over { .. } if local.proving().contains(&block) => Reach::proving(peer, local),
            reach => reach,
        }
    }

    /// While an answer about a proving block is on its way.
    fn proving(peer: &Peer, local: &dyn Local) -> Self {
        match peer.unproven_at == Some(local.length()) {
            false => Reach::All,
            // An answer behind it came too early.
            true => Reach::Below(local.proving().end),
        }
    }

    /// The first block that can't be asked for.
    pub(crate) fn end(self) -> u64 {
        match self {
            Reach::Below(end) => end,
            Reach::All | Reach::Over { .. } => u64::MAX,
        }
    }
}

/// Answers of a peer that can't be understood before another one has come which the peer was asked for as well.
#[derive(Debug, Default)]
pub(crate) struct Early {
    answers: Vec<Data>,
    bytes: usize,
    /// The length of our feed that they are too early for.
    length: u64,
}

/// How many answers of a peer are kept at most until they can be understood, and how many bytes.
const EARLY: usize = 16;
const EARLY_BYTES: usize = 64 * 1024;

impl Early {
    /// Keeps an answer, if there is room.
    fn keep(&mut self, answer: &Data, length: u64) -> bool {
        let value = answer.value.as_ref().map_or(0, Bytes::len);
        let bytes = self.bytes + value + answer.nodes.len() * size_of::<Node>();
        if self.answers.len() == EARLY || bytes > EARLY_BYTES {
            return false;
        }
        let value = answer.value.as_ref();
        self.answers.push(Data {
            // A block is a part of something larger that came from the socket.
            value: value.map(|value| Bytes::copy_from_slice(value)),
            ..answer.clone()
        });
        (self.bytes, self.length) = (bytes, length);
        true
    }
}

impl Peer {
    /// Whether an answer that shows that the feed has grown is on its way from this peer.
    fn awaits_proof(&self, local: &dyn Local) -> bool {
        let proving = local.proving();
        self.flight
            .iter()
            .any(|asked| proving.contains(&asked.block))
    }

    /// The early answers, once they may be understood, or never will be.
    fn ripe(&mut self, local: &dyn Local) -> Option<Vec<Data>> {
        let kept = || self.early.length == local.length() && self.awaits_proof(local);
        if self.early.answers.is_empty() || kept() {
            return None;
        }
        Some(core::mem::take(&mut self.early).answers)
    }

    /// A block of the peer whose proof shows that its feed is a longer one of the same history.
    fn next_proving(&self, local: &dyn Local) -> Option<u64> {
        let proving = local.proving();
        let block = self.claims.next(proving.start)?;
        (block < proving.end && !self.flight.is_slow(block)).then_some(block)
    }

    /// When an older feed of the peer is to be tried again.
    pub(crate) fn older_again(&self) -> Option<Duration> {
        self.older.map(|older| older.again)
    }

    /// Tries an older feed of the peer again, if it is time.
    pub(crate) fn forgive_older(&mut self, now: Duration) {
        if self.older_again().is_some_and(|again| again <= now) {
            self.older = None;
            self.idle_at = None;
        }
    }

    /// Whether the proof of a block, as this peer has it, leads to what is stored here, as far as that is known.
    pub(crate) fn links(&self, block: u64, local: &dyn Local) -> bool {
        match self.older_for(block, local) {
            Some(older) => local.is_linked(block, older.length),
            None => true,
        }
    }

    /// If this peer can deliver a block: one past the last that it can deliver from there on, as far as that is known.
    fn offers(&self, block: u64, local: &dyn Local) -> Option<u64> {
        if !self.claims.contains(block) || !self.links(block, local) {
            return None;
        }
        Some(match self.older_for(block, local) {
            Some(_) => block.saturating_add(1),
            None => self.claims.next_out(block),
        })
    }

    /// The peer's feed, if it is so much older that its proof of the block may lead nowhere.
    fn older_for(&self, block: u64, local: &dyn Local) -> Option<Older> {
        self.older
            .filter(|older| self.claims.length() <= older.claimed && block < local.length())
    }
}

/// The feed of a peer that is shorter than ours.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Older {
    /// Its length, as the author signed it.
    length: u64,
    /// The length that the peer claimed when it was asked. If it claims more, it has a newer feed.
    claimed: u64,
    /// When it may be asked all the same: of a feed that grew by hashes alone nothing is announced.
    again: Duration,
}

/// What an old feed of a peer costs: one block in so much time that isn't understood, if somebody wishes for it.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

impl Chooser<'_> {
    /// Sees to it that the answer to a request for a block can be understood: asks about a proving block first. Says whether
    /// the block can be asked for now.
    pub(crate) fn reach(&mut self, id: PeerId, peer: &mut Peer, block: u64) -> bool {
        match self.reach {
            Reach::Over { over, end } if block >= end => {
                // If it is wanted itself, there is no need to ask for its hash alone.
                let wanted = self.wishes.include(over) || self.everything.is_some();
                let kind = match wanted && self.traffic.is_free(over) {
                    true => Kind::Value,
                    false => Kind::Proving,
                };
                self.request(id, peer, over, kind, None);
                self.reach == Reach::All && peer.flight.room_for_single() > 0
            }
            _ => true,
        }
    }
}

impl Replicator {
    /// An answer that was handed out by [`Action::Store`] isn't stored, because nothing shows that it is of the same history as
    /// what is. `signed` is the length of the feed that it is about. Nobody is to blame: if what shows it is on its way from the
    /// same peer, the answer is handed out once more when that has come, and otherwise it is asked for again as soon as it can
    /// be understood. Says whether it is asked for again, as what came is lost then.
    pub fn handle_unproven(
        &mut self,
        now: Duration,
        id: PeerId,
        answer: Data,
        signed: u64,
        local: &dyn Local,
    ) -> bool {
        let (block, has_value) = (answer.index, answer.value.is_some());
        if let Some(peer) = self.peers.get_mut(&id)
            && block >= local.length()
            && peer.awaits_proof(local)
            && peer.early.keep(&answer, local.length())
        {
            return false;
        }
        self.traffic.stored(block, has_value);
        if let Some(peer) = self.peers.get_mut(&id) {
            let asked = peer.flight.stored(block, has_value);
            if let Some(wish) = asked.and_then(|asked| asked.wish) {
                self.wishes.unask(wish);
            }
            match block < local.length() {
                true => {
                    peer.older = Some(Older {
                        length: signed,
                        claimed: asked.map_or(0, |asked| asked.claimed),
                        again: now + AGAIN_AFTER,
                    });
                }
                false => peer.unproven_at = Some(local.length()),
            }
        }
        self.epoch += 1;
        self.update(now, local);
        true
    }

    /// Hands out the answers once more that came too early, if that has changed.
    pub(crate) fn hand_out_ripe(&mut self, local: &dyn Local) {
        for (&id, peer) in &mut self.peers {
            for data in peer.ripe(local).into_iter().flatten() {
                let (block, has_value) = (data.index, data.value.is_some());
                if !has_value || !local.has(block) {
                    self.actions.push_back(Action::Store { peer: id, data });
                    continue;
                }
                // It came otherwise meanwhile.
                self.traffic.stored(block, has_value);
                let asked = peer.flight.stored(block, has_value);
                if let Some(wish) = asked.and_then(|asked| asked.wish) {
                    self.wishes.unask(wish);
                }
            }
        }
    }

    /// Whether a block is stored, or some peer that delivers claims to have it and its proof can be understood, or will be.
    pub fn is_available(&self, block: u64, local: &dyn Local) -> bool {
        let blocks = block..block.saturating_add(1);
        self.first_unavailable(blocks, local).is_none()
    }

    /// The first of these blocks that isn't available in the sense of [`is_available`](Self::is_available). O(log n) for each
    /// peer and each run of blocks that are missing or claimed, and for each block that an older feed may prove.
    pub fn first_unavailable(&self, blocks: Range<u64>, local: &dyn Local) -> Option<u64> {
        let end = match self.is_growth_proven(local) {
            true => u64::MAX,
            false => local.proving().end,
        };
        let delivering = || self.peers.values().filter(|peer| peer.delivers());
        let mut block = local.next_missing(blocks.start);
        while block < blocks.end {
            let offered = delivering().filter_map(|peer| peer.offers(block, local));
            let offered = offered.max().filter(|_| block < end);
            let Some(offered) = offered else {
                return Some(block);
            };
            block = local.next_missing(offered.min(end));
        }
        None
    }

    /// Whether the feed has a length in blocks, or some peer claims it and some peer can show that it is of the same history.
    pub fn is_length_available(&self, length: u64, local: &dyn Local) -> bool {
        local.length() >= length || self.remote_length() >= length && self.is_growth_proven(local)
    }

    /// Whether some peer can show that the feed has grown, if that has to be shown.
    pub(crate) fn is_growth_proven(&self, local: &dyn Local) -> bool {
        let proving = local.proving();
        let mut peers = self.peers.values().filter(|peer| peer.delivers());
        proving.end == u64::MAX
            || peers.any(|peer| {
                let next = peer.claims.next(proving.start);
                next.is_some_and(|block| block < proving.end)
            })
    }

    /// A peer that has nothing that is wanted may be the only one that can show that the feed of another has grown.
    pub(crate) fn prove_for_others(&mut self, now: Duration, id: PeerId, local: &dyn Local) {
        let proving = local.proving();
        if !self.wishes.reach(proving.end) {
            return;
        }
        let delivering = || self.peers.iter().filter(|(_, peer)| peer.delivers());
        let further =
            |(other, peer): (&PeerId, &Peer)| *other != id && peer.claims.length() > proving.end;
        let asked = |peer: &Peer| {
            let asked = peer.flight.iter().map(|asked| asked.block);
            let mut asked = asked.chain(peer.flight.storing().map(|(block, _)| block));
            asked.any(|block| proving.contains(&block))
        };
        let over = self
            .peers
            .get(&id)
            .and_then(|peer| peer.next_proving(local));
        let Some(over) = over else { return };
        if !delivering().any(further) || delivering().any(|(_, peer)| asked(peer)) {
            return;
        }
        if let Some((mut chooser, peer)) = self.chooser(now, id, local) {
            chooser.request(id, peer, over, Kind::Proving, None);
        }
    }
}
