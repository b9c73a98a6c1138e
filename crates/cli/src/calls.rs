//! Calls peers of a feed, and stays connected with them.
//!
//! ```text
//!   call ──▶ connected ──▶ handshake (the address is remembered) ──▶ exchange ──▶ ended
//!    ▲                                                                             │
//!    └──────── after a while, if it is to stay and was reached once ◀──────────────┘
//! ```

use std::{
    collections::BTreeMap,
    fmt, io,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_std::{future::timeout, net::TcpStream, task};
use event_listener::Event;
use futures_lite::{AsyncRead, AsyncWrite, FutureExt, StreamExt, future};
use hypercore::{
    Connection, ConnectionEvent, ConnectionHandle, Dialect, DialectChoice, FeedOptions,
    FindingPeers, Hold, Hypercore, Remote, Role, Session, Transport,
};
use serde_json::json;

use crate::{
    duplex::Duplex,
    failure::{Code, Failure},
    known_peers::KnownPeers,
    output::Output,
};

/// How long a peer may take to answer a call.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// How long connections may take to end.
const FAREWELL: Duration = Duration::from_secs(3);

/// How long to wait before a peer that was lost is called again; the last one stays.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
];

/// A way to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// `HOST:PORT`.
    Address(String),
    /// A command whose standard input and output lead there.
    Command(String),
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Way::Address(address) => f.write_str(address),
            Way::Command(command) => write!(f, "'{command}'"),
        }
    }
}

/// How peers are called.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) dialect: DialectChoice,
    /// Whether to stay, and to call again who was lost.
    pub(crate) live: bool,
    /// Whether to answer requests, too.
    pub(crate) upload: bool,
    /// Where who was reached is remembered.
    pub(crate) remember: Option<KnownPeers>,
}

/// The calls of a feed. Dropping them ends them.
pub(crate) struct Calls {
    tasks: Vec<task::JoinHandle<Result<Session, Failure>>>,
    /// How those did that have ended.
    results: Vec<Result<Session, Failure>>,
    shared: Arc<Shared>,
}

/// What the calls of a feed have in common.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Rung when they are to end.
    bell: Event,
}

#[derive(Default)]
struct State {
    over: bool,
    /// One for each connection that there is.
    handles: BTreeMap<u64, ConnectionHandle>,
    next: u64,
    /// What keeps connections from ending that have nothing to exchange yet.
    holds: Option<Vec<Hold>>,
    /// Whether somebody has answered who has the feed.
    reached: bool,
}

impl Calls {
    /// Begins to call. With `hold`, connections don't end by themselves before they are [let go](Self::let_go).
    pub(crate) fn begin(
        feed: &Hypercore,
        ways: &[Way],
        terms: &Terms,
        hold: bool,
        output: &Output,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        shared.state().holds = hold.then(Vec::new);
        let tasks = ways.iter().map(|way| {
            let call = Call {
                feed: feed.clone(),
                way: way.clone(),
                terms: terms.clone(),
                output: *output,
                shared: Arc::clone(&shared),
            };
            // Until the first call is through somebody may turn up who has more.
            let hope = feed.finding_peers();
            task::spawn(call.run(hope))
        });
        let tasks = tasks.collect();
        Calls {
            tasks,
            results: Vec::new(),
            shared,
        }
    }

    /// Lets the connections end once nothing is left to exchange.
    pub(crate) fn let_go(&self) {
        self.shared.state().holds = None;
    }

    /// Whether somebody has answered who has the feed.
    pub(crate) fn reached(&self) -> bool {
        self.shared.state().reached
    }

    /// Waits until the last one has ended, and says how each did. Dropping the future loses nothing.
    pub(crate) async fn ended(&mut self) -> Vec<Result<Session, Failure>> {
        while let Some(task) = self.tasks.last_mut() {
            let result = task.await;
            self.tasks.pop();
            self.results.push(result);
        }
        std::mem::take(&mut self.results)
    }

