//! What is wished for: single blocks that somebody waits for, ranges to fetch, a longer feed, a byte to find.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::ops::Range;

use bitfield::RangeSet;

use crate::{Action, Local, Outcome, WishId};

/// Something to fetch.
///
/// ```
/// use hypercore_replicate::{Order, Wish};
///
/// // What `want(now, 7, ..)` and `want(now, 0..100, ..)` stand for:
/// assert_eq!(Wish::from(7), Wish::Block(7));
/// assert_eq!(Wish::from(0..100), Wish::Range { blocks: 0..100, order: Order::Random });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wish {
    /// One block that somebody waits for. It goes before all ranges, and may lie beyond the end of the feed.
    Block(u64),
    /// All blocks of a range. An end of `u64::MAX` means no end: such a wish stays until it is cancelled.
    Range {
        /// From first to one past the last.
        blocks: Range<u64>,
        /// Which come first.
        order: Order,
    },
    /// The blocks of a set.
    Blocks(RangeSet),
    /// That the feed, as far as it is proven, has at least this length.
    Length(u64),
    /// The same for somebody who wants the last block too: instead of its hash alone the last block that a peer has is asked
    /// for. The wish resolves with the length, be it proven by that block or by something else.
    Tip(u64),
    /// The hashes that lead to the block which holds a byte. Resolves as soon as there are new hashes; whether they are
    /// enough, the owner finds by looking.
    Seek {
        /// The byte, never zero: that one is in the first block.
        bytes: u64,
        /// The blocks that can still hold it.
        within: Range<u64>,
    },
}

/// In which order a range is fetched.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// From random places on, so that readers of one writer soon have something for each other.
    #[default]
    Random,
    /// From the first to the last.
    Linear,
}

impl From<u64> for Wish {
    fn from(block: u64) -> Self {
        Wish::Block(block)
    }
}

impl From<Range<u64>> for Wish {
    fn from(blocks: Range<u64>) -> Self {
        Wish::Range {
            blocks,
            order: Order::default(),
        }
    }
}

impl From<RangeSet> for Wish {
    fn from(blocks: RangeSet) -> Self {
        Wish::Blocks(blocks)
    }
}

/// All open wishes of a feed.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    next: u64,
    /// Who waits for a block.
    waiting: BTreeMap<u64, Vec<WishId>>,
    /// The same blocks as a set.
    urgent: RangeSet,
    lengths: Vec<Lookup>,
    seeks: Vec<Lookup>,
    selections: Vec<Selection>,
    single: BTreeMap<WishId, u64>,
}

/// A wish that one request at a time, to whichever peer, is looking after.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    pub(crate) wish: WishId,
    /// The blocks that may be asked about.
    pub(crate) within: Range<u64>,
    /// The byte to find, or zero.
    pub(crate) bytes: u64,
    /// Whether to ask for a block rather than for hashes.
    pub(crate) value: bool,
    pub(crate) asked: bool,
    /// Whether hashes of these blocks came otherwise.
    news: bool,
}

/// Blocks to fetch when there is nothing urgent.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    wish: WishId,
    pub(crate) blocks: RangeSet,
    pub(crate) order: Order,
}

