//! Bitfields and sets of ranges are sets of numbers; what is to be written is all that has changed.

use std::collections::BTreeSet;

use bitfield::{Bitfield, PageSize, RangeSet};
use flat_tree::Index;

const PAGE: usize = 3584;

/// How many pages the positions here reach over.
const PAGES: u64 = 6;

/// The first byte says how many operations of 5 bytes follow (kind, position, length); what is left are pages to begin
/// with, cut off where they end.
pub fn bitfield_model(data: &[u8]) {
    let Some((count, rest)) = data.split_first() else {
        return;
    };
    let (ops, pages) = rest.split_at(rest.len().min(5 * usize::from(count & 63)));
    let (mut blocks, mut nodes) = (BTreeSet::new(), BTreeSet::new());
    let mut bitfield = Bitfield::new(PageSize::Current);
    // Backwards: the order must not matter.
    let pages: Vec<&[u8]> = pages.chunks(700).take(PAGES as usize).collect();
    for (number, page) in pages.iter().enumerate().rev() {
        let number = number as u64;
        bitfield.load_page(number, page);
        let (data, tree) = page.split_at(page.len().min(1024));
        blocks.extend(bits_of(data).map(|bit| bit + 8192 * number));
        nodes.extend(bits_of(tree).map(|bit| bit + 16_384 * number));
    }

    let mut written = file(&bitfield);
    for op in ops.chunks_exact(5) {
        let position = u64::from(u16::from_be_bytes([op[1], op[2]]));
        let length = u64::from(u16::from_be_bytes([op[3], op[4]])) >> (op[0] >> 4);
        let range = position % (PAGES * 8192)..position % (PAGES * 8192) + length;
        let mut draft = bitfield.draft();
        match op[0] % 4 {
            0 => {
                let before = blocks.len();
                blocks.extend(range.clone());
                let changed = (blocks.len() - before) as u64;
                assert_eq!(draft.set_blocks(range, true), changed);
            }
            1 => {
                let before = blocks.len();
                blocks.retain(|block| !range.contains(block));
                let changed = (before - blocks.len()) as u64;
                assert_eq!(draft.set_blocks(range, false), changed);
            }
            2 => {
                let value = length % 2 == 1;
                let changed = match value {
                    true => nodes.insert(position),
                    false => nodes.remove(&position),
                };
                assert_eq!(draft.set_node(Index::new(position), value), changed);
            }
            // Drafted, and then given up.
            _ => {
                draft.set_blocks(range, length % 2 == 1);
                continue;
            }
        }
        let changes = draft.finish();
        for (number, page) in changes.pages() {
            let len = written.len().max(number as usize + 1);
            written.resize(len, vec![0; PAGE]);
            written[number as usize] = page;
        }
        bitfield.apply(changes);
        let next = blocks.range(position..).next().copied();
        assert_eq!(bitfield.next_block(position), next);
        let missing = (position..).find(|block| !blocks.contains(block));
        assert_eq!(Some(bitfield.next_missing(position)), missing);
        let counted = blocks.range(position..position + 9000).count() as u64;
        assert_eq!(bitfield.count_blocks(position..position + 9000), counted);
    }
    assert!(written == file(&bitfield));
    assert_file(&written, &blocks, &nodes);
    assert!(bitfield.block_runs(0..u64::MAX).flatten().eq(blocks));
}

/// The pages are these bits, and the index is what its definition makes of them.
fn assert_file(pages: &[Vec<u8>], blocks: &BTreeSet<u64>, nodes: &BTreeSet<u64>) {
    let bits = |set: &BTreeSet<u64>, bytes: usize| {
        let mut bits = vec![0_u8; bytes * pages.len()];
        for bit in set {
            bits[*bit as usize / 8] |= 128 >> (bit % 8);
        }
        bits
    };
    let (data, tree) = (bits(blocks, 1024), bits(nodes, 2048));
    let index = naive_index(&data);
    for (number, page) in pages.iter().enumerate() {
        assert!(page[..1024] == data[1024 * number..][..1024]);
        assert!(page[1024..3072] == tree[2048 * number..][..2048]);
        assert!(page[3072..] == index[512 * number..][..512]);
    }
}

fn naive_index(data: &[u8]) -> Vec<u8> {
    let summary = |bits: u8, width: u32| match bits {
        0 => 0,
        all if all == u8::MAX >> (8 - width) => 3,
        _ => 1,
    };
    let len = data.len() / 2;
    let mut index = vec![0; len];
    for (group, bytes) in data.chunks(4).enumerate() {
        index[2 * group] = bytes.iter().fold(0, |byte, &b| byte << 2 | summary(b, 8));
    }
    for depth in (1..).take_while(|depth| 1 << depth <= len) {
        for at in ((1 << depth) - 1..len).step_by(2 << depth) {
            let child = |at: usize| index.get(at).copied().unwrap_or(0_u8);
            let away = 1 << (depth - 1);
            let (left, right) = (child(at - away), child(at + away));
            let nibbles = [left >> 4, left & 15, right >> 4, right & 15];
            index[at] = nibbles.iter().fold(0, |byte, &n| byte << 2 | summary(n, 4));
        }
    }
    index
}

fn file(bitfield: &Bitfield) -> Vec<Vec<u8>> {
    (0..bitfield.pages())
        .map(|number| bitfield.page_bytes(number))
        .collect()
}

fn bits_of(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let set = |bit: &u64| bytes[*bit as usize / 8] & (128 >> (bit % 8)) != 0;
    (0..8 * bytes.len() as u64).filter(set)
}

/// The first byte says where the numbers are, near 0 or near the largest; then three bytes for each operation.
pub fn range_set_model(data: &[u8]) {
    let Some((place, ops)) = data.split_first() else {
        return;
    };
    let base = match place & 1 {
        0 => 0,
        _ => u64::MAX - 300,
    };
    let (mut set, mut model) = (RangeSet::new(), BTreeSet::new());
    for op in ops.chunks_exact(3).take(200) {
        let start = base + u64::from(op[1]);
        let range = start..start + u64::from(op[2] % 45);
        let before = model.len();
        if op[0] & 1 == 0 {
            model.extend(range.clone());
            let added = (model.len() - before) as u64;
            assert_eq!(set.insert(range.clone()), added);
        } else {
            model.retain(|number| !range.contains(number));
            let removed = (before - model.len()) as u64;
            assert_eq!(set.remove(range.clone()), removed);
        }
        let runs: Vec<_> = set.iter().collect();
        // Apart from one another, so that there is one form of each set, and it is the smallest.
        assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start));
        assert!(runs.iter().cloned().flatten().eq(model.iter().copied()));
        let from = start + u64::from(op[0] >> 1) % 45;
        assert_eq!(set.contains(from), model.contains(&from));
        assert_eq!(set.next_in(from), model.range(from..).next().copied());
        let out = (from..).find(|number| !model.contains(number));
        assert_eq!(Some(set.next_out(from)), out);
        let within: Vec<u64> = model.range(range.clone()).copied().collect();
        assert_eq!(set.count(range.clone()), within.len() as u64);
        assert!(set.intersection(range.clone()).flatten().eq(within));
        let all = range.clone().all(|number| model.contains(&number));
        assert_eq!(set.contains_all(range), all);
    }
    assert_eq!(set.first(), model.first().copied());
    assert_eq!(set.end(), model.last().map_or(0, |last| last + 1));
    assert!(set == set.iter().rev().collect());
}
