//! Claims about what a peer has: ranges without end, bitfields that explode, and a new picture all the time.

use std::time::Duration;

use bytes::Bytes;
use wire::{Have, Kind, Message, Unhave, varint};

use crate::{
    arena::Arena,
    attack::{
        Attack, MIB,
        Must::{Bear, Either, End},
        Victim,
    },
    hostile::{CHANNEL, Hostile, field, number},
};

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        claim("fd-have-huge", Bear, |arena| {
            Box::pin(have(arena, &[(0, 1 << 40)]))
        }),
        claim("fd-have-2^26", Bear, |arena| {
            Box::pin(have(arena, &[(0, 1 << 26)]))
        }),
        claim(
            "fd-have-far",
            End(&["BlockOutOfRange", "RequestTimeout"]),
            |arena| Box::pin(have(arena, &[(1 << 52, 1)])),
        ),
        claim("fd-have-last", End(&["BlockOutOfRange"]), |arena| {
            Box::pin(have(arena, &[((1 << 53) - 1, (1 << 53) - 1)]))
        }),
        claim("fd-have-edge", Bear, |arena| {
            Box::pin(have(
                arena,
                &[((1 << 52) - 1, 1 << 52), (1 << 32, 1), (0, 0)],
            ))
        }),
        claim("fd-have-flood", Either, |arena| Box::pin(have_flood(arena))).memory(2 * MIB),
        claim("fd-have-scatter", Either, |arena| Box::pin(scatter(arena))).memory(8 * MIB),
        claim("fd-unhave-huge", Bear, |arena| {
            Box::pin(unhave(arena, 1, 1 << 40))
        }),
        claim("fd-unhave-scatter", Either, |arena| {
            Box::pin(unhave_scatter(arena))
        })
        .memory(8 * MIB),
        claim("fd-rle-2^31", End(&["Bitfield(TooManyBits"]), |arena| {
            Box::pin(bomb(arena, 1 << 31))
        }),
        claim("fd-rle-2^40", End(&["Bitfield(TooManyBits"]), |arena| {
            Box::pin(bomb(arena, 1 << 40))
        }),
        claim("fd-rle-2^60", End(&["Bitfield(TooManyBits"]), |arena| {
            Box::pin(bomb(arena, 1 << 60))
        }),
        claim("fd-rle-many", End(&["Bitfield(TooManyBits"]), |arena| {
            Box::pin(bombs(arena))
        }),
        claim(
            "fd-rle-bad",
            End(&["Bitfield(Run", "Bitfield(VarintTooLong"]),
            |arena| Box::pin(bad_codes(arena)),
        ),
        claim("fd-rle-window", End(&["Bitfield(TooManyBits"]), |arena| {
            Box::pin(beyond_its_length(arena))
        }),
        claim("fd-rle-comb", Either, |arena| Box::pin(combs(arena))).memory(8 * MIB),
        claim("fd-rle-zeros", Either, |arena| Box::pin(empty_runs(arena))),
    ]
}

/// Each of these is on somebody who fetches, because to others claims mean little.
fn claim(
    name: &'static str,
    must: crate::attack::Must,
    play: fn(Arena) -> crate::attack::Play,
) -> Attack {
    Attack::new(name, must, play).on(Victim::Copy)
}

fn range(start: u64, length: u64) -> Message {
    Message::Have(Have {
        start,
        length: Some(length),
        bitfield: None,
        ack: None,
    })
}

fn picture(start: u64, length: u64, code: Vec<u8>) -> Message {
    Message::Have(Have {
        start,
        length: Some(length),
        bitfield: Some(code.into()),
        ack: None,
    })
}

/// Claims, and then gives nothing.
async fn have(arena: Arena, ranges: &'static [(u64, u64)]) {
    let mut hostile = Hostile::open(&arena).await;
    for (start, length) in ranges {
        hostile.say(&range(*start, *length)).await;
    }
    hostile.left_within(Duration::from_secs(5)).await;
}

/// The same block, and everything, by turns.
async fn have_flood(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile
        .flood(100_000, |_, n| match n % 2 {
            0 => range(0, 1 << 30),
            _ => range(n as u64, 1),
        })
        .await;
}

/// Every other block of a long feed, one by one.
async fn scatter(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile
        .flood(200_000, |_, n| range(1_000 + 2 * n as u64, 1))
        .await;
}

async fn unhave(arena: Arena, start: u64, length: u64) {
    let mut hostile = Hostile::open(&arena).await;
    hostile.say(&range(0, 1 << 40)).await;
    for _ in 0..1_000 {
        let unhave = Unhave {
            start,
            length: Some(length),
        };
        hostile.say(&Message::Unhave(unhave)).await;
    }
    hostile.left_within(Duration::from_secs(5)).await;
}

/// Holes in a long range, one by one.
async fn unhave_scatter(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile.say(&range(1_000, 1 << 30)).await;
    hostile
        .flood(200_000, |_, n| {
            Message::Unhave(Unhave {
                start: 1_001 + 2 * n as u64,
                length: None,
            })
        })
        .await;
}

/// A code of a few bytes for so many bytes of ones.
fn ones(bytes: u64) -> Vec<u8> {
    let mut code = Vec::new();
    varint::write(bytes << 2 | 3, &mut code);
    code
}

async fn bomb(arena: Arena, bytes: u64) {
    for length in [1, 1 << 20] {
        let mut hostile = Hostile::open(&arena).await;
        hostile.say(&picture(0, length, ones(bytes))).await;
        hostile.be_left().await;
    }
}

async fn bombs(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile
        .flood(200, |_, n| {
            picture((n as u64) << 20, 1 << 20, ones(16 << 20))
        })
        .await;
    hostile.be_left().await;
}

async fn bad_codes(arena: Arena) {
    let literal = |len: u64, held: usize| {
        let mut code = Vec::new();
        varint::write(len << 1, &mut code);
        code.extend(vec![7; held]);
        code
    };
    for code in [literal(10, 3), literal(1, 0), vec![0x80], vec![0xff; 11]] {
        let mut hostile = Hostile::open(&arena).await;
        hostile.say(&picture(0, 1 << 20, code)).await;
        hostile.be_left().await;
    }
}

/// More bits than its own length, or than a window.
async fn beyond_its_length(arena: Arena) {
    for (length, bytes) in [
        (1 << 20, (1 << 17) + 1),
        (1 << 40, (1 << 17) + 1),
        (8192, 1025),
    ] {
        let mut hostile = Hostile::open(&arena).await;
        hostile.say(&picture(0, length, ones(bytes))).await;
        hostile.be_left().await;
    }
}

/// The longest bitfield that there is: every other block of a window, for many windows.
async fn combs(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    let mut code = Vec::new();
    varint::write((1 << 17) << 1, &mut code);
    code.extend(vec![0x55; 1 << 17]);
    let code = Bytes::from(code);
    for n in 0..64 {
        let have = Have {
            start: n << 20,
            length: Some(1 << 20),
            bitfield: Some(code.clone()),
            ack: None,
        };
        if !hostile.say(&Message::Have(have)).await {
            return;
        }
    }
    hostile.left_within(Duration::from_secs(2)).await;
}

/// Runs of nothing, as many as fit into a message.
async fn empty_runs(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    let code = vec![1; 150 * 1024];
    let body = [number(1, 0), number(2, 1 << 20), field(3, &code)].concat();
    for _ in 0..100 {
        if !hostile.frame(CHANNEL, Kind::Have.number(), &body).await {
            return;
        }
    }
    hostile.left_within(Duration::from_secs(2)).await;
}
