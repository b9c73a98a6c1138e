//! Random histories: appends, clears, reads, seeks, audits, proofs to a copy and back, and opening again, each step compared
//! with a plain model.
//!
//! `SEED=` replays one, `HISTORIES=` plays another number of them. `examples/history.rs` plays the same on disk, for
//! JavaScript to look at what is left.

mod model;
mod play;
mod step;

use std::{env, path::Path};

use futures_lite::future::block_on;
use hypercore::{MemoryFiles, Storage};

use self::play::{Form, play};

const FORMS: [Form; 3] = [Form::V8, Form::V9, Form::Both];

/// The seeds of this run, and the form of the signatures for each.
fn seeds(count: u64) -> impl Iterator<Item = (u64, Form)> {
    let count = env::var("HISTORIES").map_or(count, |text| text.parse().unwrap());
    let seeds = testkit::seed(0)..;
    seeds
        .take(count as usize)
        .flat_map(|seed| FORMS.map(|form| (seed, form)))
}

#[test]
fn histories_in_memory_match_the_model() {
    for (seed, form) in seeds(12) {
        let (writer, copy) = (MemoryFiles::default(), MemoryFiles::default());
        let place = |name: &str| {
            Storage::custom(match name {
                "writer" => writer.clone(),
                _ => copy.clone(),
            })
        };
        block_on(play(seed, form, &place));
    }
}

#[test]
fn histories_on_disk_match_the_model() {
    for (seed, form) in seeds(6) {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| Storage::directory(Path::join(folder.path(), name));
        block_on(play(seed, form, &place));
    }
}
