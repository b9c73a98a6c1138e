//! A recorded connection in which one bit is flipped, for each byte of it: the stream has no tag, so what is flipped arrives flipped.

use std::{collections::BTreeMap, future::IntoFuture, time::Duration};

use hypercore::{Dialect, DialectChoice, Hypercore, Role};
use testkit::{Rng, Task, lock};

use crate::{arena::Arena, attack::Victim, memory, net};

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// Both ends were done.
    Done,
    /// One of them met an error.
    Error,
    /// Both wait, and give signs of life: neither knows what the other one has.
    Waiting,
}

/// Connects the two for a minute: how it ended, and how many bytes the author and the reader have said.
fn clone(arena: &Arena, reader: &Hypercore, flip_at: [Option<u64>; 2]) -> (End, [u64; 2]) {
    let mut quality = arena.quality();
    quality.flip_at = flip_at;
    let (sim, author) = (arena.sim(), arena.author());
    let (left, right, _) = net::connect(sim, &mut Rng::new(1), &quality);
    let end = |feed: &Hypercore, role, socket| {
        feed.replicate(role, socket)
            .dialect(DialectChoice::Fixed(arena.dialect()))
            .into_future()
    };
    let tasks = [
        sim.spawn("author", end(author, Role::Responder, left)),
        sim.spawn("reader", end(reader, Role::Initiator, right)),
    ];
    sim.run_for(Duration::from_secs(60));
    let ends = tasks.each_ref().map(Task::take);
    let end = match &ends {
        [None, None] => End::Waiting,
        [Some(Ok(_)), Some(Ok(_))] => End::Done,
        [Some(_), Some(_)] => End::Error,
        _ => panic!("{flip_at:?}: one end goes on without the other: {ends:?}"),
    };
    tasks.iter().for_each(Task::cancel);
    let said = ends.map(|end| {
        end.and_then(Result::ok)
            .map_or(0, |session| session.bytes_sent)
    });
    (end, said)
}

#[test]
fn a_bit_flipped_in_any_byte_of_a_connection_never_reaches_what_is_stored() {
    let _arena = lock(&crate::ARENA);
    for dialect in [Dialect::V8, Dialect::V9] {
        let arena = Arena::new(Victim::Few, dialect, 1);
        let (end, said) = clone(&arena, &arena.copy(false), [None; 2]);
        assert!(
            end == End::Done && said.iter().all(|bytes| *bytes > 200),
            "{said:?}"
        );
        let before = memory::start();
        let mut ends = BTreeMap::new();
        for side in [0, 1] {
            for at in 0..said[side] {
                let reader = arena.copy(false);
                let mut flip_at = [None; 2];
                flip_at[side] = Some(at);
                let (end, _) = clone(&arena, &reader, flip_at);
                *ends.entry(end).or_insert(0) += 1;
                arena.check(&reader);
                // Whatever came of it, an honest connection brings the rest.
                clone(&arena, &reader, [None; 2]);
                assert_eq!(reader.downloaded(..), arena.author().len(), "byte {at}");
                arena.check(&reader);
            }
        }
        memory::look();
        let memory = (memory::peak() - before) / 1024;
        eprintln!("{dialect:?}: {said:?} bytes, {ends:?}, {memory} KiB of memory");
    }
}
