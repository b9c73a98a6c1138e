//! Numbers for Prometheus, in its text format. A feed is named by the first eight digits of its discovery key: the key itself is
//! what lets others read it.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use hyper::StatusCode;
use hypercore::{Hypercore, Peer};

use super::Guests;

/// The upper bounds of the buckets, in seconds.
const BUCKETS: [f64; 8] = [0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0];

/// What is counted of requests over HTTP.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    buckets: [AtomicU64; BUCKETS.len()],
    count: AtomicU64,
    micros: AtomicU64,
    failed: AtomicU64,
}

/// What is told of each feed: its name, what it is, and the number.
type PerFeed = (&'static str, &'static str, fn(&Hypercore) -> u64);

const PER_FEED: [PerFeed; 4] = [
    ("hypercore_length", "Blocks of the feed", Hypercore::len),
    (
        "hypercore_byte_length",
        "Bytes of the feed",
        Hypercore::byte_len,
    ),
    (
        "hypercore_local_blocks",
        "Blocks that are stored here",
        |feed| feed.downloaded(0..feed.len()),
    ),
    ("hypercore_peers", "Peers that have the feed open", |feed| {
        feed.peers()
            .iter()
            .filter(|peer| Peer::is_open(peer))
            .count() as u64
    }),
];

impl Metrics {
    /// A request was answered, at least with the first piece.
    pub(super) fn answered(&self, after: Duration, status: StatusCode) {
        let seconds = after.as_secs_f64();
        for (bucket, bound) in self.buckets.iter().zip(BUCKETS) {
            if seconds <= bound {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        if status.is_server_error() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn text(&self, guests: &Guests) -> String {
        let mut page = Page::default();
        for (name, what, number) in PER_FEED {
            page.about(name, "gauge", what);
            for feed in guests.feeds() {
                page.line(name, &format!("feed=\"{}\"", short(feed)), number(feed));
            }
        }
        self.exchanged(guests, &mut page);
        page.about("hypercore_connections", "gauge", "Connections of peers");
        page.line("hypercore_connections", "", guests.connected().len() as u64);
        let failures = "hypercore_verify_failures_total";
        page.about(
            failures,
            "counter",
            "Connections that ended because something didn't verify",
        );
        page.line(failures, "", guests.verify_failures());
        self.requests(&mut page);
        page.0
    }

    fn exchanged(&self, guests: &Guests, page: &mut Page) {
        for (name, what) in [
            ("hypercore_blocks_total", "Blocks exchanged with peers"),
            (
                "hypercore_bytes_total",
                "Bytes of the blocks exchanged with peers",
            ),
        ] {
            page.about(name, "counter", what);
            for feed in guests.feeds() {
                let totals = feed.stats().unwrap_or_default().totals;
                let (up, down) = match name {
                    "hypercore_blocks_total" => (totals.uploaded_blocks, totals.downloaded_blocks),
                    _ => (totals.uploaded_bytes, totals.downloaded_bytes),
                };
                for (dir, number) in [("up", up), ("down", down)] {
                    let labels = format!("feed=\"{}\",dir=\"{dir}\"", short(feed));
                    page.line(name, &labels, number);
                }
            }
        }
    }

    fn requests(&self, page: &mut Page) {
        let name = "hypercore_request_seconds";
        page.about(
            name,
            "histogram",
            "Time to the first piece of an answer over HTTP",
        );
        let count = self.count.load(Ordering::Relaxed);
        for (bucket, bound) in self.buckets.iter().zip(BUCKETS) {
            let labels = format!("le=\"{bound}\"");
            page.line(
                &format!("{name}_bucket"),
                &labels,
                bucket.load(Ordering::Relaxed),
            );
        }
        page.line(&format!("{name}_bucket"), "le=\"+Inf\"", count);
        let seconds = self.micros.load(Ordering::Relaxed) as f64 / 1e6;
        page.line(&format!("{name}_sum"), "", seconds);
        page.line(&format!("{name}_count"), "", count);
        let name = "hypercore_request_failures_total";
        page.about(
            name,
            "counter",
            "Requests over HTTP that could not be answered",
        );
        page.line(name, "", self.failed.load(Ordering::Relaxed));
    }
}

/// The name of a feed for those who may see its numbers but not what is in it.
fn short(feed: &Hypercore) -> String {
    feed.discovery_key().to_string().chars().take(8).collect()
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn about(&mut self, name: &str, kind: &str, what: &str) {
        let _ = writeln!(self.0, "# HELP {name} {what}.\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, number: impl std::fmt::Display) {
        let _ = match labels {
            "" => writeln!(self.0, "{name} {number}"),
            labels => writeln!(self.0, "{name}{{{labels}}} {number}"),
        };
    }
}
