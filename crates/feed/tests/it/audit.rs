//! Audits, of feeds that are whole and of feeds that are damaged in one place or in all.

use std::collections::BTreeSet;

use bytes::Bytes;
use flat_tree::Index;
use hypercore_feed::{AuditStep, Error, Event, Finding, MAX_FINDINGS, OpenOptions};
use merkle::RemoteTree;
use proptest::prelude::*;
use storage::{File, MemoryFiles};

use crate::world::{Log, bytes, contents, key_of, made_up, replace};

fn author(length: u64) -> (Log, MemoryFiles) {
    let (mut log, files) = Log::writer(3);
    log.append((0..length).map(|block| made_up(3, block)));
    (log, files)
}

/// The blocks that can't be read.
fn unreadable(log: &Log) -> BTreeSet<u64> {
    let has = log.has().into_iter();
    has.filter(|block| log.get(*block).is_err()).collect()
}

fn bad(log: &Log) -> BTreeSet<u64> {
    let report = log.audit(false);
    let bad: BTreeSet<u64> = report.bad.iter().flatten().collect();
    assert_eq!(report.invalid, bad.len() as u64);
    assert_eq!(report.valid + report.invalid, log.has().len() as u64);
    bad
}

/// Turns a byte of a file round, wherever in it that is.
fn damage(files: &MemoryFiles, file: File, at: usize) {
    let mut content = bytes(files, file);
    let at = at % content.len();
    content[at] ^= 0x11;
    replace(files, file, &content);
}

#[test]
fn whole_feeds_are_clean() {
    for length in [0, 1, 2, 7, 100, 1023, 1025, 2500] {
        let (log, files) = author(length);
        let before = contents(&files);
        for deep in [false, true] {
            let report = log.audit(deep);
            assert!(report.is_clean(), "{report:?}");
            assert_eq!((report.valid, report.invalid), (length, 0));
        }
        assert_eq!(contents(&files), before);
    }
}

#[test]
fn copies_and_cleared_feeds_are_clean() {
    let (mut log, _) = author(300);
    let (mut copy, _) = Log::reader(key_of(3));
    let mut remote = RemoteTree::new();
    for block in [7, 0, 299, 150, 151, 64] {
        copy.fetch(&log, &mut remote, block, block == 64);
    }
    let report = copy.audit(true);
    assert!(report.is_clean() && report.valid == 5, "{report:?}");
    log.clear(100..250).unwrap();
    let report = log.audit(true);
    assert!(report.is_clean() && report.valid == 150, "{report:?}");
}

#[test]
fn static_feeds_are_clean_before_and_after_their_end() {
    let options = OpenOptions {
        live: false,
        ..OpenOptions::default()
    };
    let mut log = Log::open(MemoryFiles::default(), options).unwrap();
    log.append(["a", "b", "c"]);
    assert!(log.audit(true).is_clean());
    let commit = log.feed.commit_finalize().unwrap();
    log.commit(commit);
    assert!(log.audit(true).is_clean());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn exactly_the_blocks_whose_bytes_are_damaged_are_bad(
        length in 149..152u64,
        places in prop::collection::vec(any::<usize>(), 1..6),
        cut in prop::option::of(any::<usize>()),
    ) {
        let (log, files) = author(length);
        for at in places {
            damage(&files, File::Data, at);
        }
        if let Some(cut) = cut {
            let data = bytes(&files, File::Data);
            replace(&files, File::Data, &data[..cut % data.len()]);
        }
        prop_assert_eq!(bad(&log), unreadable(&log));
    }

    #[test]
    fn no_block_that_can_be_read_is_bad_and_no_damage_is_overlooked(
        length in 149..152u64,
        places in prop::collection::vec((any::<bool>(), any::<usize>()), 1..6),
    ) {
        let (log, files) = author(length);
        for (in_tree, at) in places {
            damage(&files, if in_tree { File::Tree } else { File::Data }, at);
        }
        let (bad, unreadable) = (bad(&log), unreadable(&log));
        prop_assert!(bad.is_subset(&unreadable));
        // Bytes may be good where only their place is in doubt; then the tree is to blame, which a deep audit finds.
        prop_assert!(bad == unreadable || !log.audit(true).findings.is_empty());
    }
}

