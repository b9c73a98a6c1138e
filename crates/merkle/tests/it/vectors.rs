//! `merkle.json`, `tree-index.json` and `put-v8.json`, `put-v9.json`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use crypto::{Dialect, Hash, KeyPair, PublicKey, Signature};
use flat_tree::{Index, full_roots};
use hypercore_merkle::{
    Node, NodeBits, NodeSet, NodeSetMut, Proof, ProofError, ProofRequest, RemoteTree, Roots,
    blocks, digest, insert, plan_proof, verified_by,
};
use serde_json::Value;
use testkit::vectors::{hex, hex_array, int, ints, list, load, pattern_block};

use crate::author::Reader;

fn node(value: &Value) -> Node {
    Node {
        index: Index::new(int(&value["index"])),
        size: int(&value["size"]),
        hash: Hash::new(hex_array(&value["hash"])),
    }
}

fn indices(nodes: &[Index]) -> Vec<u64> {
    nodes.iter().map(|index| index.get()).collect()
}

#[test]
fn roots_grow_as_in_the_vectors() {
    let file = load("merkle.json");
    let pair = KeyPair::from_seed(hex_array(&file["seed"]));
    assert_eq!(pair.public(), PublicKey::new(hex_array(&file["publicKey"])));
    let (base, sizes) = (int(&file["base"]), ints(&file["sizes"]));
    let block = |index: u64| pattern_block(base, index, sizes[index as usize] as usize).into();
    let mut roots = Roots::new();
    for state in list(&file["states"]) {
        let length = int(&state["length"]);
        // From state to state in one batch.
        let batch: Vec<Bytes> = (roots.length()..length).map(block).collect();
        roots = roots.append(&batch).unwrap().roots;
        assert_eq!(roots.byte_length(), int(&state["byteLength"]));
        let expected: Vec<Node> = list(&state["roots"]).iter().map(node).collect();
        assert_eq!(roots.nodes(), expected);
        assert_eq!(roots.tree_hash(), Hash::new(hex_array(&state["treeHash"])));
        for (dialect, name) in [(Dialect::V8, "signatureV8"), (Dialect::V9, "signatureV9")] {
            if !state[name].is_null() {
                let signature = pair.sign(&roots.signable(), dialect);
                assert_eq!(signature, Signature::new(hex_array(&state[name])));
            }
        }
    }
}

#[test]
fn growing_block_by_block_gives_the_vectors_too() {
    let file = load("merkle.json");
    let (base, sizes) = (int(&file["base"]), ints(&file["sizes"]));
    let states: BTreeMap<u64, &Value> = list(&file["states"])
        .iter()
        .map(|state| (int(&state["length"]), state))
        .collect();
    let mut roots = Roots::new();
    for (index, size) in (0..).zip(&sizes) {
        let growth = roots
            .append(&[pattern_block(base, index, *size as usize).into()])
            .unwrap();
        roots = growth.roots;
        if let Some(state) = states.get(&roots.length()) {
            assert_eq!(roots.tree_hash(), Hash::new(hex_array(&state["treeHash"])));
        }
    }
}

/// The node set of a state, built as JavaScript built it.
fn tree(state: &Value) -> NodeBits {
    let mut tree = NodeBits::with_bits(int(&state["bitfieldLength"]));
    for index in ints(&state["set"]) {
        insert(&mut tree, Index::new(index));
    }
    tree
}

#[test]
fn node_sets_tell_the_length_and_the_digests_of_the_vectors() {
    for state in list(&load("tree-index.json")["states"]) {
        let tree = tree(state);
        assert_eq!(
            indices(&tree.iter().collect::<Vec<_>>()),
            ints(&state["nodes"])
        );
        assert_eq!(tree.bits(), int(&state["bitfieldLength"]));
        let length = blocks(&tree);
        assert_eq!(length, int(&state["blocks"]));
        assert_eq!(
            indices(&full_roots(length).collect::<Vec<_>>()),
            ints(&state["roots"])
        );
        for case in list(&state["verifiedBy"]) {
            let index = Index::new(int(&case["node"]));
            assert_eq!(
                2 * verified_by(&tree, index),
                int(&case["value"]),
                "node {index}"
            );
        }
        for case in list(&state["digests"]) {
            let block = int(&case["node"]) / 2;
            assert_eq!(digest(&tree, block), int(&case["digest"]), "block {block}");
        }
    }
}

#[test]
fn digests_of_huge_feeds_are_those_of_the_vectors() {
    for case in list(&load("tree-index.json")["large"]) {
        // The bits are set one by one, without parents.
        let mut tree = NodeBits::with_bits(int(&case["bitfieldLength"]));
        for index in ints(&case["bits"]) {
            tree.set(Index::new(index));
        }
        assert_eq!(digest(&tree, int(&case["block"])), int(&case["digest"]));
    }
}

