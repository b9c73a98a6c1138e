//! Many connections at once: from one address, in the middle of their handshakes, or each with as much as one may hold.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use hypercore::Role;
use wire::{Data, Kind, Message, Node, Request};

use crate::{
    arena::Arena,
    attack::{
        Attack, KIB, MIB,
        Must::{Either, End},
        Victim,
    },
    hostile::{CHANNEL, Hostile, announced},
};

/// What all connections may hold, with what room for a growing message costs, and the attackers' own.
const ALL: usize = 96 * MIB;

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new(
            "acc-address",
            End(&["TurnedAway(Address", "HandshakeTimeout"]),
            |arena| Box::pin(one_address(arena)),
        )
        .memory(4 * MIB),
        Attack::new(
            "acc-network",
            End(&["TurnedAway(Address", "HandshakeTimeout"]),
            |arena| Box::pin(one_network(arena)),
        )
        .memory(4 * MIB),
        Attack::new(
            "acc-strangers",
            End(&["Expelled", "HandshakeTimeout"]),
            |arena| Box::pin(strangers(arena)),
        )
        .memory(12 * MIB),
        Attack::new("acc-reconnect", Either, |arena| Box::pin(reconnect(arena))).memory(2 * MIB),
        Attack::new(
            "acc-forger",
            End(&["Verification", "TurnedAway(Barred"]),
            |arena| Box::pin(forger(arena)),
        )
        .on(Victim::Copy)
        .memory(2 * MIB),
        Attack::new(
            "fr-len-fill",
            End(&["Expelled", "FrameTimeout", "IdleTimeout"]),
            |arena| Box::pin(fill(arena)),
        )
        .memory(ALL),
        Attack::new(
            "fr-len-fill-slow",
            End(&["Expelled", "FrameTimeout", "IdleTimeout"]),
            |arena| Box::pin(fill_slowly(arena)),
        )
        .memory(ALL),
        Attack::new(
            "fd-req-noread-100",
            End(&["Expelled", "SendTimeout"]),
            |arena| Box::pin(deaf(arena)),
        )
        .on(Victim::Large)
        .memory(ALL),
    ]
}

/// Three hundred silent connections from one address.
async fn one_address(arena: Arena) {
    arena
        .many(300, |arena, _| async move {
            let address = IpAddr::from(Ipv4Addr::new(10, 9, 9, 9));
            Hostile::connect_from(&arena, address).be_left().await;
        })
        .await;
}

/// Each from another address of one network.
async fn one_network(arena: Arena) {
    arena
        .many(300, |arena, n| async move {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 3, 4, 5, n as u16);
            Hostile::connect_from(&arena, address.into())
                .be_left()
                .await;
        })
        .await;
}

/// A thousand that begin a handshake and don't end it, fifty at a time.
async fn strangers(arena: Arena) {
    arena
        .many(1_000, |arena, n| async move {
            arena
                .pause(Duration::from_millis(n as u64 / 50 * 100))
                .await;
            let mut hostile = Hostile::connect(&arena);
            let first = hostile.handshake(Role::Initiator).poll_transmit().unwrap();
            hostile.raw(&first).await;
            hostile.be_left().await;
        })
        .await;
}

/// As soon as it is left it is back.
async fn reconnect(arena: Arena) {
    for n in 0..500_u32 {
        let address = IpAddr::from(Ipv4Addr::new(10, 9, 9, 9));
        let mut hostile = Hostile::connect_from(&arena, address);
        match n % 2 {
            0 => hostile.raw(&[0]).await,
            _ => hostile.shake(Role::Initiator).await,
        };
        hostile.left_within(Duration::from_millis(20)).await;
    }
}

/// One lie, and it is back, and back.
async fn forger(arena: Arena) {
    let address = IpAddr::from(Ipv4Addr::new(10, 9, 9, 9));
    for _ in 0..20 {
        let mut hostile = Hostile::connect_from(&arena, address);
        if hostile.shake(Role::Initiator).await {
            hostile.open_feed(CHANNEL).await;
            let node = Node {
                index: 7,
                hash: hostile.rng.array(),
                size: 10,
            };
            hostile
                .say(&Message::Data(Data {
                    index: 3,
                    value: None,
                    nodes: vec![node],
                    signature: Some([7; 64]),
                }))
                .await;
        }
        hostile.be_left().await;
    }
    let turned_away = arena.tally(|tally| tally.ends.get("TurnedAway(Barred)").copied());
    assert_eq!(turned_away, Some(19));
}

/// Forty messages of 8 MiB that never end.
async fn fill(arena: Arena) {
    endless(arena, 16 * KIB, 480, Duration::ZERO).await;
}

/// The same at a pace that a slow honest peer may have.
async fn fill_slowly(arena: Arena) {
    endless(arena, 64 * KIB, 110, Duration::from_millis(400)).await;
}

/// Forty begin a message of 8 MiB, and send so many pieces of it, with a pause behind each.
async fn endless(arena: Arena, piece: usize, pieces: usize, pause: Duration) {
    arena
        .many(40, move |arena, _| async move {
            let mut hostile = Hostile::open(&arena).await;
            hostile
                .bytes(&announced(CHANNEL, Kind::Data, 8 << 20))
                .await;
            let piece = vec![7; piece];
            for _ in 0..pieces {
                if !hostile.bytes(&piece).await {
                    return;
                }
                arena.pause(pause).await;
            }
            hostile.be_left().await;
        })
        .await;
}

/// Each asks for more than a megabyte, and takes none.
async fn deaf(arena: Arena) {
    arena
        .many(100, |arena, _| async move {
            let mut hostile = Hostile::open(&arena).await;
            hostile.stop_listening();
            hostile
                .flood(500, |_, n| {
                    Message::Request(Request {
                        index: n as u64 % 128,
                        ..Request::default()
                    })
                })
                .await;
            arena.pause(Duration::from_secs(45)).await;
        })
        .await;
}
