//! Workloads on one machine.

use std::{
    ops::Range,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_std::task;
use futures_util::{SinkExt, StreamExt};
use hypercore::{Durability, Hypercore, Storage};
use serde_json::json;

use super::{
    Settings, at_a_time,
    material::{Blocks, Xorshift},
    meter::{Report, Stopwatch},
};
use crate::failure::Failure;

/// Opens or makes a feed whose appends count once the operating system has them, or once they are on the disk.
async fn feed(dir: &Path, durability: Durability) -> Result<Hypercore, Failure> {
    let builder = Hypercore::builder(dir).durability(durability);
    Ok(builder.open().await?)
}

/// Opens a feed to be read: by calls, or with `--mmap` through maps of its pages.
async fn reader(settings: &Settings) -> Result<Hypercore, Failure> {
    let dir = settings.dir()?;
    let storage = match settings.has("mmap") {
        true => Storage::mapped(dir),
        false => Storage::directory(dir),
    };
    let builder = Hypercore::builder(storage).durability(Durability::None);
    Ok(builder.open().await?)
}

pub(super) async fn create(settings: &Settings) -> Result<Report, Failure> {
    let watch = Stopwatch::start();
    let feed = feed(&settings.dir()?, Durability::None).await?;
    feed.close().await?;
    Ok(watch.stop())
}

pub(super) async fn append(settings: &Settings) -> Result<Report, Failure> {
    let dir = settings.dir()?;
    let (count, size): (u64, usize) = (settings.value("count")?, settings.value("size")?);
    let batch: u64 = settings.value_or("batch", 1)?;
    let durability = match settings.has("sync") {
        true => Durability::Always,
        false => Durability::None,
    };
    let feed = feed(&dir, durability).await?;
    let blocks = Blocks::new(size);
    let first = feed.len();
    let all = first..first + count;

    let watch = Stopwatch::start();
    if settings.has("tasks") {
        from_tasks(&feed, &blocks, all, settings.value("tasks")?).await?;
    } else if settings.has("pipeline") {
        // What gathers while an append is under way shares the next one's signature.
        let mut sink = feed.write();
        for nth in all {
            sink.feed(blocks.get(nth)).await?;
        }
        sink.close().await?;
    } else if batch == 1 {
        for nth in all {
            feed.append(blocks.get(nth)).await?;
        }
    } else {
        for start in all.step_by(batch as usize) {
            let end = (start + batch).min(first + count);
            feed.append_batch((start..end).map(|nth| blocks.get(nth)))
                .await?;
        }
    }
    let report = watch.stop();

    let (root, key) = (feed.tree_hash().to_string(), feed.key().to_string());
    feed.close().await?;
    let told = json!({ "count": count, "bytes": count * size as u64, "root": root, "key": key });
    Ok(report.with(told).disk(&dir))
}

/// Appends from so many tasks, each of which waits for one block before it takes the next.
async fn from_tasks(
    feed: &Hypercore,
    blocks: &Blocks,
    all: Range<u64>,
    tasks: usize,
) -> Result<(), Failure> {
    let next = Arc::new(AtomicU64::new(all.start));
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            let (feed, blocks, next) = (feed.clone(), blocks.clone(), Arc::clone(&next));
            task::spawn(async move {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= all.end {
                        return Ok(());
                    }
                    feed.append(blocks.get(nth)).await?;
                }
            })
        })
        .collect();
    for task in tasks {
        let appended: hypercore::Result<()> = task.await;
        appended?;
    }
    Ok(())
}

pub(super) async fn open(settings: &Settings) -> Result<Report, Failure> {
    let mut numbers = Xorshift::new(settings.value_or("seed", 1)?);
    let watch = Stopwatch::start();
    let feed = reader(settings).await?;
    let report = watch.stop();
    let watch = Stopwatch::start();
    feed.get(numbers.block(feed.len())).await?;
    let told = json!({ "count": feed.len(), "first_get_seconds": watch.seconds() });
    feed.close().await?;
    Ok(report.with(told))
}

pub(super) async fn get(settings: &Settings) -> Result<Report, Failure> {
    let feed = reader(settings).await?;
    let count: u64 = settings.value("count")?;
    let inflight: usize = settings.value_or("inflight", 1)?;
    let mut numbers = Xorshift::new(settings.value_or("seed", 1)?);
    let warm = count.min(settings.value_or("warm", 10_000)?);
    gets(&feed, warm, inflight, &mut numbers).await?;
    let watch = Stopwatch::start();
    let bytes = gets(&feed, count, inflight, &mut numbers).await?;
    let report = watch.stop();
    feed.close().await?;
    Ok(report.with(json!({ "count": count, "bytes": bytes })))
}

/// Gets so many random blocks, so many of them at a time. Says how many bytes they have.
async fn gets(
    feed: &Hypercore,
    count: u64,
    inflight: usize,
    numbers: &mut Xorshift,
) -> Result<u64, Failure> {
    let length = feed.len();
    let blocks = (0..count).map(|_| numbers.block(length));
    let bytes = at_a_time(inflight, blocks, |block| {
        let get = feed.get(block);
        async move { Ok(get.await?.len() as u64) }
    });
    bytes.await
}

pub(super) async fn stream(settings: &Settings) -> Result<Report, Failure> {
    let feed = reader(settings).await?;
    let batch: usize = settings.value_or("batch", 1)?;
    let (mut count, mut bytes) = (0_u64, 0);
    let watch = Stopwatch::start();
    let mut blocks = feed.read(..).batch(batch);
    while let Some(block) = blocks.next().await {
        bytes += block?.len() as u64;
        count += 1;
    }
    let report = watch.stop();
    feed.close().await?;
    Ok(report.with(json!({ "count": count, "bytes": bytes })))
}

pub(super) async fn audit(settings: &Settings) -> Result<Report, Failure> {
    let feed = reader(settings).await?;
    let watch = Stopwatch::start();
    let found = feed.audit().await?;
    let report = watch.stop();
    let told = json!({ "count": found.valid, "invalid": found.invalid, "bytes": feed.byte_len() });
    feed.close().await?;
    Ok(report.with(told))
}
