//! One connection: how it is asked for, and what is known when it has ended.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use crypto::Dialect;
use futures_io::{AsyncRead, AsyncWrite};
use noise::{DialectChoice, KeyPair, Role};
use protocol::Security;

use crate::{Connection, FeedOptions, Pass, Result, Runtime, core::Core};

/// A connection for one feed that is about to be driven. Await it, or spawn it: it does nothing by itself. Calls that wait only
/// while something is available count on it as soon as it has become a future, though that may not have been polled yet.
///
/// # Cancellation
/// Dropping the future drops the socket. What was stored stays, and requests that were under way go to other peers.
#[must_use = "a connection does nothing unless it is awaited"]
pub struct Replicate<S> {
    core: Arc<Core>,
    socket: S,
    connection: Connection,
    options: FeedOptions,
}

impl<S> Replicate<S> {
    pub(crate) fn new(core: Arc<Core>, role: Role, socket: S) -> Self {
        let connection = Connection::new(role).dialect(DialectChoice::Fixed(core.dialect()));
        Replicate {
            core,
            socket,
            connection,
            options: FeedOptions::default(),
        }
    }

    /// Whether to stay connected once everything is exchanged, and pass on what is appended later. Default: no.
    ///
    /// A side that isn't live leaves once neither has anything for the other. It can't know that of a live remote that
    /// itself downloads, and stays as long as that does, unless it doesn't [`upload`](Self::upload).
    pub fn live(self, yes: bool) -> Self {
        self.with(|connection| connection.live(yes))
    }

    /// Whether to fetch blocks. Default: yes, if the feed does.
    pub fn download(mut self, yes: bool) -> Self {
        self.options.download = yes;
        self
    }

    /// Whether to answer the remote's requests. Default: yes, if the feed does. If not, and without [`live`](Self::live), the
    /// connection ends as soon as everything is here, even if the remote is live and would wait for more.
    pub fn upload(mut self, yes: bool) -> Self {
        self.options.upload = yes;
        self
    }

    /// Whether to ask the remote to confirm each block that it stores ([`Event::Ack`](crate::Event::Ack)). Default: no.
    pub fn ack(mut self, yes: bool) -> Self {
        self.options.ack = yes;
        self
    }

    /// How many requests may become unanswered at a time. Default: as many as the feed says.
    pub fn max_requests(mut self, requests: usize) -> Self {
        self.options.max_requests = Some(requests);
        self
    }

    /// The dialect to speak. Default: that of the feed. An initiator may choose [`DialectChoice::Auto`].
    pub fn dialect(self, choice: DialectChoice) -> Self {
        self.with(|connection| connection.dialect(choice))
    }

    /// The silence after which the connection is given up; half of it sends a sign of life. Default: 20 s; `None`: for ever.
    pub fn timeout(self, timeout: Option<Duration>) -> Self {
        self.with(|connection| connection.timeout(timeout))
    }

    /// How much is protected. Default: all of it. Both sides have to agree, and nothing on the wire says so.
    pub fn security(self, security: Security) -> Self {
        self.with(|connection| connection.security(security))
    }

    /// The key pair by which this side is known to the remote. Default: that of the feed.
    pub fn key_pair(self, pair: KeyPair) -> Self {
        self.with(|connection| connection.key_pair(pair))
    }

    /// The runtime to take clock and timers from. Default: that of the feed.
    pub fn runtime(self, runtime: Arc<dyn Runtime>) -> Self {
        self.with(|connection| connection.runtime(runtime))
    }

    /// Decides whether the remote is welcome, by its Noise key. See [`Connection::on_authenticate`].
    pub fn on_authenticate<F, D>(self, decide: F) -> Self
    where
        F: Fn([u8; 32]) -> D + Send + Sync + 'static,
        D: Future<Output = bool> + Send + 'static,
    {
        self.with(|connection| connection.on_authenticate(decide))
    }

    /// The pass with which a [`Gate`](crate::Gate) has let the connection in. See [`Connection::pass`].
    pub fn pass(self, pass: Pass) -> Self {
        self.with(|connection| connection.pass(pass))
    }

    fn with(self, change: impl FnOnce(Connection) -> Connection) -> Self {
        Replicate {
            connection: change(self.connection),
            ..self
        }
    }
}

impl<S> IntoFuture for Replicate<S>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = Result<Session>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Session>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Replicate {
            core,
            socket,
            mut connection,
            options,
        } = self;
        // Already here, so that whoever waits for blocks before the connection is first polled waits for it too.
        let added = connection.handle().add_core(&core, options);
        Box::pin(async move {
            added?;
            connection.options.only = Some(core);
            connection.run(socket).await
        })
    }
}

impl<S> fmt::Debug for Replicate<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replicate")
            .field("connection", &self.connection)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// A connection that has ended without an error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// The remote's Noise key.
    pub remote_public_key: Option<[u8; 32]>,
    /// The dialect that was spoken, if it got that far.
    pub dialect: Option<Dialect>,
    /// Whether both sides said that they had all they wanted. If not, the remote just hung up.
    pub finished: bool,
    /// Bytes received, with handshake and framing.
    pub bytes_received: u64,
    /// Bytes sent, likewise.
    pub bytes_sent: u64,
}
