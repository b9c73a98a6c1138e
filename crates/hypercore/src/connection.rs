//! Drives one connection: bytes between the socket and the protocol, messages between the protocol and the replicator,
//! blocks between the messages and the files.
//!
//! Each turn ends by one thing happening (bytes, room to write, news from the feed, time) and is followed by all the
//! work that it gave rise to. The order of a turn's work is the order of the layers: messages in, blocks stored,
//! requests served, bytes out.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use event_listener::Event as Wake;
use feed::Feed;
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use merkle::RemoteTree;
use protocol::{Channel, Config, Connection, Event, Randomness};
use replicate::{Action, PeerConfig};
use wire::{Message, Request};

use crate::{
    Result, Session,
    core::Core,
    peers::Member,
    runtime::{Runtime, random},
    serve::serve,
    session::Options,
    store::{Arrival, store},
    turn::{Timer, Turn, Waiting, turn},
};

/// How much is read from a socket at a time.
const INPUT: usize = 64 * 1024;

/// Requests are answered as long as less than this waits to be sent.
const SEND_AHEAD: usize = 512 * 1024;

/// How long a remote that has said all may take to hang up.
const FAREWELL: Duration = Duration::from_secs(2);

/// Replicates one feed over one socket until the connection ends.
pub(crate) async fn run<S>(core: Arc<Core>, mut socket: S, options: Options) -> Result<Session>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    core.check_open()?;
    if !core.read(Feed::is_finalized) {
        return Err(feed::Error::Unfinished.into());
    }
    let mut driver = Driver::new(core, options)?;
    let mut timer = Timer::default();
    let mut input = vec![0; INPUT].into_boxed_slice();
    let mut output = Bytes::new();
    loop {
        // Listen first, look second: what is left for us in between wakes the turn at once.
        let mut wake = Box::pin(driver.wake.listen());
        let worked = driver.work().await;
        if output.is_empty() {
            output = driver.transmit();
        }
        worked?;
        if output.is_empty() && driver.connection.is_finished() {
            let remote_ended = driver.remote_ended;
            hang_up(&mut socket, &mut input, remote_ended, driver.core.runtime()).await;
            return Ok(driver.session());
        }
        if output.is_empty() && driver.remote_ended {
            return Ok(driver.session());
        }
        let deadline = driver.deadline();
        timer.set(deadline, driver.core.runtime());
        let waiting = Waiting {
            input: &mut input,
            reading: !driver.remote_ended && driver.wants_input(),
            output: &mut output,
            wake: &mut wake,
            timer: &mut timer,
        };
        match turn(&mut socket, waiting).await? {
            Turn::Received(len) => driver.receive(input.get(..len).unwrap_or_default())?,
            Turn::Ended => {
                driver.remote_ended = true;
                driver.connection.handle_end(driver.core.runtime().now());
            }
            Turn::Due => driver.timeout()?,
            Turn::Written | Turn::Woken => {}
        }
    }
}

/// Ends our direction and waits for the remote to end its own: a socket that is dropped with bytes unread may take back
/// what it has sent. Everything is said by then, so what goes wrong here is no error, and the wait is short.
async fn hang_up<S>(socket: &mut S, input: &mut [u8], remote_ended: bool, runtime: &dyn Runtime)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let farewell = async {
        if socket.close().await.is_err() {
            return;
        }
        runtime.end_sending(socket);
        while !remote_ended && matches!(socket.read(input).await, Ok(1..)) {}
    };
    future::or(farewell, runtime.sleep(FAREWELL)).await;
}

