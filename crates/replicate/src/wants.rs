//! Which windows of a peer's blocks we have asked about.
//!
//! The blocks of a feed are cut into windows of 2^20. A peer tells us about a window, now and from then on, once it got a
//! Want for it:
//!
//! ```text
//!   Want { start: 0, length: 2^20 }      ─▶
//!                                       ◀─  Have { start: last block }      (the first time)
//!                                       ◀─  Have { start: 0, length: 2^20, bitfield }
//! ```
//!
//! What the peer has of the blocks that are stored here is not remembered. So where some of them go lost, the window is asked
//! about anew, once somebody wishes for something in it.
//!
//! Every peer that uploads answers every Want, so one that doesn't is not what it says, or the question was damaged on its way.

use core::{ops::Range, time::Duration};

use bitfield::RangeSet;

use crate::config::WINDOW;

/// The Wants sent to one peer.
#[derive(Debug)]
pub(crate) struct Wants {
    /// Window numbers.
    sent: RangeSet,
    /// Those in which blocks went lost here that the peer may have.
    stale: RangeSet,
    outstanding: usize,
    /// When the first outstanding one was sent, or the last answer came.
    progress: Duration,
    /// How many more bitfields are looked at that answer no Want: old peers send one.
    unasked: usize,
    /// How often a peer stopped uploading.
    forgotten: usize,
    /// An old peer, which announces everything by itself and knows no Want.
    never: bool,
}

impl Wants {
    pub(crate) fn new() -> Self {
        Wants {
            sent: RangeSet::new(),
            stale: RangeSet::new(),
            outstanding: 0,
            progress: Duration::ZERO,
            unasked: UNASKED,
            forgotten: 0,
            never: false,
        }
    }

    /// Takes the first window of these blocks that was not asked about, if another Want may be sent.
    pub(crate) fn take(&mut self, now: Duration, blocks: Range<u64>) -> Option<u64> {
        if self.never || self.outstanding >= MAX_OUTSTANDING || blocks.is_empty() {
            return None;
        }
        let window = self.sent.next_out(blocks.start / WINDOW);
        if window > (blocks.end - 1) / WINDOW {
            return None;
        }
        self.sent.insert(window..window + 1);
        if self.outstanding == 0 {
            self.progress = now;
        }
        self.outstanding += 1;
        Some(window * WINDOW)
    }

    /// These blocks went lost here, and it isn't known which of them the peer has.
    pub(crate) fn doubt(&mut self, blocks: Range<u64>) {
        if !blocks.is_empty() {
            self.stale.insert(windows(&blocks));
        }
    }

    /// Somebody wishes for these blocks: what is in doubt about them may be asked again.
    pub(crate) fn renew(&mut self, blocks: Range<u64>) {
        if blocks.is_empty() || self.stale.is_empty() {
            return;
        }
        let windows = windows(&blocks);
        for stale in self.stale.intersection(windows.clone()) {
            self.sent.remove(stale);
        }
        self.stale.remove(windows);
    }

    /// A Have of so many blocks came: if that is a whole window, it answers a Want. Says whether a bitfield in it is to
    /// be looked at.
    pub(crate) fn answer(&mut self, now: Duration, length: u64) -> bool {
        let counter = if length == WINDOW && self.outstanding > 0 {
            self.progress = now;
            &mut self.outstanding
        } else {
            &mut self.unasked
        };
        let expected = *counter > 0;
        *counter = counter.saturating_sub(1);
        expected
    }

    /// Never sends another Want, and expects no answer to those that were sent.
    pub(crate) fn stop(&mut self) {
        self.never = true;
        self.outstanding = 0;
    }

    /// The peer doesn't upload any more, so it will have to be asked again if it resumes, unless it makes a habit of that.
    pub(crate) fn forget(&mut self) {
        self.sent.clear();
        self.stale.clear();
        self.outstanding = 0;
        self.forgotten += 1;
        self.never |= self.forgotten > MAX_FORGOTTEN;
    }

    /// Whether an answer to a Want is still to come.
    pub(crate) fn are_outstanding(&self) -> bool {
        self.outstanding > 0
    }

