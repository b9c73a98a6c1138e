//! Which feeds are open, and under which numbers.
//!
//! Each side numbers its own channels; the two are matched by discovery key, the *name* of a feed. The life of a channel of
//! ours:
//!
//! ```text
//! open ----> waiting ---- remote opens ----> matched ---- we close ----> closing ---- remote closes ----> gone
//!             |   ^ |                           |                           ^
//!    we close |   | `---- remote closes --------`--------- remote closes ---|------------------------> gone
//!             v   | we open                                                 |
//!             held -------------------------- remote opens -----------------`
//!               `---- remote refuses, or isn't waited for any longer --------------------------------> gone
//! ```
//!
//! A channel that is closing has given up its name: the feed can be opened anew, under another number. One that is held is taken
//! up again if the feed is opened anew.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::time::Duration;

use crypto::PublicKey;

use crate::held::AllHeld;

/// A feed that we have opened.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) key: PublicKey,
    /// The remote's number for it, once it has opened it too.
    pub(crate) remote: Option<u64>,
    /// Since when the remote has known that we opened it.
    asked: Option<Duration>,
}

/// A feed that only the remote has opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unknown {
    pub(crate) remote: u64,
    pub(crate) capability: Option<[u8; 32]>,
}

/// What a number of the remote's stands for.
#[derive(Clone, Copy, Debug)]
enum Remote {
    /// A feed that both have opened, by our number.
    Matched(u64),
    /// A feed that only the remote has opened, by its name.
    Unknown([u8; 32]),
    /// A feed that we have closed, and since when the remote has known.
    Closing(Option<Duration>),
}

/// What a Close of the remote's ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// A channel of ours.
    Local(u64),
    /// One that we had closed, and whose Close was held back.
    Held(u64),
    /// A feed that only the remote had opened, by its name.
    Unknown([u8; 32]),
    /// A feed that we had closed before.
    Known,
}

#[derive(Debug, Default)]
pub(crate) struct Channels {
    local: BTreeMap<u64, Local>,
    names: BTreeMap<[u8; 32], u64>,
    unknown: BTreeMap<[u8; 32], Unknown>,
    remote: BTreeMap<u64, Remote>,
    closing: usize,
    last: u64,
    /// Whether there ever was one.
    used: bool,
    /// What was written and may not have left yet.
    fresh: Vec<Written>,
    /// Feeds that the remote hasn't opened, by the time since when it has known that we did.
    unopened: BTreeSet<(Duration, u64)>,
    /// The same of those that it hasn't closed, by its own numbers.
    unclosed: BTreeSet<(Duration, u64)>,
    held: AllHeld,
}

/// What closing a feed comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// The remote is told, under our number.
    Told,
    /// The remote is told once it has answered our Open.
    Held,
    /// It wasn't open.
    Not,
}

/// What the remote is to answer.
#[derive(Clone, Copy, Debug)]
enum Written {
    /// An Open, by our number.
    Open(u64),
    /// A Close, by the remote's.
    Close(u64),
}

impl Channels {
    /// The next number of ours, unless they have gone as high as `max`. None is used twice.
    pub(crate) fn number(&mut self, max: u64) -> Option<u64> {
        if self.last >= max {
            return None;
        }
        self.last += 1;
        Some(self.last)
    }

    /// Whether there is nothing left although there was something.
    pub(crate) fn are_gone(&self) -> bool {
        self.are_left() && self.closing == 0
    }

    /// The same, except that the remote may not have answered every Close.
    pub(crate) fn are_left(&self) -> bool {
        self.used && self.local.is_empty() && self.unknown.is_empty()
    }

    /// How many feeds we have open, or the remote hasn't closed yet.
    pub(crate) fn open_count(&self) -> usize {
        self.local.len() + self.closing
    }

    pub(crate) fn unknown_count(&self) -> usize {
        self.unknown.len()
    }

    /// Our number for a feed.
    pub(crate) fn named(&self, name: &[u8; 32]) -> Option<u64> {
        self.names.get(name).copied()
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Local> {
        self.local.get(&number)
    }

    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.local.keys().copied().collect()
    }

    /// Our number for a channel of the remote's that is open on both sides.
    pub(crate) fn of_remote(&self, remote: u64) -> Option<u64> {
        match self.remote.get(&remote) {
            Some(Remote::Matched(number)) => Some(*number),
            _ => None,
        }
    }

    /// Whether the remote uses this number, or has opened this feed.
    pub(crate) fn is_taken(&self, remote: u64, name: &[u8; 32]) -> bool {
        let open = self.named(name).and_then(|number| self.get(number));
        self.remote.contains_key(&remote)
            || self.unknown.contains_key(name)
            || open.is_some_and(|local| local.remote.is_some())
    }

    /// What the remote has said about a feed that only it has opened.
    pub(crate) fn unknown(&self, name: &[u8; 32]) -> Option<&Unknown> {
        self.unknown.get(name)
    }

    /// We open a feed under a number. Says whether the remote had opened it already.
    pub(crate) fn open(&mut self, number: u64, name: [u8; 32], key: PublicKey) -> bool {
        self.used = true;
        self.fresh.push(Written::Open(number));
        self.names.insert(name, number);
        let local = Local {
            key,
            remote: None,
            asked: None,
        };
        self.local.insert(number, local);
        let unknown = self.unknown.remove(&name);
        if let Some(unknown) = unknown {
            self.matched(number, unknown.remote);
        }
        unknown.is_some()
    }

