//! Feeds that are closed before the remote has answered, and opened again: whose answer is the next one?

use std::collections::BTreeMap;

use hypercore_protocol::{Channel, Config, Connection, Event, Role};
use testkit::{Link, Rng, seed};
use wire::{Have, Message};

use crate::world::{
    SECOND, World, close, config, connection, events, feed, frame, live, name, open, plain,
};

const BOTH: [Role; 2] = [Role::Initiator, Role::Responder];

/// What leaves.
fn said(connection: &mut Connection) -> Vec<u8> {
    let pieces = std::iter::from_fn(|| connection.poll_transmit(SECOND));
    pieces.flatten().collect()
}

/// Not encrypted, so that a script can be the other end.
fn alone() -> Connection {
    let mut alone = connection(Config {
        live: true,
        ..plain(Role::Initiator)
    });
    assert_eq!(said(&mut alone), [0; 0]);
    alone
}

#[test]
fn a_feed_that_is_opened_again_before_the_answer_takes_it() {
    let mut world = World::new(BOTH.map(live));
    let channel = world.peers[0].connection.open(&feed(1)).unwrap();
    world.settle();
    let before = world.peers[0].connection.bytes_sent();
    for _ in 0..3 {
        world.peers[0].connection.close(channel);
        world.settle();
        assert_eq!(world.peers[0].connection.open(&feed(1)), Ok(channel));
    }
    world.settle();
    assert_eq!(world.peers[0].connection.bytes_sent(), before);
    let theirs = world.peers[1].connection.open(&feed(1)).unwrap();
    world.settle();
    for (peer, channel) in world.peers.iter().zip([channel, theirs]) {
        assert_eq!(peer.count(|event| *event == Event::Opened { channel }), 1);
        assert_eq!(peer.count(|event| matches!(event, Event::Closed { .. })), 0);
    }
    world.pass(100 * SECOND);
    assert_eq!(world.errors(), [None; 2]);
}

#[test]
fn a_feed_that_the_remote_opens_while_our_close_is_held_back_is_closed_at_both_ends() {
    let mut world = World::new(BOTH.map(live));
    let ours = world.peers[0].connection.open(&feed(1)).unwrap();
    world.settle();
    world.peers[0].connection.close(ours);
    world.settle();
    world.pass(15 * SECOND);
    let theirs = world.peers[1].connection.open(&feed(1)).unwrap();
    world.settle();
    let events = &world.peers[1].events;
    let channel = theirs;
    assert_eq!(
        events[events.len() - 2..],
        [Event::Opened { channel }, Event::Closed { channel }]
    );
    // The end that closed it hears no more of it.
    let about = |event: &Event| !matches!(event, Event::Handshake { .. });
    assert_eq!(world.peers[0].count(about), 0);
    world.pass(100 * SECOND);
    assert_eq!(world.errors(), [None; 2]);
}

#[test]
fn a_close_is_held_back_for_as_long_as_an_answer_is_waited_for() {
    let mut world = World::new(BOTH.map(live));
    let ours = world.peers[0].connection.open(&feed(1)).unwrap();
    world.settle();
    // Not from when it was opened: an answer can come at any time.
    world.pass(60 * SECOND);
    world.peers[0].connection.close(ours);
    let discovery_key = name(1);
    let taken_back = Event::Withdrawn { discovery_key };
    world.pass(19 * SECOND);
    assert!(!world.peers[1].events.contains(&taken_back));
    world.pass(2 * SECOND);
    assert_eq!(world.peers[1].events.last(), Some(&taken_back));
    // From then on it is the remote who opens it, under whatever number.
    let theirs = world.peers[1].connection.open(&feed(1)).unwrap();
    world.settle();
    let asked = Event::RemoteOpen { discovery_key };
    assert_eq!(world.peers[0].events.last(), Some(&asked));
    let again = world.peers[0].connection.open(&feed(1)).unwrap();
    assert_ne!(again, ours);
    world.settle();
    for (peer, channel) in world.peers.iter().zip([again, theirs]) {
        assert_eq!(peer.events.last(), Some(&Event::Opened { channel }));
    }
    world.pass(100 * SECOND);
    assert_eq!(world.errors(), [None; 2]);
}

