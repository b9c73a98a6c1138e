//! Before anybody is known: silence, lengths that lie, keys that are none, other people's handshakes.

use std::time::Duration;

use hypercore::Role;
use noise::Handshake;

use crate::{
    arena::Arena,
    attack::{
        Attack, KIB, MIB,
        Must::{Bear, Either, End},
    },
    bent::{Bent, Payload},
    hostile::Hostile,
};

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new(
            "hs-silent",
            End(&["HandshakeTimeout", "Expelled"]),
            |arena| Box::pin(silent(arena)),
        )
        .memory(8 * MIB),
        Attack::new("hs-drip", End(&["HandshakeTimeout"]), |arena| {
            Box::pin(drip(arena))
        })
        .memory(4 * MIB),
        Attack::new("hs-len-huge", End(&["Handshake(MessageTooLong"]), |arena| {
            Box::pin(huge_length(arena))
        }),
        Attack::new(
            "hs-len-70000",
            End(&["Handshake(MessageTooLong"]),
            |arena| Box::pin(long_message(arena)),
        ),
        Attack::new(
            "hs-varint-3",
            End(&["Handshake(MessageTooLong", "HandshakeTimeout"]),
            |arena| Box::pin(three_bytes(arena)),
        ),
        Attack::new("hs-zeros", End(&["Handshake(EmptyMessage"]), |arena| {
            Box::pin(zeros(arena))
        }),
        Attack::new(
            "hs-garbage",
            End(&["Handshake(", "HandshakeTimeout", "HungUp", "Connection("]),
            |arena| Box::pin(garbage(arena)),
        )
        .memory(6 * MIB),
        Attack::new(
            "hs-low-order-e",
            End(&["Handshake(LowOrder { number: 1"]),
            |arena| Box::pin(low_order_first(arena)),
        ),
        Attack::new(
            "hs-low-order-e2",
            End(&["Handshake(LowOrder { number: 2"]),
            |arena| Box::pin(low_order_second(arena)),
        ),
        Attack::new(
            "hs-low-order-s",
            End(&["Handshake(LowOrder { number: 3"]),
            |arena| Box::pin(low_order_static(arena)),
        ),
        Attack::new(
            "hs-static-stolen",
            End(&["Handshake(Unauthentic { number: 3"]),
            |arena| Box::pin(stolen_static(arena)),
        ),
        Attack::new(
            "hs-replay",
            End(&["Handshake(Unauthentic { number: 3"]),
            |arena| Box::pin(replay(arena)),
        ),
        Attack::new("hs-nonce-0", End(&["Handshake(Payload("]), |arena| {
            Box::pin(payload(arena, Payload::Nonce(0)))
        }),
        Attack::new("hs-nonce-23", End(&["Handshake(Payload("]), |arena| {
            Box::pin(payload(arena, Payload::Nonce(23)))
        }),
        Attack::new("hs-nonce-25", End(&["Handshake(Payload("]), |arena| {
            Box::pin(payload(arena, Payload::Nonce(25)))
        }),
        Attack::new("hs-nonce-missing", End(&["Handshake(Payload("]), |arena| {
            Box::pin(payload(arena, Payload::Bytes(&[])))
        }),
        Attack::new(
            "hs-nonce-malformed",
            End(&["Handshake(Payload("]),
            |arena| Box::pin(payload(arena, Payload::Bytes(&[0x0a, 24, 1, 2, 3]))),
        ),
        Attack::new("hs-bitflip", End(&["Handshake("]), |arena| {
            Box::pin(flipped_third(arena))
        })
        .memory(4 * MIB),
        Attack::new(
            "hs-bitflip-2",
            End(&["Handshake(", "HandshakeTimeout"]),
            |arena| Box::pin(flipped_second(arena)),
        )
        .memory(6 * MIB),
        Attack::new("hs-churn", Either, |arena| Box::pin(churn(arena))).memory(8 * MIB),
        Attack::new("hs-cut", End(&["HungUp"]), |arena| Box::pin(cut(arena))).memory(4 * MIB),
        Attack::new(
            "hs-longer",
            End(&["Handshake(Unauthentic { number: 3"]),
            |arena| Box::pin(longer_third(arena)),
        ),
        Attack::new(
            "hs-other-dialect",
            End(&["Handshake(Unauthentic { number: 3"]),
            |arena| Box::pin(other_dialect(arena)),
        ),
        Attack::new("hs-payload-900", Bear, |arena| {
            Box::pin(long_payload(arena))
        }),
        Attack::new("hs-twice", End(&["Frame(", "FrameTimeout"]), |arena| {
            Box::pin(twice(arena))
        }),
        Attack::new("hs-early", End(&["Frame("]), |arena| Box::pin(early(arena))).memory(2 * MIB),
    ]
}

