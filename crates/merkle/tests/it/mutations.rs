//! Every change to an honest proof is refused, or stores nothing but the truth.

use hypercore_merkle::{Node, Proof, ProofRequest, RemoteTree};

use crate::author::{Author, Reader};

/// All the ways in which a proof is changed here.
fn mutations(proof: &Proof, foreign: &Author) -> Vec<(String, Proof)> {
    let mut all = Vec::new();
    let mut push = |what: String, change: &dyn Fn(&mut Proof)| {
        let mut changed = proof.clone();
        change(&mut changed);
        if changed != *proof {
            all.push((what, changed));
        }
    };
    let count = proof.nodes.len();
    for at in 0..count {
        push(format!("without node {at}"), &|proof| {
            proof.nodes.remove(at);
        });
        push(format!("node {at} twice"), &|proof| {
            proof.nodes.insert(at, proof.nodes[at]);
        });
        push(format!("node {at} swapped"), &|proof| {
            proof.nodes.swap(at, (at + 1) % count);
        });
        for step in [1, 2, u64::MAX] {
            push(format!("node {at} elsewhere"), &|proof| {
                let index = proof.nodes[at].index.get().wrapping_add(step);
                proof.nodes[at].index = flat_tree::Index::new(index);
            });
            push(format!("node {at} of another size"), &|proof| {
                proof.nodes[at].size = proof.nodes[at].size.wrapping_add(step);
            });
        }
        for bit in [0, 100, 255] {
            push(format!("bit {bit} of node {at}"), &|proof| {
                let mut hash = proof.nodes[at].hash.to_bytes();
                hash[bit / 8] ^= 1 << (bit % 8);
                proof.nodes[at].hash = hash.into();
            });
        }
        push(format!("a foreign node {at}"), &|proof| {
            let index = proof.nodes[at].index;
            if let Some(node) = foreign.nodes.get(&index) {
                proof.nodes[at] = *node;
            }
        });
    }
    push("no nodes".into(), &|proof| proof.nodes.clear());
    push("an extra node".into(), &|proof| {
        proof.nodes.push(Node {
            index: flat_tree::Index::new(1_000_000),
            size: 3,
            hash: crypto::Hash::new([9; 32]),
        });
    });
    push("foreign roots".into(), &|proof| {
        proof.nodes.extend_from_slice(foreign.roots.nodes());
    });
    push("no signature".into(), &|proof| proof.signature = None);
    for bit in [0, 255, 256, 511] {
        push(format!("bit {bit} of the signature"), &|proof| {
            if let Some(signature) = &mut proof.signature {
                let mut bytes = signature.to_bytes();
                bytes[bit / 8] ^= 1 << (bit % 8);
                *signature = bytes.into();
            }
        });
    }
    push("a foreign signature".into(), &|proof| {
        proof.signature = foreign.signatures.values().next_back().copied();
    });
    for by in [1, u64::MAX] {
        push("another block".into(), &|proof| {
            proof.block = proof.block.wrapping_add(by)
        });
    }
    all
}

#[test]
fn every_changed_proof_is_refused_or_harmless_for_an_empty_reader() {
    for length in 1..=33 {
        let author = Author::of(1, length);
        let foreign = Author::of(2, length);
        for block in (0..length).step_by(1 + length as usize / 8) {
            against(&author, &foreign, &Reader::new(), block);
        }
    }
}

#[test]
fn every_changed_proof_is_refused_or_harmless_for_a_reader_that_has_some() {
    for length in [2, 5, 8, 13, 33] {
        let author = Author::of(3, length);
        let foreign = Author::of(4, length);
        let key = author.pair.public();
        let mut reader = Reader::new();
        for block in (0..length).step_by(3) {
            let request = ProofRequest {
                block,
                hash: false,
                digest: 0,
            };
            let proof = author.answer(&mut RemoteTree::new(), &request);
            reader
                .put(&key, proof, Some(&author.blocks[block as usize]))
                .unwrap();
        }
        for block in 0..length {
            against(&author, &foreign, &reader, block);
        }
    }
}

fn against(author: &Author, foreign: &Author, reader: &Reader, block: u64) {
    let key = author.pair.public();
    for hash in [false, true] {
        let request = ProofRequest {
            block,
            hash,
            digest: 0,
        };
        let proof = author.answer(&mut RemoteTree::new(), &request);
        let value = (!hash).then(|| author.blocks[block as usize].clone());
        reader.check(&key, proof.clone(), value.as_deref()).unwrap();
        for (what, changed) in mutations(&proof, foreign) {
            let Ok(accepted) = reader.check(&key, changed, value.as_deref()) else {
                continue;
            };
            // Sizes of hash-only answers are hints (the parent covers their sum): a reader keeps them until the block
            // comes. All else that is accepted is true.
            let is_true = |node: &&Node| author.nodes.get(&node.index) == Some(*node);
            let lies: Vec<_> = accepted
                .new_nodes()
                .iter()
                .filter(|node| !is_true(node))
                .collect();
            let shifted = hash && lies.iter().all(|node| node.index.is_leaf());
            assert!(
                lies.is_empty() || shifted,
                "block {block}, {what}: stored {lies:?}"
            );
        }
        if let Some(value) = &value {
            let mut wrong = value.to_vec();
            wrong.push(0);
            assert!(
                reader.check(&key, proof, Some(&wrong)).is_err(),
                "a longer block {block}"
            );
        }
    }
}
