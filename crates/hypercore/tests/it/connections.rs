//! Many feeds on one connection, and how a connection can be.

use std::sync::{Arc, Mutex};

use async_std::task;
use futures_lite::StreamExt;
use hypercore::{
    Connection, Dialect, Error, Event, FeedOptions, Hypercore, NoiseKeyPair, PeerError,
    ProtocolError, Role, Security, Storage,
};

use crate::{
    duplex::duplex,
    ends::{ends, run},
    pair::{assert_same, reader_of, writer},
    stage::play,
};

#[test]
fn feeds_go_in_both_directions_and_all_end() {
    task::block_on(async {
        let feeds = [
            writer(30, Dialect::V8).await,
            writer(1, Dialect::V8).await,
            writer(0, Dialect::V8).await,
        ];
        let copies = [
            reader_of(&feeds[0]).await,
            reader_of(&feeds[1]).await,
            reader_of(&feeds[2]).await,
        ];
        let [a, b] = ends();
        for n in 0..3 {
            // The first is written on one side, the others on the other.
            let (here, there) = if n == 0 { (&a, &b) } else { (&b, &a) };
            here.add(&feeds[n]).unwrap();
            there.add(&copies[n]).unwrap();
            there.add(&copies[n]).unwrap();
        }
        let [left, right] = run([a, b]);
        let (left, right) = (left.await.unwrap(), right.await.unwrap());
        assert!(left.finished && right.finished);
        for (feed, copy) in feeds.iter().zip(&copies) {
            assert_same(feed, copy).await;
        }
    });
}

#[test]
fn feeds_are_added_and_removed_while_it_runs() {
    play(|stage| async move {
        let (first, second) = (stage.writer(3).await, stage.writer(4).await);
        let (first_copy, second_copy) = (stage.copy(&first).await, stage.copy(&second).await);
        let [a, b] = ends().map(|end| end.live(true).runtime(stage.runtime()));
        a.add(&first).unwrap();
        b.add(&first_copy).unwrap();
        let (a_handle, b_handle) = (a.handle(), b.handle());
        let (left, right) = stage.cable();
        let (left, right) = (stage.spawn(a.run(left)), stage.spawn(b.run(right)));
        first_copy.get(2).await.unwrap();
        // Either side first.
        a_handle.add(&second).unwrap();
        stage.quiet().await;
        b_handle.add(&second_copy).unwrap();
        second_copy.get(3).await.unwrap();

        b_handle.remove(&first_copy).unwrap();
        stage.quiet().await;
        assert!(first.peers().is_empty() && first_copy.peers().is_empty());
        // The other goes on, and so does the connection without any.
        second.append("more").await.unwrap();
        second_copy.get(4).await.unwrap();
        second_copy.close().await.unwrap();
        stage.quiet().await;
        assert!(second.peers().is_empty());
        a_handle.hang_up();
        left.done().await.unwrap();
        right.done().await.unwrap();
        assert!(matches!(a_handle.add(&first), Err(Error::Closed)));
    });
}

#[test]
fn a_feed_is_opened_on_demand_and_strangers_are_turned_away() {
    task::block_on(async {
        let (shared, secret) = (writer(5, Dialect::V8).await, writer(5, Dialect::V8).await);
        let (copy, other) = (reader_of(&shared).await, reader_of(&secret).await);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let [a, b] = ends();
        let b = b.on_discovery_key({
            let (asked, shared) = (Arc::clone(&asked), shared.clone());
            move |key, connection| {
                asked.lock().unwrap().push(key);
                let shared = shared.clone();
                async move {
                    task::yield_now().await;
                    if key == shared.discovery_key() {
                        connection.add(&shared).unwrap();
                    }
                }
            }
        });
        a.add(&other).unwrap();
        a.add(&copy).unwrap();
        let [left, right] = run([a, b]);
        let (left, right) = (left.await.unwrap(), right.await.unwrap());
        assert!(left.finished && right.finished);
        assert_same(&shared, &copy).await;
        assert!(other.is_empty());
        let expected = [secret.discovery_key(), shared.discovery_key()];
        assert_eq!(*asked.lock().unwrap(), expected);
    });
}

#[test]
fn a_hold_keeps_it_until_the_last_feed_is_added() {
    task::block_on(async {
        let (first, second) = (writer(3, Dialect::V8).await, writer(4, Dialect::V8).await);
        let (first_copy, second_copy) = (reader_of(&first).await, reader_of(&second).await);
        let [a, b] = ends();
        a.add(&first).unwrap();
        b.add(&first_copy).unwrap();
        let (a_handle, b_handle) = (a.handle(), b.handle());
        let holds = [a_handle.hold(), b_handle.hold()];
        let [left, right] = run([a, b]);
        while first_copy.downloaded(..) < 3 || !first.peers().is_empty() {
            task::yield_now().await;
        }
        a_handle.add(&second).unwrap();
        b_handle.add(&second_copy).unwrap();
        drop(holds);
        assert!(left.await.unwrap().finished && right.await.unwrap().finished);
        assert_same(&second, &second_copy).await;
    });
}

