//! `hypercore get DIR INDEX...`

use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use data_encoding::BASE64;
use hypercore::{Dialect, Hypercore};
use serde_json::{Value, json};

use super::{close, open};
use crate::{
    failure::{Code, Failure},
    output::Output,
};

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The feed's directory.
    pub(crate) dir: PathBuf,

    /// The numbers of the blocks, counted from 0.
    #[arg(required = true)]
    pub(crate) blocks: Vec<u64>,
}

pub(super) async fn run(arguments: Get, output: &Output) -> Result<(), Failure> {
    let dir = &arguments.dir;
    let feed = open(dir, Dialect::default()).await?;
    for &index in &arguments.blocks {
        let block = local(dir, &feed, index).await?;
        match output.is_json() {
            true => output.news("block", block_line(index, &block), "")?,
            false => output.data(&block)?,
        }
    }
    close(dir, &feed).await
}

/// A block that is stored here: without peers there is nobody to wait for.
pub(super) async fn local(dir: &Path, feed: &Hypercore, index: u64) -> Result<Bytes, Failure> {
    if index >= feed.len() {
        let message = format!(
            "{}: no block {index}, the length is {}",
            dir.display(),
            feed.len()
        );
        return Err(Failure::new(Code::NotFound, message));
    }
    if !feed.has(index) {
        let message = format!("{}: block {index} is not here", dir.display());
        return Err(
            Failure::new(Code::Incomplete, message).hint("fetch it with: hypercore clone LINK DIR")
        );
    }
    feed.get(index)
        .await
        .map_err(|error| Failure::at(dir, error))
}

/// A block as JSON: binary data travels as base64.
pub(super) fn block_line(index: u64, block: &[u8]) -> Value {
    json!({ "index": index, "len": block.len(), "data": BASE64.encode(block) })
}
