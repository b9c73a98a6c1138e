//! What a connection tells of itself, and how it is steered while it runs.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_std::task::{self, JoinHandle};
use futures_lite::{StreamExt, future::yield_now};
use hypercore::{
    Connection, ConnectionEvent, ConnectionHandle, Dialect, Error, Hypercore, NoiseKeyPair, Remote,
    Result, Role, Security, Session, Storage, Transport,
};

use crate::{
    duplex::duplex,
    ends::{ends, run},
    pair::{assert_same, reader_of, writer},
    raw::{Raw, refusal},
    stage::play,
};

const BOTH: [Role; 2] = [Role::Initiator, Role::Responder];

/// All events up to the end, in short.
async fn story(handle: &ConnectionHandle) -> JoinHandle<Vec<String>> {
    let mut events = handle.events();
    task::spawn(async move {
        let mut story = Vec::new();
        while let Some(event) = events.next().await {
            story.push(match event {
                ConnectionEvent::Handshake { dialect, .. } => format!("handshake {dialect:?}"),
                ConnectionEvent::DiscoveryKey { .. } => "unknown".into(),
                ConnectionEvent::RemoteOpen { .. } => "remote".into(),
                ConnectionEvent::Opened { .. } => "opened".into(),
                ConnectionEvent::ChannelClosed { .. } => "closed".into(),
                ConnectionEvent::Extensions { names } => names.join(" "),
                ConnectionEvent::Finishing => "finishing".into(),
                ConnectionEvent::Ended(Ok(session)) => format!("ended {}", session.finished),
                ConnectionEvent::Ended(Err(error)) => format!("ended: {error}"),
                event => panic!("{event:?}"),
            });
        }
        story
    })
}

#[test]
fn a_connection_tells_its_story() {
    task::block_on(async {
        let feed = writer(3, Dialect::V8).await;
        let copy = reader_of(&feed).await;
        let [a, b] = ends();
        let shared = feed.clone();
        let b = b.on_discovery_key(move |_, handle| {
            handle.add(&shared).unwrap();
            yield_now()
        });
        let stories = [story(&a.handle()).await, story(&b.handle()).await];
        a.add(&copy).unwrap();
        for end in run([a, b]) {
            end.await.unwrap();
        }
        let [a, b] = stories;
        assert_eq!(
            a.await,
            [
                "handshake V8",
                "remote",
                "opened",
                "closed",
                "finishing",
                "ended true"
            ]
        );
        assert_eq!(
            b.await,
            [
                "handshake V8",
                "remote",
                "unknown",
                "opened",
                "closed",
                "finishing",
                "ended true"
            ]
        );
    });
}

#[test]
fn whoever_is_too_slow_is_told_what_it_missed_and_hears_the_end() {
    task::block_on(async {
        let feed = writer(1, Dialect::V8).await;
        let (left, right) = duplex(16 * 1024);
        let connection = Connection::new(Role::Responder).live(true);
        let handle = connection.handle();
        let mut events = handle.events();
        let connection = task::spawn(connection.run(right));
        let mut remote = Raw::meet(Role::Initiator, left).await;
        // An unknown feed is opened and refused; three events each.
        for channel in 1..=500 {
            remote.open(channel, &feed.key()).await;
            while !handle.is_remote_opened(&feed.discovery_key()) {
                yield_now().await;
            }
            handle.close(feed.discovery_key()).unwrap();
            let refused = refusal(feed.discovery_key());
            assert_eq!(remote.next().await, Some((channel, refused)));
        }
        drop(remote);
        connection.await.unwrap();
        let first = events.next().await;
        let missed = 1 + 3 * 500 + 1 - 1024;
        assert!(
            matches!(first, Some(ConnectionEvent::Lagged { missed: lost }) if lost == missed),
            "{first:?}"
        );
        let last = events.last().await;
        assert!(
            matches!(last, Some(ConnectionEvent::Ended(Ok(_)))),
            "{last:?}"
        );
        // Whoever listens now hears nothing.
        assert!(handle.events().next().await.is_none());
    });
}

