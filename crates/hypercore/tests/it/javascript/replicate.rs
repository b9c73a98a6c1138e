//! `replicate.js`, of two copies that want everything: what arrives, and when a connection ends.

use std::{
    future::IntoFuture,
    iter::repeat_n,
    sync::{Arc, Mutex},
    time::Duration,
};

use hypercore::{
    Connection, Dialect, DialectChoice, DownloadRequest, Error, Event, Hypercore, PeerError,
    PublicKey, Replicate, ReplicationError, Role, Source,
};
use wire::{Have, Message};

use crate::{
    duplex::{Duplex, duplex},
    pair::assert_same,
    raw::Raw,
    stage::{heard, play, play_once},
};

pub(super) const LETTERS: [&str; 5] = ["a", "b", "c", "d", "e"];

#[test]
fn replicate() {
    play(|stage| async move {
        let feed = stage.feed(&LETTERS).await;
        let clone = stage.copy(&feed).await;
        let gets = [0, 1, 2, 3, 4].map(|block| stage.spawn(clone.get(block).into_future()));
        stage.live(&feed, &clone);
        for (get, letter) in gets.into_iter().zip(LETTERS) {
            assert_eq!(get.done().await.unwrap(), letter);
        }
    });
}

#[test]
fn replicate_live() {
    play(|stage| async move {
        let feed = stage.feed(&[]).await;
        let clone = stage.copy(&feed).await;
        stage.live(&feed, &clone);
        let gets = [0, 1, 2].map(|block| stage.spawn(clone.get(block).into_future()));
        for letter in ["a", "b", "c"] {
            feed.append(letter).await.unwrap();
        }
        for (get, letter) in gets.into_iter().zip(LETTERS) {
            assert_eq!(get.done().await.unwrap(), letter);
        }
    });
}

#[test]
fn download_while_get() {
    play(|stage| async move {
        let feed = stage.feed(&LETTERS).await;
        let clone = stage.copy(&feed).await;
        // There is no sixth block, so it is never done.
        let download = stage.spawn(clone.download(0..6).into_future());
        let gets = [0, 1, 2, 3, 4].map(|block| stage.spawn(clone.get(block).into_future()));
        stage.live(&feed, &clone);
        for (get, letter) in gets.into_iter().zip(LETTERS) {
            assert_eq!(get.done().await.unwrap(), letter);
        }
        stage.quiet().await;
        assert!(!download.is_done());
    });
}

#[test]
fn non_live_two_way() {
    play(|stage| async move {
        let feed = stage.feed(&LETTERS).await;
        let (first, second) = (stage.copy(&feed).await, stage.copy(&feed).await);
        stage.exchange(&first, &feed).await;
        assert_same(&feed, &first).await;
        // What is a copy itself can be copied, without the author.
        stage.exchange(&first, &second).await;
        assert_same(&feed, &second).await;
    });
}

#[test]
fn extra_data_factor_of_two() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c", "d", "e", "f", "g", "h"]).await;
        let clone = stage.copy(&feed).await;
        stage.live(&feed, &clone);
        assert_eq!(clone.get(1).await.unwrap(), "b");
    });
}

#[test]
fn non_sparse_live_replication() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c"]).await;
        let clone = stage.copy(&feed).await;
        stage.live(&feed, &clone);
        clone.get_range(0..3).await.unwrap();
        let mut events = clone.events();
        feed.append("d").await.unwrap();
        // Nobody asks for it.
        stage.quiet().await;
        let events = heard(&mut events).await;
        let came = |event: &Event| matches!(event, Event::Download { block: 3, .. });
        assert_eq!(events.iter().filter(|event| came(event)).count(), 1);
    });
}

#[test]
fn replicate_with_onwrite() {
    play(|stage| async move {
        let feed = stage.feed(&LETTERS).await;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let hook = {
            let seen = Arc::clone(&seen);
            move |block, bytes, source| {
                seen.lock().unwrap().push((block, bytes, source));
                async { Ok(()) }
            }
        };
        let clone = stage.builder().key(feed.key()).on_write(hook);
        let clone = clone.open().await.unwrap();
        stage.exchange(&feed, &clone).await;
        let mut seen = std::mem::take(&mut *seen.lock().unwrap());
        seen.sort_by_key(|(block, ..)| *block);
        assert_eq!(seen.len(), 5);
        let author = Some(feed.noise_public_key());
        for (number, (block, bytes, source)) in seen.into_iter().enumerate() {
            assert_eq!(
                (block, &bytes[..]),
                (number as u64, LETTERS[number].as_bytes())
            );
            assert_eq!(
                source,
                Source::Peer {
                    remote_public_key: author
                }
            );
        }
    });
}

