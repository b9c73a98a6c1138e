//! `hypercore cat DIR`

use hypercore::Dialect;
use serde_json::json;

use super::{close, open};
use crate::{
    arguments::Place,
    commands::get::{block_line, local},
    failure::Failure,
    output::Output,
};

pub(super) async fn run(arguments: Place, output: &Output) -> Result<(), Failure> {
    let dir = &arguments.dir;
    let feed = open(dir, Dialect::default()).await?;
    for index in 0..feed.len() {
        let block = local(dir, &feed, index).await?;
        match output.is_json() {
            true => output.news("block", block_line(index, &block), "")?,
            false => output.data(&block)?,
        }
    }
    if output.is_json() {
        let fields = json!({ "length": feed.len(), "byte_length": feed.byte_len() });
        output.news("summary", fields, "")?;
    }
    close(dir, &feed).await
}
