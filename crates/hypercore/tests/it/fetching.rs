//! Fetching without reading: ranges, blocks, and longer feeds.

use std::{future::IntoFuture, time::Duration};

use async_std::task;
use futures_lite::{StreamExt, future::poll_once};
use hypercore::{Dialect, DownloadRequest, Error, Hypercore, PortableProof, Storage};

use crate::{
    pair::{connect, sparse_reader_of, writer},
    stage::play,
};

const MOMENT: Duration = Duration::from_millis(20);

#[test]
fn what_is_here_already_is_fetched_at_once() {
    task::block_on(async {
        let feed = writer(5, Dialect::V8).await;
        feed.download(0..5).await.unwrap();
        feed.download(3).await.unwrap();
        feed.download(2..2).await.unwrap();
        feed.download(DownloadRequest::blocks([4, 0]))
            .await
            .unwrap();
        feed.download(DownloadRequest::blocks([])).await.unwrap();
        feed.download(DownloadRequest::linear(1..4)).await.unwrap();
    });
}

#[test]
fn only_what_is_wished_for_is_fetched() {
    task::block_on(async {
        let writer = writer(50, Dialect::V8).await;
        let reader = sparse_reader_of(&writer).await;
        let _connection = connect(&reader, &writer, true);
        reader.download(10..20).await.unwrap();
        reader
            .download(DownloadRequest::blocks([3, 45]))
            .await
            .unwrap();
        reader
            .download(DownloadRequest::linear(30..33))
            .await
            .unwrap();
        assert_eq!(reader.missing(..), [0..3, 4..10, 20..30, 33..45, 46..50]);
    });
}

#[test]
fn a_download_beyond_the_end_waits_for_the_feed_to_grow() {
    task::block_on(async {
        let writer = writer(2, Dialect::V8).await;
        let reader = sparse_reader_of(&writer).await;
        let _connection = connect(&reader, &writer, true);
        let download = reader.download(1..4);
        assert_eq!(download.progress().total, Some(3));
        let download = task::spawn(download.into_future());
        writer.append_batch(["x", "y"]).await.unwrap();
        download.await.unwrap();
        assert_eq!(reader.missing(..), vec![0..1; 1]);
    });
}

#[test]
fn everything_is_never_done_and_a_dropped_download_fetches_no_more() {
    task::block_on(async {
        let writer = writer(20, Dialect::V8).await;
        let reader = sparse_reader_of(&writer).await;
        let _connection = connect(&reader, &writer, true);
        let all = reader.download(DownloadRequest::all());
        while reader.downloaded(..) < 20 {
            task::yield_now().await;
        }
        assert_eq!((all.progress().have, all.progress().total), (20, None));
        writer.append("one").await.unwrap();
        while !reader.has(20) {
            task::yield_now().await;
        }
        all.cancel();
        writer.append("two").await.unwrap();
        reader.update().min_length(22).await.unwrap();
        assert!(!reader.has(21));
    });
}

#[test]
fn a_download_tells_how_far_it_is_whenever_that_changes() {
    task::block_on(async {
        let writer = writer(50, Dialect::V8).await;
        let reader = sparse_reader_of(&writer).await;
        let mut download = reader.download(10..40);
        assert_eq!(download.next().await.unwrap().unwrap().have, 0);
        let _connection = connect(&reader, &writer, true);
        let mut have = 0;
        while let Some(step) = download.next().await {
            let step = step.unwrap();
            assert!(step.have > have && step.total == Some(30));
            have = step.have;
        }
        assert_eq!(have, 30);
        assert!(download.next().await.is_none());
        assert_eq!(reader.downloaded(..), 30);
    });
}

#[test]
fn the_steps_of_a_download_end_with_what_ended_it() {
    task::block_on(async {
        let reader = sparse_reader_of(&writer(1, Dialect::V8).await).await;
        let (mut first, mut second) = (reader.download(0..2), reader.download(7..9));
        assert!(first.next().await.unwrap().is_ok() && second.next().await.unwrap().is_ok());
        reader.cancel_range(0..5);
        assert!(matches!(first.next().await, Some(Err(Error::Cancelled))));
        assert!(first.next().await.is_none());
        reader.close().await.unwrap();
        assert!(matches!(second.next().await, Some(Err(Error::Closed))));
        assert!(second.next().await.is_none());
    });
}

#[test]
fn closing_ends_downloads_and_updates_with_closed() {
    play(|stage| async move {
        let feed = stage.writer(1).await;
        let download = stage.spawn(feed.download(0..9).into_future());
        let update = stage.spawn(feed.update().into_future());
        stage.quiet().await;
        feed.close().await.unwrap();
        assert!(matches!(download.done().await, Err(Error::Closed)));
        assert!(matches!(update.done().await, Err(Error::Closed)));
        assert!(matches!(feed.download(0..1).await, Err(Error::Closed)));
        assert!(matches!(feed.update().await, Err(Error::Closed)));
    });
}

#[test]
fn an_update_is_an_append_here_or_a_proof_from_a_peer() {
    task::block_on(async {
        let writer = writer(3, Dialect::V8).await;
        assert_eq!(writer.update().min_length(2).await.unwrap(), 3);
        let mut waiting = writer.update().into_future();
        assert!(poll_once(&mut waiting).await.is_none());
        writer.append("d").await.unwrap();
        assert_eq!(waiting.await.unwrap(), 4);

        let reader = sparse_reader_of(&writer).await;
        let _connection = connect(&reader, &writer, true);
        assert_eq!(reader.update().await.unwrap(), 4);
        assert_eq!(reader.downloaded(..), 0);
        let late = reader.update().timeout(MOMENT).await;
        assert!(matches!(late, Err(Error::TimedOut)), "{late:?}");
    });
}

