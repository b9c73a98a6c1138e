//! How much comes in a second, over the last few seconds.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// So far back it looks.
const SPAN: Duration = Duration::from_secs(3);

/// Measures a count that only grows.
#[derive(Debug)]
pub(crate) struct Rate {
    samples: VecDeque<(Instant, u64)>,
}

impl Rate {
    pub(crate) fn new(now: Instant, count: u64) -> Self {
        Rate {
            samples: [(now, count)].into(),
        }
    }

    /// Takes note of the count, and says by how much it grows in a second.
    pub(crate) fn per_second(&mut self, now: Instant, count: u64) -> f64 {
        while self.samples.len() > 1
            && let Some((first, _)) = self.samples.get(1)
            && now.duration_since(*first) >= SPAN
        {
            self.samples.pop_front();
        }
        // Ten samples a second are enough, however often it is called.
        let last = self.samples.back().map(|(last, _)| *last);
        if last.is_none_or(|last| now.duration_since(last) >= SPAN / 50) {
            self.samples.push_back((now, count));
        }
        let Some((first, before)) = self.samples.front() else {
            return 0.0;
        };
        let seconds = now.duration_since(*first).as_secs_f64();
        match seconds > 0.0 {
            true => count.saturating_sub(*before) as f64 / seconds,
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_seconds_count() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut rate = Rate::new(start, 100);
        assert_eq!(rate.per_second(start, 100), 0.0);
        assert_eq!(rate.per_second(at(2000), 300), 100.0);
        for seconds in 3..=20 {
            rate.per_second(at(seconds * 1000), 300);
        }
        assert_eq!(rate.per_second(at(20_000), 300), 0.0);
        assert!(rate.samples.len() < 10);
    }

    #[test]
    fn samples_are_bounded() {
        let start = Instant::now();
        let mut rate = Rate::new(start, 0);
        for micros in 0..100_000 {
            rate.per_second(start + Duration::from_micros(micros * 100), micros);
        }
        assert!(rate.samples.len() <= 52);
    }
}
