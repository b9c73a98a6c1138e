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

/// The same content, written in one go from scratch.
fn rebuilt(bitfield: &Bitfield) -> Bitfield {
    let mut fresh = Bitfield::new(bitfield.page_size());
    for number in 0..bitfield.pages() {
        fresh.load_page(number, &bitfield.page_bytes(number));
    }
    fresh
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
            bitfield.apply(changes);
        }

        prop_assert_eq!(bitfield.blocks_end(), blocks.last().map_or(0, |last| last + 1));
        prop_assert_eq!(bitfield.count_blocks(0..u64::MAX), blocks.len() as u64);
        for from in [0, 1, 7, 39, 8191, 8192, 8193, 16_383, 16_384, 40_960, 81_919, 90_000, 1 << 52] {
            prop_assert_eq!(bitfield.has_block(from), blocks.contains(&from));
            prop_assert_eq!(bitfield.has_node(Index::new(from)), nodes.contains(&from));
            prop_assert_eq!(bitfield.next_block(from), blocks.range(from..).next().copied());
            let missing = (from..).find(|block| !blocks.contains(block)).unwrap();
            prop_assert_eq!(bitfield.next_missing(from), missing);
            let end = from + 9000;
            prop_assert_eq!(bitfield.count_blocks(from..end), blocks.range(from..end).count() as u64);
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
        let fresh = rebuilt(&bitfield);
        for number in 0..bitfield.pages() {
            prop_assert!(fresh.page_bytes(number) == bitfield.page_bytes(number), "page {}", number);
        }
    }
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
    assert_eq!(old.page_bytes(0).len(), 3328);
    assert_eq!(old.count_blocks(0..8192), 8192);
}
