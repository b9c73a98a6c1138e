//! Feeds that are opened without their keys, twice, by the million or under odd numbers.

use std::time::Duration;

use bytes::Bytes;
use wire::{Close, Extension, Kind, Message, Open, Options};

use crate::{
    arena::Arena,
    attack::{
        Attack, MIB,
        Must::{Bear, Either, End},
    },
    hostile::{CHANNEL, Hostile, field},
};

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new("ch-cap-wrong", End(&["Capability"]), |arena| {
            Box::pin(wrong_capability(arena))
        }),
        Attack::new("ch-cap-none", End(&["Capability"]), |arena| {
            Box::pin(no_capability(arena))
        }),
        Attack::new("ch-cap-reflect", End(&["Capability"]), |arena| {
            Box::pin(reflect(arena))
        }),
        Attack::new("ch-cap-31", End(&["Frame(Length"]), |arena| {
            Box::pin(odd_lengths(arena))
        }),
        Attack::new("ch-open-flood", Bear, |arena| Box::pin(open_flood(arena))).memory(2 * MIB),
        Attack::new(
            "ch-open-deaf",
            End(&["SendTimeout", "IdleTimeout", "SendQueueFull"]),
            |arena| Box::pin(open_deaf(arena)),
        )
        .memory(10 * MIB),
        Attack::new("ch-open-twice", End(&["OpenedTwice"]), |arena| {
            Box::pin(open_twice(arena))
        }),
        Attack::new("ch-bigid", Either, |arena| Box::pin(big_numbers(arena))),
        Attack::new("ch-churn", Bear, |arena| Box::pin(churn(arena))).memory(2 * MIB),
        Attack::new("ch-reopen", Bear, |arena| Box::pin(reopen(arena))).memory(2 * MIB),
        Attack::new("ch-close-flood", Bear, |arena| Box::pin(close_flood(arena))),
        Attack::new("ch-stream-flood", Bear, |arena| {
            Box::pin(stream_flood(arena))
        }),
        // Thirty connections, and the ciphers of both ends of each.
        Attack::new("ch-none", Bear, |arena| Box::pin(no_feed(arena))).memory(2 * MIB),
        Attack::new("ch-before-open", End(&["IdleTimeout"]), |arena| {
            Box::pin(before_open(arena))
        }),
    ]
}

fn open(name: [u8; 32], capability: Option<[u8; 32]>) -> Message {
    Message::Open(Open {
        discovery_key: name,
        capability,
    })
}

async fn wrong_capability(arena: Arena) {
    for _ in 0..10 {
        let mut hostile = Hostile::meet(&arena).await;
        let capability = hostile.rng.array();
        let name = arena.key().discovery_key().to_bytes();
        hostile.say(&open(name, Some(capability))).await;
        hostile.be_left().await;
    }
}

async fn no_capability(arena: Arena) {
    let mut hostile = Hostile::meet(&arena).await;
    let name = arena.key().discovery_key().to_bytes();
    hostile.say(&open(name, None)).await;
    hostile.be_left().await;
}

/// What the victim shows is sent back to it.
async fn reflect(arena: Arena) {
    let mut hostile = Hostile::meet(&arena).await;
    while let Some((channel, message)) = hostile.hear().await {
        if let Message::Open(open) = message {
            hostile.say_on(channel, &Message::Open(open)).await;
        }
    }
}

async fn odd_lengths(arena: Arena) {
    for (name, capability) in [(31, 32), (33, 32), (32, 31), (32, 33), (0, 32), (32, 0)] {
        let mut hostile = Hostile::meet(&arena).await;
        let body = [field(1, &vec![7; name]), field(2, &vec![8; capability])].concat();
        hostile.frame(CHANNEL, Kind::Open.number(), &body).await;
        hostile.be_left().await;
    }
}

/// Feeds that nobody knows, and the refusals are taken.
async fn open_flood(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    for n in 0..50_000 {
        let name = hostile.rng.array();
        let capability = Some(hostile.rng.array());
        hostile.say_on(2 + n, &open(name, capability)).await;
    }
}

/// The same, but they aren't.
async fn open_deaf(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile.stop_listening();
    for n in 0..150_000 {
        let name = hostile.rng.array();
        if !hostile.say_on(2 + n, &open(name, None)).await {
            return;
        }
    }
    arena.pause(Duration::from_secs(45)).await;
}

/// The same feed under another number, and another feed under the same number.
async fn open_twice(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile.open_feed(CHANNEL + 1).await;
    hostile.be_left().await;
    let mut hostile = Hostile::open(&arena).await;
    let name = hostile.rng.array();
    hostile.say(&open(name, None)).await;
    hostile.be_left().await;
}

async fn big_numbers(arena: Arena) {
    for channel in [1 << 27, 1 << 31, 1 << 45, (1 << 60) - 1] {
        let mut hostile = Hostile::meet(&arena).await;
        hostile.open_feed(channel).await;
        hostile.left_within(Duration::from_secs(2)).await;
    }
}

/// Unknown feeds come and go.
async fn churn(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    for n in 0..50_000 {
        let name = hostile.rng.array();
        hostile.say_on(2 + n, &open(name, None)).await;
        hostile
            .say_on(2 + n, &Message::Close(Close::default()))
            .await;
    }
}

/// The known feed comes and goes, each time under another number.
async fn reopen(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    for n in 0..2_000 {
        hostile
            .say_on(CHANNEL + n, &Message::Close(Close::default()))
            .await;
        hostile.open_feed(CHANNEL + n + 1).await;
    }
    hostile.left_within(Duration::from_secs(2)).await;
}

async fn close_flood(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    for n in 0..50_000 {
        let name = hostile.rng.array();
        let close = Close {
            discovery_key: Some(name),
        };
        hostile.say_on(2 + n, &Message::Close(close)).await;
    }
}

/// On channel 0, where messages are about the connection.
async fn stream_flood(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    for n in 0..2_000 {
        let extension = Extension {
            id: n,
            payload: Bytes::from(vec![7; 8 * 1024]),
        };
        hostile.say_on(0, &Message::Extension(extension)).await;
        let options = Options {
            extensions: (0..64).map(|name| format!("{n} {name}")).collect(),
            ack: None,
        };
        hostile.say_on(0, &Message::Options(options)).await;
    }
}

/// Opens nothing, and stays.
async fn no_feed(arena: Arena) {
    arena
        .many(30, |arena, _| async move {
            let mut hostile = Hostile::meet(&arena).await;
            hostile.hold(Duration::from_secs(90)).await;
        })
        .await;
}

/// Asks for blocks before it has shown that it knows the feed. None comes.
async fn before_open(arena: Arena) {
    let mut hostile = Hostile::meet(&arena).await;
    for index in 0..100 {
        let request = wire::Request {
            index,
            ..wire::Request::default()
        };
        hostile.say(&Message::Request(request)).await;
    }
    while let Some((_, message)) = hostile.hear().await {
        assert!(matches!(message, Message::Open(_)), "{message:?}");
    }
}
