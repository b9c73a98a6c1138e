//! Which feeds are open, and under which numbers.
//!
//! Each side numbers its own channels; the two are matched by discovery key. A channel is gone when both sides have closed it.

use alloc::{collections::BTreeMap, vec::Vec};

use crypto::PublicKey;

/// A feed that we have opened.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) key: PublicKey,
    /// The remote's number for it, once it has opened it too.
    pub(crate) remote: Option<u64>,
    /// We have closed it and wait for the remote to do so.
    pub(crate) closing: bool,
}

/// A feed that only the remote has opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unknown {
    pub(crate) remote: u64,
    pub(crate) capability: Option<[u8; 32]>,
}

#[derive(Debug, Default)]
pub(crate) struct Channels {
    local: BTreeMap<u64, Local>,
    names: BTreeMap<[u8; 32], u64>,
    unknown: BTreeMap<[u8; 32], Unknown>,
    /// From the remote's numbers to names.
    remote: BTreeMap<u64, [u8; 32]>,
    last: u64,
    /// Whether there ever was one.
    used: bool,
}

impl Channels {
    /// The next number of ours.
    pub(crate) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Whether there is nothing left although there was something.
    pub(crate) fn are_gone(&self) -> bool {
        self.used && self.local.is_empty() && self.unknown.is_empty()
    }

    pub(crate) fn open_count(&self) -> usize {
        self.local.len()
    }

    pub(crate) fn unknown_count(&self) -> usize {
        self.unknown.len()
    }

    pub(crate) fn named(&self, name: &[u8; 32]) -> Option<u64> {
        self.names.get(name).copied()
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Local> {
        self.local.get(&number)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Local> {
        self.local.get_mut(&number)
    }

    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.local.keys().copied().collect()
    }

    /// Our number for a channel of the remote's.
    pub(crate) fn of_remote(&self, remote: u64) -> Option<u64> {
        self.named(self.remote.get(&remote)?)
    }

    /// Whether the remote uses this number, or has opened this feed.
    pub(crate) fn is_taken(&self, remote: u64, name: &[u8; 32]) -> bool {
        let open = self.named(name).and_then(|number| self.get(number));
        self.remote.contains_key(&remote)
            || self.unknown.contains_key(name)
            || open.is_some_and(|local| local.remote.is_some())
    }

    /// We open a feed. Gives back what the remote has said about it.
    pub(crate) fn open(&mut self, key: PublicKey) -> (u64, Option<Unknown>) {
        self.used = true;
        let number = self.number();
        let name = key.discovery_key().to_bytes();
        let unknown = self.unknown.remove(&name);
        self.names.insert(name, number);
        self.local.insert(
            number,
            Local {
                key,
                remote: unknown.map(|unknown| unknown.remote),
                closing: false,
            },
        );
        (number, unknown)
    }

    /// The remote opens a feed that we have opened.
    pub(crate) fn matched(&mut self, number: u64, remote: u64, name: [u8; 32]) {
        self.remote.insert(remote, name);
        if let Some(local) = self.local.get_mut(&number) {
            local.remote = Some(remote);
        }
    }

    /// The remote opens a feed that we haven't opened.
    pub(crate) fn unmatched(&mut self, name: [u8; 32], unknown: Unknown) {
        self.used = true;
        self.remote.insert(unknown.remote, name);
        self.unknown.insert(name, unknown);
    }

    /// Forgets a feed on our side.
    pub(crate) fn remove(&mut self, number: u64) {
        if let Some(local) = self.local.remove(&number) {
            self.names.remove(&local.key.discovery_key().to_bytes());
            if let Some(remote) = local.remote {
                self.remote.remove(&remote);
            }
        }
    }

    /// Forgets a feed that only the remote has opened; whether there was one.
    pub(crate) fn remove_unknown(&mut self, name: &[u8; 32]) -> bool {
        let unknown = self.unknown.remove(name);
        if let Some(unknown) = unknown {
            self.remote.remove(&unknown.remote);
        }
        unknown.is_some()
    }

    /// The name under which the remote opened a number.
    pub(crate) fn remote_name(&self, remote: u64) -> Option<[u8; 32]> {
        self.remote.get(&remote).copied()
    }
}
