//! The requests in flight to one peer: which answer belongs to which, and when a peer is too slow.
//!
//! ```text
//!            answer arrives               stored
//!   Waiting ───────────────────▶ storing ─────────▶ gone
//!      │                            ▲
//!      │ twice the usual time       │ the answer comes after all
//!      └──────────▶ Slow ───────────┘
//! ```
//!
//! A block is *reserved* while a request for it is `Waiting`: nobody else is asked. A `Slow` request has given up its
//! reservation, so another peer may be asked, and its own peer gets no new requests until it answers something.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::time::Duration;

use crate::{
    WishId,
    config::{MAX_REQUESTS, URGENT},
    window::{FLOOR, Window},
};

/// The requests in flight to one peer.
#[derive(Debug)]
pub(crate) struct Flight {
    /// How many there may be.
    window: Window,
    /// Unanswered, oldest first.
    asked: VecDeque<Asked>,
    /// Answered by Data with this index, which the owner is storing.
    storing: VecDeque<(u64, Asked)>,
    /// The blocks of the `Slow` ones: in flight here, but reserved no more.
    slow: BTreeSet<u64>,
    /// Requests that we gave up, and how often; if they are answered all the same, the answers are no strays. Asking again
    /// changes nothing: JavaScript answers both times.
    forgotten: BTreeMap<(u64, bool), u32>,
    /// The last time an answer came, or a satisfied request was put aside.
    progress: Duration,
    /// How many answers came.
    delivered: usize,
    /// How long answers usually take.
    usual: Option<Duration>,
    /// The window was used up when last something was asked for.
    full: bool,
    stalled: bool,
}

/// One request.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) block: u64,
    pub(crate) kind: Kind,
    pub(crate) wish: Option<WishId>,
    pub(crate) sent: Duration,
    /// The length that the peer claimed then: its feed is no shorter when it answers.
    pub(crate) claimed: u64,
    pub(crate) state: State,
}

/// What was asked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The block and its proof.
    Value,
    /// The proof alone.
    Hash,
    /// The proof alone, of a block that shows that the feed has grown. Nothing is reserved for it: the block itself may be
    /// fetched meanwhile, and other peers may be asked the same.
    Proving,
    /// The proof of whichever block holds this byte.
    Seek {
        /// Never zero.
        bytes: u64,
    },
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Slow,
}

impl Flight {
    pub(crate) fn new(window: Window) -> Self {
        Flight {
            window,
            asked: VecDeque::new(),
            storing: VecDeque::new(),
            slow: BTreeSet::new(),
            forgotten: BTreeMap::new(),
            progress: Duration::ZERO,
            delivered: 0,
            usual: None,
            full: false,
            stalled: false,
        }
    }

    pub(crate) fn push(&mut self, asked: Asked) {
        if self.asked.is_empty() {
            self.progress = asked.sent;
        }
        self.asked.push_back(asked);
        self.full = self.len() >= self.window();
    }

    /// Finds the request that an answer belongs to, and counts it as being stored from now on.
    pub(crate) fn answer(&mut self, now: Duration, index: u64, has_value: bool) -> Option<Asked> {
        let exact = |asked: &Asked| asked.block == index && asked.wants_value() == has_value;
        let seek = |asked: &Asked| !has_value && matches!(asked.kind, Kind::Seek { .. });
        let position = self
            .asked
            .iter()
            .position(exact)
            .or_else(|| self.asked.iter().position(seek))?;
        let asked = self.asked.remove(position)?;
        self.slow.remove(&asked.block);
        self.storing.push_back((index, asked));
        let took = now.saturating_sub(asked.sent);
        self.window.answered(now, took, self.full);
        self.usual = Some(match self.usual {
            None => took,
            Some(usual) => (usual * 7 + took) / 8,
        });
        self.delivered = self.delivered.saturating_add(1);
        self.progress = now;
        self.stalled = false;
        Some(asked)
    }

    /// Counts an answer that nobody asked for as being stored.
    pub(crate) fn push_answer(&mut self, now: Duration, index: u64, has_value: bool) {
        let asked = Asked {
            block: index,
            claimed: 0,
            kind: if has_value { Kind::Value } else { Kind::Hash },
            wish: None,
            sent: now,
            state: State::Waiting,
        };
        self.storing.push_back((index, asked));
    }

    /// Whether there is room to store what nobody asked for.
    pub(crate) fn takes_pushes(&self) -> bool {
        self.storing.len() < MAX_REQUESTS
    }

    /// Takes out the request whose answer is stored now.
    pub(crate) fn stored(&mut self, index: u64, has_value: bool) -> Option<Asked> {
        let done =
            |(answer, asked): &(u64, Asked)| *answer == index && asked.wants_value() == has_value;
        let position = self.storing.iter().position(done)?;
        self.storing.remove(position).map(|(_, asked)| asked)
    }

