//! The hot paths counted in instructions, and compared with what they took when somebody last looked.
//!
//! Time is different on every machine and in every minute; a count is the same for the same code, compiler and processor features,
//! to a few instructions in a million. So a path that got slower shows however busy the machine is.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde_json::{Map, Value};

use crate::{Result, workspace};

/// What was counted, and how far a path may go beyond it.
const RECORD: &str = "crates/hypercore/benches/instructions.json";
const TOLERANCE: f64 = 0.05;

/// How often a case is done in each of the two runs.
const FEW: u64 = 20;
const MANY: u64 = 60;

/// Counts all cases, and fails if one takes more than is recorded.
pub(super) fn check() -> Result {
    let recorded: BTreeMap<String, u64> =
        serde_json::from_slice(&fs::read(workspace::root().join(RECORD))?)?;
    let counted = count_all()?;
    let mut worse = Vec::new();
    println!("| path | recorded | counted | |\n| --- | --- | --- | --- |");
    for (name, count) in &counted {
        let Some(before) = recorded.get(name) else {
            println!("| {name} | | {count} | new |");
            worse.push(format!("{name} is not recorded"));
            continue;
        };
        let change = *count as f64 / *before as f64 - 1.0;
        println!("| {name} | {before} | {count} | {:+.1} % |", change * 100.0);
        if change > TOLERANCE {
            worse.push(format!("{name} takes {:.1} % more", change * 100.0));
        }
    }
    for name in recorded.keys().filter(|name| !counted.contains_key(*name)) {
        worse.push(format!("{name} is recorded, but there is no such path"));
    }
    match worse.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "{}; if that is meant, cargo xtask bench --record",
            worse.join(", ")
        )
        .into()),
    }
}

/// Counts all cases, and writes down what they take.
pub(super) fn record() -> Result {
    let counted: Map<String, Value> = count_all()?
        .into_iter()
        .map(|(name, count)| (name, count.into()))
        .collect();
    let text = serde_json::to_string_pretty(&Value::Object(counted))?;
    Ok(fs::write(workspace::root().join(RECORD), text + "\n")?)
}

fn count_all() -> Result<BTreeMap<String, u64>> {
    let program = build()?;
    let names = workspace::output(&mut Command::new(&program))?;
    names
        .lines()
        .map(|name| Ok((name.to_owned(), per_call(&program, name)?)))
        .collect()
}

/// What one call takes, without what it takes to get there.
fn per_call(program: &str, name: &str) -> Result<u64> {
    let few = instructions(program, name, FEW)?;
    let many = instructions(program, name, MANY)?;
    Ok(many.saturating_sub(few) / (MANY - FEW))
}

fn instructions(program: &str, name: &str, count: u64) -> Result<u64> {
    let output = Command::new("valgrind")
        .args([
            "--tool=cachegrind",
            "--cache-sim=no",
            "--cachegrind-out-file=/dev/null",
        ])
        .args([program, name, &count.to_string()])
        .output()
        .map_err(|error| format!("cannot run valgrind, which counts instructions: {error}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{name} ended with {}\n{told}", output.status).into());
    }
    parse(&told).ok_or_else(|| format!("valgrind has counted nothing of {name}\n{told}").into())
}

/// `==123== I   refs:      5,931,114`, in older versions `I refs` with any spaces.
fn parse(told: &str) -> Option<u64> {
    let line = told
        .lines()
        .find(|line| line.split_whitespace().any(|word| word == "refs:") && line.contains(" I "))?;
    line.split_whitespace()
        .last()?
        .replace(',', "")
        .parse()
        .ok()
}

/// Builds the bench as programs are shipped, and says where it is.
fn build() -> Result<String> {
    let messages = workspace::output(workspace::cargo("bench").args([
        "--package=hypercore",
        "--bench=instructions",
        "--no-run",
        "--message-format=json",
    ]))?;
    let artifacts = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = artifacts
        .filter(|message| message["target"]["name"] == "instructions")
        .find_map(|message| message["executable"].as_str().map(str::to_owned));
    let program = program.ok_or("cargo doesn't say where the bench is")?;
    match Path::new(&program).exists() {
        true => Ok(program),
        false => Err(format!("{program} was not built").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_valgrind_prints() {
        let told = "==7== Command: x\n==7== \n==7== I   refs:      5,931,114\n";
        assert_eq!(parse(told), Some(5_931_114));
        assert_eq!(parse("==7== Command: refs: 1"), None);
    }
}
