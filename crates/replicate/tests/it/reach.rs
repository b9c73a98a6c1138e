//! Feeds that grow only where it is shown that the longer one begins with the shorter one.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use hypercore_replicate::{
    Action, Config, Error, Local, Outcome, PeerConfig, PeerId, Replicator, Wish, WishId,
};
use wire::{Data, Have, Message, Request, Unhave};

use crate::{
    model::{Model, data},
    world::World,
};

const ONE: PeerId = PeerId(1);
const OTHER: PeerId = PeerId(2);

/// A strict feed of some length, and the test as its peers.
struct Face {
    replicator: Replicator,
    feed: Model,
    now: Duration,
    /// Blocks whose answers came and were of no use.
    lost: Vec<u64>,
}

impl Face {
    /// `length` blocks of which none is stored, sparse or not.
    fn new(length: u64, sparse: bool) -> Self {
        let config = Config {
            sparse,
            ..Config::default()
        };
        Face::with(length, config)
    }

    fn with(length: u64, config: Config) -> Self {
        let feed = Model {
            length,
            strict: true,
            ..Model::default()
        };
        let mut face = Face {
            replicator: Replicator::new(config),
            feed,
            now: Duration::ZERO,
            lost: Vec::new(),
        };
        for peer in [ONE, OTHER] {
            let config = PeerConfig {
                live: true,
                ..PeerConfig::default()
            };
            face.replicator.add_peer(face.now, peer, config, &face.feed);
        }
        face.asked();
        face
    }

    fn want(&mut self, wish: impl Into<Wish>) -> WishId {
        self.replicator.want(self.now, wish, &self.feed)
    }

    /// What a peer is asked for after it claims to have blocks: numbers, and whether the hash alone.
    fn have(&mut self, peer: PeerId, start: u64, length: u64) -> Vec<(PeerId, u64, bool)> {
        let have = Have {
            start,
            length: Some(length),
            bitfield: None,
            ack: None,
        };
        self.say(peer, Message::Have(have))
    }

    fn unhave(&mut self, peer: PeerId, start: u64) -> Vec<(PeerId, u64, bool)> {
        let length = None;
        self.say(peer, Message::Unhave(Unhave { start, length }))
    }

    /// A peer says something, and answers are stored or found to be of no known history. Says what is asked for then.
    fn say(&mut self, peer: PeerId, message: Message) -> Vec<(PeerId, u64, bool)> {
        self.replicator
            .handle_message(self.now, peer, message, &self.feed);
        self.asked()
    }

    fn answer(&mut self, peer: PeerId, data: Data) -> Vec<(PeerId, u64, bool)> {
        self.say(peer, Message::Data(data))
    }

    fn store(&mut self, peer: PeerId, data: Data) {
        let (block, has_value) = (data.index, data.value.is_some());
        let (replicator, feed, now) = (&mut self.replicator, &mut self.feed, self.now);
        if feed.understands(&data) {
            feed.store(&data);
            replicator.handle_stored(now, peer, block, has_value, feed);
        } else {
            let signed = data.nodes[0].size;
            let lost = replicator.handle_unproven(now, peer, data, signed, feed);
            self.lost.extend(lost.then_some(block));
        }
    }

    fn asked(&mut self) -> Vec<(PeerId, u64, bool)> {
        let mut asked = Vec::new();
        while let Some(action) = self.replicator.poll_action() {
            match action {
                Action::Send {
                    peer,
                    message: Message::Request(Request { index, hash, .. }),
                } => asked.push((peer, index, hash == Some(true))),
                Action::Store { peer, data } => self.store(peer, data),
                _ => {}
            }
        }
        asked
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.replicator.poll_action()).collect()
    }
}

/// Wherever the search began.
fn sorted(mut asked: Vec<(PeerId, u64, bool)>) -> Vec<(PeerId, u64, bool)> {
    asked.sort_unstable();
    asked
}