#[test]
fn a_remote_that_refuses_ends_the_wait() {
    for again in [false, true] {
        let mut a = alone();
        let channel = a.open(&feed(1)).unwrap();
        a.close(channel);
        if again {
            assert_eq!(a.open(&feed(1)), Ok(channel));
        }
        said(&mut a);
        a.handle_bytes(SECOND, &frame(1, &close(Some(1)))).unwrap();
        let (heard, error) = events(&mut a);
        assert_eq!(error, None);
        // Whoever has taken it back needn't hear of it.
        let closed = again.then_some(Event::Closed { channel });
        assert_eq!(heard, Vec::from_iter(closed));
        assert_ne!(a.open(&feed(1)).unwrap(), channel);
    }
}

#[test]
fn a_late_refusal_leaves_no_later_open_behind() {
    let mut a = alone();
    let first = a.open(&feed(1)).unwrap();
    said(&mut a);
    a.close(first);
    said(&mut a);
    // The remote has refused the first one, but that is long under way.
    a.handle_bytes(20 * SECOND, &frame(1, &open(2))).unwrap();
    a.handle_timeout(21 * SECOND).unwrap();
    let second = a.open(&feed(1)).unwrap();
    assert_ne!(first, second);
    a.close(second);
    let before = said(&mut a);
    a.handle_bytes(22 * SECOND, &frame(2, &close(Some(1))))
        .unwrap();
    assert_eq!(events(&mut a).1, None);
    // Under the next number.
    a.open(&feed(1)).unwrap();
    let after = [before, said(&mut a)].concat();
    let closing = frame(2, &close(None));
    let place = after.windows(closing.len()).position(|it| it == closing);
    let opening = frame(3, &open(1));
    let again = after.windows(opening.len()).position(|it| it == opening);
    assert!(place.is_some() && place < again, "{place:?} {again:?}");
}

#[test]
fn a_feed_that_is_opened_again_has_the_whole_time_for_the_answer() {
    let mut world = World::new(BOTH.map(config));
    world.peers[1].connection.open(&feed(2)).unwrap();
    let channel = world.peers[0].connection.open(&feed(1)).unwrap();
    let other = world.peers[0].connection.open(&feed(2)).unwrap();
    world.pass(12 * SECOND);
    world.peers[0].connection.close(channel);
    // What is closed already needn't be answered in time.
    world.pass(12 * SECOND);
    assert_eq!(world.peers[0].connection.open(&feed(1)), Ok(channel));
    world.pass(12 * SECOND);
    assert_eq!(world.errors(), [None; 2]);
    world.peers[1].connection.open(&feed(1)).unwrap();
    world.settle();
    let opened = Event::Opened { channel };
    assert!(world.peers[0].events.contains(&opened));
    for channel in [channel, other] {
        world.peers[0].connection.close(channel);
    }
    world.settle();
    for peer in &world.peers {
        assert_eq!(peer.events.last(), Some(&Event::Finished));
        assert!(peer.connection.is_finished());
    }
}

#[test]
fn whoever_leaves_says_every_close_first() {
    // At the end of a connection that isn't live, or of any.
    for make in [config, live] {
        let mut world = World::new(BOTH.map(make));
        let channels = [1, 2].map(|seed| world.peers[0].connection.open(&feed(seed)).unwrap());
        world.settle();
        world.peers[0].connection.close(channels[0]);
        world.peers[0].connection.finish();
        world.peers[0].connection.close(channels[1]);
        world.settle();
        let peer = &world.peers[1];
        for discovery_key in [name(1), name(2)] {
            assert!(peer.events.contains(&Event::Withdrawn { discovery_key }));
        }
        assert_eq!(peer.events.last(), Some(&Event::Finished));
        assert_eq!(world.errors(), [None; 2]);
    }
}

