//! The bitfield against sets of numbers, around the edges of pages.

use std::collections::BTreeSet;

use flat_tree::Index;
use hypercore_bitfield::{Bitfield, PageSize};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    Set(u64, u64),
    Clear(u64, u64),
    Node(u64, bool),
    Abandon(u64),
}

/// Positions around the edges of pages, and a few far out.
fn place() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..40u64,
        8180..8200u64,
        16_370..16_400u64,
        40_950..40_970u64,
        81_900..82_000u64,
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (place(), 0..9000u64).prop_map(|(start, len)| Op::Set(start, len)),
        (place(), 0..9000u64).prop_map(|(start, len)| Op::Clear(start, len)),
        (place(), any::<bool>()).prop_map(|(node, value)| Op::Node(node, value)),
        place().prop_map(Op::Abandon),
    ]
}

/// The pages as they would be in the file.
fn file(bitfield: &Bitfield) -> Vec<Vec<u8>> {
    (0..bitfield.pages())
        .map(|number| bitfield.page_bytes(number))
        .collect()
}

/// The same content, taken over page by page in this order.
fn reloaded(pages: &[Vec<u8>], order: impl Iterator<Item = usize>) -> Vec<Vec<u8>> {
    let mut fresh = Bitfield::new(PageSize::Current);
    for number in order {
        fresh.load_page(number as u64, &pages[number]);
    }
    file(&fresh)
}

/// The index bytes of all pages as the format defines them, from nothing but the data bytes.
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
    // An odd byte at depth `d` lies between its children, 2^(d-1) away on either side; bottom up.
    for depth in (1..).take_while(|depth| 1 << depth <= len) {
        for at in ((1 << depth) - 1..len).step_by(2 << depth) {
            let child = |at: usize| index.get(at).copied().unwrap_or(0_u8);
            let (left, right) = (
                child(at - (1 << (depth - 1))),
                child(at + (1 << (depth - 1))),
            );
            let nibbles = [left >> 4, left & 15, right >> 4, right & 15];
            index[at] = nibbles.iter().fold(0, |byte, &n| byte << 2 | summary(n, 4));
        }
    }
    index
}

/// A page as it stands in the file is the bits of these blocks and nodes, and the index that follows from all of them.
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
        let part = |bytes: &[u8], len: usize| bytes[number * len..][..len].to_vec();
        assert!(page[..1024] == part(&data, 1024), "blocks of page {number}");
        assert!(
            page[1024..3072] == part(&tree, 2048),
            "nodes of page {number}"
        );
        assert!(page[3072..] == part(&index, 512), "index of page {number}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn behaves_like_sets_of_blocks_and_nodes(ops in prop::collection::vec(op(), 1..12)) {
        let mut bitfield = Bitfield::new(PageSize::Current);
        let (mut blocks, mut nodes) = (BTreeSet::new(), BTreeSet::new());
        for op in &ops {
            let mut draft = bitfield.draft();
            match *op {
                Op::Set(start, len) => {
                    let before = blocks.len();
                    blocks.extend(start..start + len);
                    let changed = draft.set_blocks(start..start + len, true);
                    prop_assert_eq!(changed, (blocks.len() - before) as u64);
                }
                Op::Clear(start, len) => {
                    let before = blocks.len();
                    blocks.retain(|block| !(start..start + len).contains(block));
                    let changed = draft.set_blocks(start..start + len, false);
                    prop_assert_eq!(changed, (before - blocks.len()) as u64);
                }
                Op::Node(node, value) => {
                    let changed = match value {
                        true => nodes.insert(node),
                        false => nodes.remove(&node),
                    };
                    prop_assert_eq!(draft.set_node(Index::new(node), value), changed);
                }
                Op::Abandon(block) => {
                    draft.set_block(block, true);
                    continue;
                }
            }
            let changes = draft.finish();
            let mut written = file(&bitfield);
            for (number, page) in changes.pages() {
                written.resize(written.len().max(number as usize + 1), vec![0; 3584]);
                written[number as usize] = page;
            }
            bitfield.apply(changes);
            // What was to be written is all that has changed.
            prop_assert!(written == file(&bitfield), "{:?}", op);
        }

        prop_assert_eq!(bitfield.blocks_end(), blocks.last().map_or(0, |last| last + 1));
        prop_assert_eq!(bitfield.count_blocks(0..u64::MAX), blocks.len() as u64);
        for from in [0, 1, 7, 39, 8191, 8192, 8193, 16_383, 16_384, 40_960, 81_919, 90_000, 1 << 52] {
            prop_assert_eq!(bitfield.has_block(from), blocks.contains(&from));
            prop_assert_eq!(bitfield.has_node(Index::new(from)), nodes.contains(&from));
            prop_assert_eq!(bitfield.next_block(from), blocks.range(from..).next().copied());
            let next = nodes.range(from..).next().map(|node| Index::new(*node));
            prop_assert_eq!(bitfield.next_node(Index::new(from)), next);
            let missing = (from..).find(|block| !blocks.contains(block)).unwrap();
            prop_assert_eq!(bitfield.next_missing(from), missing);
            let end = from + 9000;
            prop_assert_eq!(bitfield.count_blocks(from..end), blocks.range(from..end).count() as u64);
            for range in [0..from, from..from + 1, from..from + 5, from + 3..from + 9000, from..u64::MAX] {
                let last = blocks.range(range.clone()).next_back().copied();
                prop_assert_eq!(bitfield.last_block(range), last);
            }
            let runs: Vec<u64> = bitfield.block_runs(from..end).flatten().collect();
            let expected: Vec<u64> = blocks.range(from..end).copied().collect();
            prop_assert_eq!(runs, expected);
        }
        let mut bits = vec![0xaa; 3000];
        bitfield.copy_block_bits(8000, &mut bits);
        for (at, byte) in (1000..).zip(&bits) {
            for bit in 0..8 {
                let set = byte & (128 >> bit) != 0;
                prop_assert_eq!(set, blocks.contains(&(8 * at + bit)));
            }
        }
        // The index bytes follow from the data bits, whatever the order in which those came.
        let pages = file(&bitfield);
        assert_file(&pages, &blocks, &nodes);
        prop_assert!(reloaded(&pages, 0..pages.len()) == pages, "forwards");
        prop_assert!(reloaded(&pages, (0..pages.len()).rev()) == pages, "backwards");
    }
}

