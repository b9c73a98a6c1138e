//! Proofs that stand alone: every honest one is read and believed, and nothing else.

use bytes::Bytes;
use crypto::{Dialect, KeyPair, PublicKey};
use flat_tree::Index;
use hypercore_merkle::{
    MAX_BLOCKS, Node, NodeBits, PortableError, PortableProof, Proof, ProofRequest, RemoteTree,
    Roots, insert, plan_proof,
};
use proptest::prelude::*;

/// No two blocks are the same: if they were, a proof of the one could become one of the other.
fn block(number: u64) -> Bytes {
    let len = (5 * number) % 9;
    let numbered = number.to_be_bytes().into_iter();
    numbered.chain((0..len).map(|at| at as u8)).collect()
}

fn pair() -> KeyPair {
    KeyPair::from_seed([8; 32])
}

/// The proofs of all blocks of a feed, signed in a dialect or of a static feed, and the key.
fn proofs(length: u64, dialect: Option<Dialect>) -> (PublicKey, Vec<PortableProof>) {
    let blocks: Vec<Bytes> = (0..length).map(block).collect();
    let growth = Roots::new().append(&blocks).unwrap();
    let mut tree = NodeBits::new();
    growth.nodes.iter().for_each(|node| {
        insert(&mut tree, node.index);
    });
    let find = |index: &Index| {
        let mut nodes = growth.nodes.iter();
        *nodes.find(|node| node.index == *index).unwrap()
    };
    let signable = growth.roots.signable();
    let proofs = (0..length).map(|block| {
        let request = ProofRequest {
            block,
            hash: false,
            digest: 0,
        };
        let plan = plan_proof(&tree, &mut RemoteTree::new(), &request).unwrap();
        let proof = Proof {
            block,
            nodes: plan.nodes.iter().map(find).collect(),
            signature: dialect.map(|dialect| pair().sign(&signable, dialect)),
        };
        PortableProof::new(plan.signed_length.unwrap(), proof).unwrap()
    });
    let key = match dialect {
        Some(_) => pair().public(),
        None => PublicKey::new(signable.tree_hash.to_bytes()),
    };
    (key, proofs.collect())
}

/// Whether bytes are believed to prove a block.
fn believed(bytes: &[u8], key: &PublicKey, block: &[u8]) -> bool {
    PortableProof::from_bytes(bytes).is_ok_and(|proof| proof.verify(key, block).is_ok())
}

const KINDS: [Option<Dialect>; 3] = [Some(Dialect::V8), Some(Dialect::V9), None];

#[test]
fn honest_proofs_are_read_as_they_were_written_and_believed() {
    for kind in KINDS {
        for length in [1, 2, 3, 4, 5, 7, 8, 21, 64, 100] {
            let (key, proofs) = proofs(length, kind);
            for (number, proof) in (0..).zip(proofs) {
                let bytes = proof.to_bytes();
                assert_eq!(PortableProof::from_bytes(&bytes), Ok(proof.clone()));
                assert_eq!((proof.block(), proof.length()), (number, length));
                let witness = proof.verify(&key, &block(number)).unwrap();
                assert_eq!(witness.dialect(), kind);
                assert_eq!(witness.signable().length, length);
            }
        }
    }
}

#[test]
fn no_other_block_and_no_other_key_will_do() {
    let stranger = KeyPair::from_seed([9; 32]).public();
    for kind in KINDS {
        let (key, proofs) = proofs(21, kind);
        for (number, proof) in (0..).zip(proofs) {
            for other in (0..22).filter(|other| *other != number) {
                assert!(proof.verify(&key, &block(other)).is_err());
            }
            let own = block(number);
            assert!(proof.verify(&key, &own[1..]).is_err());
            assert!(proof.verify(&key, &[&own[..], &[0]].concat()).is_err());
            assert!(proof.verify(&stranger, &own).is_err());
        }
    }
}

#[test]
fn every_turned_bit_is_noticed() {
    for kind in KINDS {
        for length in [1, 6, 13] {
            let (key, proofs) = proofs(length, kind);
            for (number, proof) in (0..).zip(proofs) {
                let mut bytes = proof.to_bytes();
                for at in 0..8 * bytes.len() {
                    bytes[at / 8] ^= 1 << (at % 8);
                    assert!(!believed(&bytes, &key, &block(number)), "{at}");
                    bytes[at / 8] ^= 1 << (at % 8);
                }
                assert!(believed(&bytes, &key, &block(number)));
            }
        }
    }
}

#[test]
fn every_cut_and_every_addition_is_refused() {
    for kind in KINDS {
        let (_, proofs) = proofs(13, kind);
        let bytes = proofs[9].to_bytes();
        for end in 0..bytes.len() {
            assert!(PortableProof::from_bytes(&bytes[..end]).is_err());
        }
        let expected = PortableError::Length {
            len: bytes.len() + 1,
            expected: bytes.len(),
        };
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(PortableProof::from_bytes(&longer), Err(expected));
    }
}

