//! What can be set: for a feed, for one of its peers, and the limits that strangers meet.

use alloc::{string::String, vec::Vec};
use core::time::Duration;

use crate::window::FLOOR;

/// Settings of a [`Replicator`](crate::Replicator).
#[derive(Clone, Debug)]
pub struct Config {
    /// Fetch only what is wished for. Otherwise everything that a peer has is fetched.
    pub sparse: bool,
    /// Answer requests. On by default.
    pub uploading: bool,
    /// Send requests. On by default; the writer of a feed turns it off.
    pub downloading: bool,
    /// Take blocks that nobody asked for, if they verify. Off by default: the peer is told that they aren't here. Hashes are
    /// taken in any case.
    pub allow_push: bool,
    /// How many requests to one peer may be unanswered at first. From there it grows while answers come quickly, and falls
    /// when they don't, but not below 16. Blocks that somebody waits for may be 16 more. 16 by default, as in JavaScript.
    pub first_requests: usize,
    /// How many it may become, at most 1024. 256 by default, which is what the other side lets wait.
    pub max_requests: usize,
    /// How long a peer may answer nothing, while requests wait or the question what it has, before it is disconnected. Twenty
    /// seconds by default.
    pub request_timeout: Option<Duration>,
    /// When to ask somebody else while it isn't known how quickly a peer answers; after that, twice its usual time
    /// counts. One second by default.
    pub retry_after: Duration,
    /// Where the random order of requests starts.
    pub seed: u64,
    /// What a peer can make us spend.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            sparse: false,
            uploading: true,
            downloading: true,
            allow_push: false,
            first_requests: FLOOR,
            max_requests: 256,
            request_timeout: Some(Duration::from_secs(20)),
            retry_after: Duration::from_secs(1),
            seed: 0,
            limits: Limits::default(),
        }
    }
}

/// Settings of one peer.
#[derive(Clone, Debug, Default)]
pub struct PeerConfig {
    /// Stay after everything is fetched, and wait for what is appended.
    pub live: bool,
    /// Only fetch: answer none of its requests. Without [`live`](Self::live) the peer is left once everything is fetched,
    /// whether or not it would still like to have something from us.
    pub download_only: bool,
    /// Only answer requests: fetch nothing from it.
    pub upload_only: bool,
    /// Another cap on the window than that of the feed.
    pub max_requests: Option<usize>,
    /// Ask the peer to confirm what it stores.
    pub ack: bool,
    /// The names of the extensions to announce, sorted.
    pub extensions: Vec<String>,
}

/// Caps on what one peer can make us remember or send.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Blocks beyond this length are as good as not announced. 2^32 by default, at most 2^52.
    pub max_length: u64,
    /// How many runs of blocks are remembered of what a peer has. What comes on top is forgotten. 65,536 by default.
    pub runs: usize,
    /// How many of a peer's requests may wait before [`wants_input`](crate::Replicator::wants_input) turns false. 256 by
    /// default. Eight times as many are kept if the owner can't stop at once; the rest is dropped.
    pub requests: usize,
    /// How many requests of a peer are handed out by `Serve` at a time. 64 by default.
    pub serving: usize,
    /// How many windows a peer may want before they are answered. 32 by default; the rest is dropped.
    pub wants: usize,
    /// How many bytes of bitfields a peer can have at once, and then in each second. 4 MiB by default.
    pub want_bytes: u64,
    /// How many answers that nobody asked for are borne. 16 by default.
    pub strays: u32,
    /// How often a peer may take back what it was asked for, beyond what it delivers. 1024 by default.
    pub retractions: u32,
    /// How many actions may wait for a peer whose connection takes none of them. For owners that queue actions; beyond it they end
    /// the connection with [`Error::Overloaded`](crate::Error::Overloaded). 65,536 by default.
    pub actions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_length: 1 << 32,
            runs: 65_536,
            requests: 256,
            serving: 64,
            wants: 32,
            want_bytes: 4 << 20,
            strays: 16,
            retractions: 1024,
            actions: 65_536,
        }
    }
}

/// No feed is longer: the positions of its tree stay below 2^53.
pub(crate) const MAX_BLOCKS: u64 = 1 << 52;

/// Blocks in the range of one Want.
pub(crate) const WINDOW: u64 = 1 << 20;

/// More requests than this are never in flight to one peer, whatever the settings say.
pub(crate) const MAX_REQUESTS: usize = 1024;

/// How many more requests may be in flight if somebody waits for the answer.
pub(crate) const URGENT: usize = 16;
