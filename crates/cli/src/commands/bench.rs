//! `hypercore bench [WORKLOAD...] [--compare-js DIR]`: how fast feeds are on this machine, alone or beside JavaScript.
//!
//! Each workload runs in a process of its own, `hypercore bench-peer`, and so does its counterpart in JavaScript. Both append,
//! ask for and clone the same blocks.

use std::{
    ffi::OsString,
    fmt, fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use async_process::{Child, Command};
use clap::{Args, ValueEnum};
use futures_lite::{AsyncBufReadExt, StreamExt, io::BufReader};
use indicatif::HumanBytes;
use serde_json::{Value, json};

use crate::{
    failure::{Code, Failure},
    output::Output,
};

/// The same workloads for JavaScript hypercore 8 and 9.
const JAVASCRIPT: &str = include_str!("bench/javascript.js");

/// The size of a block in all of them, and how many have one signature where many are appended at a time.
const SIZE: u64 = 1000;
const BATCH: u64 = 500;

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Which workloads. Default: all of them.
    #[arg(value_enum)]
    pub(crate) workloads: Vec<Workload>,

    /// Run each in JavaScript, too, with the hypercore 8 or 9 that is in node_modules of this directory, and compare.
    #[arg(long, value_name = "DIR")]
    pub(crate) compare_js: Option<PathBuf>,

    /// Do this part of the work, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) scale: u64,

    /// Where to make the feeds that are measured: on the disk that is to be measured. They are removed in the end. Default: the
    /// directory for temporary files.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// Something that is measured. The names are those of the side-by-side benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// Make a feed.
    Create,
    /// Append blocks one by one, each with a signature.
    Append,
    /// Append many blocks with each signature.
    AppendBatch,
    /// Open a feed of many blocks.
    Open,
    /// Get blocks in no order.
    Get,
    /// Read all blocks in their order.
    Stream,
    /// Check the hash of every block.
    Audit,
    /// Clone over the loopback.
    Clone,
}

pub(super) async fn run(arguments: Bench, output: &Output) -> Result<(), Failure> {
    let mut programs = vec![Program::ours()?];
    if let Some(dir) = &arguments.compare_js {
        programs.push(Program::javascript(dir)?);
    }
    let place = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    let workshop = Workshop::new(&place)?;
    output.tell(format_args!(
        "blocks of {SIZE} bytes; feeds in {}",
        place.display()
    ));
    for &workload in Workload::value_variants() {
        let wanted = arguments.workloads.is_empty() || arguments.workloads.contains(&workload);
        // The feed that others read is made in any case.
        if !wanted && workload != Workload::AppendBatch {
            continue;
        }
        let mut measured = Vec::new();
        for program in &programs {
            measured.push(
                program
                    .measure(workload, &workshop, arguments.scale)
                    .await?,
            );
        }
        if wanted {
            tell(workload, &measured, output)?;
        }
    }
    Ok(())
}

fn tell(workload: Workload, measured: &[Measured], output: &Output) -> Result<(), Failure> {
    let name = workload
        .to_possible_value()
        .map(|value| value.get_name().to_owned());
    let name = name.unwrap_or_default();
    let of_first = measured.first().map_or(0.0, |first| first.seconds);
    for one in measured {
        let fields = json!({
            "workload": name,
            "impl": one.name,
            "nanos": (one.seconds * 1e9) as u64,
            "count": one.count,
            "bytes": one.bytes,
        });
        let mut human = format!("{name:13} {:12} {one}", one.name);
        if !std::ptr::eq(one, &measured[0]) && of_first > 0.0 {
            human += &format!("   {:.1} times as long", one.seconds / of_first);
        }
        output.result("bench", fields, human)?;
    }
    Ok(())
}

/// What a run took.
struct Measured {
    name: String,
    seconds: f64,
    count: u64,
    bytes: u64,
}

impl Measured {
    /// Reads the last line that a program printed.
    fn parse(line: &str) -> Option<Self> {
        let line: Value = serde_json::from_str(line).ok()?;
        Some(Measured {
            name: line.get("impl")?.as_str()?.to_owned(),
            seconds: line.get("seconds")?.as_f64()?,
            count: line.get("count").and_then(Value::as_u64).unwrap_or(1),
            bytes: line.get("bytes").and_then(Value::as_u64).unwrap_or(0),
        })
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = |amount: u64| (amount as f64 / self.seconds.max(1e-9)) as u64;
        match self.bytes {
            0 => write!(f, "{:.3} ms", self.seconds * 1e3),
            bytes => {
                let (blocks, bytes) = (per_second(self.count), HumanBytes(per_second(bytes)));
                write!(f, "{blocks} blocks/s   {bytes}/s")
            }
        }
    }
}

/// Something that runs workloads.
struct Program {
    /// The directory of its feeds.
    name: &'static str,
    command: PathBuf,
    words: Vec<OsString>,
    dir: PathBuf,
}