#[test]
fn a_feed_without_its_data_is_bad_except_for_empty_blocks() {
    let (log, files) = author(3000);
    replace(&files, File::Data, &[]);
    let empty = |block: &u64| made_up(3, *block).is_empty();
    assert!(
        bad(&log)
            .into_iter()
            .eq((0..3000).filter(|block| !empty(block)))
    );
}

#[test]
fn a_feed_without_its_tree_is_bad() {
    let (log, files) = author(300);
    let tree = bytes(&files, File::Tree);
    replace(&files, File::Tree, &tree[..32]);
    assert!(bad(&log).into_iter().eq(0..300));
}

#[test]
fn what_is_bad_is_cleared_and_can_be_fetched_again() {
    let (mut log, files) = author(100);
    let (mut copy, _) = Log::reader(key_of(3));
    let mut remote = RemoteTree::new();
    for block in 0..100 {
        copy.fetch(&log, &mut remote, block, false);
    }
    damage(&files, File::Data, 0);
    damage(&files, File::Data, 500);
    let report = log.audit(false);
    assert_eq!((report.valid, report.invalid), (98, 2));
    let events = {
        let commit = log.feed.commit_audit(&report).unwrap();
        log.commit(commit)
    };
    let cleared: Vec<Event> = report
        .bad
        .iter()
        .map(|blocks| Event::Clear { blocks })
        .collect();
    assert_eq!(events, cleared);
    let report = log.audit(true);
    assert!(report.is_clean() && report.valid == 98);
    let mut remote = RemoteTree::new();
    for block in (0..100)
        .filter(|block| !log.has().contains(block))
        .collect::<Vec<_>>()
    {
        log.fetch(&copy, &mut remote, block, false);
    }
    let report = log.audit(true);
    assert!(report.is_clean() && report.valid == 100);
    drop(log);
    assert_eq!(Log::reader_of(files).has().len(), 100);
}

#[test]
fn nothing_is_committed_where_nothing_is_bad_or_may_be_changed() {
    let (log, files) = author(10);
    let commit = log.feed.commit_audit(&log.audit(false)).unwrap();
    assert!(commit.batch().is_empty());
    drop(log);
    let options = OpenOptions {
        read_only: true,
        ..OpenOptions::default()
    };
    let log = Log::open(files, options).unwrap();
    let error = log.feed.commit_audit(&log.audit(true)).unwrap_err();
    assert_eq!(error, Error::ReadOnly);
}

#[test]
fn what_is_cleared_or_appended_meanwhile_is_not_counted() {
    let (mut log, files) = author(20);
    let data = bytes(&files, File::Data);
    let AuditStep::Read { auditing, reads } = log.feed.audit() else {
        panic!()
    };
    let replies = log.files.read(&reads).unwrap();
    log.clear(0..10).unwrap();
    log.append(["more"]);
    let mut step = auditing.step(&log.feed, &replies);
    while let AuditStep::Read { auditing, reads } = step {
        step = auditing.step(&log.feed, &log.files.read(&reads).unwrap());
    }
    let AuditStep::Done(report) = step else {
        panic!()
    };
    assert!(!data.is_empty());
    assert_eq!((report.valid, report.invalid), (10, 0));
}

#[test]
fn every_damaged_byte_of_the_tree_is_found() {
    let (log, files) = author(40);
    let tree = bytes(&files, File::Tree);
    for at in 32..tree.len() {
        let index = Index::new((at as u64 - 32) / 40);
        if !log.feed.bitfield().has_node(index) {
            continue;
        }
        damage(&files, File::Tree, at);
        let report = log.audit(true);
        replace(&files, File::Tree, &tree);
        let damaged = [index, index.parent()];
        let named = |finding: &Finding| matches!(finding, Finding::WrongNode { index } if damaged.contains(index));
        // A size may be more than any feed has; such a node is none.
        let missing = Finding::MissingNode { index };
        assert!(
            report.findings.iter().any(named) || report.findings.contains(&missing),
            "{at}: {report:?}"
        );
    }
}

