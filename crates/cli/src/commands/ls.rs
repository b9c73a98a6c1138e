//! `hypercore ls FEED [--blocks A..B] [--missing]`

use std::ops::Range;

use clap::Args;
use hypercore::{Error, FeedError, Hypercore};
use serde_json::json;

use crate::{
    failure::Failure,
    output::Output,
    source::{ReadFrom, Source},
    span::Span,
};

/// How much of a hash a person is shown.
const PREFIX: usize = 16;

#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    pub(crate) from: ReadFrom,

    /// Which blocks: A..B, A..=B, A.., ..B, or -100.. for the last hundred.
    #[arg(
        long,
        value_name = "RANGE",
        allow_hyphen_values = true,
        default_value = ".."
    )]
    pub(crate) blocks: Span,

    /// List the blocks that are not here, as ranges.
    #[arg(long)]
    pub(crate) missing: bool,
}

pub(super) async fn run(arguments: Ls, output: &Output) -> Result<(), Failure> {
    let origin = &arguments.from.origin;
    let source = Source::open(&arguments.from, false, output).await?;
    let feed = &source.feed;
    let blocks = arguments.blocks.within(feed.len());
    match arguments.missing {
        true => missing(feed, blocks, output)?,
        false => list(feed, blocks, output).map_err(|error| error.of(origin))?,
    }
    source.close().await
}

fn missing(feed: &Hypercore, blocks: Range<u64>, output: &Output) -> Result<(), Failure> {
    for gap in feed.missing(blocks) {
        let count = gap.end - gap.start;
        let fields = json!({ "start": gap.start, "end": gap.end });
        let human = format!("{}..{}   {count} blocks", gap.start, gap.end);
        output.result("missing", fields, human)?;
    }
    Ok(())
}

/// A line for each block, as far as its place and its hash are known here.
fn list(feed: &Hypercore, blocks: Range<u64>, output: &Output) -> Result<(), Failure> {
    output.tell(format_args!(
        "{:>10} {:>14} {:>10}  here  hash",
        "block", "offset", "bytes"
    ));
    let mut offset = None;
    for block in blocks {
        if offset.is_none() {
            offset = offset_of(feed, block)?;
        }
        let node = known(feed.block_info(block))?;
        let here = feed.has(block);
        let fields = json!({
            "index": block,
            "offset": offset,
            "len": node.map(|node| node.size),
            "here": here,
            "hash": node.map(|node| node.hash.to_string()),
        });
        let hash = node.map(|node| node.hash.to_string());
        let human = format!(
            "{block:>10} {:>14} {:>10}  {:4}  {}",
            or_dash(offset),
            or_dash(node.map(|node| node.size)),
            if here { "yes" } else { "no" },
            hash.as_deref()
                .and_then(|hash| hash.get(..PREFIX))
                .unwrap_or("-"),
        );
        output.result("entry", fields, human)?;
        offset = offset.zip(node).map(|(offset, node)| offset + node.size);
    }
    Ok(())
}

/// Where a block begins: behind all that is under the roots of those before it. None if these aren't here.
fn offset_of(feed: &Hypercore, block: u64) -> Result<Option<u64>, Failure> {
    let Some(before) = block.checked_sub(1) else {
        return Ok(Some(0));
    };
    let roots = known(feed.root_hashes(before))?;
    Ok(roots.map(|roots| roots.iter().map(|root| root.size).sum()))
}

/// What is stored; none if it isn't, as in a copy that has only some blocks.
fn known<T>(read: hypercore::Result<T>) -> Result<Option<T>, Failure> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(Error::Feed(
            FeedError::MissingRoots { .. }
            | FeedError::NoProof { .. }
            | FeedError::NotStored { .. },
        )) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn or_dash(number: Option<u64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}
