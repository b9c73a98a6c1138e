//! The progress of a copy: a bar on a terminal, and lines of JSON now and then.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use async_std::task;
use futures_lite::{FutureExt, StreamExt};
use hypercore::{Event, Hypercore};
use indicatif::{HumanBytes, HumanDuration};
use serde_json::json;

use crate::{
    failure::Failure,
    output::Output,
    rate::Rate,
    screen::{self, PERIOD},
};

/// How many looks later a line of JSON tells of progress.
const LOOKS_PER_LINE: u64 = 5;

const STYLE: &str = "[{bar:32}] {pos}/{len} blocks  {msg}";

/// What is to be fetched.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// Every block.
    All,
    /// The blocks of these ranges.
    Blocks(Vec<Range<u64>>),
}

impl Wanted {
    /// How many of them are here, and how many there are, as far as is known.
    pub(crate) fn count(&self, feed: &Hypercore) -> (u64, u64) {
        match self {
            Wanted::All => (feed.downloaded(0..feed.len()), feed.len()),
            Wanted::Blocks(ranges) => ranges.iter().fold((0, 0), |(have, all), range| {
                let here = feed.downloaded(range.clone());
                (have + here, all + (range.end - range.start))
            }),
        }
    }
}

/// Shows how far a copy is, until `until` blocks are here or the feed is closed.
pub(crate) async fn follow(
    feed: &Hypercore,
    wanted: &Wanted,
    until: Option<u64>,
    output: &Output,
) -> Result<(), Failure> {
    let mut events = feed.events();
    let bar = (!output.is_json()).then(|| screen::draw(STYLE));
    let mut bytes = 0;
    let start = Instant::now();
    let (mut rate, mut blocks) = (Rate::new(start, 0), Rate::new(start, wanted.count(feed).0));
    let mut told = None;
    for look in 0_u64.. {
        let (have, mut length) = wanted.count(feed);
        if matches!(wanted, Wanted::All) {
            length = length.max(feed.remote_len());
        }
        let now = Instant::now();
        let peers = feed.peers().iter().filter(|peer| peer.is_open()).count();
        if let Some(bar) = &bar {
            let per_second = blocks.per_second(now, have);
            let message = message(
                bytes,
                rate.per_second(now, bytes),
                left(length.saturating_sub(have), per_second),
                peers,
            );
            bar.set(have, length, message);
        }
        if output.is_json() && look % LOOKS_PER_LINE == 0 && told != Some((have, length)) {
            let fields = json!({ "have": have, "length": length, "bytes": bytes, "peers": peers });
            output.news("progress", fields, "")?;
            told = Some((have, length));
        }
        if until.is_some_and(|until| have >= until) {
            break;
        }
        // Events are only counted in between: looking at the whole feed for each block would take longer than the block.
        let closed = async {
            loop {
                match events.next().await {
                    Some(Event::Download { len, .. }) => bytes += len as u64,
                    Some(Event::WriteFailed { reason }) => break Err(reason),
                    Some(Event::Close) | None => break Ok(true),
                    Some(_) => {}
                }
            }
        };
        let tick = async {
            task::sleep(PERIOD).await;
            Ok(false)
        };
        let closed = tick.or(closed).await;
        // The feed would wait for room. A person who looks on can make some.
        if closed
            .map_err(|reason| Failure::system("cannot write what was fetched", reason.into()))?
        {
            break;
        }
    }
    Ok(())
}

fn message(bytes: u64, rate: f64, left: Option<Duration>, peers: usize) -> String {
    let mut text = format!("{}  {}/s", HumanBytes(bytes), HumanBytes(rate as u64));
    if let Some(left) = left {
        text += &format!("  {} left", HumanDuration(left));
    }
    let plural = if peers == 1 { "" } else { "s" };
    text + &format!("  {peers} peer{plural}")
}

/// How long the rest takes, if something comes at all.
fn left(blocks: u64, per_second: f64) -> Option<Duration> {
    let worth_telling = blocks > 0 && per_second > 0.0;
    let seconds = worth_telling.then(|| blocks as f64 / per_second)?;
    (seconds < 1e6).then(|| Duration::from_secs_f64(seconds.max(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_the_rate() {
        assert_eq!(left(100, 10.0), Some(Duration::from_secs(10)));
        assert_eq!(left(0, 10.0), None);
        assert_eq!(left(100, 0.0), None);
        assert_eq!(left(u64::MAX, 1e-9), None);
    }
}
