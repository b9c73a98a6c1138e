//! What happens on a connection.

use crypto::Dialect;
use wire::Message;

/// A feed on a connection, by our number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(pub(crate) u64);

/// What happens on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The remote's key is known; [`authenticate`](crate::Connection::authenticate) has to accept it. Only if the
    /// configuration asks for it.
    Authenticate {
        /// Who the remote is.
        remote_public_key: [u8; 32],
    },
    /// The handshake is done.
    Handshake {
        /// Who the remote is.
        remote_public_key: [u8; 32],
        /// The dialect that is spoken.
        dialect: Dialect,
    },
    /// The remote opened a feed that we haven't: [`open`](crate::Connection::open) it or
    /// [`refuse`](crate::Connection::refuse) it.
    RemoteOpen {
        /// The name of the feed.
        discovery_key: [u8; 32],
    },
    /// The remote has closed a feed that only it had opened.
    Withdrawn {
        /// The name of the feed.
        discovery_key: [u8; 32],
    },
    /// Both sides have opened a feed and shown that they know its key: messages may flow.
    Opened {
        /// The feed.
        channel: Channel,
    },
    /// A message about a feed.
    Message {
        /// The feed.
        channel: Channel,
        /// What is said.
        message: Message,
    },
    /// A message about the connection as a whole, for [`Extensions`](crate::Extensions).
    Stream {
        /// What is said.
        message: Message,
    },
    /// The remote has closed a feed, or refused it. The channel is gone.
    Closed {
        /// The feed.
        channel: Channel,
    },
    /// All feeds are closed, on both sides. If the connection isn't live there is nothing left to talk about:
    /// [`finish`](crate::Connection::finish), or open something. If it is live, this comes only once the remote has hung up.
    Finished,
    /// The remote has hung up although something is still open, or before anything was. Nothing more will come, and our
    /// direction ends once everything is sent.
    HungUp,
}
