//! One feed on one connection: its messages to the replicator and back, its blocks to the files and from there.

use std::{collections::VecDeque, io, sync::Arc, time::Duration};

use bytes::Bytes;
use crypto::DiscoveryKey;
use merkle::RemoteTree;
use protocol::{Channel, Connection};
use replicate::{Action, PeerConfig};
use wire::{Message, Request};

use crate::{
    ConnectionHandle, Counters, Error, Event, FeedOptions, Result, StorageError,
    core::Core,
    discovery::Expected,
    member::{Joining, Member, Served},
    observe,
    ready::Bell,
    roster::{SEND_AHEAD, Wants},
    serve::{Answer, serve},
    store::{Arrival, store},
};

/// How many requests are answered before other feeds have their turn.
const SERVED_TOGETHER: usize = 64;

/// So many bytes of blocks at a time are worth more room to read to.
const MUCH: usize = 32 * 1024;

/// A feed on a connection.
pub(crate) struct Attached {
    core: Arc<Core>,
    /// As long as it may turn out that the remote has it.
    expected: Option<Expected>,
    name: DiscoveryKey,
    channel: Channel,
    terms: Terms,
    /// Rung when there is something to do here.
    bell: Arc<Bell>,
    pub(crate) wants: Wants,
    /// We have closed it, being done with it.
    closed: bool,
    /// Our place among the peers.
    member: Member,
    observed: observe::Channel,
    /// What has come for the replicator.
    messages: Vec<Message>,
    actions: VecDeque<Action>,
    /// Blocks that arrived and wait to be checked and stored together.
    arrived: Vec<Arrival>,
    /// How many bytes of blocks were stored the last time.
    stored: usize,
    /// Requests that wait for room in the send queue.
    requests: VecDeque<Request>,
    /// What the remote is known to have of the tree.
    remote_tree: RemoteTree,
}

/// How a feed is on a connection.
pub(crate) struct Terms {
    pub(crate) options: FeedOptions,
    pub(crate) live: bool,
    /// When to give up hope that the remote has it.
    pub(crate) hope_until: Duration,
    pub(crate) remote_public_key: Option<[u8; 32]>,
}

