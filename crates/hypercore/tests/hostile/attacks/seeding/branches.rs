//! What the author has signed himself, and isn't the history that is known.

use bytes::Bytes;
use hypercore::Signable;
use wire::{Data, Message, Node, Status};

use super::{Seeder, have, seeding};
use crate::{
    arena::{Arena, BLOCKS, KNOWN},
    attack::{
        Attack,
        Must::{Either, End},
    },
    hostile::Hostile,
};

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        seeding("sd-fork", End(&["Fork"]), |arena| {
            Box::pin(fork(arena, BLOCKS + 100))
        }),
        seeding("sd-fork-equal", End(&["Fork"]), |arena| {
            Box::pin(fork(arena, BLOCKS))
        }),
        seeding("sd-author-far", Either, |arena| Box::pin(far_author(arena))),
    ]
}

/// The author has signed another history as well, and somebody has it.
async fn fork(arena: Arena, length: u64) {
    let branch = arena.branch(KNOWN / 2, length).await;
    for _ in 0..3 {
        let mut seeder = Seeder::of(&arena, &branch).await;
        while let Some((_, data)) = seeder.asked().await {
            if !seeder.say(data).await {
                break;
            }
        }
    }
    let forks = arena.victim().forks();
    assert!(!forks.is_empty());
    assert!(forks.iter().all(|fork| fork.verify(&arena.key()).is_ok()));
}

/// The author signs a feed of 2^30 blocks and one, of which nobody has more than the last.
async fn far_author(arena: Arena) {
    const LAST: u64 = 1 << 30;
    let value = b"far away";
    let root = Node {
        index: LAST - 1,
        hash: [0x0f; 32],
        size: 1 << 40,
    };
    let leaf = (2 * LAST, value.len() as u64, crypto::leaf_hash(value));
    let signature = arena.sign(&Signable {
        tree_hash: crypto::tree_hash([(root.index, root.size, root.hash.into()), leaf]),
        length: LAST + 1,
    });
    for pushes in [false, true] {
        let mut hostile = Hostile::open(&arena).await;
        let status = Status {
            uploading: Some(true),
            downloading: Some(true),
        };
        hostile.say(&Message::Status(status)).await;
        hostile.say(&have(LAST, 1)).await;
        let answer = |index, has_value: bool| {
            Message::Data(Data {
                index,
                value: Some(Bytes::from_static(value)).filter(|_| has_value),
                nodes: vec![root],
                signature: Some(signature),
            })
        };
        // Nobody asks for it: nothing could show that the known blocks are the beginning of that.
        if pushes {
            hostile.say(&answer(LAST, true)).await;
        }
        while let Some(request) = hostile.asked().await {
            if !hostile.say(&answer(request.index, !request.hash())).await {
                break;
            }
        }
        assert!(arena.victim().len() <= BLOCKS);
    }
}
