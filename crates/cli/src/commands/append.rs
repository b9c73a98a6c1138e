//! `hypercore append DIR [TEXT...]`: blocks of texts, files, standard input, or a file that grows.

mod archive;
mod cut;
mod follow;
mod input;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use async_std::future::timeout;
use bytes::Bytes;
use clap::Args;
use futures_lite::FutureExt;
use hypercore::Hypercore;
use serde_json::json;

use self::{
    cut::Cut,
    input::{Input, Piece},
};
use super::{close, storage};
use crate::{
    arguments::Form,
    failure::{Code, Failure},
    interrupt::{self, Listening},
    output::Output,
    units::parse_size,
};

/// How many bytes, and how many blocks, share a signature when much is appended.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
const BATCH_BLOCKS: usize = 4096;

/// So long what came waits for more, to share a signature with it.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(crate) struct Append {
    /// The feed's directory.
    pub(crate) dir: PathBuf,

    /// Texts to append, a block each. Without any, and without --file, standard input is appended.
    #[arg(conflicts_with_all = ["file", "lines", "json_lines", "follow"])]
    pub(crate) texts: Vec<String>,

    /// Append this file (may be given several times).
    #[arg(long, short)]
    pub(crate) file: Vec<PathBuf>,

    /// Append an archive of these files and folders; `hypercore cat FEED | tar x` unpacks it.
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with_all = ["texts", "file", "lines", "json_lines", "follow"])]
    pub(crate) tar: Vec<PathBuf>,

    /// The size of the blocks that files, archives and standard input are cut into: 64k, 1MiB, ...
    #[arg(long, short, value_parser = parse_size, default_value = "64k")]
    pub(crate) block: usize,

    /// Make a block of each line, without its line end.
    #[arg(long, short, conflicts_with = "block")]
    pub(crate) lines: bool,

    /// Make a block of each line, which must be JSON and keeps its line end, as the values of JavaScript's encoding json do.
    #[arg(long, conflicts_with_all = ["block", "lines"])]
    pub(crate) json_lines: bool,

    /// Append the lines of a file, then those that are written to it, until Ctrl-C. A file that is renamed and made anew, or cut
    /// and written from its beginning, is followed on.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "block"])]
    pub(crate) follow: Option<PathBuf>,

    /// With --follow: leave out the lines that are in the file already.
    #[arg(long, requires = "follow")]
    pub(crate) from_end: bool,

    /// Where the secret key is, if not in the directory: what --secret-at of `create` named.
    #[arg(
        long,
        value_name = "FILE",
        env = "HYPERCORE_SECRET_AT",
        hide_env_values = true
    )]
    pub(crate) secret_at: Option<PathBuf>,

    /// Which JavaScript version's form the signatures shall have. Both versions read those of 8.
    #[arg(long, value_enum, default_value = "8")]
    pub(crate) dialect: Form,
}

impl Append {
    fn cut(&self) -> Cut {
        match (self.json_lines, self.lines || self.follow.is_some()) {
            (true, _) => Cut::JsonLines,
            (false, true) => Cut::Lines,
            (false, false) => Cut::Blocks(self.block),
        }
    }
}

pub(super) async fn run(arguments: Append, output: &Output) -> Result<(), Failure> {
    let dir = &arguments.dir;
    let interrupt = interrupt::listen();
    let feed = Hypercore::builder(storage(dir, arguments.secret_at.as_deref()))
        .create_if_missing(false)
        .dialect(arguments.dialect.into())
        .open()
        .await
        .map_err(|error| Failure::at(dir, error))?;
    if !feed.is_writable() {
        let message = format!("{}: the secret key is not here", dir.display());
        return Err(Failure::new(Code::Other, message).hint(
            "append where the feed was made, or name the file with --secret-at, or bring it with: hypercore key import DIR FILE",
        ));
    }
    let mut appender = Appender::new(dir, &feed, output);
    let appended = append(&mut appender, &arguments, &interrupt).await;
    // What came before something went wrong stays, whole blocks of it.
    let flushed = appender.flush().await;
    let closed = close(dir, &feed).await;
    // After a failed write there is nothing true to tell but the failure.
    flushed?;
    closed?;
    appender.tell()?;
    appended
}

