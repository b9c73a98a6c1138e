//! A feed that is served: requests and wants without measure, and answers that nobody takes.

use std::time::Duration;

use bytes::Bytes;
use wire::{Cancel, Extension, Kind, Message, Options, Request, Status, Unwant, Want};

use crate::{
    arena::{Arena, BLOCKS},
    attack::{
        Attack, KIB, MIB,
        Must::{Bear, Either, End},
        Victim,
    },
    hostile::{CHANNEL, Hostile, field, number},
};

/// What a connection may cost that takes none of the answers: twice the queue's soft cap, and as much again for a piece that leaves.
const DEAF: usize = 4 * MIB;

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new(
            "fd-want-flood",
            End(&["SendTimeout", "IdleTimeout"]),
            |arena| Box::pin(wants(arena)),
        )
        .memory(DEAF),
        Attack::new(
            "fd-want-amp",
            End(&["SendTimeout", "WantTimeout"]),
            |arena| Box::pin(amplified(arena)),
        )
        .on(Victim::Comb)
        .memory(DEAF),
        Attack::new("fd-want-heard", Bear, |arena| Box::pin(wants_heard(arena)))
            .on(Victim::Comb)
            .memory(8 * MIB),
        Attack::new("fd-want-odd", Bear, |arena| Box::pin(odd_wants(arena))),
        Attack::new("fd-req-noread", End(&["SendTimeout"]), |arena| {
            Box::pin(deaf(arena))
        })
        .on(Victim::Large)
        .memory(DEAF),
        Attack::new("fd-req-noread-40", End(&["SendTimeout"]), |arena| {
            Box::pin(many_deaf(arena))
        })
        .on(Victim::Large)
        .memory(64 * MIB),
        Attack::new("fd-req-sip", Either, |arena| Box::pin(sip(arena)))
            .on(Victim::Large)
            .memory(DEAF),
        Attack::new("fd-req-far", Either, |arena| Box::pin(far_requests(arena))),
        Attack::new("fd-req-nodes", Bear, |arena| Box::pin(odd_digests(arena))),
        Attack::new("fd-req-hash", Bear, |arena| Box::pin(hashes(arena))).memory(2 * MIB),
        Attack::new("fd-req-bytes", Bear, |arena| Box::pin(bytes(arena))).memory(4 * MIB),
        Attack::new("fd-req-same", Bear, |arena| Box::pin(same(arena))).memory(2 * MIB),
        Attack::new("fd-req-gone", Bear, |arena| Box::pin(gone(arena))).on(Victim::Comb),
        Attack::new("fd-cancel-flood", Bear, |arena| Box::pin(cancels(arena))),
        Attack::new("fd-req-cancel", Bear, |arena| {
            Box::pin(asked_and_cancelled(arena))
        })
        .memory(2 * MIB),
        Attack::new("fd-ext-flood", Bear, |arena| Box::pin(extensions(arena))).memory(4 * MIB),
        Attack::new("fd-ext-empty", End(&["Frame(Truncated"]), |arena| {
            Box::pin(empty_extension(arena))
        }),
        Attack::new("fd-ext-big", End(&["Frame(FrameTooLong"]), |arena| {
            Box::pin(big_extension(arena))
        })
        .memory(6 * MIB),
        Attack::new(
            "fd-ext-names",
            End(&["Frame(TooMany", "Frame(Length", "Frame(FrameTooLong"]),
            |arena| Box::pin(names(arena)),
        )
        .memory(12 * MIB),
        Attack::new("fd-ext-utf8", End(&["Frame(Utf8"]), |arena| {
            Box::pin(no_utf8(arena))
        }),
        Attack::new("fd-options-flood", Bear, |arena| Box::pin(options(arena))),
        Attack::new("fd-status-flood", Bear, |arena| Box::pin(statuses(arena))),
        Attack::new("fd-hold", Bear, |arena| Box::pin(hold(arena))).memory(16 * MIB),
        Attack::new("fd-no-signs", End(&["IdleTimeout"]), |arena| {
            Box::pin(no_signs(arena))
        }),
    ]
}

fn request(index: u64) -> Request {
    Request {
        index,
        ..Request::default()
    }
}

fn want(start: u64, length: u64) -> Message {
    Message::Want(Want {
        start,
        length: Some(length),
    })
}

/// For the whole feed, again and again, and no answer is taken.
async fn wants(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile.stop_listening();
    hostile.flood(100_000, |_, _| want(0, 1 << 20)).await;
    arena.pause(Duration::from_secs(45)).await;
}

/// The answer is the worst that a bitfield can be: every other block.
async fn amplified(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile.stop_listening();
    hostile
        .flood(60_000, |_, n| want(0, 8192 * (1 + n as u64 % 8)))
        .await;
    arena.pause(Duration::from_secs(45)).await;
}

/// The answers are taken: what may be had in a second has a cap.
async fn wants_heard(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile.flood(60_000, |_, _| want(0, 1 << 20)).await;
    hostile.left_within(Duration::from_secs(3)).await;
}

async fn odd_wants(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    for start in [1, 8191, 1 << 32, 1 << 52, (1 << 53) - 1] {
        for length in [0, 1, 8193, 1 << 40, (1 << 53) - 1] {
            hostile.say(&want(start, length)).await;
        }
    }
    hostile.left_within(Duration::from_secs(2)).await;
}

/// Large blocks, and none is taken.
async fn deaf(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile.stop_listening();
    hostile
        .flood(200_000, |_, n| Message::Request(request(n as u64 % 128)))
        .await;
    arena.pause(Duration::from_secs(45)).await;
}

