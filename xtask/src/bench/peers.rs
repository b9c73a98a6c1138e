//! Our program beside JavaScript hypercore 8 and 9, doing the same work on the same disk in turns.
//!
//! A machine is never quiet, and seldom the same for a whole run. So nothing here is a time: all programs do one workload before any
//! does the next, in an order that turns round each time, and what is printed is the median over the rounds of how one program's time
//! compares with the first one's *of that round*.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::workloads::{Feed, Start, WORKLOADS, Workload};
use crate::{Result, javascript, process::Running, workspace};

/// How long one workload may take, on a machine that is busy.
const TIME: Duration = Duration::from_secs(900);

pub(super) struct Options {
    /// What all counts are multiplied with.
    pub(super) scale: f64,
    pub(super) rounds: usize,
    /// The workloads, or all if it is empty.
    pub(super) only: Vec<String>,
    /// Other programs that keep to the contract, as NAME=COMMAND.
    pub(super) also: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            scale: 1.0,
            rounds: 3,
            only: Vec::new(),
            also: Vec::new(),
        }
    }
}

/// One that takes part.
struct Program {
    name: String,
    command: Vec<String>,
    /// Where its feeds are.
    folder: PathBuf,
}

/// What a program measured of one workload.
#[derive(Clone, Copy, Debug)]
struct Measured {
    seconds: f64,
    /// Of the processor, both sides together.
    cpu: f64,
    /// The most memory that one process had, in KiB.
    memory: f64,
    /// Bytes both ways, where there is a wire.
    wire: f64,
}

pub(super) fn run(options: &Options) -> Result {
    for name in &options.only {
        if !WORKLOADS.iter().any(|workload| workload.name == name) {
            let names: Vec<_> = WORKLOADS.iter().map(|workload| workload.name).collect();
            return Err(
                format!("there is no workload {name}; there are {}", names.join(" ")).into(),
            );
        }
    }
    let data = workspace::target()?.join("peers");
    let programs = programs(options, &data)?;
    println!("{}", heading(&programs));
    for workload in &WORKLOADS {
        if options.only.is_empty() || options.only.iter().any(|name| name == workload.name) {
            let rows = rounds(workload, &programs, options)?;
            println!("{}", line(workload, &programs, &rows));
        }
    }
    println!();
    println!(
        "Wall time, processor time, memory and bytes on the wire, each as a ratio to {}.",
        programs[0].name
    );
    Ok(())
}

fn programs(options: &Options, data: &Path) -> Result<Vec<Program>> {
    let scripts = javascript::install()?;
    let script = scripts.join("bench.js").display().to_string();
    let ours = workspace::release()?.display().to_string();
    let mut programs = Vec::new();
    let mut add = |name: &str, command: Vec<String>| {
        // Feeds of another scale are other feeds.
        let folder = data.join(format!("{}-{name}", options.scale));
        programs.push(Program {
            name: name.into(),
            command,
            folder,
        });
    };
    for version in ["8", "9"] {
        let command = ["node", &script, version].map(str::to_owned);
        add(&format!("js{version}"), command.to_vec());
    }
    add("ours", vec![ours, "bench-peer".into()]);
    for also in &options.also {
        let (name, command) = also.split_once('=').ok_or("--also NAME=COMMAND")?;
        add(
            name,
            command.split_whitespace().map(str::to_owned).collect(),
        );
    }
    Ok(programs)
}

/// Each program's measures of one workload, round by round.
fn rounds(
    workload: &Workload,
    programs: &[Program],
    options: &Options,
) -> Result<Vec<Vec<Measured>>> {
    let mut rows = vec![Vec::new(); programs.len()];
    for round in 0..options.rounds {
        let mut order: Vec<usize> = (0..programs.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            let measured = programs[at].measure(workload, options.scale);
            rows[at]
                .push(measured.map_err(|error| {
                    format!("{} {}: {error}", programs[at].name, workload.name)
                })?);
        }
    }
    Ok(rows)
}

impl Program {
    fn measure(&self, workload: &Workload, scale: f64) -> Result<Measured> {
        let settings = workload.settings(scale);
        let empty = self.folder.join("empty");
        let _ = fs::remove_dir_all(&empty);
        match workload.start {
            Start::Process => {
                let memory = measured(&self.once(workload.command, &[], None)?)?.memory;
                let start = Instant::now();
                workspace::output(&mut self.command(workload.command, &[], None))?;
                let seconds = start.elapsed().as_secs_f64();
                Ok(Measured {
                    seconds,
                    cpu: f64::NAN,
                    memory,
                    wire: 0.0,
                })
            }
            Start::Empty => {
                fs::create_dir_all(&empty)?;
                measured(&self.once(workload.command, &settings, Some(&empty))?)
            }
            Start::Local(feed) => {
                let dir = self.feed(feed, scale)?;
                measured(&self.once(workload.command, &settings, Some(&dir))?)
            }
            Start::Served(feed) => {
                let dir = self.feed(feed, scale)?;
                fs::create_dir_all(&empty)?;
                let command =
                    &mut self.command("serve", &["--port".into(), "0".into()], Some(&dir));
                let mut server = Running::start(&self.name, command, TIME)?;
                let hello = server.wait_until("listening", |line| !line["listening"].is_null())?;
                let mut all = vec![
                    "--connect".into(),
                    format!("127.0.0.1:{}", hello["listening"]),
                    "--key".into(),
                    hello["key"].as_str().unwrap_or_default().into(),
                    "--length".into(),
                    hello["length"].to_string(),
                    "--bytes".into(),
                    hello["byteLength"].to_string(),
                ];
                all.extend(settings);
                let client = measured(&self.once(workload.command, &all, Some(&empty))?)?;
                let ended = server.finish()?.ok()?;
                let last = ended.lines.last().ok_or("the server measured nothing")?;
                let server = measured(last)?;
                Ok(Measured {
                    cpu: client.cpu + server.cpu,
                    memory: client.memory.max(server.memory),
                    ..client
                })
            }
        }
    }

