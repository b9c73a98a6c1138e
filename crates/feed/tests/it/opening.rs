//! Opening: with and without keys, over files of any kind, and what is never done to them.

use bytes::Bytes;
use crypto::KeyPair;
use hypercore_feed::{Damage, Error, Header, OpenOptions, Opening, Step};
use merkle::RemoteTree;
use storage::{File, MemoryFiles, RandomAccess};
use testkit::Rng;

use crate::world::{Log, bytes, contents, key_of, made_up, replace, seeded, with_key};

fn corrupt(file: File, what: Damage) -> Error {
    Error::Corrupt { file, what }
}

/// A writer of ten blocks, closed.
fn ten(seed: u8) -> MemoryFiles {
    let (mut log, files) = Log::writer(seed);
    (0..10).for_each(|block| log.append([made_up(seed, block)]));
    files
}

/// The files of another feed, to be spoilt.
fn copy(files: &MemoryFiles) -> MemoryFiles {
    let copy = MemoryFiles::default();
    for (file, bytes) in File::ALL.into_iter().zip(contents(files)) {
        replace(&copy, file, &bytes);
    }
    copy
}

fn refused(files: &MemoryFiles, options: OpenOptions) -> Error {
    let before = contents(files);
    let error = Log::open(files.clone(), options).err().unwrap();
    assert!(contents(files) == before, "{error}");
    error
}

#[test]
fn a_feed_is_created_and_found_again_without_a_write() {
    let (log, files) = Log::writer(1);
    assert_eq!(log.written, 1);
    assert!(log.feed.is_writable() && log.feed.is_live());
    assert_eq!((log.length(), log.feed.key()), (0, key_of(1)));
    drop(log);
    let before = contents(&files);
    // The seed is for new feeds only.
    let log = Log::open(files.clone(), seeded(2)).unwrap();
    assert_eq!((log.written, log.feed.key()), (0, key_of(1)));
    assert!(log.feed.is_writable());
    assert!(contents(&files) == before);
}

#[test]
fn where_nothing_may_be_created_nothing_is() {
    let files = MemoryFiles::default();
    let options = OpenOptions {
        create: false,
        ..seeded(3)
    };
    assert_eq!(refused(&files, options.clone()), Error::NotFound);
    let options = OpenOptions {
        key: Some(key_of(3)),
        ..options
    };
    assert_eq!(refused(&files, options), Error::NotFound);
    assert!(contents(&files).iter().all(Vec::is_empty));
}

#[test]
fn the_right_key_is_taken_and_a_wrong_one_refused() {
    let files = ten(4);
    assert!(
        Log::open(files.clone(), with_key(key_of(4)))
            .unwrap()
            .feed
            .is_writable()
    );
    let expected = Error::KeyMismatch {
        stored: key_of(4),
        given: key_of(5),
    };
    assert_eq!(refused(&files, with_key(key_of(5))), expected);
    let secret = |seed| OpenOptions {
        secret_key: Some(KeyPair::from_seed([seed; 32]).secret().clone()),
        ..OpenOptions::default()
    };
    assert_eq!(refused(&files, secret(5)), expected);
    assert!(Log::open(files.clone(), secret(4)).is_ok());
    let both = OpenOptions {
        key: Some(key_of(4)),
        ..secret(5)
    };
    assert_eq!(refused(&files, both.clone()), Error::KeyPairMismatch);
    assert_eq!(
        refused(&MemoryFiles::default(), both),
        Error::KeyPairMismatch
    );
}

#[test]
fn a_secret_key_given_later_makes_a_copy_writable() {
    let author = Log::author(6, 3);
    for store_secret_key in [false, true] {
        let (mut reader, files) = Log::reader(author.feed.key());
        for block in 0..3 {
            reader.fetch(&author, &mut RemoteTree::new(), block, false);
        }
        assert!(!reader.feed.is_writable());
        drop(reader);
        let options = OpenOptions {
            secret_key: Some(KeyPair::from_seed([6; 32]).secret().clone()),
            store_secret_key,
            ..OpenOptions::default()
        };
        let mut log = Log::open(files.clone(), options).unwrap();
        log.append(["x"]);
        drop(log);
        let stored = bytes(&files, File::SecretKey);
        assert_eq!(stored.len(), if store_secret_key { 64 } else { 0 });
        let log = Log::reader_of(files);
        assert_eq!(
            (log.length(), log.feed.is_writable()),
            (4, store_secret_key)
        );
    }
}

#[test]
fn data_without_a_key_is_never_made_a_new_feed() {
    for kept in [File::Tree, File::Data, File::Bitfield, File::Signatures] {
        let files = copy(&ten(7));
        for file in File::ALL {
            if file != kept {
                replace(&files, file, &[]);
            }
        }
        for options in [seeded(8), with_key(key_of(7)), with_key(key_of(8))] {
            assert_eq!(refused(&files, options), Error::KeyFileMissing, "{kept}");
        }
    }
}

