//! Blocks wander between partial copies in any order, and every copy ends with the true tree.

use std::collections::BTreeMap;

use hypercore_merkle::{ProofRequest, RemoteTree, digest};
use testkit::{Rng, seed};

use crate::author::{Author, Reader, ask, made_up};

/// The request of a reader for a block, with what it has.
fn request(reader: &Reader, block: u64, hash: bool) -> ProofRequest {
    ProofRequest {
        block,
        hash,
        digest: digest(&reader.tree, block),
    }
}

#[test]
fn blocks_copied_in_any_order_always_verify() {
    let mut rng = Rng::new(seed(1));
    for _ in 0..60 {
        let author = Author::of(1, 1 + rng.below(70));
        let key = author.key();
        let mut reader = Reader::new();
        let mut remote = RemoteTree::new();
        let mut order: Vec<u64> = (0..author.length()).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, rng.below(at as u64 + 1) as usize);
        }
        for block in order {
            if rng.one_in(4) {
                let proof = author
                    .copy
                    .answer(&mut remote, &request(&reader, block, true));
                reader.put(&key, proof, None).unwrap();
            }
            let proof = author
                .copy
                .answer(&mut remote, &request(&reader, block, false));
            reader.put(&key, proof, Some(author.block(block))).unwrap();
        }
        assert_eq!(reader.roots, author.copy.roots);
        assert_eq!(reader.nodes, author.copy.nodes);
    }
}

#[test]
fn answers_to_requests_in_flight_verify_whatever_was_stored_meanwhile() {
    let mut rng = Rng::new(seed(2));
    for _ in 0..60 {
        let mut author = Author::of(2, 1 + rng.below(30));
        let key = author.key();
        let mut reader = Reader::new();
        let mut remote = RemoteTree::new();
        while (reader.blocks.len() as u64) < author.length() {
            let wanted = (0..author.length())
                .filter(|block| !reader.blocks.contains_key(block) && !rng.one_in(3));
            let mut answers: Vec<_> = wanted
                .collect::<Vec<_>>()
                .into_iter()
                .map(|block| {
                    let request = request(&reader, block, false);
                    author.copy.answer(&mut remote, &request)
                })
                .collect();
            while !answers.is_empty() {
                let proof = answers.swap_remove(rng.below(answers.len() as u64) as usize);
                let value = author.block(proof.block).clone();
                reader.put(&key, proof, Some(&value)).unwrap();
            }
            if rng.one_in(3) && author.length() < 60 {
                let next = author.length();
                author.append(&[made_up(2, next), made_up(2, next + 1)]);
            }
        }
        reader.assert_true(&author);
        assert_eq!(reader.roots, author.copy.roots);
    }
}

/// Who copies from whom is drawn anew for every block. The author grows meanwhile, by one block or by several at once
/// (then some lengths have no signature), and answers get lost, so that what a peer is believed to have differs from
/// what it has.
#[test]
fn partial_copies_serve_one_another() {
    let mut rng = Rng::new(seed(3));
    for _ in 0..40 {
        let mut author = Author::of(3, 1 + rng.below(12));
        let key = author.key();
        let mut copies: Vec<Reader> = (0..4).map(|_| Reader::new()).collect();
        let mut remotes: BTreeMap<(usize, usize), RemoteTree> = BTreeMap::new();
        for _ in 0..400 {
            if author.length() < 50 && rng.one_in(20) {
                let next = author.length();
                let blocks: Vec<_> = (next..=next + rng.below(5))
                    .map(|block| made_up(3, block))
                    .collect();
                author.append(&blocks);
            }
            let (to, from) = (rng.below(4) as usize, rng.below(5) as usize);
            if to == from {
                continue;
            }
            let source = copies.get(from).unwrap_or(&author.copy).clone();
            let missing: Vec<u64> = source
                .blocks
                .keys()
                .filter(|block| !copies[to].blocks.contains_key(block))
                .copied()
                .collect();
            if missing.is_empty() {
                continue;
            }
            let block = missing[rng.below(missing.len() as u64) as usize];
            let hash = rng.one_in(5);
            let request = request(&copies[to], block, hash);
            let proof = source.answer(remotes.entry((to, from)).or_default(), &request);
            if rng.one_in(10) {
                continue;
            }
            let value = (!hash).then(|| source.blocks[&block].clone());
            copies[to].put(&key, proof, value.as_deref()).unwrap();
            copies[to].assert_true(&author);
        }
        for copy in &mut copies {
            let mut remote = RemoteTree::new();
            for block in 0..author.length() {
                let proof = author
                    .copy
                    .answer(&mut remote, &request(copy, block, false));
                copy.put(&key, proof, Some(author.block(block))).unwrap();
            }
            assert_eq!(copy.roots, author.copy.roots);
            assert_eq!(copy.nodes, author.copy.nodes);
        }
    }
}

#[test]
fn a_digest_never_makes_a_proof_longer() {
    let author = Author::of(3, 100);
    let mut reader = Reader::new();
    for block in [99, 3, 50, 51, 0] {
        let full = author.answer(&ask(block));
        let short = author.answer(&request(&reader, block, false));
        assert!(short.nodes.len() <= full.nodes.len());
        let value = Some(&author.block(block)[..]);
        reader.put(&author.key(), short, value).unwrap();
    }
}

#[test]
fn a_static_feed_is_copied_without_signatures() {
    for length in 1..20 {
        let mut author = Author::of(4, length);
        author.copy.live = false;
        let key = crypto::PublicKey::new(author.copy.roots.tree_hash().to_bytes());
        let mut reader = Reader::new();
        reader.live = false;
        let mut remote = RemoteTree::new();
        for block in (0..length).rev() {
            let mut proof = author
                .copy
                .answer(&mut remote, &request(&reader, block, false));
            proof.signature = None;
            reader.put(&key, proof, Some(author.block(block))).unwrap();
        }
        assert_eq!(reader.nodes, author.copy.nodes);
        assert!(reader.signatures.is_empty());
    }
}
