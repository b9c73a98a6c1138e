//! `hypercore clone LINK [DIR]`: a copy of a feed, or of a part of it, from the peers that its link names.

use std::{ops::Range, path::PathBuf, time::Duration};

use async_std::task;
use clap::Args;
use futures_lite::FutureExt;
use hypercore::{Error, Hypercore, Peer, Session};
use serde_json::json;

use super::close;
use crate::{
    arguments::Choice,
    calls::{Calls, Terms, Way},
    failure::{Code, Failure},
    interrupt,
    known_peers::KnownPeers,
    link::Link,
    output::Output,
    progress::{self, Wanted},
    span::{Span, parse_time},
};

#[derive(Debug, Args)]
pub(crate) struct CloneFeed {
    /// The link: hyper://KEY?peer=HOST:PORT, as `serve` prints it. A bare key will do with --peer or --via.
    pub(crate) link: Link,

    /// The directory to clone to. Run again to go on where it stopped. Default: the first 8 digits of the key.
    pub(crate) dir: Option<PathBuf>,

    /// A peer to connect to, HOST:PORT, besides those in the link (may be given several times).
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) peer: Vec<String>,

    /// A command whose standard input and output lead to a peer: --via 'ssh host hypercore serve --stdio feed'
    #[arg(long, value_name = "COMMAND")]
    pub(crate) via: Vec<String>,

    /// Fetch no blocks but those of --blocks: the feed's length and proofs are enough to fetch them later.
    #[arg(long)]
    pub(crate) sparse: bool,

    /// Fetch only these blocks: 3..7, 3..=6, -100.. (may be given several times).
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub(crate) blocks: Vec<Span>,

    /// Stay connected and fetch what is appended later.
    #[arg(long)]
    pub(crate) live: bool,

    /// With --live: stop once this many blocks are here.
    #[arg(long, requires = "live", value_name = "LENGTH")]
    pub(crate) until: Option<u64>,

    /// Give up after this time, with exit code 3 if something is missing: 30s, 5m, ...
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) timeout: Option<Duration>,

    /// The dialect to speak.
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) dialect: Choice,
}

