//! Drives one connection: bytes between the socket and the protocol, messages between the protocol and the feeds on it.
//!
//! Each turn ends by one thing happening (bytes, room to write, news from a feed or a handle, an answer of the program, time)
//! and is followed by all the work that it gave rise to. The order of a turn's work is the order of the layers: messages in,
//! blocks stored, requests served, bytes out.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use crypto::DiscoveryKey;
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use protocol::{Config, Connection, Event, Randomness};

use crate::{
    FeedOptions, Result, Session,
    attached::Attached,
    connection::{Command, Options, Shared},
    core::Core,
    questions::{About, Questions},
    ready::Bell,
    roster::Roster,
    runtime::{Runtime, random},
    turn::{Pace, Timer, Turn, Waiting, turn},
};

/// How much is read from a socket at a time.
const INPUT: usize = 64 * 1024;

/// How many messages are looked at before others have their turn on the thread.
const MESSAGES: usize = 256;

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
        // Listen first, look second: what is left for us in between wakes the turn at once.
        let mut wake = driver.shared.ready.listen();
        let waiting = Waiting {
            input: &mut input,
            reading: !driver.remote_ended && driver.wants_input(),
            output: &mut output,
            pace: driver.pace(),
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
            Turn::Answered(about, answer) => driver.answered(about, answer)?,
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
    options: Options,
    shared: Arc<Shared>,
    runtime: Arc<dyn Runtime>,
    connection: Connection,
    feeds: Roster,
    /// Rung when the feed is closed that it was made for, also when that is off it already.
    _bell: Option<Arc<Bell>>,
    /// What the program was asked and hasn't answered yet.
    questions: Questions,
    remote_ended: bool,
    /// Whether messages were left for later, so that others have their turn.
    busy: bool,
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
        let bell = options.only.as_ref().map(|only| {
            let bell = Arc::new(Bell::new(only.discovery_key(), Arc::clone(&shared.ready)));
            only.attach(&bell);
            bell
        });
        Ok(Driver {
            _bell: bell,
            options,
            shared,
            runtime,
            connection,
            feeds: Roster::default(),
            questions: Questions::default(),
            remote_ended: false,
            busy: false,
            idle: false,
        })
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.connection.handle_bytes(self.runtime.now(), bytes)?)
    }

    fn timeout(&mut self) -> Result<()> {
        let now = self.runtime.now();
        self.connection.handle_timeout(now)?;
        self.feeds.handle_timeout(now);
        Ok(())
    }

    /// The program has made up its mind.
    fn answered(&mut self, about: About, answer: bool) -> Result<()> {
        match about {
            About::Remote => {
                let now = self.runtime.now();
                self.connection.authenticate(now, answer)?;
            }
            About::Look(discovery_key) => {
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
        self.shared.ready.answer();
        self.obey()?;
        let mut messages = 0..MESSAGES;
        self.busy = false;
        loop {
            while let Some(event) = self.connection.poll_event()? {
                self.handle(event)?;
                if messages.next().is_none() {
                    self.busy = true;
                    break;
                }
            }
            let mut visited = false;
            while let Some(name) = self.shared.ready.next() {
                visited = true;
                if self.feeds.visit(&name, &mut self.connection).await? {
                    self.feeds.remove(&name);
                }
            }
            if self.busy || !visited {
                break;
            }
        }
        if self.idle && self.questions.is_empty() && self.shared.end() {
            self.connection.finish();
        }
        self.feeds.serve(&mut self.connection)
    }

    /// Whether there is more to do at once.
    fn pace(&self) -> Pace {
        match (self.busy, self.shared.ready.is_quiet()) {
            (true, _) => Pace::Yield,
            (false, false) => Pace::Again,
            (false, true) => Pace::Wait,
        }
    }

    /// Does what the handles say.
    fn obey(&mut self) -> Result<()> {
        while let Some(command) = self.shared.next_command() {
            match command {
                Command::Add(core, options) => self.add(core, options)?,
                Command::Remove(discovery_key) => self.remove(&discovery_key),
                Command::HangUp => {
                    for name in self.feeds.names() {
                        self.remove(&name);
                    }
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
        let (live, ready) = (self.options.live, &self.shared.ready);
        let feed = || Attached::new(core, channel, options, live, ready);
        self.feeds.insert(channel, feed);
        self.idle = false;
        Ok(())
    }

    /// Takes a feed off the connection.
    fn remove(&mut self, name: &DiscoveryKey) {
        if let Some(feed) = self.feeds.remove(name) {
            self.connection.close(feed.channel());
        }
    }

    fn handle(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Authenticate { remote_public_key } => {
                if let Some(decide) = &self.options.on_authenticate {
                    let decision = decide(remote_public_key);
                    self.questions.ask(About::Remote, decision);
                }
            }
            Event::RemoteOpen { discovery_key } => {
                if self.options.only.is_some() && self.options.on_discovery_key.is_none() {
                    return Ok(self.connection.refuse(discovery_key)?);
                }
                let key = DiscoveryKey::new(discovery_key);
                let looking = match &self.options.on_discovery_key {
                    Some(call) => call(key, self.shared.handle()),
                    // It may be about to be added here as well.
                    None => self.runtime.sleep(GRACE),
                };
                let looked = Box::pin(async {
                    looking.await;
                    true
                });
                self.questions.ask(About::Look(key), looked);
            }
            Event::Withdrawn { discovery_key } => {
                let key = DiscoveryKey::new(discovery_key);
                self.questions.drop_one(About::Look(key));
            }
            Event::Opened { channel } => {
                if let Some(feed) = self.feeds.on(channel) {
                    feed.open(&self.connection);
                    feed.ring();
                    self.questions.drop_one(About::Look(feed.name()));
                }
            }
            Event::Message { channel, message } => self.feeds.handle(channel, message),
            Event::Closed { channel } => {
                if let Some(name) = self.feeds.on(channel).map(|feed| feed.name()) {
                    self.feeds.remove(&name);
                }
            }
            Event::Finished => self.idle = true,
            _ => {}
        }
        Ok(())
    }

    fn transmit(&mut self) -> Bytes {
        let now = self.runtime.now();
        self.connection.poll_transmit(now).unwrap_or_default()
    }

    fn wants_input(&self) -> bool {
        self.connection.wants_input() && self.feeds.wants_input()
    }

    fn deadline(&self) -> Option<Duration> {
        let deadlines = [self.connection.poll_timeout(), self.feeds.deadline()];
        deadlines.into_iter().flatten().min()
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
