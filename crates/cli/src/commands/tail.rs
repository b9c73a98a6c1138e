//! `hypercore tail FEED`: the last blocks, and with `-f` those that are appended.
//!
//! To follow a copy is to be its live clone: what comes is stored in the directory, and no other process has it open meanwhile.

use clap::Args;
use futures_lite::{FutureExt, StreamExt};

use crate::{
    failure::Failure,
    output::Output,
    source::{ReadFrom, Source},
};

#[derive(Debug, Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    from: ReadFrom,

    /// How many blocks to begin with.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 10)]
    lines: u64,

    /// Go on with what is appended, until Ctrl-C. A directory is kept up to date from the peers that it remembers.
    #[arg(long, short)]
    follow: bool,

    /// What to print behind each block. Default: a line end, unless the block has one.
    #[arg(long, value_name = "TEXT")]
    sep: Option<String>,
}

pub(super) async fn run(arguments: Tail, output: &Output) -> Result<(), Failure> {
    let mut source = Source::open(&arguments.from, arguments.follow, output).await?;
    let print = |index: u64, block: bytes::Bytes| {
        output.block(index, &block)?;
        match &arguments.sep {
            _ if output.is_json() => Ok(()),
            Some(sep) => output.data(sep.as_bytes()),
            None if block.ends_with(b"\n") => Ok(()),
            None => output.data(b"\n"),
        }
    };
    let length = source.feed.len();
    let first = length.saturating_sub(arguments.lines);
    source.each(first..length, print).await?;
    if arguments.follow {
        follow(&mut source, length, print).await?;
    }
    source.close().await
}

/// Hands over what is appended, until nobody is left to follow.
async fn follow(
    source: &mut Source,
    length: u64,
    mut print: impl FnMut(u64, bytes::Bytes) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let feed = source.feed.clone();
    let mut blocks = feed.read(length..).live(true);
    for index in length.. {
        let next = async { blocks.next().await.map(|block| Ok(block?)) };
        let lost = async { Some(Err(source.lost().await)) };
        match next.or(lost).await {
            Some(block) => print(index, block?)?,
            None => break,
        }
        source.forget(index).await?;
    }
    Ok(())
}