#[test]
fn what_lies_far_beyond_the_end_is_asked_for_behind_a_hash_that_shows_the_growth() {
    let mut face = Face::new(6, true);
    face.want(40);
    face.want(41);
    let asked = face.have(ONE, 0, 100);
    assert_eq!(asked[0], (ONE, 6, true));
    assert_eq!(
        sorted(asked[1..].to_vec()),
        [(ONE, 40, false), (ONE, 41, false)]
    );
    // From the other nothing is left to be had.
    assert_eq!(face.have(OTHER, 0, 100), []);
    assert_eq!(face.answer(ONE, data(6, false, 100)), []);
    assert_eq!(face.feed.length, 100);
    face.answer(ONE, data(40, true, 100));
    face.answer(ONE, data(41, true, 100));
    assert!(face.feed.blocks.contains(40) && face.feed.blocks.contains(41));
}

#[test]
fn a_block_that_shows_the_growth_itself_takes_no_other_request() {
    // An empty feed needs nothing shown, and what is known needs nothing either.
    for (length, block) in [(0, 40), (6, 7), (6, 6), (8, 15), (64, 3)] {
        let mut face = Face::new(length, true);
        face.want(block);
        assert_eq!(face.have(ONE, 0, 100), [(ONE, block, false)]);
    }
    // A live tail.
    let mut face = Face::new(63, false);
    for block in 63..80 {
        assert_eq!(face.have(ONE, block, 1), [(ONE, block, false)]);
        assert_eq!(face.answer(ONE, data(block, true, block + 1)), []);
    }
    assert_eq!(face.feed.length, 80);
}

#[test]
fn what_is_wanted_anyway_shows_the_growth_rather_than_its_hash() {
    let mut face = Face::new(7, false);
    let asked = face.have(ONE, 7, 12);
    assert_eq!(asked.len(), 12);
    assert_eq!(asked[0], (ONE, 7, false));
    assert!(asked.iter().all(|(_, _, hash)| !hash));
    // While somebody else fetches it, the hash will do.
    let mut face = Face::new(7, false);
    face.have(ONE, 7, 1);
    let asked = face.have(OTHER, 7, 3);
    assert_eq!(asked[0], (OTHER, 7, true));
    assert_eq!(asked.len(), 3);
    face.answer(OTHER, data(7, false, 10));
    face.answer(ONE, data(7, true, 10));
    assert_eq!((face.feed.length, face.feed.blocks.contains(7)), (10, true));
}

#[test]
fn a_peer_that_can_show_nothing_is_not_asked_beyond_the_end() {
    let mut face = Face::new(7, true);
    face.want(3);
    face.want(20);
    assert_eq!(face.have(ONE, 0, 7), [(ONE, 3, false)]);
    assert_eq!(face.have(ONE, 8, 50), []);
    let available = |face: &Face, block| face.replicator.is_available(block, &face.feed);
    assert!(available(&face, 3) && !available(&face, 20));
    assert!(!face.replicator.is_length_available(10, &face.feed));
    assert_eq!(face.replicator.remote_length(), 58);
    // Another one shows it, though it has nothing that is wanted.
    assert_eq!(face.have(OTHER, 7, 1), [(OTHER, 7, true)]);
    assert!(available(&face, 20));
    assert!(face.replicator.is_length_available(10, &face.feed));
    // As far as it goes, and from there on the first one can.
    let asked = face.answer(OTHER, data(7, false, 9));
    assert_eq!(asked, [(ONE, 9, true), (ONE, 20, false)]);
    assert_eq!(face.feed.length, 9);
}

#[test]
fn an_answer_that_comes_too_early_is_kept_until_the_growth_is_stored() {
    let mut face = Face::new(6, true);
    face.want(40);
    face.have(ONE, 0, 100);
    assert_eq!(face.answer(ONE, data(40, true, 100)), []);
    face.want(41);
    assert_eq!(face.asked(), [(ONE, 41, false)]);
    assert_eq!(face.answer(ONE, data(6, false, 100)), []);
    assert!(face.feed.has(40) && face.lost.is_empty());
}

