//! `replicate.js`, of copies with gaps: single blocks, ranges and bytes, and what is cleared or taken back meanwhile.

use std::{pin::pin, time::Duration};

use futures_lite::{StreamExt, future};
use hypercore::{Error, Event, Hypercore};

use super::replicate::LETTERS;
use crate::stage::{Stage, heard, play};

#[test]
fn seek_while_replicating() {
    play(|stage| async move {
        let feed = stage.feed(&[]).await;
        let clone = stage.copy(&feed).await;
        let seeks = [9, 16].map(|byte| stage.spawn(clone.seek(byte).into_future()));
        feed.append("hello").await.unwrap();
        let words = ["how", "are", "you", "doing", "?"];
        feed.append_batch(words).await.unwrap();
        stage.live(&feed, &clone);
        for (seek, place) in seeks.into_iter().zip([(2, 1), (4, 2)]) {
            assert_eq!(seek.done().await.unwrap(), place);
        }
    });
}

#[test]
fn can_wait_for_updates() {
    play(|stage| async move {
        let feed = stage.feed(&[]).await;
        let clone = stage.copy(&feed).await;
        let update = stage.spawn(clone.update().into_future());
        stage.live(&feed, &clone);
        stage.quiet().await;
        assert!(!update.is_done());
        feed.append_batch(["a", "b", "c"]).await.unwrap();
        assert_eq!(update.done().await.unwrap(), 3);
    });
}

#[test]
fn replicate_while_clearing() {
    play(|stage| async move {
        let feed = stage.feed(&[]).await;
        let clone = stage.sparse(&feed).await;
        let get = stage.spawn(clone.get(1).into_future());
        stage.live(&feed, &clone);
        stage.quiet().await;
        feed.append_batch(["a", "b", "c"]).await.unwrap();
        assert_eq!(get.done().await.unwrap(), "b");
        assert!(clone.peers()[0].remote_has(2));
        feed.clear(2..3).await.unwrap();
        let gone = clone.get(2).timeout(Duration::from_millis(50)).await;
        assert!(matches!(gone, Err(Error::TimedOut)), "{gone:?}");
        // It was told, and need not have asked in vain.
        assert!(!clone.peers()[0].remote_has(2));
        assert!(clone.peers()[0].inflight().is_empty());
    });
}

/// A get that is dropped just when the block is on its way. Tells whether it is stored all the same.
async fn cancelled_on_the_way(stage: &Stage, feed: &Hypercore, clone: &Hypercore) -> bool {
    let (mut uploads, mut downloads) = (feed.events(), clone.events());
    stage.live(feed, clone);
    {
        let mut get = pin!(clone.get(0).into_future());
        let uploaded = async {
            while !matches!(uploads.next().await, Some(Event::Upload { block: 0, .. })) {}
        };
        let arrived = async {
            get.as_mut().await.unwrap();
            panic!("it has arrived");
        };
        future::or(uploaded, arrived).await;
    }
    stage.quiet().await;
    let events = heard(&mut downloads).await;
    let told = |event: &Event| matches!(event, Event::Download { .. });
    assert_eq!(events.iter().any(told), clone.has(0));
    clone.has(0)
}

#[test]
fn replicate_while_cancelling() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c"]).await;
        let clone = stage.sparse(&feed).await;
        assert!(!cancelled_on_the_way(&stage, &feed, &clone).await);
    });
}

#[test]
fn allow_push() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c"]).await;
        let clone = stage.builder().key(feed.key()).sparse(true);
        let clone = clone.allow_push(true).open().await.unwrap();
        assert!(cancelled_on_the_way(&stage, &feed, &clone).await);
    });
}

#[test]
fn get_total_downloaded_chunks() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c", "e"]).await;
        let clone = stage.sparse(&feed).await;
        stage.live(&feed, &clone);
        let counts = || {
            let one = [clone.downloaded(..), clone.downloaded(0..)];
            let two = [clone.downloaded(2..), clone.downloaded(2..4)];
            (one, two)
        };
        clone.get(1).await.unwrap();
        assert_eq!(counts(), ([1, 1], [0, 0]));
        assert_eq!(clone.downloaded(0..1), 0);
        clone.get(3).await.unwrap();
        assert_eq!(counts(), ([2, 2], [1, 1]));
        assert_eq!(clone.downloaded(0..3), 1);
    });
}

#[test]
fn feed_has_a_range_of_chunks() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c", "e"]).await;
        let clone = stage.sparse(&feed).await;
        stage.live(&feed, &clone);
        for block in 0..3 {
            clone.get(block).await.unwrap();
        }
        assert!(clone.has(1) && !clone.has(3));
        assert!(clone.has_range(0..3) && clone.has_range(1..3));
        assert!(!clone.has_range(0..4) && !clone.has_range(3..4));
    });
}

#[test]
fn feed_has_a_large_range() {
    play(|stage| async move {
        let feed = stage.feed(&["a"; 24]).await;
        let clone = stage.sparse(&feed).await;
        let gets: Vec<_> = (0..20)
            .map(|block| stage.spawn(clone.get(block).into_future()))
            .collect();
        stage.live(&feed, &clone);
        for get in gets {
            get.done().await.unwrap();
        }
        assert_eq!(clone.downloaded(..), 20);
        for start in [0, 3, 8, 19] {
            assert!(clone.has_range(start..20) && !clone.has_range(start..24));
        }
        for start in [0, 3, 8] {
            assert!(clone.has_range(start..16));
        }
        assert!(!clone.has_range(20..24));
    });
}

/// Without being live: a sparse copy stays as long as it may be asked for more.
#[test]
fn sparse_mode_two_downloads() {
    play(|stage| async move {
        let feed = stage.feed(&LETTERS).await;
        let clone = stage.sparse(&feed).await;
        let ends = stage.connect(&feed, &clone, |end| end, |end| end);
        assert_eq!(clone.update().await.unwrap(), 5);
        clone.download(0..4).await.unwrap();
        clone.download(4).await.unwrap();
        assert!(clone.has_range(0..5));
        drop(ends);
    });
}

#[test]
fn first_get_hash_then_get_block() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c"]).await;
        let clone = stage.sparse(&feed).await;
        stage.live(&feed, &clone);
        // Brings the hash of block 2.
        assert_eq!(clone.seek(2).await.unwrap(), (2, 0));
        assert!(!clone.has(2));
        assert_eq!(clone.get(2).await.unwrap(), "c");
    });
}
