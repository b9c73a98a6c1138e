//! `hypercore cat FEED`: all of it, or a range of its blocks or bytes.

use bytes::Bytes;
use clap::Args;
use serde_json::json;

use crate::{
    failure::Failure,
    output::Output,
    source::{ReadFrom, Source},
    span::Span,
};

#[derive(Debug, Args)]
pub(crate) struct Cat {
    #[command(flatten)]
    from: ReadFrom,

    /// Print only these blocks: 3..7, 3..=6, -5.. (the last five).
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    blocks: Option<Span>,

    /// Print only these bytes. Of what is not here, only the blocks are fetched that hold them.
    #[arg(
        long,
        value_name = "RANGE",
        allow_hyphen_values = true,
        conflicts_with = "blocks"
    )]
    bytes: Option<Span>,

    /// What to print behind each block.
    #[arg(long, value_name = "TEXT")]
    sep: Option<String>,
}

pub(super) async fn run(arguments: Cat, output: &Output) -> Result<(), Failure> {
    let mut source = Source::open(&arguments.from, false, output).await?;
    let (length, byte_length) = (source.feed.len(), source.feed.byte_len());
    let print = |index: u64, block: Bytes| {
        output.block(index, &block)?;
        match &arguments.sep {
            Some(sep) if !output.is_json() => output.data(sep.as_bytes()),
            _ => Ok(()),
        }
    };
    match &arguments.bytes {
        Some(bytes) => source.each_bytes(bytes.within(byte_length), print).await?,
        None => {
            let blocks = arguments.blocks.unwrap_or(Span::ALL);
            source.each(blocks.within(length), print).await?;
        }
    }
    if output.is_json() {
        let fields = json!({ "length": length, "byte_length": byte_length });
        output.news("summary", fields, "")?;
    }
    source.close().await
}
