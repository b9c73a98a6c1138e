//! Large numbers: exact below the limit, no panic above it.

use flat_tree::{Cursor, Index, full_roots, patch};
use hypercore_flat_tree as flat_tree;

/// Numbers around every power of two, below `end`.
fn edges(end: u64) -> impl Iterator<Item = u64> {
    (0..64)
        .flat_map(|shift| {
            let power = 1_u64 << shift;
            [
                power - 1,
                power,
                power + 1,
                power | power >> 1,
                power - 1 + power / 2,
            ]
        })
        .chain([u64::MAX - 1, u64::MAX])
        .filter(move |&n| n < end)
}

/// The same functions over numbers that cannot overflow.
#[test]
fn exact_below_the_limit() {
    for n in edges(Index::LIMIT) {
        let index = Index::new(n);
        let wide = u128::from(n);
        let depth = wide.trailing_ones();
        let width = 1_u128 << depth;
        let at = |depth: u32, offset: u128| (2 * offset + 1) * (1 << depth) - 1;
        let offset = wide >> (depth + 1);

        assert_eq!(index.depth(), depth);
        assert_eq!(u128::from(index.offset()), offset);
        assert_eq!(u128::from(index.parent().get()), at(depth + 1, offset / 2));
        assert_eq!(u128::from(index.sibling().get()), at(depth, offset ^ 1));
        assert_eq!(u128::from(index.left_span().get()), wide + 1 - width);
        assert_eq!(u128::from(index.right_span().get()), wide + width - 1);
        assert_eq!(u128::from(index.next_tree().get()), wide + 1 + width);
        assert_eq!(u128::from(index.leaf_count()), width);
        assert_eq!(u128::from(index.node_count()), 2 * width - 1);
        if let Some((left, right)) = index.children() {
            assert_eq!(u128::from(left.get()), at(depth - 1, 2 * offset));
            assert_eq!(u128::from(right.get()), at(depth - 1, 2 * offset + 1));
            assert_eq!((left.parent(), right.parent()), (index, index));
        }
    }
}

#[test]
fn full_roots_of_long_feeds_cover_them() {
    for length in edges(Index::LIMIT / 2) {
        let mut end = 0;
        for root in full_roots(length) {
            assert_eq!(root.first_block(), end);
            end = root.end_block();
        }
        assert_eq!(end, length);
        assert_eq!(full_roots(length).len(), full_roots(length).count());
    }
}

#[test]
fn patches_of_long_feeds_stay_short() {
    for from in edges(Index::LIMIT / 2) {
        for to in edges(Index::LIMIT / 2) {
            assert!(patch(from, to).count() <= 3 * 64);
        }
    }
}

#[test]
fn nothing_panics_above_the_limit() {
    for n in edges(u64::MAX).chain([u64::MAX]) {
        let index = Index::new(n);
        let _ = (
            index.parent(),
            index.sibling(),
            index.children(),
            index.block(),
        );
        let _ = (index.left_span(), index.right_span(), index.next_tree());
        let _ = (index.first_block(), index.end_block(), index.offset());
        let _ = (
            index.node_count(),
            index.leaf_count(),
            index.contains(index),
        );
        let _ = (
            Index::from_block(n),
            Index::at(n.trailing_ones(), n),
            Index::at(64, n),
        );
        assert!(full_roots(n).count() <= 64);
        assert!(full_roots(n).rev().count() <= 64);
        assert!(patch(n / 2, n).count() <= 4 * 64);
        assert!(patch(n, u64::MAX).count() <= 4 * 64);
        let mut cursor = Cursor::new(index);
        cursor.next();
        cursor.prev();
        cursor.next_tree();
        cursor.prev_tree();
        cursor.full_root(u64::MAX);
        // From the first leaf everything fits below everything: only the top ends the climb.
        for leaf in [0, n & !1] {
            assert!(Cursor::new(Index::new(leaf)).full_root(u64::MAX));
        }
    }
}

#[test]
fn everything_works_in_constants() {
    const LEAF: Index = Index::from_block(3);
    const PARENT: Index = LEAF.parent();
    const ROOT: Option<Index> = full_roots(12).next_root();
    assert_eq!(PARENT, Index::new(5));
    assert_eq!(ROOT, Some(Index::new(7)));
}

#[test]
fn prints_as_its_number() {
    assert_eq!(
        format!("{} {:?}", Index::new(12), Some(Index::new(7))),
        "12 Some(7)"
    );
}
