//! What hostile or merely noisy peers send. It is refused, every byte stays as it was, and honest peers are still welcome.

use bytes::Bytes;
use crypto::{Dialect, Hash, KeyPair, Signature, SignatureError};
use flat_tree::Index;
use hypercore_feed::{Event, ForkPolicy, OpenOptions, PutError};
use merkle::{MAX_PROOF_NODES, Node, Proof, ProofError, RemoteTree, Roots};
use storage::MemoryFiles;
use testkit::Rng;

use crate::world::{Log, contents, key_of, made_up, with_key};

/// A reader whose files are watched.
struct Victim {
    log: Log,
    files: MemoryFiles,
}

impl Victim {
    fn of(author: &Log) -> Self {
        let (log, files) = Log::reader(author.feed.key());
        Victim { log, files }
    }

    fn take(&mut self, author: &Log, block: u64) {
        let proof = author.prove(block, false);
        self.log
            .put(proof, Some(author.get(block).unwrap()))
            .unwrap();
    }

    /// Refused, with nothing changed in the files or in memory.
    fn refuses(&mut self, proof: Proof, value: Option<Bytes>) -> PutError {
        let state = |log: &Log| (log.feed.roots().clone(), log.feed.is_live(), log.has());
        let (files, before) = (contents(&self.files), state(&self.log));
        let error = self.log.put(proof, value).unwrap_err();
        assert!(contents(&self.files) == files);
        assert_eq!(state(&self.log), before);
        error
    }

    /// Everything can still be fetched, and is the author's.
    fn recovers(&mut self, author: &Log) {
        let mut remote = RemoteTree::new();
        for block in 0..author.length() {
            if !self.log.feed.bitfield().has_block(block) {
                self.log.fetch(author, &mut remote, block, false);
            }
            assert_eq!(self.log.get(block), author.get(block));
        }
        assert_eq!(self.log.feed.roots(), author.feed.roots());
    }
}

/// The genuine roots and the genuine signature over them, and nothing that links the block to them.
fn forged(author: &Log, block: u64) -> Proof {
    let length = author.length();
    let honest = author.prove(length - 1, true);
    Proof {
        block,
        nodes: author.feed.roots().nodes().to_vec(),
        signature: honest.signature,
    }
}

/// As long as the true block, but other bytes; none for an empty block.
fn other(author: &Log, block: u64) -> Option<Bytes> {
    let len = author.get(block).unwrap().len();
    (len > 0).then(|| Bytes::from(vec![0xee; len]))
}

#[test]
fn a_made_up_second_block_of_a_pair_is_refused_and_the_true_one_taken() {
    for length in [2, 3, 5, 8, 13, 20] {
        let author = Log::author(1, length);
        for honest in 0..length - length % 2 {
            let Some(value) = other(&author, honest ^ 1) else {
                continue;
            };
            let mut victim = Victim::of(&author);
            victim.take(&author, honest);
            let own = Index::from_block(honest ^ 1);
            for proof in [forged(&author, honest ^ 1), author.prove(honest ^ 1, false)] {
                let error = victim.refuses(proof, Some(value.clone()));
                let expected = ProofError::Mismatch { index: own };
                assert_eq!(error, PutError::Proof(expected));
            }
            victim.recovers(&author);
        }
    }
}

#[test]
fn a_made_up_first_block_is_refused() {
    let author = Log::author(2, 12);
    for block in 0..12 {
        let Some(value) = other(&author, block) else {
            continue;
        };
        let mut victim = Victim::of(&author);
        victim.refuses(forged(&author, block), Some(value.clone()));
        victim.refuses(author.prove(block, false), Some(value));
        assert_eq!(victim.log.length(), 0);
        victim.recovers(&author);
    }
}