    /// Since when an answer is waited for, if one is.
    pub(crate) fn waiting_since(&self) -> Option<Duration> {
        self.are_outstanding().then_some(self.progress)
    }
}

/// The numbers of the windows in which blocks lie; there is at least one.
fn windows(blocks: &Range<u64>) -> Range<u64> {
    blocks.start / WINDOW..(blocks.end - 1) / WINDOW + 1
}

/// What JavaScript keeps to as well.
const MAX_OUTSTANDING: usize = 16;

const UNASKED: usize = 16;

/// An honest peer doesn't change its mind more often. Each time costs us the answers to all Wants.
const MAX_FORGOTTEN: usize = 64;

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{WINDOW, Wants};

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn asks_about_each_window_once() {
        let mut wants = Wants::new();
        assert_eq!(wants.take(NOW, 0..1), Some(0));
        assert_eq!(wants.take(NOW, 0..WINDOW), None);
        assert_eq!(wants.take(NOW, 0..WINDOW + 1), Some(WINDOW));
        assert_eq!(
            wants.take(NOW, 5 * WINDOW + 7..5 * WINDOW + 8),
            Some(5 * WINDOW)
        );
        assert_eq!(wants.take(NOW, 3..3), None);
        wants.forget();
        assert_eq!(wants.take(NOW, 0..1), Some(0));
    }

    #[test]
    fn asks_again_where_something_was_lost_once_it_is_wished_for() {
        let mut wants = Wants::new();
        for window in 0..3 {
            assert_eq!(wants.take(NOW, 0..3 * WINDOW), Some(window * WINDOW));
        }
        wants.doubt(WINDOW + 5..2 * WINDOW + 1);
        assert_eq!(wants.take(NOW, 0..3 * WINDOW), None);
        wants.renew(0..WINDOW);
        assert_eq!(wants.take(NOW, 0..3 * WINDOW), None);
        wants.renew(WINDOW - 1..WINDOW + 1);
        assert_eq!(wants.take(NOW, 0..3 * WINDOW), Some(WINDOW));
        wants.renew(0..u64::MAX);
        assert_eq!(wants.take(NOW, 0..3 * WINDOW), Some(2 * WINDOW));
        wants.renew(0..u64::MAX);
        assert_eq!(wants.take(NOW, 0..3 * WINDOW), None);
    }

    #[test]
    fn stops_at_sixteen_unanswered() {
        let mut wants = Wants::new();
        let taken = (0..40)
            .filter(|_| wants.take(NOW, 0..100 * WINDOW).is_some())
            .count();
        assert_eq!(taken, 16);
        assert!(wants.answer(NOW, WINDOW));
        assert_eq!(wants.take(NOW, 0..100 * WINDOW), Some(16 * WINDOW));
        assert_eq!(wants.take(NOW, 0..100 * WINDOW), None);
    }

    #[test]
    fn looks_at_few_bitfields_that_nobody_asked_for() {
        let mut wants = Wants::new();
        wants.take(NOW, 0..1);
        let seen = (0..100).filter(|_| wants.answer(NOW, WINDOW)).count();
        assert_eq!(seen, 17);
        wants.take(NOW, 0..WINDOW + 1);
        assert!(!wants.answer(NOW, 8192) && wants.answer(NOW, WINDOW));
    }

    #[test]
    fn asks_no_more_after_many_changes_of_mind() {
        let mut wants = Wants::new();
        let asked = (0..1000).filter(|_| {
            wants.forget();
            wants.take(NOW, 0..1).is_some()
        });
        assert_eq!(asked.count(), 64);
    }

    #[test]
    fn waits_since_the_first_question_or_the_last_answer() {
        let at = Duration::from_secs;
        let mut wants = Wants::new();
        assert_eq!(wants.waiting_since(), None);
        wants.take(at(3), 0..1);
        wants.take(at(5), WINDOW..WINDOW + 1);
        assert_eq!(wants.waiting_since(), Some(at(3)));
        wants.answer(at(8), WINDOW);
        assert_eq!(wants.waiting_since(), Some(at(8)));
        wants.answer(at(9), 1);
        assert_eq!(wants.waiting_since(), Some(at(8)));
        wants.stop();
        assert_eq!(wants.waiting_since(), None);
    }
}
