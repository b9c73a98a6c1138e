//! Waiting for a longer feed, with its last block and without.

use std::{future::IntoFuture, sync::mpsc, time::Duration};

use async_std::task;
use futures_lite::future::poll_once;
use hypercore::{Dialect, Error, Hypercore, Role, Storage, Utf8};
use wire::Message;

use crate::{
    duplex::duplex,
    pair::{connect, writer},
    patience::copy_of,
    relay::relay,
    stage::play,
};

const MOMENT: Duration = Duration::from_millis(20);

#[test]
fn an_update_with_its_block_brings_the_last_one_and_no_other() {
    play(|stage| async move {
        let writer = stage.writer(30).await;
        let reader = stage.sparse(&writer).await;
        stage.live(&reader, &writer);
        assert_eq!(reader.update().with_block(true).await.unwrap(), 30);
        assert_eq!(reader.missing(..), vec![0..29; 1]);

        let far = reader.update().min_length(34).with_block(true);
        let far = stage.spawn(far.into_future());
        for _ in 30..34 {
            assert!(!far.is_done());
            writer.append("more").await.unwrap();
            stage.quiet().await;
        }
        assert_eq!(far.done().await.unwrap(), 34);
        assert_eq!(reader.missing(..), [0..29, 30..33]);
        assert_eq!(writer.stats().unwrap().totals.uploaded_blocks, 2);
    });
}

#[test]
fn the_last_block_comes_with_the_answer_that_tells_the_length() {
    task::block_on(async {
        let writer = writer(30, Dialect::V8).await;
        let reader = copy_of(&writer, false).await;
        let (reader_end, to_reader) = duplex(64 * 1024);
        let (to_writer, writer_end) = duplex(64 * 1024);
        let _ends = [
            task::spawn(
                writer
                    .replicate(Role::Responder, writer_end)
                    .live(true)
                    .into_future(),
            ),
            task::spawn(
                reader
                    .replicate(Role::Initiator, reader_end)
                    .live(true)
                    .into_future(),
            ),
        ];
        let (answers, seen) = mpsc::channel();
        let (key, dialect) = (writer.key(), writer.dialect());
        task::spawn(relay(key, dialect, to_reader, to_writer, move |message| {
            if let Message::Data(data) = &message {
                answers.send((data.index, data.value.is_some())).unwrap();
            }
            vec![message]
        }));
        assert_eq!(reader.update().with_block(true).await.unwrap(), 30);
        // Of a feed that is known one block in each place shows the growth: that one, if it is the last.
        writer.append_batch(["a", "b"]).await.unwrap();
        assert_eq!(reader.update().with_block(true).await.unwrap(), 32);
        assert_eq!(
            seen.try_iter().collect::<Vec<_>>(),
            [(29, true), (31, true)]
        );
    });
}

#[test]
fn the_block_of_a_length_that_is_known_already_is_fetched_or_found_missing() {
    task::block_on(async {
        let writer = writer(9, Dialect::V8).await;
        let reader = copy_of(&writer, false).await;
        let connection = connect(&reader, &writer, true);
        assert_eq!(reader.update().await.unwrap(), 9);
        assert_eq!(reader.downloaded(..), 0);
        let known = reader.update().min_length(9).with_block(true);
        assert_eq!(known.if_available().await.unwrap(), 9);
        assert_eq!(reader.missing(..), vec![0..8; 1]);

        reader.clear(8..9).await.unwrap();
        writer.clear(8..9).await.unwrap();
        let known = || reader.update().min_length(9).with_block(true);
        let none = known().if_available().await;
        assert!(
            matches!(none, Err(Error::NotAvailable { block: 8 })),
            "{none:?}"
        );
        let none = known().timeout(MOMENT).await;
        assert!(matches!(none, Err(Error::TimedOut)), "{none:?}");
        let none = known().wait(false).await;
        assert!(
            matches!(none, Err(Error::NotLocal { block: 8 })),
            "{none:?}"
        );
        let none = reader.update().with_block(true).if_available().await;
        assert!(matches!(none, Err(Error::NoUpdate)), "{none:?}");
        drop(connection);
    });
}

#[test]
fn an_empty_feed_is_long_enough_for_who_wants_no_length() {
    task::block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        let nothing = feed.update().min_length(0).with_block(true);
        assert_eq!(nothing.await.unwrap(), 0);
    });
}

#[test]
fn an_append_here_is_an_update_with_its_block() {
    task::block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        let mut update = feed.update().with_block(true).into_future();
        let mut head = feed.head().update(true).encoding(Utf8).into_future();
        assert!(poll_once(&mut update).await.is_none());
        assert!(poll_once(&mut head).await.is_none());
        feed.append("a").await.unwrap();
        assert_eq!(
            (update.await.unwrap(), head.await.unwrap()),
            (1, "a".into())
        );
    });
}

#[test]
fn the_head_after_an_update_is_the_last_block_that_a_peer_has() {
    task::block_on(async {
        let writer = writer(6, Dialect::V8).await;
        let reader = copy_of(&writer, false).await;
        let _connection = connect(&reader, &writer, true);
        assert!(matches!(reader.head().await, Err(Error::Empty)));
        let head = reader.head().update(true).await.unwrap();
        assert_eq!(head, writer.get(5).await.unwrap());
        assert_eq!(reader.missing(..), vec![0..5; 1]);

        // Without one, as the options say; what is known can be read all the same.
        let none = reader.head().update(true).if_available().await;
        assert!(matches!(none, Err(Error::NoUpdate)), "{none:?}");
        let none = reader.head().update(true).timeout(MOMENT).await;
        assert!(matches!(none, Err(Error::TimedOut)), "{none:?}");
        let none = reader.head().update(true).wait(false).await;
        assert!(matches!(none, Err(Error::NoUpdate)), "{none:?}");
        assert_eq!(reader.head().wait(false).await.unwrap(), head);
        let same = reader.head().update(true).min_length(6);
        assert_eq!(same.if_available().await.unwrap(), head);

        let next = task::spawn(reader.head().update(true).min_length(8).into_future());
        writer.append_batch(["g", "h"]).await.unwrap();
        assert_eq!(next.await.unwrap(), "h");
    });
}

#[test]
fn closing_ends_updates_with_their_blocks_and_heads() {
    task::block_on(async {
        let writer = writer(1, Dialect::V8).await;
        let reader = copy_of(&writer, false).await;
        let update = task::spawn(reader.update().with_block(true).into_future());
        let head = task::spawn(reader.head().update(true).into_future());
        task::yield_now().await;
        reader.close().await.unwrap();
        assert!(matches!(update.await, Err(Error::Closed)));
        assert!(matches!(head.await, Err(Error::Closed)));
        let late = reader.update().with_block(true).await;
        assert!(matches!(late, Err(Error::Closed)));
    });
}