    /// Ends them, gives the peers a moment to hear of it, and says how each did whose end wasn't told yet.
    pub(crate) async fn hang_up(mut self) -> Vec<Result<Session, Failure>> {
        self.shared.end();
        timeout(FAREWELL, self.ended()).await.unwrap_or_default()
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        let mut state = self.state();
        state.over = true;
        for handle in state.handles.values() {
            handle.hang_up();
        }
        self.bell.notify(usize::MAX);
    }

    /// A connection is about to run. One that comes too late is hung up at once.
    fn enter(&self, handle: &ConnectionHandle) -> u64 {
        let mut state = self.state();
        if let Some(holds) = &mut state.holds {
            holds.push(handle.hold());
        }
        if state.over {
            handle.hang_up();
        }
        state.next += 1;
        let id = state.next;
        state.handles.insert(id, handle.clone());
        id
    }

    fn leave(&self, id: u64) {
        self.state().handles.remove(&id);
    }

    /// Completes when they are to end.
    async fn over(&self) {
        loop {
            // Listen first, look second.
            let bell = self.bell.listen();
            if self.state().over {
                return;
            }
            bell.await;
        }
    }
}

/// One of them.
struct Call {
    feed: Hypercore,
    way: Way,
    terms: Terms,
    output: Output,
    shared: Arc<Shared>,
}

impl Call {
    /// Calls, stays to the end, and calls again if that is wanted.
    async fn run(self, hope: FindingPeers) -> Result<Session, Failure> {
        let mut outcome = self.once(Some(hope)).await;
        let mut lost = 0;
        while self.terms.live && outcome.reached && self.feed.is_readable() {
            let pause = PAUSES.get(lost).or(PAUSES.last()).copied();
            let over = async {
                self.shared.over().await;
                true
            };
            let rested = async {
                task::sleep(pause.unwrap_or_default()).await;
                false
            };
            if over.or(rested).await {
                break;
            }
            let again = self.once(None).await;
            lost = if again.reached { 0 } else { lost + 1 };
            outcome = Outcome {
                reached: true,
                ..again
            };
        }
        outcome.result
    }

    async fn once(&self, hope: Option<FindingPeers>) -> Outcome {
        let (result, reached) = match &self.way {
            Way::Address(address) => match self.connect(address).await {
                Ok(socket) => {
                    let mut remote = Remote::default();
                    remote.address = socket.peer_addr().ok();
                    remote.transport = Transport::Tcp;
                    self.exchange(socket, remote, hope).await
                }
                Err(failure) => (Err(failure), false),
            },
            Way::Command(command) => match Child::start(command) {
                Ok((mut child, socket)) => {
                    let mut remote = Remote::default();
                    remote.transport = Transport::Other("stdio");
                    let (result, reached) = self.exchange(socket, remote, hope).await;
                    let result = match (result, child.ended().await) {
                        (Err(failure), Some(how)) if !reached => {
                            Err(failure.of(format_args!("{how}")))
                        }
                        (result, _) => result,
                    };
                    (result, reached)
                }
                Err(failure) => (Err(failure), false),
            },
        };
        Outcome {
            result: result.map_err(|failure| failure.of(format_args!("peer {}", self.way))),
            reached,
        }
    }

    /// Connects, unless all is over before somebody answers.
    async fn connect(&self, address: &str) -> Result<TcpStream, Failure> {
        let over = async {
            self.shared.over().await;
            Err(Failure::new(Code::Unreachable, "it has not answered yet"))
        };
        connect(address).or(over).await
    }

