//! Messages of the program's own between the peers of a feed.

use async_std::task::{self, JoinHandle};
use bytes::Bytes;
use futures_lite::{StreamExt, future::poll_once};
use hypercore::{Binary, Dialect, Error, Hypercore, Json, PeerId, Result, Session, Utf8};

use crate::{
    pair::{connect, reader_of, writer},
    stage::play,
};

async fn connected() -> (Hypercore, Hypercore, [JoinHandle<Result<Session>>; 2]) {
    let writer = writer(1, Dialect::V8).await;
    let reader = reader_of(&writer).await;
    let (left, right) = connect(&reader, &writer, true);
    (writer, reader, [left, right])
}

async fn peer_of(feed: &Hypercore) -> PeerId {
    loop {
        if let Some(peer) = feed.peers().first() {
            return peer.id();
        }
        task::yield_now().await;
    }
}

#[test]
fn a_broadcast_reaches_the_other_side_and_is_answered() {
    task::block_on(async {
        let (writer, reader, _connection) = connected().await;
        let question = writer.extension("talk", Utf8).unwrap();
        let answer = reader.extension("talk", Utf8).unwrap();
        let (mut questions, mut answers) = (answer.messages(), question.messages());
        peer_of(&writer).await;
        peer_of(&reader).await;
        assert_eq!(question.broadcast("how are you?").unwrap(), 1);
        let (from, text) = questions.next().await.unwrap().unwrap();
        assert_eq!(
            (from, text.as_str()),
            (peer_of(&reader).await, "how are you?")
        );
        answer.send("fine", from).unwrap();
        let (from, text) = answers.next().await.unwrap().unwrap();
        assert_eq!((from, text.as_str()), (peer_of(&writer).await, "fine"));
    });
}

#[test]
fn different_sets_are_matched_by_name() {
    task::block_on(async {
        let writer = writer(1, Dialect::V8).await;
        let reader = reader_of(&writer).await;
        let theirs: Vec<_> = ["a", "b", "d", "ü", "z"]
            .map(|name| writer.extension(name, Binary).unwrap())
            .into();
        let ours: Vec<_> = ["b", "c", "ü", "😀"]
            .map(|name| reader.extension(name, Binary).unwrap())
            .into();
        let mut heard: Vec<_> = ours.iter().map(|extension| extension.messages()).collect();
        // Whoever is connected before is told name by name, and turns down those still to be told.
        let _connection = connect(&reader, &writer, true);
        let peer = peer_of(&writer).await;
        for extension in &theirs {
            // Those that the other side lacks are turned down, or dropped if it hasn't told yet.
            let _ = extension.send(extension.name().to_owned(), peer);
        }
        assert_eq!(heard[0].next().await.unwrap().unwrap().1, "b");
        assert_eq!(heard[2].next().await.unwrap().unwrap().1, "ü");
        assert!(poll_once(heard[1].next()).await.is_none());
        assert!(poll_once(heard[3].next()).await.is_none());
        // By now it has told.
        let unsupported = theirs[0].send("x", peer);
        assert!(
            matches!(unsupported, Err(Error::UnsupportedExtension { .. })),
            "{unsupported:?}"
        );
    });
}

#[test]
fn names_that_come_and_go_never_mix_up_the_others() {
    task::block_on(async {
        let (writer, reader, _connection) = connected().await;
        let m = writer.extension("m", Utf8).unwrap();
        let listener = reader.extension("m", Utf8).unwrap();
        let mut messages = listener.messages();
        let peer = peer_of(&writer).await;
        m.send("one", peer).unwrap();
        let a = writer.extension("a", Utf8).unwrap();
        m.send("two", peer).unwrap();
        drop(a);
        let _z = writer.extension("z", Utf8).unwrap();
        m.send("three", peer).unwrap();
        for expected in ["one", "two", "three"] {
            assert_eq!(messages.next().await.unwrap().unwrap().1, expected);
        }
        assert!(matches!(
            writer.extension("m", Utf8),
            Err(Error::DuplicateExtension { .. })
        ));
        drop(m);
        let _again = writer.extension("m", Utf8).unwrap();
    });
}

