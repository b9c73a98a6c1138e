//! Blocks that follow one another, read together.

use bytes::Bytes;
use hypercore_feed::{Damage, Error, GROUP, Group, MAX_RANGE, MAX_RANGE_BYTES, Portion};
use merkle::RemoteTree;
use storage::File;

use crate::world::{Log, bytes, key_of, made_up, replace};

#[test]
fn ranges_are_the_blocks_one_by_one() {
    let log = Log::author(3, 70);
    for start in 0..=70 {
        for end in start..=70 {
            let expected: Vec<Bytes> = (start..end).map(|block| made_up(3, block)).collect();
            let (blocks, pieces) = log.get_range(start..end).unwrap();
            assert_eq!(blocks, expected);
            assert_eq!(pieces, usize::from(start < end));
        }
    }
}

#[test]
fn an_empty_range_is_nothing_wherever_it_is() {
    let log = Log::author(3, 3);
    let reversed = core::ops::Range { start: 2, end: 1 };
    for range in [0..0, 3..3, u64::MAX..u64::MAX, reversed] {
        let plan = log.feed.plan_get_range(range).unwrap();
        assert!(plan.reads().is_empty());
        let place = plan.locate(&[]).unwrap();
        assert!(place.blocks().is_empty() && place.read().len == 0);
        assert_eq!(place.finish(Bytes::new()), Ok(vec![]));
    }
}

#[test]
fn a_long_range_is_read_in_bounded_pieces() {
    let (mut log, _) = Log::writer(1);
    let count = 2 * MAX_RANGE + 5;
    log.append((0..count).map(|block| vec![block as u8]));
    let (blocks, pieces) = log.get_range(0..count).unwrap();
    assert_eq!((blocks.len() as u64, pieces), (count, 3));
    assert!(
        (0..)
            .zip(blocks)
            .all(|(block, bytes)| bytes == [block as u8][..])
    );
    assert_eq!(log.get_range(4..count).unwrap().1, 3);
    assert_eq!(log.get_range(6..6 + MAX_RANGE).unwrap().1, 1);
}

#[test]
fn large_blocks_are_read_few_at_a_time_and_a_huge_one_alone() {
    let (mut log, _) = Log::writer(1);
    let half = vec![1; MAX_RANGE_BYTES as usize / 2];
    let huge = vec![2; MAX_RANGE_BYTES as usize + 1];
    log.append([
        half.clone(),
        half.clone(),
        half.clone(),
        huge.clone(),
        vec![],
    ]);
    let (blocks, pieces) = log.get_range(0..5).unwrap();
    assert_eq!(blocks, [half.clone(), half.clone(), half, huge, vec![]]);
    assert_eq!(pieces, 4);
}

#[test]
fn a_portion_has_so_many_bytes_or_so_many_blocks() {
    let (mut log, _) = Log::writer(1);
    log.append((0..40).map(|block| vec![block; if block < 20 { 100 } else { 1000 }]));
    log.append([vec![0; MAX_RANGE_BYTES as usize + 1], vec![]]);
    let portion = |first: u64, bytes, blocks| {
        let plan = log.feed.plan_get_range(first..42).unwrap();
        let nodes = log.files.read(plan.reads()).unwrap();
        let portion = Portion { bytes, blocks };
        let place = plan.locate_portion(&nodes, portion).unwrap();
        place.blocks().count()
    };
    assert_eq!(portion(0, 0, 0), 1);
    assert_eq!(portion(0, 500, 0), 5);
    assert_eq!(portion(0, 599, 1), 5);
    assert_eq!(portion(0, 500, 7), 7);
    assert_eq!(portion(18, 1200, 0), 3);
    assert_eq!(portion(18, 1199, 3), 3);
    assert_eq!(portion(18, 1199, 2), 2);
    // Whatever is wanted, a huge block comes alone.
    assert_eq!(portion(38, u64::MAX, 10), 2);
    assert_eq!(portion(40, 1, 10), 1);
    assert_eq!(portion(41, u64::MAX, 10), 1);
}

