//! Thousands of feeds on one connection, and the limits that can be set.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_std::task;
use futures_lite::future::yield_now;
use hypercore::{
    AsyncStd, BoxFuture, Connection, ConnectionLimits, Error, FeedOptions, Hypercore, Role,
    Runtime, Storage,
};
use wire::Message;

use crate::{
    duplex::duplex,
    raw::{Raw, refusal},
    stage::play,
};

/// The system's clock, and how often it was asked.
#[derive(Debug, Default)]
struct Counted {
    inner: AsyncStd,
    asked: AtomicUsize,
}

impl Runtime for Counted {
    fn now(&self) -> Duration {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.inner.now()
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        self.inner.sleep(duration)
    }
    fn unblock(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        self.inner.unblock(call)
    }
}

/// So many feeds with a block each, and their copies.
async fn feeds(count: usize, runtime: &Arc<Counted>) -> Vec<(Hypercore, Hypercore)> {
    let mut feeds = Vec::new();
    for n in 0..count {
        let runtime = Arc::clone(runtime) as Arc<dyn Runtime>;
        let builder = Hypercore::builder(Storage::memory()).runtime(Arc::clone(&runtime));
        let feed = builder.open().await.unwrap();
        feed.append(n.to_string()).await.unwrap();
        let builder = Hypercore::builder(Storage::memory()).runtime(runtime);
        let copy = builder.key(feed.key()).open().await.unwrap();
        feeds.push((feed, copy));
    }
    feeds
}

fn ends(max: usize) -> [Connection; 2] {
    [Role::Initiator, Role::Responder].map(|role| Connection::new(role).max_feeds(max))
}

#[test]
fn two_thousand_feeds_are_exchanged_on_one_connection() {
    task::block_on(async {
        let feeds = feeds(2000, &Arc::default()).await;
        let [a, b] = ends(2000);
        // Half of them are written on either side, and some are added only when the remote asks.
        let (handle, mut late) = (b.handle(), Vec::new());
        for (n, (feed, copy)) in feeds.iter().enumerate() {
            let (left, right) = if n % 2 == 0 {
                (feed, copy)
            } else {
                (copy, feed)
            };
            a.add(left).unwrap();
            match n % 5 {
                0 => late.push(right.clone()),
                _ => handle.add(right).unwrap(),
            }
        }
        let b = b.on_discovery_key(move |name, handle| {
            let feed = late.iter().find(|feed| feed.discovery_key() == name);
            handle.add(feed.unwrap()).unwrap();
            yield_now()
        });
        let (left, right) = duplex(64 * 1024);
        let server = task::spawn(b.run(right));
        let session = a.run(left).await.unwrap();
        assert!(session.finished && server.await.unwrap().finished);
        for (n, (_, copy)) in feeds.iter().enumerate() {
            assert_eq!(copy.get(0).wait(false).await.unwrap(), n.to_string());
        }
    });
}

#[test]
fn a_block_on_one_feed_costs_the_same_however_many_are_silent() {
    let cost = |count: usize| {
        task::block_on(async {
            let runtime = Arc::new(Counted::default());
            let feeds = feeds(count, &runtime).await;
            let [a, b] = ends(count);
            for (feed, copy) in &feeds {
                a.add(feed).unwrap();
                b.add(copy).unwrap();
            }
            let (left, right) = duplex(64 * 1024);
            let (left, right) = (
                task::spawn(a.live(true).run(left)),
                task::spawn(b.live(true).run(right)),
            );
            for (_, copy) in &feeds {
                copy.get(0).await.unwrap();
            }
            // Every visit of a feed asks what time it is.
            let before = runtime.asked.load(Ordering::Relaxed);
            let (feed, copy) = &feeds[count / 2];
            for block in 1..=20 {
                feed.append("x").await.unwrap();
                copy.get(block).await.unwrap();
            }
            let cost = runtime.asked.load(Ordering::Relaxed) - before;
            for (feed, copy) in &feeds {
                feed.close().await.unwrap();
                copy.close().await.unwrap();
            }
            drop((left, right));
            cost
        })
    };
    let (few, many) = (cost(3), cost(300));
    assert!(many < 2 * few + 300, "{few} for 3 feeds, {many} for 300");
}

