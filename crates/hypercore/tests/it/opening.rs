//! The ways in which a feed can be opened, and those in which it can't.

use std::{
    io,
    sync::{Arc, Mutex},
};

use futures_lite::future::block_on;
use hypercore::{
    Dialect, Directory, Error, FeedError, File, Hypercore, KeyPair, MemoryFiles, OpenContext,
    PublicKey, RandomAccess, Storage, StorageError,
};

fn at(files: &MemoryFiles) -> Storage {
    Storage::custom(files.clone())
}

fn pair(seed: u8) -> KeyPair {
    KeyPair::from_seed([seed; 32])
}

#[test]
fn nothing_is_made_where_nothing_may_be_created() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("feed");
        for builder in [
            Hypercore::builder(&dir),
            Hypercore::builder(&dir).key(pair(1).public()),
            Hypercore::builder(&dir).read_only(true),
        ] {
            let missing = builder.create_if_missing(false).open().await;
            assert!(
                matches!(missing, Err(Error::Feed(FeedError::NotFound))),
                "{missing:?}"
            );
        }
        assert!(!dir.exists());
    });
}

#[test]
fn a_secret_key_brings_its_public_key_and_must_fit_a_given_one() {
    block_on(async {
        let files = MemoryFiles::default();
        let builder = Hypercore::builder(at(&files)).secret_key(pair(1).secret().clone());
        let feed = builder.open().await.unwrap();
        assert_eq!(feed.key(), pair(1).public());
        feed.append("a").await.unwrap();
        drop(feed);
        // It was stored.
        assert!(Hypercore::open(at(&files)).await.unwrap().is_writable());

        let mismatch = Hypercore::builder(Storage::memory())
            .key(pair(2).public())
            .secret_key(pair(1).secret().clone())
            .open()
            .await;
        assert!(
            matches!(mismatch, Err(Error::Feed(FeedError::KeyPairMismatch))),
            "{mismatch:?}"
        );
    });
}

#[test]
fn a_secret_key_that_is_not_stored_is_gone_the_next_time() {
    block_on(async {
        let files = MemoryFiles::default();
        let feed = Hypercore::builder(at(&files))
            .store_secret_key(false)
            .open()
            .await
            .unwrap();
        assert!(feed.is_writable());
        feed.append("a").await.unwrap();
        drop(feed);
        let feed = Hypercore::open(at(&files)).await.unwrap();
        assert!(!feed.is_writable());
        assert!(matches!(
            feed.append("b").await,
            Err(Error::Feed(FeedError::NotWritable))
        ));
        drop(feed);
        let refused = Hypercore::builder(at(&files)).writable(true).open().await;
        assert!(
            matches!(refused, Err(Error::Feed(FeedError::NotWritable))),
            "{refused:?}"
        );
    });
}

#[test]
fn another_feed_is_left_alone_unless_forced() {
    block_on(async {
        let files = MemoryFiles::default();
        let feed = Hypercore::open(at(&files)).await.unwrap();
        feed.append("a").await.unwrap();
        let stored = feed.key();
        drop(feed);
        let other = || Hypercore::builder(at(&files)).key(pair(3).public());
        match other().open().await {
            Err(Error::Feed(FeedError::KeyMismatch {
                stored: found,
                given,
            })) => {
                assert_eq!((found, given), (stored, pair(3).public()));
            }
            result => panic!("{result:?}"),
        }
        let feed = other().force(true).open().await.unwrap();
        assert_eq!((feed.key(), feed.len()), (pair(3).public(), 0));
        assert!(!feed.is_writable());
    });
}

#[test]
fn overwriting_truncates_all_and_makes_a_new_key() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let feed = Hypercore::open(folder.path()).await.unwrap();
        feed.append_batch(["a", "b", "c"]).await.unwrap();
        let key = feed.key();
        feed.close().await.unwrap();
        let feed = Hypercore::builder(folder.path())
            .overwrite(true)
            .open()
            .await
            .unwrap();
        assert_ne!(feed.key(), key);
        assert!(feed.is_empty() && feed.is_writable());
        for (name, len) in [
            ("tree", 32),
            ("signatures", 32),
            ("bitfield", 32),
            ("data", 0),
        ] {
            let path = folder.path().join(name);
            assert_eq!(path.metadata().map_or(0, |file| file.len()), len, "{name}");
        }
        feed.append("x").await.unwrap();
        assert_eq!(feed.get(0).await.unwrap(), "x");
    });
}

#[test]
fn a_lost_key_is_an_error_and_never_a_new_feed() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let feed = Hypercore::open(folder.path()).await.unwrap();
        feed.append("a").await.unwrap();
        feed.close().await.unwrap();
        std::fs::remove_file(folder.path().join("key")).unwrap();
        let refused = Hypercore::open(folder.path()).await;
        assert!(
            matches!(refused, Err(Error::Feed(FeedError::KeyFileMissing))),
            "{refused:?}"
        );
        std::fs::write(folder.path().join("key"), [7; 31]).unwrap();
        let refused = Hypercore::open(folder.path()).await;
        assert!(
            matches!(&refused, Err(Error::Feed(error)) if error.is_damage()),
            "{refused:?}"
        );
        assert_eq!(std::fs::read(folder.path().join("data")).unwrap(), b"a");
    });
}

#[test]
fn a_second_handle_is_locked_out_until_the_first_is_closed() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let first = Hypercore::open(folder.path()).await.unwrap();
        let second = Hypercore::open(folder.path()).await;
        assert!(second.as_ref().is_err_and(Error::is_locked), "{second:?}");
        assert!(matches!(second, Err(Error::Disk(StorageError::Locked))));
        first.close().await.unwrap();
        Hypercore::open(folder.path()).await.unwrap();
    });
}