#[test]
fn what_comes_before_somebody_listens_is_for_the_first_who_does() {
    play(|stage| async move {
        let feed = stage.writer(1).await;
        let copy = stage.copy(&feed).await;
        let talk = feed.extension("talk", Utf8).unwrap();
        let heard = copy.extension("talk", Utf8).unwrap();
        stage.live(&copy, &feed);
        let peer = peer_of(&feed).await;
        talk.send("hello", peer).unwrap();
        stage.quiet().await;
        let mut first = heard.messages();
        assert_eq!(first.next().await.unwrap().unwrap().1, "hello");
        let mut second = heard.messages();
        talk.send("again", peer).unwrap();
        assert_eq!(first.next().await.unwrap().unwrap().1, "again");
        assert_eq!(second.next().await.unwrap().unwrap().1, "again");
    });
}

#[test]
fn what_is_sent_before_the_names_are_known_waits_for_them() {
    play(|stage| async move {
        let feed = stage.writer(1).await;
        let copy = stage.copy(&feed).await;
        stage.live(&copy, &feed);
        let early = feed.extension("later", Json::<Vec<u8>>::new()).unwrap();
        let peer = peer_of(&feed).await;
        early.send(vec![1, 2], peer).unwrap();
        stage.quiet().await;
        let late = copy.extension("later", Json::<Vec<u8>>::new()).unwrap();
        let mut messages = late.messages();
        assert_eq!(messages.next().await.unwrap().unwrap().1, [1, 2]);
    });
}

#[test]
fn a_message_that_cannot_be_decoded_is_an_item_and_the_stream_goes_on() {
    task::block_on(async {
        let (writer, reader, _connection) = connected().await;
        let raw = writer.extension("text", Binary).unwrap();
        let text = reader.extension("text", Utf8).unwrap();
        let mut messages = text.messages();
        let peer = peer_of(&writer).await;
        raw.send(Bytes::from_static(b"\xff"), peer).unwrap();
        raw.send(Bytes::new(), peer).unwrap();
        let bad = messages.next().await.unwrap();
        assert!(matches!(bad, Err(Error::DecodeMessage { .. })), "{bad:?}");
        assert_eq!(messages.next().await.unwrap().unwrap().1, "");
        reader.close().await.unwrap();
        assert!(messages.next().await.is_none());
        assert!(matches!(text.broadcast("x"), Err(Error::Closed)));
    });
}

#[test]
fn a_flood_costs_the_slow_listener_messages_and_nobody_memory() {
    task::block_on(async {
        let (writer, reader, _connection) = connected().await;
        let flood = writer.extension("flood", Binary).unwrap();
        let drain = reader.extension("flood", Binary).unwrap();
        let mut messages = drain.messages();
        let peer = peer_of(&writer).await;
        // Once one has arrived the names are known, and nothing more is turned down.
        while poll_once(messages.next()).await.is_none() {
            let _ = flood.send(&b"first"[..], peer);
            task::yield_now().await;
        }
        for _ in 0..1000 {
            flood.send(&b"drop"[..], peer).unwrap();
            task::yield_now().await;
        }
        writer.append("end").await.unwrap();
        reader.get(1).await.unwrap();
        let first = messages.next().await.unwrap();
        assert!(
            matches!(first, Err(Error::MissedMessages { .. })),
            "{first:?}"
        );
    });
}

#[test]
fn a_peer_that_has_gone_is_no_peer() {
    task::block_on(async {
        let (writer, reader, connection) = connected().await;
        let talk = writer.extension("talk", Utf8).unwrap();
        let peer = peer_of(&writer).await;
        reader.close().await.unwrap();
        for end in connection {
            let _ = end.await;
        }
        assert!(matches!(talk.send("x", peer), Err(Error::NoPeer)));
        assert_eq!(talk.broadcast("x").unwrap(), 0);
    });
}
