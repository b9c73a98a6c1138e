//! Drives one connection: bytes between the socket and the protocol, messages between the protocol and the feeds on it.
//!
//! Each turn ends by one thing happening (bytes, room to write, news from a feed or a handle, an answer of the program, time)
//! and is followed by all the work that it gave rise to. The order of a turn's work is the order of the layers: messages in,
//! blocks stored, requests served, bytes out.

mod feeds;

use std::{future::poll_fn, sync::Arc, time::Duration};

use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use protocol::{Config, Connection, Event, Randomness, Security};

use crate::{
    ConnectionEvent, Error, Result, Session,
    admission::Admission,
    connection::Options,
    input::Input,
    observe,
    outlet::Outlet,
    questions::{About, Questions},
    ready::Bell,
    roster::{Roster, SEND_AHEAD},
    runtime::{Runtime, random},
    shared::{Command, Known, Shared},
    turn::{Pace, Timer, Turn, Waiting, turn},
};

/// How long the end of a connection may take on which neither side expects anything any longer.
const FAREWELL: Duration = Duration::from_secs(2);

/// Runs a connection over a socket to its end.
pub(crate) async fn run<S>(options: Options, shared: Arc<Shared>, mut socket: S) -> Result<Session>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut driver = Driver::new(options, shared)?;
    let mut output = Outlet::default();
    let ended = drive(&mut driver, &mut socket, &mut output).await;
    match &ended {
        Ok(_) | Err(Error::Closed) => hang_up(&mut driver, &mut socket, &mut output).await,
        Err(error) if error.is_verification() => driver.bar(),
        Err(_) => {}
    }
    ended
}

/// Turn after turn, until neither side has anything to say or something goes wrong.
async fn drive<S>(driver: &mut Driver, socket: &mut S, output: &mut Outlet) -> Result<Session>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut timer = Timer::default();
    let mut input = Input::default();
    loop {
        let worked = driver.work().await;
        if output.is_empty() {
            driver.transmit(output)?;
        }
        worked?;
        driver.hold(output.len())?;
        if output.is_empty() && (driver.remote_ended || driver.connection.is_finished()) {
            return Ok(driver.session());
        }
        timer.set(driver.deadline(), &*driver.runtime);
        // Listen first, look second: what is left for us in between wakes the turn at once.
        let mut wake = driver.shared.ready.listen();
        let waiting = Waiting {
            input: input.room(),
            reading: !driver.remote_ended && driver.wants_input(),
            output,
            pace: driver.pace(),
            wake: &mut wake,
            questions: &mut driver.questions,
            timer: &mut timer,
        };
        match turn(socket, waiting).await? {
            Turn::Received(len) => {
                let bytes = input.filled(len, || driver.feeds.delivers_much());
                driver.receive(bytes)?;
            }
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

/// Sends what is left, ends our direction and waits for the remote to end its own: a socket that is dropped with bytes unread
/// may take back what it has sent. Neither side expects anything any longer, so what goes wrong here is no error, and all of
/// it is short.
async fn hang_up<S>(driver: &mut Driver, socket: &mut S, output: &mut Outlet)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let runtime = Arc::clone(&driver.runtime);
    let farewell = async {
        if say_the_rest(driver, socket, output).await.is_err() {
            return;
        }
        driver.runtime.end_sending(socket);
        let mut unheard = vec![0; 4096];
        while !driver.remote_ended && matches!(socket.read(&mut unheard).await, Ok(1..)) {
            // A remote that never pauses shall not keep the clock from being looked at.
            future::yield_now().await;
        }
    };
    future::or(farewell, runtime.sleep(FAREWELL)).await;
}

async fn say_the_rest<S>(driver: &mut Driver, socket: &mut S, output: &mut Outlet) -> Result<()>
where
    S: AsyncWrite + Unpin,
{
    loop {
        poll_fn(|cx| output.poll_write(socket, cx)).await?;
        driver.transmit(output)?;
        if output.is_empty() {
            return Ok(socket.close().await?);
        }
    }
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

    /// Tells the gate that the remote has lied.
    fn bar(&self) {
        if let Some(pass) = &self.options.pass {
            pass.bar();
        }
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
                self.looked(name)?;
            }
            About::Feed(name) => self.decided(name, answer)?,
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

    fn tell(&self, event: ConnectionEvent) {
        observe::connection_event(&event);
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
            Event::Withdrawn { discovery_key } => self.remote_withdraws(discovery_key),
            Event::Opened { channel } => self.opened(channel),
            Event::Message { channel, message } => self.feeds.handle(channel, message),
            Event::Stream { message } => self.shared.handle_message(message),
            Event::Closed { channel } => self.remote_closes(channel),
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

    /// What the handshake has told.
    fn known(&self) -> Option<Known> {
        Some(Known {
            remote_public_key: self.connection.remote_public_key()?,
            dialect: self.connection.dialect()?,
            handshake_hash: self.connection.handshake_hash()?,
            capability: self.connection.capability()?.clone(),
        })
    }

    /// Takes what is to be sent next.
    fn transmit(&mut self, output: &mut Outlet) -> Result<()> {
        while self.connection.is_open()
            && self.connection.queued() < SEND_AHEAD
            && let Some(message) = self.shared.poll_message()
        {
            self.connection.send_stream(&message)?;
        }
        let now = self.runtime.now();
        output.fill(|| self.connection.poll_transmit(now));
        let (sent, received) = (
            self.connection.bytes_sent(),
            self.connection.bytes_received(),
        );
        self.shared.count(sent, received);
        Ok(())
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
