//! `hypercore doctor [FEED]`: looks for what may be wrong, and says what to do about it.

use std::{
    fmt,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::Args;
use hypercore::{Error, Hypercore, StorageError};
use indicatif::HumanBytes;
use serde_json::json;

use super::peers::{call_all, known};
use crate::{
    calls::number,
    failure::{Code, Failure},
    output::Output,
    source::Origin,
};

/// Less room than this is soon used up.
const LITTLE_ROOM: u64 = 256 * 1024 * 1024;

/// The port that feeds are served on, unless told otherwise.
const PORT: u16 = 49737;

/// How long each peer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A clock that shows an earlier time (1 January 2025) is wrong.
const EARLIEST: Duration = Duration::from_secs(1_735_689_600);

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// A feed's directory, or a link: hyper://KEY?peer=HOST:PORT. Without it only this machine is looked at.
    #[arg(value_name = "FEED")]
    origin: Option<Origin>,

    /// A peer to call, HOST:PORT, besides those that are known.
    #[arg(long, value_name = "HOST:PORT", requires = "origin")]
    peer: Vec<String>,
}

/// Tells what is found, and keeps the worst.
struct Chart<'a> {
    output: &'a Output,
    worst: Option<Failure>,
}

pub(super) async fn run(arguments: Doctor, output: &Output) -> Result<(), Failure> {
    let mut chart = Chart {
        output,
        worst: None,
    };
    clock(&mut chart)?;
    port(&mut chart)?;
    if let Some(origin) = &arguments.origin {
        if let Origin::Directory(dir) = origin {
            room(dir, &mut chart)?;
            files(dir, &mut chart).await?;
        }
        peers(origin, &arguments.peer, &mut chart).await?;
    }
    chart.worst.map_or(Ok(()), Err)
}

fn clock(chart: &mut Chart<'_>) -> Result<(), Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    match now.is_ok_and(|now| now > EARLIEST) {
        true => chart.fine("clock", "shows a time that can be"),
        false => chart.warn(
            "clock",
            "is years behind",
            "set it: records and logs carry its time",
        ),
    }
}

fn port(chart: &mut Chart<'_>) -> Result<(), Failure> {
    match TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)) {
        Ok(_) => chart.fine("port", format_args!("tcp {PORT} is free")),
        Err(error) => chart.warn(
            "port",
            format_args!("tcp {PORT}: {error}"),
            "serve takes another port then; choose one with --tcp",
        ),
    }
}

