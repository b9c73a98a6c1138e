//! A feed by itself: appending, reading, reopening, closing, and what is refused.

use bytes::Bytes;
use futures_lite::{StreamExt, future::block_on};
use hypercore::{CacheConfig, Dialect, Error, Event, Hypercore, KeyPair, MemoryFiles, Storage};

fn at(files: &MemoryFiles) -> Storage {
    Storage::custom(files.clone())
}

#[test]
fn appended_blocks_are_read_back_after_reopening() {
    block_on(async {
        let files = MemoryFiles::default();
        let feed = Hypercore::open(at(&files)).await.unwrap();
        assert_eq!(feed.append("a").await.unwrap(), 0);
        assert_eq!(feed.append_batch(["bb", "", "dddd"]).await.unwrap(), 1..4);
        let (key, hash) = (feed.key(), feed.tree_hash());
        feed.close().await.unwrap();
        drop(feed);

        let feed = Hypercore::open(at(&files)).await.unwrap();
        assert_eq!((feed.len(), feed.byte_len()), (4, 7));
        assert_eq!((feed.key(), feed.tree_hash()), (key, hash));
        assert!(feed.is_writable());
        for (block, expected) in ["a", "bb", "", "dddd"].into_iter().enumerate() {
            assert_eq!(feed.get(block as u64).await.unwrap(), expected);
        }
        assert_eq!(feed.append("e").await.unwrap(), 4);
    });
}

#[test]
fn an_empty_batch_changes_nothing() {
    block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        assert_eq!(feed.append_batch::<Bytes>([]).await.unwrap(), 0..0);
        feed.append("a").await.unwrap();
        let hash = feed.tree_hash();
        assert_eq!(feed.append_batch::<Bytes>([]).await.unwrap(), 1..1);
        assert_eq!(feed.tree_hash(), hash);
    });
}

#[test]
fn many_tasks_append_at_once_and_each_finds_its_block() {
    async_std::task::block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        let tasks: Vec<_> = (0..8u64)
            .map(|task| {
                let feed = feed.clone();
                async_std::task::spawn(async move {
                    let mut appended = Vec::new();
                    for n in 0..1000u64 {
                        let block = format!("{task}.{n}");
                        appended.push((feed.append(block.clone()).await.unwrap(), block));
                    }
                    appended
                })
            })
            .collect();
        for task in tasks {
            for (index, block) in task.await {
                assert_eq!(feed.get(index).await.unwrap(), block);
            }
        }
        assert_eq!(feed.len(), 8000);
    });
}

#[test]
fn a_get_beyond_the_end_waits_for_the_append() {
    async_std::task::block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        let waiting = async_std::task::spawn({
            let feed = feed.clone();
            async move { feed.get(2).await }
        });
        feed.append_batch(["a", "b", "c"]).await.unwrap();
        assert_eq!(waiting.await.unwrap(), "c");
    });
}

#[test]
fn closing_ends_a_wait_with_closed() {
    async_std::task::block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        let waiting = async_std::task::spawn({
            let feed = feed.clone();
            async move { feed.get(0).await }
        });
        async_std::task::yield_now().await;
        feed.close().await.unwrap();
        assert!(matches!(waiting.await, Err(Error::Closed)));
        assert!(matches!(feed.append("a").await, Err(Error::Closed)));
        assert!(matches!(feed.get(0).await, Err(Error::Closed)));
        feed.close().await.unwrap();
    });
}

#[test]
fn whoever_closes_as_second_waits_for_the_files_too() {
    for drop_first in [false, true] {
        async_std::task::block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let feed = Hypercore::open(folder.path()).await.unwrap();
            feed.append("a").await.unwrap();
            let mut first = Some(Box::pin(feed.close()));
            let _ = futures_lite::future::poll_once(first.as_mut().unwrap()).await;
            if drop_first {
                first = None;
            }
            feed.close().await.unwrap();
            // Nobody holds the lock any longer.
            let again = Hypercore::open(folder.path()).await.unwrap();
            assert_eq!(again.get(0).await.unwrap(), "a");
            if let Some(first) = first {
                first.await.unwrap();
            }
        });
    }
}

#[test]
fn a_dropped_get_leaves_no_wish_behind() {
    block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        let get = feed.get(7).into_future();
        assert!(futures_lite::future::poll_once(get).await.is_none());
        feed.append("a").await.unwrap();
        assert_eq!(feed.get(0).await.unwrap(), "a");
    });
}

