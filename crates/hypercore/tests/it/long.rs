//! Feeds of more than 2^20 blocks, about which peers tell one another in several windows.
//!
//! Such a feed takes seconds to make, so each of these tests looks at many things.

use std::future::IntoFuture;

use async_std::task;
use bytes::Bytes;
use futures_lite::StreamExt;
use hypercore::{
    DownloadRequest, Error, Event, File, Hypercore, MemoryFiles, RandomAccess, Role, Storage,
};

use crate::{
    duplex::duplex,
    pair::{connect, sparse_reader_of},
};

/// The blocks of a window.
const WINDOW: u64 = 1 << 20;

const LENGTH: u64 = WINDOW + 40_000;

/// A block whose number says what is in it.
fn block(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_le_bytes()[..3])
}

/// A feed that goes somewhat into a second window.
async fn long(files: &MemoryFiles) -> Hypercore {
    let feed = Hypercore::open(Storage::custom(files.clone()))
        .await
        .unwrap();
    while feed.len() < LENGTH {
        let end = LENGTH.min(feed.len() + (1 << 17));
        let blocks = (feed.len()..end).map(block);
        feed.append_batch(blocks).await.unwrap();
    }
    feed
}

/// A copy of everything but the secret key.
fn copied(files: &MemoryFiles) -> MemoryFiles {
    let copy = MemoryFiles::default();
    for file in File::ALL
        .into_iter()
        .filter(|file| *file != File::SecretKey)
    {
        let from = files.file(file);
        let mut bytes = vec![0; from.len().unwrap() as usize];
        from.read(0, &mut bytes).unwrap();
        copy.file(file).write(0, &[&bytes]).unwrap();
    }
    copy
}

#[test]
fn a_sparse_copy_reads_in_all_windows() {
    task::block_on(async {
        let writer = long(&MemoryFiles::default()).await;
        let reader = sparse_reader_of(&writer).await;
        let (left, right) = duplex(16 * 1024);
        let left = reader.replicate(Role::Initiator, left).live(true);
        let right = writer.replicate(Role::Responder, right).live(true);
        let left = task::spawn(left.into_future());
        let _right = task::spawn(right.into_future());

        // The last block is announced before anything is asked for.
        assert_eq!(reader.update().min_length(LENGTH).await.unwrap(), LENGTH);
        assert_eq!((reader.remote_len(), reader.downloaded(..)), (LENGTH, 0));
        for number in [WINDOW + 12_345, WINDOW, WINDOW - 1, LENGTH - 1, 0] {
            assert_eq!(reader.get(number).await.unwrap(), block(number));
        }
        // Ranges across the border, one by one and in any order.
        let (linear, random) = (WINDOW - 150..WINDOW + 150, WINDOW - 900..WINDOW - 400);
        let mut events = reader.events();
        reader
            .download(DownloadRequest::linear(linear.clone()))
            .await
            .unwrap();
        let mut order = Vec::new();
        while order.len() < 298 {
            match events.next().await {
                Some(Event::Download { block, .. }) if linear.contains(&block) => order.push(block),
                Some(_) => {}
                None => panic!("the feed was closed"),
            }
        }
        assert!(order.is_sorted(), "{order:?}");
        reader.download(random.clone()).await.unwrap();
        let spots = (0..60).map(|n| WINDOW - 30_000 + n * 1_000);
        reader
            .download(DownloadRequest::blocks(spots.clone()))
            .await
            .unwrap();
        for number in linear.chain(random).chain(spots) {
            let got = reader.get(number).wait(false).await.unwrap();
            assert_eq!(got, block(number));
        }
        // What is appended is announced, in whichever window it is.
        let more = reader.get(LENGTH + 1);
        writer
            .append_batch([block(LENGTH), block(LENGTH + 1)])
            .await
            .unwrap();
        assert_eq!(more.await.unwrap(), block(LENGTH + 1));
        assert_eq!(reader.tree_hash(), writer.tree_hash());

        writer.close().await.unwrap();
        let session = left.await.unwrap();
        // A window costs a Want and a run, not a bit for each block.
        assert!(session.bytes_received < 400_000, "{session:?}");
    });
}

#[test]
fn what_is_missing_is_known_in_all_windows_and_on_both_sides() {
    task::block_on(async {
        let files = MemoryFiles::default();
        let writer = long(&files).await;
        let copy = Hypercore::open(Storage::custom(copied(&files)))
            .await
            .unwrap();
        assert_eq!(copy.missing(..), []);
        // Holes of all kinds on both sides of the border, in the bitfields from the beginning.
        let mut holes = vec![
            500..700,
            WINDOW - 9_000..WINDOW - 8_000,
            WINDOW - 20..WINDOW + 30,
        ];
        holes.extend(
            (0..40)
                .map(|n| WINDOW - 4_000 + 200 * n)
                .map(|n| n..n + n % 3 + 1),
        );
        for hole in &holes {
            copy.clear(hole.clone()).await.unwrap();
        }
        let lost = [
            300..600,
            WINDOW - 5..WINDOW,
            WINDOW + 20_000..WINDOW + 20_500,
        ];
        for blocks in &lost {
            writer.clear(blocks.clone()).await.unwrap();
        }
        writer.set_downloading(true);
        let _between = connect(&copy, &writer, true);
        let reader = sparse_reader_of(&writer).await;
        let connection = connect(&reader, &copy, true);
        while writer.peers().is_empty() || reader.peers().is_empty() || copy.peers().len() < 2 {
            task::yield_now().await;
        }

        // Each gets from the other what only that one has.
        for number in [WINDOW + 20_499, 300, WINDOW + 20_000] {
            let got = writer.get(number).if_available().await.unwrap();
            assert_eq!(got, block(number));
        }
        for number in [WINDOW, WINDOW - 20, WINDOW - 8_500, 699] {
            let got = copy.get(number).if_available().await.unwrap();
            assert_eq!(got, block(number));
        }
        for number in [550, WINDOW - 3] {
            for feed in [&copy, &writer] {
                let got = feed.get(number).if_available().await;
                assert!(matches!(got, Err(Error::NotAvailable { .. })), "{got:?}");
            }
        }
        // A third one knows what the copy has by now.
        let around = (WINDOW - 4_100..WINDOW + 4_100).step_by(37);
        for number in around.chain(
            holes
                .iter()
                .flat_map(|hole| [hole.start - 1, hole.start, hole.end]),
        ) {
            same(&reader, &copy, number).await;
        }
        // What goes lost on both sides of the border is told.
        copy.clear(WINDOW - 700..WINDOW + 700).await.unwrap();
        reader.get(WINDOW + 30_000).await.unwrap();
        for number in [-701, -700, -43, -1, 0, 1, 43, 699, 700] {
            same(&reader, &copy, WINDOW.saturating_add_signed(number)).await;
        }
        copy.close().await.unwrap();
        connection.0.await.unwrap();
    });
}

/// What one has can be had by the other, and nothing else.
async fn same(reader: &Hypercore, source: &Hypercore, number: u64) {
    let known = reader.has(number) || source.has(number);
    match reader.get(number).if_available().await {
        Ok(bytes) if known => assert_eq!(bytes, block(number)),
        Err(Error::NotAvailable { .. }) if !known => {}
        got => panic!("{number}, known: {known}: {got:?}"),
    }
}
