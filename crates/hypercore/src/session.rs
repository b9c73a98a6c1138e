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
use noise::{DialectChoice, Role};

use crate::{Result, connection, core::Core};

/// The silence after which a connection is given up.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A connection that is about to be driven. Await it, or spawn it: it does nothing by itself.
///
/// # Cancellation
/// Dropping the future drops the socket. What was stored stays, and requests that were under way go to other peers.
#[must_use = "a connection does nothing unless it is awaited"]
pub struct Replicate<S> {
    core: Arc<Core>,
    socket: S,
    options: Options,
}

/// What may differ from connection to connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) role: Role,
    pub(crate) live: bool,
    pub(crate) download_only: bool,
    pub(crate) dialect: DialectChoice,
    pub(crate) timeout: Option<Duration>,
}

impl<S> Replicate<S> {
    pub(crate) fn new(core: Arc<Core>, role: Role, socket: S) -> Self {
        let options = Options {
            role,
            live: false,
            download_only: false,
            dialect: DialectChoice::Fixed(core.dialect()),
            timeout: Some(TIMEOUT),
        };
        Replicate {
            core,
            socket,
            options,
        }
    }

    /// Whether to stay connected once everything is exchanged, and pass on what is appended later. Default: no.
    ///
    /// A side that isn't live leaves once neither has anything for the other. It can't know that of a live remote that
    /// itself downloads, and stays as long as that does, unless it is [`download_only`](Self::download_only).
    pub fn live(mut self, yes: bool) -> Self {
        self.options.live = yes;
        self
    }

    /// Whether to answer none of the remote's requests. Default: no. Without [`live`](Self::live) the connection then ends as
    /// soon as everything is here, even if the remote is live and would wait for more.
    pub fn download_only(mut self, yes: bool) -> Self {
        self.options.download_only = yes;
        self
    }

    /// The dialect to speak. Default: that of the feed. An initiator may choose [`DialectChoice::Auto`].
    pub fn dialect(mut self, choice: DialectChoice) -> Self {
        self.options.dialect = choice;
        self
    }

    /// The silence after which the connection is given up; half of it sends a sign of life. Default: 20 s.
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.options.timeout = timeout;
        self
    }
}

impl<S> IntoFuture for Replicate<S>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = Result<Session>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Session>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(connection::run(self.core, self.socket, self.options))
    }
}

impl<S> fmt::Debug for Replicate<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replicate")
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
