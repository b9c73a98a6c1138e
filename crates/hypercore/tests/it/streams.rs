//! A feed as a stream of blocks, a sink of values, and a stream of bytes that is cut into blocks.

use std::time::Duration;

use async_std::task;
use bytes::Bytes;
use futures_lite::{AsyncWriteExt, StreamExt, future::poll_once};
use futures_util::SinkExt;
use hypercore::{
    Error, File, Hypercore, Json, MemoryFiles, RandomAccess, ReadStream, Storage, Utf8,
};

async fn feed_of(count: u64) -> Hypercore {
    let feed = Hypercore::open(Storage::memory()).await.unwrap();
    let blocks = (0..count).map(|n| n.to_string());
    feed.append_batch(blocks).await.unwrap();
    feed
}

async fn numbers(stream: ReadStream<hypercore::Binary>) -> Vec<u64> {
    let values = stream
        .encoding(Utf8)
        .map(|text| text.unwrap().parse::<u64>().unwrap());
    values.collect().await
}

#[test]
fn a_range_is_read_in_order_whatever_its_bounds() {
    task::block_on(async {
        let feed = feed_of(5).await;
        assert_eq!(numbers(feed.read(..)).await, [0, 1, 2, 3, 4]);
        assert_eq!(numbers(feed.read(2..)).await, [2, 3, 4]);
        assert_eq!(numbers(feed.read(1..3)).await, [1, 2]);
        assert_eq!(numbers(feed.read(1..=3)).await, [1, 2, 3]);
        assert!(numbers(feed.read(3..3)).await.is_empty());
        assert!(numbers(feed.read(9..)).await.is_empty());
        #[allow(clippy::reversed_empty_ranges, reason = "that is the point")]
        let reversed = feed.read(4..2);
        assert!(numbers(reversed).await.is_empty());
    });
}

#[test]
fn read_ahead_changes_nothing_but_the_speed() {
    task::block_on(async {
        let feed = feed_of(100).await;
        for batch in [0, 1, 2, 7, 100, 1000] {
            let read = numbers(feed.read(3..98).batch(batch)).await;
            assert_eq!(read, (3..98).collect::<Vec<_>>());
        }
    });
}

#[test]
fn large_and_small_blocks_come_in_their_order() {
    task::block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        let sizes = (0..600).map(|nth: usize| match nth % 97 {
            0 => 600_000,
            1..6 => 50_000,
            _ => nth % 13 * 100,
        });
        let blocks: Vec<Vec<u8>> = sizes
            .zip(0_u32..)
            .map(|(len, nth)| vec![nth as u8; len])
            .collect();
        feed.append_batch(blocks.clone()).await.unwrap();
        for batch in [1, 8, 1000] {
            let mut read = feed.read(..).batch(batch);
            for block in &blocks {
                assert_eq!(read.next().await.unwrap().unwrap(), block[..]);
            }
            assert!(read.next().await.is_none());
        }
    });
}

/// Blocks so large that other threads check them, each of another byte.
fn large() -> impl Iterator<Item = Bytes> {
    (0..40).map(|nth| vec![nth; 64 * 1024].into())
}

#[test]
fn large_blocks_come_up_to_the_one_that_is_damaged() {
    task::block_on(async {
        for damaged in [0, 1, 2, 3, 11, 21, 39] {
            let files = MemoryFiles::default();
            let feed = Hypercore::open(Storage::custom(files.clone()));
            let feed = feed.await.unwrap();
            feed.append_batch(large()).await.unwrap();
            let place = damaged * 64 * 1024 + 5;
            let data = files.file(File::Data);
            data.write(place as u64, &[b"damage"]).unwrap();
            let mut read = feed.read(..);
            for good in large().take(damaged) {
                assert_eq!(read.next().await.unwrap().unwrap(), good);
            }
            let error = read.next().await.unwrap().unwrap_err();
            assert!(matches!(error, Error::Feed(_)), "{damaged}: {error:?}");
            assert!(read.next().await.is_none());
        }
    });
}

#[test]
fn a_stream_that_is_dropped_leaves_nothing_that_holds_the_feed() {
    task::block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let feed = Hypercore::open(folder.path()).await.unwrap();
        feed.append_batch(large()).await.unwrap();
        feed.close().await.unwrap();
        for taken in 0..12 {
            // Nobody else has it open any more, whatever other threads are about.
            let feed = Hypercore::open(folder.path()).await.unwrap();
            let mut read = feed.read(..);
            for block in large().take(taken) {
                assert_eq!(read.next().await.unwrap().unwrap(), block);
            }
        }
    });
}

#[test]
fn a_stream_ends_with_the_feed_that_is_closed() {
    task::block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        feed.append_batch(large()).await.unwrap();
        let mut read = feed.read(..);
        for block in large().take(5) {
            assert_eq!(read.next().await.unwrap().unwrap(), block);
        }
        feed.close().await.unwrap();
        let ended = read.next().await.unwrap();
        assert!(matches!(ended, Err(Error::Closed)), "{ended:?}");
        assert!(read.next().await.is_none());
    });
}

