//! `hypercore create DIR [--from-secret FILE] [--secret-at FILE]`

use std::path::PathBuf;

use clap::Args;
use hypercore::Hypercore;
use serde_json::json;

use super::{close, storage};
use crate::{
    failure::{Code, Failure},
    link::Link,
    output::Output,
    secret::Secret,
};

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The directory to make.
    pub(crate) dir: PathBuf,

    /// Make the feed of this secret key, in place of a new one: a file secret_key, hex digits, or a backup. - is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) from_secret: Option<PathBuf>,

    /// Keep the secret key in this file, in place of one in the directory. Name it again to append.
    #[arg(
        long,
        value_name = "FILE",
        env = "HYPERCORE_SECRET_AT",
        hide_env_values = true
    )]
    pub(crate) secret_at: Option<PathBuf>,
}

pub(super) async fn run(arguments: Create, output: &Output) -> Result<(), Failure> {
    let dir = &arguments.dir;
    if dir.join("key").exists() {
        let message = format!("{}: there is a feed already", dir.display());
        return Err(Failure::new(Code::Other, message).hint("choose another directory"));
    }
    if let Some(file) = arguments.secret_at.as_ref().filter(|file| file.exists()) {
        let message = format!("{} is there already", file.display());
        return Err(Failure::new(Code::Other, message)
            .hint("choose another name; or, to make the feed of that key: --from-secret FILE"));
    }
    let mut builder = Hypercore::builder(storage(dir, arguments.secret_at.as_deref()));
    if let Some(file) = &arguments.from_secret {
        builder = builder.secret_key(new_feed_of(Secret::read(file)?)?.pair.secret().clone());
    }
    let feed = builder
        .open()
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

/// A key of which it isn't known that its feed had blocks. An empty feed that is appended to would be a second history of it.
fn new_feed_of(secret: Secret) -> Result<Secret, Failure> {
    match secret.length {
        Some(length @ 1..) => {
            let message = format!("this feed had {length} blocks when its key was backed up");
            Err(Failure::new(Code::Other, message).hint(format!(
                "fetch them, so that nothing is signed twice: hypercore clone hyper://{} DIR; then: hypercore key import DIR FILE",
                secret.pair.public()
            )))
        }
        _ => Ok(secret),
    }
}