impl Wishes {
    /// Notes a wish, unless it is fulfilled already.
    pub(crate) fn add(
        &mut self,
        wish: Wish,
        local: &dyn Local,
        actions: &mut VecDeque<Action>,
    ) -> WishId {
        let id = WishId(self.next);
        self.next += 1;
        let value = matches!(wish, Wish::Tip(_));
        let lookup = |within, bytes| Lookup {
            wish: id,
            within,
            bytes,
            value,
            asked: false,
            news: false,
        };
        let fulfilled = match wish {
            Wish::Block(block) if local.has(block) => Some(Outcome::Stored),
            Wish::Block(block) => {
                self.waiting.entry(block).or_default().push(id);
                self.single.insert(id, block);
                self.urgent.insert(block..block.saturating_add(1));
                None
            }
            Wish::Range { blocks, order } => {
                self.select(id, core::iter::once(blocks).collect(), order, local)
            }
            Wish::Blocks(blocks) => self.select(id, blocks, Order::default(), local),
            Wish::Length(length) | Wish::Tip(length) if local.length() >= length => {
                Some(Outcome::Grown {
                    length: local.length(),
                })
            }
            Wish::Length(length) | Wish::Tip(length) => {
                self.lengths
                    .push(lookup(length.saturating_sub(1)..u64::MAX, 0));
                None
            }
            // Nothing to look for.
            Wish::Seek { bytes: 0, .. } => Some(Outcome::Answered),
            Wish::Seek { within, .. } if within.is_empty() => Some(Outcome::Answered),
            Wish::Seek { bytes, within } => {
                self.seeks.push(lookup(within, bytes));
                None
            }
        };
        if let Some(outcome) = fulfilled {
            actions.push_back(Action::Resolved { wish: id, outcome });
        }
        id
    }

    /// Withdraws a wish.
    pub(crate) fn remove(&mut self, id: WishId) {
        if let Some(block) = self.single.remove(&id)
            && let Some(waiting) = self.waiting.get_mut(&block)
        {
            waiting.retain(|wish| *wish != id);
            if waiting.is_empty() {
                self.waiting.remove(&block);
                self.urgent.remove(block..block.saturating_add(1));
            }
        }
        self.lengths.retain(|lookup| lookup.wish != id);
        self.seeks.retain(|lookup| lookup.wish != id);
        self.selections.retain(|selection| selection.wish != id);
    }

    /// Ends all wishes that are about blocks of this range only.
    pub(crate) fn cancel(&mut self, blocks: &Range<u64>, actions: &mut VecDeque<Action>) {
        let inside = |first: u64, end: u64| blocks.start <= first && end <= blocks.end;
        let single = self.single.iter();
        let single = single.filter(|(_, block)| inside(**block, block.saturating_add(1)));
        let seeks = self.seeks.iter();
        let seeks = seeks.filter(|lookup| inside(lookup.within.start, lookup.within.end));
        let selections = self.selections.iter().filter(|selection| {
            let blocks = &selection.blocks;
            inside(blocks.first().unwrap_or(0), blocks.end())
        });
        let cancelled: Vec<WishId> = single
            .map(|(wish, _)| *wish)
            .chain(seeks.map(|lookup| lookup.wish))
            .chain(selections.map(|selection| selection.wish))
            .collect();
        for wish in cancelled {
            self.remove(wish);
            actions.push_back(Action::Resolved {
                wish,
                outcome: Outcome::Cancelled,
            });
        }
    }

    /// Blocks have become stored: resolves what waited for them.
    pub(crate) fn stored(
        &mut self,
        runs: &[Range<u64>],
        local: &dyn Local,
        actions: &mut VecDeque<Action>,
    ) {
        for blocks in runs {
            while let Some((&block, _)) = self.waiting.range(blocks.clone()).next() {
                for wish in self.waiting.remove(&block).unwrap_or_default() {
                    self.single.remove(&wish);
                    actions.push_back(Action::Resolved {
                        wish,
                        outcome: Outcome::Stored,
                    });
                }
            }
            self.urgent.remove(blocks.clone());
        }
        self.selections.retain(|selection| {
            let touched = |blocks: &Range<u64>| {
                let next = selection.blocks.next_in(blocks.start);
                next.is_some_and(|block| block < blocks.end)
            };
            let complete = runs.iter().any(touched) && selection.is_complete(local);
            if complete {
                actions.push_back(Action::Resolved {
                    wish: selection.wish,
                    outcome: Outcome::Stored,
                });
            }
            !complete
        });
    }

