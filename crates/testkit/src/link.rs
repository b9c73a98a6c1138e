//! One direction of a simulated connection, and the time in which it works.
//!
//! ```text
//! send ----> [ piece | piece | piece ... end ] ----> receive
//!               each with the time at which it arrives, none before the one in front of it
//! ```

use std::{collections::VecDeque, ops::Range, time::Duration};

use crate::Rng;

/// Time that passes when the test says so, from zero.
#[derive(Clone, Debug, Default)]
pub struct Clock(Duration);

impl Clock {
    /// What time it is.
    pub const fn now(&self) -> Duration {
        self.0
    }

    /// Lets time pass.
    pub fn advance(&mut self, by: Duration) {
        self.0 = self.0.saturating_add(by);
    }

    /// Lets time pass up to `then`, unless it has.
    pub fn advance_to(&mut self, then: Duration) {
        self.0 = self.0.max(then);
    }
}

/// What comes out of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Some of the bytes that were sent, in their order.
    Bytes(Vec<u8>),
    /// The sender has ended, or the link was cut. Nothing comes after it.
    End,
}

/// One direction of a connection: it delays, splits, clogs and cuts as it is told, and never reorders.
///
/// ```
/// use std::time::Duration;
/// use hypercore_testkit::{Arrival, Link, Rng};
///
/// let second = Duration::from_secs(1);
/// let mut link = Link::new(Rng::new(1)).delay(second..2 * second).pieces(3).cut_at(4);
/// link.send(Duration::ZERO, b"hello");
/// assert_eq!(link.receive(Duration::ZERO), None);
///
/// let mut heard = Vec::new();
/// while let Some(Arrival::Bytes(bytes)) = link.receive(2 * second) {
///     assert!(bytes.len() <= 3);
///     heard.extend(bytes);
/// }
/// assert_eq!(heard, b"hell");
/// ```
#[derive(Clone, Debug)]
pub struct Link {
    rng: Rng,
    delay: Range<Duration>,
    max_piece: usize,
    capacity: usize,
    cut_at: Option<u64>,
    carried: u64,
    under_way: VecDeque<(Duration, Arrival)>,
    bytes_under_way: usize,
    last: Duration,
    ended: bool,
}

impl Link {
    /// A link that carries everything at once and whole.
    pub fn new(rng: Rng) -> Self {
        Link {
            rng,
            delay: Duration::ZERO..Duration::ZERO,
            max_piece: usize::MAX,
            capacity: usize::MAX,
            cut_at: None,
            carried: 0,
            under_way: VecDeque::new(),
            bytes_under_way: 0,
            last: Duration::ZERO,
            ended: false,
        }
    }

    /// Each piece is under way for a time from this range.
    #[must_use]
    pub fn delay(mut self, delay: Range<Duration>) -> Self {
        self.delay = delay;
        self
    }

    /// Splits what is sent into pieces of random sizes, at most this.
    ///
    /// # Panics
    /// If it is zero.
    #[must_use]
    pub fn pieces(mut self, max: usize) -> Self {
        assert!(max > 0, "a piece is a byte at least");
        self.max_piece = max;
        self
    }

    /// How many bytes may be under way; see [`room`](Self::room).
    #[must_use]
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// Ends after this many bytes, whatever is sent.
    #[must_use]
    pub fn cut_at(mut self, byte: u64) -> Self {
        self.cut_at = Some(byte);
        self
    }

    /// How many more bytes a polite sender sends. What is sent beyond that is carried all the same, as a socket takes a piece
    /// of which it has room for a part.
    pub fn room(&self) -> usize {
        self.capacity.saturating_sub(self.bytes_under_way)
    }