#[test]
fn the_end_is_told_however_it_comes() {
    task::block_on(async {
        // Never run.
        let connection = Connection::new(Role::Initiator);
        let (handle, feed) = (connection.handle(), writer(1, Dialect::V8).await);
        let mut events = handle.events();
        drop(connection);
        let ended = events.next().await;
        assert!(matches!(
            ended,
            Some(ConnectionEvent::Ended(Err(Error::Closed)))
        ));
        assert!(matches!(handle.add(&feed), Err(Error::Closed)));
        // Dropped while it runs.
        let (left, _right) = duplex(16 * 1024);
        let connection = Connection::new(Role::Initiator);
        connection.add(&feed).unwrap();
        let handle = connection.handle();
        let mut events = handle.events();
        let mut running = Box::pin(connection.run(left));
        assert!(
            futures_lite::future::poll_once(&mut running)
                .await
                .is_none()
        );
        assert!(handle.is_opened(&feed.discovery_key()));
        drop(running);
        let ended = events.next().await;
        assert!(matches!(
            ended,
            Some(ConnectionEvent::Ended(Err(Error::Closed)))
        ));
        assert!(events.next().await.is_none());
        assert!(matches!(handle.ping(), Err(Error::Closed)));
        assert!(handle.feeds().is_empty());
        // With an error.
        let (left, right) = duplex(16 * 1024);
        drop(right);
        let connection = Connection::new(Role::Initiator);
        let mut events = connection.handle().events();
        let error = connection.run(left).await.unwrap_err();
        let ended = events.next().await;
        assert!(
            matches!(&ended, Some(ConnectionEvent::Ended(Err(same))) if same.to_string() == error.to_string())
        );
    });
}

#[test]
fn a_connection_says_who_is_there_and_how_it_is() {
    task::block_on(async {
        let (feed, other) = (writer(2, Dialect::V9).await, writer(1, Dialect::V8).await);
        let copy = reader_of(&feed).await;
        let pairs = [1, 2].map(|seed| NoiseKeyPair::from_seed([seed; 32]));
        let [a, b] = BOTH.map(|role| {
            Connection::new(role)
                .live(true)
                .dialect(hypercore::DialectChoice::Fixed(Dialect::V9))
        });
        let mut remote = Remote::default();
        remote.address = Some("192.0.2.7:4000".parse().unwrap());
        remote.transport = Transport::Tcp;
        let ends = [
            a.key_pair(pairs[0].clone()).remote(remote),
            b.key_pair(pairs[1].clone()),
        ];
        let handles = [ends[0].handle(), ends[1].handle()];
        assert_eq!([handles[0].role(), handles[1].role()], BOTH);
        assert_eq!(
            [handles[0].remote(), handles[1].remote()],
            [remote, Remote::default()]
        );
        assert_eq!(handles[0].remote_public_key(), None);
        assert_eq!(
            (handles[0].dialect(), handles[0].handshake_hash()),
            (None, None)
        );
        assert_eq!((handles[0].bytes_sent(), handles[0].feed_count()), (0, 0));

        ends[0].add(&copy).unwrap();
        ends[1].add(&feed).unwrap();
        ends[1].add(&other).unwrap();
        let ended = run(ends);
        copy.get(1).await.unwrap();
        // The other one is open on one side only.
        while !handles[0].is_remote_opened(&other.discovery_key()) {
            yield_now().await;
        }
        for (n, handle) in handles.iter().enumerate() {
            assert!(handle.is_live());
            assert_eq!(handle.remote_public_key(), Some(pairs[1 - n].public()));
            assert_eq!(handle.dialect(), Some(Dialect::V9));
            assert_eq!(handle.handshake_hash(), handles[0].handshake_hash());
            assert!(handle.bytes_sent() > 59 && handle.bytes_received() > 59);
            let mut names = [feed.discovery_key(), other.discovery_key()];
            names.sort_unstable();
            assert_eq!(handle.feeds(), names);
            assert_eq!(handle.feed_count(), 2);
            assert!(handle.is_opened(&feed.discovery_key()));
            assert!(handle.is_remote_opened(&feed.discovery_key()));
            assert!(handle.is_remote_verified(&feed.key()));
            assert_eq!(handle.is_opened(&other.discovery_key()), n == 1);
            assert_eq!(handle.is_remote_opened(&other.discovery_key()), n == 0);
            // Who has opened it knows its key, whether it is shared here or not.
            assert_eq!(handle.is_remote_verified(&other.key()), n == 0);
            let stranger = hypercore::KeyPair::from_seed([9; 32]).public();
            assert!(!handle.is_remote_verified(&stranger));
            assert!(!handle.is_opened(&stranger.discovery_key()));
        }
        handles[1].close(feed.discovery_key()).unwrap();
        while handles[0].is_remote_opened(&feed.discovery_key()) {
            yield_now().await;
        }
        assert!(copy.peers().is_empty() && feed.peers().is_empty());
        handles[0].hang_up();
        for end in ended {
            end.await.unwrap();
        }
    });
}

