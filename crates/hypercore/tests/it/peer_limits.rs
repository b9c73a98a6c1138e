//! Each limit of what a peer of a feed can make it remember, send and bear: whoever goes beyond is heard no further, or loses the
//! connection and nothing else. An honest peer beside it is served all the same.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use futures_lite::future;
use hypercore::{
    Binary, Dialect, DialectChoice, Error, Hypercore, Peer, PeerError, PeerLimits,
    ReplicationError, Result, Role, Session,
};
use wire::{Data, Have, Message, Node, Options, Request, Unhave, Want};

use crate::{
    duplex::duplex,
    raw::Raw,
    stage::{Spawned, Stage, play},
};

const WINDOW: u64 = 1 << 20;

/// A feed with limits, an honest peer of it, and a remote that does as it likes.
struct Scene {
    stage: Stage,
    /// Whose limits are tried.
    feed: Hypercore,
    honest: Hypercore,
    remote: Raw,
    attacked: Spawned<Result<Session>>,
}

impl Scene {
    /// Either the author of a feed of 100 blocks is tried, or a sparse copy that knows its length.
    async fn new(stage: Stage, author_is_tried: bool, set: impl FnOnce(&mut PeerLimits)) -> Self {
        let mut limits = PeerLimits::default();
        set(&mut limits);
        let author = stage.builder();
        let author = match author_is_tried {
            true => author.peer_limits(limits),
            false => author,
        };
        let author = author.open().await.unwrap();
        author
            .append_batch((0..100).map(|n| format!("block {n}")))
            .await
            .unwrap();
        let copy = stage.builder().key(author.key()).sparse(true);
        let copy = match author_is_tried {
            true => copy,
            false => copy.peer_limits(limits),
        };
        let copy = copy.open().await.unwrap();
        stage.live(&copy, &author);
        copy.update().await.unwrap();
        let (feed, honest) = match author_is_tried {
            true => (author, copy),
            false => (copy, author),
        };
        let (left, right) = duplex(1 << 20);
        let connection = feed.replicate(Role::Responder, right).live(true);
        let connection = connection
            .dialect(DialectChoice::Fixed(Dialect::V8))
            .timeout(None);
        let attacked = stage.spawn(connection.into_future());
        let mut remote = Raw::meet(Role::Initiator, left).await;
        remote.open(1, &feed.key()).await;
        while let Some((1, message)) = remote.next().await {
            // The author tells that it fetches nothing, the copy asks what there is.
            match message {
                Message::Status(_) => break,
                Message::Want(_) => {
                    let nothing = Message::Have(Have {
                        start: 0,
                        length: Some(WINDOW),
                        bitfield: Some(Bytes::new()),
                        ack: None,
                    });
                    remote.send(1, &nothing).await;
                    break;
                }
                _ => {}
            }
        }
        Scene {
            stage,
            feed,
            honest,
            remote,
            attacked,
        }
    }

    async fn say(&mut self, messages: &[Message]) {
        self.remote.send_all(1, messages).await;
    }

    /// What the remote hears until all is quiet.
    async fn heard(&mut self) -> Vec<Message> {
        let mut heard = Vec::new();
        let quiet = self.stage.clone();
        loop {
            let next = async { self.remote.next().await.map(|(_, message)| message) };
            let nothing = async {
                quiet.quiet().await;
                None
            };
            match future::or(next, nothing).await {
                Some(message) => heard.push(message),
                None => return heard,
            }
        }
    }

    /// The remote is connected still, and the honest peer has what it asks for.
    async fn goes_on(self) {
        self.stage.quiet().await;
        assert!(!self.attacked.is_done());
        self.honest_is_served().await;
    }

    /// The remote has lost its connection, the feed and the honest peer nothing.
    async fn ends(self) -> ReplicationError {
        self.stage.quiet().await;
        assert!(self.attacked.is_done());
        self.honest_is_served().await;
        match self.attacked.done().await {
            Err(Error::Peer(PeerError::Replication(error))) => error,
            other => panic!("{other:?}"),
        }
    }

    async fn honest_is_served(&self) {
        let (from, to) = match self.feed.is_writable() {
            true => (&self.feed, &self.honest),
            false => (&self.honest, &self.feed),
        };
        for block in [3, 98] {
            assert_eq!(to.get(block).await.unwrap(), from.get(block).await.unwrap());
        }
        from.append("more").await.unwrap();
        assert_eq!(to.update().min_length(101).await.unwrap(), 101);
    }
}

