//! `ack.js`: whoever asks for it is told of each block that its peer has stored.
//!
//! JavaScript hears of it on a stream, we on the feed, with the peer that confirms. Of what goes between two feeds both see the same.

use std::collections::BTreeMap;

use hypercore::{Event, Events, Hypercore, PeerId, Replicate};

use crate::{
    net::Socket,
    stage::{Stage, finished, heard, play},
};

/// The Noise keys of those who confirmed, and which blocks, each as often as it was.
type Confirmed = BTreeMap<[u8; 32], Vec<u64>>;

/// Hears what is confirmed to a feed.
struct Acks {
    events: Events,
    keys: BTreeMap<PeerId, [u8; 32]>,
}

impl Acks {
    fn to(feed: &Hypercore) -> Self {
        Acks {
            events: feed.events(),
            keys: BTreeMap::new(),
        }
    }

    /// What was confirmed since the last time that this was asked.
    async fn take(&mut self) -> Confirmed {
        let mut confirmed = Confirmed::new();
        for event in heard(&mut self.events).await {
            match event {
                Event::PeerOpen {
                    peer,
                    remote_public_key: Some(key),
                } => {
                    self.keys.insert(peer, key);
                }
                Event::Ack { block, peer } => {
                    confirmed.entry(self.keys[&peer]).or_default().push(block);
                }
                _ => {}
            }
        }
        confirmed.values_mut().for_each(|blocks| blocks.sort());
        confirmed
    }
}

fn by(feed: &Hypercore, blocks: impl IntoIterator<Item = u64>) -> Confirmed {
    [(feed.noise_public_key(), blocks.into_iter().collect())].into()
}

fn ack(end: Replicate<Socket>) -> Replicate<Socket> {
    end.ack(true)
}

#[test]
fn replicate_with_ack() {
    play(|stage| async move {
        let feed = stage.feed(&[]).await;
        let clone = stage.copy(&feed).await;
        let (mut acks, mut none) = (Acks::to(&feed), Acks::to(&clone));
        stage.connect(
            &feed,
            &clone,
            |end| end.live(true).ack(true),
            |end| end.live(true),
        );
        stage.quiet().await;
        feed.append_batch(["a", "b", "c"]).await.unwrap();
        stage.quiet().await;
        assert_eq!(acks.take().await, by(&clone, 0..3));
        assert_eq!(none.take().await, Confirmed::new());
    });
}

#[test]
fn ack_only_when_something_is_downloaded() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c"]).await;
        let clone = stage.copy(&feed).await;
        let (mut acks, mut none) = (Acks::to(&feed), Acks::to(&clone));
        stage.exchange(&clone, &feed).await;
        assert_eq!(acks.take().await, Confirmed::new(), "nobody has asked");
        feed.append_batch(["d", "e"]).await.unwrap();
        finished(stage.connect(&feed, &clone, ack, |end| end)).await;
        assert_eq!(acks.take().await, by(&clone, 3..5));
        assert_eq!(none.take().await, Confirmed::new());
    });
}

#[test]
fn simultaneous_replication_with_ack_and_no_ack() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c"]).await;
        let (one, other) = (stage.copy(&feed).await, stage.copy(&feed).await);
        let mut acks = [&feed, &one, &other].map(Acks::to);
        let first = stage.connect(&feed, &one, ack, |end| end);
        let second = stage.connect(&feed, &other, |end| end, |end| end);
        finished(first).await;
        finished(second).await;
        assert_eq!(acks[0].take().await, by(&one, 0..3));
        assert_eq!(acks[1].take().await, Confirmed::new());
        assert_eq!(acks[2].take().await, Confirmed::new());
    });
}

/// A feed asks two clones at once, which may ask as well. Each of them confirms everything once, and to them nothing is confirmed.
async fn two_at_once(stage: Stage, of_clones: fn(Replicate<Socket>) -> Replicate<Socket>) {
    let feed = stage.feed(&["a", "b", "c"]).await;
    let clones = [stage.copy(&feed).await, stage.copy(&feed).await];
    let mut acks = Acks::to(&feed);
    let mut none = [&clones[0], &clones[1]].map(Acks::to);
    let ends = [&clones[0], &clones[1]].map(|to| stage.connect(&feed, to, ack, of_clones));
    for ends in ends {
        finished(ends).await;
    }
    let mut both = by(&clones[0], 0..3);
    both.extend(by(&clones[1], 0..3));
    assert_eq!(acks.take().await, both);
    for none in &mut none {
        assert_eq!(none.take().await, Confirmed::new());
    }
}

