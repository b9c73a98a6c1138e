//! Messages that no honest peer sends: a typed end or nothing at all, and never more work or memory than a limit.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hypercore_replicate::{Action, Config, Error, Limits, Local, PeerConfig, PeerId};
use testkit::Rng;
use wire::{Cancel, Data, Have, Message, Request, Status, Unhave, Want};

use crate::{
    face::{Face, PEER, WINDOW, error, request, sent},
    model::{Model, data},
};

#[test]
fn huge_have_and_unhave_are_clamped_and_cheap() {
    let started = Instant::now();
    let patient = Limits {
        retractions: u32::MAX,
        ..Limits::default()
    };
    let config = Config {
        limits: patient,
        ..Config::default()
    };
    let mut face = Face::new(config, Model::default());
    let actions = face.have(0, 1 << 40);
    assert_eq!(
        sent(&actions).len(),
        1 + 15,
        "a first request, and a window of wants"
    );
    assert_eq!(face.replicator.remote_length(), 1 << 32);
    for n in 0..10_000 {
        face.have(n * 1000, u64::MAX);
        face.say(Message::Unhave(Unhave {
            start: n * 7 + 1,
            length: Some(1 << 40),
        }));
    }
    assert!(face.is_connected());
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn block_numbers_of_no_feed_end_the_connection() {
    let far = 1 << 52;
    let have = Have {
        start: far,
        length: None,
        bitfield: None,
        ack: None,
    };
    let unhave = Unhave {
        start: far,
        length: None,
    };
    for message in [
        Message::Have(have),
        Message::Unhave(unhave),
        Message::Request(request(far)),
        Message::Data(data(far, true, 1)),
    ] {
        let mut face = Face::reader();
        let actions = face.say(message);
        assert_eq!(
            error(&actions),
            Some(&Error::BlockOutOfRange { block: far })
        );
        assert!(!face.is_connected());
    }
    // The highest that some feed can have is only more than we take.
    let mut face = Face::reader();
    assert_eq!(sent(&face.have(far - 1, 1)), Vec::<&Message>::new());
    assert!(face.is_connected());
}

#[test]
fn damaged_and_overlong_bitfields_end_the_connection() {
    // A literal that runs over the end, a cut varint, 2^31 and 2^40 bytes, one byte more than the window.
    let overlong = [
        &[0x08, 0xff][..],
        &[0x80],
        &[0x83, 0x80, 0x80, 0x80, 0x20],
        &[0x83, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
        &[0x87, 0x80, 0x20],
    ];
    for bitfield in overlong {
        let mut face = Face::reader();
        let actions = face.picture(0, bitfield);
        assert!(
            matches!(error(&actions), Some(Error::Bitfield(_))),
            "{bitfield:02x?}"
        );
    }
    let mut face = Face::reader();
    let actions = face.picture(0, &[0x83, 0x80, 0x20]);
    assert_eq!(error(&actions), None);
    assert_eq!(face.replicator.remote_length(), WINDOW);
}

#[test]
fn bitfields_that_nobody_asked_for_are_soon_ignored() {
    let config = Config {
        sparse: true,
        ..Config::default()
    };
    let mut face = Face::new(config, Model::default());
    // One answers our Want, and a few are borne because old peers send one unasked.
    for n in 0..100 {
        face.picture(n * WINDOW, &[0x02, 0x80]);
    }
    assert_eq!(face.replicator.remote_length(), 16 * WINDOW + 1);
    assert_eq!(face.picture(0, &[0x80]), [], "not even decoded");
    assert!(face.is_connected());
}

#[test]
fn fragments_are_remembered_up_to_a_limit() {
    let limits = Limits {
        runs: 100,
        ..Limits::default()
    };
    let config = Config {
        limits,
        sparse: true,
        ..Config::default()
    };
    let mut face = Face::new(config, Model::default());
    for n in 0..1000 {
        face.have(n * 2, 1);
    }
    // A block inside of the limit is known, one beyond isn't.
    let now = face.now;
    face.replicator.want(now, 198, &face.feed);
    assert_eq!(sent(&face.drain()).len(), 1);
    face.replicator.want(now, 200, &face.feed);
    assert_eq!(sent(&face.drain()).len(), 0);
    // Splitting runs doesn't help either.
    face.have(0, 2000);
    for n in 0..1000 {
        face.say(Message::Unhave(Unhave {
            start: n * 2 + 1,
            length: None,
        }));
    }
    assert!(face.is_connected());
}

#[test]
fn answers_that_nobody_asked_for_are_borne_sixteen_times() {
    let mut face = Face::reader();
    for n in 0..16 {
        assert_eq!(error(&face.say(Message::Data(data(n, true, 100)))), None);
    }
    let actions = face.say(Message::Data(data(16, false, 100)));
    assert_eq!(error(&actions), Some(&Error::TooManyStrays { count: 17 }));
}

#[test]
fn answer_is_taken_once_and_only_as_asked_for() {
    let mut face = Face::reader();
    let actions = face.have(0, 1);
    assert_eq!(sent(&actions).len(), 1);
    let takes = |actions: &[Action]| {
        actions
            .iter()
            .any(|action| matches!(action, Action::Store { .. }))
    };
    assert!(
        !takes(&face.say(Message::Data(data(1, true, 1)))),
        "another block"
    );
    assert!(takes(&face.say(Message::Data(data(0, true, 1)))));
    assert!(!takes(&face.say(Message::Data(data(0, true, 1)))), "again");
}

#[test]
fn empty_answer_ends_the_connection() {
    let mut face = Face::reader();
    face.have(0, 1);
    let empty = Data {
        index: 0,
        value: None,
        nodes: Vec::new(),
        signature: None,
    };
    let actions = face.say(Message::Data(empty));
    assert_eq!(error(&actions), Some(&Error::EmptyData { block: 0 }));
    // An empty block without uncles is fine.
    let mut face = Face::reader();
    face.have(0, 1);
    let empty = Data {
        index: 0,
        value: Some(Bytes::new()),
        nodes: Vec::new(),
        signature: None,
    };
    assert!(matches!(
        face.say(Message::Data(empty))[..],
        [Action::Store { .. }]
    ));
}

#[test]
fn refused_answer_is_asked_for_elsewhere() {
    let mut face = Face::reader();
    let other = PeerId(2);
    let now = face.now;
    face.replicator
        .add_peer(now, other, PeerConfig::default(), &face.feed);
    face.drain();
    face.have(0, 1);
    let have = Message::Have(Have {
        start: 0,
        length: None,
        bitfield: None,
        ack: None,
    });
    face.replicator.handle_message(now, other, have, &face.feed);
    assert_eq!(sent(&face.drain()).len(), 0, "it is in flight");
    face.say(Message::Data(data(0, true, 1)));
    face.replicator.handle_refused(now, PEER, 0, &face.feed);
    let actions = face.drain();
    assert!(matches!(
        actions[..],
        [Action::Send {
            peer: PeerId(2),
            message: Message::Request(_)
        }]
    ));
    assert!(face.is_connected(), "only the other one is left");
}

#[test]
fn flood_of_wants_gets_a_bounded_answer() {
    // Every other block: the bitfield doesn't compress.
    let mut feed = Model::full(WINDOW);
    feed.blocks = (0..1 << 19).map(|n| 2 * n..2 * n + 1).collect();
    let mut face = Face::new(Config::default(), feed);
    let want = |start| {
        Message::Want(Want {
            start,
            length: Some(WINDOW),
        })
    };
    let mut answered = 0;
    for _ in 0..10_000 {
        for message in sent(&face.say(want(0))) {
            if let Message::Have(Have {
                bitfield: Some(bits),
                ..
            }) = message
            {
                answered += bits.len();
            }
        }
    }
    assert!(answered <= (4 << 20) + (1 << 18), "{answered}");
    // With time, there is more; but what waits is bounded too.
    for n in 0..1000 {
        face.say(want(n * WINDOW));
    }
    let due = face.replicator.poll_timeout().expect("a want waits");
    assert!(due < Duration::from_secs(1));
    face.now = Duration::from_secs(10);
    let now = face.now;
    face.replicator.handle_timeout(now, &face.feed);
    let answers = sent(&face.drain()).len();
    assert!((1..=32).contains(&answers), "{answers}");
}

#[test]
fn wants_that_are_not_aligned_are_ignored() {
    let mut face = Face::new(Config::default(), Model::full(10));
    for (start, length) in [(1, WINDOW), (0, 100), (8191, 8192), (0, 2 * WINDOW)] {
        let want = Want {
            start,
            length: Some(length),
        };
        assert_eq!(face.say(Message::Want(want)), []);
    }
    let whole = Want {
        start: 0,
        length: None,
    };
    assert_eq!(sent(&face.say(Message::Want(whole))).len(), 2);
}

#[test]
fn requests_wait_in_a_bounded_queue_and_duplicates_are_merged() {
    let mut face = Face::new(Config::default(), Model::full(100_000));
    let serves = |actions: Vec<Action>| {
        let serves = actions.into_iter().filter_map(|action| match action {
            Action::Serve { request, .. } => Some(request),
            _ => None,
        });
        serves.collect::<Vec<_>>()
    };
    let mut handed_out = Vec::new();
    for n in 0..10_000 {
        handed_out.extend(serves(face.say(Message::Request(request(n % 50)))));
    }
    assert_eq!(handed_out.len(), 50, "each block once");
    assert!(face.replicator.wants_input(PEER));
    for n in 0..10_000 {
        handed_out.extend(serves(face.say(Message::Request(request(n)))));
    }
    assert_eq!(handed_out.len(), 64, "no more at a time");
    assert!(!face.replicator.wants_input(PEER));
    let mut served = 0;
    while let Some(request) = handed_out.pop() {
        served += 1;
        face.replicator.handle_served(PEER, &request, None);
        handed_out.extend(serves(face.drain()));
    }
    assert_eq!(served, 2048, "the rest was dropped");
    assert!(face.replicator.wants_input(PEER));
}

#[test]
fn cancelled_requests_are_not_handed_out() {
    let mut face = Face::new(Config::default(), Model::full(1000));
    for n in 0..100 {
        face.say(Message::Request(request(n)));
    }
    for n in 64..100 {
        for _ in 0..2 {
            face.say(Message::Cancel(Cancel {
                index: n,
                bytes: None,
                hash: None,
            }));
        }
    }
    for n in 0..64 {
        face.replicator.handle_served(PEER, &request(n), None);
    }
    assert_eq!(face.drain(), []);
    assert_eq!(
        face.replicator.peers().next().map(|(_, peer)| peer.serving),
        Some(0)
    );
}

#[test]
fn requests_for_what_is_not_here_are_answered_by_unhave() {
    let mut face = Face::new(Config::default(), Model::with(10, 0..5));
    let actions = face.say(Message::Request(request(7)));
    let unhave = Message::Unhave(Unhave {
        start: 7,
        length: None,
    });
    assert_eq!(sent(&actions), [&unhave]);
    // So is one that gets lost before it is served.
    assert!(matches!(
        face.say(Message::Request(request(3)))[..],
        [Action::Serve { .. }]
    ));
    face.replicator.handle_unserved(PEER, &request(3));
    assert_eq!(sent(&face.drain()).len(), 1);
}

#[test]
fn seek_is_passed_on_and_repetitions_follow_its_answer() {
    let seek = |index| Request {
        bytes: Some(140),
        hash: Some(true),
        ..request(index)
    };
    for found in [true, false] {
        let mut face = Face::new(Config::default(), Model::full(10));
        let first = face.say(Message::Request(seek(6)));
        assert!(matches!(first[..], [Action::Serve { .. }]));
        assert_eq!(face.say(Message::Request(seek(7))), []);
        face.replicator
            .handle_served(PEER, &seek(6), found.then_some(6));
        assert_eq!(face.drain().len(), usize::from(!found));
    }
}

#[test]
fn a_peer_that_does_not_answer_is_asked_for_so_many_blocks_and_no_more() {
    for max_requests in [1, 3, 100] {
        let config = Config {
            first_requests: 100,
            max_requests,
            ..Config::default()
        };
        // Of whom nothing is known isn't asked for more than one.
        let mut face = Face::new(config, Model::with(1001, 1000..1001));
        let mut asked = face.have(0, 1000);
        for n in 0..10 {
            asked.extend(face.have(1000 + n * 50, 50));
        }
        let requests = asked.iter().filter(|action| {
            let Action::Send { message, .. } = action else {
                return false;
            };
            matches!(message, Message::Request(_))
        });
        assert_eq!(requests.count(), max_requests);
    }
}

#[test]
fn toggling_status_is_cheap() {
    let started = Instant::now();
    let mut face = Face::reader();
    face.have(0, 1000);
    for n in 0..20_000 {
        let actions = face.say(Message::Status(Status {
            uploading: Some(n % 2 == 1),
            downloading: Some(true),
        }));
        assert!(actions.len() <= 17);
    }
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn random_messages_never_leave_the_limits() {
    let mut rng = Rng::new(testkit::seed(1));
    let limits = Limits {
        runs: 64,
        requests: 8,
        serving: 4,
        ..Limits::default()
    };
    for _ in 0..200 {
        let config = Config {
            limits,
            seed: rng.next_u64(),
            ..Config::default()
        };
        let mut face = Face::new(config, Model::with(100, 0..50));
        for _ in 0..200 {
            let number = |rng: &mut Rng| match rng.below(4) {
                0 => rng.below(128),
                1 => rng.below(1 << 22),
                2 => (1 << 52) - 1 - rng.below(100),
                _ => 8192 * rng.below(300),
            };
            let (start, length) = (number(&mut rng), number(&mut rng));
            let message = match rng.below(8) {
                0 => Message::Want(Want {
                    start,
                    length: Some(length),
                }),
                1 => Message::Unhave(Unhave {
                    start,
                    length: Some(length),
                }),
                2 => Message::Request(Request {
                    hash: Some(rng.one_in(2)),
                    bytes: rng.one_in(4).then_some(length),
                    ..request(start)
                }),
                3 => Message::Cancel(Cancel {
                    index: start,
                    bytes: None,
                    hash: None,
                }),
                4 => Message::Data(data(start, rng.one_in(2), length)),
                5 => Message::Status(Status {
                    uploading: Some(rng.one_in(2)),
                    downloading: Some(rng.one_in(2)),
                }),
                6 => Message::Have(Have {
                    start,
                    length: Some(WINDOW),
                    bitfield: Some(Bytes::from(wire::rle_encode(&rng.bytes(30)))),
                    ack: None,
                }),
                _ => Message::Have(Have {
                    start,
                    length: Some(length),
                    bitfield: None,
                    ack: None,
                }),
            };
            for action in face.say(message) {
                match action {
                    Action::Store { data, .. } => {
                        face.feed.store(&data);
                        let (now, has_value) = (face.now, data.value.is_some());
                        face.replicator
                            .handle_stored(now, PEER, data.index, has_value, &face.feed);
                    }
                    Action::Send {
                        message: Message::Request(request),
                        ..
                    } => {
                        assert!(!face.feed.has(request.index));
                    }
                    _ => {}
                }
            }
            for (_, peer) in face.replicator.peers() {
                assert!(peer.requested <= 32 && peer.serving <= 64);
                assert!(peer.remote_length <= 1 << 32);
            }
        }
    }
}
