//! `hypercore info DIR`

use hypercore::Dialect;
use serde_json::json;

use super::{close, open};
use crate::{arguments::Place, failure::Failure, output::Output};

pub(super) async fn run(arguments: Place, output: &Output) -> Result<(), Failure> {
    let dir = &arguments.dir;
    let feed = open(dir, Dialect::default()).await?;
    let length = feed.len();
    let have = feed.downloaded(0..length);
    let fields = json!({
        "dir": dir.display().to_string(),
        "key": feed.key().to_string(),
        "discovery_key": feed.discovery_key().to_string(),
        "length": length,
        "byte_length": feed.byte_len(),
        "have": have,
        "writable": feed.is_writable(),
        "tree_hash": feed.tree_hash().to_string(),
    });
    let human = format!(
        "\
key            {}
discovery key  {}
length         {length} blocks, {} bytes
here           {have} blocks
writable       {}
tree hash      {}",
        feed.key(),
        feed.discovery_key(),
        feed.byte_len(),
        if feed.is_writable() { "yes" } else { "no" },
        feed.tree_hash(),
    );
    output.result("info", fields, human)?;
    close(dir, &feed).await
}
