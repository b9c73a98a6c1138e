//! Bytes and the blocks that hold them, and the feed as a file.

use std::{io::SeekFrom, time::Duration};

use async_std::task;
use futures_lite::{AsyncReadExt, AsyncSeekExt};
use hypercore::{Dialect, Error, Hypercore, Storage};

use crate::pair::{connect, sparse_reader_of, writer};

async fn feed_of(blocks: &[&'static str]) -> Hypercore {
    let feed = Hypercore::open(Storage::memory()).await.unwrap();
    feed.append_batch(blocks.iter().copied()).await.unwrap();
    feed
}

#[test]
fn every_byte_is_found_in_its_block() {
    task::block_on(async {
        let blocks = ["a", "", "bcd", "ef", "", "", "ghij", "k", "lmnopq", "r"];
        let feed = feed_of(&blocks).await;
        let mut byte = 0;
        for (block, text) in blocks.iter().enumerate() {
            for offset in 0..text.len() {
                assert_eq!(
                    feed.seek(byte).await.unwrap(),
                    (block as u64, offset as u64)
                );
                byte += 1;
            }
        }
        assert_eq!(feed.seek(byte).await.unwrap(), (10, 0));
        let empty = feed_of(&[]).await;
        assert_eq!(empty.seek(0).await.unwrap(), (0, 0));
    });
}

#[test]
fn a_feed_that_begins_with_empty_blocks_is_read_as_bytes() {
    task::block_on(async {
        let feed = feed_of(&["", "", "abc", "", "d"]).await;
        let mut text = String::new();
        feed.bytes(..).read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "abcd");
    });
}

#[test]
fn beyond_the_end_one_waits_for_the_feed_to_grow() {
    task::block_on(async {
        let feed = feed_of(&["abc"]).await;
        let beyond = feed.seek(4).wait(false).await;
        assert!(
            matches!(beyond, Err(Error::ByteNotLocal { byte: 4 })),
            "{beyond:?}"
        );
        let late = feed.seek(4).timeout(Duration::from_millis(20)).await;
        assert!(matches!(late, Err(Error::TimedOut)), "{late:?}");
        let waiting = task::spawn(feed.seek(5).into_future());
        task::yield_now().await;
        feed.append("d").await.unwrap();
        feed.append_batch(["", "ef"]).await.unwrap();
        assert_eq!(waiting.await.unwrap(), (3, 1));
        feed.close().await.unwrap();
        assert!(matches!(feed.seek(0).await, Err(Error::Closed)));
    });
}

#[test]
fn a_sparse_copy_fetches_hashes_and_no_blocks() {
    task::block_on(async {
        let writer = writer(200, Dialect::V8).await;
        let reader = sparse_reader_of(&writer).await;
        let _connection = connect(&reader, &writer, true);
        for byte in [1, writer.byte_len() / 2, writer.byte_len() - 1, 0] {
            assert_eq!(
                reader.seek(byte).await.unwrap(),
                writer.seek(byte).await.unwrap()
            );
        }
        assert_eq!(reader.downloaded(..), 0);
        assert_eq!(reader.len(), 200);
    });
}

#[test]
fn the_feed_reads_as_a_file() {
    task::block_on(async {
        let feed = feed_of(&["hello ", "", "wor", "ld", "", "!"]).await;
        let mut text = String::new();
        feed.bytes(..).read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello world!");

        let mut file = feed.bytes(4..=9);
        text.clear();
        file.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "o worl");
        assert_eq!(file.seek(SeekFrom::End(-2)).await.unwrap(), 4);
        assert_eq!(file.seek(SeekFrom::Current(-1)).await.unwrap(), 3);
        let mut two = [0; 2];
        file.read_exact(&mut two).await.unwrap();
        assert_eq!(&two, b"or");
        assert_eq!(file.seek(SeekFrom::Start(6)).await.unwrap(), 6);
        assert_eq!(file.read(&mut two).await.unwrap(), 0);
        assert!(file.seek(SeekFrom::Start(0)).await.is_ok());
        assert!(file.seek(SeekFrom::Current(-1)).await.is_err());
        file.read_exact(&mut two).await.unwrap();
        assert_eq!(&two, b"o ");
    });
}

#[test]
fn a_file_is_fetched_as_it_is_read() {
    task::block_on(async {
        let writer = feed_of(&["abcd", "efgh", "ijkl", "mnop"]).await;
        let reader = sparse_reader_of(&writer).await;
        let _connection = connect(&reader, &writer, true);
        let mut file = reader.bytes(..16);
        file.seek(SeekFrom::Start(6)).await.unwrap();
        let mut four = [0; 4];
        file.read_exact(&mut four).await.unwrap();
        assert_eq!(&four, b"ghij");
        assert_eq!(reader.missing(..), [0..1, 3..4]);
    });
}
