//! `hypercore append DIR [TEXT...] [--file F] [--block SIZE] [--lines]`

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use clap::Args;
use hypercore::Hypercore;
use serde_json::json;

use super::{close, open};
use crate::{
    arguments::Form,
    failure::Failure,
    output::Output,
    units::{MAX_BLOCK, parse_size},
};

/// How many bytes, and how many blocks, share a signature when much is appended.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
const BATCH_BLOCKS: usize = 4096;

#[derive(Debug, Args)]
pub(crate) struct Append {
    /// The feed's directory.
    pub(crate) dir: PathBuf,

    /// Texts to append, a block each. Without any, and without --file, standard input is appended.
    #[arg(conflicts_with_all = ["file", "lines"])]
    pub(crate) texts: Vec<String>,

    /// Append this file (may be given several times).
    #[arg(long, short)]
    pub(crate) file: Vec<PathBuf>,

    /// The size of the blocks that files and standard input are cut into: 64k, 1MiB, ...
    #[arg(long, short, value_parser = parse_size, default_value = "64k")]
    pub(crate) block: usize,

    /// Make a block of each line, without its line end.
    #[arg(long, short, conflicts_with = "block")]
    pub(crate) lines: bool,

    /// Which JavaScript version's form the signatures shall have. Both versions read those of 8.
    #[arg(long, value_enum, default_value = "8")]
    pub(crate) dialect: Form,
}

pub(super) async fn run(arguments: Append, output: &Output) -> Result<(), Failure> {
    let dir = &arguments.dir;
    let feed = open(dir, arguments.dialect.into()).await?;
    let mut appender = Appender::new(dir, &feed);
    if !arguments.texts.is_empty() {
        for text in arguments.texts.iter() {
            appender
                .push(Bytes::copy_from_slice(text.as_bytes()))
                .await?;
        }
    } else if arguments.file.is_empty() {
        appender
            .read(io::stdin(), "standard input", &arguments)
            .await?;
    } else {
        for file in &arguments.file {
            let name = file.display().to_string();
            let input = File::open(file).map_err(|error| unreadable(&name, error))?;
            appender.read(input, &name, &arguments).await?;
        }
    }
    let added = appender.finish().await?;
    close(dir, &feed).await?;
    let fields = json!({
        "start": added.start, "end": added.end, "bytes": added.bytes, "signatures": added.signatures,
        "length": feed.len(), "byte_length": feed.byte_len(),
    });
    output.news(
        "added",
        fields,
        format_args!(
            "added    {}..{}   {} bytes   {} signatures",
            added.start, added.end, added.bytes, added.signatures
        ),
    )
}

/// What was appended so far.
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
    batch: Vec<Bytes>,
    batch_bytes: usize,
    added: Added,
}

impl<'a> Appender<'a> {
    fn new(dir: &'a Path, feed: &'a Hypercore) -> Self {
        Appender {
            dir,
            feed,
            batch: Vec::new(),
            batch_bytes: 0,
            added: Added {
                start: feed.len(),
                end: feed.len(),
                bytes: 0,
                signatures: 0,
            },
        }
    }

    /// Appends all that a reader gives, in blocks of the size asked for or by lines.
    async fn read(
        &mut self,
        input: impl Read,
        name: &str,
        arguments: &Append,
    ) -> Result<(), Failure> {
        let mut input = BufReader::with_capacity(64 * 1024, input);
        loop {
            let block = match arguments.lines {
                true => read_line(&mut input),
                false => read_block(&mut input, arguments.block),
            };
            match block.map_err(|error| unreadable(name, error))? {
                Some(block) => self.push(block).await?,
                None => return Ok(()),
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
        Ok(())
    }

    async fn finish(mut self) -> Result<Added, Failure> {
        self.flush().await?;
        Ok(self.added)
    }
}

fn read_block(input: &mut impl Read, size: usize) -> io::Result<Option<Bytes>> {
    let mut block = Vec::with_capacity(size);
    input.take(size as u64).read_to_end(&mut block)?;
    Ok((!block.is_empty()).then(|| block.into()))
}

/// The next line, without its end. One that is too long for a block is refused before all of it is in memory.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Bytes>> {
    let mut line = Vec::new();
    let with_end = MAX_BLOCK as u64 + 1;
    if input.take(with_end).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > MAX_BLOCK {
        let message = format!("a line is longer than the {MAX_BLOCK} bytes of a block");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(Some(line.into()))
}

fn unreadable(name: &str, error: io::Error) -> Failure {
    Failure::system(format_args!("cannot read {name}"), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_cut_into_blocks_with_the_rest_last() {
        let mut input = &b"abcdefg"[..];
        let mut blocks = Vec::new();
        while let Some(block) = read_block(&mut input, 3).unwrap() {
            blocks.push(block);
        }
        assert_eq!(blocks, ["abc", "def", "g"]);
    }

    #[test]
    fn lines_lose_their_ends_and_empty_ones_stay() {
        let mut input = &b"a\n\nb"[..];
        let mut lines = Vec::new();
        while let Some(line) = read_line(&mut input).unwrap() {
            lines.push(line);
        }
        assert_eq!(lines, ["a", "", "b"]);
    }

    #[test]
    fn a_line_that_fits_in_no_block_is_refused() {
        let fits = vec![b'x'; MAX_BLOCK];
        let line = read_line(&mut &[&fits[..], b"\ny"].concat()[..]).unwrap();
        assert_eq!(line.unwrap().len(), MAX_BLOCK);
        let line = read_line(&mut &fits[..]).unwrap();
        assert_eq!(line.unwrap().len(), MAX_BLOCK);
        assert!(read_line(&mut &[&fits[..], b"x\n"].concat()[..]).is_err());
    }
}
