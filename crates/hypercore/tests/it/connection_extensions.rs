//! Messages of the program's own about the connection as a whole.

use async_std::task::{self};
use bytes::Bytes;
use futures_lite::{
    StreamExt,
    future::{poll_once, yield_now},
};
use hypercore::{
    Binary, Connection, ConnectionEvent, ConnectionHandle, ConnectionLimits, Error, Json,
    ProtocolError, Role, Utf8,
};
use wire::{Extension, Message, Options};

use crate::{
    duplex::duplex,
    ends::{ends, run},
    raw::Raw,
};

fn live() -> [Connection; 2] {
    ends().map(|end| end.live(true))
}

#[test]
fn a_message_is_answered_and_both_know_what_the_other_has() {
    task::block_on(async {
        let ends = live();
        let handles = [ends[0].handle(), ends[1].handle()];
        let mut events = handles[1].events();
        let _a = handles[0].extension("a", Binary).unwrap();
        let [ours, theirs] = [0, 1].map(|n: usize| {
            handles[n]
                .extension("test", Json::<Vec<u32>>::new())
                .unwrap()
        });
        // Before the connection runs it waits.
        assert!(ours.send(vec![1, 2]).unwrap());
        assert_eq!(ours.is_supported(), None);
        let (mut questions, mut answers) = (theirs.messages(), ours.messages());
        let connections = run(ends);
        assert_eq!(questions.next().await.unwrap().unwrap(), [1, 2]);
        theirs.send(vec![3]).unwrap();
        assert_eq!(answers.next().await.unwrap().unwrap(), [3]);
        assert_eq!(
            (ours.is_supported(), theirs.is_supported()),
            (Some(true), Some(true))
        );
        let names = loop {
            if let ConnectionEvent::Extensions { names } = events.next().await.unwrap() {
                break names;
            }
        };
        assert_eq!(names, ["a", "test"]);
        handles[0].hang_up();
        for connection in connections {
            connection.await.unwrap();
        }
        assert!(answers.next().await.is_none() && questions.next().await.is_none());
        assert!(matches!(ours.send(vec![4]), Err(Error::Closed)));
        assert!(matches!(
            handles[0].extension("b", Utf8),
            Err(Error::Closed)
        ));
    });
}

#[test]
fn names_that_come_and_go_never_mix_up_the_others() {
    task::block_on(async {
        let ends = live();
        let handles = [ends[0].handle(), ends[1].handle()];
        let listeners = ["a", "m", "ü", "😀"].map(|name| handles[1].extension(name, Utf8).unwrap());
        let mut heard = listeners.each_ref().map(|listener| listener.messages());
        let m = handles[0].extension("m", Utf8).unwrap();
        let _connections = run(ends);
        m.send("one").unwrap();
        assert_eq!(heard[1].next().await.unwrap().unwrap(), "one");
        let (a, emoji) = (
            handles[0].extension("a", Utf8).unwrap(),
            handles[0].extension("😀", Utf8).unwrap(),
        );
        m.send("two").unwrap();
        emoji.send("smile").unwrap();
        a.send("bye").unwrap();
        drop(a);
        let umlaut = handles[0].extension("ü", Utf8).unwrap();
        m.send("three").unwrap();
        umlaut.send("hüh").unwrap();
        for (n, text) in [
            (1, "two"),
            (1, "three"),
            (3, "smile"),
            (0, "bye"),
            (2, "hüh"),
        ] {
            assert_eq!(heard[n].next().await.unwrap().unwrap(), text);
        }
        assert!(matches!(
            handles[0].extension("m", Utf8),
            Err(Error::DuplicateExtension { .. })
        ));
        drop(m);
        let _again = handles[0].extension("m", Utf8).unwrap();
        handles[0].hang_up();
    });
}

#[test]
fn what_the_remote_lacks_is_reported_and_what_is_not_decoded_is_an_item() {
    task::block_on(async {
        let ends = live();
        let handles = [ends[0].handle(), ends[1].handle()];
        let (ours, raw) = (
            handles[0].extension("ours", Utf8).unwrap(),
            handles[0].extension("text", Binary).unwrap(),
        );
        let text = handles[1].extension("text", Utf8).unwrap();
        let mut messages = text.messages();
        let _connections = run(ends);
        raw.send(Bytes::from_static(b"\xff")).unwrap();
        raw.send(Bytes::new()).unwrap();
        let bad = messages.next().await.unwrap();
        assert!(
            matches!(bad, Err(Error::DecodeConnectionMessage(_))),
            "{bad:?}"
        );
        assert_eq!(messages.next().await.unwrap().unwrap(), "");
        while ours.is_supported().is_none() {
            yield_now().await;
        }
        assert_eq!(
            (ours.is_supported(), raw.is_supported()),
            (Some(false), Some(true))
        );
        assert!(!ours.send("x").unwrap() && raw.send("x").unwrap());
        assert_eq!(messages.next().await.unwrap().unwrap(), "x");
        // It registers the name after all, and tells.
        let theirs = handles[1].extension("ours", Utf8).unwrap();
        while ours.is_supported() != Some(true) {
            yield_now().await;
        }
        assert!(ours.send("again").unwrap());
        let mut heard = theirs.messages();
        assert_eq!(heard.next().await.unwrap().unwrap(), "again");
        handles[0].hang_up();
    });
}