#[test]
fn of_answers_that_come_too_early_so_many_are_kept_and_no_more_bytes() {
    for (size, kept) in [(1, 16), (20 * 1024, 3)] {
        let mut face = Face::new(6, true);
        for block in 40..60 {
            face.want(block);
        }
        let asked = face.have(ONE, 0, 100);
        assert_eq!((asked[0], asked.len()), ((ONE, 6, true), 21));
        for block in 40..60 {
            // Not again while that would only be too early once more.
            let answer = Data {
                value: Some(vec![0; size].into()),
                ..data(block, true, 100)
            };
            assert_eq!(face.answer(ONE, answer), []);
        }
        let lost: Vec<u64> = (40 + kept..60).collect();
        assert_eq!(face.lost, lost);
        let again = sorted(face.answer(ONE, data(6, false, 100)));
        let lost = lost.into_iter().map(|block| (ONE, block, false));
        assert_eq!(again, lost.collect::<Vec<_>>());
        assert!((40..40 + kept).all(|block| face.feed.has(block)));
    }
}

#[test]
fn a_kept_answer_is_asked_for_elsewhere_when_what_would_show_the_growth_is_taken_back() {
    let mut face = Face::new(7, true);
    face.want(40);
    assert_eq!(face.have(ONE, 7, 60), [(ONE, 7, true), (ONE, 40, false)]);
    face.answer(ONE, data(40, true, 67));
    assert_eq!(face.have(OTHER, 7, 60), []);
    let asked = face.unhave(ONE, 7);
    assert_eq!(face.lost, [40]);
    assert_eq!(asked, [(OTHER, 7, true), (OTHER, 40, false)]);
}

#[test]
fn a_kept_answer_is_stored_when_another_peer_shows_the_growth() {
    let mut face = Face::new(7, true);
    face.want(40);
    face.have(ONE, 7, 60);
    face.answer(ONE, data(40, true, 67));
    face.want(Wish::Length(60));
    // The other one is asked since the first lets it wait.
    face.have(OTHER, 7, 60);
    face.now += Duration::from_secs(2);
    face.replicator.handle_timeout(face.now, &face.feed);
    assert_eq!(face.asked(), [(OTHER, 7, true)]);
    face.answer(OTHER, data(7, false, 67));
    assert!(face.feed.has(40) && face.lost.is_empty());
}

#[test]
fn a_growth_that_is_not_shown_after_all_is_shown_by_another_block() {
    let mut face = Face::new(8, true);
    let wish = face.want(40);
    assert_eq!(face.have(ONE, 8, 60), [(ONE, 8, true), (ONE, 40, false)]);
    assert_eq!(face.unhave(ONE, 8), []);
    face.want(41);
    assert_eq!(face.asked(), [(ONE, 9, true), (ONE, 41, false)]);
    // Too early, and then all that would show it is taken back: the peer is asked for no more, and nothing goes round in circles.
    face.answer(ONE, data(40, true, 68));
    for block in 9..16 {
        let asked = face.unhave(ONE, block);
        assert!(asked.iter().all(|asked| *asked == (ONE, block + 1, true)));
    }
    face.answer(ONE, data(41, true, 68));
    assert_eq!(face.asked(), []);
    assert!(!face.replicator.is_available(40, &face.feed));
    face.replicator.cancel(face.now, wish, &face.feed);
    assert_eq!(face.asked(), []);
}

#[test]
fn a_peer_that_never_shows_the_growth_is_left_for_it() {
    let mut face = Face::new(6, true);
    face.want(40);
    face.have(ONE, 0, 100);
    let mut ended = None;
    while let Some(next) = face.replicator.poll_timeout().filter(|_| ended.is_none()) {
        assert!(next < Duration::from_secs(60), "the wait ends");
        face.now = next;
        face.replicator.handle_timeout(face.now, &face.feed);
        ended = face.actions().into_iter().find_map(|action| match action {
            Action::Disconnect { peer, error } => Some((peer, error)),
            _ => None,
        });
    }
    assert_eq!(ended, Some((ONE, Error::RequestTimeout { block: 6 })));
}

