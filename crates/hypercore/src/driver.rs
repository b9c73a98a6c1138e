//! Drives one connection: bytes between the socket and the protocol, messages between the protocol and the feeds on it.
//!
//! Each turn ends by one thing happening (bytes, room to write, news from a feed or a handle, an answer of the program, time)
//! and is followed by all the work that it gave rise to. The order of a turn's work is the order of the layers: messages in,
//! blocks stored, requests served, bytes out.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use crypto::DiscoveryKey;
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use protocol::{Channel, Config, Connection, Event, Randomness};

use crate::{
    Error, FeedOptions, Result, Session,
    attached::Attached,
    connection::{Command, Options, Shared},
    core::Core,
    runtime::{Runtime, random},
    turn::{Answer, Question, Timer, Turn, Waiting, turn},
};

/// How much is read from a socket at a time.
const INPUT: usize = 64 * 1024;

/// How long a remote that has said all may take to hang up.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long a feed that the remote has opened may take to be added here, before the remote is told that it isn't shared.
/// JavaScript 8 gives up the whole connection after 4 s without a word.
const GRACE: Duration = Duration::from_secs(2);

/// Runs a connection over a socket to its end.
pub(crate) async fn run<S>(options: Options, shared: Arc<Shared>, mut socket: S) -> Result<Session>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut driver = Driver::new(options, shared)?;
    let mut timer = Timer::default();
    let mut input = vec![0; INPUT].into_boxed_slice();
    let mut output = Bytes::new();
    loop {
        // Listen first, look second: what is left for us in between wakes the turn at once.
        let mut wake = Box::pin(driver.shared.wake.listen());
        let worked = driver.work().await;
        if output.is_empty() {
            output = driver.transmit();
        }
        worked?;
        if output.is_empty() && driver.connection.is_finished() {
            let remote_ended = driver.remote_ended;
            hang_up(&mut socket, &mut input, remote_ended, &*driver.runtime).await;
            return Ok(driver.session());
        }
        if output.is_empty() && driver.remote_ended {
            return Ok(driver.session());
        }
        timer.set(driver.deadline(), &*driver.runtime);
        let waiting = Waiting {
            input: &mut input,
            reading: !driver.remote_ended && driver.wants_input(),
            output: &mut output,
            wake: &mut wake,
            questions: &mut driver.questions,
            timer: &mut timer,
        };
        match turn(&mut socket, waiting).await? {
            Turn::Received(len) => driver.receive(input.get(..len).unwrap_or_default())?,
            Turn::Ended => {
                driver.remote_ended = true;
                driver.connection.handle_end(driver.runtime.now());
            }
            Turn::Answered(answer) => driver.answered(answer)?,
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

/// A feed that is closed here meanwhile is taken off the connection in the next turn, and the others go on.
fn unless_closed(worked: Result<bool>) -> Result<bool> {
    match worked {
        Err(Error::Closed) => Ok(false),
        worked => worked,
    }
}

struct Driver {
    options: Options,
    shared: Arc<Shared>,
    runtime: Arc<dyn Runtime>,
    connection: Connection,
    feeds: BTreeMap<Channel, Attached>,
    /// What the program was asked and hasn't answered yet.
    questions: Vec<Question>,
    remote_ended: bool,
    /// Whether all feeds are closed on both sides, which have what they wanted then.
    idle: bool,
}

impl Driver {
    fn new(mut options: Options, shared: Arc<Shared>) -> Result<Self> {
        let (runtime, key_pair) = options.settle(shared.first().as_ref())?;
        let mut config = Config::new(options.role, key_pair);
        config.dialect = options.dialect;
        config.live = options.live;
        config.timeout = options.timeout;
        config.security = options.security;
        config.authenticate = options.on_authenticate.is_some();
        let randomness = Randomness {
            ephemeral: random(&*runtime)?,
            nonce: random(&*runtime)?,
        };
        let connection = Connection::new(config, randomness, runtime.now())?;
        Ok(Driver {
            options,
            shared,
            runtime,
            connection,
            feeds: BTreeMap::new(),
            questions: Vec::new(),
            remote_ended: false,
            idle: false,
        })
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.connection.handle_bytes(self.runtime.now(), bytes)?)
    }

    fn timeout(&mut self) -> Result<()> {
        self.connection.handle_timeout(self.runtime.now())?;
        for feed in self.feeds.values() {
            feed.core()
                .replicate(|replicator, now, view| replicator.handle_timeout(now, view));
        }
        Ok(())
    }

    /// The program has made up its mind.
    fn answered(&mut self, answer: Answer) -> Result<()> {
        match answer {
            Answer::Authenticated(welcome) => {
                let now = self.runtime.now();
                self.connection.authenticate(now, welcome)?;
            }
            Answer::Looked(discovery_key) => {
                // What it wants to share is in the inbox by now.
                self.obey()?;
                self.connection.refuse(discovery_key.to_bytes())?;
            }
        }
        Ok(())
    }

    /// Everything that can be done without waiting for the remote.
    async fn work(&mut self) -> Result<()> {
        if let Some(only) = &self.options.only {
            only.check_open()?;
        }
        self.obey()?;
        loop {
            self.drop_closed();
            while let Some(event) = self.connection.poll_event()? {
                self.handle(event)?;
            }
            let mut worked = false;
            for feed in self.feeds.values_mut() {
                worked |= unless_closed(feed.work(&mut self.connection).await)?;
            }
            self.feeds.retain(|_, feed| !feed.is_closed());
            if !worked {
                break;
            }
        }
        if self.idle && self.questions.is_empty() && self.shared.end() {
            self.connection.finish();
        }
        self.serve()
    }

    /// Does what the handles say.
    fn obey(&mut self) -> Result<()> {
        while let Some(command) = self.shared.next_command() {
            match command {
                Command::Add(core, options) => self.add(core, options)?,
                Command::Remove(discovery_key) => {
                    let named = |feed: &Attached| feed.core().discovery_key() == discovery_key;
                    self.remove(named);
                }
                Command::HangUp => {
                    self.remove(|_| true);
                    self.connection.finish();
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, core: Arc<Core>, options: FeedOptions) -> Result<()> {
        let channel = match self.connection.open(&core.key()) {
            Ok(channel) => channel,
            // The remote opened it without knowing its key: it was told, and the other feeds go on.
            Err(protocol::Error::Capability) if self.options.only.is_none() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        core.attach(&self.shared.wake);
        let live = self.options.live;
        self.feeds
            .entry(channel)
            .or_insert_with(|| Attached::new(core, channel, options, live));
        self.idle = false;
        Ok(())
    }

    /// Takes feeds off the connection that were closed here.
    fn drop_closed(&mut self) {
        self.remove(|feed| feed.core().check_open().is_err());
    }

    fn remove(&mut self, unwanted: impl Fn(&Attached) -> bool) {
        let connection = &mut self.connection;
        self.feeds.retain(|channel, feed| {
            let goes = unwanted(feed);
            if goes {
                connection.close(*channel);
            }
            !goes
        });
    }

    fn handle(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Authenticate { remote_public_key } => {
                if let Some(decide) = &self.options.on_authenticate {
                    let decision = decide(remote_public_key);
                    self.questions.push(Question::authenticate(decision));
                }
            }
            Event::RemoteOpen { discovery_key } => match &self.options.on_discovery_key {
                Some(call) => {
                    let key = DiscoveryKey::new(discovery_key);
                    let looking = call(key, self.shared.handle());
                    self.questions.push(Question::look(key, looking));
                }
                None if self.options.only.is_some() => {
                    self.connection.refuse(discovery_key)?;
                }
                // It may be about to be added here as well.
                None => {
                    let key = DiscoveryKey::new(discovery_key);
                    let grace = self.runtime.sleep(GRACE);
                    self.questions.push(Question::look(key, grace));
                }
            },
            Event::Opened { channel } => {
                if let Some(feed) = self.feeds.get_mut(&channel) {
                    feed.open(&self.connection, &self.shared.wake);
                    let key = feed.core().discovery_key();
                    self.questions.retain(|question| !question.is_about(&key));
                }
            }
            Event::Message { channel, message } => {
                if let Some(feed) = self.feeds.get_mut(&channel) {
                    feed.handle(message);
                }
            }
            Event::Closed { channel } => {
                self.feeds.remove(&channel);
            }
            Event::Finished => self.idle = true,
            _ => {}
        }
        Ok(())
    }

    /// Answers requests as far as there is room, one of each feed in turn.
    fn serve(&mut self) -> Result<()> {
        loop {
            let mut served = false;
            for feed in self.feeds.values_mut() {
                served |= unless_closed(feed.serve(&mut self.connection))?;
            }
            if !served {
                return Ok(());
            }
        }
    }

    fn transmit(&mut self) -> Bytes {
        let now = self.runtime.now();
        self.connection.poll_transmit(now).unwrap_or_default()
    }

    fn wants_input(&self) -> bool {
        self.connection.wants_input() && self.feeds.values().all(Attached::wants_input)
    }

    fn deadline(&self) -> Option<Duration> {
        let feeds = self
            .feeds
            .values()
            .filter_map(|feed| feed.core().deadline());
        feeds.chain(self.connection.poll_timeout()).min()
    }

    fn session(&self) -> Session {
        Session {
            remote_public_key: self.connection.remote_public_key(),
            dialect: self.connection.dialect(),
            finished: self.idle,
            bytes_received: self.connection.bytes_received(),
            bytes_sent: self.connection.bytes_sent(),
        }
    }
}
