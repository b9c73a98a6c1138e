//! What JavaScript's verifier falls for.

use bytes::Bytes;
use flat_tree::Index;
use hypercore_merkle::{Node, Proof, ProofError};

use crate::author::{Author, MAX_LENGTH, Reader, ask, ask_hash};

/// A made-up block with no uncles, beside the genuine roots and the genuine signature over them.
fn forged(author: &Author, block: u64) -> Proof {
    Proof {
        block,
        nodes: author.copy.roots.nodes().to_vec(),
        signature: author.copy.signatures.get(&author.length()).copied(),
    }
}

/// As long as the true block, but other bytes; none for an empty block.
fn made_up(author: &Author, block: u64) -> Option<Vec<u8>> {
    let made_up = vec![0xee; author.block(block).len()];
    (author.block(block) != &made_up).then_some(made_up)
}

#[test]
fn a_made_up_block_beside_genuine_roots_is_refused() {
    for length in 1..40 {
        let author = Author::of(1, length);
        for block in 0..length {
            let Some(value) = made_up(&author, block) else {
                continue;
            };
            let result = Reader::new().check(&author.key(), forged(&author, block), Some(&value));
            // The last block of an odd length is itself a root: there a forgery changes what was signed.
            assert!(
                matches!(
                    result,
                    Err(ProofError::NotLinked { .. }
                        | ProofError::Surplus { .. }
                        | ProofError::Signature(_))
                ),
                "block {block} of {length}: {result:?}"
            );
        }
    }
}

#[test]
fn a_made_up_second_block_of_a_pair_is_refused() {
    // One block of the pair is fetched honestly, so the leaf of the other is stored, as are the roots.
    for length in 2..40 {
        let author = Author::of(2, length);
        let key = author.key();
        for honest in 0..length - length % 2 {
            let forge = honest ^ 1;
            let mut reader = Reader::new();
            let value = Some(&author.block(honest)[..]);
            reader
                .put(&key, author.answer(&ask(honest)), value)
                .unwrap();
            let before = reader.nodes.clone();

            let Some(value) = made_up(&author, forge) else {
                continue;
            };
            let result = reader.put(&key, forged(&author, forge), Some(&value));
            let own = Index::from_block(forge);
            assert!(
                matches!(result, Err(ProofError::Mismatch { index }) if index == own),
                "{result:?}"
            );
            assert_eq!(reader.nodes, before);

            // The honest block is still welcome.
            let value = Some(&author.block(forge)[..]);
            reader.put(&key, author.answer(&ask(forge)), value).unwrap();
            reader.assert_true(&author);
        }
    }
}

#[test]
fn a_made_up_block_after_its_hash_was_fetched_is_refused() {
    for length in 1..20 {
        let author = Author::of(3, length);
        for block in 0..length {
            let mut reader = Reader::new();
            let hash = author.answer(&ask_hash(block));
            reader.put(&author.key(), hash, None).unwrap();
            let Some(value) = made_up(&author, block) else {
                continue;
            };
            for proof in [
                forged(&author, block),
                author.answer(&ask(block)),
                Proof {
                    block,
                    nodes: Vec::new(),
                    signature: None,
                },
            ] {
                let result = reader.put(&author.key(), proof, Some(&value));
                assert!(result.is_err(), "{result:?}");
            }
            let (proof, value) = (author.answer(&ask(block)), author.block(block));
            reader.put(&author.key(), proof, Some(value)).unwrap();
            reader.assert_true(&author);
        }
    }
}

#[test]
fn a_node_in_place_of_a_block_is_refused() {
    // One flipped bit turns the tag of a node into that of a value: the encoded node then stands for the block.
    let author = Author::of(4, 8);
    let key = author.key();
    for block in 0..8 {
        let honest = author.answer(&ask(block));
        for at in 0..honest.nodes.len() {
            let mut proof = honest.clone();
            let value = proof.nodes.remove(at).to_bytes();
            let mut reader = Reader::new();
            assert!(reader.check(&key, proof.clone(), Some(&value)).is_err());
            let sibling = Some(&author.block(block ^ 1)[..]);
            reader
                .put(&key, author.answer(&ask(block ^ 1)), sibling)
                .unwrap();
            assert!(reader.check(&key, proof, Some(&value)).is_err());
        }
    }
}