    /// Hashes of these blocks have become stored, whether they were asked for or not.
    pub(crate) fn learnt(&mut self, blocks: Range<u64>) {
        for lookup in &mut self.seeks {
            let Range { start, end } = lookup.within;
            lookup.news |= blocks.start < end && start < blocks.end;
        }
    }

    /// Resolves what was looked for where there are news, unless an answer is on its way.
    pub(crate) fn look_again(&mut self, actions: &mut VecDeque<Action>) {
        self.seeks.retain(|lookup| {
            let resolved = lookup.news && !lookup.asked;
            if resolved {
                actions.push_back(Action::Resolved {
                    wish: lookup.wish,
                    outcome: Outcome::Answered,
                });
            }
            !resolved
        });
    }

    /// The feed may have grown: resolves what waited for its length.
    pub(crate) fn grown(&mut self, length: u64, actions: &mut VecDeque<Action>) {
        self.lengths.retain(|lookup| {
            let reached = length > lookup.within.start;
            if reached {
                actions.push_back(Action::Resolved {
                    wish: lookup.wish,
                    outcome: Outcome::Grown { length },
                });
            }
            !reached
        });
    }

    /// A request that looked after a wish was answered and the answer is stored.
    pub(crate) fn answered(&mut self, id: WishId, actions: &mut VecDeque<Action>) {
        self.unask(id);
        if let Some(position) = self.seeks.iter().position(|lookup| lookup.wish == id) {
            self.seeks.remove(position);
            actions.push_back(Action::Resolved {
                wish: id,
                outcome: Outcome::Answered,
            });
        }
    }

    /// A request looks after a wish.
    pub(crate) fn ask(&mut self, id: WishId) {
        self.set_asked(id, true);
    }

    /// A request that looked after a wish is lost: another may be sent.
    pub(crate) fn unask(&mut self, id: WishId) {
        self.set_asked(id, false);
    }

    pub(crate) fn urgent(&self) -> &RangeSet {
        &self.urgent
    }

    pub(crate) fn lengths(&mut self) -> &mut [Lookup] {
        &mut self.lengths
    }

    pub(crate) fn seeks(&mut self) -> &mut [Lookup] {
        &mut self.seeks
    }

    pub(crate) fn selections(&self) -> &[Selection] {
        &self.selections
    }

    /// Whether something is wished for at or behind a block.
    pub(crate) fn reach(&self, block: u64) -> bool {
        let beyond = |lookup: &Lookup| lookup.within.start >= block;
        self.urgent.end() > block
            || self.lengths.iter().any(beyond)
            || self
                .selections
                .iter()
                .any(|selection| selection.blocks.end() > block)
    }

    /// Whether somebody wants the value of a block.
    pub(crate) fn include(&self, block: u64) -> bool {
        self.urgent.contains(block)
            || self
                .selections
                .iter()
                .any(|selection| selection.blocks.contains(block))
    }

    /// Whether the wish that a request looks after is still open.
    pub(crate) fn is_looking(&self, id: WishId) -> bool {
        let mut lookups = self.lengths.iter().chain(&self.seeks);
        lookups.any(|lookup| lookup.wish == id)
    }

    fn set_asked(&mut self, id: WishId, asked: bool) {
        let lookups = self.lengths.iter_mut().chain(&mut self.seeks);
        for lookup in lookups.filter(|lookup| lookup.wish == id) {
            lookup.asked = asked;
        }
    }

    fn select(
        &mut self,
        wish: WishId,
        blocks: RangeSet,
        order: Order,
        local: &dyn Local,
    ) -> Option<Outcome> {
        let selection = Selection {
            wish,
            blocks,
            order,
        };
        if selection.is_complete(local) {
            return Some(Outcome::Stored);
        }
        self.selections.push(selection);
        None
    }
}

impl Selection {
    fn is_complete(&self, local: &dyn Local) -> bool {
        self.blocks
            .iter()
            .all(|blocks| local.next_missing(blocks.start) >= blocks.end)
    }
}