#[test]
fn a_group_tells_the_places_of_its_blocks() {
    let mut log = Log::author(3, 150);
    let group = |log: &Log, block, start| {
        let plan = log.feed.plan_group(block, start).unwrap();
        plan.finish(&log.files.read(plan.reads()).unwrap()).unwrap()
    };
    let get = |log: &Log, block, group: &Group| {
        let place = log.feed.place(block, group)?;
        place.finish(log.files.read(&[place.read()]).unwrap().remove(0))
    };
    for block in 0..150 {
        let all = group(&log, block, None);
        assert_eq!(all.first(), block - block % GROUP);
        assert_eq!(get(&log, block, &all).unwrap(), made_up(3, block));
        // Where it begins need not be found out again; then its own nodes are all that is read.
        let again = log.feed.plan_group(block, Some(all.start())).unwrap();
        assert_eq!(again.reads().len(), 1);
        let again = group(&log, block, Some(all.start()));
        assert_eq!(get(&log, block, &again).unwrap(), made_up(3, block));
    }
    // What a group doesn't know yet, or is no part of, isn't told.
    let last = group(&log, 149, None);
    log.append((150..170).map(|block| made_up(3, block)));
    for (block, group) in [(155, &last), (10, &last), (168, &last)] {
        let error = log.feed.place(block, group).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{block}: {error:?}");
    }
    assert_eq!(get(&log, 148, &last).unwrap(), made_up(3, 148));
    log.clear(148..149).unwrap();
    let error = log.feed.place(148, &last).unwrap_err();
    assert_eq!(error, Error::NotStored { block: 148 });
    let error = log.feed.plan_group(170, None).unwrap_err();
    let (block, length) = (170, 170);
    assert_eq!(error, Error::OutOfRange { block, length });
}

#[test]
fn the_first_missing_block_is_named_however_far_it_is() {
    let mut log = Log::author(3, 1500);
    log.clear(1400..1401).unwrap();
    let error = log.get_range(0..1500).unwrap_err();
    assert_eq!(error, Error::NotStored { block: 1400 });
    assert_eq!(log.get_range(1401..1500).unwrap().0.len(), 99);
    let length = 1500;
    for (range, block) in [(1490..1501, 1500), (0..u64::MAX, 1500), (2000..2001, 2000)] {
        let error = log.get_range(range).unwrap_err();
        assert_eq!(error, Error::OutOfRange { block, length });
    }
}

#[test]
fn a_copy_reads_the_runs_that_it_has() {
    let author = Log::author(3, 40);
    let (mut copy, _) = Log::reader(key_of(3));
    let mut remote = RemoteTree::new();
    for block in (11..20).rev() {
        copy.fetch(&author, &mut remote, block, false);
    }
    let expected: Vec<Bytes> = (11..20).map(|block| made_up(3, block)).collect();
    assert_eq!(copy.get_range(11..20).unwrap().0, expected);
    let error = copy.get_range(10..20).unwrap_err();
    assert_eq!(error, Error::NotStored { block: 10 });
}

#[test]
fn wrong_and_missing_bytes_are_never_returned() {
    let (mut log, files) = Log::writer(3);
    log.append((0..20).map(|block| made_up(3, block)));
    let data = bytes(&files, File::Data);
    let corrupt = |what| Error::Corrupt {
        file: File::Data,
        what,
    };
    let mut wrong = data.clone();
    *wrong.last_mut().unwrap() ^= 1;
    replace(&files, File::Data, &wrong);
    let error = log.get_range(0..20).unwrap_err();
    assert_eq!(error, corrupt(Damage::WrongBlock));
    replace(&files, File::Data, &data[..data.len() - 1]);
    let error = log.get_range(0..20).unwrap_err();
    assert_eq!(error, corrupt(Damage::Short));
    let tree = bytes(&files, File::Tree);
    replace(&files, File::Tree, &tree[..32]);
    let error = log.get_range(1..2).unwrap_err();
    assert!(matches!(
        error,
        Error::Corrupt {
            file: File::Tree,
            ..
        }
    ));
}

#[test]
fn nothing_is_read_beyond_the_bytes_that_were_signed() {
    let (mut log, files) = Log::writer(3);
    log.append((0..20).map(|block| made_up(3, block)));
    let mut tree = bytes(&files, File::Tree);
    tree[32 + 40 * 12 + 34] = 1;
    replace(&files, File::Tree, &tree);
    // Up to there it goes; there it ends.
    let plan = log.feed.plan_get_range(3..20).unwrap();
    let place = plan.locate(&log.files.read(plan.reads()).unwrap());
    assert_eq!(place.unwrap().blocks(), 3..6);
    let error = log.get_range(3..20).unwrap_err();
    let expected = Error::Corrupt {
        file: File::Tree,
        what: Damage::Size,
    };
    assert_eq!(error, expected);
}
