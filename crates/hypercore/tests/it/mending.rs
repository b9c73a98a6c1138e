//! Damage that is met while a feed is in use: what is read, served and fetched again.

use async_std::task::block_on;
use futures_lite::StreamExt;
use hypercore::{Error, Event, File, Hypercore, MemoryFiles, RandomAccess, Storage};

use crate::pair::{assert_same, connect, reader_of};

/// A feed of ten blocks of eight bytes, and its files.
async fn ten() -> (Hypercore, MemoryFiles) {
    let files = MemoryFiles::default();
    let feed = Hypercore::open(Storage::custom(files.clone()))
        .await
        .unwrap();
    let blocks = (0..10).map(|number| format!("block {number:02}"));
    feed.append_batch(blocks).await.unwrap();
    (feed, files)
}

/// Makes a byte of a file another one.
fn spoil(files: &MemoryFiles, file: File, at: u64) {
    let file = files.file(file);
    let mut byte = [0];
    file.read(at, &mut byte).unwrap();
    file.write(at, &[&[byte[0] ^ 1]]).unwrap();
}

fn is_damage<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Feed(error)) if error.is_damage())
}

#[test]
fn a_lost_block_is_told_of_once_and_fetched_again() {
    block_on(async {
        let (whole, _) = ten().await;
        let files = MemoryFiles::default();
        let copy = Hypercore::builder(Storage::custom(files.clone()));
        let copy = copy.key(whole.key()).open().await.unwrap();
        let (left, right) = connect(&copy, &whole, true);
        assert_eq!(copy.get(9).await.unwrap(), "block 09");
        copy.download(0..10).await.unwrap();
        // Nobody brings it while it is read, or the read might come to a good end.
        whole.set_uploading(false);
        let mut events = copy.events();
        spoil(&files, File::Data, 3 * 8);
        assert!(is_damage(&copy.get(3).await));
        // What came before may still be told.
        loop {
            match events.next().await {
                Some(Event::Download { .. } | Event::Sync) => {}
                event => {
                    assert_eq!(event, Some(Event::Clear { blocks: 3..4 }));
                    break;
                }
            }
        }
        whole.set_uploading(true);
        assert_eq!(copy.get(3).await.unwrap(), "block 03");
        // In a row with others too.
        whole.set_uploading(false);
        spoil(&files, File::Data, 4 * 8);
        assert!(is_damage(&copy.get_range(2..6).await));
        whole.set_uploading(true);
        assert_eq!(copy.get_range(2..6).await.unwrap().len(), 4);
        assert!(copy.deep_audit().await.unwrap().is_clean());
        assert_same(&whole, &copy).await;
        copy.close().await.unwrap();
        let _ = (left.await, right.await);
    });
}

#[test]
fn a_damaged_leaf_is_made_again_while_its_block_is_read() {
    block_on(async {
        let leaf = |block: u64| 32 + 40 * 2 * block;
        let (feed, files) = ten().await;
        spoil(&files, File::Tree, leaf(2));
        assert_eq!(feed.get(2).await.unwrap(), "block 02");
        // Its size, which says where the next one begins.
        spoil(&files, File::Tree, leaf(4) + 39);
        assert_eq!(feed.get(5).await.unwrap(), "block 05");
        spoil(&files, File::Tree, leaf(7));
        let all: Vec<_> = feed.read(..).try_collect().await.unwrap();
        assert_eq!(all.len(), 10);
        spoil(&files, File::Tree, leaf(8));
        assert_eq!(feed.get_range(0..10).await.unwrap(), all);
        assert!(feed.deep_audit().await.unwrap().is_clean());
    });
}

#[test]
fn a_stream_ends_at_a_block_that_is_lost_and_not_before() {
    block_on(async {
        let (feed, files) = ten().await;
        spoil(&files, File::Data, 6 * 8);
        let mut stream = feed.read(..);
        for number in 0..6 {
            let block = stream.next().await.unwrap().unwrap();
            assert_eq!(block, format!("block {number:02}"));
        }
        assert!(is_damage(&stream.next().await.unwrap()));
        assert!(!feed.has(6) && feed.has(7));
    });
}

#[test]
fn a_block_that_a_peer_asks_for_in_vain_is_forgotten() {
    block_on(async {
        let (feed, files) = ten().await;
        spoil(&files, File::Data, 6 * 8);
        let mut events = feed.events();
        let reader = reader_of(&feed).await;
        let ends = connect(&reader, &feed, true);
        loop {
            match events.next().await.unwrap() {
                Event::Clear { blocks } => break assert_eq!(blocks, 6..7),
                _ => continue,
            }
        }
        assert_eq!(reader.get(7).await.unwrap(), "block 07");
        reader.close().await.unwrap();
        let _ = (ends.0.await, ends.1.await);
    });
}

#[test]
fn a_feed_that_is_only_read_is_left_as_it_is() {
    block_on(async {
        let (feed, files) = ten().await;
        feed.close().await.unwrap();
        spoil(&files, File::Data, 6 * 8);
        let builder = Hypercore::builder(Storage::custom(files.clone()));
        let feed = builder.read_only(true).open().await.unwrap();
        for _ in 0..2 {
            assert!(is_damage(&feed.get(6).await));
        }
        assert!(feed.has(6));
    });
}
