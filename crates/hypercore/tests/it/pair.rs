//! Two and more peers over pipes in memory.

use async_std::task::{self, JoinHandle};
use bytes::Bytes;
use futures_lite::StreamExt;
use hypercore::{
    Dialect, DialectChoice, Error, Event, Hypercore, PeerError, Result, Role, Session, Storage,
};
use testkit::Rng;

use crate::duplex::duplex;

/// A feed of `count` blocks of mixed sizes, some of them empty.
pub(crate) async fn writer(count: u64, dialect: Dialect) -> Hypercore {
    let feed = Hypercore::builder(Storage::memory())
        .dialect(dialect)
        .open()
        .await
        .unwrap();
    fill(&feed, count).await;
    feed
}

/// Appends so many blocks of mixed sizes.
pub(crate) async fn fill(feed: &Hypercore, count: u64) {
    let mut rng = Rng::new(count);
    let blocks: Vec<Bytes> = (0..count)
        .map(|_| match rng.below(5) {
            0 => Bytes::new(),
            _ => {
                let len = rng.below(300) as usize;
                rng.bytes(len).into()
            }
        })
        .collect();
    for batch in blocks.chunks(7) {
        feed.append_batch(batch.iter().cloned()).await.unwrap();
    }
}

pub(crate) async fn reader_of(feed: &Hypercore) -> Hypercore {
    Hypercore::builder(Storage::memory())
        .key(feed.key())
        .dialect(feed.dialect())
        .open()
        .await
        .unwrap()
}

/// A copy that fetches what it is asked for.
pub(crate) async fn sparse_reader_of(feed: &Hypercore) -> Hypercore {
    Hypercore::builder(Storage::memory())
        .key(feed.key())
        .dialect(feed.dialect())
        .sparse(true)
        .open()
        .await
        .unwrap()
}

/// Connects two feeds; `a` is the initiator.
pub(crate) fn connect(
    a: &Hypercore,
    b: &Hypercore,
    live: bool,
) -> (JoinHandle<Result<Session>>, JoinHandle<Result<Session>>) {
    let (left, right) = duplex(16 * 1024);
    let a = a.replicate(Role::Initiator, left).live(live);
    let b = b.replicate(Role::Responder, right).live(live);
    (task::spawn(a.into_future()), task::spawn(b.into_future()))
}

/// Connects two feeds until both have what they want.
pub(crate) async fn exchange(a: &Hypercore, b: &Hypercore) {
    let (a, b) = connect(a, b, false);
    a.await.unwrap();
    b.await.unwrap();
}

pub(crate) async fn assert_same(a: &Hypercore, b: &Hypercore) {
    assert_eq!(
        (a.len(), a.byte_len(), a.tree_hash()),
        (b.len(), b.byte_len(), b.tree_hash())
    );
    for block in 0..a.len() {
        assert_eq!(a.get(block).await.unwrap(), b.get(block).await.unwrap());
    }
}

#[test]
fn a_clone_that_is_not_live_ends_with_the_whole_feed() {
    for dialect in [Dialect::V8, Dialect::V9] {
        for count in [0, 1, 2, 5, 33, 1000] {
            task::block_on(async {
                let writer = writer(count, dialect).await;
                let reader = reader_of(&writer).await;
                let (left, right) = connect(&reader, &writer, false);
                let (left, right) = (left.await.unwrap(), right.await.unwrap());
                assert!(left.finished && right.finished, "{count} blocks");
                assert_eq!(left.bytes_sent, right.bytes_received);
                assert_same(&writer, &reader).await;
            });
        }
    }
}

#[test]
fn the_writer_may_be_the_initiator() {
    task::block_on(async {
        let writer = writer(40, Dialect::V8).await;
        let reader = reader_of(&writer).await;
        let (left, right) = connect(&writer, &reader, false);
        assert!(left.await.unwrap().finished && right.await.unwrap().finished);
        assert_same(&writer, &reader).await;
    });
}

