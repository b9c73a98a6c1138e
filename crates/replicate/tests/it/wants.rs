//! Answers to Wants, bit for bit.

use std::time::Duration;

use bytes::Bytes;
use hypercore_replicate::{Action, Config, Limits, PeerConfig, PeerId, Replicator};
use wire::{Have, Message, Unwant, Want};

use crate::{
    face::{Face, WINDOW, sent},
    model::Model,
};

/// What is sent in answer to Wants for these windows.
fn answers(feed: &Model, windows: &[u64]) -> Vec<Have> {
    let config = Config {
        downloading: false,
        ..Config::default()
    };
    let (now, peer) = (Duration::ZERO, PeerId(7));
    let mut replicator = Replicator::new(config);
    replicator.add_peer(now, peer, PeerConfig::default(), feed);
    for window in windows {
        let want = Want {
            start: window * WINDOW,
            length: Some(WINDOW),
        };
        replicator.handle_message(now, peer, Message::Want(want), feed);
    }
    let actions = std::iter::from_fn(|| replicator.poll_action());
    actions
        .filter_map(|action| match action {
            Action::Send {
                message: Message::Have(have),
                ..
            } => Some(have),
            _ => None,
        })
        .collect()
}

fn picture(window: u64, bitfield: &'static [u8]) -> Have {
    Have {
        start: window * WINDOW,
        length: Some(WINDOW),
        bitfield: Some(Bytes::from_static(bitfield)),
        ack: None,
    }
}

fn tip(start: u64) -> Have {
    Have {
        start,
        length: None,
        bitfield: None,
        ack: None,
    }
}

#[test]
fn last_block_comes_before_the_first_answer_only() {
    let answers = answers(&Model::full(12), &[0, 0]);
    let first = picture(0, &[0x07, 0x02, 0xf0]);
    assert_eq!(answers, [tip(11), first.clone(), first]);
}

#[test]
fn empty_feed_answers_without_a_tip() {
    assert_eq!(answers(&Model::default(), &[0]), [picture(0, &[])]);
}

#[test]
fn feed_whose_last_block_is_missing_has_no_tip() {
    let feed = Model::with(16, 0..8);
    assert_eq!(answers(&feed, &[0]), [picture(0, &[0x07])]);
}

#[test]
fn windows_are_cut_at_the_end_of_the_feed() {
    let feed = Model::full(2 * WINDOW + 3);
    let full = &[0x83, 0x80, 0x20];
    let answers = answers(&feed, &[1, 2, 3, 1 << 30]);
    assert_eq!(
        answers,
        [
            tip(2 * WINDOW + 2),
            picture(1, full),
            picture(2, &[0x02, 0xe0]),
            picture(3, &[]),
            picture(1 << 30, &[]),
        ]
    );
}

#[test]
fn nothing_is_answered_without_uploading() {
    let feed = Model::full(5);
    let config = Config {
        uploading: false,
        ..Config::default()
    };
    let (now, peer) = (Duration::ZERO, PeerId(7));
    let mut replicator = Replicator::new(config);
    replicator.add_peer(now, peer, PeerConfig::default(), &feed);
    while replicator.poll_action().is_some() {}
    let want = Want {
        start: 0,
        length: Some(WINDOW),
    };
    replicator.handle_message(now, peer, Message::Want(want), &feed);
    assert_eq!(replicator.poll_action(), None);
}

#[test]
fn wants_that_are_taken_back_are_not_answered() {
    let config = Config {
        limits: Limits {
            // One answer, and the next a second later.
            want_bytes: 1024,
            ..Limits::default()
        },
        ..Config::default()
    };
    let mut face = Face::new(config, Model::full(10));
    let mut heard = face.want(0);
    heard.extend(face.want(1));
    heard.extend(face.want(2));
    face.say(Message::Unwant(Unwant {
        start: WINDOW,
        length: Some(WINDOW),
    }));
    for _ in 0..5 {
        face.now += Duration::from_secs(1);
        face.replicator.handle_timeout(face.now, &face.feed);
        heard.extend(face.drain());
    }
    let windows = sent(&heard)
        .into_iter()
        .filter_map(|message| match message {
            Message::Have(have) => have.bitfield.as_ref().map(|_| have.start / WINDOW),
            _ => None,
        });
    assert_eq!(windows.collect::<Vec<u64>>(), [0, 2]);
}
