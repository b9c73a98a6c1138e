//! Clearing blocks: what goes, and what stays.

use std::ops::Range;

use bytes::Bytes;
use hypercore_feed::{Commit, Damage, Error, Event, OpenOptions};
use merkle::RemoteTree;
use storage::{File, Op};

use crate::world::{Log, beginning, bytes, contents, key_of, made_up, replace, seeded};

fn author(length: u64) -> (Log, storage::MemoryFiles) {
    let (mut log, files) = Log::writer(3);
    log.append((0..length).map(|block| made_up(3, block)));
    (log, files)
}

fn planned(log: &Log, blocks: Range<u64>) -> Commit {
    let plan = log.feed.plan_clear(blocks).unwrap();
    let replies = log.files.read(plan.reads()).unwrap();
    plan.finish(&replies).unwrap()
}

#[test]
fn cleared_blocks_are_gone_and_all_else_stays() {
    let (mut log, files) = author(50);
    let (before, roots) = (contents(&files), log.feed.roots().clone());
    let events = log.clear(10..20).unwrap();
    assert_eq!(events, [Event::Clear { blocks: 10..20 }]);
    assert_eq!(log.get(15), Err(Error::NotStored { block: 15 }));
    assert_eq!(log.has(), Vec::from_iter((0..10).chain(20..50)));
    assert_eq!(log.feed.roots(), &roots);
    for block in log.has() {
        assert_eq!(log.get(block).unwrap(), made_up(3, block));
    }
    // The bytes really are gone.
    let start: usize = (0..10).map(|block| made_up(3, block).len()).sum();
    let end: usize = (0..20).map(|block| made_up(3, block).len()).sum();
    let mut data = before[File::Data as usize].clone();
    data[start..end].fill(0);
    assert_eq!(bytes(&files, File::Data), data);
    for file in [File::Key, File::SecretKey, File::Tree, File::Signatures] {
        assert_eq!(bytes(&files, file), before[file as usize], "{file}");
    }
    drop(log);
    let log = Log::open(files, seeded(9)).unwrap();
    assert_eq!((log.written, log.length()), (0, 50));
    assert_eq!(log.has(), Vec::from_iter((0..10).chain(20..50)));
}

#[test]
fn a_range_is_cut_off_at_the_end_and_an_empty_one_is_nothing() {
    let (mut log, files) = author(5);
    let before = contents(&files);
    let reversed = core::ops::Range { start: 3, end: 1 };
    for range in [0..0, 5..9, u64::MAX - 1..u64::MAX, reversed] {
        let plan = log.feed.plan_clear(range).unwrap();
        assert!(plan.reads().is_empty());
        let commit = plan.finish(&[]).unwrap();
        assert!(commit.batch().is_empty());
        assert_eq!(log.commit(commit), []);
    }
    assert_eq!(contents(&files), before);
    let events = log.clear(3..u64::MAX).unwrap();
    assert_eq!(events, [Event::Clear { blocks: 3..5 }]);
    assert_eq!(log.has(), [0, 1, 2]);
    // Nothing is left to be cleared.
    assert_eq!(log.clear(3..5).unwrap(), []);
}

#[test]
fn bits_go_before_bytes() {
    let (log, _) = author(20);
    let commit = planned(&log, 4..8);
    let ops = commit.batch().ops();
    let page = |op: &Op| {
        matches!(
            op,
            Op::Write {
                file: File::Bitfield,
                ..
            }
        )
    };
    let clear = |op: &Op| {
        matches!(
            op,
            Op::Clear {
                file: File::Data,
                ..
            }
        )
    };
    let (page, clear) = (
        ops.iter().position(page).unwrap(),
        ops.iter().position(clear).unwrap(),
    );
    // First a note of what is about to go, then the bits, then the bytes, then the plain header again.
    let barriers = ops[page..clear].iter().filter(|op| **op == Op::Barrier);
    assert_eq!(barriers.count(), 2);
    assert_eq!(ops[clear + 1], Op::Barrier);
    assert_eq!(clear + 3, ops.len());
}

#[test]
fn a_cut_leaves_each_block_whole_or_not_stored() {
    let (log, _) = author(20);
    let commit = planned(&log, 4..8);
    for ops in 0..=commit.batch().ops().len() {
        let (log, files) = author(20);
        let part = beginning(commit.batch(), ops);
        log.files.commit(&part).unwrap();
        drop(log);
        let log = Log::reader_of(files);
        let kept = log.has().len();
        assert!(kept == 20 || kept == 16);
        for block in log.has() {
            assert_eq!(log.get(block).unwrap(), made_up(3, block));
        }
    }
}

