//! What a feed tells of itself, in which order, and what it keeps for itself.

use async_std::task;
use bytes::Bytes;
use futures_lite::StreamExt;
use futures_util::SinkExt;
use hypercore::{
    Dialect, DownloadRequest, Error, Event, FeedError, File, Hypercore, KeyPair, NoiseKeyPair,
    OpenContext, RandomAccess, Storage, StorageError,
};

use crate::{
    pair::{connect, reader_of, sparse_reader_of, writer},
    stage::play,
};

#[test]
fn the_noise_key_is_how_a_peer_is_known() {
    task::block_on(async {
        let pair = NoiseKeyPair::from_secret([3; 32]);
        let writer = Hypercore::builder(Storage::memory())
            .noise_key_pair(pair.clone())
            .open()
            .await
            .unwrap();
        writer.append("a").await.unwrap();
        let reader = reader_of(&writer).await;
        let mut events = reader.events();
        let (left, right) = connect(&reader, &writer, false);
        assert_eq!(left.await.unwrap().remote_public_key, Some(pair.public()));
        let stranger = right.await.unwrap().remote_public_key;
        assert!(stranger.is_some_and(|key| key != pair.public()));
        let added = events.find(|event| matches!(event, Event::PeerOpen { .. }));
        let Some(Event::PeerOpen {
            remote_public_key, ..
        }) = added.await
        else {
            panic!("nobody came");
        };
        assert_eq!(remote_public_key, Some(pair.public()));
    });
}

#[test]
fn a_feed_tells_of_which_kind_it_is() {
    task::block_on(async {
        let noise = NoiseKeyPair::from_secret([3; 32]);
        let builder = Hypercore::builder(Storage::memory()).noise_key_pair(noise.clone());
        let signed = builder.dialect(Dialect::V9).open().await.unwrap();
        assert!(!signed.is_static());
        assert_eq!(signed.dialect(), Dialect::V9);
        assert_eq!(signed.noise_public_key(), noise.public());

        let builder = Hypercore::builder(Storage::memory()).static_feed(true);
        let feed = builder.open().await.unwrap();
        assert!(feed.is_static());
        feed.finalize().await.unwrap();
        assert!(feed.is_static());
        // Each feed that is opened is another peer.
        assert_ne!(feed.noise_public_key(), signed.noise_public_key());
    });
}

#[test]
fn what_is_not_answered_from_the_beginning_is_not_fetched() {
    play(|stage| async move {
        let writer = stage.builder().uploading(false).open().await.unwrap();
        writer.append("a").await.unwrap();
        let reader = stage.copy(&writer).await;
        stage.live(&reader, &writer);
        let get = stage.spawn(reader.get(0).into_future());
        stage.quiet().await;
        assert!(!get.is_done());
        writer.set_uploading(true);
        assert_eq!(get.done().await.unwrap(), "a");
    });
}

#[test]
fn a_provider_that_fails_is_the_error_of_opening() {
    task::block_on(async {
        let provider = |_: File, _: &OpenContext| -> Result<Box<dyn RandomAccess>, StorageError> {
            Err(StorageError::Locked)
        };
        let failed = Hypercore::open(Storage::custom(provider)).await;
        assert!(matches!(failed, Err(Error::Disk(StorageError::Locked))));
    });
}

#[test]
fn the_length_is_what_is_proved_and_the_remote_length_what_is_claimed() {
    task::block_on(async {
        let writer = writer(9, Dialect::V8).await;
        let reader = sparse_reader_of(&writer).await;
        assert_eq!((reader.len(), reader.remote_len()), (0, 0));
        let _connection = connect(&reader, &writer, true);
        while reader.remote_len() == 0 {
            task::yield_now().await;
        }
        assert_eq!((reader.len(), reader.remote_len()), (0, 9));
        assert_eq!(reader.peers()[0].remote_len(), Some(9));
        // The head is that of the feed as it is known here, until it is updated.
        assert!(matches!(reader.head().await, Err(Error::Empty)));
        assert_eq!(reader.update().await.unwrap(), 9);
        assert_eq!(reader.byte_len(), writer.byte_len());
        assert_eq!(reader.head().await.unwrap(), writer.head().await.unwrap());
        assert_eq!(reader.downloaded(..), 1);
    });
}

#[test]
fn what_an_event_tells_of_is_stored_already() {
    task::block_on(async {
        let writer = writer(12, Dialect::V8).await;
        let reader = reader_of(&writer).await;
        let mut events = reader.events();
        let listening = task::spawn({
            let reader = reader.clone();
            async move {
                let mut told = Vec::new();
                while let Some(event) = events.next().await {
                    match event {
                        Event::Append {
                            length,
                            byte_length,
                        } => {
                            assert!(reader.len() >= length && reader.byte_len() >= byte_length);
                            told.push("append");
                        }
                        Event::Download { block, len, .. } => {
                            assert_eq!(reader.get(block).wait(false).await.unwrap().len(), len);
                            told.push("download");
                        }
                        Event::Sync => {
                            assert!(reader.has_range(0..12));
                            told.push("sync");
                            break;
                        }
                        _ => {}
                    }
                }
                told.dedup();
                told
            }
        });
        let connection = connect(&reader, &writer, true);
        let told = listening.await;
        assert_eq!(told.first(), Some(&"append"));
        assert_eq!(told.last(), Some(&"sync"));
        assert!(told.contains(&"download"));
        drop(connection);
    });
}

