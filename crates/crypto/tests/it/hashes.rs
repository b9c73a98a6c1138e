//! `hashes.json`, and the fast paths against the plain ones.

use hypercore_crypto::{
    Hash, PublicKey, leaf_hash, leaf_hashes, parent_hash, parent_hashes, tree_hash,
};
use serde_json::Value;
use testkit::{
    Rng,
    vectors::{hex, hex_array, int, list, load},
};

fn hash(value: &Value) -> Hash {
    Hash::new(hex_array(value))
}

#[test]
fn leaves_match_the_vectors() {
    for case in list(&load("hashes.json")["leaf"]) {
        assert_eq!(leaf_hash(&hex(&case["data"])), hash(&case["hash"]));
    }
}

#[test]
fn parents_match_the_vectors() {
    for case in list(&load("hashes.json")["parent"]) {
        // The one with the smaller index is on the left, in whatever order they are listed.
        let (mut left, mut right) = (&case["left"], &case["right"]);
        if int(&left["index"]) > int(&right["index"]) {
            (left, right) = (right, left);
        }
        let size = int(&left["size"]) + int(&right["size"]);
        assert_eq!(size, int(&case["size"]));
        let parent = parent_hash(&hash(&left["hash"]), &hash(&right["hash"]), size);
        assert_eq!(parent, hash(&case["hash"]));
    }
}

#[test]
fn roots_match_the_vectors() {
    for case in list(&load("hashes.json")["tree"]) {
        let roots = list(&case["roots"])
            .iter()
            .map(|root| (int(&root["index"]), int(&root["size"]), hash(&root["hash"])));
        assert_eq!(tree_hash(roots), hash(&case["hash"]));
    }
}

#[test]
fn discovery_keys_match_the_vectors() {
    for case in list(&load("hashes.json")["discoveryKey"]) {
        let key = PublicKey::new(hex_array(&case["publicKey"]));
        assert_eq!(
            key.discovery_key().to_bytes(),
            hex_array(&case["discoveryKey"])
        );
    }
}

#[test]
fn many_leaves_at_once_hash_like_single_ones() {
    let mut rng = Rng::new(1);
    for count in [0, 1, 3, 4, 5, 17, 200] {
        let blocks: Vec<Vec<u8>> = (0..count)
            .map(|_| {
                let len = match rng.below(4) {
                    0 => rng.below(3),
                    1 => 4090 + rng.below(12),
                    2 => rng.below(20_000),
                    _ => rng.below(300),
                };
                rng.bytes(len as usize)
            })
            .collect();
        let single: Vec<Hash> = blocks.iter().map(|block| leaf_hash(block)).collect();
        assert_eq!(leaf_hashes(blocks.iter().map(|block| &**block)), single);
    }
}

#[test]
fn many_parents_at_once_hash_like_single_ones() {
    let mut rng = Rng::new(2);
    for count in [0, 1, 2, 7, 33] {
        let parents: Vec<(Hash, Hash, u64)> = (0..count)
            .map(|_| (rng.array().into(), rng.array().into(), rng.next_u64()))
            .collect();
        let single: Vec<Hash> = parents
            .iter()
            .map(|(left, right, size)| parent_hash(left, right, *size))
            .collect();
        assert_eq!(parent_hashes(&parents), single);
    }
}