#[test]
fn nobody_is_known_or_verified_without_a_handshake() {
    task::block_on(async {
        let feed = writer(2, Dialect::V8).await;
        let copy = reader_of(&feed).await;
        let ends = BOTH.map(|role| Connection::new(role).live(true).security(Security::Plain));
        ends[0].add(&copy).unwrap();
        ends[1].add(&feed).unwrap();
        let handle = ends[0].handle();
        let story = story(&handle).await;
        let [left, right] = run(ends);
        copy.get(1).await.unwrap();
        assert_eq!((handle.remote_public_key(), handle.dialect()), (None, None));
        assert!(handle.is_remote_opened(&feed.discovery_key()));
        assert!(!handle.is_remote_verified(&feed.key()));
        handle.hang_up();
        left.await.unwrap();
        right.await.unwrap();
        assert_eq!(story.await[..2], ["remote", "opened"]);
    });
}

#[test]
fn a_live_connection_finishes_with_what_is_wanted_and_not_before() {
    task::block_on(async {
        let feed = writer(200, Dialect::V8).await;
        let copy = reader_of(&feed).await;
        let ends = BOTH.map(|role| Connection::new(role).live(true));
        ends[0].add(&copy).unwrap();
        ends[1].add(&feed).unwrap();
        let handles = [ends[0].handle(), ends[1].handle()];
        let ended = run(ends);
        while !copy.peers().iter().any(hypercore::Peer::is_open) {
            yield_now().await;
        }
        for handle in &handles {
            handle.finish();
        }
        for end in ended {
            assert!(end.await.unwrap().finished);
        }
        assert_same(&feed, &copy).await;
        assert!(!handles[0].is_live());
        assert!(matches!(handles[0].add(&copy), Err(Error::Closed)));
    });
}

#[test]
fn after_hanging_up_nothing_can_be_added() {
    task::block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        let ends = BOTH.map(|role| Connection::new(role).live(true));
        let handle = ends[0].handle();
        let ended = run(ends);
        while handle.remote_public_key().is_none() {
            yield_now().await;
        }
        handle.hang_up();
        assert!(matches!(handle.add(&feed), Err(Error::Closed)));
        for end in ended {
            // One of them may see this within its handshake.
            let _ = end.await;
        }
    });
}

#[test]
fn signs_of_life_and_time_limits_can_be_changed_while_it_runs() {
    task::block_on(async {
        let (left, right) = duplex(16 * 1024);
        let connection = Connection::new(Role::Responder).live(true).timeout(None);
        let handle = connection.handle();
        let connection = task::spawn(connection.run(right));
        let mut remote = Raw::meet(Role::Initiator, left).await;
        while handle.remote_public_key().is_none() {
            yield_now().await;
        }
        let before = handle.bytes_sent();
        for n in 1..=3 {
            handle.ping().unwrap();
            while handle.bytes_sent() < before + n {
                yield_now().await;
            }
        }
        assert_eq!(handle.bytes_sent(), before + 3);
        // The remote says nothing, which is all right until there is a limit.
        handle.set_timeout(Some(Duration::from_millis(50))).unwrap();
        let error = connection.await.unwrap_err();
        assert_eq!(error.to_string(), "the remote has gone silent");
        assert_eq!(remote.next().await, None);
    });
}

#[test]
fn each_feed_is_decided_about_and_a_refusal_closes_no_other() {
    task::block_on(async {
        let feeds = [writer(3, Dialect::V8).await, writer(4, Dialect::V8).await];
        let copies = [reader_of(&feeds[0]).await, reader_of(&feeds[1]).await];
        let pairs = [1, 2].map(|seed| NoiseKeyPair::from_seed([seed; 32]));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let [a, b] = ends();
        let b = b.key_pair(pairs[1].clone()).on_feed_authenticate({
            let (asked, welcome) = (Arc::clone(&asked), feeds[1].discovery_key());
            move |feed, remote| {
                asked.lock().unwrap().push((feed, remote));
                async move {
                    yield_now().await;
                    feed == welcome
                }
            }
        });
        let a = a.key_pair(pairs[0].clone());
        for (feed, copy) in feeds.iter().zip(&copies) {
            a.add(copy).unwrap();
            b.add(feed).unwrap();
        }
        let stories = [story(&a.handle()).await, story(&b.handle()).await];
        for end in run([a, b]) {
            assert!(end.await.unwrap().finished);
        }
        assert!(copies[0].is_empty());
        assert_same(&feeds[1], &copies[1]).await;
        let mut expected = [0, 1].map(|n: usize| (feeds[n].discovery_key(), pairs[0].public()));
        expected.sort_unstable();
        asked.lock().unwrap().sort_unstable();
        assert_eq!(*asked.lock().unwrap(), expected);
        for story in stories {
            let story = story.await;
            let count = |event| story.iter().filter(|told| *told == event).count();
            // A feed that is turned down before the remote has opened it is unknown when that comes, and closed once more.
            let closed = 2 + count("unknown");
            assert_eq!((count("opened"), count("closed")), (1, closed), "{story:?}");
            assert!(count("unknown") <= 1, "{story:?}");
        }
    });
}

