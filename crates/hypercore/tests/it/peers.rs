//! The peers of a feed: when they come and go, what is known of them, and what can be switched.

use async_std::task;
use futures_lite::{StreamExt, future};
use hypercore::{Connection, Dialect, Error, Event, Hypercore, Peer, Role, Storage};
use wire::Message;

use crate::{
    duplex::duplex,
    pair::{exchange, reader_of, sparse_reader_of, writer},
    relay::relay,
    stage::play,
};

/// The first peer, once it is open.
async fn open_peer(feed: &Hypercore) -> Peer {
    loop {
        if let Some(peer) = feed.peers().into_iter().find(Peer::is_open) {
            return peer;
        }
        task::yield_now().await;
    }
}

async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        task::yield_now().await;
    }
}

/// All events of a feed that is closed now, without their contents.
async fn names(feed: &Hypercore, mut events: hypercore::Events) -> Vec<&'static str> {
    feed.close().await.unwrap();
    let mut names = Vec::new();
    while let Some(event) = events.next().await {
        names.push(match event {
            Event::PeerAdd { .. } => "add",
            Event::Replicating { .. } => "replicating",
            Event::PeerOpen { .. } => "open",
            Event::RemoteUpdate { .. } => "remote update",
            Event::Append { .. } => "append",
            Event::Download { .. } => "download",
            Event::Upload { .. } => "upload",
            Event::Sync => "sync",
            Event::PeerRemove { .. } => "remove",
            Event::Close => "close",
            other => panic!("{other:?}"),
        });
    }
    names
}

#[test]
fn on_a_fresh_clone_events_come_in_the_order_of_what_happens() {
    task::block_on(async {
        let writer = writer(3, Dialect::V8).await;
        let reader = reader_of(&writer).await;
        let (events, others) = (reader.events(), writer.events());
        exchange(&reader, &writer).await;
        let expected = [
            "add",
            "replicating",
            "open",
            "remote update",
            "append",
            "download",
            "download",
            "download",
            "sync",
            "remove",
            "close",
        ];
        assert_eq!(names(&reader, events).await, expected);
        let names = names(&writer, others).await;
        assert_eq!(names[..3], ["add", "replicating", "open"]);
        assert_eq!(names[names.len() - 2..], ["remove", "close"]);
        assert_eq!(names.iter().filter(|name| **name == "upload").count(), 3);
    });
}

#[test]
fn a_peer_that_does_not_have_the_feed_comes_and_goes_without_opening_it() {
    task::block_on(async {
        let feed = writer(3, Dialect::V8).await;
        let events = feed.events();
        let (a, b) = (
            Connection::new(Role::Initiator),
            Connection::new(Role::Responder).on_discovery_key(|_, _| async {}),
        );
        a.add(&feed).unwrap();
        // Twice is once.
        a.add(&feed).unwrap();
        let (left, right) = duplex(4096);
        let (a, b) = future::zip(a.run(left), b.run(right)).await;
        a.unwrap();
        b.unwrap();
        let expected = ["add", "replicating", "remove", "close"];
        assert_eq!(names(&feed, events).await, expected);
    });
}

#[test]
fn a_connection_that_has_ended_takes_up_no_feed() {
    task::block_on(async {
        let feed = writer(1, Dialect::V8).await;
        let events = feed.events();
        let connection = Connection::new(Role::Initiator);
        let handle = connection.handle();
        let (left, right) = duplex(4096);
        drop(right);
        let _ = connection.run(left).await;
        assert!(matches!(handle.add(&feed), Err(Error::Closed)));
        assert_eq!(names(&feed, events).await, ["close"]);
    });
}

#[test]
fn a_handle_tells_what_is_known_and_nothing_once_the_peer_has_gone() {
    task::block_on(async {
        let writer = writer(30, Dialect::V9).await;
        let reader = Hypercore::builder(Storage::memory())
            .key(writer.key())
            .dialect(Dialect::V9)
            .sparse(true)
            .open()
            .await
            .unwrap();
        let (left, right) = duplex(4096);
        let client = reader.replicate(Role::Initiator, left).live(true).ack(true);
        let client = task::spawn(client.into_future());
        let server = task::spawn(
            writer
                .replicate(Role::Responder, right)
                .live(true)
                .into_future(),
        );
        let (there, here) = (open_peer(&reader).await, open_peer(&writer).await);
        reader.get(4).await.unwrap();
        reader.get(9).await.unwrap();

        assert_eq!(reader.peer(there.id()), Some(there.clone()));
        assert_eq!(there.remote_public_key(), Some(writer.noise_public_key()));
        assert_eq!(here.remote_public_key(), Some(reader.noise_public_key()));
        assert_eq!(there.remote_len(), Some(30));
        assert!(there.remote_has(5) && !there.remote_has(4) && !there.remote_has(30));
        assert_eq!(there.remote_count(), 28);
        assert!(there.inflight().is_empty());
        let info = there.info().unwrap();
        assert_eq!((info.dialect, info.is_open), (Some(Dialect::V9), true));
        assert!(info.downloading && info.uploading && info.remote_uploading);
        assert!(!info.remote_downloading, "the writer fetches nothing");
        assert!((16..=256).contains(&info.window));
        assert!(info.usual_delay.is_some());
        assert_eq!(info.stats.downloaded_blocks, 2);
        assert_eq!(Some(info.stats), there.stats());
        until(|| here.info().unwrap().remote_acks).await;
        assert_eq!(here.remote_count(), 0);

        there.disconnect();
        client.await.unwrap();
        server.await.unwrap();
        for peer in [&there, &here] {
            assert!(peer.has_gone() && !peer.is_open());
            assert_eq!(
                (peer.info(), peer.remote_len(), peer.stats()),
                (None, None, None)
            );
            assert_eq!((peer.remote_has(5), peer.remote_count()), (false, 0));
            assert!(peer.inflight().is_empty());
            assert!(matches!(peer.set_downloading(false), Err(Error::NoPeer)));
            assert!(matches!(peer.set_uploading(true), Err(Error::NoPeer)));
            peer.disconnect();
        }
        assert_eq!(there.remote_public_key(), Some(writer.noise_public_key()));
        assert_eq!(reader.peer(there.id()), None);
        reader.close().await.unwrap();
        assert!(matches!(there.set_uploading(true), Err(Error::Closed)));
    });
}

