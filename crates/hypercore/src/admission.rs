//! Feeds that were added to a connection and aren't on it yet: nobody knows who the remote is, somebody still decides whether
//! it may have them, or there is no room.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use crypto::DiscoveryKey;

use crate::{
    FeedOptions,
    discovery::Expected,
    ready::{Bell, Ready},
};

/// The feeds that wait.
#[derive(Default)]
pub(crate) struct Admission {
    candidates: BTreeMap<DiscoveryKey, Candidate>,
    /// Those for which there is no room, oldest first. Some may be gone.
    crowded: VecDeque<DiscoveryKey>,
}

/// A feed that waits.
pub(crate) struct Candidate {
    pub(crate) feed: Expected,
    pub(crate) options: FeedOptions,
    stage: Stage,
    /// Rung when the feed is closed. The feed has no more than a weak hold of it.
    bell: Arc<Bell>,
}

/// What a feed waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The handshake.
    Handshake,
    /// The program's decision.
    Decision,
    /// That another feed makes room.
    Room,
}

impl Admission {
    /// Lets a feed wait. One that waits already goes on from where it is.
    pub(crate) fn wait(
        &mut self,
        feed: Expected,
        options: FeedOptions,
        stage: Stage,
        ready: &Arc<Ready>,
    ) {
        let name = feed.core().discovery_key();
        if self.candidates.contains_key(&name) {
            return;
        }
        let bell = Arc::new(Bell::new(name, Arc::clone(ready)));
        feed.core().attach(&bell);
        // It may have been closed just before, and nobody else would say so.
        bell.ring();
        if stage == Stage::Room {
            self.crowded.push_back(name);
        }
        let candidate = Candidate {
            feed,
            options,
            stage,
            bell,
        };
        self.candidates.insert(name, candidate);
    }

    /// The handshake is done: those that waited for it wait for a decision now.
    pub(crate) fn shaken(&mut self) -> Vec<DiscoveryKey> {
        let mut waited = Vec::new();
        for (name, candidate) in &mut self.candidates {
            if candidate.stage == Stage::Handshake {
                candidate.stage = Stage::Decision;
                waited.push(*name);
            }
        }
        waited
    }

    /// The next feed that waits for room, which has to be found for it.
    pub(crate) fn next_crowded(&mut self) -> Option<Candidate> {
        while let Some(name) = self.crowded.pop_front() {
            if self.stage(&name) == Some(Stage::Room) {
                return self.take(&name);
            }
        }
        None
    }

    /// There is no room for it still: it stays the first in line.
    pub(crate) fn put_back(&mut self, candidate: Candidate) {
        let name = candidate.feed.core().discovery_key();
        self.crowded.push_front(name);
        self.candidates.insert(name, candidate);
    }

    pub(crate) fn take(&mut self, name: &DiscoveryKey) -> Option<Candidate> {
        self.candidates.remove(name)
    }

    pub(crate) fn stage(&self, name: &DiscoveryKey) -> Option<Stage> {
        self.candidates.get(name).map(|candidate| candidate.stage)
    }

    /// A feed that waits has been marked. Says whether it was closed meanwhile.
    pub(crate) fn visit(&self, name: &DiscoveryKey) -> bool {
        self.candidates.get(name).is_some_and(|candidate| {
            candidate.bell.answer();
            candidate.feed.core().check_open().is_err()
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    pub(crate) fn names(&self) -> Vec<DiscoveryKey> {
        self.candidates.keys().copied().collect()
    }
}
