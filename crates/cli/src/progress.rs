//! The progress of a clone, on standard error and only on a terminal.

use std::time::Duration;

use futures_lite::{FutureExt, StreamExt};
use hypercore::{Event, Hypercore};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde_json::json;

use crate::{failure::Failure, output::Output};

/// How often the bar is looked at, and how many looks later a line of JSON tells of progress.
const PERIOD: Duration = Duration::from_millis(100);
const LOOKS_PER_LINE: u64 = 5;

const STYLE: &str = "{bar:30} {pos}/{len} blocks  {msg}";

/// Shows how far a clone is, until `until` blocks are here or the feed is closed.
pub(crate) async fn follow(
    feed: &Hypercore,
    output: &Output,
    until: Option<u64>,
) -> Result<(), Failure> {
    let mut events = feed.events();
    let bar = bar(output);
    let mut bytes = 0;
    let mut told = None;
    for look in 0_u64.. {
        let (have, length) = (feed.downloaded(0..feed.len()), feed.len());
        bar.set_length(length.max(feed.remote_len()));
        bar.set_position(have);
        bar.set_message(format!(
            "{}  {}/s  {} peers",
            HumanBytes(bytes),
            HumanBytes(rate(bytes, bar.elapsed())),
            feed.peers().len(),
        ));
        if output.is_json() && look % LOOKS_PER_LINE == 0 && told != Some((have, length)) {
            let fields = json!({
                "have": have, "length": length, "bytes": bytes, "peers": feed.peers().len(),
            });
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
                    Some(Event::Close) | None => break true,
                    Some(_) => {}
                }
            }
        };
        let tick = async {
            async_std::task::sleep(PERIOD).await;
            false
        };
        if tick.or(closed).await {
            break;
        }
    }
    Ok(())
}

fn bar(output: &Output) -> ProgressBar {
    if output.is_json() {
        return ProgressBar::hidden();
    }
    // Draws on standard error, at most 10 times a second, and not at all if that is no terminal.
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template(STYLE) {
        bar.set_style(style);
    }
    bar
}

fn rate(bytes: u64, elapsed: Duration) -> u64 {
    (bytes as f64 / elapsed.as_secs_f64().max(0.001)) as u64
}
