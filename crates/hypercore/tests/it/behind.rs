//! A writer that has lost blocks which its readers still have.

use async_std::task::block_on;
use hypercore::{Dialect, Error, FeedError, File, Hypercore, MemoryFiles, RandomAccess, Storage};

use crate::pair::{assert_same, connect, reader_of};

fn copy(files: &MemoryFiles, which: &[File]) -> MemoryFiles {
    let copy = MemoryFiles::default();
    put_back(files, which, &copy);
    copy
}

/// Puts files in the place of others.
fn put_back(from: &MemoryFiles, which: &[File], to: &MemoryFiles) {
    for file in which {
        let (from, to) = (from.file(*file), to.file(*file));
        let mut bytes = vec![0; from.len().unwrap() as usize];
        from.read(0, &mut bytes).unwrap();
        to.truncate(0).unwrap();
        to.write(0, &[&bytes]).unwrap();
    }
}

/// The files of a feed of ten blocks and of twenty, and a reader who has them all.
async fn backup() -> (MemoryFiles, MemoryFiles, Hypercore) {
    let files = MemoryFiles::default();
    let writer = Hypercore::open(Storage::custom(files.clone()))
        .await
        .unwrap();
    for number in 0..10 {
        writer.append(format!("block {number}")).await.unwrap();
    }
    writer.close().await.unwrap();
    let old = copy(&files, &File::ALL);
    let writer = Hypercore::open(Storage::custom(files.clone()))
        .await
        .unwrap();
    for number in 10..20 {
        writer.append(format!("block {number}")).await.unwrap();
    }
    let reader = reader_of(&writer).await;
    let ends = connect(&reader, &writer, false);
    ends.0.await.unwrap();
    ends.1.await.unwrap();
    writer.close().await.unwrap();
    (old, files, reader)
}

fn is_behind<T>(result: &Result<T, Error>, lengths: (u64, u64)) -> bool {
    matches!(
        result,
        Err(Error::Feed(FeedError::WriterBehind { mine, seen })) if (*mine, *seen) == lengths
    )
}

async fn open(files: &MemoryFiles) -> Hypercore {
    let builder = Hypercore::builder(Storage::custom(files.clone()));
    builder.downloading(true).open().await.unwrap()
}

#[test]
fn a_writer_from_an_old_backup_catches_up_instead_of_forking() {
    block_on(async {
        let (old, _, reader) = backup().await;
        let writer = open(&old).await;
        assert_eq!((writer.len(), writer.is_writable()), (10, true));
        let ends = connect(&reader, &writer, true);
        assert_eq!(writer.get(19).await.unwrap(), "block 19");
        writer.download(0..20).await.unwrap();
        assert_eq!(writer.append("block 20").await.unwrap(), 20);
        assert_eq!(reader.get(20).await.unwrap(), "block 20");
        assert_same(&writer, &reader).await;
        assert!(writer.deep_audit().await.unwrap().is_clean());
        writer.close().await.unwrap();
        let _ = (ends.0.await, ends.1.await);
    });
}

#[test]
fn nothing_is_appended_until_the_lost_blocks_are_here() {
    block_on(async {
        let (old, _, reader) = backup().await;
        let whole = reader_of(&reader).await;
        let ends = connect(&whole, &reader, false);
        ends.0.await.unwrap();
        ends.1.await.unwrap();
        // This one has lost a block as well.
        reader.clear(13..14).await.unwrap();
        let writer = open(&old).await;
        let ends = connect(&reader, &writer, true);
        writer.download(14..20).await.unwrap();
        assert!(is_behind(&writer.append("another").await, (10, 20)));
        assert!(is_behind(&writer.append_batch(["a", "b"]).await, (10, 20)));
        assert_eq!(writer.len(), 20);
        let more = connect(&whole, &writer, true);
        writer.download(0..20).await.unwrap();
        assert_eq!(writer.append("block 20").await.unwrap(), 20);
        assert_eq!(whole.get(20).await.unwrap(), "block 20");
        // What is cleared afterwards isn't missed.
        writer.clear(12..15).await.unwrap();
        assert_eq!(writer.append("block 21").await.unwrap(), 21);
        writer.close().await.unwrap();
        let _ = (ends.0.await, ends.1.await, more.0.await, more.1.await);
    });
}

#[test]
fn a_writer_whose_opening_misses_something_asks_by_itself() {
    block_on(async {
        let (old, now, reader) = backup().await;
        // Signatures are left of what is lost: nothing says for what, but that there was something.
        let before = Hypercore::open(Storage::custom(old.clone())).await.unwrap();
        before.clear(3..5).await.unwrap();
        before.close().await.unwrap();
        put_back(&now, &[File::Signatures], &old);
        let writer = Hypercore::open(Storage::custom(old)).await.unwrap();
        assert!(writer.recovery().unwrap().is_behind());
        assert_eq!((writer.len(), writer.dialect()), (10, Dialect::V8));
        let ends = connect(&reader, &writer, true);
        assert_eq!(writer.get(19).await.unwrap(), "block 19");
        writer.download(10..20).await.unwrap();
        assert_eq!(writer.append("block 20").await.unwrap(), 20);
        assert_eq!(reader.get(20).await.unwrap(), "block 20");
        // What was cleared on purpose has not come back.
        assert_eq!(writer.missing(..), vec![3..5; 1]);
        writer.close().await.unwrap();
        let _ = (ends.0.await, ends.1.await);
    });
}
