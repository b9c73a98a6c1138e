//! `hypercore seek DIR BYTE`

use std::path::PathBuf;

use clap::Args;
use hypercore::Dialect;
use serde_json::json;

use super::{close, open};
use crate::{
    failure::{Code, Failure},
    output::Output,
    units::parse_bytes,
};

#[derive(Debug, Args)]
pub(crate) struct Seek {
    /// The feed's directory.
    pub(crate) dir: PathBuf,

    /// The byte to look for, counted from 0: 4711, 64k, 1MiB, ...
    #[arg(value_parser = parse_bytes)]
    pub(crate) byte: u64,
}

pub(super) async fn run(arguments: Seek, output: &Output) -> Result<(), Failure> {
    let (dir, byte) = (&arguments.dir, arguments.byte);
    let feed = open(dir, Dialect::default()).await?;
    if byte >= feed.byte_len() {
        let message = format!(
            "{}: no byte {byte}, the feed has {}",
            dir.display(),
            feed.byte_len()
        );
        return Err(
            Failure::new(Code::NotFound, message).hint("see its size with: hypercore info DIR")
        );
    }
    let (block, offset) = feed
        .seek(byte)
        .wait(false)
        .await
        .map_err(|error| Failure::at(dir, error))?;
    close(dir, &feed).await?;
    let fields = json!({ "byte": byte, "block": block, "offset": offset });
    output.result(
        "position",
        fields,
        format_args!("block {block}, byte {offset} of it"),
    )
}
