//! Two histories of one author: which proofs can tell a longer feed from one that only looks like it.

use std::collections::BTreeSet;

use flat_tree::{Index, full_roots};
use hypercore_merkle::{
    Check, Checked, NodeSet, Proof, ProofRequest, Unsigned, digest, is_linked, proving_blocks,
};

use crate::author::{Author, MAX_LENGTH, Reader, ask, ask_hash, made_up};

/// The longest feed that is tried.
const LONGEST: u64 = 40;

/// The same where all of it is signed and checked.
const CHECKED: u64 = 18;

/// Two feeds of one author that are alike up to a length and then go on differently, to another one.
fn branches(common: u64, length: u64) -> (Author, Author) {
    let mut one = Author::of(2, common);
    let mut other = Author::of(2, common);
    for block in common..length {
        one.append(&[made_up(2, block)]);
        other.append(&[made_up(8, block + 1)]);
    }
    (one, other)
}

/// A proof that reaches roots, as a reader sees it.
fn unsigned(reader: &Reader, proof: Proof, value: &[u8]) -> Option<Unsigned> {
    let check = Check::plan(&reader.tree, &reader.roots, true, proof, true, MAX_LENGTH).ok()?;
    let reads = check.reads().iter();
    let stored: Vec<_> = reads.map(|index| reader.nodes[index]).collect();
    match check.finish(
        &stored,
        Some((crypto::leaf_hash(value), value.len() as u64)),
    ) {
        Ok(Checked::Unsigned(unsigned)) => Some(unsigned),
        _ => None,
    }
}

/// A reader that knows a length and no block below it.
fn reader_of(author: &Author) -> Reader {
    let mut reader = Reader::new();
    let last = author.length() - 1;
    let proof = author.answer(&ask_hash(last));
    reader.put(&author.key(), proof, None).unwrap();
    reader
}

/// The nodes that a proof of a block meets on its way up to the roots of a length, and the other roots.
fn met(block: u64, length: u64) -> BTreeSet<Index> {
    let roots: BTreeSet<Index> = full_roots(length).collect();
    let mut met = roots.clone();
    let mut next = Index::from_block(block);
    while !roots.contains(&next) {
        met.insert(next.sibling());
        next = next.parent();
    }
    met
}

#[test]
fn a_proof_shows_the_growth_exactly_if_it_meets_every_old_root() {
    for old in 1..LONGEST {
        for new in old + 1..=LONGEST {
            for block in old..new {
                let all = full_roots(old).all(|root| met(block, new).contains(&root));
                let proves = proving_blocks(old).contains(&block);
                assert_eq!(all, proves, "block {block}, from {old} to {new}");
            }
        }
    }
}

#[test]
fn a_growth_that_is_proven_is_of_one_history_and_the_other_branch_never_is() {
    for old in 1..CHECKED {
        for new in old + 1..=CHECKED {
            let author = Author::of(2, old);
            let reader = reader_of(&author);
            let (honest, _) = branches(old, new);
            // Another history from the last block of the old one on.
            let (_, fork) = branches(old - 1, new);
            for block in old..new {
                let proves = proving_blocks(old).contains(&block);
                for request in [
                    ask(block),
                    ProofRequest {
                        digest: digest(&reader.tree, block),
                        ..ask(block)
                    },
                ] {
                    let value = honest.block(block);
                    let seen = unsigned(&reader, honest.answer(&request), value).unwrap();
                    assert_eq!(seen.is_proven(), proves);
                    // What isn't met can be of any history, and is signed.
                    let value = fork.block(block);
                    let seen = unsigned(&reader, fork.answer(&request), value);
                    let passes = seen.is_some_and(|seen| {
                        let signature = seen.signature().unwrap();
                        let signed = fork.key().verify(seen.signable(), signature).is_ok();
                        assert!(!signed || !seen.is_proven());
                        signed
                    });
                    assert!(!passes || !proves, "block {block}, from {old} to {new}");
                }
            }
        }
    }
}

#[test]
fn a_shorter_feed_is_linked_to_a_longer_one_only_by_what_is_stored() {
    for long in 2..CHECKED {
        let author = Author::of(2, long);
        for short in 1..long {
            let (old, _) = branches(short, short);
            let bare = reader_of(&author);
            for known in (0..long).map(Some).chain([None]) {
                let mut reader = bare.clone();
                if let Some(known) = known {
                    let value = Some(&author.block(known)[..]);
                    reader
                        .put(&author.key(), author.answer(&ask(known)), value)
                        .unwrap();
                }
                for block in (0..short).filter(|block| !reader.blocks.contains_key(block)) {
                    let value = old.block(block);
                    let rooted = unsigned(&reader, old.answer(&ask(block)), value);
                    assert_eq!(rooted.is_none(), is_linked(&reader.tree, block, short));
                    assert!(rooted.is_none_or(|rooted| !rooted.is_proven()));
                }
            }
        }
    }
}

#[test]
fn nothing_is_linked_to_nothing_and_everything_to_a_whole_tree() {
    let whole = Author::of(2, LONGEST);
    for block in 0..LONGEST {
        for length in [0, 1, block, block + 1, LONGEST, u64::MAX] {
            assert!(is_linked(&whole.copy.tree, block, length));
            assert!(!is_linked(&Reader::new().tree, block, length));
        }
    }
    assert!(!is_linked(&whole.copy.tree, u64::MAX / 4, u64::MAX));
    assert!(whole.copy.tree.bits() > 0);
}
