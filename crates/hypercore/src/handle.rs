//! The handle of a connection: tells it what to carry and how, and asks how it is.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use crypto::{Dialect, DiscoveryKey, PublicKey};
use noise::Role;

use crate::{
    ConnectionEvents, Encoding, FeedOptions, Hypercore, Result,
    core::Core,
    discovery::Expected,
    shared::{Command, Shared},
};

/// Tells a connection what to carry, and asks how it is, before it runs and while it does. Cheap to clone.
#[derive(Clone)]
pub struct ConnectionHandle {
    shared: Arc<Shared>,
}

/// How bytes get to a remote, if whoever has the socket says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// Nobody has said.
    #[default]
    Unknown,
    /// TCP.
    Tcp,
    /// uTP, the transport over UDP that JavaScript uses to get through routers.
    Utp,
    /// Something else, by name.
    Other(&'static str),
}

/// Where a remote is, if whoever has the socket says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remote {
    /// Its address.
    pub address: Option<SocketAddr>,
    /// What carries the bytes.
    pub transport: Transport,
}

impl ConnectionHandle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        ConnectionHandle { shared }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Adds a feed. One that is on the connection already stays as it is.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed) if the feed is closed or the connection has ended;
    /// [`Error::Feed`](crate::Error::Feed) if the feed is static and not finalized;
    /// [`Error::TooManyFeeds`](crate::Error::TooManyFeeds).
    pub fn add<E: Encoding>(&self, feed: &Hypercore<E>) -> Result<()> {
        self.add_with(feed, FeedOptions::default())
    }

    /// Adds a feed with options.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_with<E: Encoding>(&self, feed: &Hypercore<E>, options: FeedOptions) -> Result<()> {
        self.add_core(feed.core(), options)
    }

    pub(crate) fn add_core(&self, core: &Arc<Core>, options: FeedOptions) -> Result<()> {
        core.check_open()?;
        core.check_finalized()?;
        self.shared.tell(Command::Add(Expected::new(core), options))
    }

    /// Takes a feed off the connection.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed) if the connection has ended.
    pub fn remove<E: Encoding>(&self, feed: &Hypercore<E>) -> Result<()> {
        self.close(feed.discovery_key())
    }

    /// Takes a feed off the connection by its name. One that only the remote has opened is refused: the remote is told that it
    /// isn't shared here.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed) if the connection has ended.
    pub fn close(&self, discovery_key: DiscoveryKey) -> Result<()> {
        self.shared.tell(Command::Remove(discovery_key))
    }

    /// Changes the silence after which the connection is given up; half of it sends a sign of life. The new one
    /// counts from now. `None`: for ever.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed) if the connection has ended.
    pub fn set_timeout(&self, timeout: Option<Duration>) -> Result<()> {
        self.shared.tell(Command::SetTimeout(timeout))
    }

    /// Sends a sign of life, if the handshake is done and nothing else waits to be sent.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed) if the connection has ended.
    pub fn ping(&self) -> Result<()> {
        self.shared.tell(Command::Ping)
    }

    /// Lets a live connection end as one that isn't live: once the two sides have exchanged what they want. A feed that either
    /// side follows for ever keeps it, unless the remote isn't live either.
    pub fn finish(&self) {
        // One that has ended needs no telling.
        let _ = self.shared.tell(Command::Finish);
    }

    /// Ends the connection: feeds are closed, and what waits is sent, but nothing more is answered.
    pub fn hang_up(&self) {
        // One that has ended needs no telling.
        let _ = self.shared.tell(Command::HangUp);
    }

    /// Keeps a connection that isn't live from ending while feeds may still be added: until what is returned is dropped.
    pub fn hold(&self) -> Hold {
        self.shared.hold();
        Hold {
            shared: Arc::clone(&self.shared),
        }
    }

    /// What happens on the connection from now on.
    pub fn events(&self) -> ConnectionEvents {
        ConnectionEvents::new(self.shared.events().listen())
    }

    /// Which side of the handshake we are.
    pub fn role(&self) -> Role {
        self.shared.view().role
    }

    /// Whether it stays when nothing is left to exchange.
    pub fn is_live(&self) -> bool {
        self.shared.view().live
    }

    /// The remote's Noise key, after the handshake.
    pub fn remote_public_key(&self) -> Option<[u8; 32]> {
        let view = self.shared.view();
        Some(view.known.as_ref()?.remote_public_key)
    }

    /// The dialect that is spoken, after the handshake.
    pub fn dialect(&self) -> Option<Dialect> {
        Some(self.shared.view().known.as_ref()?.dialect)
    }

    /// A hash of the handshake, the same on both sides and on no other connection, after the handshake.
    pub fn handshake_hash(&self) -> Option<[u8; 64]> {
        Some(self.shared.view().known.as_ref()?.handshake_hash)
    }

    /// Where the remote is, if [`Connection::remote`](crate::Connection::remote) was told.
    pub fn remote(&self) -> Remote {
        self.shared.view().remote
    }

    /// How many bytes were sent so far, with handshake and framing.
    pub fn bytes_sent(&self) -> u64 {
        self.shared.bytes().0
    }

    /// How many bytes were received so far, likewise.
    pub fn bytes_received(&self) -> u64 {
        self.shared.bytes().1
    }

    /// The names of all feeds that either side has open.
    pub fn feeds(&self) -> Vec<DiscoveryKey> {
        self.shared.view().feeds.keys().copied().collect()
    }

    /// How many these are.
    pub fn feed_count(&self) -> usize {
        self.shared.view().feeds.len()
    }

    /// Whether a feed is open on this side.
    pub fn is_opened(&self, discovery_key: &DiscoveryKey) -> bool {
        let view = self.shared.view();
        view.feeds
            .get(discovery_key)
            .is_some_and(|feed| feed.opened)
    }

    /// Whether the remote has opened a feed.
    pub fn is_remote_opened(&self, discovery_key: &DiscoveryKey) -> bool {
        let view = self.shared.view();
        let standing = view.feeds.get(discovery_key);
        standing.is_some_and(|feed| feed.remote_opened)
    }

    /// Whether the remote has opened the feed with this key and shown that it knows it, be it open on this side or not. Never
    /// without a handshake.
    pub fn is_remote_verified(&self, key: &PublicKey) -> bool {
        self.shared.is_verified(key)
    }
}

/// Keeps a connection from ending. See [`ConnectionHandle::hold`].
#[must_use = "dropping it lets the connection end"]
pub struct Hold {
    shared: Arc<Shared>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.shared.let_go();
    }
}

impl fmt::Debug for ConnectionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionHandle")
            .field("role", &self.role())
            .field("feeds", &self.feed_count())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}
