//! One feed on one connection: its messages to the replicator and back, its blocks to the files and from there.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use crypto::DiscoveryKey;
use merkle::RemoteTree;
use protocol::{Channel, Connection};
use replicate::{Action, PeerConfig};
use wire::{Message, Request};

use crate::{
    Error, FeedOptions, Result, StorageError,
    core::Core,
    peers::{Joining, Member},
    ready::{Bell, Ready},
    roster::Wants,
    serve::serve,
    store::{Arrival, store},
};

/// A feed on a connection.
pub(crate) struct Attached {
    core: Arc<Core>,
    name: DiscoveryKey,
    channel: Channel,
    options: FeedOptions,
    live: bool,
    /// Rung when there is something to do here.
    bell: Arc<Bell>,
    pub(crate) wants: Wants,
    /// We have closed it, being done with it.
    closed: bool,
    /// Our place among the peers, from the moment both sides have opened the feed.
    member: Option<Member>,
    actions: VecDeque<Action>,
    /// Blocks that arrived and wait to be checked and stored together.
    arrived: Vec<Arrival>,
    /// Requests that wait for room in the send queue.
    requests: VecDeque<Request>,
    /// What the remote is known to have of the tree.
    remote_tree: RemoteTree,
}

impl Attached {
    pub(crate) fn new(
        core: Arc<Core>,
        channel: Channel,
        options: FeedOptions,
        live: bool,
        ready: &Arc<Ready>,
    ) -> Self {
        let name = core.discovery_key();
        let bell = Arc::new(Bell::new(name, Arc::clone(ready)));
        core.attach(&bell);
        // It may have been closed just before, and nobody else would say so.
        bell.ring();
        Attached {
            core,
            name,
            channel,
            options,
            live,
            bell,
            wants: Wants::default(),
            closed: false,
            member: None,
            actions: VecDeque::new(),
            arrived: Vec::new(),
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

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Both sides have opened the feed: becomes one of its peers.
    pub(crate) fn open(&mut self, connection: &Connection) {
        let config = PeerConfig {
            live: self.live,
            download_only: !self.options.upload,
            upload_only: !self.options.download,
            ack: self.options.ack,
            max_requests: self.options.max_requests,
            ..PeerConfig::default()
        };
        self.member = Some(self.core.join(Joining {
            bell: Arc::clone(&self.bell),
            config,
            remote_public_key: connection.remote_public_key(),
            dialect: connection.dialect().unwrap_or_default(),
        }));
    }

    /// The connection isn't live any longer.
    pub(crate) fn finish(&mut self) {
        self.live = false;
        if let Some(member) = &self.member {
            let id = member.id();
            self.core
                .replicate(|replicator, now, view| replicator.set_live(now, id, false, view));
        }
    }

    pub(crate) fn handle(&mut self, message: Message) {
        let Some(member) = &self.member else { return };
        match message {
            Message::Extension(extension) => self.core.handle_extension(member.id(), extension),
            message => {
                if let Message::Options(options) = &message {
                    self.core.handle_names(member.id(), &options.extensions);
                }
                self.core.replicate(|replicator, now, view| {
                    replicator.handle_message(now, member.id(), message, view)
                });
            }
        }
    }

    /// Does what the replicator wants done.
    ///
    /// # Errors
    /// Whatever ends the connection.
    pub(crate) async fn work(&mut self, connection: &mut Connection) -> Result<()> {
        if let Some(member) = &self.member {
            member.take_actions(&mut self.actions)?;
        }
        while let Some(action) = self.actions.pop_front() {
            self.perform(action, connection)?;
        }
        self.store().await
    }

    fn perform(&mut self, action: Action, connection: &mut Connection) -> Result<()> {
        match action {
            Action::Send { message, .. } => connection.send(self.channel, &message)?,
            Action::Serve { request, .. } => self.requests.push_back(request),
            Action::Store { data, .. } => self.arrived.push(data.into()),
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
        let Some(member) = &self.member else {
            self.arrived.clear();
            return Ok(());
        };
        if self.core.is_paused() {
            return Ok(());
        }
        // Kept until they are stored: a disk that is full now may have room again. Meanwhile no more is asked for, and what
        // the remote asks for is served.
        let stored = store(&self.core, Some(member), self.arrived.clone()).await;
        if let Err(Error::Disk(error)) = &stored
            && !matches!(error, StorageError::Closed)
        {
            self.core.pause();
            return Ok(());
        }
        self.arrived.clear();
        stored
    }

    /// Whether requests wait to be answered.
    pub(crate) fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }

    /// Answers the next request.
    ///
    /// # Errors
    /// [`Error::Disk`](crate::Error::Disk), or if the connection has ended.
    pub(crate) fn serve(&mut self, connection: &mut Connection) -> Result<()> {
        let Some(member) = &self.member else {
            self.requests.clear();
            return Ok(());
        };
        let Some(request) = self.requests.pop_front() else {
            return Ok(());
        };
        match serve(&self.core, &request, &mut self.remote_tree)? {
            Some(answer) => {
                let len = answer.data.value.as_ref().map(Bytes::len);
                connection.send(self.channel, &Message::Data(answer.data))?;
                self.core.served(member.id(), &request, answer.found, len);
            }
            None => self.core.replicate(|replicator, _, _| {
                replicator.handle_unserved(member.id(), request.index);
            }),
        }
        Ok(())
    }

    /// Whether the remote takes what it asks for. While it doesn't, it is not listened to.
    pub(crate) fn wants_input(&self) -> bool {
        self.member.as_ref().is_none_or(|member| {
            self.core
                .replicate(|replicator, _, _| replicator.wants_input(member.id()))
        })
    }
}
