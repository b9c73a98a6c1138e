//! Who is connected and what is sent, drawn on a terminal while feeds are served.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use async_std::task;
use hypercore::Peer;
use indicatif::HumanBytes;

use super::{Guests, guests::Guest};
use crate::{
    calls::number,
    failure::Failure,
    output::Output,
    rate::Rate,
    screen::{self, Drawn},
};

/// How often it is drawn.
const PERIOD: Duration = Duration::from_millis(250);

/// How many peers have a line of their own.
const LINES: usize = 12;

/// A line for a peer.
struct Line {
    drawn: Option<Drawn>,
    rate: Rate,
}

/// Draws the table for as long as feeds are served.
pub(super) async fn show(guests: &Guests, output: &Output) -> Result<(), Failure> {
    if output.is_json() || !screen::is_there() {
        return futures_lite::future::pending().await;
    }
    let total = screen::draw("{msg}");
    let mut rate = Rate::new(Instant::now(), 0);
    let mut lines: BTreeMap<u64, Line> = BTreeMap::new();
    loop {
        let now = Instant::now();
        let connected = guests.connected();
        lines.retain(|id, _| connected.contains_key(id));
        for (id, guest) in &connected {
            let lacks = lines.values().filter(|line| line.drawn.is_some()).count() < LINES;
            let sent = guest.connection.bytes_sent();
            let line = lines.entry(*id).or_insert_with(|| Line {
                drawn: None,
                rate: Rate::new(now, sent),
            });
            if line.drawn.is_none() && lacks {
                line.drawn = Some(screen::draw("  {msg}"));
            }
            let per_second = line.rate.per_second(now, sent);
            if let Some(drawn) = &line.drawn {
                drawn.set(0, 0, describe(guests, guest, per_second));
            }
        }
        let up = guests.sent();
        let per_second = HumanBytes(rate.per_second(now, up) as u64);
        let more = connected.len().saturating_sub(LINES);
        let more = if more > 0 {
            format!("   ({more} not shown)")
        } else {
            String::new()
        };
        let peers = connected.len();
        total.set(
            0,
            0,
            format!(
                "peers {peers}   up {}   {per_second}/s{more}",
                HumanBytes(up)
            ),
        );
        task::sleep(PERIOD).await;
    }
}

/// What is known of a peer: its address, its dialect, and how much it was sent.
fn describe(guests: &Guests, guest: &Guest, per_second: f64) -> String {
    let connection = &guest.connection;
    let dialect = match connection.dialect() {
        Some(dialect) => format!("dialect {}", number(dialect)),
        None => "handshake".to_owned(),
    };
    let (mut blocks, mut length) = (0, 0);
    for feed in guests
        .feeds()
        .filter(|feed| connection.is_opened(&feed.discovery_key()))
    {
        let peers = feed.peers();
        let here = |peer: &&Peer| peer.connection().handshake_hash() == connection.handshake_hash();
        let here = peers.iter().filter(here);
        blocks += here
            .filter_map(|peer| Some(peer.stats()?.uploaded_blocks))
            .sum::<u64>();
        length += feed.len();
    }
    format!(
        "{:<22} {dialect}   sent {blocks} of {length} blocks   {}/s",
        guest.name,
        HumanBytes(per_second as u64)
    )
}
