//! A writer that may have lost blocks listens to its peers, which others don't: what its own key has signed beyond its length stops
//! it from appending (`feed/src/behind.rs`), and is fetched.

use std::time::Duration;

use bitfield::RangeSet;
use feed::{Feed, Recovery};
use replicate::Replicator;

use crate::view::View;

/// Whether opening has found that something is gone.
pub(crate) fn may_be_behind(feed: &Feed) -> bool {
    feed.recovery().is_some_and(Recovery::is_behind)
}

/// What was cleared earlier isn't to come back along with what is lost.
pub(crate) fn leave_cleared(feed: &Feed, replicator: &mut Replicator, now: Duration) {
    let lost = feed.recovery().map(|report| report.lost.clone());
    let (bits, length) = (feed.bitfield(), feed.length());
    let mut cleared = RangeSet::default();
    let mut next = bits.next_missing(0);
    while next < length {
        let end = bits.next_block(next).unwrap_or(length).min(length);
        cleared.insert(next..end);
        next = bits.next_missing(end);
    }
    for range in lost.unwrap_or_default().iter() {
        cleared.remove(range);
    }
    for range in cleared.iter() {
        replicator.handle_cleared(now, range, 0..0, &View(feed));
    }
}
