//! What opening, reading, appending and keeping a feed costs as it gets longer: a table, not a benchmark of criterion's, since what
//! matters is how the lines compare.
//!
//! ```sh
//! cargo bench -p hypercore --bench growth          # up to a million blocks: some seconds, 150 MB
//! cargo bench -p hypercore --bench growth -- 7     # up to 10^7: a minute, 1.5 GB
//! ```
//!
//! Expected: opening follows the size of the bitfield (half a byte a block), reading and appending the height of the tree at most,
//! and the memory of a feed that nobody uses its bitfield.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::{alloc::System, env, path::Path, time::Instant};

use async_std::task;
use bytes::Bytes;
use cap::Cap;
use hypercore::{Durability, Hypercore};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const BLOCK: Bytes = Bytes::from_static(&[7; 10]);

/// How often each thing is done. What counts is the middle one.
const TIMES: usize = 501;

fn main() {
    // Cargo says --bench.
    let mut numbers = env::args().filter_map(|argument| argument.parse().ok());
    let last: u32 = numbers.next().unwrap_or(6);
    println!("|   blocks | open, ms | get, us | cold, us | append, us | idle, KiB |");
    println!("| -------: | -------: | ------: | -------: | ---------: | --------: |");
    for power in 3..=last {
        task::block_on(row(10_u64.pow(power)));
    }
}

async fn row(length: u64) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fill(folder.path(), length).await;

    // Once so that the files are in the cache of the system and the threads are there.
    open(folder.path()).await.close().await.unwrap();
    let mut opened = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        let feed = open(folder.path()).await;
        opened.push(start.elapsed().as_secs_f64());
        feed.close().await.unwrap();
    }

    let before = ALLOCATOR.allocated();
    let feed = open(folder.path()).await;
    let idle = ALLOCATOR.allocated() - before;

    // The first time nodes of the tree have to be read as well.
    let mut cold = Vec::new();
    for block in blocks(length) {
        cold.push(seconds(async { drop(feed.get(block).await.unwrap()) }).await);
    }
    let mut got = Vec::new();
    for block in blocks(length) {
        got.push(seconds(async { drop(feed.get(block).await.unwrap()) }).await);
    }
    let mut appended = Vec::new();
    for _ in 0..TIMES {
        appended.push(seconds(async { _ = feed.append(BLOCK).await.unwrap() }).await);
    }
    feed.close().await.unwrap();

    println!(
        "| {length:8} | {:8.2} | {:7.2} | {:8.2} | {:10.1} | {:9} |",
        middle(opened) * 1e3,
        middle(got) * 1e6,
        middle(cold) * 1e6,
        middle(appended) * 1e6,
        idle / 1024,
    );
}

async fn open(folder: &Path) -> Hypercore {
    let feed = Hypercore::builder(folder).durability(Durability::None);
    feed.open().await.unwrap()
}

async fn fill(folder: &Path, length: u64) {
    let feed = open(folder).await;
    while feed.len() < length {
        let batch = (length - feed.len()).min(10_000) as usize;
        let blocks = std::iter::repeat_n(BLOCK, batch);
        feed.append_batch(blocks).await.unwrap();
    }
    feed.close().await.unwrap();
}

/// The same blocks each time, all over the feed: steps by the golden section.
fn blocks(length: u64) -> impl Iterator<Item = u64> {
    let step = 0x9e37_79b9_7f4a_7c15_u64;
    (1..=TIMES as u64)
        .map(move |nth| ((u128::from(nth.wrapping_mul(step)) * u128::from(length)) >> 64) as u64)
}

async fn seconds(work: impl Future<Output = ()>) -> f64 {
    let start = Instant::now();
    work.await;
    start.elapsed().as_secs_f64()
}

fn middle(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
