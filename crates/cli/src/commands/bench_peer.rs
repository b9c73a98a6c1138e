//! `hypercore bench-peer WORKLOAD [--NAME VALUE]...`, hidden: one workload of a side-by-side benchmark, and its measures as one line
//! of JSON. Names that a workload has no use for are ignored. docs/testing.md has the contract.

mod local;
mod material;
mod meter;
mod network;

use std::{collections::BTreeMap, future::Future, path::PathBuf, str::FromStr};

use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};

use serde_json::json;

use crate::{
    commands::bench_peer::meter::Report,
    failure::{Code, Failure},
    output::Output,
};

#[derive(Debug, Args)]
pub(crate) struct BenchPeer {
    /// Which one.
    pub(crate) workload: String,

    /// Its settings: --name value ...
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) settings: Vec<String>,
}

pub(super) async fn run(arguments: BenchPeer, output: &Output) -> Result<(), Failure> {
    let settings = Settings::parse(&arguments.settings)?;
    let workload = arguments.workload.as_str();
    let report = match workload {
        "noop" => Report::nothing(),
        "create" => local::create(&settings).await?,
        "append" => local::append(&settings).await?,
        "open" => local::open(&settings).await?,
        "get" => local::get(&settings).await?,
        "stream" => local::stream(&settings).await?,
        "audit" => local::audit(&settings).await?,
        "serve" => network::serve(&settings, output).await?,
        "clone" => network::clone(&settings).await?,
        "sparse" => network::sparse(&settings).await?,
        "seek" => network::seek(&settings).await?,
        _ => Report::of(json!({ "unsupported": true })),
    };
    let line = report.line(workload);
    output.data(format!("{line}\n").as_bytes())
}

/// The `--name value` pairs of a workload.
struct Settings(BTreeMap<String, String>);

impl Settings {
    fn parse(words: &[String]) -> Result<Self, Failure> {
        let mut settings = BTreeMap::new();
        let mut words = words.iter().peekable();
        while let Some(word) = words.next() {
            let Some(name) = word.strip_prefix("--") else {
                return Err(wrong(format_args!("expected a --name, not {word}")));
            };
            let value = words.next_if(|next| !next.starts_with("--"));
            settings.insert(name.to_owned(), value.cloned().unwrap_or_default());
        }
        Ok(Settings(settings))
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn dir(&self) -> Result<PathBuf, Failure> {
        self.value("dir")
    }

    fn value<T: FromStr>(&self, name: &str) -> Result<T, Failure> {
        let value = self.0.get(name);
        let value = value.ok_or_else(|| wrong(format_args!("--{name} is missing")))?;
        let parsed = value.parse();
        parsed.map_err(|_| wrong(format_args!("--{name} can't be {value}")))
    }

    fn value_or<T: FromStr>(&self, name: &str, default: T) -> Result<T, Failure> {
        match self.has(name) {
            true => self.value(name),
            false => Ok(default),
        }
    }
}

fn wrong(message: std::fmt::Arguments<'_>) -> Failure {
    Failure::new(Code::Other, message)
}

/// Asks for each of these, so many at a time, and adds up what comes of it.
async fn at_a_time<F: Future<Output = Result<u64, Failure>>>(
    many: usize,
    items: impl Iterator<Item = u64>,
    ask: impl Fn(u64) -> F,
) -> Result<u64, Failure> {
    let answers = stream::iter(items.map(ask)).buffer_unordered(many.max(1));
    answers
        .try_fold(0, async |sum, answer| Ok(sum + answer))
        .await
}
