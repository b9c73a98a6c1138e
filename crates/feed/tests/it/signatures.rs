//! Whose word a block stands on: signatures, the roots that they are for, and the nodes of blocks.

use crypto::{Dialect, KeyPair, Signature};
use flat_tree::full_roots;
use hypercore_feed::{Damage, Error, OpenOptions};
use merkle::{Node, RemoteTree};
use storage::{File, MemoryFiles};

use crate::world::{Log, bytes, key_of, made_up, replace, seeded};

/// One whose appends ended at these lengths.
fn batches(seed: u8, ends: &[u64]) -> (Log, MemoryFiles) {
    let (mut log, files) = Log::writer(seed);
    for end in ends {
        log.append((log.length()..*end).map(|block| made_up(seed, block)));
    }
    (log, files)
}

#[test]
fn the_signature_of_a_block_is_that_of_the_append_it_came_with() {
    let (log, _) = batches(3, &[1, 4, 5, 30]);
    for block in 0..30 {
        let (last, signature) = log.signature(block).unwrap();
        let expected = [0, 3, 4, 29].into_iter().find(|last| *last >= block);
        assert_eq!(Some(last), expected);
        assert!(log.feed.verify(&log.roots(last).unwrap(), &signature));
    }
}

#[test]
fn a_signature_far_behind_is_found_in_pieces() {
    let (log, files) = batches(3, &[5000]);
    assert_eq!(log.signature(0).unwrap().0, 4999);
    assert_eq!(log.signature(4999).unwrap().0, 4999);
    let signatures = bytes(&files, File::Signatures);
    let end = signatures.len();
    let missing = Error::Corrupt {
        file: File::Signatures,
        what: Damage::MissingSignature,
    };
    replace(&files, File::Signatures, &signatures[..end - 64]);
    assert_eq!(log.signature(0), Err(missing));
    replace(&files, File::Signatures, &[]);
    assert_eq!(log.signature(0), Err(missing));
    assert_eq!(log.signature(4999), Err(missing));
}

#[test]
fn there_is_none_where_there_is_no_block() {
    for length in [0, 1, 7] {
        let log = Log::author(3, length);
        for block in [length, length + 1, u64::MAX] {
            let expected = Error::OutOfRange { block, length };
            assert_eq!(log.signature(block), Err(expected));
            assert_eq!(log.roots(block), Err(expected));
            assert_eq!(log.feed.plan_block_info(block).unwrap_err(), expected);
        }
    }
}

#[test]
fn signatures_hold_in_both_forms_and_for_nothing_else() {
    let pair = KeyPair::from_seed([3; 32]);
    let log = Log::author(3, 20);
    for block in 0..20 {
        let roots = log.roots(block).unwrap();
        for dialect in [Dialect::V8, Dialect::V9] {
            let signature = pair.sign(&roots.signable(), dialect);
            assert!(log.feed.verify(&roots, &signature));
            let other = log.roots((block + 1) % 20).unwrap();
            assert!(!log.feed.verify(&other, &signature));
            let mut bytes = *signature.as_bytes();
            bytes[block as usize] ^= 1;
            assert!(!log.feed.verify(&roots, &Signature::new(bytes)));
        }
        let stranger = KeyPair::from_seed([4; 32]).sign(&roots.signable(), Dialect::V8);
        assert!(!log.feed.verify(&roots, &stranger));
    }
}

#[test]
fn roots_of_every_length_are_read() {
    let log = Log::author(3, 40);
    let mut grown = merkle::Roots::new();
    for block in 0..40 {
        grown = grown.append(&[made_up(3, block)]).unwrap().roots;
        assert_eq!(log.roots(block).unwrap(), grown);
    }
}

#[test]
fn a_copy_says_which_roots_it_lacks() {
    let author = Log::author(3, 40);
    let (mut copy, _) = Log::reader(key_of(3));
    copy.fetch(&author, &mut RemoteTree::new(), 39, true);
    for block in 0..40 {
        let stored = full_roots(block + 1).all(|root| copy.feed.bitfield().has_node(root));
        match copy.roots(block) {
            Ok(roots) => assert!(stored && roots == author.roots(block).unwrap()),
            Err(error) => {
                assert!(!stored);
                let length = block + 1;
                assert_eq!(error, Error::MissingRoots { length });
            }
        }
    }
    // It has one signature only, which covers all.
    assert_eq!(copy.signature(0), copy.signature(39));
}

#[test]
fn the_hash_and_the_size_of_a_block_are_known_without_it() {
    let author = Log::author(3, 40);
    let (mut copy, _) = Log::reader(key_of(3));
    copy.fetch(&author, &mut RemoteTree::new(), 20, false);
    for block in [20, 21] {
        let plan = copy.feed.plan_block_info(block).unwrap();
        let info = plan.finish(&copy.files.read(plan.reads()).unwrap());
        assert_eq!(info, Ok(Node::leaf(block, &made_up(3, block))));
    }
    // The hash alone leaves the size open.
    copy.fetch(&author, &mut RemoteTree::new(), 30, true);
    let error = copy.feed.plan_block_info(30).unwrap_err();
    assert_eq!(error, Error::NoProof { block: 30 });
}

#[test]
fn a_copy_hands_on_proofs_that_stand_alone() {
    let author = Log::author(3, 40);
    let (mut copy, _) = Log::reader(key_of(3));
    copy.fetch(&author, &mut RemoteTree::new(), 20, false);
    let plan = copy.feed.plan_portable_proof(20).unwrap();
    let proof = plan.finish(&copy.files.read(plan.reads()).unwrap());
    let proof = proof.unwrap();
    assert_eq!((proof.block(), proof.length()), (20, 40));
    assert!(proof.verify(&key_of(3), &made_up(3, 20)).is_ok());
    assert!(proof.verify(&key_of(3), &made_up(3, 19)).is_err());
    assert!(proof.verify(&key_of(4), &made_up(3, 20)).is_err());
    for block in [30, 40, u64::MAX] {
        let error = copy.feed.plan_portable_proof(block).unwrap_err();
        assert_eq!(error, Error::NoProof { block });
    }
}

#[test]
fn a_writer_of_the_other_dialect_goes_on_with_its_form() {
    let (log, files) = batches(3, &[4]);
    drop(log);
    let options = OpenOptions {
        dialect: Dialect::V9,
        ..seeded(9)
    };
    let mut log = Log::open(files, options).unwrap();
    log.append(["more"]);
    for (block, dialect) in [(3, Dialect::V8), (4, Dialect::V9)] {
        let signable = log.roots(block).unwrap().signable();
        let (_, signature) = log.signature(block).unwrap();
        let witness = log.feed.key().verify(&signable, &signature).unwrap();
        assert_eq!(witness.dialect(), Some(dialect));
    }
}
