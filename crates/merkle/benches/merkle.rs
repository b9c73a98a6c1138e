//! Growing the roots, planning a proof, checking one.

#![allow(clippy::unwrap_used)]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use crypto::leaf_hash;
use hypercore_merkle::{
    Check, Node, NodeBits, Proof, ProofRequest, RemoteTree, Roots, insert, plan_proof,
};

fn append(c: &mut Criterion) {
    let mut group = c.benchmark_group("append");
    for (count, size) in [(1, 100), (1000, 100), (16, 65_536)] {
        let blocks = vec![Bytes::from(vec![7; size]); count];
        let roots = Roots::new().append(&blocks).unwrap().roots;
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("{count} blocks of {size} bytes"), |b| {
            b.iter(|| black_box(roots.append(&blocks).unwrap()));
        });
    }
    group.finish();
}

fn proof(c: &mut Criterion) {
    let blocks = vec![Bytes::from(vec![7; 100]); 10_000];
    let growth = Roots::new().append(&blocks).unwrap();
    let mut tree = NodeBits::new();
    for node in &growth.nodes {
        insert(&mut tree, node.index);
    }
    let request = ProofRequest {
        block: 5000,
        hash: false,
        digest: 0,
    };
    c.bench_function("plan a proof among 10000 blocks", |b| {
        b.iter(|| black_box(plan_proof(&tree, &mut RemoteTree::new(), &request)));
    });

    let plan = plan_proof(&tree, &mut RemoteTree::new(), &request).unwrap();
    let find = |index: &_| {
        growth
            .nodes
            .iter()
            .find(|node: &&Node| node.index == *index)
    };
    let proof = Proof {
        block: 5000,
        nodes: plan.nodes.iter().filter_map(find).copied().collect(),
        signature: None,
    };
    let leaf = (leaf_hash(&blocks[5000]), 100);
    c.bench_function("check a proof that reaches the roots", |b| {
        b.iter(|| {
            let (tree, roots) = (NodeBits::new(), Roots::new());
            let check = Check::plan(&tree, &roots, false, proof.clone(), true, 1 << 32).unwrap();
            black_box(check.finish(&[], Some(leaf)).unwrap())
        });
    });
}

criterion_group!(benches, append, proof);
criterion_main!(benches);
