//! The Wants of a peer, and how much of the answers it has had.
//!
//! An answer to a Want of ten bytes can be 128 KiB long. So a peer has a budget, which fills up with time; Wants above it wait,
//! and only so many of them.

use alloc::{collections::VecDeque, vec};
use core::time::Duration;

use wire::Have;

use crate::{Local, config::WINDOW};

/// The Wants that one peer sent and their answers.
#[derive(Debug)]
pub(crate) struct Answers {
    pending: VecDeque<Window>,
    budget: u64,
    filled: Duration,
    max_pending: usize,
    rate: u64,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Window {
    start: u64,
    length: u64,
}

impl Answers {
    pub(crate) fn new(now: Duration, max_pending: usize, rate: u64) -> Self {
        Answers {
            pending: VecDeque::new(),
            budget: rate,
            filled: now,
            max_pending,
            rate,
        }
    }

    /// Notes a Want. Says whether it is valid: starts and lengths are multiples of 8192, lengths at most one window.
    ///
    /// A repeated one is merged while the first waits for its answer.
    pub(crate) fn want(&mut self, start: u64, length: u64) -> bool {
        let aligned = |n: u64| n.is_multiple_of(ALIGNMENT);
        if !aligned(start) || !aligned(length) || length > WINDOW {
            return false;
        }
        let window = Window { start, length };
        if self.pending.len() < self.max_pending && !self.pending.contains(&window) {
            self.pending.push_back(window);
        }
        true
    }

    /// Takes Wants back that have no answer yet. From what is said once a Want was answered there is no way back.
    pub(crate) fn unwant(&mut self, start: u64, length: u64) {
        let end = start.saturating_add(length);
        self.pending
            .retain(|window| window.start < start || window.start + window.length > end);
    }

    /// The next answer that the budget allows.
    pub(crate) fn next(&mut self, now: Duration, local: &dyn Local) -> Option<Have> {
        self.fill(now);
        if self.budget < MIN_COST {
            return None;
        }
        let Window { start, length } = self.pending.pop_front()?;
        let bitfield = encode(start, length, local);
        let cost = (bitfield.len() as u64).max(MIN_COST);
        self.budget = self.budget.saturating_sub(cost);
        Some(Have {
            start,
            length: Some(length),
            bitfield: Some(bitfield.into()),
            ack: None,
        })
    }

    /// When the budget allows another answer, if one is due.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        if self.pending.is_empty() {
            return None;
        }
        let lacking = MIN_COST.saturating_sub(self.budget);
        let nanos = lacking.saturating_mul(1_000_000_000) / self.rate.max(1);
        Some(self.filled + Duration::from_nanos(nanos.saturating_add(1)))
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.filled);
        let gained = passed.as_nanos().saturating_mul(u128::from(self.rate)) / 1_000_000_000;
        if gained > 0 {
            let gained = u64::try_from(gained).unwrap_or(u64::MAX);
            self.budget = self.budget.saturating_add(gained).min(self.rate);
            self.filled = now;
        }
    }
}

/// The run-length code of what is stored in a window. A length of zero, which only old peers send, stands for everything;
/// no more than one window is answered.
fn encode(start: u64, length: u64, local: &dyn Local) -> alloc::vec::Vec<u8> {
    let length = if length == 0 { WINDOW } else { length };
    let stored = local.length().saturating_sub(start).min(length);
    let len = usize::try_from(stored.div_ceil(8)).unwrap_or_default();
    let mut bits = vec![0; len];
    local.have_bits(start, &mut bits);
    wire::rle_encode(&bits)
}

/// Wants are for whole pages of the bitfield.
const ALIGNMENT: u64 = 8192;

/// What the shortest answer counts.
const MIN_COST: u64 = 1024;