#[test]
fn fetching_and_answering_are_switched_for_one_peer() {
    play(|stage| async move {
        let writer = stage.writer(9).await;
        let reader = stage.sparse(&writer).await;
        stage.live(&reader, &writer);
        stage.quiet().await;
        let (there, here) = (reader.peers().remove(0), writer.peers().remove(0));

        there.set_downloading(false).unwrap();
        let get = stage.spawn(reader.get(0).into_future());
        stage.quiet().await;
        assert!(!get.is_done() && !here.info().unwrap().remote_downloading);
        there.set_downloading(true).unwrap();
        get.done().await.unwrap();

        here.set_uploading(false).unwrap();
        let get = stage.spawn(reader.get(1).into_future());
        stage.quiet().await;
        assert!(!get.is_done() && !there.info().unwrap().remote_uploading);
        here.set_uploading(true).unwrap();
        get.done().await.unwrap();
        assert!(there.info().unwrap().remote_uploading);
    });
}

#[test]
fn what_is_switched_before_the_remote_opens_the_feed_holds_from_the_beginning() {
    task::block_on(async {
        let writer = writer(3, Dialect::V8).await;
        let reader = sparse_reader_of(&writer).await;
        let (left, right) = duplex(4096);
        let client = task::spawn(
            reader
                .replicate(Role::Initiator, left)
                .live(true)
                .into_future(),
        );
        until(|| !reader.peers().is_empty()).await;
        let there = reader.peers().remove(0);
        assert!(!there.is_open());
        there.set_downloading(false).unwrap();
        let server = task::spawn(
            writer
                .replicate(Role::Responder, right)
                .live(true)
                .into_future(),
        );
        let here = open_peer(&writer).await;
        until(|| !here.info().unwrap().remote_downloading).await;
        assert!(!there.info().unwrap().downloading);
        there.set_downloading(true).unwrap();
        reader.get(2).await.unwrap();
        there.disconnect();
        client.await.unwrap();
        server.await.unwrap();
    });
}

#[test]
fn pushed_blocks_are_stored_where_that_is_allowed() {
    let pushed = |allowed: bool| {
        task::block_on(async {
            let writer = writer(8, Dialect::V8).await;
            let mut captured = None;
            for round in 0..2 {
                let reader = Hypercore::builder(Storage::memory())
                    .key(writer.key())
                    .sparse(true)
                    .allow_push(allowed);
                let reader = reader.open().await.unwrap();
                let (near, victim) = duplex(4096);
                let (far, source) = duplex(4096);
                let client = reader.replicate(Role::Initiator, victim).live(true);
                let client = task::spawn(client.into_future());
                let server = writer.replicate(Role::Responder, source).live(true);
                let server = task::spawn(server.into_future());
                let captured = &mut captured;
                let tamper = |message: Message| match (round, &message) {
                    (0, Message::Data(_)) => {
                        *captured = Some(message.clone());
                        vec![message]
                    }
                    (1, Message::Data(_)) => captured.take().into_iter().chain([message]).collect(),
                    _ => vec![message],
                };
                let between = relay(writer.key(), Dialect::V8, near, far, tamper);
                let test = async {
                    // First the answer about block 1 is kept, then it comes unasked before that about block 6.
                    reader.get(if round == 0 { 1 } else { 6 }).await.unwrap();
                    reader.clone()
                };
                let reader = future::or(
                    async {
                        between.await;
                        panic!("it broke")
                    },
                    test,
                )
                .await;
                reader.close().await.unwrap();
                drop((client, server));
                if round == 1 {
                    return reader.has(1);
                }
            }
            panic!("two rounds")
        })
    };
    assert!(pushed(true));
    assert!(!pushed(false));
}

#[test]
fn as_long_as_a_connection_may_bring_a_block_there_is_hope() {
    task::block_on(async {
        let writer = writer(3, Dialect::V8).await;
        let reader = sparse_reader_of(&writer).await;
        // Both are about to run, and neither has said a word.
        let (left, right) = duplex(4096);
        let connection = Connection::new(Role::Initiator);
        connection.add(&reader).unwrap();
        let get = task::spawn(reader.get(2).if_available().into_future());
        let nobody = task::spawn(reader.get(7).if_available().into_future());
        let client = task::spawn(connection.live(true).run(left));
        let server = task::spawn(
            writer
                .replicate(Role::Responder, right)
                .live(true)
                .into_future(),
        );
        assert_eq!(get.await.unwrap(), writer.get(2).await.unwrap());
        assert!(matches!(
            nobody.await,
            Err(Error::NotAvailable { block: 7 })
        ));
        reader.peers()[0].disconnect();
        client.await.unwrap();
        server.await.unwrap();
        // Nothing is left of it.
        let none = reader.get(1).if_available().await;
        assert!(matches!(none, Err(Error::NotAvailable { block: 1 })));
    });
}
