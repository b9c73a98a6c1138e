//! `replicate.js`, of three in a row: what the one in the middle has is proved to the last one, whatever shape the trees have.

use hypercore::Hypercore;

use super::replicate::LETTERS;
use crate::stage::{Stage, play};

const EIGHT: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// Connects the feed, a copy, and a copy of that. A block comes to both.
async fn three_way(stage: &Stage, feed: &Hypercore, block: u64) {
    let (first, second) = (stage.copy(feed).await, stage.copy(feed).await);
    stage.live(feed, &first);
    stage.live(&first, &second);
    let expected = feed.get(block).await.unwrap();
    assert_eq!(first.get(block).await.unwrap(), expected);
    assert_eq!(second.get(block).await.unwrap(), expected);
}

#[test]
fn basic_3_way_replication() {
    play(|stage| async move {
        let feed = stage.feed(&LETTERS).await;
        three_way(&stage, &feed, 0).await;
    });
}

#[test]
fn basic_3_way_replication_sparse_and_not_sparse() {
    play(|stage| async move {
        let feed = stage.feed(&LETTERS).await;
        let (sparse, whole) = (stage.sparse(&feed).await, stage.copy(&feed).await);
        stage.live(&feed, &sparse);
        assert_eq!(sparse.get(0).await.unwrap(), "a");
        stage.live(&sparse, &whole);
        assert_eq!(whole.get(0).await.unwrap(), "a");
        assert!(whole.peers()[0].inflight().is_empty());
        stage.quiet().await;
        // It wants everything, and asks the one that has a single block for nothing more.
        assert!(whole.peers()[0].inflight().is_empty());
        assert_eq!((whole.downloaded(..), sparse.downloaded(..)), (1, 1));
    });
}

#[test]
fn three_way_another_index() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b"]).await;
        three_way(&stage, &feed, 1).await;
    });
}

#[test]
fn three_way_another_index_extra_data() {
    play(|stage| async move {
        let feed = stage.feed(&LETTERS).await;
        three_way(&stage, &feed, 1).await;
    });
}

#[test]
fn three_way_another_index_extra_data_factor_of_two() {
    play(|stage| async move {
        let feed = stage.feed(&EIGHT).await;
        three_way(&stage, &feed, 1).await;
    });
}

#[test]
fn three_way_another_index_extra_data_factor_of_two_static() {
    play(|stage| async move {
        let feed = stage.builder().static_feed(true).open().await.unwrap();
        feed.append_batch(EIGHT).await.unwrap();
        feed.finalize().await.unwrap();
        three_way(&stage, &feed, 1).await;
    });
}
