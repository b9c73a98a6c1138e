//! Extensions of a connection as a whole: names, numbers, and what neither side has a use for.

use hypercore_protocol::{
    Error, Event, ExtensionEvent, ExtensionLimits, ExtensionName, Extensions, Role,
};
use wire::{Extension, Message, Options};

use crate::world::{SECOND, World, connection, events, frame, live, plain};

const BOTH: [Role; 2] = [Role::Initiator, Role::Responder];

fn with(names: &[&str]) -> Extensions {
    let mut extensions = Extensions::default();
    for name in names {
        assert_eq!(extensions.register(name), Ok(true));
    }
    extensions
}

/// Everything that waits at one side arrives at the other.
fn carry(from: &mut Extensions, to: &mut Extensions) -> Vec<ExtensionEvent> {
    std::iter::from_fn(|| from.poll_message())
        .filter_map(|message| to.handle_message(message))
        .collect()
}

fn names(names: &[&str]) -> ExtensionEvent {
    ExtensionEvent::Names(names.iter().map(|name| (*name).to_owned()).collect())
}

fn message(name: &str, payload: &'static str) -> ExtensionEvent {
    let (name, payload) = (ExtensionName::from(name), payload.into());
    ExtensionEvent::Message { name, payload }
}

#[test]
fn names_are_told_once_and_in_utf_16_order_as_soon_as_there_are_any() {
    let mut a = with(&["z", "\u{ff01}", "\u{1f600}", "a"]);
    let mut b = Extensions::default();
    let sorted = ["a", "z", "\u{1f600}", "\u{ff01}"];
    assert_eq!(carry(&mut a, &mut b), [names(&sorted)]);
    assert!(!a.has_news());
    assert_eq!(carry(&mut a, &mut b), []);
    assert_eq!(carry(&mut b, &mut a), [], "nothing was ever registered");
    assert!(b.remote_names().unwrap().eq(sorted));
}

#[test]
fn a_message_travels_under_the_number_that_was_told_last() {
    let mut a = with(&["m"]);
    let mut b = with(&["a", "m", "z"]);
    a.send("m", "one".into()).unwrap();
    a.register("a").unwrap();
    a.send("m", "two".into()).unwrap();
    a.unregister("a");
    a.register("z").unwrap();
    a.send("m", "three".into()).unwrap();
    a.send("z", "".into()).unwrap();
    // Those that went out before the end of it are heard, too.
    a.unregister("m");
    let heard = carry(&mut a, &mut b);
    assert_eq!(
        heard,
        [
            names(&["m"]),
            message("m", "one"),
            names(&["a", "m"]),
            message("m", "two"),
            names(&["m", "z"]),
            message("m", "three"),
            message("z", ""),
            names(&["z"]),
        ]
    );
}

#[test]
fn what_the_remote_lacks_is_reported_and_sent_all_the_same() {
    let mut a = with(&["x", "y"]);
    let mut b = with(&["y"]);
    // Nobody knows yet, and JavaScript would never tell as long as it only listens.
    assert_eq!(a.supports("x"), None);
    assert_eq!(a.send("x", "1".into()), Ok(true));
    carry(&mut b, &mut a);
    assert_eq!(
        (a.supports("x"), a.supports("y")),
        (Some(false), Some(true))
    );
    assert_eq!(a.send("x", "2".into()), Ok(false));
    assert_eq!(a.send("y", "3".into()), Ok(true));
    // It may have registered it since.
    b.register("x").unwrap();
    let heard = carry(&mut a, &mut b);
    assert_eq!(
        heard[1..],
        [message("x", "1"), message("x", "2"), message("y", "3")]
    );
}

#[test]
fn what_means_nothing_is_dropped() {
    let mut b = with(&["a"]);
    let extension = |id| {
        let payload = "x".into();
        Message::Extension(Extension { id, payload })
    };
    // Before any names, beyond them, and of an extension that isn't here.
    assert_eq!(b.handle_message(extension(0)), None);
    let options = Options {
        extensions: vec!["b".into(), "a".into()],
        ack: Some(true),
    };
    assert_eq!(
        b.handle_message(Message::Options(options)),
        Some(names(&["b", "a"]))
    );
    for id in [0, 2, u64::MAX] {
        assert_eq!(b.handle_message(extension(id)), None);
    }
    assert_eq!(b.handle_message(extension(1)), Some(message("a", "x")));
    assert_eq!(b.handle_message(crate::world::status(true)), None);
}

#[test]
fn names_and_messages_have_bounds() {
    let limits = ExtensionLimits {
        names: 2,
        name: 3,
        message: 10,
        waiting: 4,
        waiting_bytes: 20,
    };
    let mut a = Extensions::new(limits);
    let too_long = Error::ExtensionNameTooLong { len: 4, max: 3 };
    assert_eq!(a.register("long"), Err(too_long));
    assert_eq!((a.register("a"), a.register("b")), (Ok(true), Ok(true)));
    assert_eq!(a.register("b"), Ok(false));
    assert_eq!(a.register("c"), Err(Error::TooManyExtensions { max: 2 }));
    assert_eq!(a.send("c", "x".into()), Err(Error::UnknownExtension));
    let too_long = Error::MessageTooLong { len: 11, max: 10 };
    assert_eq!(a.send("a", "0123456789".into()), Err(too_long));
    // Names and three messages.
    for _ in 0..3 {
        a.send("a", "x".into()).unwrap();
    }
    let full = Error::ExtensionQueueFull { max: 4 };
    assert_eq!(a.send("a", "x".into()), Err(full));
    while a.poll_message().is_some() {}
    // By bytes: the last may go beyond.
    for _ in 0..3 {
        a.send("a", "123456789".into()).unwrap();
    }
    assert_eq!(a.send("a", "x".into()), Err(full));
    // Names that come and go while nothing is taken cost no more than once.
    for _ in 0..1000 {
        a.unregister("b");
        a.register("b").unwrap();
    }
    assert_eq!(std::iter::from_fn(|| a.poll_message()).count(), 4);
}

#[test]
fn they_go_over_a_connection_on_channel_zero_once_the_handshake_is_done() {
    let mut world = World::new(BOTH.map(live));
    let mut ours = with(&["a", "test"]);
    ours.send("test", "hello".into()).unwrap();
    let options = Message::Options(Options {
        extensions: vec!["a".into(), "test".into()],
        ack: None,
    });
    // Too early, it is dropped, so whoever has something asks first.
    assert!(!world.peers[0].connection.is_open());
    world.peers[0].connection.send_stream(&options).unwrap();
    world.settle();
    assert!(world.peers.iter().all(|peer| peer.connection.is_open()));
    let mut said = Vec::new();
    while let Some(message) = ours.poll_message() {
        world.peers[0].connection.send_stream(&message).unwrap();
        said.push(Event::Stream { message });
    }
    world.settle();
    assert_eq!(said[0], Event::Stream { message: options });
    assert_eq!(world.peers[1].events[1..], said);

    // On the wire it is what JavaScript writes.
    let mut a = connection(plain(Role::Initiator));
    let Event::Stream { message } = &said[1] else {
        panic!("{said:?}");
    };
    a.send_stream(message).unwrap();
    assert_eq!(a.poll_transmit(SECOND).unwrap(), &b"\x07\x0f\x01hello"[..]);
    assert_eq!(frame(0, message), b"\x07\x0f\x01hello");
    assert_eq!(events(&mut a), (vec![], None));
}
