//! Blocks wander between partial copies in any order, and every copy ends with the true tree.

use hypercore_merkle::{ProofRequest, RemoteTree, digest};
use testkit::{Rng, seed};

use crate::author::{Author, Reader};

#[test]
fn blocks_copied_in_any_order_always_verify() {
    let mut rng = Rng::new(seed(1));
    for _ in 0..60 {
        let author = Author::of(1, 1 + rng.below(70));
        let key = author.pair.public();
        let mut reader = Reader::new();
        let mut remote = RemoteTree::new();
        let mut order: Vec<u64> = (0..author.roots.length()).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, rng.below(at as u64 + 1) as usize);
        }
        for block in order {
            let hash = rng.one_in(4);
            let request = ProofRequest {
                block,
                hash,
                digest: digest(&reader.tree, block),
            };
            let proof = author.answer(&mut remote, &request);
            if hash {
                reader.put(&key, proof, None).unwrap();
                let request = ProofRequest {
                    block,
                    hash: false,
                    digest: digest(&reader.tree, block),
                };
                let proof = author.answer(&mut remote, &request);
                reader
                    .put(&key, proof, Some(&author.blocks[block as usize]))
                    .unwrap();
            } else {
                reader
                    .put(&key, proof, Some(&author.blocks[block as usize]))
                    .unwrap();
            }
        }
        assert_eq!(reader.roots, author.roots);
        assert_eq!(reader.nodes, author.nodes);
    }
}

#[test]
fn answers_to_requests_in_flight_verify_whatever_was_stored_meanwhile() {
    let mut rng = Rng::new(seed(2));
    for _ in 0..60 {
        let mut author = Author::of(2, 1 + rng.below(30));
        let key = author.pair.public();
        let mut reader = Reader::new();
        let mut remote = RemoteTree::new();
        while (reader.blocks.len() as u64) < author.roots.length() {
            let wanted: Vec<u64> = (0..author.roots.length())
                .filter(|block| !reader.blocks.contains(block) && !rng.one_in(3))
                .collect();
            let answers: Vec<_> = wanted
                .iter()
                .map(|&block| {
                    let request = ProofRequest {
                        block,
                        hash: false,
                        digest: digest(&reader.tree, block),
                    };
                    author.answer(&mut remote, &request)
                })
                .collect();
            for proof in answers {
                let value = author.blocks[proof.block as usize].clone();
                reader.put(&key, proof, Some(&value)).unwrap();
            }
            if rng.one_in(3) && author.roots.length() < 60 {
                author.append(&[vec![7; 5].into(), vec![8; 6].into()]);
            }
        }
        reader.assert_true(&author);
        assert_eq!(reader.roots, author.roots);
    }
}

#[test]
fn a_digest_never_makes_a_proof_longer() {
    let author = Author::of(3, 100);
    let key = author.pair.public();
    let mut reader = Reader::new();
    for block in [99, 3, 50, 51, 0] {
        let full = author.answer(
            &mut RemoteTree::new(),
            &ProofRequest {
                block,
                hash: false,
                digest: 0,
            },
        );
        let short = author.answer(
            &mut RemoteTree::new(),
            &ProofRequest {
                block,
                hash: false,
                digest: digest(&reader.tree, block),
            },
        );
        assert!(short.nodes.len() <= full.nodes.len());
        reader
            .put(&key, short, Some(&author.blocks[block as usize]))
            .unwrap();
    }
}
