//! What an append survives, what peers may hold by then, and disks that fail and get well again.

use std::{io::ErrorKind, sync::Arc, time::Duration};

use async_std::task::{self, block_on};
use futures_lite::{StreamExt, future};
use hypercore::{
    BoxFuture, Builder, Durability, Error, Event, File, Hypercore, Runtime, Storage, StorageError,
};
use testkit::{Call, Fault, Loss, Rng, SimDisk};

use crate::pair::{assert_same, connect, reader_of};

const LEVELS: [Durability; 3] = [Durability::Always, Durability::Timely, Durability::None];

fn at(disk: &SimDisk) -> Builder {
    Hypercore::builder(Storage::custom(disk.clone()))
}

/// What is found after a power cut now, which takes whatever wasn't synced.
async fn length_after_a_power_cut(disk: &SimDisk) -> u64 {
    let left = disk.crash(disk.done(), Loss::Everything, &mut Rng::new(0));
    at(&left).open().await.unwrap().len()
}

/// A clock that stands still, and timers that ring when told to.
#[derive(Debug, Default)]
struct Timers(std::sync::Mutex<Vec<BoxedTask>>);

struct BoxedTask(BoxFuture<()>);

impl std::fmt::Debug for BoxedTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a task")
    }
}

impl Timers {
    /// Lets a second pass for all that wait. How many did.
    fn ring(&self) -> usize {
        let tasks = std::mem::take(&mut *self.0.lock().unwrap());
        let count = tasks.len();
        tasks.into_iter().for_each(|task| block_on(task.0));
        count
    }
}

impl Runtime for Timers {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        assert_eq!(duration, Duration::from_secs(1));
        Box::pin(future::ready(()))
    }

    fn unblock(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        call();
        Box::pin(future::ready(()))
    }

    fn spawn(&self, task: BoxFuture<()>) {
        self.0.lock().unwrap().push(BoxedTask(task));
    }
}

/// Where calls that block are made at the next poll, so that others have their turn before.
#[derive(Debug)]
struct Late;

impl Runtime for Late {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> BoxFuture<()> {
        Box::pin(future::pending())
    }

    fn unblock(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        Box::pin(async {
            future::yield_now().await;
            call();
        })
    }
}

#[test]
fn what_an_acknowledged_append_survives_is_what_its_level_says() {
    block_on(async {
        for (durability, kept) in [
            (Durability::Always, 2),
            (Durability::Timely, 0),
            (Durability::None, 0),
        ] {
            let disk = SimDisk::default();
            let timers = Arc::new(Timers::default());
            let feed = at(&disk).durability(durability).runtime(timers.clone());
            let feed = feed.open().await.unwrap();
            feed.append("a").await.unwrap();
            feed.append("b").await.unwrap();
            if durability != Durability::None {
                assert_eq!(
                    length_after_a_power_cut(&disk).await,
                    kept,
                    "{durability:?}"
                );
            }
            // A killed process loses nothing.
            let left = disk.crash(disk.done(), Loss::Nothing, &mut Rng::new(0));
            let left = at(&left).open().await.unwrap();
            assert_eq!((left.len(), left.get(1).await.unwrap()), (2, "b".into()));
            // Nor does a power cut after a sync.
            feed.sync().await.unwrap();
            assert_eq!(length_after_a_power_cut(&disk).await, 2, "{durability:?}");
        }
    });
}

#[test]
fn closing_syncs_what_was_written_where_that_was_promised() {
    block_on(async {
        for durability in LEVELS {
            let disk = SimDisk::default();
            let feed = at(&disk).durability(durability).open().await.unwrap();
            feed.append("a").await.unwrap();
            let before = disk.calls(Call::Sync);
            feed.close().await.unwrap();
            let syncs = disk.calls(Call::Sync) - before;
            match durability {
                Durability::None => assert_eq!(syncs, 0),
                _ => assert_eq!(length_after_a_power_cut(&disk).await, 1, "{durability:?}"),
            }
            // Nothing is written, so there is nothing to be synced.
            let before = disk.calls(Call::Sync);
            let feed = at(&disk).durability(durability).open().await.unwrap();
            assert_eq!(feed.get(0).await.unwrap(), "a");
            feed.close().await.unwrap();
            assert_eq!(disk.calls(Call::Sync), before, "{durability:?}");
        }
    });
}