#[test]
fn proofs_are_those_of_the_vectors() {
    let file = load("tree-index.json");
    let states = list(&file["states"]);
    for case in list(&file["proofs"]) {
        let tree = tree(&states[int(&case["state"]) as usize]);
        let request = ProofRequest {
            block: int(&case["node"]) / 2,
            hash: case["hash"] == true,
            digest: int(&case["digest"]),
        };
        let plan = plan_proof(&tree, &mut RemoteTree::new(), &request);
        match plan {
            None => assert!(case["nodes"].is_null(), "{case}"),
            Some(plan) => {
                assert_eq!(indices(&plan.nodes), ints(&case["nodes"]), "{case}");
                let length = plan.signed_length.unwrap_or(0);
                assert_eq!(2 * length, int(&case["verifiedBy"]), "{case}");
            }
        }
    }
}

#[test]
fn what_is_remembered_of_a_peer_is_that_of_the_vectors() {
    for session in list(&load("tree-index.json")["sessions"]) {
        let mut tree = NodeBits::new();
        for block in 0..int(&session["length"]) {
            insert(&mut tree, Index::from_block(block));
        }
        let mut remote = RemoteTree::new();
        for case in list(&session["requests"]) {
            let request = ProofRequest {
                block: int(&case["block"]),
                hash: case["hash"] == true,
                digest: int(&case["digest"]),
            };
            let plan = plan_proof(&tree, &mut remote, &request).unwrap();
            assert_eq!(indices(&plan.nodes), ints(&case["nodes"]));
            assert_eq!(
                2 * plan.signed_length.unwrap_or(0),
                int(&case["verifiedBy"])
            );
        }
        let remembered: Vec<Index> = remote.iter().collect();
        assert_eq!(indices(&remembered), ints(&session["remoteTree"]));
    }
}

/// The cases whose outcome differs from JavaScript's on purpose: file, case, what is done here, and why.
const DIFFERENCES: [(&str, &str, bool, &str); 3] = [
    (
        "put-v8.json",
        "signature of the other version",
        true,
        "both forms of signatures are read everywhere",
    ),
    (
        "put-v8.json",
        "hash with value",
        false,
        "a node that has no place in the proof is an error; JavaScript overlooks it",
    ),
    (
        "put-v9.json",
        "hash with value",
        false,
        "a node that has no place in the proof is an error; JavaScript overlooks it",
    ),
];

#[test]
fn messages_are_accepted_and_refused_as_in_the_vectors() {
    let mut differing = BTreeSet::new();
    for file in ["put-v8.json", "put-v9.json"] {
        for group in list(&load(file)["groups"]) {
            let key = PublicKey::new(hex_array(&group["publicKey"]));
            for case in list(&group["cases"]) {
                let name = case["name"].as_str().unwrap();
                let mut reader = Reader::new();
                for message in list(&case["before"]) {
                    put(&mut reader, &key, message).unwrap();
                }
                let accepted = put(&mut reader, &key, &case["message"]).is_ok();
                if accepted == case["error"].is_null() {
                    same_state(&reader, case);
                } else {
                    differing.insert((file, name.to_owned(), accepted));
                }
            }
        }
    }
    let expected = DIFFERENCES.map(|(file, case, accepted, _)| (file, case.to_owned(), accepted));
    assert_eq!(differing, BTreeSet::from(expected));
}

fn same_state(reader: &Reader, case: &Value) {
    let name = &case["name"];
    assert_eq!(reader.roots.length(), int(&case["length"]), "{name}");
    let bytes = reader.roots.byte_length();
    assert_eq!(bytes, int(&case["byteLength"]), "{name}");
    let has: Vec<u64> = reader.blocks.keys().copied().collect();
    assert_eq!(has, ints(&case["has"]), "{name}");
    let stored: BTreeSet<Index> = reader.tree.iter().collect();
    let theirs: BTreeSet<Index> = ints(&case["tree"]).into_iter().map(Index::new).collect();
    assert!(stored.is_subset(&theirs), "{name}");
    // JavaScript stores the lowest pair of an answer without a block, whose sizes nobody has verified.
    for index in theirs.difference(&stored) {
        assert!(theirs.contains(&index.sibling()) && !stored.contains(&index.sibling()));
        let block = index.block().expect("no other node is left out");
        assert!(
            !has.contains(&block) && !has.contains(&(block ^ 1)),
            "{name}"
        );
    }
}

fn put(reader: &mut Reader, key: &PublicKey, message: &Value) -> Result<(), ProofError> {
    let value = (!message["value"].is_null()).then(|| hex(&message["value"]));
    let signature = (!message["signature"].is_null()).then(|| hex_array(&message["signature"]));
    let proof = Proof {
        block: int(&message["index"]),
        nodes: list(&message["nodes"]).iter().map(node).collect(),
        signature: signature.map(Signature::new),
    };
    reader.put(key, proof, value.as_deref())
}