#[test]
fn a_secret_key_without_a_key_is_used_and_never_overwritten() {
    let (_, files) = Log::writer(9);
    replace(&files, File::Key, &[]);
    let expected = Error::KeyMismatch {
        stored: key_of(9),
        given: key_of(10),
    };
    assert_eq!(refused(&files, with_key(key_of(10))), expected);
    let log = Log::open(files.clone(), seeded(10)).unwrap();
    assert_eq!(log.feed.key(), key_of(9));
    assert!(log.feed.is_writable());
    drop(log);
    replace(&files, File::Key, &[]);
    replace(&files, File::SecretKey, &[1; 40]);
    let expected = corrupt(File::SecretKey, Damage::Short);
    assert_eq!(refused(&files, seeded(10)), expected);
}

#[test]
fn overwriting_forgets_what_was_there() {
    let files = ten(11);
    let options = OpenOptions {
        overwrite: true,
        ..seeded(12)
    };
    let mut log = Log::open(files.clone(), options).unwrap();
    assert_eq!((log.length(), log.feed.key()), (0, key_of(12)));
    log.append(["new"]);
    drop(log);
    assert_eq!(bytes(&files, File::Data), b"new");
    assert_eq!(bytes(&files, File::Tree).len(), 32 + 40);
    assert_eq!(bytes(&files, File::Signatures).len(), 32 + 64);
    let log = Log::reader_of(files);
    assert_eq!((log.get(0).unwrap(), log.length()), ("new".into(), 1));
}

#[test]
fn what_javascript_leaves_of_an_overwritten_feed_is_an_empty_one() {
    // It cuts the bitfield only; tree, signatures and data keep the bytes of the old feed.
    let files = ten(13);
    let pair = KeyPair::from_seed([14; 32]);
    replace(&files, File::Key, pair.public().as_bytes());
    replace(&files, File::SecretKey, &pair.secret().to_bytes()[..]);
    files.file(File::Bitfield).truncate(32).unwrap();
    let mut log = Log::reader_of(files.clone());
    assert_eq!((log.length(), log.feed.is_writable()), (0, true));
    log.append(["new"]);
    drop(log);
    assert_eq!(Log::reader_of(files).get(0).unwrap(), "new");
}

#[test]
fn damaged_keys_are_refused() {
    let whole = ten(15);
    let with = |file: File, bytes: &[u8]| {
        let files = copy(&whole);
        replace(&files, file, bytes);
        files
    };
    let (key, secret) = (bytes(&whole, File::Key), bytes(&whole, File::SecretKey));
    for len in 1..32 {
        let files = with(File::Key, &key[..len]);
        assert_eq!(
            refused(&files, seeded(16)),
            corrupt(File::Key, Damage::Short)
        );
    }
    for len in 1..64 {
        let files = with(File::SecretKey, &secret[..len]);
        let expected = corrupt(File::SecretKey, Damage::Short);
        assert_eq!(refused(&files, seeded(16)), expected);
    }
    for at in 0..64 {
        let mut flipped = secret.clone();
        flipped[at] ^= 4;
        let files = with(File::SecretKey, &flipped);
        let expected = corrupt(File::SecretKey, Damage::WrongKey);
        assert_eq!(refused(&files, seeded(16)), expected);
    }
    let another = KeyPair::from_seed([16; 32]);
    let files = with(File::SecretKey, &another.secret().to_bytes()[..]);
    let expected = corrupt(File::SecretKey, Damage::WrongKey);
    assert_eq!(refused(&files, seeded(16)), expected);
    // A byte too many harms nobody.
    let files = with(File::Key, &[&key[..], &[0]].concat());
    assert_eq!(Log::reader_of(files).length(), 10);
}

#[test]
fn another_key_in_the_place_of_the_one_that_was_read_is_refused() {
    // The first look is before the lock; another handle may have overwritten the feed since.
    let files = storage::FileSet::open(Box::new(ten(17))).unwrap();
    let Ok(Step::Read { opening, .. }) = Opening::new(seeded(18)).step(vec![]) else {
        panic!("the key comes first");
    };
    let earlier = Bytes::copy_from_slice(key_of(18).as_bytes());
    let Ok(Step::Read { opening, reads }) = opening.step(vec![earlier]) else {
        panic!("then the others");
    };
    let expected = Error::KeyMismatch {
        stored: key_of(17),
        given: key_of(18),
    };
    let error = opening.step(files.read(&reads).unwrap()).err();
    assert_eq!(error, Some(expected));
}

