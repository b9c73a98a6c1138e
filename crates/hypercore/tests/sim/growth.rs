//! A feed that grows while it is read, over links of any length: no block is sent twice, and none is late.

use std::{future::IntoFuture, sync::Arc, time::Duration};

use hypercore::{Hypercore, PublicKey, Role, Storage};
use testkit::{Rng, Sim, Task};

use crate::{
    faults::{Quality, millis},
    net,
    node::at_once,
    runtime::Surroundings,
};

/// How many blocks are appended, and the sizes of the batches.
const BLOCKS: u64 = 600;
const BATCHES: [u64; 3] = [1, 7, 50];

fn open(sim: &Sim, key: Option<PublicKey>) -> Hypercore {
    let runtime = Surroundings::new(sim, Rng::new(7));
    let mut builder = Hypercore::builder(Storage::memory()).runtime(Arc::new(runtime));
    if let Some(key) = key {
        builder = builder.key(key);
    }
    at_once(builder.open()).unwrap()
}

/// Appends so many blocks at a time and lets so much time pass after each batch.
fn grow(sim: &Sim, writer: &Hypercore, batch: u64, pause: Duration) {
    for n in 0..BLOCKS / batch {
        let writer = writer.clone();
        let blocks = (0..batch).map(move |nth| format!("{n} {nth}"));
        let append = sim.spawn("append", async move { writer.append_batch(blocks).await });
        sim.run_for(pause);
        assert!(append.take().is_some_and(|it| it.is_ok()));
    }
}

#[test]
fn no_block_of_a_growing_feed_is_sent_twice() {
    for (delay, pause) in [
        (1, 1),
        (1, 20),
        (50, 1),
        (50, 5),
        (50, 100),
        (200, 1),
        (200, 20),
    ] {
        for batch in BATCHES {
            let sim = Sim::new(delay + pause);
            let writer = open(&sim, None);
            let reader = open(&sim, Some(writer.key()));
            let quality = Quality {
                delay: millis(delay)..millis(delay),
                ..Quality::perfect(&mut Rng::new(1))
            };
            let (left, right, _) = net::connect(&sim, &mut Rng::new(1), &quality);
            let ends = [
                (&writer, Role::Responder, left),
                (&reader, Role::Initiator, right),
            ];
            let tasks: Vec<Task<_>> = ends
                .into_iter()
                .map(|(feed, role, socket)| {
                    sim.spawn(
                        "replicate",
                        feed.replicate(role, socket).live(true).into_future(),
                    )
                })
                .collect();
            grow(&sim, &writer, batch, millis(pause));
            sim.run_for(Duration::from_secs(20));

            let (sent, received) = (
                writer.stats().unwrap().totals,
                reader.stats().unwrap().totals,
            );
            let told = (received.unproven_blocks, sent.uploaded_blocks);
            assert_eq!(reader.downloaded(..), writer.len());
            assert_eq!(
                told,
                (0, writer.len()),
                "{delay} ms, {batch} every {pause} ms"
            );
            tasks.iter().for_each(Task::cancel);
        }
    }
}
