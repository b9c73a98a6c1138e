//! `hypercore proof export|check`: a block that is proved without a feed and without a network.
//!
//! The file is a portable proof (see docs/format.md) with the block behind it, unless that was left out.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use data_encoding::BASE64;
use hypercore::{Error, FeedError, Fork, PortableError, PortableProof};
use serde_json::json;

use crate::{
    failure::{Code, Failure},
    link::Link,
    output::Output,
    source::{ReadFrom, Source},
    units::MAX_BLOCK,
};

/// No proof, nor evidence of a fork, with its block is longer.
const MAX_FILE: u64 = MAX_BLOCK as u64 + (1 << 16);

#[derive(Debug, Subcommand)]
pub(crate) enum Proof {
    /// Write the proof of a block, with the block, to a file.
    Export(Export),
    /// Check what `proof export` wrote, or the evidence of a fork that `diff` wrote.
    Check(Check),
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) from: ReadFrom,

    /// The number of the block, counted from 0.
    pub(crate) index: u64,

    /// The file to write. - is standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,

    /// Leave the block itself out: whoever checks the proof has it already.
    #[arg(long)]
    pub(crate) no_block: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The file of the proof. - is standard input.
    pub(crate) file: PathBuf,

    /// The public key of the feed, or its link.
    #[arg(long)]
    pub(crate) key: Link,

    /// The block, in place of the one in the file of the proof.
    #[arg(long, value_name = "FILE")]
    pub(crate) block: Option<PathBuf>,
}

pub(super) async fn run(arguments: Proof, output: &Output) -> Result<(), Failure> {
    match arguments {
        Proof::Export(arguments) => export(&arguments, output).await,
        Proof::Check(arguments) => check(&arguments, output),
    }
}

async fn export(arguments: &Export, output: &Output) -> Result<(), Failure> {
    let (index, origin) = (arguments.index, &arguments.from.origin);
    let mut source = Source::open(&arguments.from, false, output).await?;
    let block = match arguments.no_block {
        true => None,
        false => Some(source.block(index).await?),
    };
    let proof = match source.feed.portable_proof(index) {
        // With the block its hashes are fetched.
        Err(Error::Feed(FeedError::NoProof { .. })) => {
            source.block(index).await?;
            source.feed.portable_proof(index)
        }
        proof => proof,
    };
    let proof = proof.map_err(|error| Failure::from(error).of(origin))?;
    source.close().await?;
    let mut bytes = proof.to_bytes();
    bytes.extend(block.iter().flatten());
    let mut fields = json!({ "block": index, "length": proof.length(), "bytes": bytes.len() });
    if arguments.output == Path::new("-") {
        fields["data"] = BASE64.encode(&bytes).into();
        return match output.is_json() {
            true => output.news("proof", fields, ""),
            false => output.data(&bytes),
        };
    }
    let name = arguments.output.display().to_string();
    fs::write(&arguments.output, &bytes)
        .map_err(|error| Failure::system(format_args!("cannot write {name}"), error))?;
    fields["file"] = name.as_str().into();
    let human = format!(
        "written  {name}   {} bytes, block {index} of {}",
        bytes.len(),
        proof.length()
    );
    output.news("proof", fields, human)
}

fn check(arguments: &Check, output: &Output) -> Result<(), Failure> {
    let bytes = read(&arguments.file)?;
    let (proof, block) = match PortableProof::split_from(&bytes) {
        Err(PortableError::NotAProof) => return check_fork(arguments, &bytes, output),
        split => split.map_err(|error| wrong(&arguments.file, error))?,
    };
    let key = arguments.key.key;
    let given = arguments.block.as_deref().map(read).transpose()?;
    let verified = proof.verify(&key, given.as_deref().unwrap_or(block));
    if let Err(error) = verified {
        let failure = wrong(&arguments.file, error);
        return Err(match (&given, block) {
            (None, []) => failure.hint("the block isn't in this file: name it with --block FILE"),
            _ => failure.hint(format!(
                "the block, the proof, or the key {key} is another one"
            )),
        });
    }
    let len = given.as_deref().unwrap_or(block).len();
    let (index, length) = (proof.block(), proof.length());
    let fields = json!({
        "key": key.to_string(), "block": index, "len": len, "length": length, "valid": true,
    });
    let human =
        format!("block {index} ({len} bytes) is in feed {key} at length {length}: signature valid");
    output.result("proof", fields, human)
}

/// Two histories of one feed, both signed.
fn check_fork(arguments: &Check, bytes: &[u8], output: &Output) -> Result<(), Failure> {
    let fork =
        Fork::from_bytes(bytes).map_err(|_| wrong(&arguments.file, PortableError::NotAProof))?;
    let key = arguments.key.key;
    fork.verify(&key).map_err(|error| {
        wrong(&arguments.file, error).hint(format!(
            "it proves nothing of {key}: is that the right key?"
        ))
    })?;
    let (ours, theirs) = (fork.ours().length(), fork.theirs().length());
    let blocks = fork.index().first_block()..fork.index().end_block();
    let fields = json!({
        "key": key.to_string(),
        "start": blocks.start,
        "end": blocks.end,
        "lengths": [ours, theirs],
        "valid": true,
    });
    let human = format!(
        "feed {key} has two histories, of {ours} and of {theirs} blocks, which differ in blocks {}..{}: both signatures valid",
        blocks.start, blocks.end
    );
    output.result("fork", fields, human)
}

fn wrong(file: &Path, error: impl std::error::Error) -> Failure {
    Failure::new(Code::Damaged, error)
        .of(file.display())
        .hint("write the proof again, with: hypercore proof export FEED INDEX -o FILE")
}

/// A whole file, if it can be one that is meant here.
fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let name = file.display();
    let cannot = |error| Failure::system(format_args!("cannot read {name}"), error);
    let mut bytes = Vec::new();
    let read = match file == Path::new("-") {
        true => io::stdin().take(MAX_FILE + 1).read_to_end(&mut bytes),
        false => {
            let input = fs::File::open(file).map_err(cannot)?;
            input.take(MAX_FILE + 1).read_to_end(&mut bytes)
        }
    };
    match read.map_err(cannot)? as u64 > MAX_FILE {
        true => Err(Failure::new(
            Code::Damaged,
            format!("{name} is too long to be a proof or a block"),
        )
        .hint("is it the right file?")),
        false => Ok(bytes),
    }
}