    /// The answer that came last isn't stored, because another one makes it needless.
    pub(crate) fn drop_answer(&mut self) {
        self.storing.pop_back();
    }

    /// Takes out every unanswered request that `lost` picks. Answers that come all the same are expected.
    pub(crate) fn forget(
        &mut self,
        mut lost: impl FnMut(&Asked) -> bool,
        mut each: impl FnMut(Asked),
    ) {
        let Flight {
            forgotten, slow, ..
        } = self;
        self.asked.retain(|asked| {
            if !lost(asked) {
                return true;
            }
            slow.remove(&asked.block);
            *forgotten
                .entry((asked.block, asked.wants_value()))
                .or_default() += 1;
            each(*asked);
            false
        });
        while forgotten.len() > MAX_FORGOTTEN {
            forgotten.pop_first();
        }
    }

    /// Whether an unexpected answer is one to a request that we gave up. It is borne once for each of these.
    pub(crate) fn was_forgotten(&mut self, index: u64, has_value: bool) -> bool {
        let key = (index, has_value);
        let Some(count) = self.forgotten.get_mut(&key) else {
            return false;
        };
        *count -= 1;
        if *count == 0 {
            self.forgotten.remove(&key);
        }
        true
    }

    /// Marks the requests that wait for longer than usual, and passes each of them on.
    pub(crate) fn mark_slow(
        &mut self,
        now: Duration,
        retry_after: Duration,
        mut each: impl FnMut(&Asked),
    ) {
        let patience = self.patience(retry_after);
        if now < self.progress + patience {
            return;
        }
        let mut late = false;
        for asked in &mut self.asked {
            if asked.state == State::Waiting && asked.sent + patience <= now {
                asked.state = State::Slow;
                self.slow.insert(asked.block);
                late = true;
                each(asked);
            }
        }
        if late {
            self.stalled = true;
            self.window.missed(now);
        }
    }

    /// Notes that the oldest request was satisfied otherwise: the peer isn't to blame and its time starts again.
    pub(crate) fn restart(&mut self, now: Duration) {
        self.progress = now;
    }

    /// The oldest unanswered request, if the peer has answered nothing for `timeout` since it was sent.
    pub(crate) fn overdue(&self, now: Duration, timeout: Duration) -> Option<Asked> {
        let oldest = self.asked.front()?;
        (self.progress.max(oldest.sent) + timeout <= now).then_some(*oldest)
    }

    /// When something becomes slow or overdue.
    pub(crate) fn deadline(
        &self,
        retry_after: Duration,
        timeout: Option<Duration>,
    ) -> Option<Duration> {
        let from = |asked: &Asked| self.progress.max(asked.sent);
        let slow = self
            .asked
            .iter()
            .find(|asked| asked.state == State::Waiting)
            .map(|asked| from(asked) + self.patience(retry_after));
        let overdue = timeout.and_then(|timeout| Some(from(self.asked.front()?) + timeout));
        slow.into_iter().chain(overdue).min()
    }

    /// The last time an answer came.
    pub(crate) fn progress(&self) -> Duration {
        self.progress
    }

    /// How many more requests may be sent.
    pub(crate) fn room(&self) -> usize {
        self.room_of(self.window())
    }

    /// How many more requests may be sent for single blocks that somebody waits for. These lie anywhere, and those in flight
    /// make one another's proofs longer, but little if they are few beside those that have come.
    pub(crate) fn room_for_single(&self) -> usize {
        let few = (self.delivered / 16).max(FLOOR + URGENT);
        self.room_of((self.window() + URGENT).min(few))
    }

    fn room_of(&self, most: usize) -> usize {
        let most = if self.stalled { 1 } else { most };
        most.saturating_sub(self.len())
    }

    /// How many requests may be in flight now.
    pub(crate) fn window(&self) -> usize {
        self.window.size()
    }

    pub(crate) fn len(&self) -> usize {
        self.asked.len() + self.storing.len()
    }

    /// The requests whose answers are being stored, with the indexes of these.
    pub(crate) fn storing(&self) -> impl Iterator<Item = (u64, &Asked)> {
        self.storing.iter().map(|(answer, asked)| (*answer, asked))
    }

    /// The unanswered requests.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Asked> {
        self.asked.iter()
    }

    /// Whether this peer was asked for a block so long ago that others may be asked.
    pub(crate) fn is_slow(&self, block: u64) -> bool {
        self.slow.contains(&block)
    }

    /// How long answers usually take, once there was one.
    pub(crate) fn usual(&self) -> Option<Duration> {
        self.usual
    }

    fn patience(&self, retry_after: Duration) -> Duration {
        self.usual.map_or(retry_after, |usual| {
            (usual * 2).clamp(MIN_PATIENCE, MAX_PATIENCE)
        })
    }
}

