//! One connection with any number of feeds: how it is to be.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use crypto::DiscoveryKey;
use futures_io::{AsyncRead, AsyncWrite};
use noise::{DialectChoice, KeyPair, Role};
use protocol::Security;

use crate::{
    BoxFuture, ConnectionHandle, ConnectionLimits, Encoding, Error, Hypercore, Pass, Remote,
    Result, Runtime, Session,
    core::Core,
    driver::run,
    observe,
    runtime::{default_runtime, random},
    shared::Shared,
};

/// The silence after which a connection is given up.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A connection to a peer, on which any number of feeds are exchanged.
///
/// Feeds are added before it runs and while it does, by either side first. For a single feed there is
/// [`Hypercore::replicate`].
///
/// ```
/// use async_std::{net::{TcpListener, TcpStream}, task};
/// use hypercore::{Connection, Hypercore, Role, Storage};
///
/// # task::block_on(async {
/// let (a, b) = (Hypercore::open(Storage::memory()).await?, Hypercore::open(Storage::memory()).await?);
/// a.append("of a").await?;
/// b.append("of b").await?;
///
/// let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
/// let address = listener.local_addr().unwrap();
/// let server = Connection::new(Role::Responder);
/// server.add(&a)?;
/// server.add(&b)?;
/// let server = task::spawn(async move {
///     let (socket, _) = listener.accept().await.unwrap();
///     server.run(socket).await
/// });
///
/// let client = Connection::new(Role::Initiator);
/// let mut copies = Vec::new();
/// for feed in [&a, &b] {
///     let copy = Hypercore::builder(Storage::memory()).key(feed.key()).open().await?;
///     client.add(&copy)?;
///     copies.push(copy);
/// }
/// client.run(TcpStream::connect(address).await.unwrap()).await?;
/// server.await?;
/// assert_eq!(copies[1].get(0).await?, "of b");
/// # Ok::<_, hypercore::Error>(()) }).unwrap();
/// ```
#[must_use = "a connection does nothing unless it runs"]
pub struct Connection {
    pub(crate) options: Options,
    shared: Ending,
}

/// Tells the handles of a connection that it has ended, however that comes about.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.ended(Err(Error::Closed));
    }
}

/// How a connection is to be.
pub(crate) struct Options {
    pub(crate) role: Role,
    pub(crate) live: bool,
    pub(crate) dialect: DialectChoice,
    pub(crate) timeout: Option<Duration>,
    pub(crate) security: Security,
    pub(crate) key_pair: Option<KeyPair>,
    pub(crate) runtime: Option<Arc<dyn Runtime>>,
    pub(crate) limits: ConnectionLimits,
    pub(crate) pass: Option<Pass>,
    pub(crate) on_authenticate: Option<OnAuthenticate>,
    pub(crate) on_feed_authenticate: Option<OnFeedAuthenticate>,
    pub(crate) on_discovery_key: Option<OnDiscoveryKey>,
    /// The feed with which the connection ends, if it was made for one.
    pub(crate) only: Option<Arc<Core>>,
}

type OnAuthenticate = Box<dyn Fn([u8; 32]) -> BoxFuture<bool> + Send + Sync>;
type OnFeedAuthenticate = Box<dyn Fn(DiscoveryKey, [u8; 32]) -> BoxFuture<bool> + Send + Sync>;
type OnDiscoveryKey = Box<dyn Fn(DiscoveryKey, ConnectionHandle) -> BoxFuture<()> + Send + Sync>;

/// How one feed is exchanged on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedOptions {
    /// Whether to fetch blocks, if the feed does. Default: yes.
    pub download: bool,
    /// Whether to answer requests, if the feed does. Default: yes.
    pub upload: bool,
    /// Whether to ask the remote to confirm each block that it stores ([`Event::Ack`](crate::Event::Ack)). Default: no.
    pub ack: bool,
    /// How many requests may become unanswered at a time, if not as many as the feed says.
    pub max_requests: Option<usize>,
}

impl Default for FeedOptions {
    fn default() -> Self {
        FeedOptions {
            download: true,
            upload: true,
            ack: false,
            max_requests: None,
        }
    }
}

impl Connection {
    /// A connection without feeds, with all protection, in dialect 8.
    pub fn new(role: Role) -> Self {
        Connection {
            options: Options {
                role,
                live: false,
                dialect: DialectChoice::default(),
                timeout: Some(TIMEOUT),
                security: Security::default(),
                key_pair: None,
                runtime: None,
                limits: ConnectionLimits::default(),
                pass: None,
                on_authenticate: None,
                on_feed_authenticate: None,
                on_discovery_key: None,
                only: None,
            },
            shared: Ending(Arc::new(Shared::new(role))),
        }
    }

    /// Whether to stay connected when nothing is left to exchange. Default: no.
    pub fn live(mut self, yes: bool) -> Self {
        self.options.live = yes;
        self.shared.0.view().live = yes;
        self
    }

    /// The dialect to speak. Default: 8. An initiator may choose [`DialectChoice::Auto`].
    pub fn dialect(mut self, choice: DialectChoice) -> Self {
        self.options.dialect = choice;
        self
    }

    /// The silence after which the connection is given up; half of it sends a sign of life. Default: 20 s; `None`: for ever.
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// How much is protected. Default: all of it. Both sides have to agree, and nothing on the wire says so.
    pub fn security(mut self, security: Security) -> Self {
        self.options.security = security;
        self
    }

    /// The key pair by which this side is known to the remote. Default: that of the first feed, or else a new one.
    pub fn key_pair(mut self, pair: KeyPair) -> Self {
        self.options.key_pair = Some(pair);
        self
    }

