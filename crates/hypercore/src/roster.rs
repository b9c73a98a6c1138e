//! The feeds on one connection, and which of them want what of it: to be visited, to serve, to be woken at some time, or that
//! nothing be read just now.
//!
//! Whatever a turn asks of them is at hand, so that it costs nothing to have thousands that are silent.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use crypto::DiscoveryKey;
use protocol::{Channel, Connection};
use wire::Message;

use crate::{Error, Result, attached::Attached};

/// Requests are answered until as much as this waits to be sent.
pub(crate) const SEND_AHEAD: usize = 512 * 1024;

/// And again once no more than this does: then there is room for several large blocks, which are checked side by side.
const SEND_AGAIN: usize = SEND_AHEAD / 2;

/// The feeds on a connection.
#[derive(Default)]
pub(crate) struct Roster {
    feeds: BTreeMap<DiscoveryKey, Attached>,
    channels: BTreeMap<Channel, DiscoveryKey>,
    /// Those with requests, each of which is answered in turn.
    serving: VecDeque<DiscoveryKey>,
    /// Those whose remote asks for more than it takes.
    full: BTreeSet<DiscoveryKey>,
    deadlines: BTreeSet<(Duration, DiscoveryKey)>,
}

/// What the feed wants that was visited last.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    serving: bool,
    full: bool,
    deadline: Option<Duration>,
}

impl Roster {
    /// Puts a feed on a channel. One that is on it already stays as it is.
    pub(crate) fn insert(&mut self, channel: Channel, feed: impl FnOnce() -> Attached) {
        if self.channels.contains_key(&channel) {
            return;
        }
        let feed = feed();
        let name = feed.name();
        // A channel that was closed a moment ago has given up its name.
        self.remove(&name);
        self.channels.insert(channel, name);
        self.feeds.insert(name, feed);
    }

    /// Takes a feed off.
    pub(crate) fn remove(&mut self, name: &DiscoveryKey) -> Option<Attached> {
        let mut feed = self.feeds.remove(name)?;
        // What came before it left counts.
        feed.take_in();
        self.channels.remove(&feed.channel());
        self.full.remove(name);
        if let Some(deadline) = feed.wants.deadline {
            self.deadlines.remove(&(deadline, *name));
        }
        if feed.wants.serving {
            self.serving.retain(|serving| serving != name);
        }
        Some(feed)
    }

    pub(crate) fn contains(&self, name: &DiscoveryKey) -> bool {
        self.feeds.contains_key(name)
    }

    /// Whether large blocks come for some feed.
    pub(crate) fn delivers_much(&self) -> bool {
        self.feeds.values().any(Attached::delivers_much)
    }

    pub(crate) fn on(&mut self, channel: Channel) -> Option<&mut Attached> {
        let name = self.channels.get(&channel)?;
        self.feeds.get_mut(name)
    }

    pub(crate) fn names(&self) -> Vec<DiscoveryKey> {
        self.feeds.keys().copied().collect()
    }

    /// The connection isn't live any longer.
    pub(crate) fn finish(&mut self) {
        for feed in self.feeds.values_mut() {
            feed.finish();
        }
    }

    /// A message has come for a feed.
    pub(crate) fn handle(&mut self, channel: Channel, message: Message) {
        if let Some(feed) = self.on(channel) {
            feed.handle(message);
            feed.ring();
        }
    }

    /// Does what a feed has left to be done. Says whether it is to be taken off.
    ///
    /// # Errors
    /// Whatever ends the connection.
    pub(crate) async fn visit(
        &mut self,
        name: &DiscoveryKey,
        connection: &mut Connection,
    ) -> Result<bool> {
        let Some(feed) = self.feeds.get_mut(name) else {
            return Ok(false);
        };
        feed.answer();
        if feed.core().check_open().is_err() {
            connection.close(feed.channel());
            return Ok(true);
        }
        unless_closed(feed.work(connection).await)?;
        if feed.is_closed() {
            return Ok(true);
        }
        self.note(name);
        Ok(false)
    }

    /// Answers requests as far as there is room, some of each feed in turn.
    ///
    /// # Errors
    /// As [`visit`](Self::visit).
    pub(crate) fn serve(&mut self, connection: &mut Connection) -> Result<()> {
        if connection.queued() > SEND_AGAIN {
            return Ok(());
        }
        while connection.queued() < SEND_AHEAD
            && let Some(name) = self.serving.pop_front()
        {
            if let Some(feed) = self.feeds.get_mut(&name) {
                feed.wants.serving = false;
                unless_closed(feed.serve(connection))?;
                self.note(&name);
            }
        }
        Ok(())
    }

    /// Lets time pass for the feeds whose it is.
    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        while let Some((due, name)) = self.deadlines.first().copied()
            && due <= now
        {
            self.deadlines.pop_first();
            if let Some(feed) = self.feeds.get_mut(&name) {
                feed.wants.deadline = None;
                feed.handle_timeout(now);
                feed.ring();
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Whether the remote takes what it asks for. While it doesn't, it is not listened to.
    pub(crate) fn wants_input(&self) -> bool {
        self.full.is_empty()
    }

    /// Keeps at hand what a feed wants.
    fn note(&mut self, name: &DiscoveryKey) {
        let Some(feed) = self.feeds.get_mut(name) else {
            return;
        };
        if feed.has_requests() && !feed.wants.serving {
            feed.wants.serving = true;
            self.serving.push_back(*name);
        }
        let full = !feed.wants_input();
        if full != feed.wants.full {
            feed.wants.full = full;
            match full {
                true => self.full.insert(*name),
                false => self.full.remove(name),
            };
        }
        let deadline = feed.deadline();
        if deadline != feed.wants.deadline {
            if let Some(old) = feed.wants.deadline {
                self.deadlines.remove(&(old, *name));
            }
            if let Some(new) = deadline {
                self.deadlines.insert((new, *name));
            }
            feed.wants.deadline = deadline;
        }
    }
}

/// A feed that is closed here meanwhile is taken off the connection at the next visit, and the others go on.
fn unless_closed<T: Default>(worked: Result<T>) -> Result<T> {
    match worked {
        Err(Error::Closed) => Ok(T::default()),
        worked => worked,
    }
}
