//! Which feeds of a connection have something for it: each leaves its mark, and the connection visits those and no others.
//!
//! So a turn costs what has happened, however many feeds there are.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crypto::DiscoveryKey;
use event_listener::{Event as Wake, EventListener};

/// The marks that wait for one connection.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    marks: Mutex<Marks>,
    wake: Wake,
}

#[derive(Debug, Default)]
struct Marks {
    feeds: VecDeque<DiscoveryKey>,
    /// Whether there is something that isn't about a feed.
    called: bool,
}

impl Ready {
    /// Leaves a mark that isn't about a feed.
    pub(crate) fn call(&self) {
        self.marks().called = true;
        self.wake.notify(usize::MAX);
    }

    /// Takes that mark back, since what it is about is looked at now.
    pub(crate) fn answer(&self) {
        self.marks().called = false;
    }

    /// The next feed to visit.
    pub(crate) fn next(&self) -> Option<DiscoveryKey> {
        self.marks().feeds.pop_front()
    }

    /// Completes when a mark is left from now on.
    pub(crate) fn listen(&self) -> EventListener {
        self.wake.listen()
    }

    /// Whether there is no mark.
    pub(crate) fn is_quiet(&self) -> bool {
        let marks = self.marks();
        marks.feeds.is_empty() && !marks.called
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves the mark of one feed on one connection.
#[derive(Debug)]
pub(crate) struct Bell {
    feed: DiscoveryKey,
    /// Whether the mark is there, so that it is left once however much happens before the visit.
    rung: AtomicBool,
    ready: Arc<Ready>,
}

impl Bell {
    pub(crate) fn new(feed: DiscoveryKey, ready: Arc<Ready>) -> Self {
        Bell {
            feed,
            rung: AtomicBool::new(false),
            ready,
        }
    }

    /// Has the feed visited.
    pub(crate) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.ready.marks().feeds.push_back(self.feed);
            self.ready.wake.notify(usize::MAX);
        }
    }

    /// The visit begins: whatever happens from now on is for another one.
    pub(crate) fn answer(&self) {
        self.rung.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_leaves_one_mark_until_it_is_visited() {
        let ready = Arc::new(Ready::default());
        let bells = [1, 2].map(|n| Bell::new(DiscoveryKey::new([n; 32]), Arc::clone(&ready)));
        assert!(ready.is_quiet());
        for _ in 0..3 {
            bells[1].ring();
            bells[0].ring();
        }
        assert_eq!(ready.next(), Some(DiscoveryKey::new([2; 32])));
        bells[1].ring();
        bells[1].answer();
        bells[1].ring();
        assert_eq!(ready.next(), Some(DiscoveryKey::new([1; 32])));
        assert_eq!(ready.next(), Some(DiscoveryKey::new([2; 32])));
        assert_eq!(ready.next(), None);
        ready.call();
        assert!(!ready.is_quiet());
        ready.answer();
        assert!(ready.is_quiet());
    }
}
