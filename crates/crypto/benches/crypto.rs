//! Hashing leaves and parents, singly and many at a time; signing and verifying.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hypercore_crypto::{
    Dialect, Hash, KeyPair, Signable, leaf_hash, leaf_hashes, parent_hash, parent_hashes,
};

fn hashes(c: &mut Criterion) {
    for size in [100, 65_536] {
        let blocks = vec![vec![7; size]; 16];
        let mut group = c.benchmark_group(format!("leaves of {size} bytes"));
        group.throughput(Throughput::Bytes(16 * size as u64));
        group.bench_function("one by one", |b| {
            b.iter(|| {
                blocks
                    .iter()
                    .map(|block| leaf_hash(block))
                    .fold(0, |_, hash| black_box(hash).as_bytes()[0])
            })
        });
        group.bench_function("16 at a time", |b| {
            b.iter(|| leaf_hashes(blocks.iter().map(|block| &**block)))
        });
        group.finish();
    }
    let parents = [(Hash::new([1; 32]), Hash::new([2; 32]), 200); 16];
    let mut group = c.benchmark_group("parents");
    group.throughput(Throughput::Elements(16));
    group.bench_function("one by one", |b| {
        b.iter(|| parents.map(|(left, right, size)| parent_hash(&left, &right, size)))
    });
    group.bench_function("16 at a time", |b| b.iter(|| parent_hashes(&parents)));
    group.finish();
}

fn signatures(c: &mut Criterion) {
    let pair = KeyPair::from_seed([1; 32]);
    let signable = Signable {
        tree_hash: Hash::new([2; 32]),
        length: 3,
    };
    let signature = pair.sign(&signable, Dialect::V8);
    c.bench_function("sign", |b| b.iter(|| pair.sign(&signable, Dialect::V8)));
    c.bench_function("verify", |b| {
        b.iter(|| pair.public().verify(&signable, &signature))
    });
}

criterion_group!(benches, hashes, signatures);
criterion_main!(benches);
