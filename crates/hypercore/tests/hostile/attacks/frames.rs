//! After the handshake: frames that are none, too long, too slow, or about nothing.

use std::time::Duration;

use hypercore::Role;
use wire::{Kind, Limits};

use crate::{
    arena::Arena,
    attack::{
        Attack, KIB, MIB,
        Must::{Bear, Either, End},
    },
    hostile::{CHANNEL, Hostile, announced, field, frame, number},
};

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new("fr-len-over", End(&["Frame(FrameTooLong"]), |arena| {
            Box::pin(too_long(arena))
        }),
        Attack::new("fr-len-types", End(&["Frame(FrameTooLong"]), |arena| {
            Box::pin(too_long_for_its_type(arena))
        }),
        Attack::new("fr-len-claim", End(&["FrameTimeout"]), |arena| {
            Box::pin(claim(arena))
        })
        .memory(4 * MIB),
        Attack::new(
            "fr-varint",
            End(&["Frame(VarintTooLong", "Frame(FrameTooLong"]),
            |arena| Box::pin(varint(arena, false)),
        ),
        Attack::new(
            "fr-varint-slow",
            End(&["Frame(VarintTooLong", "Frame(FrameTooLong"]),
            |arena| Box::pin(varint(arena, true)),
        ),
        Attack::new("fr-varint-cut", End(&["HungUp"]), |arena| {
            Box::pin(varint_cut(arena))
        }),
        Attack::new("fr-short", End(&["Frame(FrameTooShort"]), |arena| {
            Box::pin(short(arena))
        }),
        Attack::new("fr-types", Bear, |arena| Box::pin(types(arena))),
        Attack::new("fr-channels", Either, |arena| Box::pin(channels(arena))),
        Attack::new("fr-random", Either, |arena| Box::pin(random(arena))).memory(12 * MIB),
        Attack::new("fr-ping", Bear, |arena| Box::pin(ping(arena))),
        Attack::new("fr-drip", End(&["FrameTimeout"]), |arena| {
            Box::pin(drip(arena))
        }),
        Attack::new("fr-cut", End(&["HungUp"]), |arena| Box::pin(cut(arena))),
        Attack::new("fr-bodies", Either, |arena| Box::pin(bodies(arena))).memory(6 * MIB),
        Attack::new(
            "fr-wire-types",
            End(&["Frame(WireType", "Frame(Missing", "Frame(Truncated"]),
            |arena| Box::pin(wire_types(arena)),
        ),
        Attack::new("fr-numbers", End(&["Frame(NumberTooLarge"]), |arena| {
            Box::pin(numbers(arena))
        }),
        Attack::new("fr-lengths", End(&["Frame(Truncated"]), |arena| {
            Box::pin(lying_lengths(arena))
        }),
        Attack::new("fr-unknown-fields", Bear, |arena| {
            Box::pin(unknown_fields(arena))
        }),
        Attack::new("fr-bitflip", Either, |arena| Box::pin(flips(arena))).memory(4 * MIB),
    ]
}

async fn too_long(arena: Arena) {
    for len in [(8 << 20) + 11, 1 << 31, 1 << 53, u64::MAX - 10] {
        let mut hostile = Hostile::open(&arena).await;
        hostile.bytes(&announced(CHANNEL, Kind::Data, len)).await;
        hostile.be_left().await;
    }
}

/// A byte longer than its type may be, and nothing of it is sent.
async fn too_long_for_its_type(arena: Arena) {
    let limits = Limits::default();
    for number in 0..16 {
        let kind = Kind::from_number(number);
        let len = limits.body(kind) as u64 + 1;
        let mut hostile = Hostile::open(&arena).await;
        let header = CHANNEL << 4 | u64::from(number);
        let mut bytes = Vec::new();
        wire::varint::write(1 + len, &mut bytes);
        wire::varint::write(header, &mut bytes);
        hostile.bytes(&bytes).await;
        hostile.be_left().await;
    }
}

async fn claim(arena: Arena) {
    arena
        .many(100, |arena, _| async move {
            let mut hostile = Hostile::open(&arena).await;
            let mut bytes = announced(CHANNEL, Kind::Data, 8 << 20);
            bytes.push(0);
            hostile.bytes(&bytes).await;
            hostile.be_left().await;
        })
        .await;
}

async fn varint(arena: Arena, slowly: bool) {
    for len in [9, 10, 12, 30, 200, 2_000] {
        let mut hostile = Hostile::open(&arena).await;
        let mut bytes = vec![0x80; len];
        bytes.push(0x7f);
        if slowly {
            for byte in bytes {
                if !hostile.bytes(&[byte]).await {
                    break;
                }
                arena.pause(Duration::from_millis(50)).await;
            }
        } else {
            hostile.bytes(&bytes).await;
        }
        hostile.be_left().await;
    }
}

async fn varint_cut(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile.bytes(&[0xff, 0xff]).await;
    hostile.end_sending().await;
    hostile.be_left().await;
}

async fn short(arena: Arena) {
    for bytes in [
        &[1, 0x80][..],
        &[1, 0xff],
        &[2, 0x80, 0x80],
        &[3, 0xff, 0xff, 0xff],
    ] {
        let mut hostile = Hostile::open(&arena).await;
        hostile.bytes(bytes).await;
        hostile.be_left().await;
    }
}

async fn types(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    for n in 0..2_000 {
        let len = hostile.rng.below(200) as usize;
        let body = hostile.rng.bytes(len);
        hostile.frame(CHANNEL, 11 + (n % 4) as u8, &body).await;
    }
}