/// A peer that only listens, as JavaScript does: it never tells its names.
#[test]
fn a_remote_that_never_tells_its_names_is_sent_messages_nevertheless() {
    task::block_on(async {
        let connection = Connection::new(Role::Responder).live(true);
        let handle = connection.handle();
        let talk = handle.extension("talk", Utf8).unwrap();
        let (left, right) = duplex(16 * 1024);
        let connection = task::spawn(connection.run(right));
        let mut remote = Raw::meet(Role::Initiator, left).await;
        let names = |names: &[&str]| {
            Message::Options(Options {
                extensions: names.iter().map(|name| (*name).to_owned()).collect(),
                ack: None,
            })
        };
        assert_eq!(remote.next().await, Some((0, names(&["talk"]))));
        let _before = handle.extension("before", Utf8).unwrap();
        assert_eq!(remote.next().await, Some((0, names(&["before", "talk"]))));
        assert!(talk.send("hello").unwrap());
        let said = Message::Extension(Extension {
            id: 1,
            payload: "hello".into(),
        });
        assert_eq!(remote.next().await, Some((0, said)));
        // And it speaks under numbers of its own, right behind its names.
        let mut heard = talk.messages();
        remote.send(0, &names(&["other", "talk"])).await;
        for (id, text) in [(0, "nobody's"), (7, "nobody's"), (1, "hi")] {
            let payload = text.into();
            let message = Message::Extension(Extension { id, payload });
            remote.send(0, &message).await;
        }
        assert_eq!(heard.next().await.unwrap().unwrap(), "hi");
        drop(remote);
        connection.await.unwrap();
    });
}

#[test]
fn what_waits_is_bounded_and_so_are_names() {
    task::block_on(async {
        let mut limits = ConnectionLimits::default();
        limits.extension_messages = 3;
        limits.messages.max_extensions = 2;
        let connection = Connection::new(Role::Initiator).limits(limits);
        let handle: ConnectionHandle = connection.handle();
        let talk = handle.extension("talk", Utf8).unwrap();
        let _second = handle.extension("second", Utf8).unwrap();
        let third = handle.extension("third", Utf8).unwrap_err();
        let expected = ProtocolError::TooManyExtensions { max: 2 };
        assert!(matches!(third, Error::Extension(error) if error == expected));
        let long = "x".repeat(129);
        assert!(matches!(
            handle.extension(&long, Utf8),
            Err(Error::Extension(ProtocolError::ExtensionNameTooLong { .. }))
        ));
        // With the names, which wait as well.
        talk.send("one").unwrap();
        talk.send("two").unwrap();
        let full = ProtocolError::ExtensionQueueFull { max: 3 };
        assert!(matches!(talk.send("three"), Err(Error::Extension(error)) if error == full));
        assert!(matches!(
            talk.send("x".repeat(1024 * 1024)),
            Err(Error::Extension(ProtocolError::MessageTooLong { .. }))
        ));
        drop(connection);
        assert!(matches!(talk.send("four"), Err(Error::Closed)));
    });
}

#[test]
fn a_flood_costs_the_slow_listener_messages_and_nobody_memory() {
    task::block_on(async {
        let ends = live();
        let handles = [ends[0].handle(), ends[1].handle()];
        let [flood, drain] = [0, 1].map(|n: usize| handles[n].extension("flood", Utf8).unwrap());
        let mut messages = drain.messages();
        let _connections = run(ends);
        for n in 0..1000 {
            while let Err(error) = flood.send(n.to_string()) {
                assert!(matches!(error, Error::Extension(_)), "{error:?}");
                yield_now().await;
            }
        }
        // The other side has heard the last one once it answers.
        drain.send("end").unwrap();
        let mut answers = flood.messages();
        answers.next().await.unwrap().unwrap();
        loop {
            if let Some(Some(first)) = poll_once(messages.next()).await {
                assert!(
                    matches!(first, Err(Error::MissedMessages { .. })),
                    "{first:?}"
                );
                break;
            }
        }
        handles[0].hang_up();
    });
}
