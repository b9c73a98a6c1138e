//! What is planned, read and checked together comes to the same as one by one.

use bytes::Bytes;
use hypercore_feed::{BlockRead, PutCheck, PutError};
use merkle::{Proof, ProofRequest, RemoteTree, digest};
use storage::{File, MemoryFiles};

use crate::world::{Log, bytes, key_of, replace};

const LENGTH: u64 = 61;

/// A copy that has every seventh block.
fn copy(author: &Log) -> (Log, MemoryFiles) {
    let (mut copy, files) = Log::reader(key_of(1));
    let mut remote = RemoteTree::new();
    for block in (0..LENGTH).step_by(7) {
        copy.fetch(author, &mut remote, block, false);
    }
    (copy, files)
}

#[test]
fn blocks_are_found_and_read_as_one_by_one() {
    let author = Log::author(1, LENGTH);
    let (reader, files) = copy(&author);
    // A damaged block and a node that is lost concern whoever needs them, and nobody else.
    let mut data = bytes(&files, File::Data);
    let at = data.iter().rposition(|byte| *byte != 0).unwrap();
    data[at] ^= 1;
    replace(&files, File::Data, &data);
    let mut tree = bytes(&files, File::Tree);
    tree[32 + 40 * 28..][..40].fill(0);
    replace(&files, File::Tree, &tree);

    let asked: Vec<u64> = (0..LENGTH + 2).rev().collect();
    let plans = reader.feed.plan_gets(asked.iter().copied());
    let places = plans.locate(&reader.files.read(plans.reads()).unwrap());
    let (mut good, mut bad) = (0, 0);
    for (block, place) in asked.iter().zip(&places) {
        let single = reader.feed.plan_get(*block).and_then(|plan| {
            let replies = reader.files.read(plan.reads()).unwrap();
            plan.locate(&replies)
        });
        assert_eq!(
            place.as_ref().map(BlockRead::read),
            single.as_ref().map(BlockRead::read)
        );
    }
    let found: Vec<BlockRead> = places.into_iter().flatten().collect();
    let reads: Vec<_> = found.iter().map(BlockRead::read).collect();
    let all = BlockRead::finish_all(&found, reader.files.read(&reads).unwrap());
    assert_eq!(all.len(), found.len());
    for (place, block) in found.iter().zip(all) {
        let read = reader.files.read(&[place.read()]).unwrap().remove(0);
        assert_eq!(block, place.finish(read));
        match block {
            Ok(_) => good += 1,
            Err(_) => bad += 1,
        }
    }
    assert!(good > 3 && bad > 0, "{good} {bad}");
}

#[test]
fn proofs_are_those_of_one_by_one() {
    let author = Log::author(1, LENGTH);
    let (reader, _) = copy(&author);
    let requests: Vec<ProofRequest> = (0..LENGTH + 2)
        .map(|n| ProofRequest {
            block: 5 * n % (LENGTH + 2),
            hash: n % 3 == 0,
            digest: match n % 4 {
                0 => 0,
                _ => digest(reader.feed.bitfield(), 5 * n % (LENGTH + 2)),
            },
        })
        .collect();
    for from in [&author, &reader] {
        let (mut one, mut other) = (RemoteTree::new(), RemoteTree::new());
        let plans = from.feed.plan_proofs(&requests, &mut one);
        let proofs = plans.finish(&from.files.read(plans.reads()).unwrap());
        let (mut signed, mut refused) = (0, 0);
        for (request, proof) in requests.iter().zip(&proofs) {
            let single = from.feed.plan_proof(request, &mut other);
            let single = single.and_then(|plan| {
                let replies = from.files.read(plan.reads()).unwrap();
                plan.finish(&replies)
            });
            assert_eq!(proof, &single);
            signed += usize::from(proof.as_ref().is_ok_and(|proof| proof.signature.is_some()));
            refused += usize::from(proof.is_err());
        }
        assert!(signed > 0 && refused > 0);
        assert!(one.iter().eq(other.iter()));
    }
}

/// What a check says, in a form that can be compared.
fn verdict(check: Result<PutCheck, PutError>) -> Result<String, PutError> {
    check.map(|check| format!("{:?} {:?}", check, check.signable()))
}

#[test]
fn answers_are_checked_as_one_by_one() {
    let author = Log::author(1, LENGTH);
    let (reader, _) = copy(&author);
    let mut remote = RemoteTree::new();
    let mut arrived: Vec<(Proof, Option<Bytes>)> = (0..LENGTH)
        .map(|block| {
            let request = ProofRequest {
                block,
                hash: block % 5 == 0,
                digest: digest(reader.feed.bitfield(), block),
            };
            author.answer(&request, &mut remote).unwrap()
        })
        .collect();
    // Lies of each kind, among the others.
    arrived[11].1 = Some(Bytes::from_static(b"made up"));
    arrived[22].0.nodes.clear();
    arrived[33].0.signature = None;
    arrived[44].0.nodes.reverse();
    arrived[51].1 = None;
    if let Some(node) = arrived[6].0.nodes.first_mut() {
        node.size += 1;
    }
    let plans = reader.feed.plan_puts(arrived.iter().cloned());
    let replies = reader.files.read(plans.reads()).unwrap();
    let checks = plans.check(&replies);
    assert_eq!(checks.len(), arrived.len());
    let (mut good, mut bad) = (0, 0);
    for ((proof, value), check) in arrived.into_iter().zip(checks) {
        let (together, alone) = (verdict(check), verdict(reader.check(proof, value)));
        assert_eq!(together, alone);
        match together {
            Ok(_) => good += 1,
            Err(_) => bad += 1,
        }
    }
    assert!(good > 40 && bad >= 2, "{good} {bad}");
}