impl Attached {
    pub(crate) fn new(
        feed: Expected,
        channel: Channel,
        terms: Terms,
        connection: ConnectionHandle,
    ) -> Self {
        let core = Arc::clone(feed.core());
        let name = core.discovery_key();
        let ready = &connection.shared().ready;
        let bell = Arc::new(Bell::new(name, Arc::clone(ready)));
        core.attach(&bell);
        // It may have been closed just before, and nobody else would say so.
        bell.ring();
        let member = core.join(Joining {
            bell: Arc::clone(&bell),
            config: PeerConfig {
                live: terms.live,
                download_only: !terms.options.upload,
                upload_only: !terms.options.download,
                ack: terms.options.ack,
                max_requests: terms.options.max_requests,
                ..PeerConfig::default()
            },
            connection,
            remote_public_key: terms.remote_public_key,
        });
        Attached {
            observed: observe::Channel::new(&core, member.id()),
            core,
            expected: Some(feed),
            name,
            channel,
            terms,
            bell,
            wants: Wants::default(),
            closed: false,
            member,
            messages: Vec::new(),
            actions: VecDeque::new(),
            arrived: Vec::new(),
            stored: 0,
            requests: VecDeque::new(),
            remote_tree: RemoteTree::default(),
        }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(crate) fn name(&self) -> DiscoveryKey {
        self.name
    }

    pub(crate) fn channel(&self) -> Channel {
        self.channel
    }

    /// Has it visited.
    pub(crate) fn ring(&self) {
        self.bell.ring();
    }

    /// The visit begins.
    pub(crate) fn answer(&self) {
        self.bell.answer();
    }

    /// Whether the blocks that came last were many bytes, and were what they had to be.
    pub(crate) fn delivers_much(&self) -> bool {
        self.stored >= MUCH
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Both sides have opened the feed: they can begin.
    pub(crate) fn open(&mut self, connection: &Connection) {
        let dialect = connection.dialect().unwrap_or_default();
        self.member.open(connection.remote_public_key(), dialect);
        // Now the remote is asked what it has, which is hope enough.
        self.expected = None;
    }

    /// The connection isn't live any longer.
    pub(crate) fn finish(&mut self) {
        self.terms.live = false;
        self.member.finish();
    }

    /// A message has come. Those for the replicator are kept until [`take_in`](Self::take_in).
    pub(crate) fn handle(&mut self, message: Message) {
        let id = self.member.id();
        match message {
            Message::Extension(extension) => {
                self.take_in();
                self.core.handle_extension(id, extension);
            }
            message => {
                if let Message::Options(options) = &message {
                    self.core.handle_names(id, &options.extensions);
                }
                self.messages.push(message);
            }
        }
    }

    /// Tells the replicator what has come, all at once.
    pub(crate) fn take_in(&mut self) {
        if self.messages.is_empty() {
            return;
        }
        let (id, messages) = (self.member.id(), std::mem::take(&mut self.messages));
        self.core.replicate(|replicator, now, view| {
            for message in messages {
                replicator.handle_message(now, id, message, view);
            }
        });
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let hope = self.expected.as_ref().map(|_| self.terms.hope_until);
        hope.into_iter().chain(self.core.deadline()).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        self.expected.take_if(|_| self.terms.hope_until <= now);
        self.core
            .replicate(|replicator, now, view| replicator.handle_timeout(now, view));
    }

    /// Does what the replicator wants done.
    ///
    /// # Errors
    /// Whatever ends the connection.
    pub(crate) async fn work(&mut self, connection: &mut Connection) -> Result<()> {
        self.take_in();
        self.member.take_actions(&mut self.actions)?;
        while let Some(action) = self.actions.pop_front() {
            self.perform(action, connection)?;
        }
        self.store().await
    }

    fn perform(&mut self, action: Action, connection: &mut Connection) -> Result<()> {
        match action {
            Action::Send { message, .. } => {
                self.observed.sent(&self.core, &message);
                connection.send(self.channel, &message)?;
            }
            Action::Serve { request, .. } => self.requests.push_back(request),
            Action::Store { data, .. } => {
                self.observed.answered(&self.core, data.index);
                self.arrived.push(data.into());
            }
            Action::Close { .. } => {
                connection.close(self.channel);
                self.closed = true;
            }
            Action::Disconnect { error, .. } => return Err(error.into()),
            _ => {}
        }
        Ok(())
    }

    async fn store(&mut self) -> Result<()> {
        if self.arrived.is_empty() {
            return Ok(());
        }
        if self.core.is_paused() {
            return Ok(());
        }
        // Kept until they are stored: a disk that is full now may have room again. Meanwhile no more is asked for, and what
        // the remote asks for is served.
        let storing = store(&self.core, Some(&self.member), &self.arrived);
        let stored = self.observed.around(storing).await;
        if let Err(error) = &stored
            && error.is_verification()
        {
            let id = self.member.id();
            self.core.state().count(id, Counters::refused);
            self.core.observer().refused(&self.core, id, error);
        }
        if let Err(Error::Disk(error)) = &stored {
            let reason = match error {
                StorageError::Io { source, .. } => source.kind(),
                _ => io::ErrorKind::Other,
            };
            self.core.pause();
            self.core.announce(Event::WriteFailed { reason });
            return Ok(());
        }
        let values = self
            .arrived
            .iter()
            .filter_map(|arrival| arrival.value.as_ref());
        self.stored = values.map(Bytes::len).sum();
        self.arrived = Vec::new();
        stored
    }

    /// Whether requests wait to be answered.
    pub(crate) fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }

    /// Answers the next requests, as far as the remote still waits for them and there is room.
    ///
    /// # Errors
    /// [`Error::Disk`](crate::Error::Disk), or if the connection has ended.
    pub(crate) fn serve(&mut self, connection: &mut Connection) -> Result<()> {
        let room = SEND_AHEAD.saturating_sub(connection.queued());
        let most = self.requests.len().min(SERVED_TOGETHER);
        let next = self.requests.drain(..most).collect();
        let next = self.core.begin_serving(self.member.id(), next);
        let remote_tree = &mut self.remote_tree;
        let serving = || serve(&self.core, &next, room, remote_tree);
        let answers = self.observed.during(serving)?;
        for request in next.iter().skip(answers.len()).rev() {
            self.requests.push_front(*request);
        }
        let mut done = Vec::with_capacity(answers.len());
        for (request, answer) in next.into_iter().zip(answers) {
            done.push(Served {
                request,
                block: answer.as_ref().map(|answer| answer.data.index),
                len: answer.as_ref().and_then(Answer::len),
                found: answer.as_ref().and_then(|answer| answer.found),
            });
            if let Some(answer) = answer {
                connection.send(self.channel, &Message::Data(answer.data))?;
            }
        }
        self.core.served(self.member.id(), &done);
        Ok(())
    }

    /// Whether the remote takes what it asks for. While it doesn't, it is not listened to.
    pub(crate) fn wants_input(&self) -> bool {
        let id = self.member.id();
        self.core
            .replicate(|replicator, _, _| replicator.wants_input(id))
    }
}