#[test]
fn bits_in_pages_of_no_known_size_are_made_anew() {
    for size in [0u16, 1, 3327, 3329, 4096, u16::MAX] {
        let files = ten(19);
        let whole = contents(&files);
        files
            .file(File::Bitfield)
            .write(5, &[&size.to_be_bytes()])
            .unwrap();
        let log = Log::open(files.clone(), seeded(20)).unwrap();
        assert_eq!((log.length(), log.has()), (10, Vec::from_iter(0..10)));
        drop(log);
        assert!(contents(&files) == whole, "{size}");
        // What is in such pages needn't make sense.
        let noise = Rng::new(u64::from(size)).bytes(3584);
        files.file(File::Bitfield).write(32, &[&noise]).unwrap();
        files.file(File::Bitfield).write(5, &[&[0, 0]]).unwrap();
        if let Ok(log) = Log::open(files, seeded(20)) {
            assert_eq!((log.length(), log.has()), (10, Vec::from_iter(0..10)));
        }
    }
    // A page of the old size begins and ends elsewhere, which the first page alone doesn't show: the index isn't read.
    let files = ten(20);
    files
        .file(File::Bitfield)
        .write(5, &[&3328u16.to_be_bytes()])
        .unwrap();
    assert_eq!(Log::reader_of(files).length(), 10);
}

#[test]
fn damaged_headers_are_written_again_once_the_log_has_verified() {
    for file in [File::Tree, File::Signatures, File::Bitfield] {
        let files = ten(21);
        let before = contents(&files);
        files.file(file).write(0, &[&[0xff; 4]]).unwrap();
        let log = Log::reader_of(files.clone());
        assert_eq!((log.length(), log.written), (10, 1));
        assert!(contents(&files) == before, "{file}");
    }
    let header: [u8; 32] = bytes(&ten(21), File::Tree)[..32].try_into().unwrap();
    assert_eq!(Header::from_bytes(&header), Some(Header::Tree));
}

/// Whatever was done to the files: what opens has a length that is signed, blocks that are the author's or errors, and a
/// refusal changes no byte.
fn assert_honest(files: &MemoryFiles, seed: u8, what: &str) -> bool {
    let before = contents(files);
    match Log::open(files.clone(), seeded(200)) {
        Err(_) => {
            assert!(contents(files) == before, "{what}");
            false
        }
        Ok(log) => {
            assert_eq!(log.feed.key(), key_of(seed), "{what}");
            let length = log.length();
            let whole = Log::author(seed, length);
            assert_eq!(log.feed.roots(), whole.feed.roots(), "{what}");
            for block in 0..length {
                if let Ok(bytes) = log.get(block) {
                    assert_eq!(bytes, made_up(seed, block), "{what}");
                }
            }
            true
        }
    }
}

#[test]
fn files_cut_short_anywhere_open_honestly_or_not_at_all() {
    let (mut opened, mut refused) = (0, 0);
    for file in File::ALL {
        let whole = ten(22);
        let len = bytes(&whole, file).len();
        let edges = [31, 32, 33, 32 + 1024, 32 + 1024 + 5, len - 1];
        let all = (0..len).filter(|at| len < 200 || at.is_multiple_of(37) || edges.contains(at));
        for at in all {
            let files = copy(&whole);
            files.file(file).truncate(at as u64).unwrap();
            match assert_honest(&files, 22, &format!("{file} cut at {at}")) {
                true => opened += 1,
                false => refused += 1,
            }
        }
    }
    assert!(opened > 50 && refused > 50, "{opened}, {refused}");
}

#[test]
fn files_with_a_flipped_bit_open_honestly_or_not_at_all() {
    let mut rng = Rng::new(testkit::seed(23));
    let (mut opened, mut refused) = (0, 0);
    let whole = ten(23);
    for file in File::ALL.into_iter().filter(|file| *file != File::Key) {
        let mut bytes = bytes(&whole, file);
        for _ in 0..120 {
            // Of the bitfield only the first bytes of its parts are in use.
            let at = match (file, rng.below(2)) {
                (File::Bitfield, 0) => 32 + rng.below(4) as usize,
                (File::Bitfield, _) => 32 + 1024 + rng.below(6) as usize,
                _ => rng.below(bytes.len() as u64) as usize,
            };
            let bit = 1 << rng.below(8);
            bytes[at] ^= bit;
            let files = copy(&whole);
            replace(&files, file, &bytes);
            bytes[at] ^= bit;
            match assert_honest(&files, 23, &format!("{file}, byte {at}, bit {bit}")) {
                true => opened += 1,
                false => refused += 1,
            }
        }
    }
    assert!(opened > 100 && refused > 100, "{opened}, {refused}");
}