#[test]
fn what_is_closed_doesnt_keep_a_connection_that_isnt_live() {
    let mut world = World::new(BOTH.map(config));
    let channel = world.peers[0].connection.open(&feed(1)).unwrap();
    world.settle();
    world.peers[0].connection.close(channel);
    world.settle();
    for peer in &world.peers {
        assert_eq!(peer.events.last(), Some(&Event::Finished));
        assert!(peer.connection.is_finished());
    }
    assert_eq!(world.errors(), [None; 2]);
}

#[test]
fn a_feed_that_comes_and_goes_at_once_leaves_the_connection_finished_again() {
    let mut a = connection(plain(Role::Initiator));
    for _ in 0..2 {
        let channel = a.open(&feed(1)).unwrap();
        a.close(channel);
        assert_eq!(events(&mut a), (vec![Event::Finished], None));
    }
}

#[test]
fn javascript_that_opens_what_we_have_closed_is_told_and_may_answer_as_often_as_it_likes() {
    let mut a = alone();
    let channel = a.open(&feed(1)).unwrap();
    a.close(channel);
    assert_eq!(said(&mut a), frame(1, &open(1)));
    // Version 8 says Close whenever it is told so, twice in a row; version 9 once.
    a.handle_bytes(SECOND, &frame(7, &open(1))).unwrap();
    assert_eq!(events(&mut a), (vec![], None));
    assert_eq!(said(&mut a), frame(1, &close(None)));
    for _ in 0..2 {
        a.handle_bytes(SECOND, &frame(7, &close(None))).unwrap();
        assert_eq!(events(&mut a), (vec![], None));
        assert_eq!(said(&mut a), [0; 0]);
    }
    a.handle_timeout(30 * SECOND).unwrap_err(); // for silence, as on any connection
}

#[test]
fn a_javascript_that_closes_before_our_open_has_come_ends_up_where_we_do() {
    // It holds nothing back. Its second Open meets our first, and our answer to its first Close ends that.
    let mut a = alone();
    let channel = a.open(&feed(1)).unwrap();
    let opened = frame(1, &open(1));
    assert_eq!(said(&mut a), opened);
    for (number, message) in [(1, open(1)), (1, close(None)), (2, open(1))] {
        a.handle_bytes(SECOND, &frame(number, &message)).unwrap();
    }
    let discovery_key = name(1);
    let heard = vec![
        Event::Opened { channel },
        Event::Closed { channel },
        Event::RemoteOpen { discovery_key },
    ];
    assert_eq!(events(&mut a), (heard, None));
    assert_eq!(said(&mut a), frame(1, &close(None)));
    a.handle_bytes(SECOND, &frame(2, &close(None))).unwrap();
    let heard = vec![Event::Withdrawn { discovery_key }];
    assert_eq!(events(&mut a), (heard, None));
    assert_eq!(said(&mut a), [0; 0]);
    assert_eq!(a.open_count(), 0);
}

/// A program at each end, as far as feeds go: it greets on every channel that opens.
#[derive(Default)]
struct Program {
    /// By feed, what it has open.
    open: BTreeMap<u8, Channel>,
    /// By channel, what it has said when both had opened it, and what it has heard.
    greeted: BTreeMap<Channel, u64>,
    heard: BTreeMap<Channel, Vec<u64>>,
    /// Whether it opens what the remote has opened, rather than refuse it.
    willing: bool,
    seen: usize,
}

