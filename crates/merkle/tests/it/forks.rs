//! Evidence of two histories: it holds for every fork of small feeds, and for nothing that the author didn't sign.

use bytes::Bytes;
use crypto::{Dialect, KeyPair};
use flat_tree::Index;
use hypercore_merkle::{Branch, Fork, ForkError};

use crate::author::{Author, made_up};

/// Two feeds that are alike up to a length and then go on differently.
fn branches(common: u64, lengths: [u64; 2]) -> [Author; 2] {
    let [mut one, mut other] = [Author::of(2, common), Author::of(2, common)];
    for block in common..lengths[0] {
        one.append(&[made_up(2, block)]);
    }
    for block in common..lengths[1] {
        other.append(&[Bytes::from(vec![block as u8; 5])]);
    }
    [one, other]
}

fn branch(author: &Author, index: Index) -> Option<Branch> {
    let copy = &author.copy;
    let node = *copy.nodes.get(&index)?;
    let signature = copy.signatures[&author.length()];
    Branch::new(node, copy.roots.clone(), signature, |index| {
        copy.nodes.get(&index).copied()
    })
}

#[test]
fn every_node_that_differs_is_evidence_and_no_other_is() {
    for common in 0..6 {
        for lengths in [[6, 6], [7, 9], [12, 7], [8, 16]] {
            let [one, other] = branches(common, lengths);
            let key = one.key();
            for index in (0..40).map(Index::new) {
                let (Some(ours), Some(theirs)) = (branch(&one, index), branch(&other, index))
                else {
                    let length = lengths[0].min(lengths[1]);
                    assert!(index.end_block() > length);
                    continue;
                };
                let same = ours.node() == theirs.node();
                assert_eq!(same, index.end_block() <= common);
                match Fork::new(ours, theirs) {
                    Ok(fork) => {
                        assert!(!same);
                        assert_eq!(fork.verify(&key), Ok(()));
                        assert_eq!(Fork::from_bytes(&fork.to_bytes()), Ok(fork.clone()));
                        assert_eq!(
                            (fork.ours().length(), fork.theirs().length()),
                            lengths.into()
                        );
                        let stranger = KeyPair::from_seed([9; 32]).public();
                        assert!(matches!(
                            fork.verify(&stranger),
                            Err(ForkError::Signature(_))
                        ));
                    }
                    Err(error) => {
                        assert!(same);
                        assert_eq!(error, ForkError::NoContradiction { index });
                    }
                }
            }
        }
    }
}

#[test]
fn one_feed_that_grew_is_no_evidence() {
    let author = Author::of(2, 20);
    let [older, _] = branches(11, [11, 11]);
    for index in (0..40).map(Index::new) {
        if let (Some(ours), Some(theirs)) = (branch(&older, index), branch(&author, index)) {
            assert!(Fork::new(ours, theirs).is_err());
        }
    }
}

#[test]
fn evidence_with_any_bit_flipped_is_none() {
    let [one, other] = branches(2, [5, 7]);
    let index = Index::from_block(4);
    let fork = Fork::new(branch(&one, index).unwrap(), branch(&other, index).unwrap()).unwrap();
    let bytes = fork.to_bytes();
    assert_eq!(fork.verify(&one.key()), Ok(()));
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            let read = Fork::from_bytes(&bytes);
            assert!(
                read.is_err() || read.is_ok_and(|fork| fork.verify(&one.key()).is_err()),
                "bit {bit} of byte {at}"
            );
        }
        assert!(Fork::from_bytes(&bytes[..at]).is_err());
    }
    assert_eq!(
        Fork::from_bytes(&[&bytes[..], &[0]].concat()),
        Err(ForkError::Length)
    );
    assert_eq!(Fork::from_bytes(b"HCP and more"), Err(ForkError::NotAFork));
    assert_eq!(
        Fork::from_bytes(b"HCF\x02"),
        Err(ForkError::Version { version: 2 })
    );
}

#[test]
fn a_size_alone_contradicts_nothing() {
    // Sizes of two leaves side by side can be shifted, and the roots stay what was signed.
    let author = Author::of(2, 4);
    let index = Index::from_block(2);
    let ours = branch(&author, index).unwrap();
    let shifted =
        |node: &mut hypercore_merkle::Node, by: u64| node.size = node.size.wrapping_add(by);
    let mut node = *ours.node();
    shifted(&mut node, 1);
    let copy = &author.copy;
    let theirs = Branch::new(node, copy.roots.clone(), copy.signatures[&4], |index| {
        let mut node = copy.nodes[&index];
        if index == Index::from_block(3) {
            shifted(&mut node, u64::MAX);
        }
        Some(node)
    });
    assert!(Fork::new(ours, theirs.unwrap()).is_err());
}

#[test]
fn numbers_near_the_largest_are_refused_without_work() {
    let pair = KeyPair::from_seed([1; 32]);
    let signature = pair.sign(&Author::of(1, 1).copy.roots.signable(), Dialect::V8);
    for index in [0, 1, (1 << 53) - 1, 1 << 53, 1 << 62, u64::MAX] {
        for length in [0, 1, 1 << 52, (1 << 52) + 1, u64::MAX] {
            if let Some(path) = Branch::siblings(Index::new(index), length) {
                assert!(length <= 1 << 52 && path.len() <= 52);
            }
            let mut bytes = b"HCF\x01".to_vec();
            bytes.extend(index.to_be_bytes());
            bytes.extend(length.to_be_bytes());
            bytes.extend(signature.as_bytes());
            bytes.extend([1; 400]);
            assert!(Fork::from_bytes(&bytes).is_err());
        }
    }
}
