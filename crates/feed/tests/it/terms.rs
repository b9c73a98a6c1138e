//! On what terms a feed is opened: forced, only to be written, only to be read, with data of somebody else.

use bytes::Bytes;
use crypto::KeyPair;
use hypercore_feed::{Error, OpenOptions, Opening, PutError, Step};
use merkle::RemoteTree;
use storage::{File, FileSet, MemoryFiles};

use crate::world::{Log, bytes, contents, key_of, made_up, replace, seeded, with_key};

fn stored(seed: u8) -> MemoryFiles {
    let (mut log, files) = Log::writer(seed);
    log.append((0..5).map(|block| made_up(seed, block)));
    files
}

#[test]
fn force_replaces_another_feed_and_keeps_the_same() {
    let files = stored(1);
    let forced = |seed| OpenOptions {
        force: true,
        ..with_key(key_of(seed))
    };
    let log = Log::open(files.clone(), forced(1)).unwrap();
    assert_eq!((log.length(), log.written), (5, 0));
    drop(log);
    let log = Log::open(files.clone(), forced(2)).unwrap();
    assert_eq!((log.feed.key(), log.length()), (key_of(2), 0));
    assert!(!log.feed.is_writable());
    drop(log);
    let (_, fresh) = Log::reader(key_of(2));
    assert_eq!(contents(&files), contents(&fresh));
}

#[test]
fn force_with_a_secret_key_replaces_another_feed() {
    let files = stored(1);
    let pair = KeyPair::from_seed([2; 32]);
    let options = OpenOptions {
        secret_key: Some(pair.secret().clone()),
        ..OpenOptions::default()
    };
    let mismatch = Error::KeyMismatch {
        stored: key_of(1),
        given: key_of(2),
    };
    let error = Log::open(files.clone(), options.clone()).err();
    assert_eq!(error, Some(mismatch));
    let forced = OpenOptions {
        force: true,
        ..options
    };
    let mut log = Log::open(files, forced).unwrap();
    log.append(["mine"]);
    assert_eq!((log.feed.key(), log.length()), (key_of(2), 1));
}

#[test]
fn force_without_a_key_leaves_what_is_there() {
    let files = stored(1);
    let options = OpenOptions {
        force: true,
        ..seeded(9)
    };
    let log = Log::open(files, options).unwrap();
    assert_eq!((log.feed.key(), log.length()), (key_of(1), 5));
}

#[test]
fn one_that_must_be_writable_is_refused_before_a_write() {
    let writable = |options| OpenOptions {
        writable: true,
        ..options
    };
    let nowhere = MemoryFiles::default();
    let error = Log::open(nowhere.clone(), writable(with_key(key_of(1)))).err();
    assert_eq!(error, Some(Error::NotWritable));
    assert!(contents(&nowhere).iter().all(Vec::is_empty));

    let (copy, files) = Log::reader(key_of(1));
    drop(copy);
    let error = Log::open(files, writable(seeded(9))).err();
    assert_eq!(error, Some(Error::NotWritable));

    let log = Log::open(stored(1), writable(seeded(9))).unwrap();
    assert!(log.feed.is_writable());
    let log = Log::open(nowhere, writable(seeded(9))).unwrap();
    assert!(log.feed.is_writable());
}

fn read_only() -> OpenOptions {
    OpenOptions {
        read_only: true,
        ..seeded(9)
    }
}

#[test]
fn read_only_reads_and_changes_nothing() {
    let files = stored(1);
    let before = contents(&files);
    let log = Log::open(files.clone(), read_only()).unwrap();
    assert_eq!((log.length(), log.written), (5, 0));
    assert!(log.feed.is_read_only() && !log.feed.is_writable());
    assert!(log.feed.key_pair().is_none());
    assert_eq!(log.get(3).unwrap(), made_up(1, 3));
    assert_eq!(log.seek(1).unwrap(), Ok((1, 0)));
    assert_eq!(log.signature(4).unwrap().0, 4);

    let error = log.feed.plan_append(vec!["a".into()]).unwrap_err();
    assert_eq!(error, Error::ReadOnly);
    assert_eq!(log.feed.plan_clear(0..1).unwrap_err(), Error::ReadOnly);
    assert_eq!(log.feed.commit_finalize().unwrap_err(), Error::ReadOnly);
    let proof = Log::author(1, 8).prove(7, true);
    let error = log.feed.plan_put(proof, None).unwrap_err();
    assert_eq!(error, PutError::Local(Error::ReadOnly));
    drop(log);
    assert_eq!(contents(&files), before);
}