#[test]
fn one_hash_tells_a_length_and_shows_it() {
    let mut face = Face::new(6, true);
    let wish = face.want(Wish::Length(50));
    // It doesn't claim to be so long.
    assert_eq!(face.have(ONE, 0, 20), []);
    assert_eq!(face.have(ONE, 20, 60), [(ONE, 6, true)]);
    face.feed.store(&data(6, false, 80));
    let (replicator, feed) = (&mut face.replicator, &face.feed);
    replicator.handle_message(face.now, ONE, Message::Data(data(6, false, 80)), feed);
    replicator.handle_stored(face.now, ONE, 6, false, feed);
    let resolved = face.actions().into_iter().find_map(|action| match action {
        Action::Resolved { wish, outcome } => Some((wish, outcome)),
        _ => None,
    });
    assert_eq!(resolved, Some((wish, Outcome::Grown { length: 80 })));
}

#[test]
fn the_last_block_is_asked_for_behind_a_hash_that_shows_the_growth() {
    let mut face = Face::new(6, true);
    let wish = face.want(Wish::Tip(50));
    assert_eq!(face.have(ONE, 0, 20), []);
    let asked = face.have(ONE, 20, 60);
    assert_eq!(asked, [(ONE, 6, true), (ONE, 79, false)]);
    face.answer(ONE, data(6, false, 80));
    face.answer(ONE, data(79, true, 80));
    assert_eq!((face.feed.length, face.feed.has(79)), (80, true));
    face.replicator.cancel(face.now, wish, &face.feed);
    assert_eq!(face.actions(), []);
    // Who can't show it isn't asked.
    let mut face = Face::new(6, true);
    face.want(Wish::Tip(7));
    assert_eq!(face.have(ONE, 8, 20), []);
    // And a block that shows it itself is enough.
    let mut face = Face::new(6, true);
    face.want(Wish::Tip(7));
    assert_eq!(face.have(ONE, 6, 2), [(ONE, 7, false)]);
}

#[test]
fn of_an_older_feed_only_what_leads_to_what_is_stored_is_asked_for_again() {
    let mut face = Face::new(9, true);
    for block in [0, 2, 4] {
        face.want(block);
    }
    assert_eq!(face.have(ONE, 0, 5).len(), 3);
    for block in [0, 2, 4] {
        assert_eq!(face.answer(ONE, data(block, true, 5)), []);
    }
    assert!(!face.replicator.is_available(0, &face.feed));
    // A neighbour comes from elsewhere.
    face.want(1);
    assert_eq!(face.have(OTHER, 1, 1), [(OTHER, 1, false)]);
    assert_eq!(face.answer(OTHER, data(1, true, 9)), [(ONE, 0, false)]);
    // And once it has a newer feed, all of it may be good.
    let asked = sorted(face.have(ONE, 8, 1));
    assert_eq!(asked, [(ONE, 2, false), (ONE, 4, false)]);
}

#[test]
fn of_a_range_the_first_block_is_found_that_none_of_the_peers_has() {
    let mut rng = testkit::Rng::new(5);
    for _ in 0..300 {
        let length = rng.below(12);
        let mut face = Face::new(length, true);
        face.feed.blocks = (0..length)
            .filter(|_| rng.below(3) == 0)
            .map(|block| block..block + 1)
            .collect();
        let mut had: BTreeSet<u64> = face.feed.blocks.iter().flatten().collect();
        for _ in 0..rng.below(8) {
            let peer = if rng.below(2) == 0 { ONE } else { OTHER };
            let (start, count) = (rng.below(25), 1 + rng.below(6));
            face.have(peer, start, count);
            had.extend(start..start + count);
        }
        // Without a block that shows the growth nothing behind the end is of use.
        let proving = face.feed.proving();
        let shown = proving.end == u64::MAX || proving.clone().any(|block| had.contains(&block));
        for start in 0..30 {
            let first = (start..start + 9)
                .find(|block| !had.contains(block) || *block >= proving.end && !shown);
            let found = face
                .replicator
                .first_unavailable(start..start + 9, &face.feed);
            assert_eq!(found, first, "{start} {had:?} {proving:?}");
        }
    }
}

