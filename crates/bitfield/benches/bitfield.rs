//! Marking a block, looking for the next missing one, and turning a peer's bits into runs.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use hypercore_bitfield::{Bitfield, RangeSet};

fn filled(blocks: u64) -> Bitfield {
    let mut bitfield = Bitfield::default();
    let mut draft = bitfield.draft();
    draft.set_blocks(0..blocks, true);
    let changes = draft.finish();
    bitfield.apply(changes);
    bitfield
}

fn bitfield(c: &mut Criterion) {
    let bitfield = filled(1_000_000);
    c.bench_function("draft and finish one block", |b| {
        b.iter(|| {
            let mut draft = bitfield.draft();
            draft.set_block(1_000_000, true);
            black_box(draft.finish())
        });
    });
    let pages: Vec<Vec<u8>> = (0..bitfield.pages())
        .map(|number| bitfield.page_bytes(number))
        .collect();
    c.bench_function("load 123 pages", |b| {
        b.iter(|| {
            let mut loaded = Bitfield::default();
            for (number, page) in (0..).zip(&pages) {
                loaded.load_page(number, page);
            }
            loaded
        });
    });
    c.bench_function("next missing of 1000000", |b| {
        b.iter(|| black_box(bitfield.next_missing(0)))
    });
    c.bench_function("count 1000000", |b| {
        b.iter(|| black_box(bitfield.count_blocks(5..999_999)))
    });
}

fn ranges(c: &mut Criterion) {
    let ragged: RangeSet = (0..10_000).map(|n| 3 * n..3 * n + 2).collect();
    c.bench_function("insert and remove in 10000 runs", |b| {
        let mut set = ragged.clone();
        b.iter(|| {
            set.insert(15_000..15_003);
            set.remove(15_002..15_003);
        });
    });
}

criterion_group!(benches, bitfield, ranges);
criterion_main!(benches);
