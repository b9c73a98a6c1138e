//! Signatures and hashes that can be asked for, and static feeds, which have none.

use async_std::task;
use hypercore::{Dialect, Error, FeedError, Hypercore, Signature, Storage};

use crate::pair::{assert_same, connect, reader_of, writer};

#[test]
fn a_signature_covers_the_blocks_up_to_where_it_was_made() {
    for dialect in [Dialect::V8, Dialect::V9] {
        task::block_on(async {
            let feed = Hypercore::builder(Storage::memory())
                .dialect(dialect)
                .open()
                .await
                .unwrap();
            feed.append_batch(["a", "b", "c"]).await.unwrap();
            feed.append("d").await.unwrap();
            let first = feed.signature(0).unwrap();
            assert_eq!(first.block, 2);
            assert_eq!(feed.signature(2).unwrap(), first);
            let last = feed.signature(3).unwrap();
            assert_eq!(last.block, 3);
            assert!(feed.verify(2, &first.signature).unwrap());
            assert!(feed.verify(3, &last.signature).unwrap());
            // Another length, and no signature at all.
            assert!(!feed.verify(3, &first.signature).unwrap());
            assert!(!feed.verify(2, &Signature::new([1; 64])).unwrap());
            for error in [
                feed.signature(4).unwrap_err(),
                feed.verify(4, &first.signature).unwrap_err(),
            ] {
                assert!(
                    matches!(error, Error::Feed(FeedError::OutOfRange { block: 4, .. })),
                    "{error:?}"
                );
            }
        });
    }
}

#[test]
fn feeds_of_one_key_with_other_blocks_have_other_roots_and_signatures() {
    task::block_on(async {
        let pair = hypercore::KeyPair::from_seed([8; 32]);
        let mut feeds = Vec::new();
        for text in ["one", "two"] {
            let builder = Hypercore::builder(Storage::memory()).secret_key(pair.secret().clone());
            let feed = builder.open().await.unwrap();
            feed.append(text).await.unwrap();
            feeds.push(feed);
        }
        let roots = feeds.iter().map(|feed| feed.root_hashes(0).unwrap());
        let roots: Vec<_> = roots.collect();
        assert_eq!((roots[0].len(), roots[1].len()), (1, 1));
        assert_ne!(roots[0][0].hash, roots[1][0].hash);
        let signature = feeds[0].signature(0).unwrap().signature;
        assert!(feeds[0].verify(0, &signature).unwrap());
        assert!(!feeds[1].verify(0, &signature).unwrap());
    });
}

#[test]
fn roots_and_sizes_of_every_length_can_be_asked_for() {
    task::block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        feed.append_batch(["a", "bb", "ccc"]).await.unwrap();
        let roots = feed.root_hashes(2).unwrap();
        let placed: Vec<_> = roots
            .iter()
            .map(|node| (node.index.get(), node.size))
            .collect();
        assert_eq!(placed, [(1, 3), (4, 3)]);
        assert_eq!(feed.root_hashes(0).unwrap().len(), 1);
        assert_eq!(feed.block_info(1).unwrap().size, 2);
        assert_eq!(feed.block_info(1).unwrap().index.get(), 2);
        assert!(feed.block_info(3).is_err() && feed.root_hashes(3).is_err());
    });
}

#[test]
fn on_a_copy_with_gaps_what_cannot_be_decided_is_an_error() {
    task::block_on(async {
        let writer = writer(16, Dialect::V8).await;
        let reader = reader_of(&writer).await;
        let proof = writer.proof(12).await.unwrap();
        reader
            .put(proof, Some(writer.get(12).await.unwrap()))
            .await
            .unwrap();
        let signature = writer.signature(4).unwrap().signature;
        let undecided = reader.verify(4, &signature).unwrap_err();
        assert!(
            matches!(undecided, Error::Feed(FeedError::MissingRoots { .. })),
            "{undecided:?}"
        );
        assert!(reader.block_info(12).is_ok());
        assert!(matches!(
            reader.block_info(2),
            Err(Error::Feed(FeedError::NoProof { block: 2 }))
        ));
    });
}

#[test]
fn a_static_feed_is_copied_once_it_is_finalized_and_grows_no_more() {
    task::block_on(async {
        let feed = Hypercore::builder(Storage::memory())
            .static_feed(true)
            .open()
            .await
            .unwrap();
        assert!(feed.is_writable());
        feed.append_batch(["a", "b", "c"]).await.unwrap();
        feed.append("d").await.unwrap();
        let (end, _other) = crate::duplex::duplex(64);
        let early = feed.replicate(hypercore::Role::Initiator, end).await;
        assert!(
            matches!(early, Err(Error::Feed(FeedError::Unfinished))),
            "{early:?}"
        );

        let key = feed.finalize().await.unwrap();
        assert_eq!(feed.key(), key);
        assert!(!feed.is_writable());
        assert!(matches!(
            feed.append("e").await,
            Err(Error::Feed(FeedError::Finalized))
        ));
        assert!(matches!(
            feed.finalize().await,
            Err(Error::Feed(FeedError::Finalized))
        ));
        assert!(matches!(
            feed.signature(0),
            Err(Error::Feed(FeedError::NoSignatures))
        ));

        let reader = Hypercore::builder(Storage::memory())
            .key(key)
            .open()
            .await
            .unwrap();
        let (left, right) = connect(&reader, &feed, false);
        assert!(left.await.unwrap().finished && right.await.unwrap().finished);
        assert_same(&feed, &reader).await;
    });
}

#[test]
fn a_static_feed_on_disk_goes_on_where_it_was() {
    task::block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let open = || Hypercore::builder(folder.path()).static_feed(true).open();
        let feed = open().await.unwrap();
        feed.append("a").await.unwrap();
        feed.close().await.unwrap();
        let feed = open().await.unwrap();
        feed.append("b").await.unwrap();
        let key = feed.finalize().await.unwrap();
        feed.close().await.unwrap();
        let feed = Hypercore::open(folder.path()).await.unwrap();
        assert_eq!((feed.key(), feed.len()), (key, 2));
        assert!(!feed.is_writable());
        assert_eq!(feed.get_range(0..2).await.unwrap(), ["a", "b"]);
    });
}