#[test]
fn an_initiator_finds_out_which_dialect_is_spoken() {
    for dialect in [Dialect::V8, Dialect::V9] {
        task::block_on(async {
            let writer = writer(9, dialect).await;
            let reader = reader_of(&writer).await;
            let (left, right) = duplex(4096);
            let server = task::spawn(writer.replicate(Role::Responder, right).into_future());
            let session = reader
                .replicate(Role::Initiator, left)
                .dialect(DialectChoice::Auto)
                .await
                .unwrap();
            assert_eq!(session.dialect, Some(dialect));
            server.await.unwrap();
            assert_same(&writer, &reader).await;
        });
    }
}

#[test]
fn peers_of_different_dialects_part_with_a_handshake_error() {
    task::block_on(async {
        let writer = writer(3, Dialect::V8).await;
        let reader = reader_of(&writer).await;
        let (left, right) = duplex(4096);
        let server = task::spawn(writer.replicate(Role::Responder, right).into_future());
        let client = reader
            .replicate(Role::Initiator, left)
            .dialect(DialectChoice::Fixed(Dialect::V9))
            .await;
        assert!(matches!(
            client,
            Err(Error::Peer(PeerError::Protocol(
                hypercore::ProtocolError::Handshake(_)
            )))
        ));
        assert!(!server.await.is_ok_and(|session| session.finished));
        assert_eq!(reader.len(), 0);
    });
}

#[test]
fn appends_arrive_on_a_live_clone() {
    task::block_on(async {
        let writer = writer(3, Dialect::V8).await;
        let reader = reader_of(&writer).await;
        let connection = connect(&reader, &writer, true);
        assert_eq!(reader.get(2).await.unwrap(), writer.get(2).await.unwrap());
        for n in 3..30u64 {
            writer.append(n.to_string()).await.unwrap();
            assert_eq!(reader.get(n).await.unwrap(), n.to_string());
        }
        assert_eq!(reader.len(), 30);
        reader.close().await.unwrap();
        assert!(matches!(connection.0.await, Err(Error::Closed)));
    });
}

#[test]
fn a_live_append_reaches_a_clone_of_a_clone() {
    task::block_on(async {
        let writer = writer(5, Dialect::V9).await;
        let middle = reader_of(&writer).await;
        let last = reader_of(&writer).await;
        let _first = connect(&middle, &writer, true);
        let _second = connect(&last, &middle, true);
        assert_eq!(last.get(4).await.unwrap(), writer.get(4).await.unwrap());
        writer.append("news").await.unwrap();
        assert_eq!(last.get(5).await.unwrap(), "news");
    });
}

#[test]
fn two_sources_share_the_work_and_no_block_comes_twice() {
    task::block_on(async {
        let writer = writer(300, Dialect::V8).await;
        let middle = reader_of(&writer).await;
        exchange(&middle, &writer).await;

        let reader = reader_of(&writer).await;
        let mut events = reader.events();
        let _one = connect(&reader, &writer, true);
        let _two = connect(&reader, &middle, true);
        let mut downloads = 0;
        loop {
            match events.next().await.unwrap() {
                Event::Download { .. } => downloads += 1,
                Event::Sync if reader.len() == 300 => break,
                Event::Lagged { .. } => panic!("the queue holds more than this"),
                _ => {}
            }
        }
        assert_eq!(downloads, 300);
        assert_same(&writer, &reader).await;
    });
}

#[test]
fn a_second_session_brings_only_what_is_new() {
    task::block_on(async {
        let writer = writer(50, Dialect::V8).await;
        let reader = reader_of(&writer).await;
        exchange(&reader, &writer).await;
        writer.append_batch(["x", "y"]).await.unwrap();

        let mut events = reader.events();
        exchange(&reader, &writer).await;
        assert_same(&writer, &reader).await;
        reader.close().await.unwrap();
        let mut downloaded = Vec::new();
        while let Some(event) = events.next().await {
            if let Event::Download { block, .. } = event {
                downloaded.push(block);
            }
        }
        downloaded.sort_unstable();
        assert_eq!(downloaded, [50, 51]);
    });
}

