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
use protocol::{Config, Connection, Event, Randomness, Security};

use crate::{
    ConnectionEvent, Error, FeedOptions, Result, Session,
    admission::{Admission, Candidate, Stage},
    attached::{Attached, Terms},
    connection::Options,
    discovery::Expected,
    input::Input,
    questions::{About, Questions},
    ready::Bell,
    roster::{Roster, SEND_AHEAD},
    runtime::{Runtime, random},
    shared::{Command, Known, Shared, Standing},
    turn::{Pace, Timer, Turn, Waiting, turn},
};

/// How long a remote that has said all may take to hang up.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long a feed that the remote has opened may take to be added here, before the remote is told that it isn't shared.
/// JavaScript 8 gives up the whole connection after 4 s without a word.
const GRACE: Duration = Duration::from_secs(2);

/// How long a remote may leave it open whether it has a feed, before nobody hopes for it any longer.
const HOPE: Duration = Duration::from_secs(20);

/// Runs a connection over a socket to its end.
pub(crate) async fn run<S>(options: Options, shared: Arc<Shared>, mut socket: S) -> Result<Session>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut driver = Driver::new(options, shared)?;
    let mut timer = Timer::default();
    let mut input = Input::default();
    let mut output = Bytes::new();
    loop {
        let worked = driver.work().await;
        if output.is_empty() {
            output = driver.transmit()?;
        }
        worked?;
        driver.hold(output.len())?;
        if output.is_empty() && driver.connection.is_finished() {
            let remote_ended = driver.remote_ended;
            hang_up(&mut socket, input.room(), remote_ended, &*driver.runtime).await;
            return Ok(driver.session());
        }
        if output.is_empty() && driver.remote_ended {
            return Ok(driver.session());
        }
        timer.set(driver.deadline(), &*driver.runtime);
        // Listen first, look second: what is left for us in between wakes the turn at once.
        let mut wake = driver.shared.ready.listen();
        let waiting = Waiting {
            input: input.room(),
            reading: !driver.remote_ended && driver.wants_input(),
            output: &mut output,
            pace: driver.pace(),
            wake: &mut wake,
            questions: &mut driver.questions,
            timer: &mut timer,
        };
        match turn(&mut socket, waiting).await? {
            Turn::Received(len) => driver.receive(input.filled(len))?,
            Turn::Ended => {
                driver.remote_ended = true;
                driver.connection.handle_end(driver.runtime.now());
            }
            Turn::Answered(about, answer) => driver.answered(about, answer)?,
            Turn::Due => {
                input.shrink();
                driver.timeout()?;
            }
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
    admission: Admission,
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
        options.limits.configure(&mut config);
        let randomness = Randomness {
            ephemeral: random(&*runtime)?,
            nonce: random(&*runtime)?,
        };
        if let Some(pass) = &options.pass {
            pass.begin(&shared.ready);
            if options.security == Security::Plain {
                pass.introduce();
            }
        }
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
            admission: Admission::default(),
            questions: Questions::default(),
            remote_ended: false,
            busy: false,
            idle: false,
        })
    }

    /// Tells the gate how much is held here, beside what is being written.
    fn hold(&mut self, written: usize) -> Result<()> {
        let Some(pass) = &mut self.options.pass else {
            return Ok(());
        };
        let held = self.connection.held() + written;
        pass.hold(held, self.runtime.now()).map_err(Error::Peer)
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
            About::Look(name) => {
                // What it wants to share is in the inbox by now.
                self.obey()?;
                if self.admission.stage(&name).is_none() {
                    self.refuse(name)?;
                }
            }
            About::Feed(name) => match self.admission.take(&name) {
                Some(candidate) if answer => self.admit(candidate.feed, candidate.options)?,
                Some(_) => {
                    self.shared.stand(name, |_| {});
                    self.refuse(name)?;
                }
                None => {}
            },
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
        let mut messages = 1..self.options.limits.messages_per_turn;
        self.busy = false;
        loop {
            while let Some(event) = self.connection.poll_event()? {
                self.handle(event)?;
                if messages.next().is_none() {
                    self.busy = true;
                    break;
                }
            }
            self.admit_crowded()?;
            let mut visited = false;
            while let Some(name) = self.shared.ready.next() {
                visited = true;
                if self.feeds.visit(&name, &mut self.connection).await?
                    || self.admission.visit(&name)
                {
                    self.remove(name)?;
                }
            }
            if self.busy || !visited {
                break;
            }
        }
        let waits = !self.questions.is_empty() || !self.admission.is_empty();
        if self.idle && !waits && self.shared.end() {
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
                Command::Add(feed, options) => self.add(feed, options)?,
                Command::Remove(name) => self.remove(name)?,
                Command::SetTimeout(timeout) => {
                    let now = self.runtime.now();
                    self.connection.set_timeout(now, timeout);
                }
                Command::Ping => self.connection.ping(),
                Command::Finish => {
                    self.options.live = false;
                    self.shared.view().live = false;
                    self.connection.set_live(false);
                    self.feeds.finish();
                }
                Command::HangUp => {
                    for name in [self.feeds.names(), self.admission.names()].concat() {
                        self.remove(name)?;
                    }
                    self.connection.finish();
                }
            }
        }
        Ok(())
    }

    /// A feed was added: it may have to wait for a decision.
    fn add(&mut self, feed: Expected, options: FeedOptions) -> Result<()> {
        let asks =
            self.options.on_feed_authenticate.is_some() && self.options.security != Security::Plain;
        let name = feed.core().discovery_key();
        if !asks || self.feeds.contains(&name) || self.admission.stage(&name).is_some() {
            return self.admit(feed, options);
        }
        let ready = &self.shared.ready;
        match self.connection.remote_public_key() {
            None => {
                self.admission.wait(feed, options, Stage::Handshake, ready);
            }
            Some(remote) => {
                self.admission.wait(feed, options, Stage::Decision, ready);
                self.ask(name, remote);
            }
        }
        Ok(())
    }

    /// Asks whether the remote may have a feed.
    fn ask(&mut self, name: DiscoveryKey, remote: [u8; 32]) {
        if let Some(decide) = &self.options.on_feed_authenticate {
            self.questions.ask(About::Feed(name), decide(name, remote));
        }
    }

    /// Puts a feed on the connection, as soon as there is room.
    fn admit(&mut self, feed: Expected, options: FeedOptions) -> Result<()> {
        let name = feed.core().discovery_key();
        if self.admission.stage(&name).is_some() {
            return Ok(());
        }
        let channel = match self.connection.open(&feed.core().key()) {
            Ok(channel) => channel,
            // The remote opened it without knowing its key, and was told.
            Err(protocol::Error::Capability) if self.options.only.is_none() => {
                self.questions.drop_one(About::Look(name));
                self.closed(name);
                return Ok(());
            }
            // Others may be closed but for the remote's answer.
            Err(protocol::Error::TooManyChannels { .. }) if self.is_crowded() => {
                let ready = &self.shared.ready;
                self.admission.wait(feed, options, Stage::Room, ready);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let terms = Terms {
            options,
            live: self.options.live,
            hope_until: self.runtime.now() + HOPE,
            remote_public_key: self.connection.remote_public_key(),
        };
        let handle = || self.shared.handle();
        let attach = || Attached::new(feed, channel, terms, handle());
        self.feeds.insert(channel, attach);
        self.shared.stand(name, |standing| standing.opened = true);
        self.idle = false;
        Ok(())
    }

    /// Puts feeds on the connection for which there is room now.
    fn admit_crowded(&mut self) -> Result<()> {
        while let Some(candidate) = self.admission.next_crowded() {
            if self.is_crowded() {
                self.admission.put_back(candidate);
                break;
            }
            let Candidate { feed, options, .. } = candidate;
            self.admit(feed, options)?;
        }
        Ok(())
    }

    /// Whether as many feeds are open as may be, or closed but for the remote's answer.
    fn is_crowded(&self) -> bool {
        self.connection.open_count() >= self.options.limits.feeds
    }

    /// Takes a feed off the connection, or one that was about to be on it, or one of the remote's.
    fn remove(&mut self, name: DiscoveryKey) -> Result<()> {
        if self.admission.take(&name).is_some() {
            self.questions.drop_one(About::Feed(name));
            // One that neither side has opened has left without a trace.
            self.shared.stand(name, |_| {});
        }
        match self.feeds.remove(&name) {
            Some(feed) => {
                self.connection.close(feed.channel());
                self.closed(name);
                Ok(())
            }
            None => self.refuse(name),
        }
    }

    /// Says that a feed isn't shared here, if the remote has opened it.
    fn refuse(&mut self, name: DiscoveryKey) -> Result<()> {
        self.questions.drop_one(About::Look(name));
        if self.feeds.contains(&name) {
            return Ok(());
        }
        self.connection.refuse(name.to_bytes())?;
        self.closed(name);
        Ok(())
    }

    /// A feed is on the connection no longer.
    fn closed(&mut self, name: DiscoveryKey) {
        if self.shared.left(&name) {
            self.tell(ConnectionEvent::ChannelClosed {
                discovery_key: name,
            });
        }
    }

    fn tell(&self, event: ConnectionEvent) {
        self.shared.events().send(event);
    }

    fn handle(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Authenticate { remote_public_key } => {
                if let Some(decide) = &self.options.on_authenticate {
                    let decision = decide(remote_public_key);
                    self.questions.ask(About::Remote, decision);
                }
            }
            Event::Handshake {
                remote_public_key,
                dialect,
            } => {
                if let Some(pass) = &self.options.pass {
                    pass.introduce();
                }
                self.shared.view().known = self.known();
                self.tell(ConnectionEvent::Handshake {
                    remote_public_key,
                    dialect,
                });
                for name in self.admission.shaken() {
                    self.ask(name, remote_public_key);
                }
            }
            Event::RemoteOpen { discovery_key } => self.remote_opens(discovery_key)?,
            Event::Withdrawn { discovery_key } => {
                let name = DiscoveryKey::new(discovery_key);
                self.questions.drop_one(About::Look(name));
                match self.admission.stage(&name) {
                    // It waits for something else.
                    Some(Stage::Handshake | Stage::Room) => {
                        self.shared
                            .stand(name, |standing| standing.remote_opened = false);
                    }
                    // Whoever still decides needn't any longer.
                    Some(Stage::Decision) | None => {
                        self.admission.take(&name);
                        self.questions.drop_one(About::Feed(name));
                        self.closed(name);
                    }
                }
            }
            Event::Opened { channel } => {
                if let Some(feed) = self.feeds.on(channel) {
                    feed.open(&self.connection);
                    feed.ring();
                    let discovery_key = feed.name();
                    self.questions.drop_one(About::Look(discovery_key));
                    let before = self.shared.stand(discovery_key, |standing| {
                        standing.remote_opened = true;
                        standing.shown = None;
                    });
                    if !before.remote_opened {
                        self.tell(ConnectionEvent::RemoteOpen { discovery_key });
                    }
                    self.tell(ConnectionEvent::Opened { discovery_key });
                }
            }
            Event::Message { channel, message } => self.feeds.handle(channel, message),
            Event::Stream { message } => self.shared.handle_message(message),
            Event::Closed { channel } => {
                if let Some(name) = self.feeds.on(channel).map(|feed| feed.name()) {
                    self.feeds.remove(&name);
                    self.closed(name);
                }
            }
            Event::Finished => {
                self.idle = true;
                if !self.options.live {
                    self.tell(ConnectionEvent::Finishing);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The remote has opened a feed that isn't on the connection.
    fn remote_opens(&mut self, discovery_key: [u8; 32]) -> Result<()> {
        let name = DiscoveryKey::new(discovery_key);
        let shown = self.connection.shown_capability(&discovery_key);
        self.shared.stand(name, |standing| {
            *standing = Standing {
                opened: false,
                remote_opened: true,
                shown,
            }
        });
        let event = ConnectionEvent::RemoteOpen {
            discovery_key: name,
        };
        self.tell(event);
        if self.admission.stage(&name).is_some() {
            return Ok(());
        }
        self.tell(ConnectionEvent::DiscoveryKey {
            discovery_key: name,
        });
        if self.options.only.is_some() && self.options.on_discovery_key.is_none() {
            return self.refuse(name);
        }
        let looking = match &self.options.on_discovery_key {
            Some(call) => call(name, self.shared.handle()),
            // It may be about to be added here as well.
            None => self.runtime.sleep(GRACE),
        };
        let looked = Box::pin(async {
            looking.await;
            true
        });
        self.questions.ask(About::Look(name), looked);
        Ok(())
    }

    /// What the handshake has told.
    fn known(&self) -> Option<Known> {
        Some(Known {
            remote_public_key: self.connection.remote_public_key()?,
            dialect: self.connection.dialect()?,
            handshake_hash: self.connection.handshake_hash()?,
            capability: self.connection.capability()?.clone(),
        })
    }

    /// The next bytes to send.
    fn transmit(&mut self) -> Result<Bytes> {
        while self.connection.is_open()
            && self.connection.queued() < SEND_AHEAD
            && let Some(message) = self.shared.poll_message()
        {
            self.connection.send_stream(&message)?;
        }
        let now = self.runtime.now();
        let bytes = self.connection.poll_transmit(now).unwrap_or_default();
        let (sent, received) = (
            self.connection.bytes_sent(),
            self.connection.bytes_received(),
        );
        self.shared.count(sent, received);
        Ok(bytes)
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