/// Why a clone has stopped.
pub(super) enum Stop {
    /// All connections have ended by themselves.
    Ended(Vec<Result<Session, Failure>>),
    /// What was asked for is here.
    Satisfied,
    /// Nobody was reached who has the feed.
    Unreached,
    /// Nobody who is connected has the rest.
    Unavailable,
    /// The time is over.
    Late(Duration),
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

pub(super) async fn run(arguments: CloneFeed, output: &Output) -> Result<(), Failure> {
    let dir = &match &arguments.dir {
        Some(dir) => dir.clone(),
        None => default_dir(&arguments.link),
    };
    let known = KnownPeers::of(dir);
    let ways = ways(&arguments, &known);
    if ways.is_empty() {
        return Err(Failure::new(Code::Unreachable, "the link names no peer")
            .hint("add one: hyper://KEY?peer=HOST:PORT, or --peer HOST:PORT"));
    }
    let sparse = arguments.sparse || !arguments.blocks.is_empty();
    let feed = Hypercore::builder(dir)
        .key(arguments.link.key)
        .sparse(sparse)
        .open()
        .await
        .map_err(|error| Failure::at(dir, error))?;
    if arguments.dir.is_none() {
        output.tell(format_args!("cloning to {}", dir.display()));
    }
    let terms = Terms {
        dialect: arguments.dialect.into(),
        live: arguments.live,
        upload: arguments.live,
        remember: Some(known),
    };
    let mut calls = Calls::begin(&feed, &ways, &terms, sparse, output);
    let (wanted, stop) = stop(&feed, &mut calls, &arguments, output).await?;
    let failed = calls.hang_up().await.into_iter().find_map(Result::err);
    let (have, all) = wanted.count(&feed);
    let outcome = outcome(&feed, stop, failed, (have, all), arguments.until);
    close(dir, &feed).await?;
    summary(&feed, &wanted, outcome.is_ok(), output)?;
    outcome
}

/// `HOST:PORT` of the link, of `--peer`, commands, and, if all of these name nobody, those who were asked before.
fn ways(arguments: &CloneFeed, known: &KnownPeers) -> Vec<Way> {
    let named = arguments.link.peers.iter().chain(&arguments.peer).cloned();
    let named = named.map(Way::Address);
    let via = arguments.via.iter().cloned().map(Way::Command);
    let mut ways: Vec<Way> = Vec::new();
    for way in named.chain(via) {
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    if ways.is_empty() {
        ways.extend(known.read().into_iter().map(Way::Address));
    }
    ways
}

fn default_dir(link: &Link) -> PathBuf {
    link.key
        .to_string()
        .chars()
        .take(8)
        .collect::<String>()
        .into()
}

/// Works until there is a reason to stop. Says, too, what was wanted, since that may count from the end of the feed.
async fn stop(
    feed: &Hypercore,
    calls: &mut Calls,
    arguments: &CloneFeed,
    output: &Output,
) -> Result<(Wanted, Stop), Failure> {
    let keyboard = interrupt::listen();
    let interrupted = async {
        keyboard.pressed().await;
        Ok(Stop::Interrupted)
    };
    let late = async {
        match arguments.timeout {
            Some(time) => {
                task::sleep(time).await;
                Ok(Stop::Late(time))
            }
            None => futures_lite::future::pending().await,
        }
    };
    let mut wanted = Wanted::All;
    let until = arguments.until;
    let work = async {
        if arguments.sparse || !arguments.blocks.is_empty() {
            wanted = Wanted::Blocks(Vec::new());
            let fetched = fetch(feed, calls, arguments, &mut wanted, output).await;
            return match (fetched?, arguments.live) {
                (Stop::Satisfied, true) => follow(feed, calls, until, output).await,
                (stop, _) => Ok(stop),
            };
        }
        follow(feed, calls, until, output).await
    };
    let stop = work.or(interrupted).or(late).await?;
    Ok((wanted, stop))
}

/// Takes what comes, until all connections have ended or enough is here.
async fn follow(
    feed: &Hypercore,
    calls: &mut Calls,
    until: Option<u64>,
    output: &Output,
) -> Result<Stop, Failure> {
    calls.let_go();
    let ended = async { Ok(Stop::Ended(calls.ended().await)) };
    let satisfied = async {
        progress::follow(feed, &Wanted::All, until, output).await?;
        Ok(Stop::Satisfied)
    };
    ended.or(satisfied).await
}

/// Fetches the length, and the blocks of the ranges that were asked for.
async fn fetch(
    feed: &Hypercore,
    calls: &Calls,
    arguments: &CloneFeed,
    wanted: &mut Wanted,
    output: &Output,
) -> Result<Stop, Failure> {
    // The longest that anybody has who can be reached.
    while let Ok(length) = feed.update().if_available().await {
        output.tell(format_args!("length     {length} blocks, proved"));
    }
    // Whoever is about to leave may not have been noticed yet.
    let is_there = calls.reached() || feed.peers().iter().any(Peer::is_open);
    if !is_there {
        return Ok(Stop::Unreached);
    }
    let length = feed.len();
    if let Some(end) = arguments.blocks.iter().filter_map(Span::end).max()
        && end > length
        && length > 0
    {
        let message = format!("no block {}: the length is {length}", end - 1);
        return Err(Failure::new(Code::NotFound, message));
    }
    let spans = arguments.blocks.iter().map(|span| span.within(length));
    let ranges = merged(spans.collect());
    *wanted = Wanted::Blocks(ranges.clone());
    let available = async {
        for range in &ranges {
            if let Stop::Unavailable = download(feed, range.clone()).await? {
                return Ok(Stop::Unavailable);
            }
        }
        Ok(Stop::Satisfied)
    };
    let shown = async {
        progress::follow(feed, wanted, None, output).await?;
        futures_lite::future::pending().await
    };
    available.or(shown).await
}

/// Fetches a range, as long as somebody has what is missing.
pub(super) async fn download(feed: &Hypercore, blocks: Range<u64>) -> Result<Stop, Failure> {
    let all = async {
        feed.download(blocks.clone()).await?;
        Ok(Stop::Satisfied)
    };
    let hopeless = async {
        while let Some(gap) = feed.missing(blocks.clone()).first() {
            match feed.get(gap.start).if_available().await {
                Ok(_) => {}
                Err(Error::NotAvailable { .. }) => return Ok(Stop::Unavailable),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Stop::Satisfied)
    };
    all.or(hopeless).await
}

/// The same blocks as ranges in order that don't overlap.
fn merged(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Whether everything is here that was asked for, and a length that some peer stood for.
fn outcome(
    feed: &Hypercore,
    stop: Stop,
    failed: Option<Failure>,
    (have, all): (u64, u64),
    until: Option<u64>,
) -> Result<(), Failure> {
    let length = feed.len();
    let again = "run it again to go on where it stopped";
    let incomplete = |why: &str| {
        let message = format!("{have} of {all} blocks are here{why}");
        Err(Failure::new(Code::Incomplete, message).hint(again))
    };
    match stop {
        Stop::Satisfied => Ok(()),
        Stop::Interrupted => {
            let message = format!("interrupted; {have} of {all} blocks are kept");
            Err(Failure::new(Code::Interrupted, message).hint(again))
        }
        Stop::Late(_) if until.is_none() && length > 0 && have == all => Ok(()),
        Stop::Late(time) => incomplete(&format!(" after {time:?}")),
        Stop::Unreached => match failed {
            Some(failure) => Err(failure),
            None => incomplete("; nobody has answered who has the feed"),
        },
        Stop::Unavailable => incomplete("; nobody who is connected has the rest"),
        Stop::Ended(results) => {
            let mut failure = None;
            let mut finished = false;
            for result in results {
                match result {
                    Ok(session) => finished |= session.finished || length > 0,
                    Err(error) => failure = Some(error),
                }
            }
            match failure {
                _ if have == all && until.is_none() && finished => Ok(()),
                Some(failure) => Err(failure),
                None => incomplete(""),
            }
        }
    }
}

fn summary(
    feed: &Hypercore,
    wanted: &Wanted,
    complete: bool,
    output: &Output,
) -> Result<(), Failure> {
    let length = feed.len();
    let have = feed.downloaded(0..length);
    let fields = json!({
        "have": have,
        "length": length,
        "byte_length": feed.byte_len(),
        "tree_hash": feed.tree_hash().to_string(),
        "complete": complete,
    });
    let bytes = feed.byte_len();
    let human = match wanted {
        Wanted::All => format!("cloned     {have} of {length} blocks, {bytes} bytes"),
        Wanted::Blocks(_) => format!("cloned     {have} of {length} blocks (sparse)"),
    };
    output.news("summary", fields, human)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_overlap_or_touch_become_one() {
        let ranges = vec![5..7, 0..2, 6..9, 2..3, 4..4, 20..21];
        assert_eq!(merged(ranges), [0..3, 5..9, 20..21]);
    }
}
