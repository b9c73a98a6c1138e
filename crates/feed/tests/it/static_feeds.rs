//! Feeds without signatures: written, finalized, copied.

use bytes::Bytes;
use crypto::{PublicKey, Signature};
use hypercore_feed::{Error, Event, OpenOptions, PutError};
use merkle::{ProofRequest, RemoteTree, Roots};
use storage::{File, MemoryFiles};

use crate::world::{Log, beginning, bytes, contents, made_up, replace, seeded, with_key};

fn unfinished() -> OpenOptions {
    OpenOptions {
        live: false,
        ..seeded(5)
    }
}

fn writer(length: u64) -> (Log, MemoryFiles) {
    let files = MemoryFiles::default();
    let mut log = Log::open(files.clone(), unfinished()).unwrap();
    log.append((0..length).map(|block| made_up(5, block)));
    (log, files)
}

fn finalize(log: &mut Log) -> Vec<Event> {
    let commit = log.feed.commit_finalize().unwrap();
    log.commit(commit)
}

fn tree_hash(blocks: &[Bytes]) -> PublicKey {
    let roots = Roots::new().append(blocks).unwrap().roots;
    PublicKey::new(roots.tree_hash().to_bytes())
}

#[test]
fn the_key_is_the_tree_hash_from_the_end_on() {
    let (mut log, files) = writer(0);
    let mut blocks = vec![];
    for block in 0..9 {
        log.append([made_up(5, block)]);
        blocks.push(made_up(5, block));
        assert_eq!(log.feed.key(), tree_hash(&blocks));
        assert!(log.feed.is_writable() && !log.feed.is_finalized() && !log.feed.is_live());
        assert!(log.feed.key_pair().is_none());
    }
    assert!(bytes(&files, File::Key).is_empty());
    let key = tree_hash(&blocks);
    assert_eq!(finalize(&mut log), [Event::Finalized { key }]);
    assert!(!log.feed.is_writable() && log.feed.is_finalized() && !log.feed.is_live());
    assert_eq!((log.feed.key(), log.length()), (key, 9));
    assert_eq!(bytes(&files, File::Key), key.as_bytes());
    assert!(bytes(&files, File::SecretKey).is_empty());
    assert_eq!(bytes(&files, File::Signatures).len(), 32);
    drop(log);
    for options in [unfinished(), seeded(9), with_key(key)] {
        let log = Log::open(files.clone(), options).unwrap();
        assert_eq!((log.feed.key(), log.length(), log.written), (key, 9, 0));
        assert!(!log.feed.is_writable() && log.feed.is_finalized() && !log.feed.is_live());
        assert_eq!(log.get(8).unwrap(), made_up(5, 8));
    }
}

#[test]
fn nothing_is_appended_after_the_end() {
    let (mut log, files) = writer(3);
    finalize(&mut log);
    let before = contents(&files);
    let error = log.feed.plan_append(vec!["more".into()]).unwrap_err();
    assert_eq!(error, Error::Finalized);
    assert_eq!(log.feed.check_append(&[]), Err(Error::Finalized));
    assert_eq!(log.feed.commit_finalize().unwrap_err(), Error::Finalized);
    assert_eq!(contents(&files), before);
}

#[test]
fn only_static_feeds_end() {
    let (log, _) = Log::writer(1);
    assert_eq!(log.feed.commit_finalize().unwrap_err(), Error::NotWritable);
}

#[test]
fn writing_goes_on_after_opening_again() {
    let (log, files) = writer(4);
    drop(log);
    let mut log = Log::open(files.clone(), unfinished()).unwrap();
    assert_eq!((log.length(), log.written), (4, 0));
    log.append([made_up(5, 4)]);
    finalize(&mut log);
    let (mut other, at_once) = writer(5);
    finalize(&mut other);
    assert_eq!(contents(&files), contents(&at_once));
}

#[test]
fn one_that_is_not_finalized_is_found_only_if_asked_for() {
    let (log, files) = writer(4);
    drop(log);
    let before = contents(&files);
    let error = Log::open(files.clone(), seeded(9)).err();
    assert_eq!(error, Some(Error::KeyFileMissing));
    let options = OpenOptions {
        create: false,
        ..unfinished()
    };
    let log = Log::open(files.clone(), options.clone()).unwrap();
    assert_eq!(log.length(), 4);
    assert_eq!(contents(&files), before);
    let error = Log::open(MemoryFiles::default(), options).err();
    assert_eq!(error, Some(Error::NotFound));
}