struct Driver {
    core: Arc<Core>,
    connection: Connection,
    channel: Channel,
    live: bool,
    download_only: bool,
    remote_ended: bool,
    /// Whether both sides have said that they have all they wanted.
    finished: bool,
    wake: Arc<Wake>,
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

impl Driver {
    fn new(core: Arc<Core>, options: Options) -> Result<Self> {
        let mut config = Config::new(options.role, core.noise().clone());
        config.dialect = options.dialect;
        config.live = options.live;
        config.timeout = options.timeout;
        let randomness = Randomness {
            ephemeral: random(core.runtime())?,
            nonce: random(core.runtime())?,
        };
        let mut connection = Connection::new(config, randomness, core.runtime().now())?;
        let channel = connection.open(&core.key())?;
        Ok(Driver {
            core,
            connection,
            channel,
            live: options.live,
            download_only: options.download_only,
            remote_ended: false,
            finished: false,
            wake: Arc::new(Wake::new()),
            member: None,
            actions: VecDeque::new(),
            arrived: Vec::new(),
            requests: VecDeque::new(),
            remote_tree: RemoteTree::default(),
        })
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<()> {
        let now = self.core.runtime().now();
        Ok(self.connection.handle_bytes(now, bytes)?)
    }

    fn timeout(&mut self) -> Result<()> {
        let now = self.core.runtime().now();
        self.connection.handle_timeout(now)?;
        self.core
            .replicate(|replicator, now, view| replicator.handle_timeout(now, view));
        Ok(())
    }

    /// Everything that can be done without waiting for the remote.
    async fn work(&mut self) -> Result<()> {
        self.core.check_open()?;
        loop {
            while let Some(event) = self.connection.poll_event()? {
                self.handle(event);
            }
            if let Some(member) = &self.member {
                member.take_actions(&mut self.actions)?;
            }
            if self.actions.is_empty() {
                break;
            }
            while let Some(action) = self.actions.pop_front() {
                self.perform(action)?;
            }
            self.store().await?;
        }
        self.serve()
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Opened { channel } if channel == self.channel => {
                let config = PeerConfig {
                    live: self.live,
                    download_only: self.download_only,
                    ..PeerConfig::default()
                };
                self.member = Some(self.core.join(
                    Arc::clone(&self.wake),
                    config,
                    self.connection.remote_public_key(),
                    self.connection.dialect().unwrap_or_default(),
                ));
            }
            Event::Message { channel, message } if channel == self.channel => {
                if let Some(member) = &self.member {
                    self.core.replicate(|replicator, now, view| {
                        replicator.handle_message(now, member.id(), message, view)
                    });
                }
            }
            Event::Closed { channel } if channel == self.channel => self.member = None,
            Event::RemoteOpen { discovery_key } => self.connection.refuse(discovery_key),
            Event::Finished => {
                self.finished = true;
                self.connection.finish();
            }
            _ => {}
        }
    }

    fn perform(&mut self, action: Action) -> Result<()> {
        match action {
            Action::Send { message, .. } => self.connection.send(self.channel, &message)?,
            Action::Serve { request, .. } => self.requests.push_back(request),
            Action::Store { data, .. } => self.arrived.push(data.into()),
            Action::Close { .. } => self.connection.close(self.channel),
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

    fn serve(&mut self) -> Result<()> {
        while self.connection.queued() < SEND_AHEAD
            && let Some(request) = self.requests.pop_front()
        {
            let Some(member) = &self.member else { break };
            match serve(&self.core, &request, &mut self.remote_tree)? {
                Some(data) => {
                    let len = data.value.as_ref().map(Bytes::len);
                    self.connection.send(self.channel, &Message::Data(data))?;
                    self.core.served(member.id(), &request, len);
                }
                None => self.core.replicate(|replicator, _, _| {
                    replicator.handle_unserved(member.id(), request.index);
                }),
            }
        }
        Ok(())
    }

    fn transmit(&mut self) -> Bytes {
        let now = self.core.runtime().now();
        self.connection.poll_transmit(now).unwrap_or_default()
    }

    /// Whether the remote takes what it asks for. While it doesn't, it is not listened to.
    fn wants_input(&self) -> bool {
        let polite = |member: &Member| {
            self.core
                .replicate(|replicator, _, _| replicator.wants_input(member.id()))
        };
        self.connection.wants_input() && self.member.as_ref().is_none_or(polite)
    }

    fn deadline(&self) -> Option<Duration> {
        [self.connection.poll_timeout(), self.core.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    fn session(&self) -> Session {
        Session {
            remote_public_key: self.connection.remote_public_key(),
            dialect: self.connection.dialect(),
            finished: self.finished,
            bytes_received: self.connection.bytes_received(),
            bytes_sent: self.connection.bytes_sent(),
        }
    }
}
