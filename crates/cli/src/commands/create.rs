//! `hypercore create DIR`

use std::path::PathBuf;

use clap::Args;
use hypercore::Hypercore;
use serde_json::json;

use super::close;
use crate::{
    failure::{Code, Failure},
    link::Link,
    output::Output,
};

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The directory to make.
    pub(crate) dir: PathBuf,
}

pub(super) async fn run(arguments: Create, output: &Output) -> Result<(), Failure> {
    let dir = &arguments.dir;
    if dir.join("key").exists() {
        let message = format!("{}: there is a feed already", dir.display());
        return Err(Failure::new(Code::Other, message).hint("choose another directory"));
    }
    let feed = Hypercore::open(dir)
        .await
        .map_err(|error| Failure::at(dir, error))?;
    let link = Link {
        key: feed.key(),
        peers: Vec::new(),
    };
    close(dir, &feed).await?;
    output.tell(format_args!(
        "created  {}   (empty, writable)",
        dir.display()
    ));
    let fields = json!({
        "dir": dir.display().to_string(),
        "link": link.to_string(),
        "key": feed.key().to_string(),
        "discovery_key": feed.discovery_key().to_string(),
    });
    output.result("created", fields, link)
}