#[test]
fn the_files_are_asked_for_in_javascripts_order_with_the_key_once_it_is_known() {
    block_on(async {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, files) = (Arc::clone(&asked), MemoryFiles::default());
        let provider = move |file: File, context: &OpenContext| {
            seen.lock()
                .unwrap()
                .push((file, context.key, context.discovery_key));
            Ok(Box::new(files.file(file)) as Box<dyn RandomAccess>)
        };
        let feed = Hypercore::builder(Storage::custom(provider))
            .open()
            .await
            .unwrap();
        let asked = asked.lock().unwrap();
        let order: Vec<File> = asked.iter().map(|(file, ..)| *file).collect();
        let expected = [
            File::Key,
            File::SecretKey,
            File::Tree,
            File::Data,
            File::Bitfield,
            File::Signatures,
        ];
        assert_eq!(order, expected);
        assert_eq!(asked[0].1, None);
        for (_, key, discovery_key) in &asked[1..] {
            assert_eq!(*key, Some(feed.key().to_bytes()));
            assert_eq!(*discovery_key, Some(feed.discovery_key().to_bytes()));
        }
    });
}

#[test]
fn a_file_may_be_kept_elsewhere() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("keys/secret");
        let place = || {
            let feed = Directory::new(folder.path().join("feed"));
            Storage::custom(feed.place(File::SecretKey, &elsewhere))
        };
        let feed = Hypercore::open(place()).await.unwrap();
        feed.append("a").await.unwrap();
        feed.close().await.unwrap();
        assert_eq!(elsewhere.metadata().unwrap().len(), 64);
        assert!(!folder.path().join("feed/secret_key").exists());
        assert!(Hypercore::open(place()).await.unwrap().is_writable());
        assert!(
            !Hypercore::open(folder.path().join("feed"))
                .await
                .is_ok_and(|feed| feed.is_writable())
        );
    });
}

#[test]
fn a_feed_that_is_opened_to_be_read_is_not_written_to() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let feed = Hypercore::open(folder.path()).await.unwrap();
        feed.append_batch(["a", "b"]).await.unwrap();
        feed.close().await.unwrap();
        // A header that JavaScript doesn't look at and that would be mended otherwise.
        let tree = folder.path().join("tree");
        let mut bytes = std::fs::read(&tree).unwrap();
        bytes[0] = 0;
        std::fs::write(&tree, &bytes).unwrap();

        let feed = Hypercore::builder(folder.path())
            .read_only(true)
            .open()
            .await
            .unwrap();
        assert!(!feed.is_writable());
        assert_eq!(feed.get(1).await.unwrap(), "b");
        assert!(matches!(
            feed.append("c").await,
            Err(Error::Feed(FeedError::ReadOnly))
        ));
        assert!(matches!(
            feed.clear(0..1).await,
            Err(Error::Feed(FeedError::ReadOnly))
        ));
        feed.close().await.unwrap();
        assert_eq!(std::fs::read(&tree).unwrap(), bytes);
    });
}

#[test]
fn with_indexing_the_data_is_somebody_elses() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let open = || {
            let place = Directory::new(folder.path().join("feed")).place(File::Data, &data);
            Hypercore::builder(Storage::custom(place))
                .indexing(true)
                .open()
        };
        // Bytes without a key would be taken for what is left of a feed, so they come second.
        let feed = open().await.unwrap();
        std::fs::write(&data, "abcdef").unwrap();
        feed.append_batch(["ab", "cd", "ef"]).await.unwrap();
        assert_eq!(feed.get(1).await.unwrap(), "cd");
        feed.clear(0..1).await.unwrap();
        assert!(!feed.has(0));
        feed.close().await.unwrap();
        assert_eq!(std::fs::read(&data).unwrap(), b"abcdef");
        let feed = open().await.unwrap();
        assert_eq!(feed.get(2).await.unwrap(), "ef");
    });
}

#[test]
fn both_dialects_reopen_each_others_feeds() {
    block_on(async {
        let files = MemoryFiles::default();
        for (n, dialect) in [Dialect::V9, Dialect::V8, Dialect::V9]
            .into_iter()
            .enumerate()
        {
            let feed = Hypercore::builder(at(&files))
                .dialect(dialect)
                .open()
                .await
                .unwrap();
            assert_eq!(feed.len(), n as u64);
            feed.append("x").await.unwrap();
            let last = feed.signature(n as u64).unwrap();
            assert!(feed.verify(last.block, &last.signature).unwrap());
        }
    });
}

#[test]
fn a_key_of_another_length_is_none() {
    for bytes in [0, 31, 33] {
        assert!("ab".repeat(bytes).parse::<PublicKey>().is_err());
        assert!(PublicKey::try_from(&vec![0xab; bytes][..]).is_err());
    }
}

#[test]
fn a_secret_key_that_cannot_be_read_is_an_error() {
    block_on(async {
        let files = MemoryFiles::default();
        let feed = Hypercore::open(Storage::custom(files.clone()))
            .await
            .unwrap();
        feed.close().await.unwrap();
        let locked = move |file: File, _: &OpenContext| match file {
            File::SecretKey => Err(StorageError::io(
                "read",
                io::ErrorKind::PermissionDenied.into(),
            )),
            file => Ok(Box::new(files.file(file)) as Box<dyn RandomAccess>),
        };
        let error = Hypercore::open(Storage::custom(locked))
            .await
            .err()
            .unwrap();
        assert!(matches!(error, Error::Disk(_)), "{error}");
    });
}