#[test]
fn damage_high_up_in_a_large_tree_is_found() {
    let (mut log, files) = Log::writer(3);
    log.append((0..5000).map(|_| Bytes::from_static(b"x")));
    let tree = bytes(&files, File::Tree);
    for index in [511, 1023, 2047, 4095, 3071, 8703] {
        let index = Index::new(index);
        let at = 32 + 40 * index.get() as usize;
        let mut damaged = tree.clone();
        damaged[at] ^= 1;
        replace(&files, File::Tree, &damaged);
        let report = log.audit(true);
        assert!(report.findings.contains(&Finding::WrongNode { index }));
        damaged[at..at + 40].fill(0);
        replace(&files, File::Tree, &damaged);
        let report = log.audit(true);
        assert!(report.findings.contains(&Finding::MissingNode { index }));
    }
}

#[test]
fn every_wrong_signature_is_found() {
    let log = Log::author(3, 30);
    let (mut other, files) = Log::writer(3);
    for block in 0..30 {
        other.append([made_up(3, block)]);
    }
    let signatures = bytes(&files, File::Signatures);
    assert!(log.audit(true).is_clean());
    for at in (32..signatures.len()).step_by(13) {
        damage(&files, File::Signatures, at);
        let length = (at as u64 - 32) / 64 + 1;
        let report = other.audit(true);
        assert_eq!(report.findings, [Finding::WrongSignature { length }]);
        replace(&files, File::Signatures, &signatures);
    }
    replace(
        &files,
        File::Signatures,
        &signatures[..signatures.len() - 64],
    );
    let report = other.audit(true);
    assert_eq!(report.findings, [Finding::MissingSignature { length: 30 }]);
    replace(&files, File::Signatures, &[]);
    let report = other.audit(true);
    assert_eq!(report.findings, [Finding::MissingSignature { length: 30 }]);
}

#[test]
fn every_wrong_byte_of_the_bitfield_is_found() {
    let (mut log, files) = Log::writer(3);
    log.append((0..9000).map(|_| Bytes::new()));
    let bitfield = bytes(&files, File::Bitfield);
    for at in (32..bitfield.len()).step_by(211) {
        damage(&files, File::Bitfield, at);
        let (page, within) = ((at as u64 - 32) / 3584, (at - 32) % 3584);
        let expected = match within < 3072 {
            true => Finding::WrongBits { page },
            false => Finding::WrongIndex { page },
        };
        assert_eq!(log.audit(true).findings, [expected]);
        replace(&files, File::Bitfield, &bitfield);
    }
    replace(&files, File::Bitfield, &bitfield[..32]);
    let expected = [0, 1].map(|page| Finding::WrongBits { page });
    assert_eq!(log.audit(true).findings, expected);
}

#[test]
fn bits_that_lack_a_parent_are_found() {
    let (log, files) = author(20);
    drop(log);
    let mut bitfield = bytes(&files, File::Bitfield);
    // Node 1, over blocks 0 and 1, and node 9, over blocks 4 and 5, are no longer marked.
    bitfield[32 + 1024] &= !0b100_0000;
    bitfield[32 + 1025] &= !0b100_0000;
    replace(&files, File::Bitfield, &bitfield);
    let log = Log::reader_of(files);
    let expected = [1, 9].map(|index| Finding::UnmarkedNode {
        index: Index::new(index),
    });
    assert_eq!(log.audit(true).findings, expected);
}

#[test]
fn endless_findings_are_counted_and_not_listed() {
    let (log, files) = author(2000);
    let tree = bytes(&files, File::Tree);
    replace(&files, File::Tree, &tree[..32]);
    let report = log.audit(true);
    assert_eq!(report.findings.len(), MAX_FINDINGS);
    let nodes = 2 * 2000 - u64::from(2000u64.count_ones());
    assert_eq!(report.findings.len() as u64 + report.more, nodes);
    assert!(!report.is_clean());
}