#[test]
fn a_flipped_bit_anywhere_is_refused() {
    let author = Log::author(3, 11);
    let mut rng = Rng::new(testkit::seed(3));
    for block in 0..11 {
        for stored in [None, Some(block ^ 1), Some(10)] {
            let mut victim = Victim::of(&author);
            if let Some(stored) = stored.filter(|stored| *stored != block && *stored < 11) {
                victim.take(&author, stored);
            }
            for _ in 0..20 {
                let mut proof = author.prove(block, false);
                let mut value = author.get(block).unwrap().to_vec();
                let (at, bit) = (rng.below(64) as usize, 1 << rng.below(8));
                let nodes = proof.nodes.len() as u64;
                match rng.below(3) {
                    0 if !value.is_empty() => {
                        let len = value.len();
                        value[at % len] ^= bit;
                    }
                    1 if nodes > 0 => {
                        let node = &mut proof.nodes[rng.below(nodes) as usize];
                        let mut hash = node.hash.to_bytes();
                        hash[at % 32] ^= bit;
                        node.hash = Hash::new(hash);
                    }
                    2 if stored.is_none() => {
                        let mut signature = proof.signature.unwrap().to_bytes();
                        signature[at] ^= bit;
                        proof.signature = Some(Signature::new(signature));
                    }
                    _ => continue,
                }
                victim.refuses(proof, Some(value.into()));
            }
            victim.recovers(&author);
        }
    }
}

#[test]
fn a_node_that_became_a_value_is_refused() {
    // One flipped bit turns the tag of a node into that of the value; its forty bytes then stand for the block.
    let author = Log::author(4, 8);
    for block in 0..8 {
        let honest = author.prove(block, false);
        for at in 0..honest.nodes.len() {
            let mut victim = Victim::of(&author);
            let mut proof = honest.clone();
            let value = Bytes::copy_from_slice(&proof.nodes.remove(at).to_bytes());
            victim.refuses(proof.clone(), Some(value.clone()));
            victim.take(&author, block ^ 1);
            victim.refuses(proof, Some(value));
            victim.recovers(&author);
        }
    }
}

/// The hash of a block, with a byte taken from its neighbour. Their parent covers only the sum of the two.
fn shifted(author: &Log, block: u64) -> Proof {
    let mut proof = author.prove(block, true);
    proof.nodes[0].size += 1;
    proof.nodes[1].size -= 1;
    proof
}

#[test]
fn shifted_sizes_of_a_hash_spoil_nothing() {
    let author = Log::author(5, 8);
    for poisoned in (0..8).filter(|block| !author.get(block ^ 1).unwrap().is_empty()) {
        let first = poisoned & !1;
        let sizes = [first, first + 1].map(|block| author.get(block).unwrap().len() as u64);
        let start = (0..first).map(|block| author.get(block).unwrap().len() as u64);
        let start: u64 = start.sum();
        for block in 0..8 {
            let mut victim = Victim::of(&author);
            victim.log.put(shifted(&author, poisoned), None).unwrap();
            assert_eq!(victim.log.feed.roots(), author.feed.roots());
            // A search for a byte goes by what was said, as nothing else is known.
            assert!(victim.log.feed.knows_hash(first) && victim.log.feed.knows_hash(first + 1));
            let end = victim.log.seek(start + sizes[0] + sizes[1] - 1).unwrap();
            assert!(matches!(end, Ok((found, _)) if found & !1 == first));

            victim.take(&author, block);
            assert_eq!(victim.log.get(block), author.get(block));
            if block & !1 == first {
                for byte in start..start + sizes[0] + sizes[1] {
                    assert_eq!(victim.log.seek(byte), author.seek(byte));
                }
            }
            // Nor can what is certain be made uncertain.
            if block & !1 == first {
                victim.refuses(shifted(&author, poisoned), None);
            }
            victim.recovers(&author);
        }
    }
}

#[test]
fn shifted_sizes_of_a_hash_are_forgotten_with_the_handle() {
    let author = Log::author(5, 8);
    let mut victim = Victim::of(&author);
    victim.log.put(shifted(&author, 3), None).unwrap();
    let Victim { log, files } = victim;
    drop(log);
    let log = Log::open(files.clone(), with_key(author.feed.key())).unwrap();
    assert!(!log.feed.knows_hash(2) && !log.feed.knows_hash(3));
    Victim { log, files }.recovers(&author);
}

