//! Every state that a power cut can leave, of each operation on a feed: what was promised is there, and nothing contradicts
//! itself.
//!
//! A life is lived once on a disk that records. Then power fails behind each of its operations, and the disk loses what wasn't
//! synced in every way that it may; what is left is opened, looked at, opened again, and some of it is lived on for two more
//! lives. Only a small share is tried unless asked for more: `CRASH_SHARE=1` tries all, `CRASH_DICE` says how often chance is
//! asked for each way, `CRASH_SEEDS` how many lives are made up. `cargo xtask crash` does so.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails panics, and a run says what it has seen"
)]

mod life;
mod lives;
mod story;

use crate::lives::{Tally, explore, made_up_lives, small_lives};

fn number(name: &str, default: usize) -> usize {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap(),
        Err(_) => default,
    }
}

fn report(what: &str, tally: &Tally) {
    eprintln!("{what}: {tally}");
    assert!(tally.failures.is_empty(), "{:#?}", tally.failures);
}

#[test]
fn small_lives_survive_every_power_cut() {
    for level in life::LEVELS {
        let mut tally = Tally::default();
        for story in small_lives() {
            let (dice, share) = (number("CRASH_DICE", 1), number("CRASH_SHARE", 16));
            explore(&story, level, dice, share as u64, &mut tally);
        }
        report(&format!("small lives, {level:?}"), &tally);
    }
}

#[test]
fn made_up_lives_survive_power_cuts() {
    for level in life::LEVELS {
        let mut tally = Tally::default();
        for seed in 0..number("CRASH_SEEDS", 1) as u64 {
            made_up_lives(testkit::seed(seed), level, &mut tally);
            if std::env::var("SEED").is_ok() {
                break;
            }
        }
        report(&format!("made-up lives, {level:?}"), &tally);
    }
}
