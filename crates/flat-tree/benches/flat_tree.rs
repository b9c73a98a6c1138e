//! The walk every proof makes: from a leaf to the root of a large feed, and the roots of a length.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use hypercore_flat_tree::{Index, full_roots, patch};

fn climb(c: &mut Criterion) {
    c.bench_function("climb 32 levels with siblings", |b| {
        b.iter(|| {
            let mut at = Index::from_block(black_box(0x1234_5678));
            let mut sum = 0_u64;
            while at.depth() < 32 {
                sum = sum.wrapping_add(at.sibling().get());
                at = at.parent();
            }
            sum
        });
    });
}

fn roots(c: &mut Criterion) {
    c.bench_function("full roots of a length with 26 of them", |b| {
        b.iter(|| full_roots(black_box((1 << 26) - 1)).fold(0_u64, |sum, root| sum ^ root.get()));
    });
    c.bench_function("patch from 1e6 to 1e9 blocks", |b| {
        b.iter(|| patch(black_box(1_000_000), black_box(1_000_000_000)).count());
    });
}

criterion_group!(benches, climb, roots);
criterion_main!(benches);