#[test]
fn closing_writes_what_a_full_disk_has_put_off() {
    block_on(async {
        let mut put_off = 0;
        for room in (0..5000).step_by(100) {
            let disk = SimDisk::default();
            let feed = at(&disk).durability(Durability::None).open().await.unwrap();
            let used: usize = disk.image().iter().map(Vec::len).sum();
            disk.fail(Fault::Room(used + room));
            let appended = feed.append(vec![7; 300]).await.is_ok();
            let bits = disk.bytes(File::Bitfield).len();
            // A header and a page.
            put_off += usize::from(appended && bits < 32 + 3584);
            disk.heal();
            feed.close().await.unwrap();
            let again = at(&disk).open().await.unwrap();
            assert_eq!(again.len(), u64::from(appended));
            // Of an append that was refused something may be left.
            assert!(again.recovery().is_none() || !appended);
        }
        assert!(put_off > 0);
    });
}

#[test]
fn time_and_bytes_bring_a_sync() {
    block_on(async {
        let disk = SimDisk::default();
        let timers = Arc::new(Timers::default());
        let feed = at(&disk)
            .sync_after(Duration::from_secs(1), 10_000)
            .runtime(timers.clone());
        let feed = feed.open().await.unwrap();
        feed.append("a").await.unwrap();
        feed.append("b").await.unwrap();
        // One timer for both.
        assert_eq!(timers.ring(), 1);
        assert_eq!(length_after_a_power_cut(&disk).await, 2);
        assert_eq!(timers.ring(), 0);
        let syncs = disk.calls(Call::Sync);
        feed.append(vec![1; 9_900]).await.unwrap();
        assert_eq!(disk.calls(Call::Sync), syncs);
        feed.append(vec![1; 9_900]).await.unwrap();
        assert_eq!(length_after_a_power_cut(&disk).await, 4);
    });
}

#[test]
fn no_peer_holds_what_a_power_cut_can_take_back() {
    for durability in [Durability::Always, Durability::Timely] {
        task::block_on(async {
            let disk = SimDisk::default();
            let writer = at(&disk).durability(durability).open().await.unwrap();
            writer.append("before anybody listens").await.unwrap();
            let reader = reader_of(&writer).await;
            let mut events = reader.events();
            let (_left, _right) = connect(&reader, &writer, true);
            let mut next = 1;
            while reader.len() < 12 {
                if let Some(Event::Append { length, .. }) = events.next().await {
                    let kept = length_after_a_power_cut(&disk).await;
                    assert!(kept >= length, "{length} announced, {kept} kept");
                    while next <= length && next < 12 {
                        next += 1;
                        writer.append(format!("block {next}")).await.unwrap();
                    }
                }
            }
        });
    }
}

#[test]
fn many_writers_share_a_sync() {
    block_on(async {
        let disk = SimDisk::default();
        let feed = at(&disk)
            .durability(Durability::Always)
            .runtime(Arc::new(Late))
            .open()
            .await
            .unwrap();
        feed.append("first").await.unwrap();
        let syncs = disk.calls(Call::Sync);
        let mut appends: Vec<_> = (0..64)
            .map(|n| Box::pin(feed.append(format!("{n}"))))
            .collect();
        while !appends.is_empty() {
            let mut left = Vec::new();
            for mut append in appends {
                match future::poll_once(&mut append).await {
                    Some(appended) => drop(appended.unwrap()),
                    None => left.push(append),
                }
            }
            appends = left;
        }
        // The first one goes alone; while it waits for the disk the others come together.
        let syncs = disk.calls(Call::Sync) - syncs;
        assert!(syncs <= 8, "{syncs} syncs");
        assert_eq!(length_after_a_power_cut(&disk).await, 65);
    });
}

#[test]
fn an_append_that_nobody_waits_for_is_made_once_or_not_at_all() {
    block_on(async {
        let disk = SimDisk::default();
        let feed = at(&disk)
            .durability(Durability::Always)
            .open()
            .await
            .unwrap();
        let mut before = 0;
        for round in 0..20 {
            let append = feed.append(format!("{round}"));
            let gone = async { future::yield_now().await };
            future::or(async { drop(append.await) }, gone).await;
            feed.append("after").await.unwrap();
            let now = feed.len();
            assert!(now == before + 1 || now == before + 2, "{before} to {now}");
            before = now;
        }
        feed.close().await.unwrap();
        let again = at(&disk).open().await.unwrap();
        assert_eq!((again.len(), again.recovery()), (before, None));
        assert!(again.deep_audit().await.unwrap().is_clean());
    });
}