#[test]
fn the_block_that_shows_the_growth_takes_the_last_place() {
    let config = Config {
        sparse: true,
        first_requests: 1,
        max_requests: 1,
        ..Config::default()
    };
    // Seventeen may be in flight.
    let mut face = Face::with(32, config);
    for block in (0..16).chain([80]) {
        face.want(block);
    }
    assert_eq!(face.have(ONE, 0, 16).len(), 16);
    assert_eq!(face.have(ONE, 32, 60), [(ONE, 32, true)]);
    // Once it has come there is room again.
    assert_eq!(face.answer(ONE, data(32, false, 92)), [(ONE, 80, false)]);
}

#[test]
fn an_older_feed_may_have_grown_in_silence() {
    let mut face = Face::new(9, true);
    face.want(0);
    let have = |bits: &'static [u8]| {
        Message::Have(Have {
            start: 0,
            length: Some(1 << 20),
            bitfield: Some(Bytes::from_static(bits)),
            ack: None,
        })
    };
    assert_eq!(face.say(OTHER, have(&[])), []);
    assert_eq!(face.say(ONE, have(&[2, 0xf8])), [(ONE, 0, false)]);
    assert_eq!(face.answer(ONE, data(0, true, 5)), []);
    // Nothing is announced where only hashes have come. So it is tried again, once in a minute.
    for minute in 1..4 {
        face.now = Duration::from_secs(60 * minute);
        assert_eq!(face.replicator.poll_timeout(), Some(face.now));
        face.replicator.handle_timeout(face.now, &face.feed);
        assert_eq!(face.asked(), [(ONE, 0, false)]);
        assert_eq!(face.answer(ONE, data(0, true, 5)), []);
    }
}

#[test]
fn what_a_peer_said_before_its_feed_grew_is_not_held_against_it() {
    let mut face = Face::new(5, true);
    face.want(1);
    assert_eq!(face.have(ONE, 0, 5), [(ONE, 1, false)]);
    // Meanwhile it is known how the feed goes on, and the peer knows as well.
    face.feed.length = 9;
    face.have(ONE, 5, 4);
    assert_eq!(face.answer(ONE, data(1, true, 5)), [(ONE, 1, false)]);
    // Who says the same again is asked no more.
    assert_eq!(face.answer(ONE, data(1, true, 5)), []);
}

#[test]
fn the_first_request_to_a_peer_wants_a_whole_proof_if_a_feed_is_known() {
    let digests = |length: u64| {
        let mut face = Face::new(length, true);
        face.feed.hashes.insert(2..4);
        face.want(2);
        face.want(3);
        let have = Have {
            start: 0,
            length: Some(9),
            bitfield: None,
            ack: None,
        };
        let (now, have) = (face.now, Message::Have(have));
        face.replicator.handle_message(now, ONE, have, &face.feed);
        let sent = face
            .actions()
            .into_iter()
            .filter_map(|action| match action {
                Action::Send {
                    message: Message::Request(request),
                    ..
                } => request.nodes,
                _ => None,
            });
        sent.collect::<Vec<_>>()
    };
    // Which history the peer has is seen from the first answer; a copy that knows nothing has nothing to compare.
    assert_eq!(digests(9), [0, 1]);
    assert_eq!(digests(0), [1]);
}

#[test]
fn strict_copies_of_a_feed_that_grows_end_complete_and_leave_little_aside() {
    for seed in 0..20 {
        let mut world = World::new(seed);
        // A hash may be asked for twice.
        world.strict = false;
        let writer = world.writer(3 * seed);
        let strict = Model {
            strict: true,
            ..Model::default()
        };
        let readers = [0, 1].map(|_| world.add(Config::default(), strict.clone()));
        for reader in readers {
            world.join(writer, reader, true);
        }
        world.join(readers[0], readers[1], true);
        for count in [1, 1, 70, 1, 2, 300, 1] {
            for _ in 0..20 {
                world.step();
            }
            world.append(writer, count);
        }
        world.settle();
        let length = world.nodes[writer].feed.length;
        for reader in readers {
            let node = &world.nodes[reader];
            assert!(node.feed.length == length && node.feed.is_full(), "{seed}");
            // Stored in random order, so that much comes too early.
            let again = node.requested.saturating_sub(length);
            assert!(again <= length, "{again} of {length} again");
        }
    }
}
