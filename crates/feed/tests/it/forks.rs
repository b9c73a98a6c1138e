//! Feeds with two histories: a copy has blocks of one only, and keeps evidence of the other.

use bytes::Bytes;
use crypto::Verified;
use hypercore_feed::{ForkPolicy, MAX_FORKS, OpenOptions, PutError};
use merkle::{Fork, Proof, RemoteTree};
use storage::MemoryFiles;
use testkit::Rng;

use crate::world::{Log, made_up, with_key};

const LENGTHS: [u64; 6] = [1, 2, 5, 6, 8, 11];

/// Two writers with one key, who wrote the same up to a length.
fn branches(common: u64, lengths: [u64; 2]) -> [Log; 2] {
    let [mut one, mut other] = [Log::author(6, common), Log::author(6, common)];
    for block in common..lengths[0] {
        one.append([made_up(6, block)]);
    }
    for block in common..lengths[1] {
        other.append([Bytes::from(format!("other {block}"))]);
    }
    [one, other]
}

fn copy_of(author: &Log, fork_policy: ForkPolicy) -> Log {
    let options = OpenOptions {
        fork_policy,
        ..with_key(author.feed.key())
    };
    Log::open(MemoryFiles::default(), options).unwrap()
}

/// What an answer that was refused shows.
fn suspect(log: &Log, proof: Proof, value: Option<&Bytes>) -> Option<Fork> {
    let suspicion = log.feed.plan_fork(proof, value)?;
    let (signable, signature) = suspicion.signable();
    let witness: Verified = log.feed.key().verify(signable, signature?).ok()?;
    let candidates = suspicion.candidates(&log.feed, &witness)?;
    let stored = log.files.read(candidates.reads()).unwrap();
    let plan = candidates.path(&log.feed, &stored)?;
    let replies = log.files.read(plan.reads()).unwrap();
    plan.finish(&replies)
}

#[test]
fn whoever_has_one_history_takes_nothing_of_the_other_and_can_prove_that_there_are_two() {
    let (mut shown, mut aside) = (0, 0);
    for common in [0, 1, 3, 4] {
        for one in LENGTHS.into_iter().filter(|length| *length > common) {
            for other in LENGTHS.into_iter().filter(|length| *length > common) {
                let [one, other] = branches(common, [one, other]);
                for known in 0..one.length() {
                    let mut copy = copy_of(&one, ForkPolicy::Strict);
                    let value = one.get(known).unwrap();
                    copy.put(one.prove(known, false), Some(value)).unwrap();
                    for block in 0..other.length() {
                        for hash in [false, true] {
                            let proof = other.prove(block, hash);
                            let value = (!hash).then(|| other.get(block).unwrap());
                            let before = copy.feed.roots().clone();
                            let what = format!("{known} known, {block}, {hash}");
                            match copy.put(proof.clone(), value.clone()) {
                                // Nothing that is stored belongs to one of them alone.
                                Ok(_) => assert!(block < common, "{what}"),
                                Err(PutError::Unproven { .. }) => aside += 1,
                                Err(error) => {
                                    let fork = suspect(&copy, proof, value.as_ref());
                                    let fork = fork.unwrap_or_else(|| panic!("{what}: {error}"));
                                    assert_eq!(fork.verify(&one.feed.key()), Ok(()));
                                    assert_eq!(fork.ours().roots(), one.feed.roots());
                                    assert_eq!(fork.theirs().roots(), other.feed.roots());
                                    shown += 1;
                                }
                            }
                            assert_eq!(copy.feed.roots(), &before);
                        }
                    }
                    // And the first one is still welcome.
                    let mut remote = RemoteTree::new();
                    for block in 0..one.length() {
                        copy.fetch(&one, &mut remote, block, false);
                        assert_eq!(copy.get(block), one.get(block));
                    }
                }
            }
        }
    }
    assert!(shown > 1000 && aside > 100, "{shown} {aside}");
}