async fn append(
    appender: &mut Appender<'_>,
    arguments: &Append,
    interrupt: &Listening,
) -> Result<(), Failure> {
    for text in &arguments.texts {
        appender
            .push(Bytes::copy_from_slice(text.as_bytes()))
            .await?;
    }
    let cut = arguments.cut();
    if let Some(file) = &arguments.follow {
        let input = Input::following(file, cut, arguments.from_end)?;
        appender
            .output
            .tell(format_args!("following {}; Ctrl-C ends", file.display()));
        appender.tells_each = true;
        return appender.take(input, interrupt).await;
    }
    if !arguments.tar.is_empty() {
        let input = Input::archive(&arguments.tar, cut)?;
        return appender.take(input, interrupt).await;
    }
    for file in &arguments.file {
        appender.take(Input::file(file, cut)?, interrupt).await?;
    }
    if arguments.texts.is_empty() && arguments.file.is_empty() {
        appender.take(Input::standard(cut), interrupt).await?;
    }
    Ok(())
}

/// What was appended.
#[derive(Clone, Copy)]
struct Added {
    start: u64,
    end: u64,
    bytes: u64,
    signatures: u64,
}

/// Collects blocks and appends them in batches, so that memory stays bounded however much comes.
struct Appender<'a> {
    dir: &'a Path,
    feed: &'a Hypercore,
    output: &'a Output,
    batch: Vec<Bytes>,
    batch_bytes: usize,
    added: Added,
    /// Whether each batch is told of, because nobody knows when the last one comes.
    tells_each: bool,
}

impl<'a> Appender<'a> {
    fn new(dir: &'a Path, feed: &'a Hypercore, output: &'a Output) -> Self {
        Appender {
            dir,
            feed,
            output,
            batch: Vec::new(),
            batch_bytes: 0,
            added: Added {
                start: feed.len(),
                end: feed.len(),
                bytes: 0,
                signatures: 0,
            },
            tells_each: false,
        }
    }

    /// Appends all that an input gives, until it ends or Ctrl-C is pressed.
    async fn take(&mut self, input: Input, interrupt: &Listening) -> Result<(), Failure> {
        loop {
            let next = async {
                match self.batch.is_empty() {
                    true => Ok(input.next().await),
                    false => timeout(PAUSE, input.next()).await,
                }
            };
            let interrupted = async {
                interrupt.pressed().await;
                Ok(Some(Piece::Interrupted))
            };
            match next.or(interrupted).await {
                Ok(Some(Piece::Blocks(blocks))) => {
                    for block in blocks {
                        self.push(block).await?;
                    }
                }
                Ok(Some(Piece::Idle)) | Err(_) => self.flush().await?,
                Ok(Some(Piece::News(what))) => {
                    let fields = json!({ "file": input.name(), "event": what });
                    let human = format_args!("{}: {what}", input.name());
                    self.output.news("followed", fields, human)?;
                }
                Ok(Some(Piece::Failed(failure))) => return Err(failure),
                Ok(Some(Piece::Interrupted)) => {
                    return Err(Failure::new(
                        Code::Interrupted,
                        "interrupted; what was appended stays",
                    ));
                }
                Ok(None) => return Ok(()),
            }
        }
    }

    async fn push(&mut self, block: Bytes) -> Result<(), Failure> {
        self.batch_bytes += block.len();
        self.batch.push(block);
        if self.batch_bytes >= BATCH_BYTES || self.batch.len() >= BATCH_BLOCKS {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        let range = self
            .feed
            .append_batch(batch)
            .await
            .map_err(|error| Failure::at(self.dir, error))?;
        self.added.end = range.end;
        self.added.bytes += std::mem::take(&mut self.batch_bytes) as u64;
        self.added.signatures += 1;
        if self.tells_each {
            self.tell()?;
            self.added = Added {
                start: range.end,
                end: range.end,
                bytes: 0,
                signatures: 0,
            };
        }
        Ok(())
    }

    /// Says what was appended since it was said last.
    fn tell(&self) -> Result<(), Failure> {
        let Added {
            start,
            end,
            bytes,
            signatures,
        } = self.added;
        if self.tells_each && start == end {
            return Ok(());
        }
        let fields = json!({
            "start": start, "end": end, "bytes": bytes, "signatures": signatures,
            "length": self.feed.len(), "byte_length": self.feed.byte_len(),
        });
        let plural = if signatures == 1 { "" } else { "s" };
        let human = format_args!(
            "added    {start}..{end}   {bytes} bytes   {signatures} signature{plural}"
        );
        self.output.news("added", fields, human)
    }
}
