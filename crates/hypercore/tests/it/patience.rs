//! The options of waiting, which mean the same wherever something is asked of a feed.

use std::{future::IntoFuture, io, time::Duration};

use async_std::task;
use futures_lite::{AsyncReadExt, StreamExt};
use hypercore::{Dialect, Error, Hypercore, Result, Storage};

use crate::pair::{connect, writer};

const MOMENT: Duration = Duration::from_millis(20);

/// A sparse copy of which nothing is known. `if_available` is its default.
pub(crate) async fn copy_of(writer: &Hypercore, if_available: bool) -> Hypercore {
    let builder = Hypercore::builder(Storage::memory())
        .key(writer.key())
        .sparse(true)
        .if_available(if_available);
    builder.open().await.unwrap()
}

/// How a call of each kind fails. `$set` are the options.
macro_rules! failures {
    ($feed:ident $(, $set:ident($($value:expr),*))?) => {
        [
            $feed.get(3)$(.$set($($value),*))?.await.unwrap_err(),
            $feed.get_range(3..5)$(.$set($($value),*))?.await.unwrap_err(),
            $feed.read(3..5)$(.$set($($value),*))?.next().await.unwrap().unwrap_err(),
            $feed.seek(9)$(.$set($($value),*))?.await.unwrap_err(),
            of_io(read_all($feed.bytes(9..12)$(.$set($($value),*))?).await),
            $feed.update()$(.$set($($value),*))?.await.unwrap_err(),
        ]
    };
}

async fn read_all(mut bytes: hypercore::ByteReader) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    bytes.read_to_end(&mut all).await.map(|_| all)
}

/// The error of a feed that came as one of a file.
fn of_io(read: io::Result<Vec<u8>>) -> Error {
    let error = read.unwrap_err();
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    Error::clone(inner.unwrap())
}

/// What each kind is told when nobody has what it asks for.
fn assert_unavailable(errors: &[Error]) {
    assert!(
        matches!(
            errors,
            [
                Error::NotAvailable { block: 3 },
                Error::NotAvailable { block: 3 },
                Error::NotAvailable { block: 3 },
                Error::ByteNotLocal { byte: 9 },
                Error::ByteNotLocal { byte: 9 },
                Error::NoUpdate,
            ]
        ),
        "{errors:?}"
    );
}

#[test]
fn who_does_not_wait_is_told_at_once_what_is_not_here() {
    task::block_on(async {
        let writer = writer(5, Dialect::V8).await;
        for default in [false, true] {
            let feed = copy_of(&writer, default).await;
            let errors = failures!(feed, wait(false));
            assert!(
                matches!(
                    errors,
                    [
                        Error::NotLocal { block: 3 },
                        Error::NotLocal { block: 3 },
                        Error::NotLocal { block: 3 },
                        Error::ByteNotLocal { byte: 9 },
                        Error::ByteNotLocal { byte: 9 },
                        Error::NoUpdate,
                    ]
                ),
                "{errors:?}"
            );
        }
    });
}

#[test]
fn who_waits_for_what_is_available_fails_without_peers_by_option_or_by_default() {
    task::block_on(async {
        let writer = writer(5, Dialect::V8).await;
        let feed = copy_of(&writer, false).await;
        assert_unavailable(&failures!(feed, if_available()));
        let feed = copy_of(&writer, true).await;
        assert_unavailable(&failures!(feed));
    });
}

#[test]
fn a_time_limit_holds_for_every_kind_and_so_does_a_wait_against_the_default() {
    task::block_on(async {
        let writer = writer(5, Dialect::V8).await;
        let feed = copy_of(&writer, false).await;
        let errors = failures!(feed, timeout(MOMENT));
        assert!(errors.iter().all(|error| matches!(error, Error::TimedOut)));
        // What was said last counts: to wait, though the feed itself wouldn't.
        let feed = copy_of(&writer, true).await;
        let late = [
            feed.get(3).wait(true).timeout(MOMENT).await.map(drop),
            feed.get_range(3..5)
                .wait(true)
                .timeout(MOMENT)
                .await
                .map(drop),
            feed.seek(9).wait(true).timeout(MOMENT).await.map(drop),
            feed.update().wait(true).timeout(MOMENT).await.map(drop),
        ];
        assert!(late.iter().all(|it| matches!(it, Err(Error::TimedOut))));
    });
}

#[test]
fn what_a_peer_has_comes_if_available_and_the_first_block_that_none_has_is_named() {
    task::block_on(async {
        let writer = writer(40, Dialect::V8).await;
        writer.clear(20..22).await.unwrap();
        let feed = copy_of(&writer, true).await;
        let _connection = connect(&feed, &writer, true);
        feed.get(0).wait(true).await.unwrap();

        let blocks = feed.get_range(2..9).await.unwrap();
        assert_eq!(blocks, writer.get_range(2..9).await.unwrap());
        let none = feed.get_range(15..30).await;
        assert!(
            matches!(none, Err(Error::NotAvailable { block: 20 })),
            "{none:?}"
        );
        let none = feed.get_range(30..50).await;
        assert!(
            matches!(none, Err(Error::NotAvailable { block: 40 })),
            "{none:?}"
        );

        // A stream gives what comes before.
        let read: Vec<Result<_>> = feed.read(17..30).collect().await;
        assert_eq!(read.len(), 4);
        assert!(read[..3].iter().all(Result::is_ok));
        assert!(matches!(read[3], Err(Error::NotAvailable { block: 20 })));

        // Two peers may have it together.
        let other = copy_of(&writer, false).await;
        let _second = connect(&other, &writer, true);
        other.download(30..35).await.unwrap();
        writer.clear(30..35).await.unwrap();
        let _third = connect(&feed, &other, true);
        while feed.peers().iter().filter(|peer| peer.is_open()).count() < 2 {
            task::yield_now().await;
        }
        assert_eq!(feed.get_range(25..40).await.unwrap().len(), 15);
    });
}

#[test]
fn a_range_that_peers_are_being_looked_for_fails_when_none_turned_up_with_the_rest() {
    task::block_on(async {
        let writer = writer(6, Dialect::V8).await;
        writer.clear(2..3).await.unwrap();
        let feed = copy_of(&writer, true).await;
        let looking = feed.finding_peers();
        let range = task::spawn(feed.get_range(0..6).into_future());
        let _connection = connect(&feed, &writer, true);
        while feed.downloaded(..) < 5 {
            task::yield_now().await;
        }
        drop(looking);
        let range = range.await;
        assert!(
            matches!(range, Err(Error::NotAvailable { block: 2 })),
            "{range:?}"
        );
    });
}