#[cfg(unix)]
fn room(dir: &Path, chart: &mut Chart<'_>) -> Result<(), Failure> {
    let Ok(disk) = rustix::fs::statvfs(dir) else {
        return Ok(());
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    match free > LITTLE_ROOM {
        true => chart.fine("disk", format_args!("{} free", HumanBytes(free))),
        false => {
            let found = format!("only {} free", HumanBytes(free));
            chart.warn("disk", found, "make room: a clone that finds none stops")
        }
    }
}

#[cfg(not(unix))]
fn room(_: &Path, _: &mut Chart<'_>) -> Result<(), Failure> {
    Ok(())
}

/// Opens the feed without changing anything, and checks the author's signature.
async fn files(dir: &Path, chart: &mut Chart<'_>) -> Result<(), Failure> {
    let builder = Hypercore::builder(dir).create_if_missing(false);
    let feed = match builder.read_only(true).open().await {
        Ok(feed) => feed,
        Err(error) => {
            let locked = matches!(error, Error::Disk(StorageError::Locked));
            let failure = Failure::at(dir, error);
            let next = match locked {
                true => "end that process, or leave it alone if it should run".to_owned(),
                false => failure.next_step().unwrap_or_default().to_owned(),
            };
            return chart.fail("files", failure, next);
        }
    };
    let (have, length) = (feed.downloaded(0..feed.len()), feed.len());
    chart.fine("files", format_args!("{have} of {length} blocks are here"))?;
    signature(dir, &feed, chart)?;
    feed.close().await.map_err(|error| Failure::at(dir, error))
}

fn signature(dir: &Path, feed: &Hypercore, chart: &mut Chart<'_>) -> Result<(), Failure> {
    let Some(last) = feed.len().checked_sub(1).filter(|_| !feed.is_static()) else {
        return Ok(());
    };
    let holds = feed
        .signature(last)
        .and_then(|found| feed.verify(found.block, &found.signature));
    match holds {
        Ok(true) => chart.fine("signature", format_args!("holds at length {}", last + 1)),
        Ok(false) => {
            let message = format!("{}: the signature doesn't hold", dir.display());
            let next = format!("see more with: hypercore audit {} --deep", dir.display());
            chart.fail("signature", Failure::new(Code::Damaged, message), next)
        }
        Err(error) => {
            let next = format!("see more with: hypercore audit {} --deep", dir.display());
            chart.fail("signature", Failure::at(dir, error), next)
        }
    }
}

/// Calls everybody who is known.
async fn peers(origin: &Origin, more: &[String], chart: &mut Chart<'_>) -> Result<(), Failure> {
    // What is wrong with a directory was told.
    let Ok((key, mut peers)) = known(origin) else {
        return Ok(());
    };
    peers.extend(more.iter().cloned());
    if peers.is_empty() {
        let next = "whoever shall fetch it needs the link that `hypercore serve` prints";
        return chart.warn("peers", "none is known", next);
    }
    let mut lost = None;
    let mut reached = false;
    for (peer, probed) in call_all(key, peers, PATIENCE).await {
        match probed {
            Ok(probed) => {
                let dialect = number(probed.dialect);
                let found = format!("{peer} answers, dialect {dialect}");
                let Some(length) = probed.length else {
                    let found = format!("{found}, but doesn't have this feed");
                    chart.warn("peer", found, "is it served there, with this key?")?;
                    continue;
                };
                reached = true;
                chart.fine("peer", format_args!("{found}, {length} blocks"))?;
            }
            Err(failure) => {
                let next = "is `hypercore serve` running there, and its port open?";
                let next = failure.next_step().unwrap_or(next).to_owned();
                chart.warn("peer", format_args!("{peer}: {failure}"), next)?;
                lost = Some(failure.of(format_args!("peer {peer}")));
            }
        }
    }
    match (reached, lost) {
        (false, Some(failure)) => chart.worse(failure),
        (false, None) => {
            let message = "nobody who has answered has this feed";
            chart.worse(Failure::new(Code::Unreachable, message));
        }
        (true, _) => {}
    }
    Ok(())
}

impl Chart<'_> {
    fn fine(&mut self, what: &str, found: impl fmt::Display) -> Result<(), Failure> {
        let fields = json!({ "level": "ok", "what": what, "found": found.to_string() });
        let human = format!("ok     {what:<10} {found}");
        self.output.result("check", fields, human)
    }

    fn warn(
        &mut self,
        what: &str,
        found: impl fmt::Display,
        next: impl fmt::Display,
    ) -> Result<(), Failure> {
        self.tell("warn", what, found, next)
    }

    fn fail(
        &mut self,
        what: &str,
        failure: Failure,
        next: impl fmt::Display,
    ) -> Result<(), Failure> {
        self.tell("fail", what, &failure, next)?;
        self.worse(failure);
        Ok(())
    }

    fn tell(
        &self,
        level: &str,
        what: &str,
        found: impl fmt::Display,
        next: impl fmt::Display,
    ) -> Result<(), Failure> {
        let fields = json!({
            "level": level, "what": what, "found": found.to_string(), "next": next.to_string(),
        });
        let human = format!("{level:<6} {what:<10} {found}\n                  → {next}");
        self.output.result("check", fields, human)
    }

    /// The first that is found counts: what is wrong with the files comes before what is wrong with the network.
    fn worse(&mut self, failure: Failure) {
        self.worst.get_or_insert(failure);
    }
}
