//! Everything that must hold, step by step. A step that fails doesn't keep the others from being told about.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    Result, browser, crash, demo, examples, interop, javascript, large,
    layers::{Kind, LAYERS},
    no_std, parity, tidy, vectors,
    workspace::{self, cargo},
};

/// One step.
struct Step {
    name: &'static str,
    run: fn() -> Result,
    /// What it needs that a machine may lack. Without that it is left out.
    needs: Option<Need>,
}

/// Whether something is here, and what to say if it isn't.
type Need = (fn() -> bool, &'static str);

const JAVASCRIPT: Need = (javascript::is_here, javascript::MISSING);
const BROWSER: Need = (browser::is_here, browser::MISSING);

/// From the quickest to the slowest, so that the answer comes early.
const STEPS: &[Step] = &[
    step("fmt", fmt),
    step("tidy", tidy::run),
    step("clippy", clippy),
    step("docs", docs),
    step("tests", tests),
    step("examples", examples::run),
    step("alone", alone),
    step("no-std", no_std::run),
    step("fuzz", fuzz),
    with(JAVASCRIPT, "javascript", parity::run),
    with(JAVASCRIPT, "vectors", || vectors::run(&[])),
    with(JAVASCRIPT, "interop", || interop::run(&[])),
    with(BROWSER, "browser", || browser::run(&[])),
    step("demo", demo::run),
    step("kill", || crash::run(&["kill", "30"])),
    step("large", large::run),
];

const fn step(name: &'static str, run: fn() -> Result) -> Step {
    Step {
        name,
        run,
        needs: None,
    }
}

const fn with(need: Need, name: &'static str, run: fn() -> Result) -> Step {
    Step {
        name,
        run,
        needs: Some(need),
    }
}

/// How a step ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Holds,
    Fails,
    Skipped,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Outcome::Holds => "holds",
            Outcome::Fails => "FAILS",
            Outcome::Skipped => "SKIPPED",
        }
    }
}

/// Runs the steps named, or all.
pub(crate) fn run(names: &[&str]) -> Result {
    if let Some(name) = names
        .iter()
        .find(|name| STEPS.iter().all(|step| step.name != **name))
    {
        return Err(format!("there is no step {name}").into());
    }
    let mut results: Vec<(&str, Duration, Outcome)> = Vec::new();
    for step in STEPS {
        if !names.is_empty() && !names.contains(&step.name) {
            continue;
        }
        println!("\n=== {}", step.name);
        let start = Instant::now();
        let (outcome, why) = one(step);
        let (time, word) = (start.elapsed(), outcome.word());
        println!("=== {} {word}, {:.0} s{why}", step.name, time.as_secs_f64());
        results.push((step.name, time, outcome));
    }
    summary(&results)
}

fn one(step: &Step) -> (Outcome, String) {
    if let Some((is_here, missing)) = step.needs
        && !is_here()
    {
        return (Outcome::Skipped, format!(": {missing}"));
    }
    match (step.run)() {
        Ok(()) => (Outcome::Holds, String::new()),
        Err(failure) => (Outcome::Fails, format!(": {failure}")),
    }
}

fn summary(results: &[(&str, Duration, Outcome)]) -> Result {
    println!("\nsummary");
    for (name, time, outcome) in results {
        println!(
            "  {:7}  {:5.0} s  {name}",
            outcome.word(),
            time.as_secs_f64()
        );
    }
    let all: f64 = results.iter().map(|(_, time, _)| time.as_secs_f64()).sum();
    let those = |outcome| {
        let names = results
            .iter()
            .filter(|step| step.2 == outcome)
            .map(|step| step.0);
        names.collect::<Vec<_>>().join(", ")
    };
    let (failed, skipped) = (those(Outcome::Fails), those(Outcome::Skipped));
    match (failed.is_empty(), skipped.is_empty()) {
        (false, _) => return Err(format!("{failed} failed, {all:.0} s").into()),
        (true, false) => println!("all holds that was run, {all:.0} s; skipped: {skipped}"),
        (true, true) => println!("all holds, {all:.0} s"),
    }
    Ok(())
}

fn fmt() -> Result {
    workspace::run(in_root("fmt").args(["--all", "--check"]))?;
    workspace::run(in_root("fmt").args(["--manifest-path=fuzz/Cargo.toml", "--check"]))
}

/// As arguments, not as RUSTFLAGS: those would build every dependency once more.
fn clippy() -> Result {
    const DENY: [&str; 3] = ["--", "-D", "warnings"];
    workspace::run(
        cargo("clippy")
            .args(["--workspace", "--all-targets", "--all-features"])
            .args(DENY),
    )?;
    let fuzz = ["--manifest-path=fuzz/Cargo.toml", "--all-targets"];
    workspace::run(cargo("clippy").args(fuzz).args(DENY))
}

fn docs() -> Result {
    let mut doc = cargo("doc");
    workspace::run(
        doc.args(["--workspace", "--no-deps", "--all-features"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

fn tests() -> Result {
    let nextest = Command::new("cargo-nextest").arg("--version").output();
    match nextest.is_ok_and(|output| output.status.success()) {
        true => workspace::run(&mut nextest_run())?,
        false => {
            let tests = ["--workspace", "--lib", "--bins", "--tests"];
            workspace::run(cargo("test").args(tests).arg("--no-fail-fast"))?;
        }
    }
    workspace::run(cargo("test").args(["--workspace", "--doc", "--no-fail-fast"]))?;
    observe()
}

/// What needs features that are off otherwise, so that all the rest is tested without them.
fn observe() -> Result {
    let features = ["--features=metrics,tracing", "--test=observe"];
    workspace::run(cargo("test").args(["--package=hypercore"]).args(features))
}

fn nextest_run() -> Command {
    let mut command = in_root("nextest");
    command.args(["run", "--locked", "--workspace", "--no-fail-fast"]);
    command
}

/// Each crate alone: in the workspace another one may turn on a feature that it forgot to ask for.
fn alone() -> Result {
    for layer in LAYERS.iter().filter(|layer| layer.kind != Kind::Tool) {
        for features in [&["--no-default-features"][..], &[]] {
            let mut check = cargo("check");
            check
                .args(["--quiet", "--package", &layer.package()])
                .args(features);
            workspace::run(&mut check)?;
        }
        println!("{} stands alone", layer.name);
    }
    // The face without async needs no other runtime.
    let features = ["--no-default-features", "--features=blocking"];
    workspace::run(
        cargo("check")
            .args(["--quiet", "--package=hypercore"])
            .args(features),
    )
}

fn fuzz() -> Result {
    let replay = [
        "--manifest-path=fuzz/Cargo.toml",
        "--test=replay",
        "--",
        "--nocapture",
    ];
    workspace::run(cargo("test").args(replay))
}

/// Commands that take no `--locked`, or not in that place.
fn in_root(command: &str) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(workspace::root())
        .stdin(std::process::Stdio::null())
        .arg(command);
    cargo
}
