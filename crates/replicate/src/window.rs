//! How many requests to one peer may be unanswered: as many as the way to it takes without letting answers wait.
//!
//! ```text
//!   answers come as quickly as the quickest      one more for each: the window doubles in a round trip
//!   answers take far longer than the quickest    a quarter less, once in the time that an answer takes
//!   an answer is missed                          half
//! ```
//!
//! It never falls below what JavaScript keeps in flight, whatever the delay: a link that is slow because it is narrow is kept
//! busy by that. It only grows while it is used up, so a peer of whom little is wanted proves nothing.

use core::time::Duration;

/// The window of one peer.
#[derive(Debug)]
pub(crate) struct Window {
    size: usize,
    floor: usize,
    cap: usize,
    /// The quickest answers of this period and of the one before, so that a way that has become longer is noticed.
    quickest: [Option<Duration>; 2],
    period: Duration,
    /// When it last became smaller.
    shrunk: Option<Duration>,
}

impl Window {
    /// A window of `first` requests that may grow to `cap`.
    pub(crate) fn new(now: Duration, first: usize, cap: usize) -> Self {
        let cap = cap.max(1);
        Window {
            size: first.clamp(1, cap),
            floor: FLOOR.min(cap),
            cap,
            quickest: [None; 2],
            period: now,
            shrunk: None,
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// An answer came after so long. `full` tells that more would have been asked for if that could have been sent.
    pub(crate) fn answered(&mut self, now: Duration, took: Duration, full: bool) {
        if now.saturating_sub(self.period) >= PERIOD {
            self.quickest = [None, self.quickest[0]];
            self.period = now;
        }
        let quickest = self.quickest[0].map_or(took, |known| known.min(took));
        self.quickest[0] = Some(quickest);
        let usual = self.quickest[1].map_or(quickest, |before| before.min(quickest));
        if took <= usual * 2 + SLACK {
            if full && self.size < self.cap {
                self.size += 1;
            }
        } else if took > usual * 4 + 4 * SLACK && self.may_shrink(now, took) {
            self.shrink(now, self.size - self.size / 4);
        }
    }

    /// Answers are overdue.
    pub(crate) fn missed(&mut self, now: Duration) {
        self.shrink(now, self.size / 2);
    }

    /// What is answered now was asked for before it last became smaller: that says nothing new.
    fn may_shrink(&self, now: Duration, took: Duration) -> bool {
        self.shrunk
            .is_none_or(|shrunk| now.saturating_sub(took) >= shrunk)
    }

    fn shrink(&mut self, now: Duration, size: usize) {
        self.size = self.size.min(size.max(self.floor));
        self.shrunk = Some(now);
    }
}

/// What JavaScript keeps in flight.
pub(crate) const FLOOR: usize = 16;

/// A delay that is nobody's fault: time slices, disks, bytes that arrive together.
const SLACK: Duration = Duration::from_millis(25);

/// How long the quickest answer counts, at least.
const PERIOD: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::Window;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Answers to one window of requests, all of them after the same time.
    fn round(window: &mut Window, now: &mut Duration, took: Duration) {
        *now += took;
        for _ in 0..window.size() {
            window.answered(*now, took, true);
        }
    }

    #[test]
    fn doubles_in_a_round_trip_up_to_the_cap() {
        let (mut window, mut now) = (Window::new(ms(0), 16, 200), ms(0));
        for size in [32, 64, 128, 200, 200] {
            round(&mut window, &mut now, ms(100));
            assert_eq!(window.size(), size);
        }
    }

    #[test]
    fn stays_where_answers_begin_to_wait() {
        let (mut window, mut now) = (Window::new(ms(0), 16, 1024), ms(0));
        // A link that takes one answer in a millisecond, 100 ms away: more than 100 in flight only wait.
        for _ in 0..50 {
            let took = ms(100).max(ms(window.size() as u64));
            round(&mut window, &mut now, took);
        }
        assert!((200..=260).contains(&window.size()), "{}", window.size());
    }

    #[test]
    fn shrinks_once_for_each_window_of_slow_answers_and_not_below_the_floor() {
        let (mut window, mut now) = (Window::new(ms(0), 100, 200), ms(0));
        window.answered(now, ms(10), true);
        assert_eq!(window.size(), 101);
        round(&mut window, &mut now, ms(500));
        assert_eq!(window.size(), 76);
        for _ in 0..20 {
            round(&mut window, &mut now, ms(500));
        }
        assert_eq!(window.size(), 16);
    }

    #[test]
    fn halves_when_an_answer_is_missed() {
        let mut window = Window::new(ms(0), 100, 200);
        window.missed(ms(1000));
        assert_eq!(window.size(), 50);
        for _ in 0..5 {
            window.missed(ms(2000));
        }
        assert_eq!(window.size(), 16);
    }

    #[test]
    fn does_not_grow_unused() {
        let mut window = Window::new(ms(0), 16, 200);
        for n in 0..1000 {
            window.answered(ms(n), ms(1), false);
        }
        assert_eq!(window.size(), 16);
    }

    #[test]
    fn learns_that_the_way_has_become_longer() {
        let (mut window, mut now) = (Window::new(ms(0), 16, 64), ms(0));
        window.answered(now, ms(1), true);
        for _ in 0..100 {
            round(&mut window, &mut now, ms(400));
        }
        assert_eq!(window.size(), 64);
    }

    #[test]
    fn a_cap_below_the_floor_holds() {
        for cap in [0, 1, 3] {
            let (mut window, mut now) = (Window::new(ms(0), 16, cap), ms(0));
            round(&mut window, &mut now, ms(1));
            window.missed(now);
            assert_eq!(window.size(), cap.max(1));
        }
    }
}