#[test]
fn another_branch_of_equal_length_is_refused() {
    for length in 1..10 {
        let (mut one, mut other) = (Log::author(6, length), Log::author(6, length));
        one.append(["one"]);
        other.append(["other"]);
        let mut victim = Victim::of(&one);
        victim.take(&one, length);
        for block in 0..=length {
            let value = other.get(block).unwrap();
            let error = victim.refuses(other.prove(block, false), Some(value));
            assert!(matches!(
                error,
                PutError::Proof(ProofError::Mismatch { .. })
            ));
            victim.refuses(other.prove(block, true), None);
        }
        victim.recovers(&one);
    }
}

#[test]
fn numbers_near_the_largest_are_refused_without_work() {
    let author = Log::author(7, 3);
    let mut victim = Victim::of(&author);
    let node = |index, size| Node {
        index: Index::new(index),
        size,
        hash: Hash::new([7; 32]),
    };
    let signature = author.prove(2, true).signature;
    for far in [
        1 << 32,
        (1 << 52) - 1,
        1 << 52,
        (1 << 53) - 1,
        1 << 53,
        1 << 62,
        u64::MAX,
    ] {
        for (proof, value) in [
            (far, vec![]),
            (0, vec![node(far, 1)]),
            (far, vec![node(far.wrapping_mul(2), 1)]),
            (far / 2, vec![node(far, u64::MAX)]),
            (1, vec![node(0, far), node(4, far)]),
        ]
        .map(|(block, nodes)| {
            let value = Some(Bytes::from_static(b"x"));
            (
                Proof {
                    block,
                    nodes,
                    signature,
                },
                value,
            )
        }) {
            victim.refuses(proof.clone(), value);
            victim.refuses(proof, None);
        }
    }
    victim.recovers(&author);
}

#[test]
fn a_length_beyond_the_limit_is_refused_even_if_the_author_signed_it() {
    let pair = KeyPair::from_seed([8; 32]);
    let far = 1 << 20;
    let leaf = Node::leaf(far, b"far");
    let root = Node {
        index: Index::at(20, 0),
        size: 1,
        hash: Hash::new([3; 32]),
    };
    let roots = Roots::from_nodes(far + 1, vec![root, leaf]).unwrap();
    let proof = Proof {
        block: far,
        nodes: vec![root],
        signature: Some(pair.sign(&roots.signable(), Dialect::V8)),
    };
    let value = Some(Bytes::from_static(b"far"));
    for (max_length, accepted) in [(far, false), (far + 1, true)] {
        let files = MemoryFiles::default();
        let options = OpenOptions {
            max_length,
            ..with_key(pair.public())
        };
        let mut log = Log::open(files.clone(), options.clone()).unwrap();
        let put = log.put(proof.clone(), value.clone());
        assert_eq!(put.is_ok(), accepted);
        if !accepted {
            let expected = ProofError::TooLong { max: far };
            assert_eq!(put, Err(PutError::Proof(expected)));
            continue;
        }
        // A million blocks that nobody has cost a few pages, in memory as in the files.
        assert_eq!(
            (log.length(), log.get(far).unwrap()),
            (far + 1, "far".into())
        );
        drop(log);
        for file in storage::File::ALL {
            assert!(files.file(file).allocated() <= 100 * 4096, "{file}");
        }
        let log = Log::open(files, options).unwrap();
        assert_eq!((log.length(), log.has()), (far + 1, vec![far]));
        assert_eq!(log.get(far).unwrap(), "far");
    }
}

#[test]
fn sizes_that_lie_are_refused() {
    let author = Log::author(9, 13);
    for block in 0..13 {
        let honest = author.prove(block, false);
        let value = author.get(block).unwrap();
        for at in 0..honest.nodes.len() {
            for by in [1, 2, 1 << 40, u64::MAX] {
                let mut victim = Victim::of(&author);
                let mut proof = honest.clone();
                proof.nodes[at].size = proof.nodes[at].size.wrapping_add(by);
                victim.refuses(proof, Some(value.clone()));
            }
        }
        let mut victim = Victim::of(&author);
        let longer = [&value[..], &[0]].concat();
        victim.refuses(honest.clone(), Some(longer.into()));
        if !value.is_empty() {
            victim.refuses(honest, Some(value.slice(1..)));
        }
        victim.recovers(&author);
    }
}