#[test]
fn shifted_sizes_are_refused_with_the_block() {
    // A parent's hash covers only the sum of its children's sizes, but the block fixes one of them on every level.
    let author = Author::of(5, 13);
    let key = author.key();
    for block in 0..13 {
        let honest = author.answer(&ask(block));
        for at in 0..honest.nodes.len() {
            for by in [1, 2, u64::MAX] {
                let mut proof = honest.clone();
                proof.nodes[at].size = proof.nodes[at].size.wrapping_add(by);
                let value = Some(&author.block(block)[..]);
                assert!(Reader::new().check(&key, proof, value).is_err());
            }
        }
    }
}

#[test]
fn shifted_sizes_of_a_hash_are_never_taken_for_verified() {
    let author = Author::of(6, 8);
    let key = author.key();
    let mut proof = author.answer(&ask_hash(3));
    proof.nodes[0].size += 1;
    proof.nodes[1].size -= 1;
    let accepted = Reader::new().check(&key, proof, None).unwrap();
    for node in accepted.verified() {
        assert_eq!(author.copy.nodes[&node.index], *node);
    }
    let pair = accepted.pair().unwrap();
    for leaf in [pair.left, pair.right] {
        let honest = author.copy.nodes[&leaf.index];
        assert!(leaf.hash == honest.hash && leaf.size != honest.size);
    }
    // Where one of the pair is known, the other follows.
    let mut reader = Reader::new();
    let value = Some(&author.block(2)[..]);
    reader.put(&key, author.answer(&ask(2)), value).unwrap();
    let mut proof = author.answer(&ask_hash(3));
    proof.nodes[0].size += 1;
    assert!(reader.check(&key, proof, None).is_err());
}

#[test]
fn a_hash_alone_has_a_certain_size_only_as_a_root_or_beside_a_stored_one() {
    for length in 1..20 {
        let author = Author::of(6, length);
        let key = author.key();
        for block in 0..length {
            let mut reader = Reader::new();
            let accepted = reader
                .check(&key, author.answer(&ask_hash(block)), None)
                .unwrap();
            let is_root = author.copy.roots.node(Index::from_block(block)).is_some();
            assert_eq!(accepted.pair().is_none(), is_root, "{block} of {length}");
            if block ^ 1 < length {
                let value = Some(&author.block(block ^ 1)[..]);
                reader
                    .put(&key, author.answer(&ask(block ^ 1)), value)
                    .unwrap();
                let accepted = reader
                    .check(&key, author.answer(&ask_hash(block)), None)
                    .unwrap();
                assert_eq!(accepted.pair(), None);
            }
        }
    }
}

#[test]
fn another_branch_of_the_same_author_does_not_replace_what_is_stored() {
    for length in 1..12 {
        let (mut one, mut other) = (Author::of(7, length), Author::of(7, length));
        one.append(&[Bytes::from("one")]);
        other.append(&[Bytes::from("other")]);
        let mut reader = Reader::new();
        let proof = one.answer(&ask(length));
        reader.put(&one.key(), proof, Some(b"one")).unwrap();
        for block in 0..=length {
            let value = other.block(block).clone();
            let result = reader.check(&one.key(), other.answer(&ask(block)), Some(&value));
            assert!(
                matches!(result, Err(ProofError::Mismatch { .. })),
                "{result:?}"
            );
        }
    }
}

#[test]
fn an_answer_with_neither_block_nor_hash_is_refused() {
    let author = Author::of(8, 3);
    let empty = Proof {
        block: 0,
        nodes: Vec::new(),
        signature: None,
    };
    let result = Reader::new().check(&author.key(), empty, None);
    assert!(matches!(result, Err(ProofError::Empty)));
}

#[test]
fn a_hash_of_another_block_is_refused() {
    let author = Author::of(9, 4);
    let mut proof = author.answer(&ask_hash(1));
    proof.block = 2;
    let result = Reader::new().check(&author.key(), proof, None);
    assert!(matches!(result, Err(ProofError::WrongLeaf)));
}

