//! Power cuts by the hundred thousand: the tests of `crates/feed/tests/crash`, of which an ordinary run tries a small share, in
//! full; and processes that are killed.

mod kill;

use crate::{Result, workspace};

/// `[SEEDS]`, or `kill [COUNT]`
pub(crate) fn run(arguments: &[&str]) -> Result {
    let seeds = match *arguments {
        ["kill", ref rest @ ..] => return kill::run(rest),
        [] => "20",
        [seeds] => seeds,
        _ => return Err("cargo xtask crash [SEEDS], or crash kill [COUNT]".into()),
    };
    seeds.parse::<u32>()?;
    let mut cargo = workspace::cargo("test");
    cargo
        .args(["--profile=ci", "-p", "hypercore-feed", "--test=crash", "--"])
        .arg("--nocapture")
        .env("CRASH_SHARE", "1")
        .env("CRASH_DICE", "4")
        .env("CRASH_SEEDS", seeds);
    workspace::run(&mut cargo)
}
