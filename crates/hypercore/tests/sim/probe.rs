//! Calls whose outcome is known beforehand.

use std::{fmt::Debug, future::IntoFuture, time::Duration};

use hypercore::{Connection, Error, Hypercore, Result, Role as Side, Utf8};
use testkit::lock;

use crate::{check, node::at_once, world::World};

/// As long as a question and its answer may take.
const ROUND_TRIP: Duration = Duration::from_secs(2);

impl World {
    /// In the hush somebody asks for a block as long as it is available: whether it is, he must know at once, unless he has lost
    /// blocks himself. Then he may have to ask what the others have of those.
    pub(crate) fn probe(&mut self) {
        let n = self.rng.below(self.nodes.len() as u64) as usize;
        let node = &self.nodes[n];
        // Best one that somebody else has lost.
        let others = self.nodes.iter().enumerate();
        let others = others.filter(|(m, other)| *m != n && other.copy_of == node.copy_of);
        let lost = others.flat_map(|(_, other)| lock(&other.diary).cleared.clone());
        let lost: Vec<u64> = lost.filter(|block| !node.feed.has(*block)).collect();
        let block = match lost.len() as u64 {
            0 => self
                .rng
                .below(self.feeds[node.copy_of].blocks.len() as u64 + 2),
            many => lost[self.rng.below(many) as usize],
        };
        let settled = check::is_settled(self, n) && !check::is_lied_to(self, n);
        // Whoever hasn't said whether it has the feed may still bring the block.
        let is_opening = node.feed.peers().iter().any(|peer| !peer.is_open());
        if node.feed.has(block) || !settled || is_opening {
            return;
        }
        let has_lost = lock(&node.diary).has_lost;
        let Some(offered) = check::is_offered(self, n, block) else {
            return;
        };
        let offered = node.downloading && offered;
        self.tell(|| format!("{n} has {block} offered: {offered}"));
        let get = self.nodes[n].feed.get(block).if_available();
        let call = self.sim.spawn(format!("a probe of {n}"), get.into_future());
        self.sim.run_ready();
        if !call.is_done() && !offered && has_lost {
            let answered = self.sim.now() + ROUND_TRIP;
            self.run_until(answered);
        }
        match call.take() {
            None if offered => call.cancel(),
            Some(Err(Error::NotAvailable { .. })) if !offered => {}
            // Somebody else has just got it, without asking for it.
            Some(Ok(_)) if self.is_pushed_to() => {}
            told => {
                self.describe();
                panic!("{n} asks for {block}, offered: {offered}, and is told {told:?}")
            }
        }
    }

    /// Whether somebody pushes blocks now.
    fn is_pushed_to(&self) -> bool {
        let mut ups = self.edges.iter().filter_map(|edge| edge.up.as_ref());
        ups.any(|up| up.pushing.is_some())
    }
}

/// Every call on a closed feed says so, before time passes.
pub(crate) fn closed(feed: &Hypercore) {
    fn is_closed<T: Debug>(result: Result<T>) {
        assert!(matches!(result, Err(Error::Closed)), "{result:?}");
    }
    is_closed(at_once(feed.get(0).into_future()));
    is_closed(at_once(feed.get_range(0..2).into_future()));
    is_closed(at_once(feed.update().into_future()));
    is_closed(at_once(feed.seek(1).into_future()));
    is_closed(at_once(feed.download(0..9).into_future()));
    is_closed(at_once(feed.append("more")));
    is_closed(at_once(feed.flush()));
    is_closed(at_once(feed.clear(0..1)));
    is_closed(feed.extension("late", Utf8).map(drop));
    let socket = futures_lite::io::Cursor::new(Vec::new());
    is_closed(at_once(
        feed.replicate(Side::Initiator, socket).into_future(),
    ));
    is_closed(Connection::new(Side::Initiator).add(feed));
}