impl Program {
    fn ours() -> Result<Self, Failure> {
        Ok(Program {
            name: "rust",
            command: std::env::current_exe()?,
            words: vec!["bench-peer".into()],
            dir: PathBuf::from("."),
        })
    }

    fn javascript(dir: &Path) -> Result<Self, Failure> {
        if !dir.join("node_modules/hypercore").is_dir() {
            let message = format!("{}: there is no hypercore in node_modules", dir.display());
            return Err(Failure::new(Code::Other, message)
                .hint("install it there: npm install hypercore@8 random-access-file"));
        }
        Ok(Program {
            name: "javascript",
            command: PathBuf::from("node"),
            words: ["-e", JAVASCRIPT, "--"].map(OsString::from).to_vec(),
            dir: dir.to_owned(),
        })
    }

    async fn measure(
        &self,
        workload: Workload,
        workshop: &Workshop,
        scale: u64,
    ) -> Result<Measured, Failure> {
        let at = |name: &str| workshop.0.join(format!("{}-{name}", self.name));
        let count = |count: u64| (count * scale / 100).max(1).to_string();
        let (size, batch) = (SIZE.to_string(), BATCH.to_string());
        let many = at("many");
        match workload {
            Workload::Create => self.run("create", &at("created"), &[]).await,
            Workload::Append => {
                let settings = ["--count", &count(2_000), "--size", &size];
                self.run("append", &at("appended"), &settings).await
            }
            Workload::AppendBatch => {
                let settings = [
                    "--count",
                    &count(100_000),
                    "--size",
                    &size,
                    "--batch",
                    &batch,
                ];
                self.run("append", &many, &settings).await
            }
            Workload::Open => {
                // How many blocks there are doesn't tell how long it takes.
                let mut measured = self.run("open", &many, &[]).await?;
                measured.bytes = 0;
                Ok(measured)
            }
            Workload::Get => self.run("get", &many, &["--count", &count(20_000)]).await,
            Workload::Stream => self.run("stream", &many, &["--batch", "16"]).await,
            Workload::Audit => self.run("audit", &many, &[]).await,
            Workload::Clone => self.clone(&many, &at("cloned")).await,
        }
    }

    async fn clone(&self, from: &Path, to: &Path) -> Result<Measured, Failure> {
        let mut serving = self.start("serve", from, &["--port", "0"])?;
        let stdout = serving.stdout.take().map(BufReader::new);
        let mut lines = stdout
            .ok_or_else(|| self.broken("it can't be read"))?
            .lines();
        let line = match lines.next().await {
            Some(line) => line?,
            None => String::new(),
        };
        let line: Value =
            serde_json::from_str(&line).map_err(|_| self.broken("it doesn't serve"))?;
        let text = |name: &str| match &line[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let settings = [
            "--connect",
            &format!("127.0.0.1:{}", text("listening")),
            "--key",
            &text("key"),
            "--length",
            &text("length"),
            "--bytes",
            &text("byteLength"),
        ];
        let measured = self.run("clone", to, &settings).await;
        // It serves until its input ends.
        drop(serving.stdin.take());
        serving.status().await?;
        measured
    }

    fn start(&self, workload: &str, dir: &Path, settings: &[&str]) -> Result<Child, Failure> {
        let mut command = Command::new(&self.command);
        command
            .args(&self.words)
            .args([workload, "--dir"])
            .arg(dir)
            .args(settings)
            .current_dir(&self.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command.spawn().map_err(|error| {
            let what = format_args!("cannot run {}", self.command.display()).to_string();
            Failure::system(what, error)
                .hint("--compare-js takes Node.js; without it leave that out")
        })
    }

    async fn run(
        &self,
        workload: &str,
        dir: &Path,
        settings: &[&str],
    ) -> Result<Measured, Failure> {
        let ran = self.start(workload, dir, settings)?.output().await?;
        let printed = String::from_utf8_lossy(&ran.stdout);
        let measured = printed.lines().last().and_then(Measured::parse);
        measured.filter(|_| ran.status.success()).ok_or_else(|| {
            let told = String::from_utf8_lossy(&ran.stderr);
            let why = told.lines().find(|line| !line.trim().is_empty());
            self.broken(why.unwrap_or("it said nothing")).of(workload)
        })
    }

    fn broken(&self, why: &str) -> Failure {
        Failure::new(Code::Other, format!("{} failed: {why}", self.name))
            .hint("for JavaScript install hypercore 8.14.0 or 9.12.0 with its dependencies")
    }
}

/// A directory for the feeds of a run. It is gone afterwards.
struct Workshop(PathBuf);

impl Workshop {
    fn new(place: &Path) -> Result<Self, Failure> {
        let dir = place.join(format!("hypercore-bench-{}", std::process::id()));
        let dir = std::path::absolute(dir)?;
        fs::create_dir_all(&dir).map_err(|error| {
            Failure::system(format_args!("cannot make {}", dir.display()), error)
        })?;
        Ok(Workshop(dir))
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // What is left of it lies among the temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
