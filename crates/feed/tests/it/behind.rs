//! A writer that meets what its own key has signed and it doesn't have.

use hypercore_feed::{Error, PutError};
use merkle::RemoteTree;
use storage::MemoryFiles;

use crate::world::{Log, contents, made_up, replace, seeded};

fn block(number: u64) -> bytes::Bytes {
    made_up(70, number)
}

/// A writer of `mine` blocks, and one of the same key that went on to `seen`.
fn two(mine: u64, seen: u64) -> (Log, Log) {
    let (mut log, files) = Log::writer(70);
    let mut old = MemoryFiles::default();
    for number in 0..seen {
        if number == mine {
            old = copy(&files);
        }
        log.append([block(number)]);
    }
    (Log::open(old, seeded(70)).unwrap(), log)
}

fn copy(files: &MemoryFiles) -> MemoryFiles {
    let copy = MemoryFiles::default();
    for (file, bytes) in storage::File::ALL.into_iter().zip(contents(files)) {
        replace(&copy, file, &bytes);
    }
    copy
}

fn refusal(log: &Log) -> Option<Error> {
    log.feed.plan_append(vec!["x".into()]).err()
}

#[test]
fn a_writer_that_grows_by_what_peers_show_appends_once_the_blocks_are_here() {
    for (mine, seen) in [(1, 2), (3, 9), (8, 11), (10, 20)] {
        let (mut log, whole) = two(mine, seen);
        assert_eq!((refusal(&log), log.feed.behind()), (None, None));
        let mut remote = RemoteTree::new();
        for number in mine..seen {
            log.fetch(&whole, &mut remote, number, false);
            let expected = (number + 1 < seen).then_some(Error::WriterBehind { mine, seen });
            assert_eq!(refusal(&log), expected, "{mine} of {seen}, with {number}");
        }
        log.append([block(seen)]);
        assert_eq!(log.length(), seen + 1);
        assert!(log.audit(true).is_clean());
        // What is cleared later isn't missed.
        log.clear(mine..seen).unwrap();
        assert_eq!(refusal(&log), None);
    }
}

#[test]
fn a_signature_alone_stops_the_writer() {
    let (mut log, whole) = two(10, 20);
    // Of a block that shows nothing about how the two lengths belong together.
    let refused = log
        .put(whole.prove(19, false), Some(block(19)))
        .unwrap_err();
    let PutError::Unproven { signed, .. } = refused else {
        panic!("{refused}");
    };
    log.feed.note_signed(signed);
    let expected = Error::WriterBehind { mine: 10, seen: 20 };
    assert_eq!(refusal(&log), Some(expected));
    let mut remote = RemoteTree::new();
    for number in 10..20 {
        log.fetch(&whole, &mut remote, number, false);
    }
    assert_eq!(refusal(&log), None);
    // Less than what is here is no news.
    log.feed.note_signed(5);
    assert_eq!((refusal(&log), log.feed.behind()), (None, None));
}
