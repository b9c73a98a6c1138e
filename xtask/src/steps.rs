//! Everything that must hold, step by step. A step that fails doesn't keep the others from being told about.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    Result, demo, interop,
    layers::{Kind, LAYERS},
    no_std, tidy, vectors,
    workspace::{self, cargo},
};

/// A name to call it by, and what it does.
type Step = (&'static str, fn() -> Result);

/// From the quickest to the slowest, so that the answer comes early.
const STEPS: &[Step] = &[
    ("fmt", fmt),
    ("tidy", tidy::run),
    ("clippy", clippy),
    ("docs", docs),
    ("tests", tests),
    ("alone", alone),
    ("no-std", no_std::run),
    ("fuzz", fuzz),
    ("vectors", || vectors::run(&[])),
    ("interop", || interop::run(&[])),
    ("demo", demo::run),
];

/// Runs the steps named, or all.
pub(crate) fn run(names: &[&str]) -> Result {
    if let Some(name) = names
        .iter()
        .find(|name| STEPS.iter().all(|step| step.0 != **name))
    {
        return Err(format!("there is no step {name}").into());
    }
    let mut results: Vec<(&str, Duration, Result)> = Vec::new();
    for (name, step) in STEPS {
        if !names.is_empty() && !names.contains(name) {
            continue;
        }
        println!("\n=== {name}");
        let start = Instant::now();
        let result = step();
        let time = start.elapsed();
        match &result {
            Ok(()) => println!("=== {name} holds, {:.0} s", time.as_secs_f64()),
            Err(failure) => println!("=== {name} FAILS, {:.0} s: {failure}", time.as_secs_f64()),
        }
        results.push((name, time, result));
    }
    summary(&results)
}

fn summary(results: &[(&str, Duration, Result)]) -> Result {
    println!("\nsummary");
    for (name, time, result) in results {
        let word = if result.is_ok() { "holds" } else { "FAILS" };
        println!("  {word}  {:5.0} s  {name}", time.as_secs_f64());
    }
    let all: f64 = results.iter().map(|(_, time, _)| time.as_secs_f64()).sum();
    let failed: Vec<&str> = results
        .iter()
        .filter(|step| step.2.is_err())
        .map(|step| step.0)
        .collect();
    match failed.is_empty() {
        true => {
            println!("all of it holds, {all:.0} s");
            Ok(())
        }
        false => Err(format!("{} failed, {all:.0} s", failed.join(", ")).into()),
    }
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
            .args(["--workspace", "--all-targets"])
            .args(DENY),
    )?;
    let fuzz = ["--manifest-path=fuzz/Cargo.toml", "--all-targets"];
    workspace::run(cargo("clippy").args(fuzz).args(DENY))
}

fn docs() -> Result {
    let mut doc = cargo("doc");
    workspace::run(
        doc.args(["--workspace", "--no-deps"])
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
    workspace::run(cargo("test").args(["--workspace", "--doc", "--no-fail-fast"]))
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
    Ok(())
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
