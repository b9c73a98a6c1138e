//! Space: clearing, and what an audit finds.

use async_std::task;
use bytes::Bytes;
use futures_lite::StreamExt;
use hypercore::{Dialect, Error, Event, Hypercore, Storage};

use crate::pair::{connect, exchange, reader_of, writer};

#[test]
fn cleared_blocks_are_gone_and_the_rest_can_still_be_proved() {
    task::block_on(async {
        let writer = writer(20, Dialect::V8).await;
        let hash = writer.tree_hash();
        let mut events = writer.events();
        writer.clear(3..7).await.unwrap();
        assert_eq!(events.next().await, Some(Event::Clear { blocks: 3..7 }));
        assert_eq!(writer.missing(..), vec![3..7; 1]);
        assert_eq!((writer.len(), writer.tree_hash()), (20, hash));
        let gone = writer.get(4).wait(false).await;
        assert!(
            matches!(gone, Err(Error::NotLocal { block: 4 })),
            "{gone:?}"
        );

        let reader = reader_of(&writer).await;
        for block in [0, 2, 7, 19] {
            let proof = writer
                .proof(block)
                .digest(reader.digest(block))
                .await
                .unwrap();
            reader
                .put(proof, Some(writer.get(block).await.unwrap()))
                .await
                .unwrap();
        }
        // Beyond the end and twice over is nothing to do.
        writer.clear(15..900).await.unwrap();
        writer.clear(15..900).await.unwrap();
        writer.clear(50..60).await.unwrap();
        assert_eq!(writer.missing(..), [3..7, 15..20]);
        assert_eq!(writer.append("more").await.unwrap(), 20);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn clearing_gives_back_the_space() {
    task::block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let feed = Hypercore::open(folder.path()).await.unwrap();
        let block = Bytes::from(vec![7; 1 << 20]);
        feed.append_batch(std::iter::repeat_n(block, 8))
            .await
            .unwrap();
        let full = feed.disk_usage().unwrap();
        feed.clear(1..7).await.unwrap();
        let left = feed.disk_usage().unwrap();
        assert!(full - left >= 6 << 20, "{full} and then {left}");
        assert_eq!(feed.get(7).await.unwrap().len(), 1 << 20);
        feed.close().await.unwrap();
        let feed = Hypercore::open(folder.path()).await.unwrap();
        assert_eq!(feed.missing(..), vec![1..7; 1]);
        assert_eq!(feed.get(0).await.unwrap().len(), 1 << 20);
    });
}

#[test]
fn what_was_cleared_comes_back_only_when_it_is_asked_for() {
    task::block_on(async {
        let writer = writer(10, Dialect::V8).await;
        let reader = reader_of(&writer).await;
        let _connection = connect(&reader, &writer, true);
        assert_eq!(reader.get(9).await.unwrap(), writer.get(9).await.unwrap());
        while reader.downloaded(..) < 10 {
            task::yield_now().await;
        }
        reader.clear(2..5).await.unwrap();
        writer.append("more").await.unwrap();
        reader.get(10).await.unwrap();
        assert_eq!(reader.missing(..), vec![2..5; 1]);
        // A new connection learns what the other has.
        let _again = connect(&reader, &writer, true);
        assert_eq!(reader.get(3).await.unwrap(), writer.get(3).await.unwrap());
        assert_eq!(reader.missing(..), [2..3, 4..5]);
    });
}

#[test]
fn an_audit_forgets_what_is_damaged_and_says_so_once() {
    task::block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let feed = Hypercore::open(folder.path()).await.unwrap();
        feed.append_batch(["aaaa", "bbbb", "cccc"]).await.unwrap();
        // What is read is kept in no cache that could hide the damage.
        assert_eq!(feed.get(1).await.unwrap(), "bbbb");
        let report = feed.audit().await.unwrap();
        assert_eq!((report.valid, report.invalid), (3, 0));
        assert!(feed.deep_audit().await.unwrap().is_clean());

        std::fs::write(folder.path().join("data"), "aaaabXbbcccc").unwrap();
        assert_eq!(feed.deep_audit().await.unwrap().invalid, 1);
        assert!(feed.has(1));
        let report = feed.audit().await.unwrap();
        assert_eq!((report.valid, report.invalid), (2, 1));
        assert_eq!(report.bad.iter().collect::<Vec<_>>(), vec![1..2; 1]);
        assert!(!feed.has(1));
        let report = feed.audit().await.unwrap();
        assert_eq!((report.valid, report.invalid), (2, 0));
        assert_eq!(feed.get(2).await.unwrap(), "cccc");
    });
}

#[test]
fn a_damaged_block_is_fetched_again_after_an_audit() {
    task::block_on(async {
        let writer = writer(5, Dialect::V8).await;
        let folder = tempfile::tempdir().unwrap();
        let reader = Hypercore::builder(folder.path())
            .key(writer.key())
            .open()
            .await
            .unwrap();
        exchange(&reader, &writer).await;
        let path = folder.path().join("data");
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let bad = reader.audit().await.unwrap().bad.iter().collect::<Vec<_>>();
        assert_eq!(bad.len(), 1);
        exchange(&reader, &writer).await;
        assert!(reader.has_range(0..5));
        assert_eq!(reader.audit().await.unwrap().invalid, 0);
    });
}

#[test]
fn a_damaged_block_is_not_served_and_the_others_are() {
    task::block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let writer = Hypercore::open(folder.path()).await.unwrap();
        writer.append_batch(["aaaa", "bbbb", "cccc"]).await.unwrap();
        std::fs::write(folder.path().join("data"), "aaaabXbbcccc").unwrap();
        let reader = reader_of(&writer).await;
        let (_left, right) = connect(&reader, &writer, true);
        assert_eq!(reader.get(0).await.unwrap(), "aaaa");
        assert_eq!(reader.get(2).await.unwrap(), "cccc");
        // The reader was told that the block isn't there, not cut off.
        let nobody = reader.get(1).if_available().await;
        assert!(
            matches!(nobody, Err(Error::NotAvailable { block: 1 })),
            "{nobody:?}"
        );
        drop(right);
    });
}

#[test]
fn an_empty_feed_has_nothing_to_audit_or_clear() {
    task::block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        feed.clear(0..10).await.unwrap();
        let report = feed.audit().await.unwrap();
        assert_eq!((report.valid, report.invalid), (0, 0));
        feed.close().await.unwrap();
        assert!(matches!(feed.audit().await, Err(Error::Closed)));
        assert!(matches!(feed.clear(0..1).await, Err(Error::Closed)));
    });
}
