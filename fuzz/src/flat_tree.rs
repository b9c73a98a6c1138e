//! Relatives agree with one another, roots cover the feed, and a patch turns old roots into new ones.

use flat_tree::{Cursor, Index, full_roots, patch};

/// 8 bytes each of an index, a length and a longer length, and one by which they are shortened, so that small and large
/// numbers are alike in number. What follows are the steps of a walk.
pub fn flat_tree(data: &[u8]) {
    let Some((shift, rest)) = data.split_first() else {
        return;
    };
    let Some((numbers, steps)) = rest.split_first_chunk::<24>() else {
        return;
    };
    let number = |at: usize| {
        let bytes = numbers[at..at + 8].iter();
        bytes.fold(0, |n, byte| n << 8 | u64::from(*byte)) >> (shift & 63)
    };
    let (n, from, to) = (number(0), number(8), number(16));
    let index = Index::new(n);
    walk(Cursor::new(index), steps, to);
    // Anything may be asked of any number; what the answers mean is promised below the limit only.
    assert!(full_roots(to).count() <= 64);
    assert!(patch(from, to).count() <= 4 * 64);
    if n < Index::LIMIT {
        relatives(index);
    }
    if from.max(to) < Index::LIMIT / 2 {
        roots(to);
        patches(from, to);
    }
}

fn relatives(index: Index) {
    assert_eq!(Index::at(index.depth(), index.offset()), index);
    let (parent, sibling) = (index.parent(), index.sibling());
    assert_eq!((sibling.sibling(), sibling.parent()), (index, parent));
    assert_ne!(index.is_left(), sibling.is_left());
    let (left, right) = match index.is_left() {
        true => (index, sibling),
        false => (sibling, index),
    };
    assert_eq!(parent.children(), Some((left, right)));
    assert_eq!(left.end_block(), right.first_block());
    assert_eq!(
        parent.first_block()..parent.end_block(),
        left.first_block()..right.end_block()
    );
    assert!(parent.contains(index) && !sibling.contains(index));
    assert_eq!(index.end_block() - index.first_block(), index.leaf_count());
    assert_eq!(index.node_count(), 2 * index.leaf_count() - 1);
    assert_eq!(index.next_tree(), Index::from_block(index.end_block()));
    match index.block() {
        Some(block) => assert_eq!(Index::from_block(block), index),
        None => assert!(index.children().is_some()),
    }
}

/// The roots lie side by side from the first block to the last, each smaller than the one before.
fn roots(length: u64) {
    let (mut end, mut depth) = (0, u32::MAX);
    for root in full_roots(length) {
        assert_eq!(root.first_block(), end);
        assert!(root.depth() < depth);
        (end, depth) = (root.end_block(), root.depth());
    }
    assert_eq!(end, length);
    assert!(full_roots(length).rev().eq({
        let mut roots: Vec<Index> = full_roots(length).collect();
        roots.reverse();
        roots
    }));
}

fn patches(from: u64, to: u64) {
    let nodes: Vec<Index> = patch(from, to).collect();
    if from == 0 || to <= from {
        assert!(nodes.is_empty());
        return;
    }
    let mut have: Vec<Index> = full_roots(from).collect();
    for node in nodes {
        assert!(!have.contains(&node));
        // What reaches into the old feed is a parent that can be hashed now.
        if node.first_block() < from {
            let (left, right) = node.children().expect("no leaf");
            assert!(have.contains(&left) && have.contains(&right));
        }
        have.push(node);
    }
    assert!(full_roots(to).all(|root| have.contains(&root)));
}

/// A cursor goes where the index says.
fn walk(mut cursor: Cursor, steps: &[u8], length: u64) {
    for step in steps.iter().take(200) {
        let at = cursor.index();
        let (to, expected) = match step % 10 {
            0 => (cursor.parent(), at.parent()),
            1 => (cursor.sibling(), at.sibling()),
            2 => (cursor.left_child(), at.left_child().unwrap_or(at)),
            3 => (cursor.right_child(), at.right_child().unwrap_or(at)),
            4 => (cursor.left_span(), at.left_span()),
            5 => (cursor.right_span(), at.right_span()),
            6 => (cursor.next_tree(), at.next_tree()),
            7 => {
                let next = cursor.next();
                (next, next)
            }
            8 => {
                let prev = cursor.prev();
                (prev, prev)
            }
            _ => {
                let is_root = cursor.full_root(length);
                assert!(is_root || cursor.index() == at);
                (cursor.index(), cursor.index())
            }
        };
        assert_eq!((cursor.index(), to), (expected, expected));
    }
}