#[test]
fn in_reverse_the_last_comes_first() {
    task::block_on(async {
        let feed = feed_of(5).await;
        assert_eq!(numbers(feed.read(..).reverse(true)).await, [4, 3, 2, 1, 0]);
        assert_eq!(numbers(feed.read(1..3).reverse(true)).await, [2, 1]);
    });
}

#[test]
fn a_snapshot_ends_at_the_length_of_the_first_poll() {
    task::block_on(async {
        let feed = feed_of(2).await;
        let mut snapshot = feed.read(..);
        let mut following = feed.read(..).snapshot(false);
        assert_eq!(snapshot.next().await.unwrap().unwrap(), "0");
        assert_eq!(following.next().await.unwrap().unwrap(), "0");
        feed.append("2").await.unwrap();
        assert_eq!(numbers(snapshot).await, [1]);
        assert_eq!(numbers(following).await, [1, 2]);
    });
}

#[test]
fn a_live_stream_goes_on_and_a_tail_begins_at_the_end() {
    task::block_on(async {
        let feed = feed_of(2).await;
        let mut live = feed.read(1..).live(true);
        let mut tail = feed.read(..).live(true).tail(true);
        assert_eq!(live.next().await.unwrap().unwrap(), "1");
        assert!(poll_once(live.next()).await.is_none());
        assert!(poll_once(tail.next()).await.is_none());
        feed.append("2").await.unwrap();
        assert_eq!(live.next().await.unwrap().unwrap(), "2");
        assert_eq!(tail.next().await.unwrap().unwrap(), "2");
        assert!(numbers(feed.read(..).tail(true)).await.is_empty());

        // An end is an end, live or not.
        assert_eq!(numbers(feed.read(1..3).live(true)).await, [1, 2]);

        feed.close().await.unwrap();
        assert!(matches!(live.next().await, Some(Err(Error::Closed))));
        assert!(live.next().await.is_none());
    });
}

#[test]
fn a_hole_ends_a_stream_that_does_not_wait() {
    task::block_on(async {
        let feed = feed_of(1).await;
        let mut stream = feed.read(0..2).wait(false);
        assert_eq!(stream.next().await.unwrap().unwrap(), "0");
        assert!(matches!(
            stream.next().await,
            Some(Err(Error::NotLocal { block: 1 }))
        ));
        assert!(stream.next().await.is_none());

        let mut stream = feed.read(1..2).timeout(Duration::from_millis(20));
        assert!(matches!(stream.next().await, Some(Err(Error::TimedOut))));
        assert!(stream.next().await.is_none());
    });
}

#[test]
fn what_gathers_in_a_sink_shares_a_signature() {
    task::block_on(async {
        let feed = feed_of(0).await;
        let mut events = feed.events();
        let values = feed.typed::<Json<u32>>();
        let mut sink = values.write();
        for value in 0..100_u32 {
            sink.feed(value).await.unwrap();
        }
        assert_eq!(feed.len(), 0);
        sink.flush().await.unwrap();
        assert_eq!(feed.len(), 100);
        assert_eq!(
            events.next().await,
            Some(hypercore::Event::Append {
                length: 100,
                byte_length: 290
            })
        );
        sink.send(100).await.unwrap();
        sink.close().await.unwrap();
        assert_eq!(
            values.get_range(0..101).await.unwrap(),
            Vec::from_iter(0..=100)
        );
    });
}

#[test]
fn a_sink_takes_only_so_much_before_it_appends() {
    task::block_on(async {
        let feed = feed_of(0).await;
        let mut sink = feed.write();
        let block = Bytes::from(vec![7; 256 * 1024]);
        for _ in 0..16 {
            sink.feed(block.clone()).await.unwrap();
        }
        assert!(feed.len() >= 8, "{} blocks", feed.len());
        sink.close().await.unwrap();
        assert_eq!(feed.len(), 16);
    });
}

#[test]
fn a_sink_of_a_feed_that_is_not_writable_fails() {
    task::block_on(async {
        let key = hypercore::KeyPair::from_seed([1; 32]).public();
        let feed = Hypercore::builder(Storage::memory())
            .key(key)
            .open()
            .await
            .unwrap();
        let mut sink = feed.write();
        assert!(sink.send("x").await.is_err());
    });
}

#[test]
fn written_bytes_are_cut_into_blocks_with_the_rest_last() {
    task::block_on(async {
        let feed = feed_of(0).await;
        let bytes: Vec<u8> = (0..1_048_576_u32).map(|n| n as u8).collect();
        let mut writer = feed.byte_writer(100 * 1024);
        writer.write_all(&bytes).await.unwrap();
        writer.close().await.unwrap();
        assert_eq!(feed.len(), 11);
        let read = feed.get_range(0..11).await.unwrap().concat();
        assert_eq!(read, bytes);
    });
}
