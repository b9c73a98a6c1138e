//! Every change to an honest proof is refused, or stores nothing but the truth.

use flat_tree::Index;
use hypercore_merkle::{Accepted, Node, Proof, ProofRequest, digest};

use crate::author::{Author, Reader, ask};

/// All the ways in which a proof is changed here.
fn mutations(proof: &Proof, author: &Author, foreign: &Author) -> Vec<(String, Proof)> {
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
        push(format!("without node {at} and what follows"), &|proof| {
            proof.nodes.truncate(at);
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
                proof.nodes[at].index = Index::new(index);
            });
            push(format!("node {at} of another size"), &|proof| {
                proof.nodes[at].size = proof.nodes[at].size.wrapping_add(step);
            });
            push(format!("bytes from node {at} to the next"), &|proof| {
                let next = (at + 1) % count;
                proof.nodes[at].size = proof.nodes[at].size.wrapping_add(step);
                proof.nodes[next].size = proof.nodes[next].size.wrapping_sub(step);
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
            if let Some(node) = foreign.copy.nodes.get(&index) {
                proof.nodes[at] = *node;
            }
        });
    }
    push("no uncles, only roots".into(), &|proof| {
        proof.nodes = author.copy.roots.nodes().to_vec();
        proof.signature = author.copy.signatures.get(&author.length()).copied();
    });
    push("an extra node".into(), &|proof| {
        proof.nodes.push(Node {
            index: Index::new(1_000_000),
            size: 3,
            hash: crypto::Hash::new([9; 32]),
        });
    });
    push("foreign roots".into(), &|proof| {
        proof.nodes.extend_from_slice(foreign.copy.roots.nodes());
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
        proof.signature = foreign.copy.signatures.values().next_back().copied();
    });
    for (length, signature) in author.copy.signatures.iter().rev().skip(1).take(3) {
        push(format!("the signature of length {length}"), &|proof| {
            proof.signature = Some(*signature);
        });
    }
    for by in [1, u64::MAX] {
        push("another block".into(), &|proof| {
            proof.block = proof.block.wrapping_add(by);
        });
    }
    all
}

#[test]
fn every_changed_proof_is_refused_or_harmless_for_an_empty_reader() {
    for length in 1..=33 {
        let (author, foreign) = (Author::of(1, length), Author::of(2, length));
        for block in 0..length {
            // Every block of the short feeds, some of the long ones.
            if length <= 9 || block % 5 == length % 5 {
                against(&author, &foreign, &Reader::new(), block);
            }
        }
    }
}

#[test]
fn every_changed_proof_is_refused_or_harmless_for_a_reader_that_has_some() {
    for length in [2, 5, 8, 13, 33] {
        let (author, foreign) = (Author::of(3, length), Author::of(4, length));
        let mut reader = Reader::new();
        for block in (0..length).step_by(3) {
            let value = Some(&author.block(block)[..]);
            reader
                .put(&author.key(), author.answer(&ask(block)), value)
                .unwrap();
        }
        for block in 0..length {
            against(&author, &foreign, &reader, block);
        }
    }
}

fn against(author: &Author, foreign: &Author, reader: &Reader, block: u64) {
    let key = author.key();
    let known = digest(&reader.tree, block);
    for (hash, digest) in [(false, 0), (false, known), (true, 0), (true, known)] {
        let proof = author.answer(&ProofRequest {
            block,
            hash,
            digest,
        });
        let value = (!hash).then(|| author.block(block).clone());
        let accepted = reader.check(&key, proof.clone(), value.as_deref()).unwrap();
        assert_harmless(author, &accepted, hash, "unchanged");
        for (what, changed) in mutations(&proof, author, foreign) {
            if let Ok(accepted) = reader.check(&key, changed, value.as_deref()) {
                assert_harmless(author, &accepted, hash, &what);
            }
        }
        if let Some(value) = &value {
            for (what, wrong) in wrong_values(value, foreign.block(block)) {
                let result = reader.check(&key, proof.clone(), Some(&wrong));
                assert!(result.is_err(), "block {block}, {what}");
            }
            let result = reader.check(&key, proof, None);
            if let Ok(accepted) = result {
                assert_harmless(author, &accepted, true, "without its block");
            }
        }
    }
}

/// Other blocks than the true one.
fn wrong_values(value: &[u8], foreign: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![
        ("a longer block", [value, &[0]].concat()),
        ("a foreign block", foreign.to_vec()),
    ];
    if !value.is_empty() {
        all.push(("a shorter block", value[1..].to_vec()));
        for at in [0, value.len() - 1] {
            let mut flipped = value.to_vec();
            flipped[at] ^= 0x10;
            all.push(("a flipped bit", flipped));
        }
    }
    all.retain(|(_, wrong)| wrong != value);
    all
}

/// What an accepted proof would store is true.
///
/// Of an answer without a block the sizes of the lowest pair are only known in sum, because that is what their
/// parent's hash covers.
pub(crate) fn assert_harmless(author: &Author, accepted: &Accepted, hash: bool, what: &str) {
    let block = accepted.block();
    let nodes = &author.copy.nodes;
    let lies: Vec<&Node> = accepted
        .new_nodes()
        .iter()
        .filter(|node| nodes.get(&node.index) != Some(*node))
        .collect();
    let size = |lies: &[&Node]| lies.iter().map(|node| node.size).sum::<u64>();
    let shifted = hash
        && lies.len() == 2
        && lies
            .iter()
            .all(|lie| lie.index.is_leaf() && nodes[&lie.index].hash == lie.hash)
        && size(&lies) == size(&[&nodes[&lies[0].index], &nodes[&lies[1].index]]);
    assert!(
        lies.is_empty() || shifted,
        "block {block}, {what}: stored {lies:?}"
    );
    let own = nodes.get(&Index::from_block(block)).map(|node| node.hash);
    assert_eq!(Some(accepted.leaf().hash), own, "block {block}, {what}");
    if let Some(roots) = accepted.growth() {
        assert!(roots.length() <= author.length());
        let root_shifted = roots != &author.roots_at(roots.length());
        assert!(!root_shifted, "block {block}, {what}: roots");
    }
    if let Some((length, signature)) = accepted.signature() {
        assert_eq!(author.copy.signatures.get(&length), Some(&signature));
    }
}
