//! The honest peers beside an attack: one that reads all the time, newcomers, and the author if the victim fetches.

use std::{future::IntoFuture, time::Duration};

use hypercore::Hypercore;

use crate::{
    arena::{Arena, BLOCKS, FEW, KNOWN},
    attack::Victim,
    hostile::patiently,
};

/// How long an honest peer may have to wait for a block.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How long it waits before it gives up, so that what is wrong can be told.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// They come, and stay until the attack is over.
pub(crate) fn arrive(arena: &Arena, victim: Victim) {
    let sim = arena.sim();
    sim.spawn("an honest reader", read_on(arena.clone(), victim));
    sim.spawn("honest newcomers", come_and_go(arena.clone(), victim));
    if victim == Victim::Copy {
        sim.spawn("the author", give(arena.clone()));
    }
}

/// Asks for one block after the other.
async fn read_on(arena: Arena, victim: Victim) {
    let (reader, mut rng) = (arena.reader(), arena.rng());
    arena.welcome(&reader);
    while !arena.tally(|tally| tally.over) {
        let block = available(victim, rng.next_u64());
        ask(&arena, &reader, block).await;
        reader.clear(block..block + 1).await.unwrap();
        arena.pause(Duration::from_millis(100)).await;
    }
    reader.close().await.unwrap();
}

/// Connects, asks for a block, and goes: the victim has time for those whom it doesn't know yet.
async fn come_and_go(arena: Arena, victim: Victim) {
    let mut rng = arena.rng();
    while !arena.tally(|tally| tally.over) {
        arena.pause(Duration::from_secs(1)).await;
        let reader = arena.reader();
        arena.welcome(&reader);
        ask(&arena, &reader, available(victim, rng.next_u64())).await;
        reader.close().await.unwrap();
    }
}

async fn ask(arena: &Arena, reader: &Hypercore, block: u64) {
    let start = arena.sim().now();
    let got = patiently(arena.sim(), GIVEN_UP, reader.get(block).into_future()).await;
    let waited = arena.sim().now() - start;
    arena.tally(|tally| {
        tally.served += usize::from(matches!(got, Some(Ok(_))));
        tally.longest_wait = tally.longest_wait.max(waited);
    });
}

/// One of the blocks that the victim has from the start.
fn available(victim: Victim, random: u64) -> u64 {
    match victim {
        Victim::Writer => random % BLOCKS,
        Victim::Few => random % FEW,
        Victim::Large => random % 128,
        Victim::Comb => random % 4096 * 2,
        Victim::Copy => random % KNOWN,
    }
}

/// The author gives the victim what it lacks, and is asked for it again when a connection is lost.
async fn give(arena: Arena) {
    // Whoever is hostile has had the first word.
    arena.pause(Duration::from_millis(1_500)).await;
    arena.welcome(arena.author());
    let sim = arena.sim();
    let start = sim.now();
    while arena.victim().downloaded(..) < BLOCKS {
        arena.pause(Duration::from_millis(10)).await;
        if arena.tally(|tally| tally.over) {
            return;
        }
    }
    let took = sim.now() - start;
    arena.tally(|tally| tally.complete = Some(took));
}
