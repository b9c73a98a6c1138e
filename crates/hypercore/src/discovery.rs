//! Peers that are still being looked for: as long as some may turn up, nobody is told that nobody has a block.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use crate::{Encoding, Hypercore, core::Core};

/// How many look for peers, and how long the feed is believed to be.
#[derive(Debug, Default)]
pub(crate) struct Discovery {
    seekers: AtomicUsize,
    /// Zero: nobody has said.
    expected: AtomicU64,
}

impl Discovery {
    pub(crate) fn is_going_on(&self) -> bool {
        self.seekers.load(Ordering::Acquire) > 0
    }

    /// Whether a peer that turns up may have more than we, with this length.
    pub(crate) fn is_promising(&self, length: u64) -> bool {
        let expected = self.expected.load(Ordering::Acquire);
        self.is_going_on() && (expected == 0 || expected > length)
    }
}

impl<E: Encoding> Hypercore<E> {
    /// Says that peers are being looked for, until the result is dropped. Calls that wait only if something is available
    /// wait as well as long as that goes on.
    pub fn finding_peers(&self) -> FindingPeers {
        FindingPeers::new(Arc::clone(self.core()))
    }

    /// Says how long the feed is believed to be, as somebody has told who needn't be right. While peers are being looked for,
    /// updates that wait only if one is available end early if the feed is that long already.
    pub fn set_expected_length(&self, length: u64) {
        let core = self.core();
        core.discovery().expected.store(length, Ordering::Release);
        core.notify();
    }
}

/// Peers are being looked for. See [`Hypercore::finding_peers`].
#[must_use = "dropping it says that all peers are found"]
pub struct FindingPeers {
    core: Arc<Core>,
}

impl FindingPeers {
    fn new(core: Arc<Core>) -> Self {
        core.discovery().seekers.fetch_add(1, Ordering::AcqRel);
        FindingPeers { core }
    }
}

/// A feed that is about to be on a connection. The remote may turn out to have it, so there is hope until this is dropped.
pub(crate) struct Expected(FindingPeers);

impl Expected {
    pub(crate) fn new(core: &Arc<Core>) -> Self {
        Expected(FindingPeers::new(Arc::clone(core)))
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.0.core
    }
}

impl Drop for FindingPeers {
    fn drop(&mut self) {
        self.core.discovery().seekers.fetch_sub(1, Ordering::AcqRel);
        self.core.notify();
    }
}

impl fmt::Debug for FindingPeers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FindingPeers").finish_non_exhaustive()
    }
}