/// A million blocks, of which the one in the middle has the last thirty: whoever wants everything gets those at once, and isn't
/// kept by the rest.
#[test]
fn replicate_from_very_sparse() {
    play_once(testkit::seed(1), |stage| async move {
        let feed = stage.feed(&[]).await;
        while feed.len() < 1_000_000 {
            feed.append_batch(repeat_n("a", 100_000)).await.unwrap();
        }
        let middle = stage.sparse(&feed).await;
        stage.live(&feed, &middle);
        let last = feed.len() - 30..feed.len();
        middle
            .download(DownloadRequest::from(last.clone()))
            .await
            .unwrap();

        let reader = stage.copy(&feed).await;
        stage.live(&reader, &middle);
        stage.quiet().await;
        assert_eq!(reader.downloaded(..), 30);
        assert!(reader.has_range(last));
        assert!(reader.peers()[0].inflight().is_empty());
        // Nothing but what there was to fetch: thirty blocks, their hashes and what both have to say of a million.
        let taken = reader.peers()[0].connection().bytes_received();
        assert!(taken < 20_000, "{taken} bytes");
    });
}

#[test]
fn destroy_replication_stream_before_handshake() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c"]).await;
        let (left, _right) = stage.cable();
        drop(feed.replicate(Role::Initiator, left).into_future());
        let (left, right) = stage.cable();
        let end = stage.spawn(feed.replicate(Role::Initiator, left).into_future());
        stage.quiet().await;
        assert_eq!(feed.peers().len(), 1);
        drop(right);
        assert!(end.done().await.is_err());
        assert!(feed.peers().is_empty());
        let before = stage.now();
        let nobody = feed.get(3).if_available().await;
        assert!(matches!(nobody, Err(Error::NotAvailable { block: 3 })));
        assert_eq!(stage.now(), before);
    });
}

/// Whoever claims a block and never delivers it is left, and not before its time is up. JavaScript asks on the author's feed, while
/// ours fetches nothing where it is written.
#[test]
fn request_timeouts() {
    play(|stage| async move {
        let timeout = Duration::from_secs(7);
        let key = stage.feed(&[]).await.key();
        let builder = stage.builder().key(key).dialect(Dialect::V8);
        let builder = builder.request_timeout(Some(timeout));
        let clone = builder.open().await.unwrap();
        let get = stage.spawn(clone.get(0).into_future());
        let (left, right) = duplex(4096);
        let end = stage.spawn(clone.replicate(Role::Initiator, left).into_future());
        let peer = stage.spawn(claims_and_stalls(right, key));
        let begun = stage.now();
        let error = end.done().await;
        let Err(Error::Peer(PeerError::Replication(ReplicationError::RequestTimeout { block: 0 }))) =
            error
        else {
            panic!("{error:?}");
        };
        assert!((timeout..timeout * 2).contains(&(stage.now() - begun)));
        assert_eq!(peer.done().await, [0]);
        assert!(!get.is_done(), "somebody else may have it");
    });
}

/// A peer that says it has block 0 and answers no request. Tells what it was asked for, until it is left.
async fn claims_and_stalls(socket: Duplex, key: PublicKey) -> Vec<u64> {
    let mut peer = Raw::meet(Role::Responder, socket).await;
    peer.open(0, &key).await;
    let mut asked = Vec::new();
    while let Some((_, message)) = peer.next().await {
        match message {
            Message::Want(_) => {
                let have = Have {
                    start: 0,
                    length: Some(1),
                    bitfield: None,
                    ack: None,
                };
                peer.send(0, &Message::Have(have)).await;
            }
            Message::Request(request) => asked.push(request.index),
            _ => {}
        }
    }
    asked
}

#[test]
fn regression_replicate_without_timeout() {
    play(|stage| async move {
        let feed = stage.feed(&LETTERS).await;
        let clone = stage.copy(&feed).await;
        let gets = [0, 1, 2, 3, 4].map(|block| stage.spawn(clone.get(block).into_future()));
        let forever = |end: Replicate<_>| end.live(true).timeout(None);
        let ends = stage.connect(&feed, &clone, forever, forever);
        for (get, letter) in gets.into_iter().zip(LETTERS) {
            assert_eq!(get.done().await.unwrap(), letter);
        }
        stage.pass(Duration::from_secs(3600)).await;
        assert!(!ends[0].is_done() && !ends[1].is_done());
    });
}

#[test]
fn replicate_and_close_through_stream() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c"]).await;
        let clone = stage.copy(&feed).await;
        let (left, right) = stage.cable();
        let end = |role, feed: &Hypercore| {
            let spoken = DialectChoice::Fixed(feed.dialect());
            let connection = Connection::new(role).live(true).dialect(spoken);
            connection.add(feed).unwrap();
            connection
        };
        let a = end(Role::Initiator, &feed);
        let b = end(Role::Responder, &clone);
        let handle = a.handle();
        let ends = [stage.spawn(a.run(left)), stage.spawn(b.run(right))];
        stage.quiet().await;
        assert!(feed.peers()[0].is_open() && clone.peers()[0].is_open());
        handle.close(feed.discovery_key()).unwrap();
        handle.hang_up();
        for end in ends {
            end.done().await.unwrap();
        }
        assert!(feed.peers().is_empty() && clone.peers().is_empty());
    });
}