/// From so many addresses: more than may be in their handshake at a time.
async fn silent(arena: Arena) {
    arena
        .many(300, |arena, _| async move {
            Hostile::connect(&arena).be_left().await;
        })
        .await;
}

async fn drip(arena: Arena) {
    arena
        .many(50, |arena, _| async move {
            let mut hostile = Hostile::connect(&arena);
            let first = hostile.handshake(Role::Initiator).poll_transmit().unwrap();
            for byte in first {
                if !hostile.raw(&[byte]).await {
                    return;
                }
                arena.pause(Duration::from_millis(400)).await;
            }
            hostile.be_left().await;
        })
        .await;
}

async fn huge_length(arena: Arena) {
    let mut hostile = Hostile::connect(&arena);
    hostile.raw(&[0xff, 0xff, 0xff, 0xff, 0x07]).await;
    while hostile.raw(&[0; 16 * KIB]).await {}
}

async fn long_message(arena: Arena) {
    let mut hostile = Hostile::connect(&arena);
    hostile.raw(&[0xf0, 0xa2, 0x04]).await;
    hostile.raw(&vec![7; 70_000]).await;
    hostile.be_left().await;
}

async fn three_bytes(arena: Arena) {
    let mut hostile = Hostile::connect(&arena);
    hostile.raw(&[0xff; 3]).await;
    hostile.be_left().await;
}

async fn zeros(arena: Arena) {
    let mut hostile = Hostile::connect(&arena);
    for _ in 0..64 {
        if !hostile.raw(&[0; 64 * KIB]).await {
            break;
        }
    }
    hostile.be_left().await;
}

async fn garbage(arena: Arena) {
    arena
        .many(60, |arena, _| async move {
            let mut hostile = Hostile::connect(&arena);
            let len = 1 + hostile.rng.below(2_000) as usize;
            let bytes = hostile.rng.bytes(len);
            hostile.raw(&bytes).await;
            hostile.be_left().await;
        })
        .await;
}

/// Points of order 1, 2, 4 and 8 on the curve and on its twist, and those that are the same once they are reduced. The highest
/// bit isn't looked at.
pub(crate) fn low_order_points() -> impl Iterator<Item = [u8; 32]> {
    let small = |first: u8| {
        let mut point = [0; 32];
        point[0] = first;
        point
    };
    let large = |first: u8| {
        let mut point = [0xff; 32];
        (point[0], point[31]) = (first, 0x7f);
        point
    };
    let order_8 = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];
    let order_8 = order_8.map(|hex| {
        std::array::from_fn(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap())
    });
    let points = [small(0), small(1), large(0xec), large(0xed), large(0xee)];
    points.into_iter().chain(order_8).flat_map(|point| {
        let mut other = point;
        other[31] |= 0x80;
        [point, other]
    })
}

async fn low_order_first(arena: Arena) {
    for point in low_order_points() {
        let mut hostile = Hostile::connect(&arena);
        let mut first = hostile.handshake(Role::Initiator).poll_transmit().unwrap();
        first[1..33].copy_from_slice(&point);
        hostile.raw(&first).await;
        hostile.be_left().await;
    }
}

async fn low_order_second(arena: Arena) {
    for point in low_order_points() {
        let mut hostile = Hostile::dialled(&arena);
        let mut second = second(&mut hostile).await;
        second[1..33].copy_from_slice(&point);
        hostile.raw(&second).await;
        hostile.be_left().await;
    }
}

/// An honest answer to the first message of the victim.
async fn second(hostile: &mut Hostile) -> Vec<u8> {
    let first = hostile.read().await.unwrap();
    let mut handshake = hostile.handshake(Role::Responder);
    handshake.handle_bytes(&first).unwrap();
    handshake.poll_transmit().unwrap()
}

/// Up to the third message, which isn't sent yet.
async fn third(hostile: &mut Hostile) -> (Handshake, Vec<u8>) {
    let mut handshake = hostile.handshake(Role::Initiator);
    let first = handshake.poll_transmit().unwrap();
    hostile.raw(&first).await;
    let second = hostile.read().await.unwrap();
    handshake.handle_bytes(&second).unwrap();
    handshake.authenticate(true).unwrap();
    let third = handshake.poll_transmit().unwrap();
    (handshake, third)
}

async fn low_order_static(arena: Arena) {
    for point in low_order_points() {
        bend(&arena, Bent::new(arena.dialect()).show(point)).await;
    }
}

async fn stolen_static(arena: Arena) {
    let somebody = arena.victim().noise_public_key();
    bend(&arena, Bent::new(arena.dialect()).show(somebody)).await;
}

async fn payload(arena: Arena, payload: Payload) {
    bend(&arena, Bent::new(arena.dialect()).payload(payload)).await;
}

async fn bend(arena: &Arena, mut bent: Bent) {
    let mut hostile = Hostile::connect(arena);
    hostile.raw(&bent.first()).await;
    let second = hostile.read().await.unwrap();
    hostile.raw(&bent.third(&second)).await;
    hostile.be_left().await;
}

