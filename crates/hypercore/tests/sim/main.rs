//! Whole feeds in simulated worlds: two to eight peers, honest or not, with one feed or many, over connections that delay, split,
//! clog, flip and break. Everything follows from a seed: `SEED=7` plays that one world, `SIM_SEEDS=10000` plays so many.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod agree;
mod calm;
mod chat;
mod check;
mod disk;
mod edge;
mod ends;
mod faults;
mod found;
mod growth;
mod liars;
mod memory;
mod net;
mod node;
mod plan;
mod probe;
mod runtime;
mod shelf;
mod talk;
mod tend;
mod wishes;
mod world;

use std::sync::Mutex;

use testkit::lock;
use world::{Played, World};

/// How many worlds are played if nothing is said.
const WORLDS: u64 = 240;

/// They are shared out to so many tests, which may run side by side, each in a process of its own.
const SHARES: u64 = 4;

#[test]
fn worlds_keep_what_they_promise() {
    play_share(0);
}

#[test]
fn more_worlds_keep_it_too() {
    play_share(1);
}

#[test]
fn even_more_worlds_keep_it() {
    play_share(2);
}

#[test]
fn all_worlds_keep_it() {
    play_share(3);
}

#[test]
fn a_seed_repeats_its_world() {
    for seed in [1, 2, 3] {
        assert_eq!(play(seed).trace, play(seed).trace);
    }
}

/// Plays every so-manieth world, or the one that is asked for.
fn play_share(share: u64) {
    if std::env::var("SEED").is_ok() {
        if share == 0 {
            eprintln!("{:?}", play(testkit::seed(0)));
        }
        return;
    }
    let count = match std::env::var("SIM_SEEDS") {
        Ok(text) => text.parse().expect("SIM_SEEDS is a number"),
        Err(_) => WORLDS,
    };
    for seed in (share..count).step_by(SHARES as usize) {
        play(seed);
    }
}

/// Plays a world and says how it was. If that panics, the seed is told.
fn play(seed: u64) -> Played {
    struct Seed(u64);
    impl Drop for Seed {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("SEED={}", self.0);
            }
        }
    }
    // One at a time, since memory is counted.
    static WORLD: Mutex<()> = Mutex::new(());
    let _world = lock(&WORLD);
    let _seed = Seed(seed);
    World::new(seed).play()
}
