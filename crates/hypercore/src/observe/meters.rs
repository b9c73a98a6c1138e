//! Numbers for the recorder of `metrics` that is installed when a feed is first used, each with the label `feed`.

use std::{collections::BTreeMap, sync::Once, time::Duration};

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use wire::Message;

use super::Observer;
use crate::{Event, core::Core};

/// Those of one feed.
pub(super) struct Meters {
    blocks_up: Counter,
    blocks_down: Counter,
    bytes_up: Counter,
    bytes_down: Counter,
    length: Gauge,
    local_blocks: Gauge,
    peers: Gauge,
    verify_failures: Counter,
    request_seconds: Histogram,
}

impl Meters {
    fn new(feed: &str) -> Self {
        static DESCRIBED: Once = Once::new();
        DESCRIBED.call_once(describe);
        let feed = feed.to_owned();
        let blocks = |dir| counter!("hypercore_blocks_total", "feed" => feed.clone(), "dir" => dir);
        let bytes = |dir| counter!("hypercore_bytes_total", "feed" => feed.clone(), "dir" => dir);
        Meters {
            blocks_up: blocks("up"),
            blocks_down: blocks("down"),
            bytes_up: bytes("up"),
            bytes_down: bytes("down"),
            length: gauge!("hypercore_length", "feed" => feed.clone()),
            local_blocks: gauge!("hypercore_local_blocks", "feed" => feed.clone()),
            peers: gauge!("hypercore_peers", "feed" => feed.clone()),
            verify_failures: counter!("hypercore_verify_failures_total", "feed" => feed.clone()),
            request_seconds: histogram!("hypercore_request_seconds", "feed" => feed.clone()),
        }
    }
}

fn describe() {
    describe_counter!(
        "hypercore_blocks_total",
        Unit::Count,
        "Blocks exchanged with peers."
    );
    describe_counter!(
        "hypercore_bytes_total",
        Unit::Bytes,
        "Their bytes, without hashes and framing."
    );
    describe_gauge!(
        "hypercore_length",
        Unit::Count,
        "Blocks of the feed, as far as proved here."
    );
    describe_gauge!(
        "hypercore_local_blocks",
        Unit::Count,
        "Blocks that are stored here."
    );
    describe_gauge!(
        "hypercore_peers",
        Unit::Count,
        "Peers that have opened the feed."
    );
    describe_counter!(
        "hypercore_verify_failures_total",
        Unit::Count,
        "Blocks and proofs of peers that didn't verify."
    );
    describe_histogram!(
        "hypercore_request_seconds",
        Unit::Seconds,
        "From a request to its answer."
    );
}

impl Observer {
    /// None before a static feed has a name.
    fn meters(&self, core: &Core) -> Option<&Meters> {
        if self.meters.get().is_none() && core.check_finalized().is_err() {
            return None;
        }
        let new = || Meters::new(self.label(core));
        Some(self.meters.get_or_init(new))
    }
}

pub(super) fn opened(observer: &Observer, core: &Core) {
    if let Some(meters) = observer.meters(core) {
        meters.peers.set(0.0);
        sizes(core, meters);
    }
}

pub(super) fn happened(observer: &Observer, core: &Core, event: &Event) {
    let Some(meters) = observer.meters(core) else {
        return;
    };
    match event {
        Event::Append { .. } | Event::Clear { .. } => sizes(core, meters),
        Event::Download { len, .. } => {
            meters.blocks_down.increment(1);
            meters.bytes_down.increment(*len as u64);
            sizes(core, meters);
        }
        Event::Upload { len, .. } => {
            meters.blocks_up.increment(1);
            meters.bytes_up.increment(*len as u64);
        }
        Event::PeerOpen { .. } | Event::PeerRemove { .. } => {
            let state = core.state();
            let open = state.peers.values().filter(|slot| slot.is_open()).count();
            meters.peers.set(number(open as u64));
        }
        Event::Close => meters.peers.set(0.0),
        _ => {}
    }
}

pub(super) fn refused(observer: &Observer, core: &Core) {
    if let Some(meters) = observer.meters(core) {
        meters.verify_failures.increment(1);
    }
}

fn sizes(core: &Core, meters: &Meters) {
    let (length, local) = core.read(|feed| {
        // Without an end, which a page in the middle would have to be counted for.
        (feed.length(), feed.bitfield().count_blocks(0..u64::MAX))
    });
    meters.length.set(number(length));
    meters.local_blocks.set(number(local));
}

/// The recorders count in floating point. Beyond 2^53 it is off by a block.
#[allow(clippy::cast_precision_loss, reason = "a gauge is no proof")]
fn number(count: u64) -> f64 {
    count as f64
}

/// When a peer was asked for what.
#[derive(Debug, Default)]
pub(super) struct Asked {
    since: BTreeMap<u64, Duration>,
}

impl Asked {
    /// More than a peer is ever asked for at a time.
    const MAX: usize = 2048;

    pub(super) fn sent(&mut self, core: &Core, message: &Message) {
        match message {
            Message::Request(request) if self.since.len() < Self::MAX => {
                self.since.insert(request.index, core.runtime().now());
            }
            Message::Cancel(cancel) => {
                self.since.remove(&cancel.index);
            }
            _ => {}
        }
    }

    pub(super) fn answered(&mut self, core: &Core, block: u64) {
        let since = self.since.remove(&block);
        if let (Some(since), Some(meters)) = (since, core.observer().meters(core)) {
            let took = core.runtime().now().saturating_sub(since);
            meters.request_seconds.record(took);
        }
    }
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}
