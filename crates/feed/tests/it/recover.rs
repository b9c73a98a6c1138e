//! Damaged directories: what opening them gives with JavaScript, and what it gives here.
//!
//! Here the longest length that is proved is found again where nothing can be signed twice by that. Where something that was
//! signed can't be proved any more, its writer is refused, by the name of the file, and nothing is written.

use crypto::Dialect;
use hypercore_feed::{Damage, Error, OpenOptions, Opening, Step};
use serde_json::Value;
use storage::{File, FileSet, MemoryFiles, RandomAccess};
use testkit::vectors::{folder, hex_array, int, list, load, pattern_block};

use crate::world::{Log, bytes, contents, load as load_files, made_up, replace};

const VERSIONS: [&str; 2] = ["sleep-v8", "sleep-v9"];

/// What JavaScript makes of a directory, and its files.
fn damaged(version: &str, what: &str) -> (Value, MemoryFiles) {
    let json = load(&format!("{version}.json"));
    let name = format!("recover-{what}");
    let mut cases = list(&json["recover"]).iter();
    let case = cases.find(|case| case["name"] == name.as_str()).unwrap();
    (case.clone(), load_files(&folder().join(version).join(name)))
}

/// Opening is refused, and leaves every byte as it is.
fn refused(files: &MemoryFiles) -> Error {
    let before = contents(files);
    let error = Log::open(files.clone(), OpenOptions::default()).err();
    assert!(contents(files) == before);
    error.unwrap()
}

fn corrupt(file: File, what: Damage) -> Error {
    Error::Corrupt { file, what }
}

#[test]
fn vectors_whose_tree_lacks_a_root_are_refused() {
    for version in VERSIONS {
        // JavaScript tries one block less, and gives up if that isn't there either.
        for (what, theirs) in [
            ("tree-lost-last-nodes", Some(9)),
            ("tree-lost-more-nodes", None),
            ("tree-empty", None),
        ] {
            let (case, files) = damaged(version, what);
            assert_eq!(case["length"].as_u64(), theirs);
            assert_eq!(refused(&files), corrupt(File::Tree, Damage::Short));
        }
    }
}

#[test]
fn vectors_whose_last_signature_is_lost_are_signed_again_with_the_same_signature() {
    for version in VERSIONS {
        // JavaScript takes the feed for a static one, appends to it, and never signs again.
        let (case, files) = damaged(version, "signatures-lost-last");
        assert_eq!(
            (&case["live"], &case["writable"]),
            (&Value::Bool(false), &Value::Bool(true))
        );
        let options = || OpenOptions {
            dialect: match version {
                "sleep-v8" => Dialect::V8,
                _ => Dialect::V9,
            },
            ..OpenOptions::default()
        };
        // Without its secret key it can't be, and what is proved is kept.
        let copy = MemoryFiles::default();
        for file in File::ALL
            .into_iter()
            .filter(|file| *file != File::SecretKey)
        {
            replace(&copy, file, &bytes(&files, file));
        }
        let log = Log::open(copy, options()).unwrap();
        assert_eq!((log.length(), log.has()), (9, Vec::from_iter(0..9)));
        let log = Log::open(files.clone(), options()).unwrap();
        let report = log.feed.recovery().unwrap();
        assert_eq!((log.length(), report.length, report.signed), (10, 10, true));
        assert!(!report.is_loss());
        // The other damages were done to the same feed.
        let (_, whole) = damaged(version, "bitfield-lost");
        let signatures = |files| bytes(files, File::Signatures);
        assert_eq!(signatures(&files), signatures(&whole));
        drop(log);
        let log = Log::open(files, options()).unwrap();
        assert_eq!((log.length(), log.feed.recovery()), (10, None));
        log.prove(9, false);
    }
}

#[test]
fn vectors_whose_data_is_short_are_opened_and_lost_blocks_are_errors() {
    for version in VERSIONS {
        let (case, files) = damaged(version, "data-short");
        let log = Log::open(files, OpenOptions::default()).unwrap();
        assert_eq!(log.length(), int(&case["length"]));
        assert_eq!(log.feed.byte_length(), int(&case["byteLength"]));
        // Ten bytes are left.
        let (mut end, mut lost) = (0, 0);
        for (block, size) in (0..).zip(list(&case["sizes"])) {
            let bytes = pattern_block(int(&case["base"]), block, int(size) as usize);
            end += bytes.len();
            let expected = match end <= 10 {
                true => Ok(bytes.into()),
                false => Err(corrupt(File::Data, Damage::Short)),
            };
            lost += u64::from(expected.is_err());
            assert_eq!(log.get(block), expected);
        }
        assert!(lost > 0);
    }
}

