//! The log, the replicator between its peers, and who waits for what: changed together, under one lock.

use std::{collections::BTreeMap, sync::Weak, time::Duration};

use async_channel::Sender;
use feed::Feed;
use replicate::{Action, Outcome, PeerId, Replicator, WishId};

use crate::{
    Event,
    extension::{Incoming, Name},
    mailbox::Mailbox,
    ready::Bell,
    slot::Slot,
    stats::Counters,
    view::View,
};

/// What the lock of a feed guards.
pub(crate) struct State {
    pub(crate) feed: Feed,
    pub(crate) replicator: Replicator,
    pub(crate) peers: BTreeMap<PeerId, Slot>,
    pub(crate) wishes: BTreeMap<WishId, Sender<Outcome>>,
    pub(crate) next_peer: u64,
    pub(crate) totals: Counters,
    pub(crate) extensions: BTreeMap<Name, Mailbox<Incoming>>,
    /// The connections that carry the feed, or are about to.
    pub(crate) connections: Vec<Weak<Bell>>,
    /// The wish for a longer feed that is always there if the length is to be followed.
    eager: Eager,
    /// To be announced once the lock is given back.
    pub(crate) news: Vec<Event>,
}

/// Whether a sparse feed follows its length, see [`Builder::eager_update`](crate::Builder::eager_update).
enum Eager {
    Off,
    /// A wish has to be made.
    Due,
    Wished(WishId),
}

impl State {
    /// `follow` says whether a longer feed is always to be wished for.
    pub(crate) fn new(feed: Feed, replicator: Replicator, follow: bool) -> Self {
        State {
            feed,
            replicator,
            peers: BTreeMap::new(),
            wishes: BTreeMap::new(),
            next_peer: 0,
            totals: Counters::default(),
            extensions: BTreeMap::new(),
            connections: Vec::new(),
            eager: match follow {
                true => Eager::Due,
                false => Eager::Off,
            },
            news: Vec::new(),
        }
    }

    /// Sees to it that a longer feed is wished for if its length is to be followed.
    pub(crate) fn follow(&mut self, now: Duration) {
        if let Eager::Due = self.eager {
            let wish = replicate::Wish::Length(self.feed.length().saturating_add(1));
            let id = self.replicator.want(now, wish, &View(&self.feed));
            self.eager = Eager::Wished(id);
        }
    }

    /// Whether some peer has opened the feed, and is told what is new.
    pub(crate) fn is_listened_to(&self) -> bool {
        self.peers.values().any(Slot::is_open)
    }

    /// The names of our extensions, in the order of their numbers.
    pub(crate) fn names(&self) -> Vec<String> {
        self.extensions.keys().map(|name| name.0.clone()).collect()
    }

    /// Tells all peers which extensions we have now. Messages behind it are numbered accordingly.
    pub(crate) fn tell_names(&mut self) {
        let names = self.names();
        for slot in self.peers.values_mut() {
            slot.tell_names(&names);
        }
    }

    pub(crate) fn count(&mut self, peer: PeerId, count: impl Fn(&mut Counters)) {
        count(&mut self.totals);
        if let Some(slot) = self.peers.get_mut(&peer) {
            count(&mut slot.counters);
        }
    }

    /// Brings each action to the connection or the caller that it is for.
    pub(crate) fn hand_out(&mut self) {
        while let Some(action) = self.replicator.poll_action() {
            let peer = match &action {
                Action::Acknowledged { peer, block } => {
                    self.news.push(Event::Ack {
                        block: *block,
                        peer: *peer,
                    });
                    continue;
                }
                Action::Announced { peer, length } => {
                    self.news.push(Event::RemoteUpdate {
                        peer: *peer,
                        remote_length: *length,
                    });
                    continue;
                }
                Action::Resolved { wish, outcome } => {
                    let (wish, outcome) = (*wish, *outcome);
                    if let Eager::Wished(eager) = self.eager
                        && eager == wish
                    {
                        self.eager = Eager::Due;
                    }
                    if let Some(sender) = self.wishes.remove(&wish) {
                        // The one who wished may have gone.
                        let _ = sender.try_send(outcome);
                    }
                    continue;
                }
                Action::Send { peer, .. }
                | Action::Serve { peer, .. }
                | Action::Store { peer, .. }
                | Action::Close { peer }
                | Action::Disconnect { peer, .. } => *peer,
                _ => continue,
            };
            if let Some(slot) = self.peers.get_mut(&peer) {
                slot.push(action);
            }
        }
    }
}