impl Program {
    fn live(&mut self, end: &mut crate::world::Peer, count: &mut u64) {
        while let Some(event) = end.events.get(self.seen) {
            self.seen += 1;
            match event {
                Event::RemoteOpen { discovery_key } => {
                    let seed = (0..FEEDS).find(|seed| name(*seed) == *discovery_key);
                    match seed.filter(|_| self.willing) {
                        Some(seed) => self.open(&mut end.connection, seed),
                        None => end.connection.refuse(*discovery_key).unwrap(),
                    }
                }
                Event::Opened { channel } => {
                    *count += 1;
                    self.greeted.insert(*channel, *count);
                    let greeting = Message::Have(Have {
                        start: *count,
                        ..Have::default()
                    });
                    end.connection.send(*channel, &greeting).unwrap();
                }
                Event::Message { channel, message } => {
                    let Message::Have(have) = message else {
                        panic!("{message:?}");
                    };
                    self.heard.entry(*channel).or_default().push(have.start);
                }
                Event::Closed { channel } => {
                    self.open.retain(|_, open| open != channel);
                    self.greeted.remove(channel);
                }
                _ => {}
            }
        }
    }

    fn open(&mut self, connection: &mut Connection, seed: u8) {
        self.open
            .insert(seed, connection.open(&feed(seed)).unwrap());
    }

    fn close(&mut self, connection: &mut Connection, seed: u8) {
        if let Some(channel) = self.open.remove(&seed) {
            connection.close(channel);
            self.greeted.remove(&channel);
        }
    }
}

const FEEDS: u8 = 3;

#[test]
fn two_ends_that_open_and_close_at_random_settle_to_the_same_whoever_opens_on_demand() {
    let mut rng = Rng::new(seed(11));
    let mut met = 0;
    for round in 0..300 {
        let mut world = World::new(BOTH.map(|role| Config {
            timeout: None,
            ..live(role)
        }));
        for link in &mut world.links {
            *link = Link::new(Rng::new(rng.next_u64())).delay(SECOND / 100..SECOND);
        }
        let mut programs = [rng.one_in(2), rng.one_in(2)].map(|willing| Program {
            willing,
            ..Program::default()
        });
        let mut count = 0;
        let mut turn = |world: &mut World, programs: &mut [Program; 2]| {
            for (end, program) in world.peers.iter_mut().zip(programs) {
                program.live(end, &mut count);
            }
        };
        let moves = rng.below(40);
        for _ in 0..moves {
            let n = rng.below(2) as usize;
            let (end, program) = (&mut world.peers[n], &mut programs[n]);
            let seed = rng.below(FEEDS.into()) as u8;
            match rng.below(2) {
                0 => program.open(&mut end.connection, seed),
                _ => program.close(&mut end.connection, seed),
            }
            turn(&mut world, &mut programs);
            world.pass(SECOND / 20 * rng.below(30) as u32);
            turn(&mut world, &mut programs);
        }
        let mut settled = [0; 2];
        for _ in 0..40 {
            settled = [0, 1].map(|n| world.peers[n].connection.bytes_sent());
            world.pass(SECOND);
            turn(&mut world, &mut programs);
        }
        let sent = [0, 1].map(|n| world.peers[n].connection.bytes_sent());
        assert_eq!(sent, settled, "{round}: they chase one another");
        assert_eq!(world.errors(), [None; 2], "{round}");
        for seed in 0..FEEDS {
            let [a, b] = [0, 1].map(|n| programs[n].open.get(&seed));
            assert_eq!(a.is_some(), b.is_some(), "{round}: feed {seed}");
            let (Some(a), Some(b)) = (a, b) else {
                continue;
            };
            met += 1;
            for ((says, by), (hears, on)) in [((0, a), (1, b)), ((1, b), (0, a))] {
                let greeting = programs[says].greeted.get(by);
                assert!(greeting.is_some(), "{round}: feed {seed} isn't open");
                let heard = programs[hears].heard.get(on).and_then(|all| all.last());
                assert_eq!(heard, greeting, "{round}: feed {seed}");
                // A channel is one conversation.
                assert_eq!(programs[hears].heard[on].len(), 1, "{round}: feed {seed}");
            }
        }
    }
    assert!(met > 100, "{met}");
}