#[test]
fn values_without_nodes_and_nodes_without_values_are_legal_bytes() {
    let author = Log::author(10, 6);
    let mut victim = Victim::of(&author);
    let empty = |block| Proof {
        block,
        nodes: vec![],
        signature: None,
    };
    // Neither: no answer at all.
    let error = victim.refuses(empty(0), None);
    assert_eq!(error, PutError::Proof(ProofError::Empty));
    // A value alone proves nothing where nothing is known.
    for block in 0..6 {
        victim.refuses(empty(block), Some(author.get(block).unwrap()));
        victim.refuses(empty(block), Some(Bytes::new()));
    }
    // Nodes alone are what was asked for by hash.
    for block in 0..6 {
        victim.log.put(author.prove(block, true), None).unwrap();
        assert!(!victim.log.feed.bitfield().has_block(block));
    }
    // Once the neighbour is here, the value alone is enough.
    for block in [0, 2, 4] {
        victim.take(&author, block);
    }
    for block in [1, 3, 5] {
        let events = victim
            .log
            .put(empty(block), Some(author.get(block).unwrap()));
        let len = author.get(block).unwrap().len();
        assert_eq!(events.unwrap(), [Event::Download { block, len }]);
    }
    victim.recovers(&author);
}

#[test]
fn the_nodes_of_another_block_and_of_another_feed_are_refused() {
    let (author, foreign) = (Log::author(11, 9), Log::author(12, 9));
    let mut victim = Victim::of(&author);
    for block in 0..9 {
        let value = Some(author.get(block).unwrap());
        victim.refuses(foreign.prove(block, false), value.clone());
        victim.refuses(foreign.prove(block, true), None);
        let next = (block + 1) % 9;
        let mut proof = author.prove(next, false);
        proof.block = block;
        victim.refuses(proof, value);
        let mut proof = author.prove(next, true);
        proof.block = block;
        victim.refuses(proof, None);
    }
    let mut proof = author.prove(0, false);
    proof.nodes.resize(MAX_PROOF_NODES + 1, proof.nodes[0]);
    let error = victim.refuses(proof, Some(author.get(0).unwrap()));
    assert!(matches!(
        error,
        PutError::Proof(ProofError::TooManyNodes { .. })
    ));
    victim.recovers(&author);
}

#[test]
fn the_witness_of_another_feed_or_another_state_is_not_enough() {
    let author = Log::author(13, 5);
    let victim = Victim::of(&author);
    let check = || {
        let value = Some(author.get(2).unwrap());
        victim.log.check(author.prove(2, false), value).unwrap()
    };
    let check_one = check();
    let (signable, _) = check_one.signable().unwrap();
    // Another author stands for the very same roots.
    let other = KeyPair::from_seed([99; 32]);
    let signature = other.sign(signable, Dialect::V8);
    let witness = other.public().verify(signable, &signature).unwrap();
    let error = check().accept(Some(&witness)).unwrap_err();
    assert_eq!(error, PutError::Proof(SignatureError.into()));
    // The right author stands for other roots.
    let own = KeyPair::from_seed([13; 32]);
    let older = Log::author(13, 4).feed.roots().signable();
    let witness = own.public().verify(&older, &own.sign(&older, Dialect::V8));
    let error = check().accept(Some(&witness.unwrap())).unwrap_err();
    assert_eq!(error, PutError::Proof(SignatureError.into()));
    // Nobody stands for them.
    let error = check().accept(None).unwrap_err();
    assert_eq!(error, PutError::Proof(ProofError::NoSignature));
    assert_eq!(own.public(), key_of(13));
}

