//! Fifty connections at once: half of them clone, half of them are slow in one way or another, and the former notice nothing.

use std::{future::IntoFuture, time::Duration};

use hypercore::{Dialect, Occupancy, Role};
use testkit::{Task, lock};
use wire::{Kind, Message, Request};

use crate::{
    arena::Arena,
    attack::{MIB, Victim},
    hostile::{CHANNEL, Hostile, announced},
    memory,
};

const CLONES: usize = 25;
const SLOW: usize = 25;

/// How many of the blocks of 64 KiB each clone fetches: 2 MiB.
const WANTED: u64 = 32;

/// What came of it.
struct Outcome {
    /// How long each clone took, the fastest first.
    times: Vec<Duration>,
    /// The most that was in use, with what is stored by all.
    memory: usize,
    occupancy: Occupancy,
}

/// What one clone takes to fetch them when it is alone, and what the slowest of all takes beside the slow ones.
fn fetch(dialect: Dialect, clones: usize, slow: usize) -> Outcome {
    let arena = Arena::new(Victim::Large, dialect, 1);
    for nth in 0..slow {
        arena.sim().spawn("slow", be_slow(arena.clone(), nth));
    }
    arena.sim().run_for(Duration::from_secs(1));
    memory::start();
    let start = arena.sim().now();
    let clones: Vec<_> = (0..clones)
        .map(|_| {
            let reader = arena.reader();
            arena.welcome(&reader);
            let range = reader.get_range(0..WANTED).into_future();
            let arena = arena.clone();
            arena.sim().clone().spawn("a clone", async move {
                let blocks = range.await.unwrap();
                assert_eq!(blocks.len() as u64, WANTED);
                let took = arena.sim().now() - start;
                reader.close().await.unwrap();
                took
            })
        })
        .collect();
    arena.run_until(
        || clones.iter().all(Task::is_done),
        Duration::from_secs(60),
        "a clone",
    );
    let mut times: Vec<Duration> = clones.iter().map(|it| it.take().unwrap()).collect();
    times.sort_unstable();
    Outcome {
        times,
        memory: memory::peak(),
        occupancy: arena.occupancy(),
    }
}

/// Slow in one of five ways.
async fn be_slow(arena: Arena, nth: usize) {
    let mut hostile = match nth % 5 {
        0 => Hostile::connect(&arena),
        _ => Hostile::open(&arena).await,
    };
    let request = |_: &mut _, n: usize| {
        Message::Request(Request {
            index: n as u64 % 128,
            ..Request::default()
        })
    };
    match nth % 5 {
        // Shakes hands a byte a second.
        0 => {
            let first = hostile.handshake(Role::Initiator).poll_transmit().unwrap();
            for byte in first {
                hostile.raw(&[byte]).await;
                arena.pause(Duration::from_secs(1)).await;
            }
        }
        // Asks for much and takes none of it, or a sip a second.
        1 => {
            hostile.stop_listening();
            hostile.flood(300, request).await;
            arena.pause(Duration::from_secs(60)).await;
        }
        2 => {
            hostile.stop_listening();
            hostile.flood(300, request).await;
            while hostile.read().await.is_some() {
                arena.pause(Duration::from_secs(1)).await;
            }
        }
        // Says one thing for a long time.
        3 => {
            let message = announced(CHANNEL, Kind::Data, 8 << 20);
            hostile.bytes(&message).await;
            while hostile.bytes(&[0; 2048]).await {
                arena.pause(Duration::from_secs(1)).await;
            }
        }
        // Says nothing.
        _ => hostile.hold(Duration::from_secs(60)).await,
    }
}

#[test]
fn twenty_five_clones_are_served_beside_as_many_slow_peers() {
    let _arena = lock(&crate::ARENA);
    for dialect in [Dialect::V8, Dialect::V9] {
        let alone = fetch(dialect, 1, 0);
        let crowd = fetch(dialect, CLONES, SLOW);
        let (fastest, slowest) = (crowd.times[0], crowd.times[CLONES - 1]);
        eprintln!(
            "{dialect:?}: alone {:?}, beside {SLOW} slow ones {fastest:?} to {slowest:?}, {} KiB of memory, {:?}",
            alone.times[0],
            crowd.memory / 1024,
            crowd.occupancy,
        );
        // Time passes on the links only, so it is the same for everybody unless somebody has to wait for another one.
        assert!(slowest <= 2 * alone.times[0], "{slowest:?}");
        assert!(slowest <= 2 * fastest, "{fastest:?} {slowest:?}");
        assert!(crowd.occupancy.held <= 64 * MIB);
    }
}
