//! A tree built from leaves, numbered by walking over it in order; every function must agree with it.

use std::collections::BTreeMap;

use flat_tree::{Cursor, Index, full_roots, patch};
use hypercore_flat_tree as flat_tree;

const LEAVES: u64 = 256;

#[derive(Clone, Debug)]
struct Place {
    depth: u32,
    first: u64,
    end: u64,
    parent: Option<u64>,
    children: Option<(u64, u64)>,
}

/// Numbers the tree over `first..end` in order, starting at `counter`; returns the number of its root.
fn number(
    first: u64,
    end: u64,
    counter: &mut u64,
    places: &mut BTreeMap<u64, Place>,
) -> (u64, u32) {
    let mut place = Place {
        depth: 0,
        first,
        end,
        parent: None,
        children: None,
    };
    let index;
    if end - first == 1 {
        index = *counter;
        *counter += 1;
    } else {
        let middle = first + (end - first) / 2;
        let (left, depth) = number(first, middle, counter, places);
        index = *counter;
        *counter += 1;
        let (right, _) = number(middle, end, counter, places);
        for child in [left, right] {
            places.get_mut(&child).expect("just made").parent = Some(index);
        }
        place.depth = depth + 1;
        place.children = Some((left, right));
    }
    let depth = place.depth;
    places.insert(index, place);
    (index, depth)
}

fn places() -> BTreeMap<u64, Place> {
    let mut places = BTreeMap::new();
    number(0, LEAVES, &mut 0, &mut places);
    places
}

#[test]
fn every_node_of_a_built_tree_agrees() {
    let places = places();
    assert_eq!(places.len() as u64, 2 * LEAVES - 1);
    let mut offsets = BTreeMap::<u32, u64>::new();
    for (&n, place) in &places {
        let index = Index::new(n);
        let offset = offsets.entry(place.depth).or_default();
        assert_eq!(index.depth(), place.depth);
        assert_eq!(index.offset(), *offset);
        assert_eq!(Index::at(place.depth, *offset), index);
        *offset += 1;

        assert_eq!(
            (index.first_block(), index.end_block()),
            (place.first, place.end)
        );
        assert_eq!(index.left_span(), Index::from_block(place.first));
        assert_eq!(index.right_span(), Index::from_block(place.end - 1));
        assert_eq!(index.next_tree(), Index::from_block(place.end));
        assert_eq!(index.leaf_count(), place.end - place.first);
        assert_eq!(index.is_leaf(), place.children.is_none());
        assert_eq!(index.block(), index.is_leaf().then_some(place.first));

        let children = place.children.map(|(l, r)| (Index::new(l), Index::new(r)));
        assert_eq!(index.children(), children);
        if let Some(parent) = place.parent {
            assert_eq!(index.parent(), Index::new(parent));
            let (left, right) = places[&parent].children.expect("a parent");
            assert_eq!(index.is_left(), n == left);
            assert_eq!(index.sibling().get(), left + right - n);
        }

        let below = places.keys().filter(|&&m| index.contains(Index::new(m)));
        assert_eq!(below.count() as u64, index.node_count());
        let mut up = Some(n);
        while let Some(m) = up {
            assert!(Index::new(m).contains(index));
            up = places[&m].parent;
        }
    }
}

/// The largest trees that lie inside of the feed and below no other such tree.
fn model_roots(places: &BTreeMap<u64, Place>, length: u64) -> Vec<Index> {
    let inside = |n: u64| places[&n].end <= length;
    places
        .iter()
        .filter(|&(&n, place)| inside(n) && place.parent.is_none_or(|parent| !inside(parent)))
        .map(|(&n, _)| Index::new(n))
        .collect()
}

#[test]
fn full_roots_are_the_maximal_trees() {
    let places = places();
    for length in 0..=LEAVES {
        let want = model_roots(&places, length);
        assert_eq!(full_roots(length).collect::<Vec<_>>(), want, "{length}");
        assert_eq!(full_roots(length).len(), want.len());
        assert!(full_roots(length).rev().eq(want.iter().rev().copied()));

        let mut cursor = Cursor::default();
        for &root in &want {
            assert!(cursor.full_root(length));
            assert_eq!(cursor.index(), root);
            cursor.next_tree();
        }
        let end = cursor.index();
        assert!(!cursor.full_root(length), "behind the end");
        assert_eq!(cursor.index(), end);
    }
}

#[test]
fn full_root_needs_a_leaf() {
    let mut cursor = Cursor::new(Index::new(1));
    assert!(!cursor.full_root(8));
    assert_eq!(cursor.index(), Index::new(1));
}

/// A patch is all that is needed: with the old roots it makes every new root, and nothing in it was there before.
#[test]
fn patches_turn_old_roots_into_new_ones() {
    for from in 1..=70 {
        for to in 0..=140 {
            let nodes: Vec<_> = patch(from, to).collect();
            if to <= from {
                assert!(nodes.is_empty(), "{from} to {to}");
                continue;
            }
            let mut have: Vec<_> = full_roots(from).collect();
            for &node in &nodes {
                assert!(
                    node.end_block() > from || have.contains(&node.children().expect("no leaf").0)
                );
                assert!(!have.contains(&node), "{node} twice");
                have.push(node);
            }
            for root in full_roots(to) {
                assert!(have.contains(&root), "{from} to {to}: no {root}");
            }
            // Parents come after both of their children, so one pass can hash them.
            for (i, node) in nodes.iter().enumerate() {
                if let Some((left, right)) = node.children()
                    && node.first_block() < from
                {
                    let earlier = |n| full_roots(from).any(|r| r == n) || nodes[..i].contains(&n);
                    assert!(earlier(left) && earlier(right), "{from} to {to}: {node}");
                }
            }
        }
    }
    assert_eq!(patch(0, 9).next(), None);
}
