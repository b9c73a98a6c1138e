//! What the JavaScript package computes, number for number.

use flat_tree::{Cursor, Index, full_roots, patch};
use hypercore_flat_tree as flat_tree;
use testkit::vectors::{int, ints, list, load};

/// JavaScript says -1 where there is no child, and the vectors say null where its numbers are not exact.
#[test]
fn vectors_of_single_nodes() {
    let file = load("flat-tree.json");
    for node in list(&file["nodes"]) {
        let index = Index::new(int(&node["index"]));
        let same = |name: &str, got: u64| {
            if !node[name].is_null() {
                assert_eq!(got, int(&node[name]), "{name} of {index}");
            }
        };
        same("depth", index.depth().into());
        same("offset", index.offset());
        same("parent", index.parent().get());
        same("sibling", index.sibling().get());
        same("leftSpan", index.left_span().get());
        same("rightSpan", index.right_span().get());
        same("count", index.node_count());
        same("countLeaves", index.leaf_count());
        same("nextLeaf", index.next_tree().get());
        if index.is_leaf() {
            assert_eq!(node["leftChild"].as_i64(), Some(-1));
            assert!(node["children"].is_null());
            assert_eq!(index.left_child(), None);
            assert_eq!(index.right_child(), None);
            assert_eq!(index.children(), None);
        } else {
            let (left, right) = index.children().expect("no leaf");
            assert_eq!(index.left_child(), Some(left));
            assert_eq!(index.right_child(), Some(right));
            same("leftChild", left.get());
            same("rightChild", right.get());
        }
    }
}

#[test]
fn vectors_of_depth_and_offset() {
    let file = load("flat-tree.json");
    for place in list(&file["index"]) {
        let depth = u32::try_from(int(&place["depth"])).expect("small");
        let offset = int(&place["offset"]);
        let index = Index::at(depth, offset);
        assert_eq!(index.get(), int(&place["index"]));
        assert_eq!((index.depth(), index.offset()), (depth, offset));
    }
}

#[test]
fn vectors_of_full_roots() {
    let file = load("flat-tree.json");
    for roots in list(&file["fullRoots"]) {
        let length = Index::new(int(&roots["index"])).block().expect("even");
        let want: Vec<_> = ints(&roots["roots"]).into_iter().map(Index::new).collect();
        assert_eq!(full_roots(length).len(), want.len());
        assert_eq!(full_roots(length).collect::<Vec<_>>(), want, "{length}");
        assert!(full_roots(length).rev().eq(want.iter().rev().copied()));
    }
}

#[test]
fn vectors_of_patches() {
    let file = load("flat-tree.json");
    for case in list(&file["patch"]) {
        let from = Index::new(int(&case["from"])).block().expect("even");
        let to = Index::new(int(&case["to"])).block().expect("even");
        let want: Vec<_> = ints(&case["nodes"]).into_iter().map(Index::new).collect();
        assert_eq!(patch(from, to).collect::<Vec<_>>(), want, "{from} to {to}");
    }
}

#[test]
fn vectors_of_walks() {
    let file = load("flat-tree.json");
    for walk in list(&file["walks"]) {
        let mut cursor = Cursor::new(Index::new(int(&walk["start"])));
        for step in list(&walk["steps"]) {
            let op = step["op"].as_str().expect("a name");
            let got = match op {
                "next" => cursor.next(),
                "prev" => cursor.prev(),
                "sibling" => cursor.sibling(),
                "parent" => cursor.parent(),
                "leftSpan" => cursor.left_span(),
                "rightSpan" => cursor.right_span(),
                "leftChild" => cursor.left_child(),
                "rightChild" => cursor.right_child(),
                "nextTree" => cursor.next_tree(),
                "prevTree" => cursor.prev_tree(),
                other => unreachable!("no such step: {other}"),
            };
            assert_eq!(got.get(), int(&step["index"]), "{op}");
            assert_eq!(got, cursor.index());
            assert_eq!(cursor.offset(), int(&step["offset"]), "{op}");
            assert_eq!(cursor.stride(), int(&step["factor"]), "{op}");
            assert_eq!(Some(cursor.is_left()), step["isLeft"].as_bool(), "{op}");
        }
    }
}
