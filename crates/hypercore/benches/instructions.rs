//! The hot paths of all layers, to be counted in instructions instead of timed: a machine that is busy counts as a quiet one does.
//!
//! `instructions CASE COUNT` does one of them so many times. `cargo xtask bench --check` runs each twice under valgrind, with different
//! counts, so that what it takes to get there falls out of the difference. Without arguments the cases are listed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use crypto::{Dialect, KeyPair, Signable, leaf_hash, leaf_hashes};
use futures_lite::{StreamExt, future};
use hypercore::{Durability, Hypercore, Role, Storage};
use noise::StreamCipher;
use wire::{Data, Decoder, Limits, Message, Node, rle_decode, rle_encode};

#[path = "../tests/it/duplex.rs"]
mod duplex;

const BLOCK: Bytes = Bytes::from_static(&[7; 100]);

/// A hot path, by name: does it so many times.
type Case = (&'static str, fn(u64));

const CASES: [Case; 16] = [
    ("hash-leaf-100", hash_leaf),
    ("hash-leaves-100-x64", hash_leaves),
    ("hash-leaf-64k", hash_large_leaf),
    ("sign", sign),
    ("verify", verify),
    ("cipher-1500", |count| cipher(1500, count)),
    ("cipher-64k", |count| cipher(64 * 1024, count)),
    ("decode-data", decode),
    ("encode-data", encode),
    ("rle-window", rle),
    ("append-1", |count| append(1, count)),
    ("append-1000", |count| append(1000, count)),
    ("get", get),
    ("stream-of-100", stream),
    ("audit-of-100", audit),
    ("clone-of-100", clone),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let case = |name: &String| CASES.iter().find(|(known, _)| known == name);
    match arguments.as_slice() {
        [name, count] if case(name).is_some() => case(name).unwrap().1(count.parse().unwrap()),
        // Cargo says --bench.
        _ => CASES.iter().for_each(|(name, _)| println!("{name}")),
    }
}

fn hash_leaf(count: u64) {
    for _ in 0..count {
        black_box(leaf_hash(black_box(&BLOCK)));
    }
}

fn hash_leaves(count: u64) {
    let blocks = vec![BLOCK; 64];
    for _ in 0..count {
        black_box(leaf_hashes(
            black_box(&blocks).iter().map(|block| &block[..]),
        ));
    }
}

fn hash_large_leaf(count: u64) {
    let block = vec![7; 64 * 1024];
    for _ in 0..count {
        black_box(leaf_hash(black_box(&block)));
    }
}

fn signed() -> (KeyPair, Signable, crypto::Signature) {
    let pair = KeyPair::from_seed([1; 32]);
    let signable = Signable {
        tree_hash: leaf_hash(&BLOCK),
        length: 1,
    };
    let signature = pair.sign(&signable, Dialect::V8);
    (pair, signable, signature)
}

fn sign(count: u64) {
    let (pair, signable, _) = signed();
    for _ in 0..count {
        black_box(pair.sign(black_box(&signable), Dialect::V8));
    }
}

fn verify(count: u64) {
    let (pair, signable, signature) = signed();
    for _ in 0..count {
        black_box(pair.public().verify(black_box(&signable), &signature)).unwrap();
    }
}

fn cipher(len: usize, count: u64) {
    let mut cipher = StreamCipher::new(&[1; 32], &[2; 24]);
    let mut bytes = vec![7; len];
    for _ in 0..count {
        cipher.apply(black_box(&mut bytes));
    }
}

fn data() -> Message {
    let node = Node {
        index: 123_456,
        hash: [7; 32],
        size: 65_536,
    };
    Message::Data(Data {
        index: 61_728,
        value: Some(BLOCK),
        nodes: vec![node; 4],
        signature: Some([9; 64]),
    })
}

fn encode(count: u64) {
    let (message, mut out) = (data(), BytesMut::with_capacity(4096));
    for _ in 0..count {
        out.clear();
        message.encode_frame(1, &mut out);
    }
}

fn decode(count: u64) {
    let limits = Limits::default();
    let mut frame = BytesMut::new();
    data().encode_frame(1, &mut frame);
    let mut decoder = Decoder::new(limits);
    for _ in 0..count {
        decoder.extend(&frame);
        let frame = decoder.next().unwrap().unwrap();
        black_box(Message::decode(frame.kind.unwrap(), frame.body, &limits).unwrap());
    }
}

/// A window of a bitfield that is there in runs.
fn rle(count: u64) {
    let mut bits = [0_u8; 4096];
    for (at, byte) in bits.iter_mut().enumerate() {
        *byte = if at / 100 % 3 == 0 {
            0xff
        } else {
            (at / 700) as u8
        };
    }
    for _ in 0..count {
        let coded = rle_encode(black_box(&bits));
        black_box(rle_decode(&coded, 8 * bits.len() as u64).unwrap().count());
    }
}

/// A feed that waits for no disk, since it has none, and for no clock.
async fn feed_of(blocks: usize) -> Hypercore {
    let builder = Hypercore::builder(Storage::memory()).durability(Durability::None);
    let feed = builder.open().await.unwrap();
    let blocks = std::iter::repeat_n(BLOCK, blocks);
    feed.append_batch(blocks).await.unwrap();
    feed
}

fn append(batch: usize, count: u64) {
    future::block_on(async {
        let feed = feed_of(1).await;
        for _ in 0..count {
            let blocks = std::iter::repeat_n(BLOCK, batch);
            feed.append_batch(blocks).await.unwrap();
        }
    });
}

fn get(count: u64) {
    future::block_on(async {
        let feed = feed_of(10_000).await;
        for nth in 0..count {
            black_box(feed.get(nth * 7919 % 10_000).await.unwrap());
        }
    });
}

/// Hundreds of blocks of many.
fn stream(count: u64) {
    future::block_on(async {
        let feed = feed_of(10_000).await;
        let mut blocks = feed.read(..100 * count);
        while let Some(block) = blocks.next().await {
            black_box(block.unwrap());
        }
    });
}

/// A feed of a hundred blocks, as often as that.
fn audit(count: u64) {
    future::block_on(async {
        let feed = feed_of(100).await;
        for _ in 0..count {
            assert_eq!(feed.audit().await.unwrap().valid, 100);
        }
    });
}

/// Hundreds of blocks of many: both sides, and the encryption.
fn clone(count: u64) {
    future::block_on(async {
        let feed = feed_of(10_000).await;
        let builder = Hypercore::builder(Storage::memory()).key(feed.key());
        let copy = builder.sparse(true).durability(Durability::None);
        let copy = copy.open().await.unwrap();
        let (left, right) = duplex::duplex(256 * 1024);
        let serve = feed.replicate(Role::Responder, right).live(true);
        let fetch = copy.replicate(Role::Initiator, left).live(true);
        let connected = future::zip(serve.into_future(), fetch.into_future());
        let fetched = async {
            copy.download(0..100 * count).await.unwrap();
        };
        let connected = async {
            let (served, fetched) = connected.await;
            panic!("they parted: {served:?}, {fetched:?}");
        };
        future::or(fetched, connected).await;
        assert_eq!(copy.downloaded(..), 100 * count);
    });
}