impl Asked {
    pub(crate) fn wants_value(&self) -> bool {
        self.kind == Kind::Value
    }

    /// Whether nobody else is asked for the block meanwhile.
    pub(crate) fn reserves(&self) -> bool {
        self.state == State::Waiting && self.kind != Kind::Proving
    }
}

/// Twice as many as may be in flight. Answers to what is forgotten beyond that count as strays.
const MAX_FORGOTTEN: usize = 2048;

/// A pause that is no reason to ask somebody else, however quickly a peer answered before.
const MIN_PATIENCE: Duration = Duration::from_millis(250);

/// A pause that is a reason, however slowly a peer answered before.
const MAX_PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use core::time::Duration;

    use super::{Asked, Flight, Kind, State};
    use crate::{WishId, window::Window};

    const RETRY: Duration = Duration::from_secs(1);
    const TIMEOUT: Duration = Duration::from_secs(20);

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn flight() -> Flight {
        Flight::new(Window::new(ms(0), 16, 16))
    }

    fn asked(block: u64, sent: Duration) -> Asked {
        Asked {
            block,
            kind: Kind::Value,
            wish: None,
            sent,
            claimed: 0,
            state: State::Waiting,
        }
    }

    fn slow(flight: &mut Flight, now: Duration) -> Vec<u64> {
        let mut slow = Vec::new();
        flight.mark_slow(now, RETRY, |asked| slow.push(asked.block));
        slow
    }

    #[test]
    fn patience_follows_the_answers() {
        let mut flight = flight();
        flight.push(asked(1, ms(0)));
        flight.push(asked(2, ms(500)));
        assert_eq!(flight.deadline(RETRY, Some(TIMEOUT)), Some(ms(1000)));
        assert_eq!(slow(&mut flight, ms(999)), []);
        assert_eq!(slow(&mut flight, ms(1000)), [1]);
        assert!(flight.is_slow(1) && !flight.is_slow(2));
        assert_eq!(
            flight.room_for_single(),
            0,
            "it gets nothing more until it answers"
        );
        // One answer, after 1.2 seconds: from now on 2.4 are normal, counted from that answer.
        assert!(flight.answer(ms(1200), 1, true).is_some());
        assert_eq!((flight.room(), flight.room_for_single()), (14, 30));
        assert_eq!(flight.deadline(RETRY, None), Some(ms(3600)));
        assert_eq!(slow(&mut flight, ms(3599)), []);
        assert_eq!(slow(&mut flight, ms(3600)), [2]);
    }

    #[test]
    fn timeout_counts_from_the_last_answer() {
        let mut flight = flight();
        flight.push(asked(1, ms(0)));
        flight.push(asked(2, ms(0)));
        assert!(flight.answer(ms(15_000), 1, true).is_some());
        assert_eq!(flight.overdue(ms(34_999), TIMEOUT), None);
        let oldest = flight.overdue(ms(35_000), TIMEOUT);
        assert_eq!(oldest.map(|asked| asked.block), Some(2));
        flight.restart(ms(35_000));
        assert_eq!(flight.overdue(ms(35_000), TIMEOUT), None);
    }

    #[test]
    fn answer_to_a_request_that_was_given_up_is_expected_once() {
        let mut flight = flight();
        flight.push(asked(1, ms(0)));
        flight.forget(|_| true, |_| ());
        assert_eq!(flight.answer(ms(1), 1, true), None);
        assert!(!flight.was_forgotten(1, false));
        assert!(flight.was_forgotten(1, true));
        assert!(!flight.was_forgotten(1, true));
    }

    #[test]
    fn asked_for_again_a_block_may_come_as_often_as_it_was_asked_for() {
        let mut flight = flight();
        for turn in 0..3 {
            flight.push(asked(1, ms(turn)));
            flight.forget(|_| true, |_| ());
        }
        flight.push(asked(1, ms(3)));
        assert!(flight.answer(ms(4), 1, true).is_some());
        for _ in 0..3 {
            assert_eq!(flight.answer(ms(5), 1, true), None);
            assert!(flight.was_forgotten(1, true));
        }
        assert!(!flight.was_forgotten(1, true));
    }

    #[test]
    fn of_two_seeks_that_end_at_one_block_each_keeps_its_own_answer() {
        let mut flight = flight();
        for (block, wish) in [(11, 1), (13, 2)] {
            flight.push(Asked {
                kind: Kind::Seek { bytes: block },
                wish: Some(WishId(wish)),
                ..asked(block, ms(0))
            });
        }
        assert!(flight.answer(ms(1), 9, false).is_some());
        assert!(flight.answer(ms(1), 9, false).is_some());
        // The second is needless while the first is being stored.
        flight.drop_answer();
        let stored = flight.stored(9, false);
        assert_eq!(stored.and_then(|asked| asked.wish), Some(WishId(1)));
        assert_eq!(flight.stored(9, false), None);
    }
}