async fn channels(arena: Arena) {
    for channel in [1, 127, 1 << 20, 1 << 28, 1 << 40] {
        let mut hostile = Hostile::meet(&arena).await;
        for kind in 1..16 {
            let len = hostile.rng.below(40) as usize;
            let body = hostile.rng.bytes(len);
            hostile.frame(channel, kind, &body).await;
        }
        hostile.left_within(Duration::from_secs(2)).await;
    }
}

async fn random(arena: Arena) {
    arena
        .many(150, |arena, n| async move {
            let mut hostile = Hostile::open(&arena).await;
            for _ in 0..20 {
                let bytes = hostile.rng.bytes(10 + n * 4);
                if !hostile.bytes(&bytes).await {
                    return;
                }
                arena.pause(Duration::from_millis(20)).await;
            }
            hostile.left_within(Duration::from_secs(12)).await;
        })
        .await;
}

async fn ping(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    let signs = vec![0; 64 * KIB];
    for _ in 0..512 {
        hostile.bytes(&signs).await;
    }
}

/// A message of 2 KiB, ten bytes a second: always something, and never enough.
async fn drip(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile.bytes(&announced(CHANNEL, Kind::Have, 2_000)).await;
    while hostile.bytes(&[7]).await {
        arena.pause(Duration::from_millis(100)).await;
    }
}

async fn cut(arena: Arena) {
    for len in [1, 5, 100, 10_000] {
        let mut hostile = Hostile::open(&arena).await;
        let body = vec![0; 20_000];
        let bytes = frame(CHANNEL, Kind::Data.number(), &body);
        hostile.bytes(&bytes[..len]).await;
        hostile.end_sending().await;
        hostile.be_left().await;
    }
}

/// Well-formed frames of every type whose bodies are random.
async fn bodies(arena: Arena) {
    arena
        .many(60, |arena, _| async move {
            let mut hostile = Hostile::open(&arena).await;
            for _ in 0..200 {
                let kind = hostile.rng.below(16) as u8;
                let len = hostile.rng.below(60) as usize;
                let body = hostile.rng.bytes(len);
                if !hostile.frame(CHANNEL, kind, &body).await {
                    return;
                }
            }
            hostile.left_within(Duration::from_secs(2)).await;
        })
        .await;
}

/// Groups, and types that protobuf doesn't have.
async fn wire_types(arena: Arena) {
    for wire_type in [3, 4, 6, 7] {
        for kind in [
            Kind::Have,
            Kind::Request,
            Kind::Data,
            Kind::Options,
            Kind::Status,
        ] {
            let mut hostile = Hostile::open(&arena).await;
            let body = [&number(1, 0)[..], &[9 << 3 | wire_type, 0]].concat();
            hostile.frame(CHANNEL, kind.number(), &body).await;
            hostile.be_left().await;
        }
    }
}

/// Numbers that JavaScript can't hold, where a block or a length belongs.
async fn numbers(arena: Arena) {
    for value in [1 << 53, u64::MAX] {
        for kind in [
            Kind::Have,
            Kind::Unhave,
            Kind::Want,
            Kind::Request,
            Kind::Cancel,
            Kind::Data,
        ] {
            let mut hostile = Hostile::open(&arena).await;
            hostile
                .frame(CHANNEL, kind.number(), &number(1, value))
                .await;
            hostile.be_left().await;
        }
    }
}

/// Fields that claim more bytes than the message has.
async fn lying_lengths(arena: Arena) {
    for claimed in [1, 100, 1 << 31, u64::MAX] {
        for (kind, at) in [
            (Kind::Have, 3),
            (Kind::Data, 2),
            (Kind::Data, 3),
            (Kind::Options, 1),
        ] {
            let mut hostile = Hostile::open(&arena).await;
            let mut body = number(9, 0);
            body.push(at << 3 | 2);
            wire::varint::write(claimed, &mut body);
            hostile.frame(CHANNEL, kind.number(), &body).await;
            hostile.be_left().await;
        }
    }
}

/// As protobuf has it, they are skipped.
async fn unknown_fields(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    let unknown = [
        number(12, u64::MAX),
        field(13, &[7; 30]),
        vec![14 << 3 | 5, 1, 2, 3, 4],
    ];
    for _ in 0..1_000 {
        let body = [number(1, 3), unknown.concat()].concat();
        hostile.frame(CHANNEL, Kind::Cancel.number(), &body).await;
    }
}

/// An honest reader's first words, each time with another bit flipped in what is encrypted.
async fn flips(arena: Arena) {
    arena
        .many(60, |arena, n| async move {
            let mut hostile = Hostile::connect(&arena);
            hostile.shake(Role::Initiator).await;
            let key = arena.key();
            let capability = hostile
                .outcome
                .as_ref()
                .unwrap()
                .capability
                .local(key.as_bytes());
            let open = [
                field(1, &key.discovery_key().to_bytes()),
                field(2, &capability),
            ]
            .concat();
            let want = [number(1, 0), number(2, 1 << 20)].concat();
            let mut bytes = frame(CHANNEL, Kind::Open.number(), &open);
            bytes.extend(frame(CHANNEL, Kind::Want.number(), &want));
            bytes.extend(frame(CHANNEL, Kind::Request.number(), &number(1, 5)));
            let bit = n * 11 % (8 * bytes.len());
            bytes[bit / 8] ^= 1 << (bit % 8);
            hostile.bytes(&bytes).await;
            hostile.left_within(Duration::from_secs(2)).await;
        })
        .await;
}