async fn many_deaf(arena: Arena) {
    arena
        .many(40, |arena, _| async move {
            let mut hostile = Hostile::open(&arena).await;
            hostile.stop_listening();
            hostile
                .flood(500, |_, n| Message::Request(request(n as u64 % 128)))
                .await;
            arena.pause(Duration::from_secs(45)).await;
        })
        .await;
}

/// They are taken, a sip at a time.
async fn sip(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile.stop_listening();
    hostile
        .flood(500, |_, n| Message::Request(request(n as u64 % 128)))
        .await;
    for _ in 0..90 {
        if hostile.read().await.is_none() {
            return;
        }
        arena.pause(Duration::from_secs(1)).await;
    }
}

async fn far_requests(arena: Arena) {
    for index in [BLOCKS, 1 << 32, (1 << 52) - 1, 1 << 52, (1 << 53) - 1] {
        let mut hostile = Hostile::open(&arena).await;
        for hash in [false, true] {
            for bytes in [0, 1, (1 << 53) - 1] {
                let request = Request {
                    hash: Some(hash),
                    bytes: Some(bytes),
                    ..request(index)
                };
                hostile.say(&Message::Request(request)).await;
            }
        }
        hostile.left_within(Duration::from_secs(2)).await;
    }
}

async fn odd_digests(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    for nodes in [
        0,
        1,
        2,
        3,
        (1 << 53) - 1,
        1 << 53,
        1 << 63,
        u64::MAX,
        u64::MAX - 1,
    ] {
        for index in [0, 1, 255, BLOCKS - 1] {
            for hash in [false, true] {
                let request = Request {
                    nodes: Some(nodes),
                    hash: Some(hash),
                    ..request(index)
                };
                hostile.say(&Message::Request(request)).await;
            }
        }
    }
    hostile.left_within(Duration::from_secs(2)).await;
}

async fn hashes(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile
        .flood(20_000, |rng, _| {
            Message::Request(Request {
                hash: Some(true),
                nodes: Some(rng.next_u64()),
                ..request(rng.below(BLOCKS))
            })
        })
        .await;
}

/// Each has to be looked for in the tree.
async fn bytes(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile
        .flood(20_000, |rng, _| {
            Message::Request(Request {
                bytes: Some(rng.next_u64() >> (11 + rng.below(40))),
                ..request(rng.below(BLOCKS))
            })
        })
        .await;
}

async fn same(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile
        .flood(100_000, |_, _| Message::Request(request(3)))
        .await;
}

/// Blocks that aren't there: each is answered by an Unhave.
async fn gone(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile
        .flood(50_000, |_, n| {
            Message::Request(request(2 * n as u64 % 8192 + 1))
        })
        .await;
}

async fn cancels(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile
        .flood(200_000, |rng, n| {
            let index = rng.next_u64() >> 12;
            match n % 2 {
                0 => Message::Cancel(Cancel {
                    index,
                    ..Cancel::default()
                }),
                _ => Message::Unwant(Unwant {
                    start: index,
                    length: Some(1 << 20),
                }),
            }
        })
        .await;
}

/// Work that nobody wants done.
async fn asked_and_cancelled(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile
        .flood(60_000, |_, n| {
            let index = n as u64 / 2 % BLOCKS;
            match n % 2 {
                0 => Message::Request(request(index)),
                _ => Message::Cancel(Cancel {
                    index,
                    ..Cancel::default()
                }),
            }
        })
        .await;
}

/// Of extensions that don't exist.
async fn extensions(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    for n in 0..32 {
        let extension = Extension {
            id: n * 7,
            payload: Bytes::from(vec![7; 512 * KIB]),
        };
        hostile.say(&Message::Extension(extension)).await;
    }
}

async fn empty_extension(arena: Arena) {
    for body in [&[][..], &[0x80], &[0xff, 0xff]] {
        let mut hostile = Hostile::open(&arena).await;
        hostile.frame(CHANNEL, Kind::Extension.number(), body).await;
        hostile.be_left().await;
    }
}

async fn big_extension(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    let body = vec![0; MIB + 1];
    hostile
        .frame(CHANNEL, Kind::Extension.number(), &body)
        .await;
    hostile.be_left().await;
}

async fn names(arena: Arena) {
    let many = (0..65_u8)
        .flat_map(|n| field(1, &[b'a' + n % 26]))
        .collect();
    let long = field(1, &[b'a'; 129]);
    let all = (0..300_000_u32).flat_map(|n| field(1, n.to_string().as_bytes()));
    for body in [many, long, all.collect::<Vec<u8>>()] {
        let mut hostile = Hostile::open(&arena).await;
        hostile.frame(CHANNEL, Kind::Options.number(), &body).await;
        hostile.be_left().await;
    }
}

async fn no_utf8(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    let body = field(1, &[0xff, 0xfe, b'a']);
    hostile.frame(CHANNEL, Kind::Options.number(), &body).await;
    hostile.be_left().await;
}

/// As many names as there may be, and others each time.
async fn options(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    for n in 0..500 {
        let options = Options {
            extensions: (0..64).map(|name| format!("{n:0>100} {name}")).collect(),
            ack: Some(n % 2 == 0),
        };
        hostile.say(&Message::Options(options)).await;
    }
}

async fn statuses(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile
        .flood(200_000, |_, n| {
            Message::Status(Status {
                uploading: Some(n % 2 == 0),
                downloading: Some(n % 3 == 0),
            })
        })
        .await;
}

async fn hold(arena: Arena) {
    arena
        .many(400, |arena, n| async move {
            arena.pause(Duration::from_millis(10 * n as u64)).await;
            let mut hostile = Hostile::open(&arena).await;
            hostile.hold(Duration::from_secs(60)).await;
        })
        .await;
}

async fn no_signs(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    let body = number(1, 0);
    hostile.frame(CHANNEL, Kind::Request.number(), &body).await;
    hostile.be_left().await;
}
