//! libFuzzer on the pinned stable toolchain, with nothing to install: its instrumentation is a pass of LLVM that every
//! rustc carries, and the rest is the crate libfuzzer-sys.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::{Result, workspace};

/// What makes rustc instrument the code for libFuzzer. Overflows and debug assertions are findings too.
const RUSTFLAGS: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1 -Cdebug-assertions --cfg fuzzing";

const SECONDS_FOR_ONE: &str = "60";
const SECONDS_FOR_EACH: &str = "10";

/// What ends an input early: bodies that take this long or this much grow with something they should not.
const LIMITS: [&str; 2] = ["-timeout=10", "-rss_limit_mb=1024"];

/// `[TARGET] [--time SECONDS]`
pub(crate) fn run(arguments: &[&str]) -> Result {
    let (targets, seconds) = match *arguments {
        [] => (names()?, SECONDS_FOR_EACH),
        ["--time", seconds] => (names()?, seconds),
        [target] => (vec![target.into()], SECONDS_FOR_ONE),
        [target, "--time", seconds] => (vec![target.into()], seconds),
        _ => return Err("cargo xtask fuzz [TARGET] [--time SECONDS]".into()),
    };
    seconds.parse::<u32>()?;
    let folder = workspace::root().join("fuzz");
    for target in &targets {
        if !folder.join(format!("fuzz_targets/{target}.rs")).exists() {
            return Err(format!("no target {target}; there are {}", names()?.join(" ")).into());
        }
    }
    let (host, built) = (workspace::host()?, workspace::target()?.join("libfuzzer"));
    let mut cargo = workspace::cargo("build");
    cargo
        .env("RUSTFLAGS", RUSTFLAGS)
        .args([
            "--release",
            "--manifest-path=fuzz/Cargo.toml",
            "--features=libfuzzer",
        ])
        // With a target named, build scripts and macros aren't instrumented.
        .args(["--target", &host, "--target-dir"])
        .arg(&built);
    for target in &targets {
        cargo.args(["--bin", target]);
    }
    workspace::run(&mut cargo)?;
    for target in &targets {
        let program = built.join(&host).join("release").join(target);
        fuzz(
            &program,
            &folder,
            &built.join("corpus").join(target),
            target,
            seconds,
        )?;
    }
    Ok(())
}

/// Runs one target. What it finds worth keeping goes to a folder below the target folder, what breaks it to the regressions,
/// from where every later replay takes it.
fn fuzz(program: &Path, folder: &Path, found: &Path, target: &str, seconds: &str) -> Result {
    let regressions = folder.join("regressions").join(target);
    fs::create_dir_all(found)?;
    fs::create_dir_all(&regressions)?;
    println!("fuzzing {target} for {seconds} s");
    let result = workspace::run(
        Command::new(program)
            .stdin(Stdio::null())
            .arg(found)
            .arg(folder.join("corpus").join(target))
            .arg(&regressions)
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={}/", regressions.display()))
            .arg("-print_final_stats=1")
            .args(LIMITS),
    );
    // Both stay if there is something in them.
    let _ = fs::remove_dir(&regressions);
    let _ = fs::remove_dir(folder.join("regressions"));
    result
}

fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(workspace::root().join("fuzz/fuzz_targets"))? {
        if let Some(name) = entry?.file_name().to_string_lossy().strip_suffix(".rs") {
            names.push(name.into());
        }
    }
    names.sort();
    Ok(names)
}
