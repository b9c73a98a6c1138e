//! `hypercore info FEED`

use std::{fs, io, path::Path};

use clap::Args;
use hypercore::{File, Hypercore, Node};
use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::verify::witness;
use crate::{
    failure::Failure,
    output::Output,
    source::{Origin, ReadFrom, Source},
};

#[derive(Debug, Args)]
pub(crate) struct Info {
    #[command(flatten)]
    pub(crate) from: ReadFrom,
}

pub(super) async fn run(arguments: Info, output: &Output) -> Result<(), Failure> {
    let origin = &arguments.from.origin;
    let source = Source::open(&arguments.from, false, output).await?;
    let feed = &source.feed;
    let length = feed.len();
    let have = feed.downloaded(0..length);
    let form = form(feed).map_err(|error| error.of(origin))?;
    let roots = roots(feed).map_err(|error| Failure::from(error).of(origin))?;
    let disk = match origin {
        Origin::Directory(dir) => disk_use(dir),
        Origin::Link(_) => 0,
    };
    let fields = json!({
        "feed": origin.to_string(),
        "key": feed.key().to_string(),
        "discovery_key": feed.discovery_key().to_string(),
        "length": length,
        "byte_length": feed.byte_len(),
        "have": have,
        "writable": feed.is_writable(),
        "static": feed.is_static(),
        "form": form,
        "tree_hash": feed.tree_hash().to_string(),
        "roots": roots.iter().map(root_fields).collect::<Vec<_>>(),
        "disk": disk,
    });
    let mut human = format!(
        "\
key            {}
discovery key  {}
length         {length} blocks, {} bytes
here           {have} blocks, {} %
writable       {}
signatures     {}
on disk        {}
tree hash      {}",
        feed.key(),
        feed.discovery_key(),
        feed.byte_len(),
        percent(have, length),
        if feed.is_writable() { "yes" } else { "no" },
        match form {
            _ if feed.is_static() => "none, the feed is static".to_owned(),
            Some(form) => format!("form of JavaScript hypercore {form}"),
            None => "none yet".to_owned(),
        },
        HumanBytes(disk),
        feed.tree_hash(),
    );
    for (n, root) in roots.iter().enumerate() {
        let name = if n == 0 { "roots" } else { "" };
        let blocks = root.index.first_block()..root.index.end_block();
        human += &format!(
            "\n{name:15}{}..{}   {}",
            blocks.start, blocks.end, root.hash
        );
    }
    output.result("info", fields, human)?;
    source.close().await
}

/// Which form the last signature has.
fn form(feed: &Hypercore) -> Result<Option<u8>, Failure> {
    match feed.len().checked_sub(1) {
        Some(last) if !feed.is_static() => Ok(witness(feed, last)?.form()),
        _ => Ok(None),
    }
}

fn roots(feed: &Hypercore) -> hypercore::Result<Vec<Node>> {
    match feed.len().checked_sub(1) {
        Some(last) => feed.root_hashes(last),
        None => Ok(Vec::new()),
    }
}

fn root_fields(root: &Node) -> Value {
    json!({
        "node": root.index.get(),
        "size": root.size,
        "hash": root.hash.to_string(),
    })
}

/// How much of the length is here. Never 100 unless all of it is.
fn percent(have: u64, length: u64) -> u128 {
    match length {
        0 => 100,
        _ => u128::from(have) * 100 / u128::from(length),
    }
}

/// How much room the files take; holes take none.
fn disk_use(dir: &Path) -> u64 {
    let used =
        |file: File| -> io::Result<u64> { Ok(allocated(&fs::metadata(dir.join(file.name()))?)) };
    // Which files there are depends on the feed.
    File::ALL
        .into_iter()
        .filter_map(|file| used(file).ok())
        .sum()
}

#[cfg(unix)]
fn allocated(file: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    // POSIX counts in units of 512 bytes, whatever the file system's blocks are.
    file.blocks() * 512
}

#[cfg(not(unix))]
fn allocated(file: &fs::Metadata) -> u64 {
    file.len()
}
