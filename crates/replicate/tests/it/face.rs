//! One replicator face to face with a test that plays its peer.

use std::time::Duration;

use bytes::Bytes;
use hypercore_replicate::{Action, Config, Error, PeerConfig, PeerId, Replicator};
use wire::{Have, Message, Request, Want};

use crate::model::Model;

pub(crate) const PEER: PeerId = PeerId(1);
pub(crate) const WINDOW: u64 = 1 << 20;

/// One replicator, and the test as its peer.
pub(crate) struct Face {
    pub(crate) replicator: Replicator,
    pub(crate) feed: Model,
    pub(crate) now: Duration,
}

impl Face {
    pub(crate) fn new(config: Config, feed: Model) -> Self {
        let mut face = Face {
            replicator: Replicator::new(config),
            feed,
            now: Duration::ZERO,
        };
        face.join();
        face
    }

    /// The peer comes, or comes again.
    pub(crate) fn join(&mut self) {
        let config = PeerConfig {
            live: true,
            ..PeerConfig::default()
        };
        self.replicator.add_peer(self.now, PEER, config, &self.feed);
        self.drain();
    }

    pub(crate) fn reader() -> Self {
        Face::new(Config::default(), Model::default())
    }

    pub(crate) fn say(&mut self, message: Message) -> Vec<Action> {
        self.replicator
            .handle_message(self.now, PEER, message, &self.feed);
        self.drain()
    }

    pub(crate) fn drain(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.replicator.poll_action()).collect()
    }

    pub(crate) fn have(&mut self, start: u64, length: u64) -> Vec<Action> {
        self.say(Message::Have(Have {
            start,
            length: Some(length),
            bitfield: None,
            ack: None,
        }))
    }

    /// Asks for a window.
    pub(crate) fn want(&mut self, window: u64) -> Vec<Action> {
        self.say(Message::Want(Want {
            start: window * WINDOW,
            length: Some(WINDOW),
        }))
    }

    pub(crate) fn picture(&mut self, start: u64, bitfield: &[u8]) -> Vec<Action> {
        self.say(Message::Have(Have {
            start,
            length: Some(WINDOW),
            bitfield: Some(Bytes::copy_from_slice(bitfield)),
            ack: None,
        }))
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.replicator.peers().count() == 1
    }
}

pub(crate) fn request(index: u64) -> Request {
    Request {
        index,
        bytes: Some(0),
        hash: Some(false),
        nodes: Some(0),
    }
}

pub(crate) fn sent(actions: &[Action]) -> Vec<&Message> {
    let sends = actions.iter().filter_map(|action| match action {
        Action::Send { message, .. } => Some(message),
        _ => None,
    });
    sends.collect()
}

pub(crate) fn error(actions: &[Action]) -> Option<&Error> {
    actions.iter().find_map(|action| match action {
        Action::Disconnect { peer: PEER, error } => Some(error),
        _ => None,
    })
}