#[test]
fn simultaneous_replication_with_two_acks() {
    play(|stage| two_at_once(stage, |end| end));
}

#[test]
fn acks_where_clones_should_not_ack() {
    // The clones ask too, but nobody stores anything that they have sent.
    play(|stage| two_at_once(stage, ack));
}

#[test]
fn transitive_clone_acks() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c"]).await;
        let (middle, last) = (stage.copy(&feed).await, stage.copy(&feed).await);
        let mut acks = [&feed, &middle, &last].map(Acks::to);
        let live = |end: Replicate<Socket>| end.live(true).ack(true);
        stage.connect(&feed, &middle, live, live);
        stage.connect(&middle, &last, live, live);
        stage.quiet().await;
        assert_eq!(last.downloaded(..), 3);
        assert_eq!(acks[0].take().await, by(&middle, 0..3));
        assert_eq!(acks[1].take().await, by(&last, 0..3));
        assert_eq!(acks[2].take().await, Confirmed::new());
    });
}

/// What happens in a network of ten, one after the other.
enum Step {
    /// The author appends so many blocks.
    Append(usize),
    /// Two exchange all they have, and both ask for acknowledgements.
    Connect(usize, usize),
}

#[test]
fn larger_gossip_network_acks() {
    use Step::{Append, Connect};
    const STEPS: [Step; 24] = [
        Append(1),
        Connect(0, 1),
        Append(2),
        Connect(1, 2),
        Connect(0, 1),
        Append(3),
        Connect(0, 5),
        Connect(2, 5),
        Connect(5, 6),
        Connect(1, 6),
        Append(2),
        Connect(4, 2),
        Connect(0, 7),
        Connect(4, 7),
        Connect(4, 5),
        Connect(5, 8),
        Append(3),
        Connect(0, 8),
        Connect(5, 9),
        Connect(8, 4),
        Append(4),
        Connect(9, 0),
        Connect(2, 9),
        // Beyond theirs: both have everything, and nothing is left to confirm.
        Connect(2, 0),
    ];
    play(|stage| async move {
        let mut feeds = vec![stage.feed(&[]).await];
        for _ in 1..10 {
            feeds.push(stage.copy(&feeds[0]).await);
        }
        let number = |key| feeds.iter().position(|feed| feed.noise_public_key() == key);
        let mut acks: Vec<Acks> = feeds.iter().map(Acks::to).collect();
        for step in &STEPS {
            match *step {
                Append(count) => {
                    for _ in 0..count {
                        feeds[0].append("x").await.unwrap();
                    }
                }
                Connect(a, b) => finished(stage.connect(&feeds[a], &feeds[b], ack, ack)).await,
            }
        }
        let mut all: BTreeMap<(usize, usize), Vec<u64>> = BTreeMap::new();
        for (to, acks) in acks.iter_mut().enumerate() {
            for (key, blocks) in acks.take().await {
                all.insert((to, number(key).unwrap()), blocks);
            }
        }
        let expected = [
            ((0, 1), 0..3),
            ((0, 5), 0..6),
            ((0, 7), 0..8),
            ((0, 8), 8..11),
            ((0, 9), 8..15),
            ((1, 2), 0..1),
            ((2, 4), 0..6),
            ((4, 5), 6..8),
            ((5, 2), 1..6),
            ((5, 6), 0..6),
            ((5, 8), 0..8),
            ((5, 9), 0..8),
            ((6, 1), 3..6),
            ((7, 4), 6..8),
            ((8, 4), 8..11),
            ((9, 2), 6..15),
        ];
        assert_eq!(
            all,
            expected.map(|(who, blocks)| (who, blocks.collect())).into()
        );
    });
}