fn have(start: u64, length: u64) -> Message {
    Message::Have(Have {
        start,
        length: Some(length),
        bitfield: None,
        ack: None,
    })
}

fn unhave(start: u64) -> Message {
    Message::Unhave(Unhave {
        start,
        length: None,
    })
}

fn request(index: u64) -> Message {
    Message::Request(Request {
        index,
        bytes: Some(0),
        hash: Some(false),
        nodes: Some(0),
    })
}

fn want(window: u64) -> Message {
    Message::Want(Want {
        start: window * WINDOW,
        length: Some(WINDOW),
    })
}

/// The blocks that are sent.
fn answered(heard: &[Message]) -> Vec<u64> {
    let answers = heard.iter().filter_map(|message| match message {
        Message::Data(data) => Some(data.index),
        _ => None,
    });
    answers.collect()
}

/// The windows that are told.
fn told(heard: &[Message]) -> Vec<u64> {
    let told = heard.iter().filter_map(|message| match message {
        Message::Have(have) if have.bitfield.is_some() => Some(have.start / WINDOW),
        _ => None,
    });
    told.collect()
}

#[test]
fn what_lies_beyond_the_longest_feed_is_as_good_as_not_announced() {
    play(|stage| async move {
        let mut scene = Scene::new(stage, false, |limits| limits.max_length = 150).await;
        scene.say(&[have(90, 1 << 40)]).await;
        scene.stage.quiet().await;
        let claimed: Vec<u64> = scene
            .feed
            .peers()
            .iter()
            .map(hypercore::Peer::remote_count)
            .collect();
        assert!(claimed.iter().all(|count| *count <= 150), "{claimed:?}");
        assert_eq!(scene.feed.remote_len(), 150);
        let none = scene.feed.get(150).if_available().await;
        assert!(matches!(none, Err(Error::NotAvailable { block: 150 })));
        scene.goes_on().await;
    });
}

#[test]
fn so_many_runs_of_a_peers_blocks_are_remembered_and_no_more() {
    play(|stage| async move {
        let mut scene = Scene::new(stage, false, |limits| limits.runs = 5).await;
        let runs: Vec<Message> = (0..20).map(|n| have(2 * n, 1)).collect();
        scene.say(&runs).await;
        scene.stage.quiet().await;
        let peers = scene.feed.peers();
        let fragments = peers.iter().find(|peer| peer.remote_count() < 50).unwrap();
        let known: Vec<u64> = (0..100).filter(|n| fragments.remote_has(*n)).collect();
        assert_eq!(known, [0, 2, 4, 6, 8]);
        scene.goes_on().await;
    });
}

#[test]
fn requests_that_come_all_at_once_are_answered_up_to_eight_times_the_limit() {
    play(|stage| async move {
        let mut scene = Scene::new(stage, true, |limits| limits.requests = 4).await;
        let all: Vec<Message> = (0..100).map(request).collect();
        scene.say(&all).await;
        let answered = answered(&scene.heard().await);
        let different: BTreeSet<u64> = answered.iter().copied().collect();
        assert_eq!((answered.len(), different.len()), (32, 32));
        // Who asks for less at a time gets everything.
        for start in (0..100).step_by(4) {
            let some: Vec<Message> = (start..start + 4).map(request).collect();
            scene.say(&some).await;
            assert_eq!(scene.heard().await.len(), 4);
        }
        scene.goes_on().await;
    });
}

#[test]
fn however_few_requests_are_handed_out_at_a_time_all_are_answered() {
    play(|stage| async move {
        let mut scene = Scene::new(stage, true, |limits| limits.serving = 1).await;
        let all: Vec<Message> = (0..100).map(request).collect();
        scene.say(&all).await;
        let answered = answered(&scene.heard().await);
        // One after the other, as they came.
        assert_eq!(answered, Vec::from_iter(0..100));
        scene.goes_on().await;
    });
}