#[test]
fn vectors_whose_bitfield_is_lost_get_it_again() {
    for version in VERSIONS {
        // JavaScript opens both with length 0. Whoever then appends signs other blocks in the place of the old ones.
        let (case, files) = damaged(version, "bitfield-lost");
        assert_eq!(
            (int(&case["length"]), &case["sameKey"]),
            (0, &Value::Bool(true))
        );
        // Half a header, a file that isn't there, and a page of zeros are the same loss.
        let page = [&bytes(&files, File::Bitfield)[..], &[0; 3584]].concat();
        let mut whole = Vec::new();
        for left in [&page[..], &page[..0], &page[..16], &page[..32]] {
            for own in [true, false] {
                let files = copy(&files);
                if !own {
                    replace(&files, File::SecretKey, &[]);
                }
                replace(&files, File::Bitfield, left);
                let log = Log::open(files.clone(), OpenOptions::default()).unwrap();
                assert_eq!((log.length(), log.has()), (10, Vec::from_iter(0..10)));
                let report = log.feed.recovery().unwrap();
                assert_eq!((report.claimed, report.length, report.pages), (0, 10, 1));
                assert!(report.lost.is_empty() && !report.is_loss());
                assert!(log.audit(true).is_clean());
                drop(log);
                // It is the one that JavaScript would have written, so that it finds everything again as well.
                let written = bytes(&files, File::Bitfield);
                assert!(whole.is_empty() || whole == written);
                whole = written;
                let log = Log::open(files, OpenOptions::default()).unwrap();
                assert_eq!((log.written, log.feed.recovery()), (0, None));
            }
        }
    }
}

fn copy(files: &MemoryFiles) -> MemoryFiles {
    let copy = MemoryFiles::default();
    for (file, bytes) in File::ALL.into_iter().zip(contents(files)) {
        replace(&copy, file, &bytes);
    }
    copy
}

#[test]
fn vectors_whose_key_is_lost_are_refused_rather_than_replaced() {
    for version in VERSIONS {
        // JavaScript makes a new feed over the old one, and overwrites its secret key.
        let (case, files) = damaged(version, "key-lost");
        assert_eq!(
            (int(&case["length"]), &case["sameKey"]),
            (0, &Value::Bool(false))
        );
        assert_eq!(refused(&files), Error::KeyFileMissing);
        // Neither is the right key, given from outside, reason enough: nothing says that it is the right one.
        let before = contents(&files);
        let options = OpenOptions {
            key: Some(crypto::PublicKey::new(hex_array(&case["originalKey"]))),
            ..OpenOptions::default()
        };
        let error = Log::open(files.clone(), options).err();
        assert_eq!(error, Some(Error::KeyFileMissing));
        assert!(contents(&files) == before);
    }
}

#[test]
fn vectors_whose_secret_key_is_lost_are_opened_for_reading() {
    for version in VERSIONS {
        let (case, files) = damaged(version, "secret-key-lost");
        let mut log = Log::open(files, OpenOptions::default()).unwrap();
        assert_eq!(log.length(), int(&case["length"]));
        assert_eq!(&case["writable"], &Value::Bool(false));
        assert!(!log.feed.is_writable());
        let plan = log.feed.plan_append(vec!["x".into()]).unwrap();
        assert_eq!(plan.sign(&log.feed).unwrap_err(), Error::NotWritable);
        let sizes = list(&case["sizes"]);
        for (block, size) in (0..).zip(sizes) {
            let expected = pattern_block(int(&case["base"]), block, int(size) as usize);
            assert_eq!(log.get(block).unwrap(), expected);
        }
        // A put of nothing new changes nothing either.
        let events = log.put(log.prove(9, true), None).unwrap();
        assert!(events.is_empty());
    }
}

#[test]
fn vectors_of_all_damages_are_named_here() {
    for version in VERSIONS {
        let json = load(&format!("{version}.json"));
        let names = list(&json["recover"])
            .iter()
            .map(|case| case["name"].as_str().unwrap());
        let known = [
            "tree-lost-last-nodes",
            "tree-lost-more-nodes",
            "tree-empty",
            "signatures-lost-last",
            "data-short",
            "bitfield-lost",
            "key-lost",
            "secret-key-lost",
        ];
        assert!(names.eq(known.map(|name| format!("recover-{name}"))));
    }
}

