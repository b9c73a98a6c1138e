//! Choosing what to ask a peer for.
//!
//! A block is asked for if somebody wants it, the peer claims it, it isn't stored, and no answer to another request for it is
//! on its way. All four are sets of runs that are stepped through side by side, so that a search costs the runs it crosses, not
//! the blocks.

use alloc::collections::{BTreeMap, VecDeque};
use core::{ops::Range, time::Duration};

use bitfield::RangeSet;
use wire::{Message, Request, Want};

use crate::{
    Action, Local, Order, PeerId, WishId,
    config::{MAX_BLOCKS, WINDOW},
    flight::{Asked, Kind, State},
    peer::Peer,
    reach::Reach,
    rng::Rng,
    wishes::Wishes,
};

/// The blocks of a feed that are on their way.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Some peer was asked recently enough.
    reserved: RangeSet,
    /// Some peer has answered and the owner stores it.
    arrived: RangeSet,
    /// The same: the block, whether with its value, and whose answer it is.
    storing: BTreeMap<(u64, bool), PeerId>,
}

impl Traffic {
    pub(crate) fn reserve(&mut self, block: u64) {
        self.reserved.insert(block..block.saturating_add(1));
    }

    pub(crate) fn release(&mut self, block: u64) {
        self.reserved.remove(block..block.saturating_add(1));
    }

    /// Notes that an answer is being stored, unless another one to the same is.
    pub(crate) fn store(&mut self, block: u64, has_value: bool, sender: PeerId) -> bool {
        if self.storing.contains_key(&(block, has_value)) {
            return false;
        }
        self.storing.insert((block, has_value), sender);
        self.arrived.insert(block..block.saturating_add(1));
        true
    }

    pub(crate) fn stored(&mut self, block: u64, has_value: bool) {
        self.storing.remove(&(block, has_value));
        if !self.storing.contains_key(&(block, !has_value)) {
            self.arrived.remove(block..block.saturating_add(1));
        }
    }

    /// Whether a block isn't on its way.
    pub(crate) fn is_free(&self, block: u64) -> bool {
        self.next_free(block) == block
    }

    /// The blocks that are on their way.
    pub(crate) fn on_its_way(&self) -> impl Iterator<Item = u64> {
        self.reserved.iter().chain(self.arrived.iter()).flatten()
    }

    /// The first block at or after `block` that isn't on its way.
    fn next_free(&self, block: u64) -> u64 {
        let mut block = block;
        loop {
            let unreserved = self.reserved.next_out(block);
            block = self.arrived.next_out(unreserved);
            if block == unreserved {
                return block;
            }
        }
    }
}

/// All that is needed to fill the window of one peer.
pub(crate) struct Chooser<'a> {
    pub(crate) now: Duration,
    pub(crate) local: &'a dyn Local,
    /// How far the peer can be asked.
    pub(crate) reach: Reach,
    pub(crate) wishes: &'a mut Wishes,
    pub(crate) traffic: &'a mut Traffic,
    /// What is to be fetched without a wish, if anything.
    pub(crate) everything: Option<&'a Everything>,
    pub(crate) rng: &'a mut Rng,
    pub(crate) actions: &'a mut VecDeque<Action>,
}

/// A feed that isn't sparse fetches all blocks, except those that were cleared on purpose.
#[derive(Debug)]
pub(crate) struct Everything {
    all: RangeSet,
    pub(crate) cleared: RangeSet,
}

impl Everything {
    pub(crate) fn new() -> Self {
        Everything {
            all: core::iter::once(0..u64::MAX).collect(),
            cleared: RangeSet::new(),
        }
    }

    /// The first block at or after `block` that is missing and was not cleared.
    pub(crate) fn next_missing(&self, block: u64, local: &dyn Local) -> u64 {
        let mut block = block;
        loop {
            let missing = local.next_missing(block);
            block = self.cleared.next_out(missing);
            if block == missing {
                return block;
            }
        }
    }
}

