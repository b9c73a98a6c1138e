//! Where to look next for something to fetch in no particular order: in several lanes at once, each of which goes on from block
//! to block.
//!
//! ```text
//!   feed     ░░░░██████░░░░░░░░░░██░░░░░░░░░░░░█████░░░░░     █ fetched   a lane for each request in flight
//!                     ▲            ▲                ▲
//! ```
//!
//! The proof of a block leaves out what the reader has when it asks. Requests for blocks in a row, sent one behind the other,
//! would each be answered by the same hashes; requests in different lanes have only hashes near the roots in common. And
//! when a lane is asked for its next block, the one before has come, with half of its proof.
//!
//! An odd block needs no proof at all then, since its leaf is in that of the even block before it. The next even one doesn't gain
//! by waiting for it, so the two are asked for together, and stored by one write:
//!
//! ```text
//!   8 comes with the leaf of 9       9 and 10 are asked for       10 comes with the leaf of 11       11 and 12 ...
//! ```

use alloc::collections::VecDeque;
use core::ops::Range;

use bitfield::RangeSet;

use crate::rng::Rng;

/// The lanes of one peer.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    /// The one whose turn it is comes first.
    lanes: VecDeque<Lane>,
}

/// How far one is.
#[derive(Clone, Copy, Debug)]
struct Lane {
    next: u64,
    /// How many blocks it goes on for.
    left: u64,
}

impl Lanes {
    /// Finds a block of a set in the next lane, of so many there are to be. A lane that has come to its end, or to blocks that
    /// need not be fetched, begins anew far from the others and below `end`, and the search wraps once. `find` gives the first block of
    /// a range that can be asked for.
    pub(crate) fn find(
        &mut self,
        rng: &mut Rng,
        count: usize,
        (blocks, end): (&RangeSet, u64),
        is_here: impl Fn(u64) -> bool + Copy,
        find: impl Fn(Range<u64>) -> Option<u64>,
    ) -> Option<u64> {
        self.lanes.truncate(count);
        let is_free =
            |block: u64| blocks.contains(block) && find(block..block.saturating_add(1)).is_some();
        let goes_on = self.next_lane(count, is_here);
        let lane = match goes_on.filter(|lane| lane.left > 0 && is_free(lane.next)) {
            Some(lane) => lane,
            None => {
                let first = blocks.first()?;
                let last = blocks.end().min(end);
                let place = first.saturating_add(rng.apart(last.saturating_sub(first)));
                let after = blocks.intersection(place..u64::MAX);
                let before = blocks.intersection(0..place);
                let found = after.chain(before).find_map(&find)?;
                Lane {
                    next: begin(found, found != place, is_here, is_free),
                    left: STRETCH,
                }
            }
        };
        let next = Lane {
            next: lane.next.saturating_add(1),
            left: lane.left - 1,
        };
        match is_odd(lane.next) && is_here(lane.next - 1) {
            // The even one behind it is asked for at once.
            true => self.lanes.push_front(next),
            false => self.lanes.push_back(next),
        }
        Some(lane.next)
    }

    /// The lane whose turn it is: of the first few, one whose last block is here, or last but one if the last is odd. None if another
    /// one is to be begun.
    fn next_lane(&mut self, count: usize, is_here: impl Fn(u64) -> bool) -> Option<Lane> {
        let mut few = self.lanes.iter().take(TRIES);
        let position = few.position(|lane| {
            let wait = if is_odd(lane.next) { 1 } else { 2 };
            is_here(lane.next.saturating_sub(1)) || is_here(lane.next.saturating_sub(wait))
        });
        match position {
            Some(position) => self.lanes.remove(position),
            None if self.lanes.len() < count => None,
            None => self.lanes.pop_front(),
        }
    }
}

/// Where a lane begins that has found a block, maybe the first one of a gap.
fn begin(
    found: u64,
    is_first: bool,
    is_here: impl Fn(u64) -> bool,
    is_free: impl Fn(u64) -> bool,
) -> u64 {
    let mut block = found;
    if is_first {
        // What comes right behind blocks that are here, or on their way, is another lane's, which has half of its proof.
        let mut steps = STEPS.into_iter().map(|step| found.saturating_add(step));
        block = steps.find(|block| is_free(*block)).unwrap_or(found);
    }
    // The leaf of an odd one comes with the even one before it, which may be under way.
    match is_odd(block) && !is_here(block - 1) && is_free(block + 1) {
        true => block + 1,
        false => block,
    }
}

fn is_odd(block: u64) -> bool {
    block % 2 == 1
}

/// How far inside of a gap a lane begins: as far as it reaches, first of all.
const STEPS: [u64; 6] = [64, 32, 16, 8, 4, 2];

/// How many lanes are tried.
const TRIES: usize = 16;

/// How far a lane goes: long enough that much of what is near one another is stored together, short enough that several readers
/// of one writer fetch different parts.
const STRETCH: u64 = 256;

#[cfg(test)]
mod tests {
    use alloc::{collections::BTreeSet, vec::Vec};

    use bitfield::RangeSet;

    use super::Lanes;
    use crate::rng::Rng;

    /// Fetches everything, with so many requests in flight. The blocks in the order in which they were asked for.
    fn order(in_flight: usize, length: u64) -> Vec<u64> {
        let (mut lanes, mut rng) = (Lanes::default(), Rng::new(5));
        let all: RangeSet = core::iter::once(0..length).collect();
        let (mut asked, mut here) = (Vec::new(), BTreeSet::new());
        let mut wanted: BTreeSet<u64> = (0..length).collect();
        loop {
            let is_here = |block| here.contains(&block);
            let next = |run: core::ops::Range<u64>| wanted.range(run).next().copied();
            let found = lanes.find(&mut rng, in_flight, (&all, length), is_here, next);
            let Some(block) = found else { return asked };
            wanted.remove(&block);
            asked.push(block);
            if let Some(oldest) = asked.len().checked_sub(in_flight) {
                here.insert(asked[oldest]);
            }
        }
    }

    #[test]
    fn all_blocks_are_found_once_and_few_are_in_flight_with_a_neighbour_whose_proof_is_theirs() {
        for in_flight in [1, 16, 100] {
            let order = order(in_flight, 20_000);
            assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 20_000);
            assert_eq!(order.len(), 20_000);
            let (mut near, mut paired) = (0, 0);
            for flight in order.windows(in_flight) {
                let (last, others) = flight.split_last().unwrap();
                let odd = last % 2;
                near += u32::from(others.contains(&(last + 1)));
                near += u32::from(others.contains(&last.wrapping_sub(odd)) && odd == 1);
                paired += u32::from(others.last() == Some(&last.wrapping_sub(1)) && odd == 0);
            }
            assert!(near < 1000, "{near} times with {in_flight} in flight");
            assert!(in_flight == 1 || paired > 8000, "{paired} in pairs");
        }
    }

    #[test]
    fn a_lane_goes_on_from_block_to_block() {
        let order = order(16, 20_000);
        let last: BTreeSet<u64> = order.iter().take(2000).copied().collect();
        let follow = last.iter().filter(|block| last.contains(&(*block + 1)));
        assert!(follow.count() > 1900);
    }
}