#[test]
fn positions_beyond_every_feed_are_refused_without_work() {
    let author = Author::of(10, 3);
    let node = |index| Node {
        index: Index::new(index),
        size: 0,
        hash: crypto::Hash::new([0; 32]),
    };
    for index in [1 << 53, (1 << 53) - 1, 1 << 62, u64::MAX] {
        let proof = Proof {
            block: 0,
            nodes: vec![node(index)],
            signature: author.copy.signatures.get(&3).copied(),
        };
        let result = Reader::new().check(&author.key(), proof, Some(author.block(0)));
        assert!(result.is_err(), "{index}");
    }
    for block in [MAX_LENGTH, 1 << 52, 1 << 53, u64::MAX] {
        let proof = Proof {
            block,
            nodes: Vec::new(),
            signature: author.copy.signatures.get(&3).copied(),
        };
        let result = Reader::new().check(&author.key(), proof, Some(b""));
        assert!(matches!(result, Err(ProofError::TooLong { .. })), "{block}");
    }
}

#[test]
fn a_feed_longer_than_allowed_is_refused_even_if_its_author_signed_it() {
    // One real block, and a root that claims 2^32 blocks before it.
    let pair = crypto::KeyPair::from_seed([11; 32]);
    let leaf = Node::leaf(MAX_LENGTH, b"far");
    let root = Node {
        index: Index::at(32, 0),
        size: 1,
        hash: crypto::Hash::new([3; 32]),
    };
    let roots = hypercore_merkle::Roots::from_nodes(MAX_LENGTH + 1, vec![root, leaf]).unwrap();
    let signature = pair.sign(&roots.signable(), crypto::Dialect::V9);
    let proof = Proof {
        block: MAX_LENGTH,
        nodes: vec![root],
        signature: Some(signature),
    };
    let result = Reader::new().check(&pair.public(), proof, Some(b"far"));
    assert!(matches!(result, Err(ProofError::TooLong { .. })));
    let proof = Proof {
        block: 0,
        nodes: vec![root, leaf],
        signature: Some(signature),
    };
    assert!(
        Reader::new()
            .check(&pair.public(), proof, Some(b"far"))
            .is_err()
    );
}

#[test]
fn sizes_beyond_what_numbers_hold_are_refused() {
    let author = Author::of(12, 2);
    for size in [1 << 53, u64::MAX, (1 << 53) - 1] {
        let mut proof = author.answer(&ask(0));
        proof.nodes[0].size = size;
        let result = Reader::new().check(&author.key(), proof, Some(&[1; 9]));
        assert!(matches!(result, Err(ProofError::Size)), "{size}");
    }
}

#[test]
fn a_proof_of_more_nodes_than_any_tree_has_is_refused() {
    let author = Author::of(13, 3);
    let proof = Proof {
        block: 0,
        nodes: vec![author.copy.roots.nodes()[0]; 129],
        signature: None,
    };
    let result = Reader::new().check(&author.key(), proof, Some(author.block(0)));
    assert!(matches!(
        result,
        Err(ProofError::TooManyNodes { len: 129, .. })
    ));
}

#[test]
fn a_witness_for_another_state_is_not_enough() {
    let author = Author::of(14, 5);
    let (tree, roots) = (
        hypercore_merkle::NodeBits::new(),
        hypercore_merkle::Roots::new(),
    );
    let proof = author.answer(&ask(2));
    let check =
        hypercore_merkle::Check::plan(&tree, &roots, false, proof, true, MAX_LENGTH).unwrap();
    let leaf = Node::leaf(2, author.block(2));
    let checked = check.finish(&[], Some((leaf.hash, leaf.size))).unwrap();
    let hypercore_merkle::Checked::Unsigned(unsigned) = checked else {
        panic!("there is nothing to end at");
    };
    let older = author.roots_at(4).signable();
    let witness = author
        .key()
        .verify(&older, &author.copy.signatures[&4])
        .unwrap();
    let result = unsigned.accept(&witness);
    assert!(matches!(result, Err(ProofError::Signature(_))));
}
