//! A feed as it is opened again after a power cut, for `cargo xtask interop`, where JavaScript has to find the same in it.
//!
//! ```text
//! wreck SEED DIR    makes up a life, cuts it off, opens what is left, and leaves the files of that in DIR
//! ```
//!
//! The lives are those of `crates/feed/tests/crash`, at the levels of durability that promise something.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    reason = "it is a part of a test that runs as a program"
)]

#[path = "../tests/crash/life.rs"]
mod life;
#[path = "../tests/crash/lives.rs"]
mod lives;
#[path = "../tests/crash/story.rs"]
mod story;

use std::{env, fs, path::Path};

use storage::File;
use testkit::{Loss, Rng};

use self::{life::Level, lives::made_up_life};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [seed, dir] = &arguments[..] else {
        panic!("see the head of this file");
    };
    let seed: u64 = seed.parse().unwrap();
    let level = [Level::Always, Level::Timely][(seed % 2) as usize];
    let mut rng = Rng::new(seed);
    let (record, author) = made_up_life(&mut rng, level, seed);
    loop {
        // Also in the middle of the last deeds, of which something is left.
        let at = record.end / 2 + rng.below(record.end as u64 / 2 + 1) as usize;
        let losses = record.disk.losses(at, 2, &mut rng);
        let loss = losses[rng.below(losses.len() as u64) as usize];
        let (left, state) = record.judge(at, loss, &mut rng, author.as_ref()).unwrap();
        if loss != Loss::Nothing && state.length > 0 {
            fs::create_dir_all(dir).unwrap();
            for file in File::ALL {
                fs::write(Path::new(dir).join(file.name()), left.bytes(file)).unwrap();
            }
            return;
        }
    }
}
