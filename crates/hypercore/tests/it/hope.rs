//! How long it counts as possible that a remote has a feed which it hasn't opened.

use std::time::Duration;

use hypercore::{Connection, Dialect, DialectChoice, Error, Role};

use crate::{duplex::duplex, raw::Raw, stage::play};

#[test]
fn who_asks_right_after_a_feed_was_added_counts_on_the_remote() {
    play(|stage| async move {
        let writer = stage.feed(&["a", "b", "c"]).await;
        let reader = stage.sparse(&writer).await;
        let spoken = DialectChoice::Fixed(stage.dialect);
        let ends = [Role::Initiator, Role::Responder]
            .map(|role| Connection::new(role).dialect(spoken).live(true));
        ends[1].add(&writer).unwrap();
        ends[0].add(&reader).unwrap();
        // Nobody has said a word yet.
        let asked = [
            stage.spawn(available(&reader, 1)),
            stage.spawn(available(&reader, 2)),
        ];
        let beyond = stage.spawn(available(&reader, 3));
        let update = stage.spawn(reader.update().if_available().into_future());
        let seek = stage.spawn(reader.seek(1).if_available().into_future());
        stage.quiet().await;
        assert!(!asked.iter().any(|get| get.is_done()) && !update.is_done());
        let (left, right) = stage.cable();
        let [a, b] = ends;
        let _ends = [stage.spawn(a.run(left)), stage.spawn(b.run(right))];
        for get in asked {
            get.done().await.unwrap();
        }
        assert_eq!(update.done().await.unwrap(), 3);
        assert_eq!(seek.done().await.unwrap(), (1, 0));
        let none = beyond.done().await;
        assert!(
            matches!(none, Err(Error::NotAvailable { block: 3 })),
            "{none:?}"
        );
    });
}

/// A get that gives up if nobody can have the block.
fn available(
    feed: &hypercore::Hypercore,
    block: u64,
) -> impl Future<Output = hypercore::Result<bytes::Bytes>> + use<> {
    feed.get(block).if_available().into_future()
}

#[test]
fn a_connection_that_never_runs_is_counted_on_until_it_is_dropped() {
    play(|stage| async move {
        let writer = stage.feed(&["a"]).await;
        let reader = stage.sparse(&writer).await;
        let (socket, _other) = stage.cable();
        let never = reader.replicate(Role::Initiator, socket).into_future();
        let get = stage.spawn(available(&reader, 0));
        stage.quiet().await;
        assert!(!get.is_done());
        drop(never);
        let none = get.done().await;
        assert!(
            matches!(none, Err(Error::NotAvailable { block: 0 })),
            "{none:?}"
        );
    });
}

#[test]
fn nobody_hopes_longer_than_twenty_seconds_for_a_remote_that_leaves_a_feed_unopened() {
    play(|stage| async move {
        let writer = stage.feed(&["a"]).await;
        let reader = stage.sparse(&writer).await;
        let (left, right) = duplex(1 << 16);
        let connection = reader.replicate(Role::Responder, right).live(true);
        let connection = connection.dialect(DialectChoice::Fixed(Dialect::V8));
        let connection = stage.spawn(connection.timeout(None).into_future());
        let mut remote = Raw::meet(Role::Initiator, left).await;
        let begin = stage.now();
        let get = stage.spawn(available(&reader, 0));
        let update = stage.spawn(reader.update().if_available().into_future());
        let seek = stage.spawn(reader.seek(1).if_available().into_future());
        stage.pass(Duration::from_millis(19_900)).await;
        assert!(!get.is_done() && !update.is_done() && !seek.is_done());
        let none = get.done().await;
        assert!(
            matches!(none, Err(Error::NotAvailable { block: 0 })),
            "{none:?}"
        );
        assert!(matches!(update.done().await, Err(Error::NoUpdate)));
        assert!(matches!(
            seek.done().await,
            Err(Error::ByteNotLocal { byte: 1 })
        ));
        let waited = stage.now() - begin;
        assert!(waited < Duration::from_millis(20_100), "{waited:?}");
        // The connection is none the worse for that, nor is the feed on it.
        assert!(!connection.is_done());
        remote.open(1, &writer.key()).await;
        stage.quiet().await;
        assert!(reader.peers().iter().all(hypercore::Peer::is_open));
    });
}