#[test]
fn a_flipped_bit_of_the_key_is_refused_where_there_is_anything_to_check() {
    let whole = ten(24);
    for at in 0..32 {
        let mut key = bytes(&whole, File::Key);
        key[at] ^= 1;
        let files = copy(&whole);
        replace(&files, File::Key, &key);
        assert_eq!(
            refused(&files, seeded(24)),
            corrupt(File::SecretKey, Damage::WrongKey)
        );
        replace(&files, File::SecretKey, &[]);
        let expected = corrupt(File::Signatures, Damage::WrongSignature);
        assert_eq!(refused(&files, seeded(24)), expected);
    }
}

#[test]
fn a_bit_far_out_is_forgotten_within_the_limit_and_refused_beyond() {
    let max_length = 1 << 22;
    let options = OpenOptions {
        max_length,
        ..seeded(25)
    };
    for (block, allowed) in [
        (max_length - 1, true),
        (max_length, false),
        (1 << 40, false),
        (1 << 49, false),
    ] {
        let files = ten(25);
        let page = 32 + block / 8192 * 3584;
        files
            .file(File::Bitfield)
            .write(page + block % 8192 / 8, &[&[1]])
            .unwrap();
        if !allowed && block < 1 << 23 {
            let before = bytes(&files, File::Bitfield);
            let error = Log::open(files.clone(), options.clone()).err();
            assert_eq!(error, Some(Error::BeyondLimit { max: max_length }));
            assert!(bytes(&files, File::Bitfield) == before);
            continue;
        }
        // Further out it isn't even looked for.
        let log = Log::open(files, options.clone()).unwrap();
        assert_eq!((log.length(), log.has()), (10, Vec::from_iter(0..10)));
        assert_eq!(log.feed.bitfield().blocks_end(), 10);
    }
}

#[test]
fn a_feed_longer_than_allowed_is_refused() {
    let files = ten(26);
    let limited = |max_length| OpenOptions {
        max_length,
        ..seeded(26)
    };
    let expected = Error::BeyondLimit { max: 9 };
    assert_eq!(refused(&files, limited(9)), expected);
    assert_eq!(Log::open(files, limited(10)).unwrap().length(), 10);
}

#[test]
fn files_that_seem_huge_cost_what_is_in_them() {
    let options = OpenOptions {
        max_length: 1 << 22,
        ..seeded(27)
    };
    for file in File::ALL {
        let files = ten(27);
        files.file(file).write(1 << 45, &[b"x"]).unwrap();
        let log = Log::open(files.clone(), options.clone()).unwrap();
        assert_eq!(log.length(), 10, "{file}");
        for block in 0..10 {
            assert_eq!(log.get(block).unwrap(), made_up(27, block));
        }
        assert!(files.file(file).allocated() <= 4 * 4096);
    }
}

#[test]
fn a_size_in_the_tree_beyond_what_was_signed_is_an_error_and_costs_nothing() {
    // The third byte of the size of block 4: 2^40 bytes more. A hole can make the data seem to have them.
    for seeming in [None, Some(1 << 45)] {
        let files = ten(28);
        let size = 32 + 40 * 8 + 32;
        files.file(File::Tree).write(size + 2, &[&[1]]).unwrap();
        if let Some(end) = seeming {
            files.file(File::Data).write(end, &[b"x"]).unwrap();
        }
        let log = Log::reader_of(files.clone());
        assert_eq!(log.get(4), Err(corrupt(File::Tree, Damage::Size)));
        // Behind it nothing can be found, before it everything.
        assert_eq!(log.get(5), Err(corrupt(File::Tree, Damage::Size)));
        assert_eq!(log.get(3).unwrap(), made_up(28, 3));
    }
}

#[test]
fn secrets_are_not_shown() {
    let options = OpenOptions {
        secret_key: Some(KeyPair::from_seed([0xab; 32]).secret().clone()),
        ..seeded(0xab)
    };
    let shown = format!("{options:?} {:?}", Opening::new(options.clone()));
    assert!(!shown.contains("171") && !shown.to_lowercase().contains("abab"));
}

#[test]
fn blocks_are_not_shown() {
    let author = Log::author(29, 3);
    let secret = || Bytes::from_static(b"a secret");
    let plan = author.feed.plan_append(vec![secret()]).unwrap();
    let mut shown = format!("{plan:?}");
    let commit = plan.sign(&author.feed).unwrap();
    shown += &format!("{commit:?}");
    let mut author = author;
    author.commit(commit);
    let (reader, _) = Log::reader(author.feed.key());
    let plan = reader.feed.plan_put(author.prove(3, false), Some(secret()));
    shown += &format!("{:?}", plan.unwrap());
    let check = reader
        .check(author.prove(3, false), Some(secret()))
        .unwrap();
    shown += &format!("{check:?}");
    let put = reader
        .accept(author.prove(3, false), Some(secret()))
        .unwrap();
    shown += &format!("{put:?}");
    assert!(!shown.contains("secret\""), "{shown}");
    assert_eq!(shown.matches("len: Some(8)").count(), 3);
}