/// Everything that an initiator said on another connection, at once.
async fn replay(arena: Arena) {
    let mut recorded = Vec::new();
    let mut hostile = Hostile::connect(&arena);
    let mut handshake = hostile.handshake(Role::Initiator);
    let first = handshake.poll_transmit().unwrap();
    recorded.extend(&first);
    hostile.raw(&first).await;
    let second = hostile.read().await.unwrap();
    handshake.handle_bytes(&second).unwrap();
    handshake.authenticate(true).unwrap();
    recorded.extend(handshake.poll_transmit().unwrap());
    recorded.extend(hostile.rng.bytes(100));
    // The first connection ends like the others: its own third message comes with a flipped bit.
    let mut third = recorded[first.len()..][..91].to_vec();
    third[50] ^= 1;
    hostile.raw(&third).await;
    hostile.be_left().await;
    for _ in 0..10 {
        let mut again = Hostile::connect(&arena);
        again.raw(&recorded).await;
        again.be_left().await;
    }
}

async fn flipped_third(arena: Arena) {
    arena
        .many(40, |arena, _| async move {
            let mut hostile = Hostile::connect(&arena);
            let (_, mut third) = third(&mut hostile).await;
            // Not in the length, which would leave it incomplete.
            let bit = 8 + hostile.rng.below(8 * (third.len() as u64 - 1)) as usize;
            third[bit / 8] ^= 1 << (bit % 8);
            hostile.raw(&third).await;
            hostile.be_left().await;
        })
        .await;
}

async fn flipped_second(arena: Arena) {
    arena
        .many(40, |arena, n| async move {
            let mut hostile = Hostile::dialled(&arena);
            let mut second = second(&mut hostile).await;
            let bit = n * 24 + hostile.rng.below(24) as usize;
            second[bit / 8] ^= 1 << (bit % 8);
            hostile.raw(&second).await;
            hostile.be_left().await;
        })
        .await;
}

async fn churn(arena: Arena) {
    for _ in 0..1_500 {
        let mut hostile = Hostile::connect(&arena);
        let mut handshake = hostile.handshake(Role::Initiator);
        let mut first = handshake.poll_transmit().unwrap();
        first.truncate(hostile.rng.below(60) as usize);
        hostile.raw(&first).await;
        if first.len() == 59 && hostile.rng.one_in(2) {
            hostile.read().await;
        }
    }
}

/// Ends its direction in the middle of a message, and waits.
async fn cut(arena: Arena) {
    arena
        .many(58, |arena, n| async move {
            let mut hostile = Hostile::connect(&arena);
            let first = hostile.handshake(Role::Initiator).poll_transmit().unwrap();
            hostile.raw(&first[..=n]).await;
            hostile.end_sending().await;
            hostile.be_left().await;
        })
        .await;
}

async fn longer_third(arena: Arena) {
    for more in [1, 16, 500] {
        let mut hostile = Hostile::connect(&arena);
        let (_, third) = third(&mut hostile).await;
        let body = [&third[1..], &vec![0; more]].concat();
        let mut framed = Vec::new();
        wire::varint::write(body.len() as u64, &mut framed);
        framed.extend(body);
        hostile.raw(&framed).await;
        hostile.be_left().await;
    }
}

async fn other_dialect(arena: Arena) {
    let mut hostile = Hostile::connect(&arena);
    let mut bent = Bent::new(match arena.dialect() {
        hypercore::Dialect::V8 => hypercore::Dialect::V9,
        _ => hypercore::Dialect::V8,
    });
    hostile.raw(&bent.first()).await;
    let second = hostile.read().await.unwrap();
    hostile.raw(&bent.third(&second)).await;
    hostile.be_left().await;
}

/// The first message may carry anything, as in JavaScript.
async fn long_payload(arena: Arena) {
    let mut hostile = Hostile::connect(&arena);
    let mut bent = Bent::new(arena.dialect());
    hostile.raw(&bent.first_with(&[7; 900])).await;
    let second = hostile.read().await.unwrap();
    let third = bent.third(&second);
    hostile.raw(&third).await;
    hostile.left_within(Duration::from_secs(5)).await;
}

/// A second handshake where the stream should begin.
async fn twice(arena: Arena) {
    let mut hostile = Hostile::connect(&arena);
    let (_, third) = third(&mut hostile).await;
    hostile.raw(&third).await;
    hostile.raw(&third.repeat(20)).await;
    hostile.be_left().await;
}

/// A mebibyte behind the last message of the handshake, in one piece with it.
async fn early(arena: Arena) {
    let mut hostile = Hostile::connect(&arena);
    let (_, mut third) = third(&mut hostile).await;
    let more = hostile.rng.bytes(MIB);
    third.extend(more);
    hostile.raw(&third).await;
    hostile.be_left().await;
}
