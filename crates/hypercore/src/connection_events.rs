//! What happens on a connection, as a stream that anyone may listen to.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use crypto::{Dialect, DiscoveryKey};
use futures_core::Stream;

use crate::{Error, Session, broadcast::Listener};

/// Something that happened on a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// The handshake is done. Never without one ([`Security::Plain`](crate::Security::Plain)).
    Handshake {
        /// The remote's Noise key.
        remote_public_key: [u8; 32],
        /// The dialect that is spoken.
        dialect: Dialect,
    },
    /// The remote has opened a feed that isn't shared here (yet).
    DiscoveryKey {
        /// The name of the feed.
        discovery_key: DiscoveryKey,
    },
    /// The remote has opened a feed, whether it is shared here or not.
    RemoteOpen {
        /// The name of the feed.
        discovery_key: DiscoveryKey,
    },
    /// Both sides have opened a feed and shown that they know its key.
    Opened {
        /// The name of the feed.
        discovery_key: DiscoveryKey,
    },
    /// A feed is no longer on the connection, or was refused by either side.
    ChannelClosed {
        /// The name of the feed.
        discovery_key: DiscoveryKey,
    },
    /// The remote has told which extensions of the connection it has, all of them.
    Extensions {
        /// Their names, in the remote's order.
        names: Vec<String>,
    },
    /// No feed is left. A connection that isn't live ends now, unless somebody [holds](crate::ConnectionHandle::hold) it.
    Finishing,
    /// The listener was too slow and lost this many events.
    Lagged {
        /// How many.
        missed: u64,
    },
    /// The connection has ended; nothing follows. An error says why if it was before its time:
    /// [`Error::Closed`] that the future which ran it was dropped.
    Ended(Result<Session, Error>),
}

/// A stream of [`ConnectionEvent`]s, from the moment it was made. Ends after [`ConnectionEvent::Ended`].
#[derive(Debug)]
pub struct ConnectionEvents {
    listener: Listener<ConnectionEvent>,
}

impl ConnectionEvents {
    pub(crate) fn new(listener: Listener<ConnectionEvent>) -> Self {
        ConnectionEvents { listener }
    }
}

impl Stream for ConnectionEvents {
    type Item = ConnectionEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.listener).poll_next(cx);
        next.map(|next| {
            next.map(|next| next.unwrap_or_else(|missed| ConnectionEvent::Lagged { missed }))
        })
    }
}
