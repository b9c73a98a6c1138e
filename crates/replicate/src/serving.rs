//! The requests of one peer: which wait, and which the owner is answering.
//!
//! No more are handed out than the owner should read blocks for, so a peer that doesn't take what it asks for costs no more
//! than this list.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use wire::Request;

use crate::Limits;

/// The requests of one peer that have no answer yet.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    waiting: VecDeque<Key>,
    requests: BTreeMap<Key, Entry>,
    handed_out: usize,
    /// The byte that the owner is looking for, and requests for the same one, which its answer may settle.
    seeking: Option<u64>,
    held: Vec<Key>,
    /// The byte that the last seek was about, once its block was found.
    sought: Option<u64>,
}

/// Two requests with the same key get one answer.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    block: u64,
    bytes: u64,
    hash: bool,
}

#[derive(Debug)]
struct Entry {
    request: Request,
    handed_out: bool,
    /// Taken back after it was handed out: it has its place until the owner comes to it.
    withdrawn: bool,
}

impl Serving {
    /// Takes a request in, unless it is there already or there are far too many.
    pub(crate) fn push(&mut self, request: Request, limits: &Limits) {
        let key = Key::of(&request);
        // JavaScript asks for the same byte through several blocks at once and expects one answer.
        if key.bytes > 0 && self.sought == Some(key.bytes) {
            return;
        }
        let most = limits.requests.saturating_mul(HARD);
        let full = self.requests.len() >= most || self.waiting.len() >= most;
        if let Some(entry) = self.requests.get_mut(&key) {
            // Asked for again after all.
            entry.withdrawn = false;
            return;
        }
        if full {
            return;
        }
        let entry = Entry {
            request,
            handed_out: false,
            withdrawn: false,
        };
        self.requests.insert(key, entry);
        self.waiting.push_back(key);
    }

    /// The next request to answer, if the owner isn't busy with enough of them.
    pub(crate) fn next(&mut self, limits: &Limits) -> Option<Request> {
        while self.handed_out < limits.serving {
            let key = self.waiting.pop_front()?;
            if key.bytes > 0 && self.seeking == Some(key.bytes) {
                self.held.push(key);
                continue;
            }
            // One that was cancelled is no longer there.
            if let Some(entry) = self.requests.get_mut(&key)
                && !entry.handed_out
            {
                entry.handed_out = true;
                self.handed_out += 1;
                if key.bytes > 0 {
                    self.seeking = Some(key.bytes);
                }
                return Some(entry.request);
            }
        }
        None
    }

    /// A request has its answer. If the byte of a seek was found, other requests for it get none.
    pub(crate) fn served(&mut self, request: &Request, found: bool) {
        let key = Key::of(request);
        self.remove(key);
        if found && key.bytes > 0 {
            self.sought = Some(key.bytes);
            for key in self.held.extract_if(.., |other| other.bytes == key.bytes) {
                self.requests.remove(&key);
            }
        }
        self.release();
    }

    /// A request can't be answered.
    pub(crate) fn unserved(&mut self, request: &Request) {
        self.remove(Key::of(request));
        self.release();
    }

    /// The peer takes a request back. One that the owner has been handed is noted, for when the owner comes to it.
    pub(crate) fn cancel(&mut self, block: u64, bytes: u64, hash: bool) {
        let key = Key { block, bytes, hash };
        match self.requests.get_mut(&key) {
            Some(entry) if entry.handed_out => entry.withdrawn = true,
            // Its place in the queue stays, so that a flood of these is cheap.
            Some(_) => drop(self.requests.remove(&key)),
            None => {}
        }
    }

    /// The owner comes to a request that it was handed. Says whether the peer still waits for it; if not, it is over.
    pub(crate) fn begin(&mut self, request: &Request) -> bool {
        let key = Key::of(request);
        match self.requests.get(&key) {
            Some(entry) if !entry.withdrawn => entry.handed_out,
            Some(_) => {
                self.remove(key);
                self.release();
                false
            }
            None => false,
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Serving::default();
    }

    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    fn remove(&mut self, key: Key) {
        if let Some(entry) = self.requests.remove(&key)
            && entry.handed_out
        {
            self.handed_out -= 1;
        }
    }

    /// After an answer, what was held may be about something else after all.
    fn release(&mut self) {
        self.seeking = None;
        self.waiting.extend(self.held.drain(..));
    }
}

impl Key {
    fn of(request: &Request) -> Self {
        Key {
            block: request.index,
            bytes: request.bytes(),
            hash: request.hash(),
        }
    }
}

/// How many times the limit on requests is kept if the owner goes on feeding messages.
const HARD: usize = 8;