#[test]
fn a_signed_feed_without_its_key_is_not_taken_for_one() {
    let (mut log, files) = Log::writer(1);
    log.append(["a"]);
    drop(log);
    replace(&files, File::Key, &[]);
    let before = contents(&files);
    let lost = Some(Error::KeyFileMissing);
    assert_eq!(Log::open(files.clone(), unfinished()).err(), lost);
    replace(&files, File::SecretKey, &[]);
    assert_eq!(Log::open(files.clone(), unfinished()).err(), lost);
    assert_eq!(contents(&files)[2..], before[2..]);
}

#[test]
fn a_cut_leaves_it_before_or_behind_an_append_or_its_end() {
    let (log, _) = writer(4);
    let blocks: Vec<Bytes> = (4..7).map(|block| made_up(5, block)).collect();
    let append = log.feed.plan_append(blocks).unwrap();
    let append = append.sign(&log.feed).unwrap();
    let end = log.feed.commit_finalize().unwrap();
    for commit in [&append, &end] {
        for ops in 0..=commit.batch().ops().len() {
            let (log, files) = writer(4);
            log.files.commit(&beginning(commit.batch(), ops)).unwrap();
            drop(log);
            let mut log = Log::open(files, unfinished()).unwrap();
            for block in 0..log.length() {
                assert_eq!(log.get(block).unwrap(), made_up(5, block));
            }
            match log.feed.is_finalized() {
                true => assert_eq!(log.length(), 4),
                false => {
                    assert!(log.length() == 4 || log.length() == 7);
                    log.append(["more"]);
                    finalize(&mut log);
                }
            }
        }
    }
}

#[test]
fn an_empty_one_can_end_too() {
    let (mut log, files) = writer(0);
    finalize(&mut log);
    drop(log);
    let log = Log::open(files, seeded(9)).unwrap();
    assert_eq!((log.feed.key(), log.length()), (tree_hash(&[]), 0));
    assert!(!log.feed.is_live() && !log.feed.is_writable());
}

#[test]
fn copies_check_blocks_against_the_key() {
    let (mut log, _) = writer(20);
    finalize(&mut log);
    let (mut copy, files) = Log::reader(log.feed.key());
    let mut remote = RemoteTree::new();
    for block in [7, 0, 19, 8] {
        copy.fetch(&log, &mut remote, block, false);
        assert_eq!(copy.get(block).unwrap(), made_up(5, block));
    }
    assert!(!copy.feed.is_live());
    let proof = log.prove(3, false);
    assert!(proof.signature.is_none());
    assert!(copy.put(proof, Some("made up".into())).is_err());
    // Another one of the same length is none of ours.
    let (mut other, _) = writer(0);
    other.append((0..20).map(|block| made_up(6, block)));
    finalize(&mut other);
    let (mut fresh, _) = Log::reader(log.feed.key());
    let (proof, value) = (other.prove(3, false), other.get(3).unwrap());
    assert!(fresh.put(proof, Some(value)).is_err());
    drop(copy);
    let copy = Log::reader_of(files);
    assert_eq!(copy.has(), [0, 7, 8, 19]);
    assert!(!copy.feed.is_live());
}

#[test]
fn nothing_is_proved_or_taken_from_peers_before_there_is_a_key() {
    let (log, _) = writer(3);
    let request = ProofRequest {
        block: 1,
        hash: false,
        digest: 0,
    };
    let error = log.feed.plan_proof(&request, &mut RemoteTree::new());
    assert_eq!(error.unwrap_err(), Error::Unfinished);
    let error = log.feed.plan_portable_proof(1).unwrap_err();
    assert_eq!(error, Error::Unfinished);
    let signed = Log::author(1, 3).prove(1, true);
    let error = log.feed.plan_put(signed, None).unwrap_err();
    assert_eq!(error, PutError::Local(Error::Unfinished));
}

#[test]
fn there_are_no_signatures() {
    let (mut log, _) = writer(3);
    assert_eq!(log.signature(0), Err(Error::NoSignatures));
    let plan = log.feed.plan_append(vec!["a".into()]).unwrap();
    let error = plan.with_signature(Signature::new([1; 64])).unwrap_err();
    assert_eq!(error, Error::NoSignatures);
    finalize(&mut log);
    assert_eq!(log.signature(0), Err(Error::NoSignatures));
    assert_eq!(log.roots(2).unwrap(), *log.feed.roots());
}

#[test]
fn overwriting_begins_a_new_one() {
    let (mut signed, files) = Log::writer(1);
    signed.append(["a", "b"]);
    drop(signed);
    let options = OpenOptions {
        overwrite: true,
        ..unfinished()
    };
    let mut log = Log::open(files.clone(), options).unwrap();
    log.append(["c"]);
    finalize(&mut log);
    let (mut other, fresh) = writer(0);
    other.append(["c"]);
    finalize(&mut other);
    assert_eq!(contents(&files), contents(&fresh));
}
