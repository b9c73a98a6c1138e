//! Power cuts by the hundred thousand: the tests of `crates/feed/tests/crash`, of which an ordinary run tries a small share, in
//! full.

use crate::{Result, workspace};

/// `[SEEDS]`
pub(crate) fn run(arguments: &[&str]) -> Result {
    let seeds = match *arguments {
        [] => "20",
        [seeds] => seeds,
        _ => return Err("cargo xtask crash [SEEDS]".into()),
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