#[test]
fn appending_goes_on_behind_a_cleared_end() {
    let (mut log, files) = author(20);
    let length: u64 = log.feed.byte_length();
    log.clear(0..20).unwrap();
    assert_eq!(bytes(&files, File::Data).len(), 0);
    log.append(["more"]);
    assert_eq!(bytes(&files, File::Data).len() as u64, length + 4);
    assert_eq!(log.get(20).unwrap(), "more");
    drop(log);
    let log = Log::reader_of(files);
    assert_eq!(log.has(), [20]);
    assert_eq!(log.get(20).unwrap(), "more");
}

#[test]
fn what_is_cleared_is_still_proved_and_can_be_fetched_again() {
    let (mut log, _) = author(30);
    let (mut copy, _) = Log::reader(key_of(3));
    let mut remote = RemoteTree::new();
    for block in 0..30 {
        copy.fetch(&log, &mut remote, block, false);
    }
    log.clear(7..23).unwrap();
    // Hashes are handed on without the blocks.
    let (mut other, _) = Log::reader(key_of(3));
    other.fetch(&log, &mut RemoteTree::new(), 11, true);
    assert_eq!(other.length(), 30);
    // The author gets its blocks back from the copy.
    let mut remote = RemoteTree::new();
    for block in (7..23).rev() {
        log.fetch(&copy, &mut remote, block, false);
    }
    assert_eq!(log.has(), Vec::from_iter(0..30));
    for block in 0..30 {
        assert_eq!(log.get(block).unwrap(), made_up(3, block));
    }
}

#[test]
fn a_copy_clears_what_it_has_where_the_ends_of_the_range_are_unknown() {
    let author = Log::author(3, 100);
    let (mut copy, files) = Log::reader(key_of(3));
    let mut remote = RemoteTree::new();
    for block in [11, 30, 77] {
        copy.fetch(&author, &mut remote, block, false);
    }
    copy.clear(20..71).unwrap();
    assert_eq!(copy.has(), [11, 77]);
    let start: usize = (0..30).map(|block| made_up(3, block).len()).sum();
    let data = bytes(&files, File::Data);
    assert!(
        data[start..start + made_up(3, 30).len()]
            .iter()
            .all(|byte| *byte == 0)
    );
    assert_eq!(copy.get(77).unwrap(), made_up(3, 77));
    copy.fetch(&author, &mut remote, 30, false);
    assert_eq!(copy.get(30).unwrap(), made_up(3, 30));
}

#[test]
fn empty_blocks_are_cleared_too() {
    let (mut log, files) = Log::writer(1);
    log.append(["", "", "a"]);
    log.clear(0..2).unwrap();
    assert_eq!(
        (log.has(), bytes(&files, File::Data)),
        (vec![2], b"a".to_vec())
    );
}

#[test]
fn pages_of_the_bitfield_are_crossed() {
    let (mut log, files) = Log::writer(1);
    log.append((0..20_000).map(|_| Bytes::from_static(b"x")));
    log.clear(8000..16_500).unwrap();
    let expected = Vec::from_iter((0..8000).chain(16_500..20_000));
    assert_eq!(log.has(), expected);
    drop(log);
    assert_eq!(Log::reader_of(files).has(), expected);
}

#[test]
fn nothing_changes_if_the_place_cannot_be_told() {
    let (log, files) = author(20);
    let tree = bytes(&files, File::Tree);
    replace(&files, File::Tree, &tree[..100]);
    let before = contents(&files);
    let plan = log.feed.plan_clear(5..9).unwrap();
    let replies = log.files.read(plan.reads()).unwrap();
    assert!(plan.finish(&replies).unwrap_err().is_damage());
    assert_eq!(log.has().len(), 20);
    assert_eq!(contents(&files), before);
}

#[test]
fn whoever_looks_after_the_bytes_keeps_them() {
    let files = storage::MemoryFiles::default();
    let options = OpenOptions {
        external_data: true,
        ..seeded(3)
    };
    let mut log = Log::open(files.clone(), options).unwrap();
    log.append(["somebody", "else"]);
    assert!(bytes(&files, File::Data).is_empty());
    replace(&files, File::Data, b"somebodyelse");
    assert_eq!(log.get(1).unwrap(), "else");
    log.clear(0..2).unwrap();
    assert_eq!(
        (log.has(), bytes(&files, File::Data)),
        (vec![], b"somebodyelse".to_vec())
    );
}

#[test]
fn a_damaged_size_takes_no_other_block_away() {
    let (mut log, files) = author(20);
    let tree = bytes(&files, File::Tree);
    let before = bytes(&files, File::Data);
    let mut damaged = tree.clone();
    // The size of block 5 becomes larger than it is.
    damaged[32 + 40 * 10 + 38] = 1;
    replace(&files, File::Tree, &damaged);
    let expected = Error::Corrupt {
        file: File::Tree,
        what: Damage::Size,
    };
    assert_eq!(log.clear(4..6).unwrap_err(), expected);
    assert_eq!(bytes(&files, File::Data), before);
    replace(&files, File::Tree, &tree);
    log.clear(4..6).unwrap();
    assert_eq!(log.get(6).unwrap(), made_up(3, 6));
}