#[test]
fn of_two_that_contradict_each_other_in_one_batch_the_second_is_left_out() {
    let (mut one, mut two) = (Log::author(14, 4), Log::author(14, 4));
    one.append(["one"]);
    two.append(["two"]);
    let mut victim = Victim::of(&one);
    let puts = [&one, &two].map(|from| {
        let value = Some(from.get(4).unwrap());
        victim.log.accept(from.prove(4, false), value).unwrap()
    });
    let (commit, conflicts) = victim.log.feed.commit_puts(puts.into());
    assert_eq!(conflicts, [4]);
    let events = victim.log.commit(commit);
    let expected = [
        Event::Grown { length: 5 },
        Event::Download { block: 4, len: 3 },
    ];
    assert_eq!(events, expected);
    assert_eq!(victim.log.get(4).unwrap(), "one");
    victim.recovers(&one);
}

#[test]
fn the_same_block_twice_in_one_batch_is_stored_once() {
    let author = Log::author(15, 7);
    let mut victim = Victim::of(&author);
    let puts = [3, 3, 4, 3].map(|block| {
        let value = Some(author.get(block).unwrap());
        victim
            .log
            .accept(author.prove(block, false), value)
            .unwrap()
    });
    let (commit, conflicts) = victim.log.feed.commit_puts(puts.into());
    assert!(conflicts.is_empty());
    let downloads = victim.log.commit(commit).into_iter();
    let downloads = downloads.filter(|event| matches!(event, Event::Download { .. }));
    assert_eq!(downloads.count(), 2);
    victim.recovers(&author);
}

#[test]
fn old_proofs_are_taken_once_they_lead_to_what_is_stored_and_never_shorten_the_feed() {
    let mut author = Log::author(16, 3);
    let old: Vec<Proof> = (0..2).map(|block| author.prove(block, false)).collect();
    author.append((3..9).map(|block| made_up(16, block)));
    for policy in [ForkPolicy::Strict, ForkPolicy::Compat] {
        let files = MemoryFiles::default();
        let options = OpenOptions {
            fork_policy: policy,
            ..with_key(author.feed.key())
        };
        let log = Log::open(files.clone(), options).unwrap();
        let mut victim = Victim { log, files };
        victim.take(&author, 8);
        if policy == ForkPolicy::Strict {
            for proof in old.clone() {
                let value = author.get(proof.block).unwrap();
                let error = victim.refuses(proof, Some(value));
                let (stored, signed, by) = (9, 3, 3);
                assert_eq!(error, PutError::Unproven { stored, signed, by });
            }
            victim.take(&author, 3);
        }
        for proof in old.clone() {
            let value = author.get(proof.block).unwrap();
            victim.log.put(proof, Some(value)).unwrap();
            assert_eq!(victim.log.length(), 9);
        }
        victim.recovers(&author);
    }
}

#[test]
fn a_static_feed_takes_blocks_without_signatures_and_none_with() {
    // The key of a static feed is its tree hash.
    let blocks = [Bytes::from("a"), Bytes::from("bb"), Bytes::from("ccc")];
    let growth = Roots::new().append(&blocks).unwrap();
    let key = crypto::PublicKey::new(growth.roots.tree_hash().to_bytes());
    let (mut log, files) = Log::reader(key);
    let proof = |signature| Proof {
        block: 2,
        nodes: growth.roots.nodes()[..1].to_vec(),
        signature,
    };
    let pair = KeyPair::from_seed([17; 32]);
    let signature = pair.sign(&growth.roots.signable(), Dialect::V8);
    let value = Some(blocks[2].clone());
    assert!(log.put(proof(Some(signature)), value.clone()).is_err());
    log.put(proof(None), value).unwrap();
    assert!(!log.feed.is_live() && !log.feed.is_writable());
    assert_eq!(log.length(), 3);
    assert!(log.feed.plan_append(vec!["d".into()]).is_err());
    drop(log);
    let log = Log::reader_of(files);
    assert!(!log.feed.is_live());
    assert_eq!(log.get(2).unwrap(), blocks[2]);
}
