//! Bitfields and sets of ranges are sets of numbers; what is to be written is all that has changed.

use std::collections::BTreeSet;

use bitfield::{Bitfield, PageSize, RangeSet};
use flat_tree::Index;

const PAGE: usize = 3584;

/// How many pages the positions here reach over, and how many those with what follows them.
const PAGES: u64 = 6;
const ALL_PAGES: usize = 14;

/// The first byte says how many operations of 5 bytes follow (kind, position, length); what is left are pages to begin
/// with, cut off where they end.
pub fn bitfield_model(data: &[u8]) {
    let Some((count, rest)) = data.split_first() else {
        return;
    };
    let (ops, pages) = rest.split_at(rest.len().min(5 * usize::from(count & 63)));
    let mut blocks = vec![false; ALL_PAGES * 8192];
    let mut nodes = vec![false; ALL_PAGES * 16_384];
    let mut bitfield = Bitfield::new(PageSize::Current);
    // Backwards: the order must not matter.
    let pages: Vec<&[u8]> = pages.chunks(700).take(PAGES as usize).collect();
    for (number, page) in pages.iter().enumerate().rev() {
        bitfield.load_page(number as u64, page);
        let (data, tree) = page.split_at(page.len().min(1024));
        set_bits(&mut blocks[8192 * number..], data);
        set_bits(&mut nodes[16_384 * number..], tree);
    }

    let mut written = file(&bitfield);
    for op in ops.chunks_exact(5) {
        let position = u16::from_be_bytes([op[1], op[2]]);
        let length = u16::from_be_bytes([op[3], op[4]]) >> (op[0] >> 4);
        let start = u64::from(position) % (PAGES * 8192);
        let range = start..start + u64::from(length);
        let modelled = &mut blocks[start as usize..range.end as usize];
        let mut draft = bitfield.draft();
        match op[0] % 4 {
            kind @ 0..2 => {
                let value = kind == 0;
                let changed = modelled.iter().filter(|bit| **bit != value).count();
                modelled.fill(value);
                assert_eq!(draft.set_blocks(range.clone(), value), changed as u64);
            }
            2 => {
                let value = length % 2 == 1;
                let index = Index::new(position.into());
                let before = std::mem::replace(&mut nodes[usize::from(position)], value);
                assert_eq!(draft.set_node(index, value), before != value);
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
        let after = |wanted: bool| {
            let bits = blocks[start as usize..].iter();
            (start..)
                .zip(bits)
                .find_map(|(at, bit)| (*bit == wanted).then_some(at))
        };
        assert_eq!(bitfield.next_block(start), after(true));
        let end = blocks.len() as u64;
        assert_eq!(bitfield.next_missing(start), after(false).unwrap_or(end));
        let set = blocks[start as usize..range.end as usize].iter();
        let set = set.filter(|bit| **bit).count() as u64;
        assert_eq!(bitfield.count_blocks(range.clone()), set);
        let last = range.clone().rev().find(|block| blocks[*block as usize]);
        assert_eq!(bitfield.last_block(range.clone()), last);
        assert_eq!(bitfield.has_blocks(range.clone()), set == range.end - start);
    }
    assert!(written == file(&bitfield));
    assert_file(&written, &blocks, &nodes);
    let last = blocks.iter().rposition(|bit| *bit);
    let end = last.map_or(0, |last| last as u64 + 1);
    assert_eq!(bitfield.blocks_end(), end);
    let mut runs = vec![false; blocks.len()];
    for run in bitfield.block_runs(0..u64::MAX) {
        runs[run.start as usize..run.end as usize].fill(true);
    }
    assert!(runs == blocks);
}

fn set_bits(bits: &mut [bool], bytes: &[u8]) {
    for (at, bit) in bits.iter_mut().enumerate().take(8 * bytes.len()) {
        *bit = bytes[at / 8] & (128 >> (at % 8)) != 0;
    }
}

/// The pages are these bits, and the index is what its definition makes of them.
fn assert_file(pages: &[Vec<u8>], blocks: &[bool], nodes: &[bool]) {
    let pack = |bits: &[bool]| {
        let byte = |bits: &[bool]| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
        bits.chunks(8).map(byte).collect::<Vec<u8>>()
    };
    let (data, tree) = (pack(blocks), pack(nodes));
    let (data, no_blocks) = data.split_at(1024 * pages.len());
    let (tree, no_nodes) = tree.split_at(2048 * pages.len());
    assert!(no_blocks.iter().chain(no_nodes).all(|byte| *byte == 0));
    let index = naive_index(data);
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