#[test]
fn bitfields_are_told_at_a_rate_and_only_so_many_wants_wait_for_that() {
    play(|stage| async move {
        // What the shortest answer counts: one at a time, and one a second.
        let set = |limits: &mut PeerLimits| (limits.want_bytes, limits.wants) = (1024, 3);
        let mut scene = Scene::new(stage, true, set).await;
        let begin = scene.stage.now();
        let all: Vec<Message> = (0..10).map(want).collect();
        scene.say(&all).await;
        assert_eq!(told(&scene.heard().await), [0]);
        let mut rest = Vec::new();
        for _ in 0..20 {
            scene.stage.pass(Duration::from_millis(500)).await;
            rest.extend(told(&scene.heard().await));
        }
        assert_eq!(rest, [1, 2, 3]);
        assert!(scene.stage.now() - begin > Duration::from_secs(3));
        // Afterwards it may ask again.
        scene.say(&[want(9)]).await;
        assert_eq!(told(&scene.heard().await), [9]);
        scene.goes_on().await;
    });
}

#[test]
fn answers_that_nobody_asked_for_are_borne_so_often() {
    play(|stage| async move {
        let mut scene = Scene::new(stage, false, |limits| limits.strays = 3).await;
        let data = |index| {
            Message::Data(Data {
                index,
                value: Some("made up".into()),
                nodes: vec![Node {
                    index: 2 * index + 2,
                    hash: [1; 32],
                    size: 7,
                }],
                signature: None,
            })
        };
        let few: Vec<Message> = (50..53).map(data).collect();
        scene.say(&few).await;
        scene.stage.quiet().await;
        assert!(!scene.attacked.is_done());
        scene.say(&[data(53)]).await;
        let feed = scene.feed.clone();
        assert_eq!(
            scene.ends().await,
            ReplicationError::TooManyStrays { count: 4 }
        );
        assert!(!feed.has_range(50..54) && feed.audit().await.unwrap().invalid == 0);
    });
}

#[test]
fn who_takes_back_what_it_is_asked_for_may_do_so_only_so_often() {
    play(|stage| async move {
        let mut scene = Scene::new(stage, false, |limits| limits.retractions = 3).await;
        scene.honest.clear(40..41).await.unwrap();
        scene.stage.quiet().await;
        // Only the remote says that it has it.
        let get = scene.stage.spawn(scene.feed.get(40).into_future());
        for _ in 0..4 {
            scene.say(&[have(40, 1)]).await;
            let asked = |message: &Message| matches!(message, Message::Request(request) if request.index == 40);
            assert!(scene.heard().await.iter().any(asked));
            assert!(!scene.attacked.is_done());
            scene.say(&[unhave(40)]).await;
        }
        assert!(!get.is_done());
        assert_eq!(
            scene.ends().await,
            ReplicationError::TooManyRetractions { count: 4 }
        );
        drop(get);
    });
}

#[test]
fn a_peer_has_twenty_seconds_to_answer_a_request_or_a_want() {
    play(|stage| async move {
        let mut scene = Scene::new(stage, false, |_| {}).await;
        scene.honest.clear(40..41).await.unwrap();
        let get = scene.stage.spawn(scene.feed.get(40).into_future());
        scene.say(&[have(40, 1)]).await;
        scene.stage.pass(Duration::from_millis(19_900)).await;
        assert!(!scene.attacked.is_done());
        assert_eq!(
            scene.ends().await,
            ReplicationError::RequestTimeout { block: 40 }
        );
        assert!(!get.is_done());
    });
    play(|stage| async move {
        let scene = Scene::new(stage, false, |_| {}).await;
        // What there is that far is asked of everybody, and said by the honest one.
        let get = scene.stage.spawn(scene.feed.get(3 * WINDOW).into_future());
        scene.stage.pass(Duration::from_millis(19_900)).await;
        assert!(!scene.attacked.is_done());
        assert_eq!(scene.ends().await, ReplicationError::WantTimeout);
        assert!(!get.is_done());
    });
}

#[test]
fn so_much_waits_for_a_connection_that_takes_nothing() {
    for (count, borne) in [(20, true), (21, false)] {
        play(move |stage| async move {
            let mut scene = Scene::new(stage, true, |limits| limits.actions = 20).await;
            let talk = scene.feed.extension("talk", Binary).unwrap();
            let names = Options {
                extensions: vec!["talk".to_owned()],
                ack: None,
            };
            scene.say(&[Message::Options(names)]).await;
            scene.stage.quiet().await;
            let peers = scene.feed.peers();
            let remote = peers.iter().map(Peer::id).max().unwrap();
            // The connection has no turn in between.
            for _ in 0..count {
                talk.send(&b"message"[..], remote).unwrap();
            }
            match borne {
                true => scene.goes_on().await,
                false => assert_eq!(scene.ends().await, ReplicationError::Overloaded),
            }
        });
    }
}