impl Chooser<'_> {
    /// Sends requests to a peer until its window is full or it has nothing that is wanted. Says whether the latter.
    pub(crate) fn fill(&mut self, id: PeerId, peer: &mut Peer) -> bool {
        while peer.flight.room_for_single() > 0 {
            if self.is_in_the_dark(peer) {
                return false;
            }
            if !self.request_urgent(id, peer) {
                break;
            }
        }
        while peer.flight.room() > 0 {
            if self.is_in_the_dark(peer) {
                return false;
            }
            if !self.request_selected(id, peer) {
                return true;
            }
        }
        false
    }

    /// Whether the peer is to give its first answer first. As long as nothing is known of the tree, every proof holds a path up to the roots,
    /// all of the roots, and their signature; the second needs no more than the path.
    fn is_in_the_dark(&self, peer: &Peer) -> bool {
        self.local.length() == 0 && peer.flight.len() > 0
    }

    /// Asks about windows that a wish lies in and whose blocks aren't known yet.
    pub(crate) fn want(&mut self, id: PeerId, peer: &mut Peer) {
        let mut take = |peer: &mut Peer, blocks: Range<u64>| {
            let blocks = blocks.start..blocks.end.min(MAX_BLOCKS);
            while let Some(start) = peer.wants.take(self.now, blocks.clone()) {
                let want = Want {
                    start,
                    length: Some(WINDOW),
                };
                self.actions.push_back(Action::Send {
                    peer: id,
                    message: Message::Want(want),
                });
            }
        };
        let known = peer.claims.length();
        for run in self.wishes.urgent().iter() {
            peer.wants.renew(run.clone());
            take(peer, run);
        }
        for lookup in self.wishes.lengths().iter() {
            let start = lookup.within.start;
            take(peer, start..start.saturating_add(1));
        }
        for lookup in self.wishes.seeks().iter() {
            take(peer, lookup.within.start..lookup.within.end.min(known));
        }
        for selection in self.wishes.selections() {
            for run in selection.blocks.iter().take_while(|run| run.start < known) {
                peer.wants.renew(run.clone());
                take(peer, run.start..run.end.min(known));
            }
        }
        if self.everything.is_some() {
            take(peer, 0..known);
        }
        take(peer, 0..1);
    }

    fn request_urgent(&mut self, id: PeerId, peer: &mut Peer) -> bool {
        if let Some(block) = self.find_urgent(peer) {
            if self.reach(id, peer, block) {
                self.request(id, peer, block, Kind::Value, None);
            }
            return true;
        }
        if let Some((wish, block, kind)) = self.find_lookup(peer) {
            if kind != Kind::Value || self.reach(id, peer, block) {
                self.wishes.ask(wish);
                self.request(id, peer, block, kind, Some(wish));
            }
            return true;
        }
        false
    }

    fn request_selected(&mut self, id: PeerId, peer: &mut Peer) -> bool {
        match self.find_selected(peer) {
            Some(block) => {
                if self.reach(id, peer, block) {
                    self.request(id, peer, block, Kind::Value, None);
                }
                true
            }
            None => false,
        }
    }

    pub(crate) fn request(
        &mut self,
        id: PeerId,
        peer: &mut Peer,
        block: u64,
        kind: Kind,
        wish: Option<WishId>,
    ) {
        if kind != Kind::Proving {
            self.traffic.reserve(block);
        }
        self.reach = self.reach.after(block, peer, self.local);
        peer.flight.push(Asked {
            block,
            kind,
            wish,
            sent: self.now,
            claimed: peer.claims.length(),
            state: State::Waiting,
        });
        let bytes = match kind {
            Kind::Seek { bytes } => bytes,
            Kind::Value | Kind::Hash | Kind::Proving => 0,
        };
        let request = Request {
            index: block,
            bytes: Some(bytes),
            hash: Some(kind != Kind::Value),
            nodes: Some(match peer.introduced || self.local.length() == 0 {
                true => self.local.digest(block),
                // A whole proof, which shows which history the peer has, even if it is another than ours.
                false => 0,
            }),
        };
        peer.introduced = true;
        self.actions.push_back(Action::Send {
            peer: id,
            message: Message::Request(request),
        });
    }

    /// A block that somebody waits for and this peer can deliver: not always the first, because those in flight would then be
    /// neighbours, whose proofs have most hashes in common (see `lanes.rs`).
    fn find_urgent(&mut self, peer: &Peer) -> Option<u64> {
        let first = self.wishes.urgent().first()?;
        let end = self.wishes.urgent().end().min(peer.claims.length());
        let place = first.saturating_add(self.rng.apart(end.saturating_sub(first)));
        self.next_urgent(peer, place)
            .or_else(|| self.next_urgent(peer, first))
    }

    /// The first such block at or after `block`.
    fn next_urgent(&self, peer: &Peer, block: u64) -> Option<u64> {
        let mut block = block;
        loop {
            block = self.wishes.urgent().next_in(block)?;
            let next = self.next_deliverable(peer, block)?;
            if next == block {
                return Some(block);
            }
            block = next;
        }
    }

    /// The next wish for hashes or a longer feed that nobody looks after, with what to ask this peer about which block.
    fn find_lookup(&mut self, peer: &Peer) -> Option<(WishId, u64, Kind)> {
        for position in 0..self.wishes.lengths().len() {
            let lookup = self.wishes.lengths().get(position)?.clone();
            if lookup.asked {
                continue;
            }
            let last = peer.claims.blocks().end().saturating_sub(1);
            if lookup.value && last >= lookup.within.start {
                if !self.traffic.is_free(last) {
                    continue;
                }
                if let Some(block) = self.find_missing(peer, last..last.saturating_add(1)) {
                    return Some((lookup.wish, block, Kind::Value));
                }
            }
            // A proving block tells the length as well as any that the length would have.
            let proving = self.local.proving();
            let within = match proving.end {
                u64::MAX => lookup.within.clone(),
                _ if peer.claims.length() > lookup.within.start => proving,
                _ => continue,
            };
            if let Some(block) = self.find_free(peer, within) {
                return Some((lookup.wish, block, Kind::Hash));
            }
        }
        for position in 0..self.wishes.seeks().len() {
            let lookup = self.wishes.seeks().get(position)?.clone();
            if lookup.asked {
                continue;
            }
            let Range { start, end } = lookup.within;
            let from = start
                + self
                    .rng
                    .below(end.min(peer.claims.length()).saturating_sub(start));
            let found = self
                .find_free(peer, from..end)
                .or_else(|| self.find_free(peer, start..from));
            if let Some(block) = found {
                let bytes = lookup.bytes;
                return Some((lookup.wish, block, Kind::Seek { bytes }));
            }
        }
        None
    }

    /// The first block of a range whose hashes this peer can deliver and that aren't all here: an answer without news would
    /// only lead to the same question. The block itself may be stored.
    fn find_free(&self, peer: &Peer, within: Range<u64>) -> Option<u64> {
        let mut block = within.start;
        loop {
            let claimed = peer
                .claims
                .next(block)
                .filter(|block| *block < within.end)?;
            block = self.traffic.next_free(claimed);
            if block == claimed {
                if !peer.flight.is_slow(block)
                    && !self.local.has_node_of(block)
                    && peer.links(block, self.local)
                {
                    return Some(block);
                }
                block += 1;
            }
        }
    }

    fn find_selected(&mut self, peer: &mut Peer) -> Option<u64> {
        let end = self.reach.end();
        for selection in self.wishes.selections() {
            let found = match selection.order {
                Order::Linear => selection
                    .blocks
                    .iter()
                    .find_map(|run| self.find_missing(peer, run)),
                Order::Random => find_anywhere(
                    self.local,
                    self.rng,
                    peer,
                    (&selection.blocks, end),
                    |peer, within| find_missing(self.local, self.traffic, None, peer, within),
                ),
            };
            if found.is_some() {
                return found;
            }
        }
        let everything = self.everything?;
        find_anywhere(
            self.local,
            self.rng,
            peer,
            (&everything.all, end),
            |peer, within| find_missing(self.local, self.traffic, Some(everything), peer, within),
        )
    }

    fn find_missing(&self, peer: &Peer, within: Range<u64>) -> Option<u64> {
        let within = within.start..within.end.min(self.reach.end());
        find_missing(self.local, self.traffic, None, peer, within)
    }

    /// The first block at or after `block` that this peer can deliver and that is missing.
    fn next_deliverable(&self, peer: &Peer, block: u64) -> Option<u64> {
        self.find_missing(peer, block..u64::MAX)
    }
}