#[test]
fn a_closed_feed_answers_everything_with_closed() {
    task::block_on(async {
        let feed = writer(4, Dialect::V8).await;
        let signature = feed.signature(3).unwrap().signature;
        let proof = feed.proof(1).await.unwrap();
        feed.close().await.unwrap();

        let closed = [
            feed.append("x").await.err(),
            feed.append_batch(["x", "y"]).await.err(),
            feed.flush().await.err(),
            feed.write().send("x").await.err(),
            feed.get(0).await.err(),
            feed.get_range(0..1).await.err(),
            feed.get_range(2..2).await.err(),
            feed.head().await.err(),
            feed.read(..).next().await.and_then(Result::err),
            feed.read(..).live(true).next().await.and_then(Result::err),
            feed.seek(0).await.err(),
            feed.update().await.err(),
            feed.update().min_length(1).await.err(),
            feed.download(0..1).await.err(),
            feed.download(DownloadRequest::blocks([])).await.err(),
            feed.clear(0..1).await.err(),
            feed.audit().await.err(),
            feed.deep_audit().await.err(),
            feed.signature(3).err(),
            feed.verify(3, &signature).err(),
            feed.root_hashes(0).err(),
            feed.block_info(0).err(),
            feed.proof(0).await.err(),
            feed.portable_proof(0).err(),
            feed.put(proof, Some(Bytes::from_static(b"x"))).await.err(),
            feed.finalize().await.err(),
            feed.disk_usage().err(),
        ];
        for (call, error) in closed.into_iter().enumerate() {
            assert!(matches!(error, Some(Error::Closed)), "{call}: {error:?}");
        }
        assert!(!feed.is_readable() && !feed.is_writable());
        // What is known of it can still be asked.
        assert_eq!((feed.len(), feed.has(0)), (4, true));
        assert_eq!(feed.events().next().await, None);
    });
}

#[test]
fn debugging_shows_neither_secrets_nor_blocks() {
    task::block_on(async {
        let pair = KeyPair::from_seed([5; 32]);
        let secret = pair.secret().to_bytes();
        let builder = Hypercore::builder(Storage::memory()).secret_key(pair.secret().clone());
        let mut shown = format!("{builder:?}");
        let feed = builder.open().await.unwrap();
        feed.append("private words").await.unwrap();
        let mut stream = feed.read(..).batch(2);
        stream.next().await.unwrap().unwrap();
        let mut sink = feed.write();
        sink.feed("private thoughts").await.unwrap();
        shown += &format!("{feed:?} {:?} {:?}", feed.get(0), feed.get_range(0..1));
        shown += &format!(
            "{stream:?} {sink:?} {:?} {:?}",
            feed.seek(1),
            feed.bytes(..)
        );
        shown += &format!("{:?} {:?}", feed.events(), feed.proof(0));
        assert!(!shown.contains("private"), "{shown}");
        let hex: String = secret[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let list = format!("{:?}", &secret[..8]);
        assert!(!shown.to_lowercase().contains(&hex), "{shown}");
        assert!(!shown.contains(list.trim_matches(['[', ']'])), "{shown}");
        assert!(shown.contains("len: 1"), "{shown}");
    });
}

#[test]
fn numbers_at_the_edges_are_answered_and_never_taken_for_not_given() {
    task::block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        feed.append_batch(["a", "b", "c"]).await.unwrap();
        let last = u64::MAX;
        assert!(!feed.has(last) && !feed.has_range(0..last));
        assert_eq!(feed.downloaded(0..0), 0);
        assert_eq!(feed.downloaded(..=last), 3);
        assert_eq!(feed.missing(1..last), vec![3..last; 1]);
        feed.clear(0..0).await.unwrap();
        assert!(feed.has_range(0..3));
        assert!(feed.get_range(0..0).await.unwrap().is_empty());
        assert!(matches!(
            feed.get(last).wait(false).await,
            Err(Error::NotLocal { block }) if block == last
        ));
        assert!(feed.get_range(0..last).wait(false).await.is_err());
        assert!(matches!(
            feed.signature(last),
            Err(Error::Feed(FeedError::OutOfRange { .. }))
        ));
        assert!(
            feed.verify(last, &hypercore::Signature::new([0; 64]))
                .is_err()
        );
        assert!(feed.block_info(last).is_err());
        assert!(feed.root_hashes(last).is_err());
        assert!(feed.proof(last).await.is_err());
        assert!(feed.portable_proof(last).is_err());
        assert!(feed.seek(last).wait(false).await.is_err());
        assert_eq!(feed.digest(last), 0);
        feed.clear(last - 1..last).await.unwrap();
        feed.clear(0..last).await.unwrap();
        assert_eq!((feed.len(), feed.downloaded(..)), (3, 0));
    });
}
