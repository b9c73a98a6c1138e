//! The feeds that a peer shares, by the names under which others ask for them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use hypercore::{BoxFuture, ConnectionHandle, DiscoveryKey, Hypercore};
use testkit::{Rng, Sim, lock};

use crate::faults::millis;

/// Cheap to clone; all clones are the same shelf.
#[derive(Clone, Default)]
pub(crate) struct Shelf(Arc<Mutex<BTreeMap<[u8; 32], Hypercore>>>);

impl Shelf {
    /// Puts a feed there, in place of an earlier life of it.
    pub(crate) fn put(&self, feed: &Hypercore) {
        lock(&self.0).insert(feed.discovery_key().to_bytes(), feed.clone());
    }

    /// What answers a remote that opens a feed: adds it if it is here, after some thought.
    pub(crate) fn on_demand(
        &self,
        sim: &Sim,
        rng: &mut Rng,
    ) -> impl Fn(DiscoveryKey, ConnectionHandle) -> BoxFuture<()> + Send + Sync + 'static {
        let (shelf, sim) = (self.clone(), sim.clone());
        let thought = match rng.below(3) {
            0 => Duration::ZERO,
            1 => millis(rng.below(50)),
            _ => millis(rng.below(3_000)),
        };
        move |key, connection| {
            let (shelf, thinking) = (shelf.clone(), sim.sleep(thought));
            Box::pin(async move {
                thinking.await;
                let feed = lock(&shelf.0).get(&key.to_bytes()).cloned();
                if let Some(feed) = feed {
                    // The connection, or the feed, may be over by now.
                    let _ = connection.add(&feed);
                }
            })
        }
    }
}
