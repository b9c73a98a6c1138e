//! Reading with options: what is here, what isn't, and how long one waits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_std::task;
use futures_lite::future::poll_once;
use hypercore::{Error, Hypercore, Storage};

use crate::pair::{connect, reader_of, writer};

const MOMENT: Duration = Duration::from_millis(20);

async fn feed_of(blocks: &[&'static str]) -> Hypercore {
    let feed = Hypercore::open(Storage::memory()).await.unwrap();
    feed.append_batch(blocks.iter().copied()).await.unwrap();
    feed
}

#[test]
fn without_waiting_a_missing_block_is_not_local() {
    task::block_on(async {
        let feed = feed_of(&["a"]).await;
        assert_eq!(feed.get(0).wait(false).await.unwrap(), "a");
        let missing = feed.get(1).wait(false).await;
        assert!(
            matches!(missing, Err(Error::NotLocal { block: 1 })),
            "{missing:?}"
        );
        let range = feed.get_range(0..3).wait(false).await;
        assert!(
            matches!(range, Err(Error::NotLocal { block: 1 })),
            "{range:?}"
        );
    });
}

#[test]
fn a_wait_ends_with_its_timeout() {
    task::block_on(async {
        let feed = feed_of(&["a"]).await;
        let late = feed.get(7).timeout(MOMENT).await;
        assert!(matches!(late, Err(Error::TimedOut)), "{late:?}");
        let late = feed.get_range(0..7).timeout(MOMENT).await;
        assert!(matches!(late, Err(Error::TimedOut)), "{late:?}");
        // Nothing is left waiting: a feed that is here needs no time.
        assert_eq!(feed.get(0).timeout(MOMENT).await.unwrap(), "a");
    });
}

#[test]
fn on_wait_is_called_once_and_only_for_a_block_that_is_missing() {
    task::block_on(async {
        let feed = feed_of(&["a"]).await;
        let waited = Arc::new(AtomicU64::new(0));
        let count = |waited: &Arc<AtomicU64>| {
            let waited = Arc::clone(waited);
            move |block| {
                waited.fetch_add(block, Ordering::SeqCst);
            }
        };
        feed.get(0).on_wait(count(&waited)).await.unwrap();
        assert_eq!(waited.load(Ordering::SeqCst), 0);
        let mut get = feed.get(5).on_wait(count(&waited)).into_future();
        assert!(poll_once(&mut get).await.is_none());
        assert_eq!(waited.load(Ordering::SeqCst), 5);
        for block in ["b", "c", "d", "e", "f"] {
            feed.append(block).await.unwrap();
        }
        assert_eq!(get.await.unwrap(), "f");
        assert_eq!(waited.load(Ordering::SeqCst), 5);
    });
}

#[test]
fn if_available_fails_at_once_without_peers() {
    task::block_on(async {
        let feed = feed_of(&["a"]).await;
        assert_eq!(feed.get(0).if_available().await.unwrap(), "a");
        let nobody = feed.get(1).if_available().await;
        assert!(
            matches!(nobody, Err(Error::NotAvailable { block: 1 })),
            "{nobody:?}"
        );
    });
}

#[test]
fn if_available_waits_for_peers_that_have_the_block_and_no_longer() {
    task::block_on(async {
        let writer = writer(5, hypercore::Dialect::V8).await;
        let reader = reader_of(&writer).await;
        let _connection = connect(&reader, &writer, true);
        while !reader.peers().iter().any(hypercore::Peer::is_open) {
            task::yield_now().await;
        }
        assert_eq!(
            reader.get(4).if_available().await.unwrap(),
            writer.get(4).await.unwrap()
        );
        let nobody = reader.get(99).if_available().await;
        assert!(
            matches!(nobody, Err(Error::NotAvailable { block: 99 })),
            "{nobody:?}"
        );
    });
}

#[test]
fn the_head_is_the_last_block_when_it_is_awaited() {
    task::block_on(async {
        let feed = feed_of(&[]).await;
        assert!(matches!(feed.head().await, Err(Error::Empty)));
        let head = feed.head();
        feed.append_batch(["a", "b"]).await.unwrap();
        assert_eq!(head.await.unwrap(), "b");
    });
}

#[test]
fn a_range_is_read_whole_or_waited_for() {
    task::block_on(async {
        let feed = feed_of(&["a", "b", "c"]).await;
        assert_eq!(feed.get_range(0..3).await.unwrap(), ["a", "b", "c"]);
        assert_eq!(feed.get_range(1..2).await.unwrap(), ["b"]);
        for empty in [0..0, 2..2, 9..9] {
            assert!(feed.get_range(empty).await.unwrap().is_empty());
        }
        let rest = task::spawn(feed.get_range(2..5).into_future());
        task::yield_now().await;
        feed.append_batch(["d", "e"]).await.unwrap();
        assert_eq!(rest.await.unwrap(), ["c", "d", "e"]);
    });
}

#[test]
fn what_is_here_can_be_asked_in_ranges() {
    task::block_on(async {
        let feed = feed_of(&["a", "b", "c"]).await;
        assert!(feed.has(2) && !feed.has(3));
        assert!(feed.has_range(0..3) && feed.has_range(1..1) && feed.has_range(9..9));
        assert!(!feed.has_range(0..4));
        assert_eq!(feed.downloaded(..), 3);
        assert_eq!(feed.downloaded(1..), 2);
        assert_eq!(feed.downloaded(..=1), 2);
        assert_eq!(feed.downloaded(5..9), 0);
        assert_eq!(feed.missing(..), []);
        assert_eq!(feed.missing(1..6), vec![3..6; 1]);
        assert_eq!(feed.missing(4..4), []);
    });
}

#[test]
fn after_close_every_read_says_closed() {
    task::block_on(async {
        let feed = feed_of(&["a"]).await;
        feed.close().await.unwrap();
        assert!(matches!(feed.get(0).await, Err(Error::Closed)));
        assert!(matches!(feed.head().await, Err(Error::Closed)));
        assert!(matches!(feed.get_range(0..1).await, Err(Error::Closed)));
        assert!(matches!(feed.append("b").await, Err(Error::Closed)));
        assert!(matches!(feed.flush().await, Err(Error::Closed)));
    });
}
