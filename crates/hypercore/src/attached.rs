//! One feed on one connection: its messages to the replicator and back, its blocks to the files and from there.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use event_listener::Event as Wake;
use merkle::RemoteTree;
use protocol::{Channel, Connection};
use replicate::{Action, PeerConfig};
use wire::{Message, Request};

use crate::{
    FeedOptions, Result,
    core::Core,
    peers::{Joining, Member},
    serve::serve,
    store::{Arrival, store},
};

/// Requests are answered as long as less than this waits to be sent.
const SEND_AHEAD: usize = 512 * 1024;

/// A feed on a connection.
pub(crate) struct Attached {
    core: Arc<Core>,
    channel: Channel,
    options: FeedOptions,
    live: bool,
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
    pub(crate) fn new(core: Arc<Core>, channel: Channel, options: FeedOptions, live: bool) -> Self {
        Attached {
            core,
            channel,
            options,
            live,
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

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Both sides have opened the feed: becomes one of its peers.
    pub(crate) fn open(&mut self, connection: &Connection, wake: &Arc<Wake>) {
        let config = PeerConfig {
            live: self.live,
            download_only: !self.options.upload,
            upload_only: !self.options.download,
            ack: self.options.ack,
            max_requests: self.options.max_requests,
            ..PeerConfig::default()
        };
        self.member = Some(self.core.join(Joining {
            wake: Arc::clone(wake),
            config,
            remote_public_key: connection.remote_public_key(),
            dialect: connection.dialect().unwrap_or_default(),
        }));
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

    /// Does what the replicator wants done. Says whether there was anything.
    ///
    /// # Errors
    /// Whatever ends the connection.
    pub(crate) async fn work(&mut self, connection: &mut Connection) -> Result<bool> {
        if let Some(member) = &self.member {
            member.take_actions(&mut self.actions)?;
        }
        if self.actions.is_empty() {
            return Ok(false);
        }
        while let Some(action) = self.actions.pop_front() {
            self.perform(action, connection)?;
        }
        self.store().await?;
        Ok(true)
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
        let arrived = std::mem::take(&mut self.arrived);
        match &self.member {
            Some(member) => store(&self.core, Some(member), arrived).await,
            None => Ok(()),
        }
    }

    /// Answers the next request, if there is room to. Says whether it did.
    ///
    /// # Errors
    /// [`Error::Disk`](crate::Error::Disk), or if the connection has ended.
    pub(crate) fn serve(&mut self, connection: &mut Connection) -> Result<bool> {
        let Some(member) = &self.member else {
            self.requests.clear();
            return Ok(false);
        };
        if connection.queued() >= SEND_AHEAD {
            return Ok(false);
        }
        let Some(request) = self.requests.pop_front() else {
            return Ok(false);
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
        Ok(true)
    }

    /// Whether the remote takes what it asks for. While it doesn't, it is not listened to.
    pub(crate) fn wants_input(&self) -> bool {
        self.member.as_ref().is_none_or(|member| {
            self.core
                .replicate(|replicator, _, _| replicator.wants_input(member.id()))
        })
    }
}
