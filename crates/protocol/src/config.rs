//! How a connection is to be.

use core::time::Duration;

use noise::{DialectChoice, KeyPair, Role};
use wire::Limits;

/// How much a connection is protected. Both sides have to agree beforehand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// Handshake, encryption, capabilities.
    #[default]
    Encrypted,
    /// Handshake and capabilities, but nothing is encrypted.
    Authenticated,
    /// None of it. For streams that are protected otherwise.
    Plain,
}

/// How a connection is to be.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which side of the handshake we are.
    pub role: Role,
    /// The dialect to speak.
    pub dialect: DialectChoice,
    /// Who we are.
    pub key_pair: KeyPair,
    /// Whether the connection stays when its last channel is gone.
    pub live: bool,
    /// The silence after which the remote is given up; half of it sends a sign of life. None, or zero: it is never given up for being
    /// silent, slow or stuck. Default: 20 s.
    pub timeout: Option<Duration>,
    /// How long the handshake may take, all of it. Default: 10 s.
    pub handshake_timeout: Duration,
    /// How many bytes a message of the handshake may have. Default: 1024; those of all peers have less than 128.
    pub handshake_message: usize,
    /// How long the remote may take to answer our Open with its own, if the connection isn't live, and our Close with its own,
    /// whether it is live or not. Without an answer the connection ends. Default: 20 s; JavaScript 8 waits for 4 s, and
    /// JavaScript 9 for ever. A Close is held back for as long, if the remote hasn't answered the Open.
    pub answer_timeout: Duration,
    /// Protection. Default: all of it.
    pub security: Security,
    /// Whether to ask before the remote's key is accepted ([`Event::Authenticate`](crate::Event::Authenticate)).
    pub authenticate: bool,
    /// Caps on what arrives, and on what is sent, since the remote may have the same.
    pub limits: Limits,
    /// How many feeds we may have open, those counted that the remote hasn't closed yet. Default: 1024. Each costs some hundred
    /// bytes here, and it is we who open them.
    pub max_channels: usize,
    /// How many feeds the remote may have opened that we have neither opened nor refused. Those beyond are refused at once.
    /// Default: 256, since peers open all that they have as soon as they are connected.
    pub max_unknown: usize,
    /// While more than this waits to be sent, nothing should be read. Default: 1 MiB.
    pub send_soft: usize,
    /// If more than this waits to be sent and another message is to follow, the connection ends. Default: 4 MiB.
    pub send_hard: usize,
    /// How many bytes may be handed in without events being taken out. Has to be more than the longest frame, since a frame is
    /// looked at when it is whole. Default: 16 MiB.
    pub receive_hard: usize,
}

impl Config {
    /// The defaults, in dialect 8.
    pub fn new(role: Role, key_pair: KeyPair) -> Self {
        Config {
            role,
            dialect: DialectChoice::Fixed(crypto::Dialect::V8),
            key_pair,
            live: false,
            timeout: Some(Duration::from_secs(20)),
            handshake_timeout: Duration::from_secs(10),
            handshake_message: 1024,
            answer_timeout: Duration::from_secs(20),
            security: Security::Encrypted,
            authenticate: false,
            limits: Limits::default(),
            max_channels: 1024,
            max_unknown: 256,
            send_soft: 1024 * 1024,
            send_hard: 4 * 1024 * 1024,
            receive_hard: 16 * 1024 * 1024,
        }
    }
}