#[test]
fn what_is_none_is_told_apart() {
    let (_, proofs) = proofs(3, Some(Dialect::V8));
    let good = proofs[1].to_bytes();
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        PortableProof::from_bytes(&bytes).unwrap_err()
    };
    assert_eq!(
        PortableProof::from_bytes(b""),
        Err(PortableError::NotAProof)
    );
    assert_eq!(with(0, b'X'), PortableError::NotAProof);
    assert_eq!(with(3, 2), PortableError::Version { version: 2 });
    assert_eq!(with(4, 2), PortableError::Kind { kind: 2 });
    let (block, length) = (3, 3);
    assert_eq!(with(12, 3), PortableError::OutOfRange { block, length });
    let mut blank = good.clone();
    blank[21..61].fill(0);
    let index = Index::new(0);
    let expected = PortableError::WrongNode { index };
    assert_eq!(PortableProof::from_bytes(&blank), Err(expected));
}

#[test]
fn the_longest_feed_has_a_small_proof_and_a_longer_one_has_none() {
    let mut bytes = [b"HCP".as_slice(), &[1, 0]].concat();
    bytes.extend(7u64.to_be_bytes());
    bytes.extend((MAX_BLOCKS - 1).to_be_bytes());
    let error = PortableProof::from_bytes(&bytes).unwrap_err();
    let PortableError::Length { expected, .. } = error else {
        panic!("{error}")
    };
    assert!(expected < 8192);
    bytes.resize(expected, 1);
    // Sizes of ones are more than any feed has.
    let error = PortableProof::from_bytes(&bytes).unwrap_err();
    assert!(matches!(error, PortableError::WrongNode { .. }));
    for length in [MAX_BLOCKS + 1, u64::MAX] {
        bytes[13..21].copy_from_slice(&length.to_be_bytes());
        let expected = PortableError::OutOfRange { block: 7, length };
        assert_eq!(PortableProof::from_bytes(&bytes), Err(expected));
    }
}

#[test]
fn proofs_that_leave_something_out_are_not_portable() {
    let (_, proofs) = proofs(13, Some(Dialect::V8));
    let proof = proofs[9].proof();
    for at in 0..proof.nodes.len() {
        let mut short = proof.clone();
        short.nodes.remove(at);
        let error = PortableProof::new(13, short).unwrap_err();
        assert_eq!(error, PortableError::WrongNodes);
    }
    for length in [12, 14] {
        let error = PortableProof::new(length, proof.clone()).unwrap_err();
        assert_eq!(error, PortableError::WrongNodes);
    }
    let error = PortableProof::new(9, proof.clone()).unwrap_err();
    assert_eq!(
        error,
        PortableError::OutOfRange {
            block: 9,
            length: 9
        }
    );
}

#[derive(Clone, Debug)]
enum Mutation {
    Set(usize, u8),
    Remove(usize),
    Insert(usize, u8),
    Swap(usize, usize),
    /// Bytes move from one node to another.
    Shift(usize, usize, u64),
    Resize(usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<usize>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        at().prop_map(Mutation::Remove),
        (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        (at(), at()).prop_map(|(a, b)| Mutation::Swap(a, b)),
        (at(), at(), 1..9u64).prop_map(|(from, to, by)| Mutation::Shift(from, to, by)),
        (0..400usize).prop_map(Mutation::Resize),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation) {
    let len = bytes.len().max(1);
    let nodes = (bytes.len().saturating_sub(21) / Node::LEN).max(1);
    match *mutation {
        Mutation::Set(at, byte) if !bytes.is_empty() => bytes[at % len] = byte,
        Mutation::Remove(at) if !bytes.is_empty() => drop(bytes.remove(at % len)),
        Mutation::Insert(at, byte) => bytes.insert(at % len, byte),
        Mutation::Swap(a, b) if !bytes.is_empty() => bytes.swap(a % len, b % len),
        Mutation::Shift(from, to, by) if bytes.len() >= 21 + Node::LEN => {
            for (node, by) in [(from % nodes, by.wrapping_neg()), (to % nodes, by)] {
                let end = 21 + Node::LEN * (node + 1);
                let place: &mut [u8; 8] = (&mut bytes[end - 8..end]).try_into().unwrap();
                *place = u64::from_be_bytes(*place).wrapping_add(by).to_be_bytes();
            }
        }
        Mutation::Resize(len) => bytes.resize(len, 0),
        _ => {}
    }
}

proptest! {
    #[test]
    fn every_mutation_is_noticed(
        length in 1..40u64,
        number in any::<u64>(),
        kind in 0..3usize,
        mutations in prop::collection::vec(mutation(), 1..4),
    ) {
        let (key, proofs) = proofs(length, KINDS[kind]);
        let number = number % length;
        let good = proofs[number as usize].to_bytes();
        let mut bytes = good.clone();
        mutations.iter().for_each(|mutation| mutate(&mut bytes, mutation));
        prop_assert_eq!(believed(&bytes, &key, &block(number)), bytes == good);
        // What is read at all is read exactly.
        if let Ok(proof) = PortableProof::from_bytes(&bytes) {
            prop_assert_eq!(proof.to_bytes(), bytes);
        }
    }
}
