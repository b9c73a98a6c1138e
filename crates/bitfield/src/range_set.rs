//! A set of numbers kept as runs: what a peer says it has costs as much memory as it is ragged, not as much as it is
//! long.

use alloc::collections::BTreeMap;
use core::{fmt, ops::Range};

/// Disjoint runs of numbers that don't touch.
///
/// ```
/// use hypercore_bitfield::RangeSet;
///
/// let mut have = RangeSet::new();
/// assert_eq!(have.insert(0..1 << 40), 1 << 40);
/// assert_eq!(have.remove(5..10), 5);
/// assert!(have.contains(4) && !have.contains(5));
/// assert_eq!(have.next_in(5), Some(10));
/// assert_eq!(have.runs(), 2);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RangeSet {
    /// From the start of a run to its end.
    runs: BTreeMap<u64, u64>,
}

impl RangeSet {
    /// An empty set.
    pub const fn new() -> Self {
        RangeSet {
            runs: BTreeMap::new(),
        }
    }

    /// Adds a range; how many of its numbers are new. O(log n) and the runs that it covers.
    pub fn insert(&mut self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        // Mostly one run at most is near, and it begins before the range.
        match self.runs.range_mut(..=range.end).next_back() {
            Some((&from, to)) if from <= range.start && *to >= range.start => {
                let new = range.end.saturating_sub(*to);
                *to = range.end.max(*to);
                return new;
            }
            Some((_, &mut to)) if to >= range.start => {}
            _ => {
                self.runs.insert(range.start, range.end);
                return range.end - range.start;
            }
        }
        let before = self.covered(&range);
        let (mut start, mut end) = (range.start, range.end);
        // Runs that touch the range melt into it.
        while let Some((&from, &to)) = self.runs.range(..=end).next_back() {
            if to < start {
                break;
            }
            start = start.min(from);
            end = end.max(to);
            self.runs.remove(&from);
        }
        self.runs.insert(start, end);
        (range.end - range.start) - before
    }

    /// Removes a range; how many numbers were in the set. O(log n) and the runs that it covers.
    pub fn remove(&mut self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let mut removed = 0;
        while let Some((&from, end)) = self.runs.range_mut(..range.end).next_back() {
            let to = *end;
            if to <= range.start {
                break;
            }
            removed += to.min(range.end) - from.max(range.start);
            match from < range.start {
                true => *end = range.start,
                false => drop(self.runs.remove(&from)),
            }
            if to > range.end {
                self.runs.insert(range.end, to);
            }
            if from <= range.start {
                break;
            }
        }
        removed
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.runs.clear();
    }

    /// Whether a number is in the set.
    pub fn contains(&self, number: u64) -> bool {
        self.run_at(number).is_some()
    }

    /// Whether all numbers of a range are in the set. An empty range is.
    pub fn contains_all(&self, range: Range<u64>) -> bool {
        range.is_empty()
            || self
                .run_at(range.start)
                .is_some_and(|run| run.end >= range.end)
    }

    /// Whether there is nothing in the set.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many runs the set consists of: what it costs.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// How many numbers of a range are in the set.
    pub fn count(&self, range: Range<u64>) -> u64 {
        self.covered(&range)
    }

    /// The smallest number.
    pub fn first(&self) -> Option<u64> {
        self.runs.first_key_value().map(|(&start, _)| start)
    }

    /// One past the largest number; 0 if there is none.
    pub fn end(&self) -> u64 {
        self.runs.last_key_value().map_or(0, |(_, &end)| end)
    }

    /// The first number at or above `from` that is in the set.
    pub fn next_in(&self, from: u64) -> Option<u64> {
        match self.run_at(from) {
            Some(_) => Some(from),
            None => self.runs.range(from..).next().map(|(&start, _)| start),
        }
    }

    /// The first number at or above `from` that is not in the set.
    pub fn next_out(&self, from: u64) -> u64 {
        self.run_at(from).map_or(from, |run| run.end)
    }

    /// The runs, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Range<u64>> + '_ {
        self.runs.iter().map(|(&start, &end)| start..end)
    }

    /// The parts of a range that are in the set, in order.
    pub fn intersection(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let first = self
            .run_at(range.start)
            .map_or(range.start, |run| run.start);
        self.runs
            .range(first..range.end.max(first))
            .map(move |(&start, &end)| start.max(range.start)..end.min(range.end))
            .filter(|part| !part.is_empty())
    }

    fn covered(&self, range: &Range<u64>) -> u64 {
        self.intersection(range.clone())
            .map(|part| part.end - part.start)
            .sum()
    }

    fn run_at(&self, number: u64) -> Option<Range<u64>> {
        let (&start, &end) = self.runs.range(..=number).next_back()?;
        (number < end).then_some(start..end)
    }
}

impl FromIterator<Range<u64>> for RangeSet {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut set = RangeSet::new();
        set.extend(ranges);
        set
    }
}

impl Extend<Range<u64>> for RangeSet {
    fn extend<I: IntoIterator<Item = Range<u64>>>(&mut self, ranges: I) {
        for range in ranges {
            self.insert(range);
        }
    }
}

impl fmt::Debug for RangeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