#[test]
fn an_update_if_available_ends_when_nobody_has_one() {
    task::block_on(async {
        let writer = writer(3, Dialect::V8).await;
        let none = writer.update().if_available().await;
        assert!(matches!(none, Err(Error::NoUpdate)), "{none:?}");
        assert_eq!(
            writer.update().if_available().min_length(3).await.unwrap(),
            3
        );

        let reader = sparse_reader_of(&writer).await;
        assert!(matches!(
            reader.update().if_available().await,
            Err(Error::NoUpdate)
        ));
        let _connection = connect(&reader, &writer, true);
        while !reader.peers().iter().any(hypercore::Peer::is_open) {
            task::yield_now().await;
        }
        assert_eq!(reader.update().if_available().await.unwrap(), 3);
        assert!(matches!(
            reader.update().if_available().await,
            Err(Error::NoUpdate)
        ));
    });
}

#[test]
fn a_portable_proof_needs_only_the_key() {
    for dialect in [Dialect::V8, Dialect::V9] {
        task::block_on(async {
            let writer = writer(11, dialect).await;
            for block in 0..11 {
                let bytes = writer.portable_proof(block).unwrap().to_bytes();
                let proof = PortableProof::from_bytes(&bytes).unwrap();
                let value = writer.get(block).await.unwrap();
                assert!(proof.verify(&writer.key(), &value).is_ok());
                assert!(proof.verify(&writer.key(), b"something else").is_err());
            }
            assert!(writer.portable_proof(11).is_err());
        });
    }
}

#[test]
fn an_eager_sparse_copy_follows_the_length_and_fetches_no_block() {
    task::block_on(async {
        let writer = writer(3, Dialect::V8).await;
        let builder = Hypercore::builder(Storage::memory())
            .key(writer.key())
            .sparse(true);
        let eager = builder.eager_update(true).open().await.unwrap();
        let idle = sparse_reader_of(&writer).await;
        let _connections = [
            connect(&eager, &writer, true),
            connect(&idle, &writer, true),
        ];
        for length in 3..9_u64 {
            while eager.len() < length {
                task::yield_now().await;
            }
            writer.append("more").await.unwrap();
        }
        assert_eq!((eager.downloaded(..), idle.len()), (0, 0));
        // And it can be closed.
        eager.close().await.unwrap();
    });
}

#[test]
fn while_peers_are_being_looked_for_there_is_hope() {
    play(|stage| async move {
        let writer = stage.writer(3).await;
        let reader = stage.builder().key(writer.key()).sparse(true);
        let reader = reader.if_available(true).open().await.unwrap();
        let hopeless = reader.get(0).await;
        assert!(
            matches!(hopeless, Err(Error::NotAvailable { block: 0 })),
            "{hopeless:?}"
        );
        assert!(matches!(reader.update().await, Err(Error::NoUpdate)));
        assert!(matches!(
            reader.seek(1).await,
            Err(Error::ByteNotLocal { byte: 1 })
        ));

        let looking = reader.finding_peers();
        let get = stage.spawn(reader.get(0).into_future());
        let beyond = stage.spawn(reader.get(9).into_future());
        let update = stage.spawn(reader.update().min_length(9).into_future());
        stage.quiet().await;
        stage.live(&reader, &writer);
        assert_eq!(get.done().await.unwrap(), writer.get(0).await.unwrap());
        assert!(reader.seek(1).await.is_ok());
        stage.quiet().await;
        assert!(!beyond.is_done() && !update.is_done());
        drop(looking);
        assert!(matches!(
            beyond.done().await,
            Err(Error::NotAvailable { block: 9 })
        ));
        assert!(matches!(update.done().await, Err(Error::NoUpdate)));
    });
}

#[test]
fn a_feed_that_is_as_long_as_expected_waits_for_no_update() {
    play(|stage| async move {
        let feed = stage.writer(3).await;
        let _looking = feed.finding_peers();
        feed.set_expected_length(5);
        let update = stage.spawn(feed.update().if_available().into_future());
        stage.quiet().await;
        assert!(!update.is_done());
        feed.set_expected_length(3);
        assert!(matches!(update.done().await, Err(Error::NoUpdate)));
    });
}

#[test]
fn fetching_and_answering_are_switched_while_it_runs() {
    play(|stage| async move {
        let writer = stage.writer(3).await;
        let reader = stage.builder().key(writer.key()).downloading(false);
        let reader = reader.open().await.unwrap();
        stage.live(&reader, &writer);
        let get = stage.spawn(reader.get(0).into_future());
        stage.quiet().await;
        assert!(!get.is_done());
        reader.set_downloading(true);
        get.done().await.unwrap();

        writer.set_uploading(false);
        writer.append("late").await.unwrap();
        let get = stage.spawn(reader.get(3).into_future());
        stage.quiet().await;
        assert!(!get.is_done());
        writer.set_uploading(true);
        assert_eq!(get.done().await.unwrap(), "late");
    });
}
