//! What happens to a feed, as a stream that anyone may listen to.
//!
//! Events wait in one bounded queue. A listener that falls behind loses the oldest and is told how many; it never holds
//! up the feed.

use std::{
    fmt, io,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use merkle::Fork;
use replicate::PeerId;

use crate::broadcast::Listener;

/// Something that happened to a feed. It is announced after what it tells of has been stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The feed has grown to `length` blocks, by an append here or because a peer proved a longer tree.
    Append {
        /// The new length in blocks.
        length: u64,
        /// The new length in bytes.
        byte_length: u64,
    },
    /// A block came from a peer, was verified and is stored.
    Download {
        /// Its number.
        block: u64,
        /// Its size in bytes.
        len: usize,
        /// Who sent it.
        peer: PeerId,
    },
    /// A peer that was asked to confirms that it has stored a block.
    Ack {
        /// The block.
        block: u64,
        /// Who has stored it.
        peer: PeerId,
    },
    /// A block was sent to a peer that had asked for it.
    Upload {
        /// Its number.
        block: u64,
        /// Its size in bytes.
        len: usize,
        /// Who asked.
        peer: PeerId,
    },
    /// Blocks are no longer stored: they were cleared, or an audit found them damaged.
    Clear {
        /// The range; some of its blocks may not have been stored before.
        blocks: Range<u64>,
    },
    /// Every block below the length is stored here.
    Sync,
    /// There is a channel for this feed on a connection. The remote may turn out not to have the feed.
    PeerAdd {
        /// Tells it from the others.
        peer: PeerId,
        /// The peer's Noise key, if the handshake of the connection is done already.
        remote_public_key: Option<[u8; 32]>,
    },
    /// A connection has taken up the feed, by the channel of this peer. Never for a feed that is on the connection already, nor
    /// for a connection that has ended.
    Replicating {
        /// The channel.
        peer: PeerId,
    },
    /// The peer has opened this feed too: it is asked what it has, and messages of extensions reach it.
    PeerOpen {
        /// The same as when it was added.
        peer: PeerId,
        /// The peer's Noise key, if the connection has a handshake.
        remote_public_key: Option<[u8; 32]>,
    },
    /// A peer has told for the first time what it has, or claims another length now. Nothing is proven by it.
    RemoteUpdate {
        /// Who claims it.
        peer: PeerId,
        /// In blocks.
        remote_length: u64,
    },
    /// A peer is gone: once for each that was added.
    PeerRemove {
        /// The same as when it was added.
        peer: PeerId,
        /// The peer's Noise key, if the connection had a handshake.
        remote_public_key: Option<[u8; 32]>,
    },
    /// The author has signed another history than the one stored here, which stays as it is. Told once for each state of it.
    Fork {
        /// Both signed states, which anyone can check.
        fork: Arc<Fork>,
        /// Who showed it; none if it was put by hand.
        peer: Option<PeerId>,
    },
    /// Blocks that came from a peer can't be written, because the disk is full, perhaps. They are kept, no more are asked for, and
    /// writing is tried again from time to time. Told whenever it fails.
    WriteFailed {
        /// What the system says.
        reason: io::ErrorKind,
    },
    /// The listener was too slow and lost this many events.
    Lagged {
        /// How many.
        missed: u64,
    },
    /// The feed was closed; nothing follows.
    Close,
}

/// A stream of [`Event`]s, from the moment it was made. Ends after [`Event::Close`].
///
/// ```
/// # async_std::task::block_on(async {
/// use futures_lite::StreamExt;
/// use hypercore::{Event, Hypercore, Storage};
///
/// let feed = Hypercore::open(Storage::memory()).await?;
/// let mut events = feed.events();
/// feed.append_batch(["a", "bc"]).await?;
/// feed.close().await?;
/// assert_eq!(events.next().await, Some(Event::Append { length: 2, byte_length: 3 }));
/// assert_eq!(events.next().await, Some(Event::Close));
/// assert_eq!(events.next().await, None);
/// # Ok::<_, hypercore::Error>(()) }).unwrap();
/// ```
pub struct Events {
    listener: Listener<Event>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("waiting", &self.listener.len())
            .finish()
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        Pin::new(&mut self.listener)
            .poll_next(cx)
            .map(|next| next.map(|next| next.unwrap_or_else(|missed| Event::Lagged { missed })))
    }
}

impl Events {
    pub(crate) fn new(listener: Listener<Event>) -> Self {
        Events { listener }
    }
}
