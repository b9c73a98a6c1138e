//! Feeds that we closed before the remote had opened them: our Close is held back until it has answered our Open.
//!
//! The remote's answer may be under way. If we said Close at once and opened the feed again, the answer to the first Open would
//! look like one to the second, and so would every later one. As it is, no side closes a channel that the other hasn't opened, so
//! the nth that we open is the nth that the remote opens, unless it refuses.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use crypto::PublicKey;

/// A feed whose Close is held back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) number: u64,
    pub(crate) key: PublicKey,
    since: Option<Duration>,
}

/// All of them, by name.
#[derive(Debug, Default)]
pub(crate) struct AllHeld {
    by_name: BTreeMap<[u8; 32], Held>,
    /// The names of those that the remote can be expected to answer, by since when, and by number.
    by_time: BTreeMap<(Duration, u64), [u8; 32]>,
    /// Those that came since the time was last told.
    fresh: Vec<[u8; 32]>,
}

impl AllHeld {
    pub(crate) fn insert(&mut self, name: [u8; 32], number: u64, key: PublicKey) {
        let since = None;
        self.by_name.insert(name, Held { number, key, since });
        self.fresh.push(name);
    }

    pub(crate) fn get(&self, name: &[u8; 32]) -> Option<&Held> {
        self.by_name.get(name)
    }

    pub(crate) fn take(&mut self, name: &[u8; 32]) -> Option<Held> {
        let held = self.by_name.remove(name)?;
        match held.since {
            Some(since) => drop(self.by_time.remove(&(since, held.number))),
            None => self.fresh.retain(|fresh| fresh != name),
        }
        Some(held)
    }

    /// The one that has been held for longest.
    pub(crate) fn take_first(&mut self) -> Option<Held> {
        let first = self.by_time.first_key_value().map(|(_, name)| *name);
        let name = first.or_else(|| self.fresh.first().copied())?;
        self.take(&name)
    }

    /// From here on the remote can be expected to answer.
    pub(crate) fn stamp(&mut self, now: Duration) {
        for name in self.fresh.drain(..) {
            if let Some(held) = self.by_name.get_mut(&name) {
                held.since = Some(now);
                self.by_time.insert((now, held.number), name);
            }
        }
    }

    /// Since when the oldest has been held.
    pub(crate) fn since(&self) -> Option<Duration> {
        self.by_time.first_key_value().map(|((since, _), _)| *since)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }
}