    /// The runtime to take clock and timers from. Default: that of the first feed, or else async-std.
    pub fn runtime(mut self, runtime: Arc<dyn Runtime>) -> Self {
        self.options.runtime = Some(runtime);
        self
    }

    /// Where the remote is and what carries the bytes, for those who ask the [handle](ConnectionHandle::remote) or a peer of a
    /// feed. Nothing depends on it. Default: unknown.
    pub fn remote(self, remote: Remote) -> Self {
        self.shared.0.view().remote = remote;
        self
    }

    /// How much the remote may make this connection spend.
    pub fn limits(mut self, limits: ConnectionLimits) -> Self {
        self.options.limits = limits;
        self.shared.0.set_limits(&limits);
        self
    }

    /// The pass with which a [`Gate`](crate::Gate) has let this connection in. It is given back when the connection ends.
    pub fn pass(mut self, pass: Pass) -> Self {
        self.options.pass = Some(pass);
        self
    }

    /// How many feeds may be added, and how many the remote may have opened that nobody here has decided about yet: room for
    /// thousands. Default: 1024, and 256.
    pub fn max_feeds(self, feeds: usize) -> Self {
        let limits = ConnectionLimits {
            feeds,
            unknown_feeds: feeds,
            ..self.options.limits
        };
        self.limits(limits)
    }

    /// Decides whether the remote is welcome, by its Noise key, before anything is exchanged. If not, the connection fails on
    /// both sides with a handshake error. Default: everybody is.
    pub fn on_authenticate<F, D>(mut self, decide: F) -> Self
    where
        F: Fn([u8; 32]) -> D + Send + Sync + 'static,
        D: Future<Output = bool> + Send + 'static,
    {
        self.options.on_authenticate = Some(Box::new(move |key| Box::pin(decide(key))));
        self
    }

    /// Decides of each feed that is added whether it may be exchanged with the remote, by its name and the remote's Noise key,
    /// after the handshake and before the remote is told that it is here. If not, the feed is closed and the others go on.
    /// Never called without a handshake ([`Security::Plain`]). Default: all may.
    ///
    /// Whoever is still deciding when the connection ends, or when the remote gives the feed up, is dropped.
    pub fn on_feed_authenticate<F, D>(mut self, decide: F) -> Self
    where
        F: Fn(DiscoveryKey, [u8; 32]) -> D + Send + Sync + 'static,
        D: Future<Output = bool> + Send + 'static,
    {
        self.options.on_feed_authenticate =
            Some(Box::new(move |feed, remote| Box::pin(decide(feed, remote))));
        self
    }

    /// Called when the remote opens a feed that isn't shared here (yet): open it and [`add`](ConnectionHandle::add) it, and the
    /// two sides meet. If it hasn't been added when the call is over, the remote is told that it isn't shared. Default: it has
    /// two seconds to be added.
    pub fn on_discovery_key<F, D>(mut self, call: F) -> Self
    where
        F: Fn(DiscoveryKey, ConnectionHandle) -> D + Send + Sync + 'static,
        D: Future<Output = ()> + Send + 'static,
    {
        self.options.on_discovery_key =
            Some(Box::new(move |key, handle| Box::pin(call(key, handle))));
        self
    }

    /// Adds a feed. One that is on the connection already stays as it is.
    ///
    /// # Errors
    /// [`Error::Closed`] if the feed is closed; [`Error::Feed`] if it is static and not finalized; [`Error::TooManyFeeds`].
    pub fn add<E: Encoding>(&self, feed: &Hypercore<E>) -> Result<()> {
        self.handle().add(feed)
    }

    /// Adds a feed with options.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_with<E: Encoding>(&self, feed: &Hypercore<E>, options: FeedOptions) -> Result<()> {
        self.handle().add_with(feed, options)
    }

    /// A handle to add and remove feeds while it runs, and to ask how it is.
    pub fn handle(&self) -> ConnectionHandle {
        self.shared.0.handle()
    }

    /// Runs the connection over a socket to its end: without [`live`](Self::live) when both sides have exchanged all they
    /// wanted, with it when one of them hangs up.
    ///
    /// # Errors
    /// [`Error::Peer`] if the remote breaks the protocol or sends what doesn't verify, [`Error::Connection`] if the socket
    /// fails. The feeds and their other connections go on.
    ///
    /// # Cancellation
    /// Dropping the future drops the socket. What was stored stays, and requests that were under way go to other peers.
    pub async fn run<S>(self, socket: S) -> Result<Session>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Connection { options, shared } = self;
        let (role, remote) = (options.role, shared.0.view().remote);
        let running = run(options, Arc::clone(&shared.0), socket);
        let result = observe::connection(role, remote, running).await;
        shared.0.ended(result.clone());
        result
    }
}

impl Options {
    /// The runtime and the key pair: those that were named, those of the first feed, or new ones.
    pub(crate) fn settle(
        &mut self,
        first: Option<&Arc<Core>>,
    ) -> Result<(Arc<dyn Runtime>, KeyPair)> {
        let named = self.runtime.take();
        let of_feed = || first.map(|core| core.runtime_handle());
        let runtime = named.or_else(of_feed).or_else(default_runtime);
        let runtime = runtime.ok_or(Error::NoRuntime)?;
        let pair = match (self.key_pair.take(), first) {
            (Some(pair), _) => pair,
            (None, Some(core)) => core.noise().clone(),
            (None, None) => KeyPair::from_secret(random(&*runtime)?),
        };
        Ok((runtime, pair))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.options.role)
            .field("live", &self.options.live)
            .field("dialect", &self.options.dialect)
            .finish_non_exhaustive()
    }
}