    /// Sends bytes. After the end they are lost.
    pub fn send(&mut self, now: Duration, bytes: &[u8]) {
        let left = self.cut_at.map(|at| at - self.carried);
        let carried = left.map_or(bytes.len(), |left| {
            bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX))
        });
        let mut rest = bytes.get(..carried).unwrap_or_default();
        while !rest.is_empty() && !self.ended {
            let max = rest.len().min(self.max_piece);
            let len = match self.max_piece {
                usize::MAX => max,
                _ => 1 + self.rng.below(max as u64) as usize,
            };
            let (piece, later) = rest.split_at(len);
            rest = later;
            self.carried += len as u64;
            self.bytes_under_way += len;
            self.put(now, Arrival::Bytes(piece.to_vec()));
        }
        if self.cut_at == Some(self.carried) {
            self.end(now);
        }
    }

    /// Ends the direction, after what was sent before.
    pub fn end(&mut self, now: Duration) {
        if !std::mem::replace(&mut self.ended, true) {
            self.put(now, Arrival::End);
        }
    }

    /// What has arrived by now.
    pub fn receive(&mut self, now: Duration) -> Option<Arrival> {
        let (_, arrival) = self.under_way.pop_front_if(|(then, _)| *then <= now)?;
        if let Arrival::Bytes(bytes) = &arrival {
            self.bytes_under_way -= bytes.len();
        }
        Some(arrival)
    }

    /// When the next piece arrives, or has arrived.
    pub fn next_arrival(&self) -> Option<Duration> {
        self.under_way.front().map(|(then, _)| *then)
    }

    fn put(&mut self, now: Duration, arrival: Arrival) {
        let spread = (self.delay.end.saturating_sub(self.delay.start)).as_nanos();
        let extra = match u64::try_from(spread) {
            Ok(0) | Err(_) => 0,
            Ok(nanos) => self.rng.below(nanos),
        };
        let then = now + self.delay.start + Duration::from_nanos(extra);
        self.last = self.last.max(then);
        self.under_way.push_back((self.last, arrival));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn drain(link: &mut Link, now: Duration) -> (Vec<u8>, bool) {
        let mut bytes = Vec::new();
        loop {
            match link.receive(now) {
                Some(Arrival::Bytes(piece)) => bytes.extend(piece),
                Some(Arrival::End) => return (bytes, true),
                None => return (bytes, false),
            }
        }
    }

    #[test]
    fn everything_arrives_in_order_and_not_before_its_time() {
        let mut link = Link::new(Rng::new(1)).delay(MS..50 * MS).pieces(7);
        let sent: Vec<u8> = (0..200).collect();
        for (n, chunk) in sent.chunks(20).enumerate() {
            link.send(n as u32 * MS, chunk);
        }
        link.end(10 * MS);
        assert_eq!(drain(&mut link, Duration::ZERO), (Vec::new(), false));
        let mut heard = Vec::new();
        let mut clock = Clock::default();
        while let Some(then) = link.next_arrival() {
            assert!(then >= clock.now());
            clock.advance_to(then);
            heard.extend(drain(&mut link, clock.now()).0);
        }
        assert_eq!(heard, sent);
        assert!(clock.now() >= MS && clock.now() < 60 * MS);
    }

    #[test]
    fn a_cut_link_carries_so_many_bytes_and_ends() {
        for cut in 0..=30 {
            let mut link = Link::new(Rng::new(cut)).pieces(4).cut_at(cut);
            link.send(MS, &[1; 10]);
            link.send(MS, &[1; 10]);
            link.end(MS);
            let (bytes, ended) = drain(&mut link, MS);
            assert_eq!((bytes.len() as u64, ended), (cut.min(20), true));
            assert_eq!(link.receive(MS), None);
        }
    }

    #[test]
    fn room_comes_back_when_bytes_arrive() {
        let mut link = Link::new(Rng::new(1)).capacity(10).delay(MS..2 * MS);
        link.send(Duration::ZERO, &[1; 8]);
        assert_eq!(link.room(), 2);
        link.send(Duration::ZERO, &[1; 8]);
        assert_eq!(link.room(), 0);
        drain(&mut link, 2 * MS);
        assert_eq!(link.room(), 10);
    }
}