/// The first block of a range that is missing, not on its way, and claimed by the peer.
fn find_missing(
    local: &dyn Local,
    traffic: &Traffic,
    everything: Option<&Everything>,
    peer: &Peer,
    within: Range<u64>,
) -> Option<u64> {
    let mut block = within.start;
    let mut unlinked = 0;
    loop {
        let claimed = peer
            .claims
            .next(block)
            .filter(|block| *block < within.end)?;
        let missing = match everything {
            Some(everything) => everything.next_missing(claimed, local),
            None => local.next_missing(claimed),
        };
        block = traffic.next_free(missing);
        if block == claimed {
            if !peer.links(block, local) {
                unlinked += 1;
                if unlinked > MAX_UNLINKED {
                    return None;
                }
            } else if !peer.flight.is_slow(block) {
                return Some(block);
            }
            block += 1;
        }
    }
}

/// Searches a set in the lanes of a peer.
fn find_anywhere(
    local: &dyn Local,
    rng: &mut Rng,
    peer: &mut Peer,
    (blocks, reach): (&RangeSet, u64),
    find: impl Fn(&Peer, Range<u64>) -> Option<u64>,
) -> Option<u64> {
    let mut lanes = core::mem::take(&mut peer.lanes);
    // Answers may overtake one another: with more lanes than pairs of requests there is one whose last block has come.
    let (count, end) = (peer.flight.window(), peer.claims.length().min(reach));
    let is_here = |block| local.has(block);
    let found = lanes.find(rng, count, (blocks, end), is_here, |within| {
        find(peer, within.start..within.end.min(reach))
    });
    peer.lanes = lanes;
    found
}

/// How many blocks that an older peer can't prove are stepped over in one search.
const MAX_UNLINKED: usize = 256;
