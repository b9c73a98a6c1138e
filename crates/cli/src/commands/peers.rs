//! `hypercore peers FEED`: calls the peers of a link, or those that a directory remembers, and says how each is.

use std::{fs, path::Path, time::Duration};

use async_std::task;
use clap::Args;
use hypercore::PublicKey;
use serde_json::json;

use crate::{
    calls::number,
    failure::{Code, Failure},
    known_peers::KnownPeers,
    output::Output,
    probe::{Probed, probe},
    source::Origin,
    span::parse_time,
};

#[derive(Debug, Args)]
pub(crate) struct Peers {
    /// The feed's directory, or a link: hyper://KEY?peer=HOST:PORT
    #[arg(value_name = "FEED")]
    origin: Origin,

    /// A peer to call, HOST:PORT, besides those that are known.
    #[arg(long, value_name = "HOST:PORT")]
    peer: Vec<String>,

    /// How long each may take to answer.
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "10s")]
    timeout: Duration,
}

pub(super) async fn run(arguments: Peers, output: &Output) -> Result<(), Failure> {
    let (key, mut peers) = known(&arguments.origin)?;
    peers.extend(arguments.peer);
    if peers.is_empty() {
        let message = format!("{}: no peer is known", arguments.origin);
        return Err(Failure::new(Code::Unreachable, message)
            .hint("name one: --peer HOST:PORT, or hyper://KEY?peer=HOST:PORT"));
    }
    let mut reached = false;
    for (peer, probed) in call_all(key, peers, arguments.timeout).await {
        reached |= probed.as_ref().is_ok_and(|probed| probed.length.is_some());
        tell(&peer, probed, output)?;
    }
    match reached {
        true => Ok(()),
        false => Err(
            Failure::new(Code::Unreachable, "nobody has answered who has the feed")
                .hint("see what is wrong with: hypercore doctor"),
        ),
    }
}

/// The key of a feed, and the addresses of the peers that are known. A directory is only looked at, so that another process may
/// have it open.
pub(super) fn known(origin: &Origin) -> Result<(PublicKey, Vec<String>), Failure> {
    match origin {
        Origin::Directory(dir) => Ok((key_of(dir)?, KnownPeers::of(dir).read())),
        Origin::Link(link) => Ok((link.key, link.peers.clone())),
    }
}

/// What stands in the file of the public key.
fn key_of(dir: &Path) -> Result<PublicKey, Failure> {
    let none = || {
        let message = format!("{}: there is no feed", dir.display());
        Failure::new(Code::NotFound, message).hint("make one with: hypercore create DIR")
    };
    let bytes = fs::read(dir.join("key")).map_err(|_| none())?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| none())?;
    Ok(PublicKey::new(bytes))
}

/// How each of the peers is, in their order. All are called at once.
pub(super) async fn call_all(
    key: PublicKey,
    mut peers: Vec<String>,
    time: Duration,
) -> Vec<(String, Result<Probed, Failure>)> {
    let mut seen = std::collections::BTreeSet::new();
    peers.retain(|peer| seen.insert(peer.clone()));
    let calls = peers.into_iter().map(|peer| {
        let called = peer.clone();
        (
            peer,
            task::spawn(async move { probe(key, &called, time).await }),
        )
    });
    let calls: Vec<_> = calls.collect();
    let mut all = Vec::new();
    for (peer, call) in calls {
        all.push((peer, call.await));
    }
    all
}

fn tell(peer: &str, probed: Result<Probed, Failure>, output: &Output) -> Result<(), Failure> {
    match probed {
        Ok(probed) => {
            let dialect = number(probed.dialect);
            let millis = u64::try_from(probed.delay.as_millis()).unwrap_or(u64::MAX);
            let fields = json!({
                "peer": peer, "dialect": dialect, "delay_ms": millis, "length": probed.length,
            });
            let length = match probed.length {
                Some(length) => format!("{length} blocks"),
                None => "doesn't have this feed".to_owned(),
            };
            let human = format!("{peer:<24} dialect {dialect}   {millis} ms   {length}");
            output.result("peer", fields, human)
        }
        Err(failure) => {
            let fields = json!({ "peer": peer, "error": failure.to_string() });
            output.result("peer", fields, format_args!("{peer:<24} {failure}"))
        }
    }
}