#[test]
fn an_intact_feed_is_opened_with_four_reads_and_no_write() {
    for length in [0, 1, 200] {
        let (mut log, files) = Log::writer(40);
        (0..length).for_each(|block| log.append([made_up(40, block)]));
        drop(log);
        let set = FileSet::open(Box::new(files)).unwrap();
        let mut step = Opening::new(OpenOptions::default()).step(vec![]).unwrap();
        let mut reads = Vec::new();
        let feed = loop {
            step = match step {
                Step::Read {
                    opening,
                    reads: list,
                } => {
                    let replies = set.read(&list).unwrap();
                    reads.push(replies.iter().map(|reply| reply.len()).sum::<usize>());
                    opening.step(replies).unwrap()
                }
                Step::Commit { batch, .. } => panic!("{batch:?}"),
                Step::Done(feed) => break feed,
            };
        };
        assert_eq!((feed.length(), feed.recovery()), (length, None));
        // The key, the small files, the bitfield, and the roots with the signature.
        assert_eq!(reads.len(), 4);
        assert!(reads[3] <= 64 + 40 * 8, "{reads:?}");
    }
}

#[test]
fn a_feed_that_is_only_read_is_recovered_in_memory() {
    let (mut log, files) = Log::writer(41);
    (0..10).for_each(|block| log.append([made_up(41, block)]));
    drop(log);
    files.file(File::Bitfield).truncate(0).unwrap();
    let before = contents(&files);
    let options = OpenOptions {
        read_only: true,
        ..OpenOptions::default()
    };
    let log = Log::open(files.clone(), options).unwrap();
    assert_eq!((log.length(), log.has()), (10, Vec::from_iter(0..10)));
    assert_eq!(log.get(9).unwrap(), made_up(41, 9));
    assert!(contents(&files) == before);
}

#[test]
fn parents_that_got_lost_are_made_again() {
    let (mut log, files) = Log::writer(42);
    (0..37).for_each(|block| log.append([made_up(42, block)]));
    drop(log);
    let whole = contents(&files);
    for node in [1, 3, 7, 11, 33] {
        files
            .file(File::Tree)
            .write(32 + 40 * node, &[&[0; 40]])
            .unwrap();
    }
    let options = OpenOptions {
        rebuild: true,
        ..OpenOptions::default()
    };
    let log = Log::open(files.clone(), options).unwrap();
    assert_eq!(log.feed.recovery().unwrap().nodes, 5);
    assert!(log.audit(true).is_clean());
    drop(log);
    assert!(contents(&files) == whole);
}

#[test]
fn what_is_left_of_a_signature_is_cut_off_before_another_one_is_written_behind_it() {
    // A torn one, and one of something that isn't there any more.
    for junk in [&[7; 32][..], &[7; 64]] {
        for own in [true, false] {
            let (mut log, files) = Log::writer(43);
            (0..5).for_each(|block| log.append([made_up(43, block)]));
            drop(log);
            let end = 32 + 64 * 5;
            files.file(File::Signatures).write(end, &[junk]).unwrap();
            if !own {
                replace(&files, File::SecretKey, &[]);
            }
            let mut log = Log::open(files.clone(), OpenOptions::default()).unwrap();
            let report = log.feed.recovery().unwrap();
            assert_eq!((report.length, report.cut, report.is_loss()), (5, 1, false));
            assert_eq!(bytes(&files, File::Signatures).len() as u64, end);
            if own {
                log.append((5..8).map(|block| made_up(43, block)));
                assert!(log.audit(true).is_clean());
                let (mut reader, _) = Log::reader(log.feed.key());
                reader
                    .put(log.prove(5, false), Some(made_up(43, 5)))
                    .unwrap();
            }
        }
    }
}

#[test]
fn a_signature_of_an_earlier_life_below_the_end_is_blanked() {
    let (mut log, files) = Log::writer(44);
    log.append((0..2).map(|block| made_up(44, block)));
    let bits = bytes(&files, File::Bitfield);
    log.append((2..5).map(|block| made_up(44, block)));
    drop(log);
    // The bits are behind, and in between stands what was to be cut and came back.
    replace(&files, File::Bitfield, &bits);
    let place = files.file(File::Signatures);
    place.write(32 + 64 * 3, &[&[7; 64]]).unwrap();
    let log = Log::open(files, OpenOptions::default()).unwrap();
    assert_eq!((log.length(), log.feed.recovery().unwrap().cut), (5, 1));
    assert!(log.audit(true).is_clean());
}