#[test]
fn who_is_not_welcome_fails_in_the_handshake() {
    for (welcome, decider) in [(true, 0), (true, 1), (false, 0), (false, 1)] {
        task::block_on(async {
            let writer = writer(3, Dialect::V8).await;
            let reader = reader_of(&writer).await;
            let pairs = [
                NoiseKeyPair::from_seed([1; 32]),
                NoiseKeyPair::from_seed([2; 32]),
            ];
            let seen = Arc::new(Mutex::new(None));
            let [a, b] = ends();
            let mut sides = [a.key_pair(pairs[0].clone()), b.key_pair(pairs[1].clone())];
            sides[0].add(&reader).unwrap();
            sides[1].add(&writer).unwrap();
            let [a, b] = &mut sides;
            let side = if decider == 0 { a } else { b };
            let decided = std::mem::replace(side, Connection::new(Role::Initiator))
                .on_authenticate({
                    let seen = Arc::clone(&seen);
                    move |key| {
                        *seen.lock().unwrap() = Some(key);
                        async move {
                            task::yield_now().await;
                            welcome
                        }
                    }
                });
            *side = decided;
            let [a, b] = sides;
            let [left, right] = run([a, b]);
            let (left, right) = (left.await, right.await);
            assert_eq!(*seen.lock().unwrap(), Some(pairs[1 - decider].public()));
            if welcome {
                assert!(left.unwrap().finished && right.unwrap().finished);
                assert_eq!(reader.len(), 3);
            } else {
                let decider = if decider == 0 { left } else { right };
                let error = decider.unwrap_err();
                let handshake = matches!(
                    error,
                    Error::Peer(PeerError::Protocol(ProtocolError::Handshake(_)))
                );
                assert!(handshake, "{error:?}");
                assert!(reader.is_empty());
            }
        });
    }
}

#[test]
fn all_kinds_of_protection_work_where_both_sides_agree() {
    for security in [
        Security::Encrypted,
        Security::Authenticated,
        Security::Plain,
    ] {
        task::block_on(async {
            let writer = writer(9, Dialect::V9).await;
            let reader = reader_of(&writer).await;
            let (left, right) = duplex(4096);
            let server = writer.replicate(Role::Responder, right).security(security);
            let server = task::spawn(server.into_future());
            let client = reader.replicate(Role::Initiator, left).security(security);
            let session = client.await.unwrap();
            assert!(session.finished && server.await.unwrap().finished);
            assert_eq!(
                session.remote_public_key.is_some(),
                security != Security::Plain
            );
            assert_same(&writer, &reader).await;
        });
    }
}

#[test]
fn nothing_is_fetched_without_download_nor_given_without_upload() {
    play(|stage| async move {
        let writer = stage.writer(5).await;
        for fetches in [false, true] {
            let mut options = [FeedOptions::default(); 2];
            options[0].download = fetches;
            options[1].upload = !fetches;
            let reader = stage.copy(&writer).await;
            let [a, b] = ends().map(|end| end.live(true));
            a.add_with(&reader, options[0]).unwrap();
            b.add_with(&writer, options[1]).unwrap();
            let handle = a.handle();
            let (left, right) = stage.cable();
            let (left, right) = (stage.spawn(a.run(left)), stage.spawn(b.run(right)));
            let get = stage.spawn(reader.get(0).into_future());
            stage.quiet().await;
            assert!(reader.peers()[0].is_open() && !get.is_done());
            assert_eq!((reader.len(), reader.downloaded(..)), (0, 0));
            handle.hang_up();
            left.done().await.unwrap();
            right.done().await.unwrap();
        }
    });
}

#[test]
fn each_block_is_acknowledged_once_to_who_asked() {
    task::block_on(async {
        let writer = writer(4, Dialect::V8).await;
        let reader = reader_of(&writer).await;
        let (mut events, mut others) = (writer.events(), reader.events());
        let (left, right) = duplex(4096);
        let server = writer
            .replicate(Role::Responder, right)
            .ack(true)
            .live(true);
        let _server = task::spawn(server.into_future());
        let client = reader.replicate(Role::Initiator, left).live(true);
        let _client = task::spawn(client.into_future());
        let mut acknowledged = Vec::new();
        while acknowledged.len() < 4 {
            if let Some(Event::Ack { block, peer }) = events.next().await {
                assert_eq!(peer, writer.peers()[0].id());
                acknowledged.push(block);
            }
        }
        acknowledged.sort_unstable();
        assert_eq!(acknowledged, [0, 1, 2, 3]);
        reader.close().await.unwrap();
        while let Some(event) = others.next().await {
            assert!(!matches!(event, Event::Ack { .. }));
        }
    });
}

#[test]
fn a_feed_without_a_counterpart_ends_with_a_typed_error_and_not_never() {
    task::block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        let [a, b] = ends();
        a.add(&feed).unwrap();
        let [left, right] = run([a, b.live(true)]);
        // The other side says at once that it doesn't share it.
        assert!(left.await.is_ok());
        let _ = right.await;
    });
}