#[test]
fn a_full_disk_refuses_appends_and_takes_them_again_when_it_has_room() {
    block_on(async {
        for durability in LEVELS {
            let disk = SimDisk::default();
            let feed = at(&disk).durability(durability).open().await.unwrap();
            feed.append("a").await.unwrap();
            feed.sync().await.unwrap();
            let used: usize = disk.image().iter().map(Vec::len).sum();
            for room in [0, 3, 40, 60, 100, 140] {
                disk.fail(Fault::Room(used + room));
                let refused = feed.append(vec![7; 300]).await;
                let full = matches!(&refused, Err(Error::Disk(StorageError::Io { source, .. }))
                    if source.kind() == ErrorKind::StorageFull);
                assert!(full, "{refused:?}");
                assert_eq!((feed.len(), feed.byte_len()), (1, 1));
                assert_eq!(feed.get(0).await.unwrap(), "a");
            }
            disk.heal();
            assert_eq!(feed.append("b").await.unwrap(), 1);
            assert_eq!(feed.append("c").await.unwrap(), 2);
            feed.close().await.unwrap();
            let again = at(&disk).open().await.unwrap();
            assert_eq!((again.len(), again.recovery()), (3, None));
            assert_eq!(again.get(2).await.unwrap(), "c");
            assert!(again.deep_audit().await.unwrap().is_clean());
        }
    });
}

#[test]
fn every_single_failed_call_leaves_the_feed_whole() {
    block_on(async {
        for durability in LEVELS {
            for call in Call::ALL {
                for nth in 0.. {
                    let disk = SimDisk::default();
                    let feed = at(&disk).durability(durability).open().await.unwrap();
                    feed.append_batch(["a", "b"]).await.unwrap();
                    feed.sync().await.unwrap();
                    let calls = disk.calls(call);
                    disk.fail(Fault::Once {
                        call,
                        nth,
                        kind: ErrorKind::PermissionDenied,
                    });
                    disk.fail(Fault::Short(5));
                    let appended = feed.append("c").await;
                    let cleared = feed.clear(0..1).await;
                    let synced = feed.sync().await;
                    let struck = disk.calls(call) - calls > nth;
                    disk.heal();
                    let failed = appended.is_err() || cleared.is_err() || synced.is_err();
                    assert!(!failed || struck, "{call:?} {nth}: failed for nothing");
                    assert_eq!(feed.len(), 2 + u64::from(appended.is_ok()));
                    assert_eq!(feed.get(1).await.unwrap(), "b");
                    // After a failed sync the feed has to be opened again, otherwise it goes on.
                    let next = feed.append("d").await;
                    let latched = matches!(next, Err(Error::Disk(StorageError::Latched)));
                    assert!(next.is_ok() || latched && call == Call::Sync, "{next:?}");
                    let (len, acknowledged) = (feed.len(), appended.is_ok());
                    let _ = feed.close().await;
                    drop(feed);

                    let again = at(&disk).durability(durability).open().await.unwrap();
                    assert!(again.len() >= len, "{durability:?}, {call:?} {nth}");
                    assert_eq!(again.get(1).await.unwrap(), "b");
                    if acknowledged {
                        assert_eq!(again.get(2).await.unwrap(), "c");
                    }
                    again.append("e").await.unwrap();
                    assert!(again.audit().await.unwrap().is_clean());
                    if !struck {
                        break;
                    }
                }
            }
        }
    });
}

#[test]
fn downloads_wait_for_a_full_disk_and_uploads_do_not() {
    task::block_on(async {
        let writer = Hypercore::open(Storage::memory()).await.unwrap();
        for n in 0..20 {
            writer.append(vec![n; 500]).await.unwrap();
        }
        let disk = SimDisk::default();
        let middle = at(&disk).key(writer.key()).open().await.unwrap();
        let (_a, _b) = connect(&middle, &writer, true);
        middle.download(0..20).await.unwrap();

        let used: usize = disk.image().iter().map(Vec::len).sum();
        disk.fail(Fault::Room(used + 100));
        let mut events = middle.events();
        writer.append(vec![20; 500]).await.unwrap();
        let told = loop {
            if let Event::WriteFailed { reason } = events.next().await.unwrap() {
                break reason;
            }
        };
        assert_eq!(told, ErrorKind::StorageFull);
        // Somebody else fetches from the one whose disk is full, over a connection of its own.
        let reader = reader_of(&writer).await;
        let (_c, _d) = connect(&reader, &middle, true);
        reader.download(0..20).await.unwrap();
        assert!(!middle.has(20));
        disk.heal();
        assert_eq!(middle.get(20).await.unwrap(), vec![20; 500]);
        assert_eq!(reader.get(20).await.unwrap(), vec![20; 500]);
        assert_same(&middle, &reader).await;
    });
}

#[test]
fn read_errors_are_told_and_pass() {
    block_on(async {
        let disk = SimDisk::default();
        let feed = at(&disk).open().await.unwrap();
        feed.append("a").await.unwrap();
        disk.fail(Fault::Always {
            call: Call::Read,
            file: File::Data,
            kind: ErrorKind::Other,
        });
        assert!(matches!(
            feed.get(0).await,
            Err(Error::Disk(StorageError::Io { .. }))
        ));
        disk.heal();
        assert_eq!(feed.get(0).await.unwrap(), "a");
    });
}