#[test]
fn a_page_that_is_loaded_keeps_the_index_over_other_pages() {
    let mut bitfield = Bitfield::default();
    let mut draft = bitfield.draft();
    // Byte 1023, at the end of page 1, describes both pages.
    draft.set_node(Index::new(16_384), true);
    draft.set_block(0, true);
    let changes = draft.finish();
    bitfield.apply(changes);
    let pages = file(&bitfield);
    assert_eq!(pages[1].last(), Some(&0x40));
    assert!(reloaded(&pages, 0..2) == pages);
    assert!(reloaded(&pages, [1, 0].into_iter()) == pages);
}

#[test]
fn clearing_passes_over_pages_that_are_not_there() {
    let mut bitfield = Bitfield::default();
    let mut draft = bitfield.draft();
    draft.set_block(u64::MAX - 1, true);
    let changes = draft.finish();
    bitfield.apply(changes);
    let mut draft = bitfield.draft();
    draft.set_block(1 << 40, true);
    assert_eq!(draft.set_blocks(0..u64::MAX, false), 2);
}

#[test]
fn the_last_numbers_of_all_are_numbers_like_others() {
    let mut bitfield = Bitfield::default();
    let mut draft = bitfield.draft();
    draft.set_blocks(u64::MAX - 9..u64::MAX, true);
    assert!(draft.set_node(Index::new(u64::MAX), true));
    let changes = draft.finish();
    bitfield.apply(changes);
    assert_eq!(bitfield.next_missing(u64::MAX - 9), u64::MAX);
    assert_eq!(bitfield.blocks_end(), u64::MAX);
    assert_eq!(bitfield.count_blocks(0..u64::MAX), 9);
    assert_eq!(bitfield.node_bits(), u64::MAX);
    bitfield.load_page(u64::MAX, &[0xff; 3584]);
    assert_eq!(bitfield.count_blocks(0..u64::MAX), 9);
}

#[test]
fn a_bit_far_out_costs_a_few_pages() {
    let mut bitfield = Bitfield::default();
    let mut draft = bitfield.draft();
    assert!(draft.set_block(3, true));
    assert!(draft.set_block((1 << 52) - 1, true));
    let changes = draft.finish();
    // The two pages, and those whose index bytes lie between.
    assert!(changes.pages().count() < 100);
    bitfield.apply(changes);
    assert_eq!(bitfield.next_block(4), Some((1 << 52) - 1));
    assert_eq!(bitfield.next_missing((1 << 52) - 1), 1 << 52);
}

#[test]
fn changes_name_earlier_pages_whose_index_has_changed() {
    let mut bitfield = Bitfield::default();
    let mut draft = bitfield.draft();
    draft.set_blocks(0..8192, true);
    let changes = draft.finish();
    bitfield.apply(changes);
    let mut draft = bitfield.draft();
    draft.set_blocks(8192..16_384, true);
    let changes = draft.finish();
    let pages: Vec<u64> = changes.pages().map(|(number, _)| number).collect();
    // Byte 511 of page 0 is the root over pages 0 and 1.
    assert_eq!(pages, [0, 1]);
}

#[test]
fn a_short_page_is_zeros_at_its_end() {
    let mut bitfield = Bitfield::default();
    bitfield.load_page(0, &[0xff]);
    assert_eq!(bitfield.count_blocks(0..100), 8);
    assert_eq!(bitfield.page_bytes(0).len(), 3584);
    let mut old = Bitfield::new(PageSize::Legacy);
    old.load_page(0, &[0xff; 3328]);
    assert_eq!(old.count_blocks(0..8192), 8192);
    let bytes = old.page_bytes(0);
    assert_eq!(bytes.len(), 3328);
    assert_eq!(bytes[..3072], [0xff; 3072]);
    // Half of an index would be read as that of other data, and hide gaps.
    assert_eq!(bytes[3072..], [0; 256]);
}
