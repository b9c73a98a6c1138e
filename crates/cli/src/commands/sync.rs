//! `hypercore sync DIR`: exchanges a feed with the peers that are known, in both directions, and ends.

use std::{path::PathBuf, time::Duration};

use async_std::task;
use clap::Args;
use futures_lite::{FutureExt, future};
use hypercore::{DialectChoice, Hypercore, Peer, Session};
use serde_json::json;

use super::{
    clone::{Stop, download},
    close,
};
use crate::{
    calls::{Calls, Terms, Way},
    failure::{Code, Failure},
    interrupt,
    known_peers::KnownPeers,
    output::Output,
    progress::{self, Wanted},
    span::parse_time,
};

/// Peers that have asked for nothing for so long have all they want.
const QUIET: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(crate) struct Sync {
    /// The feed's directory.
    dir: PathBuf,

    /// A peer to connect to, HOST:PORT, besides those that the directory remembers (may be given several times).
    #[arg(long, value_name = "HOST:PORT")]
    peer: Vec<String>,

    /// Stay connected until Ctrl-C.
    #[arg(long)]
    live: bool,

    /// Take over a greater length, but fetch no blocks.
    #[arg(long)]
    sparse: bool,

    /// Give up after this time, with exit code 3 if something is missing: 30s, 5m, ...
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    timeout: Option<Duration>,
}

pub(super) async fn run(arguments: Sync, output: &Output) -> Result<(), Failure> {
    let dir = &arguments.dir;
    let feed = Hypercore::builder(dir)
        .create_if_missing(false)
        .sparse(arguments.sparse)
        .open()
        .await
        .map_err(|error| Failure::at(dir, error))?;
    let known = KnownPeers::of(dir);
    let mut ways: Vec<Way> = Vec::new();
    for way in arguments
        .peer
        .iter()
        .cloned()
        .chain(known.read())
        .map(Way::Address)
    {
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    if ways.is_empty() {
        let message = format!("{}: no peer is known", dir.display());
        return Err(Failure::new(Code::Unreachable, message).hint("name one: --peer HOST:PORT"));
    }
    let terms = Terms {
        dialect: DialectChoice::Auto,
        live: arguments.live,
        upload: true,
        remember: Some(known),
    };
    let mut calls = Calls::begin(&feed, &ways, &terms, true, output);
    let mut stop = stop(&feed, &mut calls, &arguments, output).await?;
    let reached = calls.reached();
    let mut ended = calls.hang_up().await;
    if let Stop::Ended(before) = &mut stop {
        ended.append(before);
    }
    let failed = ended.into_iter().find_map(Result::err);
    let outcome = match (reached, failed) {
        (false, Some(failure)) => Err(failure),
        (false, None) => Err(Failure::new(Code::Unreachable, "no peer has answered")
            .hint("is `hypercore serve` running there? See: hypercore doctor LINK")),
        (true, _) => outcome(&feed, stop, arguments.sparse),
    };
    summary(&feed, outcome.is_ok(), output)?;
    close(dir, &feed).await?;
    outcome
}

/// Works until there is a reason to stop.
async fn stop(
    feed: &Hypercore,
    calls: &mut Calls,
    arguments: &Sync,
    output: &Output,
) -> Result<Stop, Failure> {
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
            None => future::pending().await,
        }
    };
    let shown = async {
        progress::follow(feed, &Wanted::All, None, output).await?;
        future::pending().await
    };
    let settled = async {
        match arguments.live {
            true => future::pending().await,
            false => settle(feed, arguments.sparse).await,
        }
    };
    let ended = async {
        let results: Vec<Result<Session, Failure>> = calls.ended().await;
        Ok(Stop::Ended(results))
    };
    settled.or(ended).or(shown).or(interrupted).or(late).await
}

/// Takes what peers have, and waits until they ask for nothing more.
async fn settle(feed: &Hypercore, sparse: bool) -> Result<Stop, Failure> {
    let sent = || feed.stats().map_or(0, |stats| stats.totals.uploaded_blocks);
    loop {
        while feed.update().if_available().await.is_ok() {}
        let fetched = match sparse {
            true => Stop::Satisfied,
            false => download(feed, 0..feed.len()).await?,
        };
        let before = (sent(), feed.len());
        task::sleep(QUIET).await;
        let asks = |peer: &Peer| peer.info().is_some_and(|info| info.serving > 0);
        if before == (sent(), feed.len()) && !feed.peers().iter().any(asks) {
            return Ok(fetched);
        }
    }
}

fn outcome(feed: &Hypercore, stop: Stop, sparse: bool) -> Result<(), Failure> {
    let (have, length) = (feed.downloaded(0..feed.len()), feed.len());
    let kept = format!("{have} of {length} blocks");
    match stop {
        Stop::Interrupted => {
            let message = format!("interrupted; {kept} are kept");
            Err(Failure::new(Code::Interrupted, message))
        }
        _ if sparse || have == length => Ok(()),
        Stop::Late(time) => {
            let message = format!("{kept} are here after {time:?}");
            Err(Failure::new(Code::Incomplete, message).hint("run it again to go on"))
        }
        _ => {
            let message = format!("{kept} are here; nobody who is connected has the rest");
            Err(Failure::new(Code::Incomplete, message).hint("name another peer: --peer HOST:PORT"))
        }
    }
}

fn summary(feed: &Hypercore, complete: bool, output: &Output) -> Result<(), Failure> {
    let totals = feed.stats().unwrap_or_default().totals;
    let (have, length) = (feed.downloaded(0..feed.len()), feed.len());
    let fields = json!({
        "have": have,
        "length": length,
        "byte_length": feed.byte_len(),
        "tree_hash": feed.tree_hash().to_string(),
        "complete": complete,
        "received": totals.downloaded_blocks,
        "sent": totals.uploaded_blocks,
    });
    let (received, sent) = (totals.downloaded_blocks, totals.uploaded_blocks);
    let human = format!("synced     {have} of {length} blocks, {received} received, {sent} sent");
    output.news("summary", fields, human)
}