#[test]
fn no_more_feeds_can_be_added_than_allowed_until_one_makes_room() {
    task::block_on(async {
        let feeds = feeds(4, &Arc::default()).await;
        let [a, b] = ends(2);
        let ours = a.handle();
        // The other side has each when it is asked for.
        let all: Vec<_> = feeds.iter().map(|(feed, _)| feed.clone()).collect();
        let b = b.max_feeds(100).on_discovery_key(move |name, handle| {
            let feed = all.iter().find(|feed| feed.discovery_key() == name);
            handle.add(feed.unwrap()).unwrap();
            yield_now()
        });
        let (left, right) = duplex(64 * 1024);
        let connections = [
            task::spawn(a.live(true).run(left)),
            task::spawn(b.live(true).run(right)),
        ];
        for (_, copy) in &feeds {
            let added = ours.add(copy);
            match ours.feed_count() {
                _ if added.is_ok() => copy.get(0).await.map(drop).unwrap(),
                _ => assert!(matches!(added, Err(Error::TooManyFeeds { max: 2 }))),
            }
        }
        // Again is not one more.
        ours.add(&feeds[0].1).unwrap();
        // A feed that the remote has still to close takes its place until then, and the next one waits for it.
        for n in 0..40 {
            ours.remove(&feeds[n % 4].1).unwrap();
            ours.add(&feeds[(n + 2) % 4].1).unwrap();
        }
        for (feed, _) in &feeds[..2] {
            feed.append("more").await.unwrap();
        }
        for (_, copy) in &feeds[..2] {
            assert_eq!(copy.get(1).await.unwrap(), "more");
        }
        assert!(feeds[2].1.peers().is_empty() && feeds[3].1.peers().is_empty());
        ours.hang_up();
        for connection in connections {
            connection.await.unwrap();
        }
    });
}

#[test]
fn a_feed_that_waits_for_room_is_let_go_when_it_is_closed_or_removed() {
    play(|stage| async move {
        let feeds = [
            stage.writer(1).await,
            stage.writer(1).await,
            stage.writer(1).await,
        ];
        let (left, right) = duplex(64 * 1024);
        let connection = Connection::new(Role::Responder)
            .live(true)
            .max_feeds(1)
            .runtime(stage.runtime());
        let handle = connection.handle();
        let connection = stage.spawn(connection.run(right));
        let mut remote = Raw::meet(Role::Initiator, left).await;
        // The remote opens a feed and never closes it.
        handle.add(&feeds[0]).unwrap();
        remote.open(1, &feeds[0].key()).await;
        stage.quiet().await;
        assert!(feeds[0].peers().iter().any(hypercore::Peer::is_open));
        handle.remove(&feeds[0]).unwrap();
        for n in [1, 2] {
            // It takes a moment until it shows that a feed was closed.
            stage.quiet().await;
            handle.add(&feeds[n]).unwrap();
            remote.open(1 + n as u64, &feeds[n].key()).await;
            stage.quiet().await;
            match n {
                1 => feeds[n].close().await.unwrap(),
                _ => handle.remove(&feeds[n]).unwrap(),
            }
        }
        let mut refused = Vec::new();
        while refused.len() < 2 {
            if let (_, Message::Close(close)) = remote.next().await.unwrap() {
                refused.extend(close.discovery_key);
            }
        }
        assert_eq!(
            refused,
            [1, 2].map(|n: usize| feeds[n].discovery_key().to_bytes())
        );
        handle.hang_up();
        drop(remote);
        let _ = connection.done().await;
    });
}

#[test]
fn unknown_feeds_beyond_the_limit_are_refused_and_those_that_are_shared_go_on() {
    task::block_on(async {
        let feeds = feeds(6, &Arc::default()).await;
        let mut limits = ConnectionLimits::default();
        limits.unknown_feeds = 2;
        let (left, right) = duplex(64 * 1024);
        let connection = Connection::new(Role::Responder).live(true).limits(limits);
        connection
            .add_with(&feeds[0].0, FeedOptions::default())
            .unwrap();
        let handle = connection.handle();
        let connection = task::spawn(connection.run(right));
        let mut remote = Raw::meet(Role::Initiator, left).await;
        for (n, (feed, _)) in feeds.iter().enumerate().rev() {
            remote.open(1 + n as u64, &feed.key()).await;
        }
        let mut refused = Vec::new();
        while refused.len() < 3 {
            let (_, message) = remote.next().await.unwrap();
            match message {
                Message::Close(_) => refused.push(message),
                message => assert!(!matches!(message, Message::Data(_))),
            }
        }
        // The first two wait for somebody to add them.
        assert_eq!(
            refused,
            [3, 2, 1].map(|n: usize| refusal(feeds[n].0.discovery_key()))
        );
        while !feeds[0].0.peers().iter().any(hypercore::Peer::is_open) {
            yield_now().await;
        }
        handle.hang_up();
        drop(remote);
        let _ = connection.await;
    });
}

#[test]
fn a_connection_ends_when_the_numbers_for_feeds_are_used_up() {
    task::block_on(async {
        let feeds = feeds(2, &Arc::default()).await;
        let mut limits = ConnectionLimits::default();
        // As high as there are feeds, so that the two are not taken for one another.
        limits.feeds = 3;
        limits.messages.max_channel = 3;
        let (left, _right) = duplex(64 * 1024);
        let connection = Connection::new(Role::Responder).live(true).limits(limits);
        let handle = connection.handle();
        for n in 0..4 {
            handle.add(&feeds[n % 2].0).unwrap();
            handle.remove(&feeds[n % 2].0).unwrap();
        }
        let error = connection.run(left).await.unwrap_err();
        assert_eq!(error.to_string(), "more than 3 channels");
    });
}
