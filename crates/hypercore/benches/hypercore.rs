//! The facade's hot paths in memory: append, get, and a whole clone over a pipe.

#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use async_std::task;
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hypercore::{Connection, Hypercore, Role, Storage};

#[path = "../tests/it/duplex.rs"]
mod duplex;

const BLOCK: Bytes = Bytes::from_static(&[7; 100]);

fn feed_of(blocks: usize) -> Hypercore {
    task::block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        feed.append_batch(std::iter::repeat_n(BLOCK, blocks))
            .await
            .unwrap();
        feed
    })
}

fn append(c: &mut Criterion) {
    let mut group = c.benchmark_group("append");
    for batch in [1, 1000] {
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(format!("batch of {batch}"), |b| {
            let feed = feed_of(0);
            b.iter(|| {
                let blocks = std::iter::repeat_n(BLOCK, batch);
                task::block_on(feed.append_batch(blocks)).unwrap()
            });
        });
    }
    group.finish();
}

fn get(c: &mut Criterion) {
    let feed = feed_of(10_000);
    let mut block = 0;
    c.bench_function("get", |b| {
        b.iter(|| {
            block = (block + 7919) % 10_000;
            black_box(task::block_on(feed.get(block).into_future()).unwrap())
        });
    });
}

fn get_on_disk(c: &mut Criterion) {
    const BLOCKS: u64 = 100_000;
    let folder = tempfile::tempdir().unwrap();
    let feed = task::block_on(async {
        let feed = Hypercore::open(folder.path()).await.unwrap();
        feed.append_batch(std::iter::repeat_n(BLOCK, BLOCKS as usize))
            .await
            .unwrap();
        feed
    });
    let mut block = 0;
    c.bench_function("get on disk, in random order", |b| {
        b.iter(|| {
            block = (block + 61_813) % BLOCKS;
            black_box(task::block_on(feed.get(block).into_future()).unwrap())
        });
    });
    let mut block = 0;
    c.bench_function("get on disk, in order", |b| {
        b.iter(|| {
            block = (block + 1) % BLOCKS;
            black_box(task::block_on(feed.get(block).into_future()).unwrap())
        });
    });
}

fn clone(c: &mut Criterion) {
    let writer = feed_of(1000);
    let mut group = c.benchmark_group("clone");
    group.throughput(Throughput::Elements(1000));
    group.sample_size(10);
    group.bench_function("1000 blocks of 100 bytes", |b| {
        b.iter_batched(
            || {
                let builder = Hypercore::builder(Storage::memory()).key(writer.key());
                task::block_on(builder.open()).unwrap()
            },
            |reader| {
                task::block_on(async {
                    let (left, right) = duplex::duplex(256 * 1024);
                    let server =
                        task::spawn(writer.replicate(Role::Responder, right).into_future());
                    reader.replicate(Role::Initiator, left).await.unwrap();
                    server.await.unwrap();
                    reader
                })
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// A block goes over one of many feeds on a connection. What the silent ones cost shows in the differences.
fn one_of_many(c: &mut Criterion) {
    let mut group = c.benchmark_group("append and fetch on one of many feeds");
    group.sample_size(20);
    for count in [10, 100, 1000] {
        group.bench_function(format!("{count} feeds"), |b| {
            let (feed, copy, _connection) = task::block_on(connected(count));
            let mut block = 0;
            b.iter(|| {
                task::block_on(async {
                    feed.append(BLOCK).await.unwrap();
                    copy.get(block).await.unwrap();
                });
                block += 1;
            });
        });
    }
    group.finish();
}

/// The last of so many feeds on a connection, and its copy.
async fn connected(count: usize) -> (Hypercore, Hypercore, impl Drop) {
    let ends = [Role::Initiator, Role::Responder].map(|role| Connection::new(role).live(true));
    let mut last = None;
    for _ in 0..count {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        let builder = Hypercore::builder(Storage::memory()).key(feed.key());
        let copy = builder.open().await.unwrap();
        ends[0].add(&feed).unwrap();
        ends[1].add(&copy).unwrap();
        last = Some((feed, copy));
    }
    let (left, right) = duplex::duplex(256 * 1024);
    let [a, b] = ends;
    let handle = HangUp(a.handle());
    task::spawn(a.run(left));
    task::spawn(b.run(right));
    let (feed, copy) = last.unwrap();
    while copy.peers().is_empty() || feed.peers().is_empty() {
        task::yield_now().await;
    }
    (feed, copy, handle)
}

struct HangUp(hypercore::ConnectionHandle);

impl Drop for HangUp {
    fn drop(&mut self) {
        self.0.hang_up();
    }
}

criterion_group!(benches, append, get, get_on_disk, clone, one_of_many);
criterion_main!(benches);
