//! Which block holds a byte, against adding up the sizes.

use bytes::Bytes;
use hypercore_feed::{Damage, Error, ForkPolicy, OpenOptions, SeekStep};
use merkle::RemoteTree;
use storage::{File, MemoryFiles, RandomAccess};

use crate::world::{Log, key_of, made_up, replace, with_key};

/// The same, slowly.
fn by_adding_up(sizes: &[u64], byte: u64) -> (u64, u64) {
    let mut rest = byte;
    if byte == 0 {
        return (0, 0);
    }
    for (block, size) in (0..).zip(sizes) {
        if rest < *size {
            return (block, rest);
        }
        rest -= size;
    }
    (sizes.len() as u64, 0)
}

fn sizes(seed: u8, length: u64) -> Vec<u64> {
    let size = |block| made_up(seed, block).len() as u64;
    (0..length).map(size).collect()
}

#[test]
fn every_byte_is_found_in_its_block() {
    for length in [0, 1, 2, 3, 5, 7, 8, 33, 64, 100, 257] {
        let log = Log::author(3, length);
        let sizes = sizes(3, length);
        for byte in 0..=log.feed.byte_length() {
            let found = log.seek(byte).unwrap().unwrap();
            assert_eq!(found, by_adding_up(&sizes, byte), "{byte} of {length}");
        }
    }
}

#[test]
fn byte_0_is_in_block_0_even_if_there_is_none_or_it_is_empty() {
    assert_eq!(Log::author(3, 0).seek(0), Ok(Ok((0, 0))));
    let (mut log, _) = Log::writer(1);
    log.append(["", "a"]);
    assert_eq!(log.seek(0), Ok(Ok((0, 0))));
    assert_eq!(log.seek(1), Ok(Ok((2, 0))));
}

#[test]
fn empty_blocks_hold_no_byte() {
    let (mut log, _) = Log::writer(1);
    log.append(["ab", "", "", "c", ""]);
    assert_eq!(log.seek(1), Ok(Ok((0, 1))));
    assert_eq!(log.seek(2), Ok(Ok((3, 0))));
    assert_eq!(log.seek(3), Ok(Ok((5, 0))));
}

#[test]
fn bytes_beyond_the_end_are_refused() {
    let log = Log::author(3, 10);
    let byte_length = log.feed.byte_length();
    for byte in [byte_length + 1, 1 << 53, u64::MAX] {
        let expected = Error::BeyondEnd { byte, byte_length };
        assert_eq!(log.seek(byte).unwrap_err(), expected);
    }
}

#[test]
fn few_trips_lead_through_a_large_tree() {
    let (mut log, _) = Log::writer(1);
    log.append((0..1 << 16).map(|_| Bytes::from_static(b"ab")));
    let mut step = log.feed.seek(2 * 40_000 + 1).unwrap();
    let mut trips = 0;
    while let SeekStep::Read { seeking, reads } = step {
        assert!(reads.len() <= 64);
        trips += 1;
        let replies = log.files.read(&reads).unwrap();
        step = seeking.step(&log.feed, &replies).unwrap();
    }
    assert!(matches!(
        step,
        SeekStep::Found {
            block: 40_000,
            offset: 1
        }
    ));
    assert_eq!(trips, 7);
}

#[test]
fn a_sparse_copy_tells_which_blocks_can_hold_the_byte() {
    for length in [1, 2, 5, 16, 41, 100] {
        let author = Log::author(3, length);
        let sizes = sizes(3, length);
        for byte in 1..author.feed.byte_length() {
            let (mut copy, _) = Log::reader(key_of(3));
            let mut remote = RemoteTree::new();
            // It knows the length, and not much else.
            copy.fetch(&author, &mut remote, length - 1, true);
            let expected = by_adding_up(&sizes, byte);
            let mut width = u64::MAX;
            while let Err(within) = copy.seek(byte).unwrap() {
                assert!(within.contains(&expected.0), "{byte} of {length}");
                // Any hash below the node narrows it down, even the least fitting one.
                assert!(within.end - within.start < width);
                width = within.end - within.start;
                let other = match within.start == expected.0 {
                    true => within.end - 1,
                    false => within.start,
                };
                copy.fetch(&author, &mut remote, other, true);
            }
            assert_eq!(copy.seek(byte), Ok(Ok(expected)));
            assert!(copy.has().is_empty());
        }
    }
}

#[test]
fn what_a_copy_knew_of_a_shorter_feed_leads_to_its_blocks_in_a_longer_one() {
    for (short, long) in [(1, 2), (1, 8), (3, 8), (5, 16), (11, 100)] {
        let sizes = sizes(3, long);
        let options = OpenOptions {
            // Nothing is to tell what lies between the two.
            fork_policy: ForkPolicy::Compat,
            ..with_key(key_of(3))
        };
        let mut copy = Log::open(MemoryFiles::default(), options).unwrap();
        let short_author = Log::author(3, short);
        copy.fetch(&short_author, &mut RemoteTree::new(), 0, false);
        let author = Log::author(3, long);
        copy.fetch(&author, &mut RemoteTree::new(), long - 1, true);
        assert_eq!((copy.length(), copy.has()), (long, vec![0]));
        // Between the newest roots and what is known of block 0 are nodes whose other child is unknown.
        for byte in 0..sizes[0] {
            assert_eq!(copy.seek(byte), Ok(Ok((0, byte))), "{short} {long}");
        }
    }
}

#[test]
fn nodes_that_do_not_belong_together_are_damage() {
    let author = Log::author(3, 64);
    let files = author.files.read(&[storage::Read {
        file: File::Tree,
        offset: 0,
        len: 1 << 20,
    }]);
    let tree = files.unwrap().remove(0);
    let (mut log, files) = Log::writer(3);
    log.append((0..64).map(|block| made_up(3, block)));
    for at in (32..tree.len()).step_by(7) {
        let mut bytes = tree.to_vec();
        bytes[at] ^= 0x40;
        replace(&files, File::Tree, &bytes);
        for byte in [1, 200, 400] {
            match log.seek(byte) {
                Ok(found) => assert_eq!(found, author.seek(byte).unwrap()),
                Err(error) => assert!(matches!(
                    error,
                    Error::Corrupt {
                        file: File::Tree,
                        what: Damage::WrongNode | Damage::MissingNode,
                    }
                )),
            }
        }
    }
}

#[test]
fn a_search_goes_on_while_the_feed_grows() {
    let (mut log, files) = Log::writer(3);
    log.append((0..100).map(|block| made_up(3, block)));
    let SeekStep::Read { seeking, reads } = log.feed.seek(500).unwrap() else {
        panic!()
    };
    let replies = log.files.read(&reads).unwrap();
    log.append(["more"; 100]);
    assert!(files.file(File::Data).len().unwrap() > 500);
    let mut step = seeking.step(&log.feed, &replies).unwrap();
    while let SeekStep::Read { seeking, reads } = step {
        step = seeking
            .step(&log.feed, &log.files.read(&reads).unwrap())
            .unwrap();
    }
    let expected = by_adding_up(&sizes(3, 100), 500);
    let SeekStep::Found { block, offset } = step else {
        panic!()
    };
    assert_eq!((block, offset), expected);
}
