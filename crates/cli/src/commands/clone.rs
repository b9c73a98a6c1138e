//! `hypercore clone LINK DIR [--live] [--dialect 8|9|auto]`

use std::{path::PathBuf, time::Duration};

use async_std::{net::TcpStream, task};
use clap::Args;
use futures_lite::FutureExt;
use hypercore::{Hypercore, Role, Session};
use serde_json::json;

use super::close;
use crate::{
    arguments::Choice,
    failure::{Code, Failure},
    link::Link,
    output::Output,
    progress,
};

/// How long a peer may take to answer a call.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Debug, Args)]
pub(crate) struct CloneFeed {
    /// The link: hyper://KEY?peer=HOST:PORT, as `serve` prints it. A bare key will do with --peer.
    pub(crate) link: Link,

    /// The directory to clone to. Run again to go on where it stopped.
    pub(crate) dir: PathBuf,

    /// A peer to connect to, HOST:PORT, besides those in the link.
    #[arg(long)]
    pub(crate) peer: Vec<String>,

    /// Stay connected and fetch what is appended later.
    #[arg(long)]
    pub(crate) live: bool,

    /// With --live: stop once this many blocks are here.
    #[arg(long, requires = "live", value_name = "LENGTH")]
    pub(crate) until: Option<u64>,

    /// The dialect to speak.
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) dialect: Choice,
}

pub(super) async fn run(arguments: CloneFeed, output: &Output) -> Result<(), Failure> {
    let dir = &arguments.dir;
    let peers: Vec<&String> = arguments.link.peers.iter().chain(&arguments.peer).collect();
    if peers.is_empty() {
        return Err(Failure::new(Code::Unreachable, "the link names no peer")
            .hint("add one: hyper://KEY?peer=HOST:PORT, or --peer HOST:PORT"));
    }
    let feed = Hypercore::builder(dir)
        .key(arguments.link.key)
        .open()
        .await
        .map_err(|error| Failure::at(dir, error))?;
    let sessions: Vec<_> = peers
        .into_iter()
        .map(|peer| {
            task::spawn(session(
                feed.clone(),
                peer.clone(),
                arguments.live,
                arguments.dialect.into(),
            ))
        })
        .collect();
    let ended = async {
        let mut results = Vec::new();
        for session in sessions {
            results.push(session.await);
        }
        Ok::<_, Failure>(results)
    };
    let satisfied = async {
        progress::follow(&feed, output, arguments.until).await?;
        Ok(Vec::new())
    };
    let results = ended.or(satisfied).await?;
    let outcome = outcome(&feed, results, arguments.until);
    close(dir, &feed).await?;
    summary(&feed, outcome.is_ok(), output)?;
    outcome
}

/// Connects to one peer and stays with it to the end.
async fn session(
    feed: Hypercore,
    peer: String,
    live: bool,
    dialect: hypercore::DialectChoice,
) -> Result<Session, Failure> {
    let connected = async_std::io::timeout(CONNECT_TIMEOUT, TcpStream::connect(&peer)).await;
    let socket = connected.map_err(|error| {
        Failure::new(
            Code::Unreachable,
            format!("cannot connect to {peer}: {error}"),
        )
        .hint("is `hypercore serve` running there?")
    })?;
    let _ = socket.set_nodelay(true);
    feed.replicate(Role::Initiator, socket)
        .live(live)
        .upload(live)
        .dialect(dialect)
        .await
        .map_err(|error| Failure::from(error).of(format_args!("peer {peer}")))
}

/// Whether everything is here: every block of the length, and a length that some peer stood for.
fn outcome(
    feed: &Hypercore,
    results: Vec<Result<Session, Failure>>,
    until: Option<u64>,
) -> Result<(), Failure> {
    let (length, have) = (feed.len(), feed.downloaded(0..feed.len()));
    if until.is_some_and(|until| have >= until) {
        return Ok(());
    }
    let mut failure = None;
    let mut finished = false;
    for result in results {
        match result {
            Ok(session) => finished |= session.finished || length > 0,
            Err(error) => failure = Some(error),
        }
    }
    let complete = have == length && until.is_none();
    match failure {
        _ if complete && finished => Ok(()),
        Some(failure) => Err(failure),
        None => {
            let message = format!("{have} of {length} blocks are here");
            Err(Failure::new(Code::Incomplete, message)
                .hint("run it again to go on where it stopped"))
        }
    }
}

fn summary(feed: &Hypercore, complete: bool, output: &Output) -> Result<(), Failure> {
    let (length, have) = (feed.len(), feed.downloaded(0..feed.len()));
    let fields = json!({
        "have": have,
        "length": length,
        "byte_length": feed.byte_len(),
        "tree_hash": feed.tree_hash().to_string(),
        "complete": complete,
    });
    let human = format!(
        "cloned   {have} of {length} blocks, {} bytes",
        feed.byte_len()
    );
    output.news("summary", fields, human)
}