#[test]
fn events_tell_of_appends_and_of_the_end() {
    block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        let mut events = feed.events();
        feed.append("a").await.unwrap();
        feed.append_batch(["b", "c"]).await.unwrap();
        feed.close().await.unwrap();
        assert_eq!(
            events.next().await,
            Some(Event::Append {
                length: 1,
                byte_length: 1
            })
        );
        assert_eq!(
            events.next().await,
            Some(Event::Append {
                length: 3,
                byte_length: 3
            })
        );
        assert_eq!(events.next().await, Some(Event::Close));
        assert_eq!(events.next().await, None);
    });
}

#[test]
fn a_second_handle_on_a_directory_is_locked_out() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let feed = Hypercore::open(folder.path()).await.unwrap();
        let second = Hypercore::open(folder.path()).await;
        assert!(second.is_err_and(|error| error.is_locked()));
        feed.append("a").await.unwrap();
        // Closing gives the lock back, even while handles are left.
        feed.close().await.unwrap();
        let second = Hypercore::open(folder.path()).await.unwrap();
        assert_eq!(second.len(), 1);
    });
}

#[test]
fn a_feed_that_may_not_be_created_leaves_nothing_behind() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("feed");
        let opened = Hypercore::builder(&place)
            .create_if_missing(false)
            .open()
            .await;
        assert!(matches!(opened, Err(Error::Feed(_))));
        assert!(!place.exists());
    });
}

#[test]
fn a_reader_cannot_append() {
    block_on(async {
        let pair = KeyPair::from_seed([7; 32]);
        let feed = Hypercore::builder(Storage::memory())
            .key(pair.public())
            .open()
            .await
            .unwrap();
        assert!(!feed.is_writable());
        assert!(matches!(feed.append("a").await, Err(Error::Feed(_))));
        assert_eq!(feed.len(), 0);
    });
}

#[test]
fn a_secret_key_makes_the_feed_that_belongs_to_it() {
    block_on(async {
        let pair = KeyPair::from_seed([9; 32]);
        let feed = Hypercore::builder(Storage::memory())
            .secret_key(pair.secret().clone())
            .dialect(Dialect::V9)
            .open()
            .await
            .unwrap();
        assert_eq!(feed.key(), pair.public());
        assert!(feed.is_writable());
        feed.append("a").await.unwrap();
    });
}

#[test]
fn another_key_than_the_stored_one_is_refused() {
    block_on(async {
        let files = MemoryFiles::default();
        Hypercore::open(at(&files))
            .await
            .unwrap()
            .close()
            .await
            .unwrap();
        let other = Hypercore::builder(at(&files))
            .key(KeyPair::from_seed([1; 32]).public())
            .open()
            .await;
        assert!(matches!(other, Err(Error::Feed(_))));
    });
}

#[test]
fn a_block_that_fits_in_no_message_is_refused_before_anything_changes() {
    block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        feed.append("a").await.unwrap();
        let huge = vec![0; 8 * 1024 * 1024];
        assert!(matches!(feed.append(huge).await, Err(Error::Feed(_))));
        assert_eq!(feed.len(), 1);
        assert_eq!(feed.append("b").await.unwrap(), 1);
    });
}

#[test]
fn a_destroyed_feed_is_gone_and_a_new_one_has_another_key() {
    for close_first in [false, true] {
        block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let feed = Hypercore::open(folder.path()).await.unwrap();
            feed.append("a").await.unwrap();
            let key = feed.key();
            if close_first {
                feed.close().await.unwrap();
            }
            feed.destroy().await.unwrap();
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
            assert!(matches!(feed.get(0).await, Err(Error::Closed)));

            let feed = Hypercore::open(folder.path()).await.unwrap();
            assert_eq!(feed.len(), 0);
            assert_ne!(feed.key(), key);
        });
    }
}

#[test]
fn the_disk_usage_grows_with_what_is_stored() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let feed = Hypercore::open(folder.path()).await.unwrap();
        feed.append(vec![7; 1 << 20]).await.unwrap();
        let used = feed.disk_usage().unwrap();
        assert!(used > 1 << 20, "{used}");
        feed.close().await.unwrap();
        assert!(matches!(feed.disk_usage(), Err(Error::Closed)));
    });
}

#[test]
fn without_a_cache_everything_is_read_as_well() {
    for cache in [
        CacheConfig::Disabled,
        CacheConfig::Entries(0),
        CacheConfig::Entries(3),
    ] {
        block_on(async {
            let feed = Hypercore::builder(Storage::memory())
                .cache(cache)
                .open()
                .await
                .unwrap();
            for block in 0..50_u64 {
                feed.append(block.to_string()).await.unwrap();
            }
            // Twice, so that what was kept is used.
            for block in (0..50_u64).chain(0..50) {
                assert_eq!(feed.get(block).await.unwrap(), block.to_string());
            }
        });
    }
}