#[test]
fn a_feed_is_not_shown_before_it_is_decided_about() {
    play(|stage| async move {
        let feed = stage.writer(3).await;
        let (decide, decision) = async_channel::bounded::<bool>(1);
        let connection = Connection::new(Role::Responder)
            .live(true)
            .on_feed_authenticate(move |_, _| {
                let decision = decision.clone();
                async move { decision.recv().await.unwrap_or(false) }
            });
        connection.add(&feed).unwrap();
        let handle = connection.handle();
        let (left, right) = duplex(16 * 1024);
        let connection = stage.spawn(connection.run(right));
        let mut remote = Raw::meet(Role::Initiator, left).await;
        stage.quiet().await;
        let before = handle.bytes_sent();
        assert!(before > 0);
        remote.open(1, &feed.key()).await;
        stage.quiet().await;
        assert!(handle.is_remote_opened(&feed.discovery_key()));
        assert_eq!(handle.bytes_sent(), before);
        decide.send(true).await.unwrap();
        let opened = remote.next().await.unwrap().1;
        assert!(matches!(opened, wire::Message::Open(_)), "{opened:?}");
        drop(remote);
        connection.done().await.unwrap();
    });
}

/// A connection whose program never decides about its feed.
async fn undecided() -> (
    Hypercore,
    ConnectionHandle,
    JoinHandle<Result<Session>>,
    Raw,
    Arc<()>,
) {
    let feed = writer(3, Dialect::V8).await;
    let waits = Arc::new(());
    let held = Arc::clone(&waits);
    let connection = Connection::new(Role::Responder).live(true);
    let connection = connection.on_feed_authenticate(move |_, _| {
        let held = Arc::clone(&held);
        async move {
            let _held = held;
            std::future::pending().await
        }
    });
    connection.add(&feed).unwrap();
    let handle = connection.handle();
    let (left, right) = duplex(16 * 1024);
    let connection = task::spawn(connection.run(right));
    let mut remote = Raw::meet(Role::Initiator, left).await;
    remote.open(1, &feed.key()).await;
    // One for us, one for the closure, one for the wait.
    while Arc::strong_count(&waits) < 3 || !handle.is_remote_opened(&feed.discovery_key()) {
        yield_now().await;
    }
    (feed, handle, connection, remote, waits)
}

#[test]
fn every_wait_for_a_decision_ends() {
    task::block_on(async {
        for how in 0..5 {
            let (feed, handle, connection, mut remote, waits) = undecided().await;
            let goes_on = match how {
                // The remote gives the feed up.
                0 => {
                    remote
                        .send(1, &wire::Message::Close(wire::Close::default()))
                        .await;
                    true
                }
                // It is taken off.
                1 => {
                    handle.remove(&feed).unwrap();
                    true
                }
                // It is closed.
                2 => {
                    feed.close().await.unwrap();
                    true
                }
                // The connection is ended.
                3 => {
                    handle.hang_up();
                    false
                }
                // The remote has gone.
                _ => {
                    drop(remote);
                    connection.await.unwrap();
                    assert_eq!(Arc::strong_count(&waits), 1);
                    continue;
                }
            };
            while Arc::strong_count(&waits) > 2 {
                yield_now().await;
            }
            assert!(!handle.is_opened(&feed.discovery_key()));
            if goes_on {
                handle.hang_up();
            }
            drop(remote);
            // What is said to a remote that has gone may fail.
            let _ = connection.await;
            assert_eq!(Arc::strong_count(&waits), 1, "{how}");
        }
    });
}

#[test]
fn without_a_handshake_nobody_decides_about_feeds() {
    task::block_on(async {
        let feed = writer(3, Dialect::V8).await;
        let copy = reader_of(&feed).await;
        let ends = BOTH.map(|role| {
            Connection::new(role)
                .security(Security::Plain)
                .on_feed_authenticate(|_, _| async { false })
        });
        ends[0].add(&copy).unwrap();
        ends[1].add(&feed).unwrap();
        for end in run(ends) {
            assert!(end.await.unwrap().finished);
        }
        assert_same(&feed, &copy).await;
    });
}

#[test]
fn a_generated_key_pair_is_a_new_one_each_time() {
    let [a, b] = [0, 1].map(|_| hypercore::generate_noise_key_pair().unwrap());
    assert_ne!(a.public(), b.public());
    let seed = [1; 32];
    let [a, b] = [0, 1].map(|_| NoiseKeyPair::from_seed(seed));
    assert_eq!(a.public(), b.public());
}