#[test]
fn a_peer_with_another_key_is_refused_by_its_capability_or_ignored() {
    task::block_on(async {
        let writer = writer(3, Dialect::V8).await;
        let stranger = Hypercore::builder(Storage::memory())
            .key(hypercore::KeyPair::from_seed([3; 32]).public())
            .open()
            .await
            .unwrap();
        let (left, right) = connect(&stranger, &writer, false);
        assert!(
            !left
                .await
                .is_ok_and(|session| session.finished && !stranger.is_empty())
        );
        assert!(right.await.is_ok());
        assert_eq!(stranger.len(), 0);
    });
}

#[test]
fn large_blocks_pass_through_small_pipes_both_ways() {
    task::block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        let mut rng = Rng::new(1);
        feed.append_batch((0..6).map(|_| Bytes::from(rng.bytes(1 << 20))))
            .await
            .unwrap();
        let reader = reader_of(&feed).await;
        let (left, right) = duplex(700);
        let server = task::spawn(feed.replicate(Role::Responder, right).into_future());
        reader.replicate(Role::Initiator, left).await.unwrap();
        server.await.unwrap();
        assert_same(&feed, &reader).await;
    });
}

#[test]
fn what_is_exchanged_is_counted_on_both_sides_and_told() {
    task::block_on(async {
        let writer = writer(10, Dialect::V8).await;
        let reader = reader_of(&writer).await;
        let mut events = writer.events();
        let (left, right) = connect(&reader, &writer, true);
        while reader.downloaded(..) < 10 {
            task::yield_now().await;
        }
        let (down, up) = (reader.stats().unwrap(), writer.stats().unwrap());
        assert_eq!(down.totals.downloaded_blocks, 10);
        assert_eq!(down.totals.downloaded_bytes, writer.byte_len());
        assert_eq!(up.totals.uploaded_blocks, 10);
        assert_eq!(up.totals.uploaded_bytes, writer.byte_len());
        assert_eq!(up.totals.downloaded_blocks + down.totals.uploaded_blocks, 0);
        assert_eq!(up.peers, [(writer.peers()[0].id(), up.totals)]);
        assert_eq!(down.peers, [(reader.peers()[0].id(), down.totals)]);

        reader.close().await.unwrap();
        let _ = (left.await, right.await);
        let after = writer.stats().unwrap();
        assert!(after.peers.is_empty());
        assert_eq!(after.totals, up.totals);

        writer.close().await.unwrap();
        let mut uploaded = Vec::new();
        while let Some(event) = events.next().await {
            if let Event::Upload { block, .. } = event {
                uploaded.push(block);
            }
        }
        uploaded.sort_unstable();
        assert_eq!(uploaded, Vec::from_iter(0..10));
    });
}

#[test]
fn without_stats_there_are_none() {
    task::block_on(async {
        let feed = Hypercore::builder(Storage::memory())
            .stats(false)
            .open()
            .await
            .unwrap();
        assert!(feed.stats().is_none() && feed.typed::<hypercore::Utf8>().stats().is_none());
    });
}

#[test]
fn a_live_server_knows_that_its_reader_has_finished() {
    task::block_on(async {
        let writer = writer(3, Dialect::V8).await;
        let reader = reader_of(&writer).await;
        let (left, right) = duplex(4096);
        let server = task::spawn(
            writer
                .replicate(Role::Responder, right)
                .live(true)
                .into_future(),
        );
        let client = reader.replicate(Role::Initiator, left).await.unwrap();
        let server = server.await.unwrap();
        assert!(client.finished && server.finished);
    });
}
