//! What JavaScript's verifier falls for.

use bytes::Bytes;
use hypercore_merkle::{Node, Proof, ProofError, ProofRequest, RemoteTree};

use crate::author::{Author, Reader};

fn request(block: u64) -> ProofRequest {
    ProofRequest {
        block,
        hash: false,
        digest: 0,
    }
}

/// A made-up block with no uncles, beside the genuine roots and the genuine signature over them.
fn forged(author: &Author, block: u64) -> Proof {
    Proof {
        block,
        nodes: author.roots.nodes().to_vec(),
        signature: author.signatures.get(&author.roots.length()).copied(),
    }
}

#[test]
fn a_made_up_block_beside_genuine_roots_is_refused() {
    for length in 2..40 {
        let author = Author::of(1, length);
        for block in 0..length {
            // The last block of an odd length is a root itself: there a forgery is another root.
            let value = vec![0x66; author.blocks[block as usize].len()];
            let result =
                Reader::new().check(&author.pair.public(), forged(&author, block), Some(&value));
            assert!(result.is_err(), "block {block} of {length}");
        }
    }
}

#[test]
fn a_made_up_second_block_of_a_pair_is_refused() {
    // The first block of the pair is fetched honestly, so the leaf of the second is stored, as are the roots.
    for length in 2..40 {
        let author = Author::of(2, length);
        let key = author.pair.public();
        for pair in 0..length / 2 {
            let (honest, forge) = (2 * pair, 2 * pair + 1);
            let mut reader = Reader::new();
            let proof = author.answer(&mut RemoteTree::new(), &request(honest));
            reader
                .put(&key, proof, Some(&author.blocks[honest as usize]))
                .unwrap();
            let before = reader.nodes.clone();

            let made_up = vec![0x66; author.blocks[forge as usize].len()];
            if author.blocks[forge as usize] == made_up {
                continue;
            }
            let result = reader.put(&key, forged(&author, forge), Some(&made_up));
            assert!(
                matches!(result, Err(ProofError::Mismatch { .. })),
                "{result:?}"
            );
            assert_eq!(reader.nodes, before);

            // The honest block is still welcome.
            let proof = author.answer(&mut RemoteTree::new(), &request(forge));
            reader
                .put(&key, proof, Some(&author.blocks[forge as usize]))
                .unwrap();
            reader.assert_true(&author);
        }
    }
}

#[test]
fn shifted_sizes_of_a_pair_are_refused_with_the_block() {
    // A parent's hash covers only the sum of its children's sizes.
    let author = Author::of(3, 8);
    let key = author.pair.public();
    let mut proof = author.answer(&mut RemoteTree::new(), &request(3));
    proof.nodes[0].size += 1;
    assert!(
        Reader::new()
            .check(&key, proof, Some(&author.blocks[3]))
            .is_err()
    );
}

#[test]
fn another_branch_of_the_same_author_does_not_mix_with_what_is_stored() {
    let mut one = Author::of(4, 4);
    let mut other = Author::of(4, 4);
    one.append(&[Bytes::from("one")]);
    other.append(&[Bytes::from("other")]);
    let key = one.pair.public();
    let mut reader = Reader::new();
    let proof = one.answer(&mut RemoteTree::new(), &request(4));
    reader.put(&key, proof, Some(b"one")).unwrap();
    let proof = other.answer(&mut RemoteTree::new(), &request(4));
    let result = reader.put(&key, proof, Some(b"other"));
    assert!(
        matches!(result, Err(ProofError::Mismatch { .. })),
        "{result:?}"
    );
}

#[test]
fn an_answer_with_neither_block_nor_hash_is_refused() {
    let author = Author::of(5, 3);
    let empty = Proof {
        block: 0,
        nodes: Vec::new(),
        signature: None,
    };
    let result = Reader::new().check(&author.pair.public(), empty, None);
    assert!(matches!(result, Err(ProofError::Empty)));
}

#[test]
fn positions_beyond_every_feed_are_refused_without_work() {
    let author = Author::of(6, 3);
    let node = |index| Node {
        index: flat_tree::Index::new(index),
        size: 0,
        hash: crypto::Hash::new([0; 32]),
    };
    for index in [1 << 53, (1 << 53) - 1, 1 << 62, u64::MAX] {
        let proof = Proof {
            block: 0,
            nodes: vec![node(index)],
            signature: author.signatures.get(&3).copied(),
        };
        let result = Reader::new().check(&author.pair.public(), proof, Some(&author.blocks[0]));
        assert!(result.is_err(), "{index}");
    }
    for block in [1 << 32, 1 << 52, 1 << 53, u64::MAX] {
        let proof = Proof {
            block,
            nodes: Vec::new(),
            signature: author.signatures.get(&3).copied(),
        };
        let result = Reader::new().check(&author.pair.public(), proof, Some(b""));
        assert!(matches!(result, Err(ProofError::TooLong { .. })), "{block}");
    }
}

#[test]
fn a_proof_of_more_nodes_than_any_tree_has_is_refused() {
    let author = Author::of(7, 3);
    let proof = Proof {
        block: 0,
        nodes: vec![author.roots.nodes()[0]; 129],
        signature: None,
    };
    let result = Reader::new().check(&author.pair.public(), proof, Some(&author.blocks[0]));
    assert!(matches!(
        result,
        Err(ProofError::TooManyNodes { len: 129, .. })
    ));
}
