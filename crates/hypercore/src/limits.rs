//! How much a connection may spend on its remote.

use std::time::Duration;

use protocol::{Config, ExtensionLimits};
use wire::Limits;

/// Caps on what a remote can make one connection spend, and on how long it is waited for. Whoever goes beyond loses the
/// connection, unless it says otherwise; the feeds and their other peers notice nothing.
///
/// ```
/// use std::time::Duration;
/// use hypercore::{Connection, ConnectionLimits, Role};
///
/// let mut limits = ConnectionLimits::default();
/// limits.feeds = 10_000;
/// limits.handshake_timeout = Duration::from_secs(3);
/// let connection = Connection::new(Role::Responder).limits(limits);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionLimits {
    /// How many feeds may be added. Beyond them [`add`](crate::ConnectionHandle::add) fails, and the connection goes on.
    /// Default: 1024. Each costs some kilobytes, and next to nothing while it is silent.
    pub feeds: usize,
    /// How many feeds the remote may have opened that aren't here and that nobody has decided about yet. Those beyond are
    /// refused, and the connection goes on. Default: 256, since peers open all they have as soon as they are connected.
    pub unknown_feeds: usize,
    /// How many bytes each kind of message may have, how high channel numbers go, and how many extensions, of which names, a
    /// remote may have.
    pub messages: Limits,
    /// How long the handshake may take, all of it. Default: 10 s.
    pub handshake_timeout: Duration,
    /// How many bytes a message of the handshake may have. Default: 1024; those of all peers have less than 128.
    pub handshake_message: usize,
    /// How long the remote may take to open a feed that was added here, if the connection isn't live, and to close one that
    /// was closed here. Default: 20 s.
    pub answer_timeout: Duration,
    /// While more bytes than this wait to be sent, nothing is read. Default: 1 MiB.
    pub send_soft: usize,
    /// If more bytes than this wait to be sent and another message is to follow, the connection ends. Default: 4 MiB.
    pub send_hard: usize,
    /// How many bytes may wait to be looked at. Has to be more than the longest message. Default: 16 MiB.
    pub receive_hard: usize,
    /// How many messages are looked at before others have their turn on the thread. Default: 256.
    pub messages_per_turn: usize,
    /// How many messages of the connection's own extensions may wait to be sent. Beyond them
    /// [`ConnectionExtension::send`](crate::ConnectionExtension::send) fails. Default: 256.
    pub extension_messages: usize,
    /// How many bytes of them, beside the last one. Default: 1 MiB.
    pub extension_bytes: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        let messages = Limits::default();
        let extensions = ExtensionLimits::of(&messages);
        ConnectionLimits {
            feeds: 1024,
            unknown_feeds: 256,
            messages,
            handshake_timeout: Duration::from_secs(10),
            handshake_message: 1024,
            answer_timeout: Duration::from_secs(20),
            send_soft: 1024 * 1024,
            send_hard: 4 * 1024 * 1024,
            receive_hard: 16 * 1024 * 1024,
            messages_per_turn: 256,
            extension_messages: extensions.waiting,
            extension_bytes: extensions.waiting_bytes,
        }
    }
}

impl ConnectionLimits {
    pub(crate) fn configure(&self, config: &mut Config) {
        config.max_channels = self.feeds;
        config.max_unknown = self.unknown_feeds;
        config.limits = self.messages;
        config.handshake_timeout = self.handshake_timeout;
        config.handshake_message = self.handshake_message;
        config.answer_timeout = self.answer_timeout;
        config.send_soft = self.send_soft;
        config.send_hard = self.send_hard;
        config.receive_hard = self.receive_hard;
    }

    pub(crate) fn extensions(&self) -> ExtensionLimits {
        ExtensionLimits {
            waiting: self.extension_messages,
            waiting_bytes: self.extension_bytes,
            ..ExtensionLimits::of(&self.messages)
        }
    }
}
