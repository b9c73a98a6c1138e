//! The two programs under one face: ours and JavaScript's, each in its own words.

use std::{
    collections::BTreeMap,
    fmt,
    ops::Range,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use data_encoding::BASE64;
use serde_json::Value;

use super::{World, content::Content};
use crate::{
    Result,
    process::{Ended, Running},
};

/// How long any of the programs may run: many times what it needs, on a machine that is busy.
pub(super) const TIME: Duration = Duration::from_secs(90);

/// The two versions that we must get along with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V8,
    V9,
}

/// Who runs a feed in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Ours,
    JavaScript(Version),
}

/// A feed on disk, and whose it is.
pub(super) struct Feed<'a> {
    pub(super) world: &'a World,
    pub(super) side: Side,
    pub(super) dir: PathBuf,
}

/// What is in a feed, as far as both sides can tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State {
    key: String,
    discovery_key: String,
    length: u64,
    byte_length: u64,
    /// Nobody asks JavaScript for the one of a feed without blocks.
    tree_hash: Option<String>,
    /// Those that are stored.
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl Version {
    pub(super) const ALL: [Self; 2] = [Version::V8, Version::V9];

    pub(super) fn number(self) -> &'static str {
        match self {
            Version::V8 => "8",
            Version::V9 => "9",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Side::Ours => f.write_str("ours"),
            Side::JavaScript(version) => write!(f, "js{}", version.number()),
        }
    }
}

impl<'a> Feed<'a> {
    pub(super) fn new(world: &'a World, side: Side, dir: &Path) -> Self {
        Feed {
            world,
            side,
            dir: dir.into(),
        }
    }

    /// The same directory in the hands of the other side.
    pub(super) fn handed_to(&self, side: Side) -> Self {
        Feed::new(self.world, side, &self.dir)
    }

    /// Makes a feed with something in it.
    pub(super) fn create(&self, content: &Content) -> Result {
        if self.side == Side::Ours {
            self.start(["create"], &[])?.finish()?.ok()?;
        }
        self.append(content)
    }

    /// Appends to it.
    pub(super) fn append(&self, content: &Content) -> Result {
        let arguments = content.arguments();
        match self.side {
            Side::Ours => {
                // Our program says --lines --file F, because it takes standard input too.
                let lines = arguments[0] == "--lines";
                let mut ours = arguments.clone();
                if lines {
                    ours.insert(1, "--file".into());
                }
                self.start(["append"], &ours)?
            }
            Side::JavaScript(_) => self.start(["write"], &arguments)?,
        }
        .finish()?
        .ok()
        .map(drop)
    }

    /// Makes JavaScript clear some blocks.
    pub(super) fn clear(&self, blocks: Range<u64>) -> Result {
        let range = [blocks.start, blocks.end].map(|end| end.to_string());
        let words = words(&["--start", &range[0], "--end", &range[1]]);
        self.start(["clear"], &words)?.finish()?.ok().map(drop)
    }

    /// Reads and verifies everything.
    pub(super) fn state(&self) -> Result<State> {
        match self.side {
            Side::Ours => {
                let info = self.start(["info"], &[])?.finish()?.ok()?;
                let info = info.line("info")?;
                let cat = self.start(["cat"], &[])?.finish()?.ok()?;
                let state = State::new(info, "discovery_key", "byte_length", "tree_hash", &cat)?;
                match info["have"] == state.length {
                    true => Ok(state),
                    false => Err(format!("blocks are missing: {info}").into()),
                }
            }
            Side::JavaScript(_) => {
                let audit = self.start(["audit"], &[])?.finish()?.ok()?;
                State::of_audit(&audit)
            }
        }
    }

    /// Starts serving: the process, and what it listens as.
    pub(super) fn serve(&self, dialect: Version, live: bool) -> Result<(Running, Value)> {
        let ours = |mode| {
            let address = ["--tcp", "127.0.0.1:0"];
            let how = ["--once", mode, "--dialect", dialect.number()];
            self.start(["serve"], &words(&[&address[..], &how].concat()))
        };
        let mut running = match (self.side, live) {
            (Side::Ours, false) => ours("--not-live")?,
            (Side::Ours, true) => ours("--lines")?,
            (Side::JavaScript(_), false) => self.start(["serve"], &[])?,
            (Side::JavaScript(_), true) => self.start(["serve"], &words(&["--live"]))?,
        };
        let listening = running.wait_for("listening")?;
        Ok((running, listening))
    }

    /// Starts cloning from whom `listening` tells of. `until` makes it live, up to that length.
    pub(super) fn clone_from(
        &self,
        listening: &Value,
        dialect: &str,
        until: Option<u64>,
    ) -> Result<Running> {
        let (Some(key), Some(port)) = (listening["key"].as_str(), listening["port"].as_u64())
        else {
            return Err(format!("no key or port: {listening}").into());
        };
        let port = port.to_string();
        let mut live = Vec::new();
        if let Some(until) = until {
            live = words(&["--live", "--until", &until.to_string()]);
        }
        match self.side {
            Side::Ours => {
                let link = format!("hyper://{key}?peer=127.0.0.1:{port}");
                live.extend(words(&["--dialect", dialect]));
                self.start(["clone", &link], &live)
            }
            Side::JavaScript(_) => {
                live.extend(words(&["--key", key, "--port", &port]));
                self.start(["clone"], &live)
            }
        }
    }

