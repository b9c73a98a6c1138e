//! What a peer claims to have: runs of block numbers, never more of them than a cap, whatever the peer says.
//!
//! A claim costs O(log n), however many blocks it covers. Knowing less than the peer has is always safe, so whatever doesn't
//! fit is forgotten.

use core::ops::Range;

use bitfield::RangeSet;

use crate::Local;

/// Runs refused between two searches for stored ones, so that each pays for a small part of the search.
const PATIENCE: usize = 8192;

#[derive(Debug)]
pub(crate) struct Claims {
    blocks: RangeSet,
    length: u64,
    max_runs: usize,
    max_length: u64,
    /// How many more runs must be refused before stored ones are looked for again.
    patience: usize,
}

impl Claims {
    pub(crate) fn new(max_runs: usize, max_length: u64) -> Self {
        Claims {
            blocks: RangeSet::new(),
            length: 0,
            max_runs,
            max_length,
            patience: 0,
        }
    }

    /// The peer has these blocks. Says whether that is news worth looking at.
    pub(crate) fn insert(&mut self, blocks: Range<u64>, local: &dyn Local) -> bool {
        let blocks = blocks.start..blocks.end.min(self.max_length);
        if blocks.is_empty() {
            return false;
        }
        self.length = self.length.max(blocks.end);
        // Runs that are stored here already would only be stepped over. Without them, the runs that a search has to skip are
        // bounded by what this peer or another one really delivered.
        if local.has_all(blocks.clone()) {
            return false;
        }
        if !self.make_room(local) && self.isolated(&blocks) {
            return false;
        }
        self.blocks.insert(blocks) > 0
    }

    /// The peer has these blocks no more.
    pub(crate) fn remove(&mut self, blocks: Range<u64>) {
        if blocks.start == 0 && blocks.end >= self.length {
            self.length = 0;
        }
        let mut blocks = blocks;
        let splits = blocks.start > 0
            && self.blocks.contains(blocks.start - 1)
            && self.blocks.contains(blocks.end);
        if splits && self.blocks.runs() >= self.max_runs {
            blocks.end = self.blocks.next_out(blocks.end);
        }
        self.blocks.remove(blocks);
    }

    /// Forgets a part without touching the length, because a new picture of it follows.
    pub(crate) fn blank(&mut self, blocks: Range<u64>) {
        let length = self.length;
        self.remove(blocks);
        self.length = length;
    }

    /// Whether another run would be refused: the rest of a long message needn't be looked at.
    pub(crate) fn is_full(&self) -> bool {
        self.blocks.runs() >= self.max_runs && self.patience > 0
    }

    /// The highest length that the peer claimed.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The first block at or after `from` that the peer has.
    pub(crate) fn next(&self, from: u64) -> Option<u64> {
        self.blocks.next_in(from)
    }

    /// The first block at or after `from` that the peer isn't known to have.
    pub(crate) fn next_out(&self, from: u64) -> u64 {
        self.blocks.next_out(from)
    }

    /// Whether the peer is known to have all blocks of a range.
    pub(crate) fn contains_all(&self, blocks: Range<u64>) -> bool {
        self.blocks.contains_all(blocks)
    }

    pub(crate) fn contains(&self, block: u64) -> bool {
        self.blocks.contains(block)
    }

    pub(crate) fn blocks(&self) -> &RangeSet {
        &self.blocks
    }

    fn isolated(&self, blocks: &Range<u64>) -> bool {
        let reach = blocks.start.saturating_sub(1)..blocks.end.saturating_add(1);
        self.blocks
            .next_in(reach.start)
            .is_none_or(|next| next >= reach.end)
    }

    /// At the cap, forgets the runs that are stored by now. That costs O(runs), so it isn't done for each call.
    fn make_room(&mut self, local: &dyn Local) -> bool {
        if self.blocks.runs() < self.max_runs {
            return true;
        }
        if self.patience > 0 {
            self.patience -= 1;
            return false;
        }
        self.patience = PATIENCE;
        // Looking costs far less than building anew, and a peer that never delivers isn't worth more.
        if !self.blocks.iter().any(|run| local.has_all(run)) {
            return false;
        }
        self.blocks = self
            .blocks
            .iter()
            .filter(|run| !local.has_all(run.clone()))
            .collect();
        self.blocks.runs() < self.max_runs
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use core::{cell::Cell, ops::Range};

    use super::Claims;
    use crate::{Local, rng::Rng};

    /// Every third block is stored. Counts how often it was asked for a range.
    #[derive(Default)]
    struct Thirds(Cell<u64>);

    impl Local for Thirds {
        fn length(&self) -> u64 {
            u64::MAX
        }

        fn has(&self, block: u64) -> bool {
            block.is_multiple_of(3)
        }

        fn has_all(&self, blocks: Range<u64>) -> bool {
            self.0.set(self.0.get() + 1);
            blocks.clone().all(|block| self.has(block))
        }

        fn next_missing(&self, from: u64) -> u64 {
            if self.has(from) { from + 1 } else { from }
        }

        fn has_node_of(&self, block: u64) -> bool {
            self.has(block)
        }

        fn digest(&self, _: u64) -> u64 {
            0
        }

        fn have_bits(&self, _: u64, _: &mut [u8]) {}
    }

    #[test]
    fn claims_beyond_the_cap_cost_a_few_looks_each() {
        let (max_runs, count) = (8192, 200_000);
        let looks = Thirds::default();
        let mut claims = Claims::new(max_runs, u64::MAX);
        for n in 0..count {
            claims.insert(3 * n + 1..3 * n + 2, &looks);
        }
        assert_eq!(claims.blocks.runs(), max_runs);
        let looks = looks.0.get();
        assert!(looks < 3 * count, "{looks} looks for {count} claims");
    }

    #[test]
    fn never_knows_more_than_was_claimed_nor_more_runs_than_the_cap() {
        for max_runs in [1, 4, 1000] {
            let mut rng = Rng::new(max_runs as u64);
            let mut claims = Claims::new(max_runs, 300);
            let mut model = BTreeSet::new();
            for _ in 0..2000 {
                let start = rng.below(400);
                let blocks = start..start + rng.below(20);
                if rng.below(3) > 0 {
                    claims.insert(blocks.clone(), &Thirds::default());
                    model.extend(blocks);
                } else {
                    claims.remove(blocks.clone());
                    model.retain(|block| !blocks.contains(block));
                }
                assert!(claims.blocks.runs() <= max_runs);
                assert!(claims.length() <= 300);
                for block in 0..400 {
                    let claimed = model.contains(&block) && block < 300;
                    assert!(claimed || !claims.contains(block));
                    // With room for all, what is missing is known.
                    let known = claims.contains(block) || Thirds::default().has(block);
                    assert!(max_runs < 1000 || !claimed || known);
                }
            }
        }
    }
}
