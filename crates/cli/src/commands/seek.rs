//! `hypercore seek FEED BYTE`

use clap::Args;
use serde_json::json;

use crate::{
    failure::{Code, Failure},
    output::Output,
    source::{ReadFrom, Source},
    units::parse_bytes,
};

#[derive(Debug, Args)]
pub(crate) struct Seek {
    #[command(flatten)]
    pub(crate) from: ReadFrom,

    /// The byte to look for, counted from 0: 4711, 64k, 1MiB, ...
    #[arg(value_parser = parse_bytes)]
    pub(crate) byte: u64,
}

pub(super) async fn run(arguments: Seek, output: &Output) -> Result<(), Failure> {
    let byte = arguments.byte;
    let mut source = Source::open(&arguments.from, false, output).await?;
    let (block, offset) = source.seek(byte).await?;
    let byte_length = source.feed.byte_len();
    if byte >= byte_length {
        let message = format!("no byte {byte}, the feed has {byte_length}");
        return Err(Failure::new(Code::NotFound, message).of(&arguments.from.origin));
    }
    source.close().await?;
    let fields = json!({ "byte": byte, "block": block, "offset": offset });
    output.result(
        "position",
        fields,
        format_args!("block {block}, byte {offset} of it"),
    )
}