#[test]
fn read_only_needs_no_secret_key() {
    let files = stored(1);
    replace(&files, File::SecretKey, b"unreadable");
    assert!(Log::open(files.clone(), seeded(9)).is_err());
    let set = FileSet::open(Box::new(files)).unwrap();
    let mut step = Opening::new(read_only()).step(vec![]).unwrap();
    let feed = loop {
        step = match step {
            Step::Read { opening, reads } => {
                assert!(reads.iter().all(|read| read.file != File::SecretKey));
                opening.step(set.read(&reads).unwrap()).unwrap()
            }
            Step::Commit { .. } => panic!("nothing is written"),
            Step::Done(feed) => break feed,
        };
    };
    assert_eq!(feed.length(), 5);
}

#[test]
fn read_only_does_not_even_repair_headers() {
    let files = stored(1);
    for file in [File::Tree, File::Signatures] {
        let mut damaged = bytes(&files, file);
        damaged[7] ^= 1;
        replace(&files, file, &damaged);
    }
    let before = contents(&files);
    let log = Log::open(files.clone(), read_only()).unwrap();
    assert_eq!((log.length(), log.written), (5, 0));
    drop(log);
    assert_eq!(contents(&files), before);
}

#[test]
fn read_only_finds_nothing_where_nothing_is() {
    let nowhere = MemoryFiles::default();
    for options in [
        read_only(),
        OpenOptions {
            key: Some(key_of(1)),
            ..read_only()
        },
        OpenOptions {
            live: false,
            ..read_only()
        },
    ] {
        let error = Log::open(nowhere.clone(), options).err();
        assert_eq!(error, Some(Error::NotFound));
    }
    assert!(contents(&nowhere).iter().all(Vec::is_empty));
}

#[test]
fn read_only_contradicts_every_wish_to_write() {
    let files = stored(1);
    let before = contents(&files);
    for (options, expected) in [
        (
            OpenOptions {
                overwrite: true,
                ..read_only()
            },
            Error::ReadOnly,
        ),
        (
            OpenOptions {
                writable: true,
                ..read_only()
            },
            Error::NotWritable,
        ),
        (
            OpenOptions {
                force: true,
                key: Some(key_of(2)),
                ..read_only()
            },
            Error::KeyMismatch {
                stored: key_of(1),
                given: key_of(2),
            },
        ),
    ] {
        assert_eq!(Log::open(files.clone(), options).err(), Some(expected));
    }
    assert_eq!(contents(&files), before);
}

#[test]
fn data_of_somebody_else_is_read_and_proved() {
    let files = MemoryFiles::default();
    let options = OpenOptions {
        external_data: true,
        ..seeded(3)
    };
    let mut log = Log::open(files.clone(), options).unwrap();
    let blocks: Vec<Bytes> = (0..9).map(|block| made_up(3, block)).collect();
    // Before or after the append, as they like.
    replace(&files, File::Data, &blocks.concat());
    log.append(blocks.clone());
    assert_eq!(log.get_range(0..9).unwrap().0, blocks);
    assert_eq!(bytes(&files, File::Data), blocks.concat());
    let (mut copy, _) = Log::reader(key_of(3));
    copy.fetch(&log, &mut RemoteTree::new(), 4, false);
    assert_eq!(copy.get(4).unwrap(), blocks[4]);
}

#[test]
fn blocks_of_peers_are_written_whoever_looks_after_the_data() {
    let author = Log::author(3, 9);
    let files = MemoryFiles::default();
    let options = OpenOptions {
        external_data: true,
        ..with_key(key_of(3))
    };
    let mut copy = Log::open(files, options).unwrap();
    copy.fetch(&author, &mut RemoteTree::new(), 4, false);
    assert_eq!(copy.get(4).unwrap(), made_up(3, 4));
}
