//! Data messages, good and bad, put into empty readers as the JavaScript packages put them.

use std::collections::BTreeSet;

use bytes::Bytes;
use crypto::{Hash, PublicKey, Signature};
use flat_tree::Index;
use hypercore_feed::{ForkPolicy, OpenOptions};
use merkle::{Node, NodeSet, Proof};
use serde_json::Value;
use storage::MemoryFiles;
use testkit::vectors::{hex, hex_array, int, ints, list, load};

use crate::world::{Log, contents, with_key};

/// The cases whose outcome differs from JavaScript's under either policy: file, case, whether it is accepted here, and why.
const DIFFERENCES: [(&str, &str, bool, &str); 3] = [
    (
        "put-v8.json",
        "signature of the other version",
        true,
        "V5: both forms of signatures are read everywhere",
    ),
    (
        "put-v8.json",
        "hash with value",
        false,
        "V1: a node that has no place in the proof is an error; JavaScript overlooks it",
    ),
    (
        "put-v9.json",
        "hash with value",
        false,
        "V1: a node that has no place in the proof is an error; JavaScript overlooks it",
    ),
];

/// The cases that are left aside under the strict policy, because they aren't shown to be of the history that is stored.
const UNPROVEN: [(&str, &str); 4] = [
    ("put-v8.json", "block of a longer feed"),
    ("put-v9.json", "block of a longer feed"),
    ("put-v8.json", "older proof after a newer one"),
    ("put-v9.json", "older proof after a newer one"),
];

#[test]
fn messages_of_the_vectors_are_stored_or_refused_as_there() {
    let differing = play(ForkPolicy::Compat);
    let expected = DIFFERENCES.map(|(file, case, accepted, _)| (file, case.to_owned(), accepted));
    assert_eq!(differing, BTreeSet::from(expected.clone()));

    let unproven = UNPROVEN.map(|(file, case)| (file, case.to_owned(), false));
    let expected: BTreeSet<_> = expected.into_iter().chain(unproven).collect();
    assert_eq!(play(ForkPolicy::Strict), expected);
}

/// The cases with another outcome than in JavaScript.
fn play(fork_policy: ForkPolicy) -> BTreeSet<(&'static str, String, bool)> {
    let (mut differing, mut count) = (BTreeSet::new(), 0);
    for file in ["put-v8.json", "put-v9.json"] {
        for group in list(&load(file)["groups"]) {
            let key = PublicKey::new(hex_array(&group["publicKey"]));
            for case in list(&group["cases"]) {
                let name = case["name"].as_str().unwrap();
                let files = MemoryFiles::default();
                let options = OpenOptions {
                    fork_policy,
                    ..with_key(key)
                };
                let mut reader = Log::open(files.clone(), options).unwrap();
                for message in list(&case["before"]) {
                    let (proof, value) = parse(message);
                    reader.put(proof, value).unwrap();
                }
                let before = contents(&files);
                let (proof, value) = parse(&case["message"]);
                let accepted = reader.put(proof, value).is_ok();
                if !accepted {
                    assert!(contents(&files) == before, "{file}, {name}");
                }
                if accepted != case["error"].is_null() {
                    differing.insert((file, name.to_owned(), accepted));
                    continue;
                }
                same_state(&reader, case);
                drop(reader);
                // And what was stored is found again.
                same_state(&Log::reader_of(files), case);
                count += 1;
            }
        }
    }
    assert!(count > 200, "{count}");
    differing
}

fn same_state(reader: &Log, case: &Value) {
    let name = &case["name"];
    assert_eq!(reader.length(), int(&case["length"]), "{name}");
    let bytes = reader.feed.byte_length();
    assert_eq!(bytes, int(&case["byteLength"]), "{name}");
    assert_eq!(reader.has(), ints(&case["has"]), "{name}");
    let bits = (0..reader.feed.bitfield().node_bits()).map(Index::new);
    let tree = bits.filter(|index| reader.feed.bitfield().has(*index));
    let tree: BTreeSet<Index> = tree.collect();
    let theirs: BTreeSet<Index> = ints(&case["tree"]).into_iter().map(Index::new).collect();
    assert!(tree.is_subset(&theirs), "{name}");
    // V4: JavaScript stores the lowest pair of an answer without a block, whose sizes nobody has verified.
    for index in theirs.difference(&tree) {
        assert!(theirs.contains(&index.sibling()) && !tree.contains(&index.sibling()));
        let block = index.block().expect("no other node is left out");
        assert!(!reader.has().contains(&block) && !reader.has().contains(&(block ^ 1)));
    }
    for block in reader.has() {
        reader.get(block).unwrap();
    }
}

fn parse(message: &Value) -> (Proof, Option<Bytes>) {
    let value = (!message["value"].is_null()).then(|| hex(&message["value"]).into());
    let signature = (!message["signature"].is_null()).then(|| hex_array(&message["signature"]));
    let node = |value: &Value| Node {
        index: Index::new(int(&value["index"])),
        size: int(&value["size"]),
        hash: Hash::new(hex_array(&value["hash"])),
    };
    let proof = Proof {
        block: int(&message["index"]),
        nodes: list(&message["nodes"]).iter().map(node).collect(),
        signature: signature.map(Signature::new),
    };
    (proof, value)
}