    /// Keeps a feed of JavaScript's open, until its input ends.
    pub(super) fn hold(&self) -> Result<Running> {
        let mut running = self.start(["hold"], &[])?;
        running.wait_for("open")?;
        Ok(running)
    }

    /// A command on this feed: its words, the directory, and the rest.
    pub(super) fn start<const N: usize>(
        &self,
        command: [&str; N],
        rest: &[String],
    ) -> Result<Running> {
        let mut process = match self.side {
            Side::Ours => {
                let mut process = Command::new(&self.world.program);
                process.arg("--json").args(command);
                process
            }
            Side::JavaScript(version) => {
                let mut process = Command::new("node");
                process
                    .current_dir(&self.world.scripts)
                    .arg("peer.js")
                    .args(command);
                process.arg(version.number());
                process
            }
        };
        process.arg(&self.dir).args(rest);
        Running::start(&format!("{} {}", self.side, command[0]), &mut process, TIME)
    }
}

impl State {
    /// What an audit has printed, JavaScript's or the one of our example.
    pub(super) fn of_audit(audit: &Ended) -> Result<Self> {
        let line = audit.line("audited")?;
        State::new(line, "discoveryKey", "byteLength", "treeHash", audit)
    }

    fn new(
        line: &Value,
        discovery_key: &str,
        byte_length: &str,
        tree_hash: &str,
        blocks: &Ended,
    ) -> Result<Self> {
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| {
            line[name]
                .as_u64()
                .ok_or_else(|| format!("no {name}: {line}"))
        };
        let length = number("length")?;
        let blocks = blocks.lines.iter().filter(|line| line["type"] == "block");
        let blocks = blocks.map(
            |line| match (line["index"].as_u64(), line["data"].as_str()) {
                (Some(index), Some(data)) => Ok((index, BASE64.decode(data.as_bytes())?)),
                _ => Err(format!("a block without number or data: {line}").into()),
            },
        );
        Ok(State {
            key: text("key"),
            discovery_key: text(discovery_key),
            length,
            byte_length: number(byte_length)?,
            tree_hash: (length > 0).then(|| text(tree_hash)),
            blocks: blocks.collect::<Result<_>>()?,
        })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// That both sides have the same, and that it is what was appended.
    pub(super) fn check(&self, other: &Self, blocks: &[&[u8]]) -> Result {
        if !self.blocks.values().eq(blocks) {
            return Err(format!(
                "{} blocks, and not the ones appended: {}",
                self.blocks.len(),
                blocks.len()
            )
            .into());
        }
        let bytes = blocks.iter().map(|block| block.len() as u64).sum::<u64>();
        if (self.length, self.byte_length) != (blocks.len() as u64, bytes) {
            return Err(format!("length {}, byte length {}", self.length, self.byte_length).into());
        }
        self.check_same(other)
    }

    /// That both sides have the same.
    pub(super) fn check_same(&self, other: &Self) -> Result {
        if self == other {
            return Ok(());
        }
        let all = self.blocks.keys().chain(other.blocks.keys());
        let first = all
            .filter(|block| self.blocks.get(block) != other.blocks.get(block))
            .min();
        let first = first.map_or(String::new(), |block| format!(", first in block {block}"));
        Err(format!("they differ{first}: {self} and {other}").into())
    }

    /// That it is what it was, and has these blocks at its end besides.
    pub(super) fn check_grown(&self, before: &Self, more: &[Vec<u8>]) -> Result {
        let mut expected = before.blocks.clone();
        expected.extend((before.length..).zip(more.iter().cloned()));
        let length = before.length + more.len() as u64;
        let byte_length = before.byte_length + more.concat().len() as u64;
        let whole =
            (self.length, self.byte_length) == (length, byte_length) && self.blocks == expected;
        match whole {
            true => Ok(()),
            false => Err(format!("{before} has become {self}").into()),
        }
    }

    /// That it is what it was, without some of its blocks.
    pub(super) fn check_cleared(&self, before: &Self, cleared: Range<u64>) -> Result {
        let mut expected = before.blocks.clone();
        expected.retain(|block, _| !cleared.contains(block));
        let whole = (self.length, &self.tree_hash) == (before.length, &before.tree_hash)
            && self.blocks == expected;
        match whole {
            true => Ok(()),
            false => Err(format!("{before} has become {self} by clearing {cleared:?}").into()),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let State {
            key,
            length,
            byte_length,
            tree_hash,
            blocks,
            ..
        } = self;
        let blocks = blocks.len();
        write!(
            f,
            "{{ {key}, length {length}, {byte_length} bytes, {tree_hash:?}, {blocks} blocks }}"
        )
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).into()).collect()
}