    /// The folder of a feed of its own making.
    fn feed(&self, feed: Feed, scale: f64) -> Result<PathBuf> {
        let dir = self.folder.join(feed.name());
        let done = self.folder.join(format!("{}.made", feed.name()));
        if !done.exists() {
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir_all(&dir)?;
            self.once("append", &feed.settings(scale), Some(&dir))?;
            fs::write(done, "")?;
        }
        Ok(dir)
    }

    fn command(&self, workload: &str, settings: &[String], dir: Option<&Path>) -> Command {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).arg(workload);
        if let Some(dir) = dir {
            command.arg("--dir").arg(dir);
        }
        command.args(settings).stdin(Stdio::null());
        command
    }

    /// Runs a workload to its end, and returns what it says of it.
    fn once(&self, workload: &str, settings: &[String], dir: Option<&Path>) -> Result<Value> {
        let command = &mut self.command(workload, settings, dir);
        let ended = Running::start(&self.name, command, TIME)?.finish()?.ok()?;
        Ok(ended.lines.last().cloned().ok_or("it measured nothing")?)
    }
}

/// What a line tells. A program may say that it can't do a workload; then nothing is told.
fn measured(line: &Value) -> Result<Measured> {
    if line["unsupported"] == true {
        let (seconds, cpu, memory, wire) = (f64::NAN, f64::NAN, f64::NAN, f64::NAN);
        return Ok(Measured {
            seconds,
            cpu,
            memory,
            wire,
        });
    }
    let number = |name: &str| line[name].as_f64();
    let bytes = |name: &str| number(name).unwrap_or(0.0);
    Ok(Measured {
        seconds: number("seconds").ok_or("no seconds")?,
        cpu: number("cpu").ok_or("no cpu")?,
        memory: number("rss_kib").unwrap_or(0.0),
        wire: bytes("wire_rx") + bytes("wire_tx"),
    })
}

fn heading(programs: &[Program]) -> String {
    let others = programs[1..]
        .iter()
        .map(|program| format!(" {} |", program.name));
    let lines = programs[1..].iter().map(|_| " --- |");
    format!(
        "| workload | {} |{}\n| --- | --- |{}",
        programs[0].name,
        others.collect::<String>(),
        lines.collect::<String>(),
    )
}

fn line(workload: &Workload, programs: &[Program], rows: &[Vec<Measured>]) -> String {
    let seconds = median(rows[0].iter().map(|measured| measured.seconds));
    let mut line = format!("| {} | {} |", workload.name, time(seconds));
    for row in &rows[1..programs.len()] {
        let ratio = |of: fn(&Measured) -> f64| {
            let pairs = row.iter().zip(&rows[0]);
            median(pairs.map(|(ours, theirs)| of(ours) / of(theirs)))
        };
        let parts = [
            ("", ratio(|measured| measured.seconds)),
            ("cpu ", ratio(|measured| measured.cpu)),
            ("mem ", ratio(|measured| measured.memory)),
            ("wire ", ratio(|measured| measured.wire)),
        ];
        let known = parts.iter().filter(|(_, ratio)| ratio.is_finite());
        let told: Vec<_> = known
            .map(|(what, ratio)| format!("{what}{}", short(*ratio)))
            .collect();
        line += &format!(" {} |", told.join(", "));
    }
    line
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 1.0 => format!("{} ms", short(seconds * 1000.0)),
        seconds => format!("{} s", short(seconds)),
    }
}

/// Two digits that count, or three from a half on: a ratio of 0.98 is another than one of 1.02.
fn short(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 0.5 => format!("{value:.2}"),
        value if value >= 0.05 => format!("{value:.3}"),
        value => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_that_of_the_pairs() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert!(median(std::iter::empty()).is_nan());
    }

    #[test]
    fn ratios_keep_the_digits_that_count() {
        assert_eq!(short(0.004_44), "0.0044");
        assert_eq!(short(1.012), "1.01");
        assert_eq!(time(0.0123), "12.3 ms");
    }

    #[test]
    fn counts_are_scaled_and_never_nothing() {
        assert_eq!(Feed::Small.settings(0.1)[1], "10000");
        assert_eq!(Feed::Small.settings(0.0)[1], "1");
    }
}
