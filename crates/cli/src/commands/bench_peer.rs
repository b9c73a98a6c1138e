//! `hypercore bench-peer WORKLOAD [--NAME VALUE]...`, hidden: one workload of a side-by-side benchmark, and its measures as one line
//! of JSON. Names that a workload has no use for are ignored. docs/testing.md has the contract.

mod local;
mod material;
mod meter;
mod network;

use std::{collections::BTreeMap, env, ffi::OsString, future::Future, path::PathBuf, str::FromStr};

use async_global_executor::GlobalExecutorConfig;
use async_std::task;
use futures_util::{StreamExt, TryStreamExt, stream};

use serde_json::json;

use crate::{
    commands::bench_peer::meter::Report,
    failure::{Code, Failure},
    output::Output,
};

/// Runs the workload that the command line names, if it names one. It does so before the command line of the program is built,
/// or anything started that the workload has no use for: others in the comparison have no program around them either.
pub(crate) fn run_if_called(output: Output) -> Option<Result<(), Failure>> {
    let mut words = env::args_os().skip(1);
    (words.next()? == "bench-peer").then(|| run(words, output))
}

fn run(words: impl Iterator<Item = OsString>, output: Output) -> Result<(), Failure> {
    let words = words.map(|word| word.into_string());
    let words: Result<Vec<String>, OsString> = words.collect();
    let mut words = words
        .map_err(|word| wrong(format_args!("{} isn't UTF-8", word.display())))?
        .into_iter();
    let workload = words.next();
    let workload = workload.ok_or_else(|| wrong(format_args!("which workload?")))?;
    let settings = Settings::parse(words.as_slice())?;
    let report = match workload.as_str() {
        "noop" => Report::nothing(),
        _ => on_one_thread(perform(workload.clone(), settings, output))?,
    };
    output.data(format!("{}\n", report.line(&workload)).as_bytes())
}

/// Runs it on one thread, while this one waits for the system: a single connection has no use for more. A block is fetched sooner
/// than it is handed from one to another.
fn on_one_thread<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let one = GlobalExecutorConfig::default().with_min_threads(1);
    async_global_executor::init_with_config(one.with_max_threads(1));
    task::block_on(task::spawn(work))
}

async fn perform(workload: String, settings: Settings, output: Output) -> Result<Report, Failure> {
    let settings = &settings;
    match workload.as_str() {
        "create" => local::create(settings).await,
        "append" => local::append(settings).await,
        "open" => local::open(settings).await,
        "get" => local::get(settings).await,
        "stream" => local::stream(settings).await,
        "audit" => local::audit(settings).await,
        "serve" => network::serve(settings, &output).await,
        "clone" => network::clone(settings).await,
        "sparse" => network::sparse(settings).await,
        "seek" => network::seek(settings).await,
        _ => Ok(Report::of(json!({ "unsupported": true }))),
    }
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