#[test]
fn a_strict_copy_never_mixes_what_is_thrown_at_it_in_any_order() {
    let mut rng = Rng::new(testkit::seed(31));
    for _ in 0..60 {
        let common = rng.below(6);
        let lengths = [0; 2].map(|_| common + 1 + rng.below(12));
        let branches = branches(common, lengths);
        let mut copy = copy_of(&branches[0], ForkPolicy::Strict);
        for _ in 0..80 {
            let from = &branches[rng.below(2) as usize];
            let (block, hash) = (rng.below(from.length()), rng.one_in(3));
            // Made for a peer that knows nothing, or for this one.
            let digest = match rng.one_in(2) {
                true => 0,
                false => merkle::digest(copy.feed.bitfield(), block),
            };
            let request = merkle::ProofRequest {
                block,
                hash,
                digest,
            };
            let (proof, value) = from.answer(&request, &mut RemoteTree::new()).unwrap();
            let _ = copy.put(proof, value);
        }
        let is_one_of = |log: &Log| {
            let same = |block: &u64| *block < log.length() && copy.get(*block) == log.get(*block);
            copy.has().iter().all(same)
        };
        assert!(branches.iter().any(is_one_of));
    }
}

#[test]
fn a_compatible_copy_takes_what_nothing_stored_contradicts_as_javascript_does() {
    let [one, other] = branches(0, [8, 13]);
    let mut copy = copy_of(&one, ForkPolicy::Compat);
    copy.put(one.prove(0, false), Some(one.get(0).unwrap()))
        .unwrap();
    // Root 7 of the other one comes along, and differs.
    let (proof, value) = (other.prove(12, false), other.get(12).unwrap());
    let error = copy.put(proof, Some(value)).unwrap_err();
    assert!(
        matches!(error, PutError::Proof(_)),
        "what is stored wins: {error}"
    );
    let [one, other] = branches(0, [6, 13]);
    let mut copy = copy_of(&one, ForkPolicy::Compat);
    copy.put(one.prove(0, false), Some(one.get(0).unwrap()))
        .unwrap();
    let (proof, value) = (other.prove(12, false), other.get(12).unwrap());
    copy.put(proof, Some(value)).unwrap();
    assert_eq!((copy.length(), copy.has()), (13, vec![0, 12]));
}

#[test]
fn no_liar_makes_an_honest_author_look_like_a_forker() {
    let author = Log::author(7, 13);
    let old = Log::author(7, 9);
    let mut rng = Rng::new(testkit::seed(32));
    for round in 0..3_000 {
        let mut copy = copy_of(&author, ForkPolicy::Strict);
        let known = rng.below(13);
        let hash = rng.one_in(3);
        let mut proof = author.prove(known, hash);
        if hash && proof.nodes[1].size > 0 && known != 12 {
            // Nor do hints that were poisoned.
            proof.nodes[0].size += 1;
            proof.nodes[1].size -= 1;
        }
        copy.put(proof, (!hash).then(|| author.get(known).unwrap()))
            .unwrap();
        let from = if rng.one_in(4) { &old } else { &author };
        let (block, hash) = (rng.below(from.length()), rng.one_in(3));
        let mut proof = from.prove(block, hash);
        let mut value = (!hash).then(|| from.get(block).unwrap());
        for _ in 0..rng.below(3) {
            let at = rng.below(proof.nodes.len() as u64 + 1) as usize;
            match (proof.nodes.get_mut(at), rng.below(4)) {
                (Some(node), 0) => node.size = node.size.wrapping_add(rng.below(5)),
                (Some(node), 1) => {
                    let mut hash = node.hash.to_bytes();
                    hash[rng.below(32) as usize] ^= 1 << rng.below(8);
                    node.hash = crypto::Hash::new(hash);
                }
                (Some(_), 2) => drop(proof.nodes.remove(at)),
                _ => value = value.map(|_| Bytes::from_static(b"made up")),
            }
        }
        let fork = suspect(&copy, proof, value.as_ref());
        assert_eq!(fork, None, "round {round}");
    }
}

#[test]
fn a_feed_remembers_each_fork_once_and_not_too_many() {
    let mut copy = copy_of(&Log::author(6, 1), ForkPolicy::Strict);
    let fork = |n: u64| {
        let [one, other] = branches(0, [1, n]);
        let mut copy = copy_of(&one, ForkPolicy::Strict);
        copy.put(one.prove(0, false), Some(one.get(0).unwrap()))
            .unwrap();
        suspect(&copy, other.prove(0, false), Some(&other.get(0).unwrap())).unwrap()
    };
    for n in 1..=MAX_FORKS as u64 {
        assert!(copy.feed.note_fork(&fork(n)));
        assert!(!copy.feed.note_fork(&fork(n)));
    }
    assert!(copy.feed.note_fork(&fork(100)));
    assert_eq!(copy.feed.forks().len(), MAX_FORKS);
}