    /// Exchanges the feed over a socket. Says, too, whether the handshake was done.
    async fn exchange<S>(
        &self,
        socket: S,
        remote: Remote,
        hope: Option<FindingPeers>,
    ) -> (Result<Session, Failure>, bool)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut options = FeedOptions::default();
        options.upload = self.terms.upload;
        let connection = Connection::new(Role::Initiator)
            .live(self.terms.live)
            .dialect(self.terms.dialect)
            .remote(remote);
        let handle = connection.handle();
        if let Err(error) = connection.add_with(&self.feed, options) {
            return (Err(error.into()), false);
        }
        let id = self.shared.enter(&handle);
        // From here on the connection itself is hope.
        drop(hope);
        let mut events = handle.events();
        let mut seen = Seen::default();
        let watching = async {
            while let Some(event) = events.next().await {
                self.see(event, &handle, &mut seen)?;
            }
            future::pending::<Result<_, Failure>>().await
        };
        let running = async { Ok(connection.run(socket).await?) };
        let mut result = watching.or(running).await;
        self.shared.leave(id);
        // What came last. The stream ends with the connection.
        while let Some(event) = events.next().await {
            self.see(event, &handle, &mut seen).ok();
        }
        if seen.refused && result.is_ok() {
            let message = "it doesn't have this feed, or doesn't share it";
            result = Err(Failure::new(Code::Unreachable, message));
        }
        (result, seen.handshake && !seen.refused)
    }

    fn see(
        &self,
        event: ConnectionEvent,
        handle: &ConnectionHandle,
        seen: &mut Seen,
    ) -> Result<(), Failure> {
        let name = self.feed.discovery_key();
        match event {
            ConnectionEvent::Handshake { dialect, .. } => {
                seen.handshake = true;
                let fields = json!({ "peer": self.way.to_string(), "dialect": number(dialect) });
                let human = format!("connected  {} (dialect {})", self.way, number(dialect));
                self.output.news("connected", fields, human)?;
            }
            ConnectionEvent::Opened { discovery_key } if discovery_key == name => {
                seen.opened = true;
                self.shared.state().reached = true;
                self.remember();
            }
            ConnectionEvent::ChannelClosed { discovery_key } if discovery_key == name => {
                seen.refused = !seen.opened;
                if seen.refused {
                    handle.hang_up();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn remember(&self) {
        let (Some(known), Way::Address(address)) = (&self.terms.remember, &self.way) else {
            return;
        };
        if let Err(error) = known.remember(address) {
            let text = format_args!("cannot remember {address}: {error}");
            self.output.tell(text);
        }
    }
}

/// What has been seen of a connection.
#[derive(Default)]
struct Seen {
    handshake: bool,
    opened: bool,
    /// Whether the remote closed the feed without having opened it.
    refused: bool,
}

/// How a call has ended.
struct Outcome {
    result: Result<Session, Failure>,
    /// Whether somebody answered who speaks the protocol.
    reached: bool,
}

/// The number of a dialect, as people name it.
pub(crate) fn number(dialect: Dialect) -> u8 {
    match dialect {
        Dialect::V9 => 9,
        _ => 8,
    }
}

/// Connects to `HOST:PORT`.
pub(crate) async fn connect(address: &str) -> Result<TcpStream, Failure> {
    let connected = async_std::io::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
    let socket = connected.map_err(|error| {
        Failure::new(Code::Unreachable, format_args!("cannot connect: {error}"))
            .hint("is `hypercore serve` running there?")
    })?;
    let _ = socket.set_nodelay(true);
    Ok(socket)
}

/// A command that leads to a peer. It is killed when it is dropped.
struct Child(async_process::Child);

impl Child {
    fn start(
        command: &str,
    ) -> Result<
        (
            Child,
            Duplex<async_process::ChildStdout, async_process::ChildStdin>,
        ),
        Failure,
    > {
        let failed = |error: io::Error| {
            Failure::new(
                Code::Unreachable,
                format_args!("cannot be started: {error}"),
            )
        };
        let mut shell = match cfg!(windows) {
            true => async_process::Command::new("cmd"),
            false => async_process::Command::new("sh"),
        };
        let mut child = shell
            .arg(if cfg!(windows) { "/C" } else { "-c" })
            .arg(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        match (child.stdout.take(), child.stdin.take()) {
            (Some(stdout), Some(stdin)) => Ok((Child(child), Duplex::new(stdout, stdin))),
            _ => Err(failed(io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// How it has ended, if it does so soon and not well.
    async fn ended(&mut self) -> Option<String> {
        let status = timeout(FAREWELL, self.0.status()).await.ok()?.ok()?;
        (!status.success()).then(|| format!("the command ended with {status}"))
    }
}