    /// The remote opens a feed that we have opened, or the other way round.
    pub(crate) fn matched(&mut self, number: u64, remote: u64) {
        if let Some(local) = self.local.get_mut(&number) {
            local.remote = Some(remote);
            self.remote.insert(remote, Remote::Matched(number));
            if let Some(asked) = local.asked {
                self.unopened.remove(&(asked, number));
            }
        }
    }

    /// The remote opens a feed that we haven't opened.
    pub(crate) fn unmatched(&mut self, name: [u8; 32], unknown: Unknown) {
        self.used = true;
        self.remote.insert(unknown.remote, Remote::Unknown(name));
        self.unknown.insert(name, unknown);
    }

    /// We close a feed. If the remote has it open too, it has to close it as well; if it hasn't, and an answer of its may come,
    /// we hold the Close back, if we may.
    pub(crate) fn close(&mut self, number: u64, may_hold: bool) -> Closing {
        let Some(local) = self.forget(number) else {
            return Closing::Not;
        };
        match local.remote {
            Some(remote) => self.await_close(remote),
            None if may_hold => {
                let name = local.key.discovery_key().to_bytes();
                self.held.insert(name, number, local.key);
                return Closing::Held;
            }
            None => {}
        }
        Closing::Told
    }

    /// We open a feed anew whose Close is held back: our number for it.
    pub(crate) fn reopen(&mut self, name: &[u8; 32]) -> Option<u64> {
        let held = self.held.take(name)?;
        self.open(held.number, *name, held.key);
        Some(held.number)
    }

    /// The key of a feed whose Close is held back.
    pub(crate) fn held(&self, name: &[u8; 32]) -> Option<PublicKey> {
        self.held.get(name).map(|held| held.key)
    }

    /// The remote opens a feed whose Close is held back, which can be said now, under our number.
    pub(crate) fn matched_held(&mut self, name: &[u8; 32], remote: u64) -> Option<u64> {
        let held = self.held.take(name)?;
        self.await_close(remote);
        Some(held.number)
    }

    /// The number of the feed whose Close has been held back for longest. It is forgotten.
    pub(crate) fn take_held(&mut self) -> Option<u64> {
        self.held.take_first().map(|held| held.number)
    }

    pub(crate) fn held_count(&self) -> usize {
        self.held.len()
    }

    /// Since when a Close has been held back.
    pub(crate) fn held_since(&self) -> Option<Duration> {
        self.held.since()
    }

    fn await_close(&mut self, remote: u64) {
        self.remote.insert(remote, Remote::Closing(None));
        self.closing += 1;
        self.fresh.push(Written::Close(remote));
    }

    /// The remote closes a feed, by its number; a refusal comes under a number of its own and names the feed.
    pub(crate) fn remote_closes(&mut self, remote: u64, name: Option<[u8; 32]>) -> Option<Closed> {
        match (self.remote.get(&remote).copied(), name) {
            (Some(Remote::Matched(number)), _) => {
                self.forget(number).map(|_| Closed::Local(number))
            }
            (Some(Remote::Closing(since)), _) => {
                self.remote.remove(&remote);
                self.closing -= 1;
                if let Some(since) = since {
                    self.unclosed.remove(&(since, remote));
                }
                Some(Closed::Known)
            }
            (Some(Remote::Unknown(name)), _) => self.withdrawn(name),
            (None, Some(name)) => match (self.named(&name), self.held.take(&name)) {
                (Some(number), _) => self.forget(number).map(|_| Closed::Local(number)),
                (None, Some(held)) => Some(Closed::Held(held.number)),
                (None, None) => self.withdrawn(name),
            },
            (None, None) => None,
        }
    }

    fn withdrawn(&mut self, name: [u8; 32]) -> Option<Closed> {
        self.remove_unknown(&name).then_some(Closed::Unknown(name))
    }

    /// Forgets a feed that only the remote has opened; whether there was one.
    pub(crate) fn remove_unknown(&mut self, name: &[u8; 32]) -> bool {
        let unknown = self.unknown.remove(name);
        if let Some(unknown) = unknown {
            self.remote.remove(&unknown.remote);
        }
        unknown.is_some()
    }

    /// Everything that was written has left by now: from here on the remote can be expected to answer.
    pub(crate) fn stamp(&mut self, now: Duration) {
        self.held.stamp(now);
        for written in self.fresh.drain(..) {
            match written {
                Written::Open(number) => {
                    let local = self.local.get_mut(&number);
                    if let Some(local) = local.filter(|local| local.remote.is_none()) {
                        local.asked = Some(now);
                        self.unopened.insert((now, number));
                    }
                }
                Written::Close(remote) => {
                    // The remote may have closed it meanwhile, and use the number for another feed that we have closed since.
                    if let Some(Remote::Closing(since @ None)) = self.remote.get_mut(&remote) {
                        *since = Some(now);
                        self.unclosed.insert((now, remote));
                    }
                }
            }
        }
    }

    /// Since when the oldest Open has waited for an answer.
    pub(crate) fn unopened_since(&self) -> Option<Duration> {
        self.unopened.first().map(|(since, _)| *since)
    }

    /// Since when the oldest Close has waited for an answer.
    pub(crate) fn unclosed_since(&self) -> Option<Duration> {
        self.unclosed.first().map(|(since, _)| *since)
    }

    fn forget(&mut self, number: u64) -> Option<Local> {
        let local = self.local.remove(&number)?;
        self.names.remove(&local.key.discovery_key().to_bytes());
        if let Some(remote) = local.remote {
            self.remote.remove(&remote);
        }
        if let Some(asked) = local.asked {
            self.unopened.remove(&(asked, number));
        }
        Some(local)
    }
}
