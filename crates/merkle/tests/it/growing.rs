//! Growing roots against a tree that is computed from nothing each time.

use std::collections::BTreeMap;

use bytes::Bytes;
use flat_tree::{Index, full_roots};
use hypercore_merkle::{MAX_BLOCKS, MAX_BYTES, Node, Roots, RootsError};
use testkit::{Rng, seed};

use crate::author::made_up;

/// The node at a position, computed from the blocks below it, and all nodes on the way.
fn naive(blocks: &[Bytes], index: Index, all: &mut BTreeMap<Index, Node>) -> Node {
    let node = match index.children() {
        None => Node::leaf(index.first_block(), &blocks[index.first_block() as usize]),
        Some((left, right)) => {
            let (left, right) = (naive(blocks, left, all), naive(blocks, right, all));
            Node::parent(&left, &right).unwrap()
        }
    };
    all.insert(index, node);
    node
}

/// All nodes of a feed, and its roots.
fn naive_tree(blocks: &[Bytes]) -> (BTreeMap<Index, Node>, Vec<Node>) {
    let mut all = BTreeMap::new();
    let roots = full_roots(blocks.len() as u64);
    let roots = roots.map(|root| naive(blocks, root, &mut all)).collect();
    (all, roots)
}

#[test]
fn an_append_of_any_size_gives_the_naive_tree() {
    let blocks: Vec<Bytes> = (0..70).map(|block| made_up(1, block)).collect();
    for from in 0..=blocks.len() {
        let start = Roots::new().append(&blocks[..from]).unwrap().roots;
        let (before, _) = naive_tree(&blocks[..from]);
        for to in from..=blocks.len() {
            let growth = start.append(&blocks[from..to]).unwrap();
            let (all, roots) = naive_tree(&blocks[..to]);
            assert_eq!(growth.roots.nodes(), roots, "{from}..{to}");
            assert_eq!(growth.roots.length(), to as u64);
            let bytes: usize = blocks[..to].iter().map(Bytes::len).sum();
            assert_eq!(growth.roots.byte_length(), bytes as u64);
            let new = all
                .values()
                .filter(|node| !before.contains_key(&node.index));
            assert!(growth.nodes.iter().eq(new), "{from}..{to}");
        }
    }
}

#[test]
fn large_and_small_blocks_in_one_append_give_the_naive_tree() {
    let mut rng = Rng::new(seed(1));
    for _ in 0..20 {
        let blocks: Vec<Bytes> = (0..1 + rng.below(40))
            .map(|_| {
                let len = if rng.one_in(3) { 9000 } else { 60 };
                let len = rng.below(len) as usize;
                rng.bytes(len).into()
            })
            .collect();
        let growth = Roots::new().append(&blocks).unwrap();
        let (all, roots) = naive_tree(&blocks);
        assert_eq!(growth.roots.nodes(), roots);
        assert!(growth.nodes.iter().eq(all.values()));
    }
}

#[test]
fn nodes_that_are_not_the_roots_of_a_length_are_refused() {
    let nodes = Roots::new()
        .append(&[Bytes::new(), Bytes::new()])
        .unwrap()
        .nodes;
    let (leaf, parent) = (nodes[0], nodes[1]);
    assert!(Roots::from_nodes(2, vec![parent]).is_ok());
    assert!(Roots::from_nodes(1, vec![leaf]).is_ok());
    for (length, nodes) in [
        (0, vec![leaf]),
        (1, vec![]),
        (1, vec![parent]),
        (2, vec![leaf]),
        (2, vec![leaf, nodes[2]]),
        (2, vec![parent, parent]),
        (3, vec![parent]),
    ] {
        let result = Roots::from_nodes(length, nodes);
        assert_eq!(result, Err(RootsError::NotRoots { length }));
    }
}

#[test]
fn a_feed_never_outgrows_the_numbers_of_javascript() {
    let root = |index: Index, size| Node {
        index,
        size,
        hash: crypto::Hash::new([7; 32]),
    };
    let longest = full_roots(MAX_BLOCKS).map(|index| root(index, 0)).collect();
    let longest = Roots::from_nodes(MAX_BLOCKS, longest).unwrap();
    assert!(longest.append(&[]).is_ok());
    assert_eq!(longest.append(&[Bytes::new()]), Err(RootsError::TooLong));
    let longer = Roots::from_nodes(MAX_BLOCKS + 1, Vec::new());
    assert_eq!(longer, Err(RootsError::TooLong));

    let largest = Roots::from_nodes(1, vec![root(Index::from_block(0), MAX_BYTES)]).unwrap();
    assert!(largest.append(&[Bytes::new()]).is_ok());
    let larger = largest.append(&[Bytes::from_static(b"x")]);
    assert!(matches!(larger, Err(RootsError::Size(_))));
}

#[test]
fn a_node_has_one_form_in_a_file_and_a_blank_is_none() {
    let node = Node::leaf(3, b"some bytes");
    assert_eq!(Node::from_bytes(node.index, &node.to_bytes()), Some(node));
    assert_eq!(Node::from_bytes(node.index, &[0; Node::LEN]), None);
    // An empty block is no blank: its hash isn't.
    let empty = Node::leaf(3, b"");
    assert_eq!(
        Node::from_bytes(empty.index, &empty.to_bytes()),
        Some(empty)
    );
    let mut vast = node.to_bytes();
    vast[Node::LEN - 8..].copy_from_slice(&(MAX_BYTES + 1).to_be_bytes());
    assert_eq!(Node::from_bytes(node.index, &vast), None);
}
