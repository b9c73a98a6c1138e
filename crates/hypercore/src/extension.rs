//! Messages of the program's own, beside those of the protocol, between the peers of a feed.
//!
//! Nothing vouches for them: the stream cipher has no tag, so an extension that needs to be sure has to sign for itself.

use std::{
    cmp::Ordering,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use replicate::PeerId;

use crate::{
    Encode, Encoding, Error, Hypercore, Result,
    broadcast::Listener,
    core::Core,
    mailbox::{Mailbox, Outlet, mailbox},
};

/// A message of an extension as it came: from whom, and what.
pub(crate) type Incoming = (PeerId, Bytes);

/// The name of an extension, in the order in which both sides number them: that of UTF-16, as JavaScript compares strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(pub(crate) String);

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.encode_utf16().cmp(other.0.encode_utf16())
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E: Encoding> Hypercore<E> {
    /// Registers an extension: from now on its messages are exchanged with every peer that has registered the name too.
    /// It is gone when the result is dropped.
    ///
    /// # Errors
    /// [`Error::DuplicateExtension`]; [`Error::Closed`].
    pub fn extension<X: Encoding>(&self, name: &str, encoding: X) -> Result<Extension<X>> {
        let core = Arc::clone(self.core());
        core.check_open()?;
        let (mailbox, outlet) = mailbox();
        let name = Name(name.to_owned());
        if !core.register(name.clone(), mailbox) {
            return Err(Error::DuplicateExtension { name: name.0 });
        }
        Ok(Extension {
            core,
            name,
            encoding,
            outlet,
        })
    }
}

/// A registered extension: sends its messages and gives those that arrive.
///
/// ```
/// # async_std::task::block_on(async {
/// use hypercore::{Hypercore, Storage, Utf8};
///
/// let feed = Hypercore::open(Storage::memory()).await?;
/// let chat = feed.extension("chat", Utf8)?;
/// // To nobody yet.
/// assert_eq!(chat.broadcast("hello")?, 0);
/// # Ok::<_, hypercore::Error>(()) }).unwrap();
/// ```
#[must_use = "an extension is gone when it is dropped"]
pub struct Extension<X: Encoding> {
    core: Arc<Core>,
    name: Name,
    encoding: X,
    outlet: Outlet<Incoming>,
}

impl<X: Encoding> Extension<X> {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name.0
    }

    /// Sends a message to one peer. As long as the peer hasn't told which extensions it has, the message waits.
    ///
    /// # Errors
    /// [`Error::UnsupportedExtension`] if the peer doesn't have it, or too much waits for the peer to tell;
    /// [`Error::NoPeer`] if the peer has gone; [`Error::Encode`]; [`Error::Closed`].
    pub fn send<T>(&self, message: T, peer: PeerId) -> Result<()>
    where
        X: Encode<T>,
    {
        self.core.check_open()?;
        let payload = self.encode(message)?;
        self.core.send_extension(&self.name, payload, peer)
    }

    /// Sends a message to every peer that has the extension or hasn't told yet, and says how many these are.
    ///
    /// # Errors
    /// [`Error::Encode`], [`Error::Closed`].
    pub fn broadcast<T>(&self, message: T) -> Result<usize>
    where
        X: Encode<T>,
    {
        self.core.check_open()?;
        let payload = self.encode(message)?;
        let peers: Vec<PeerId> = self.core.state().peers.keys().copied().collect();
        let sent = peers.into_iter().filter(|peer| {
            let sent = self.core.send_extension(&self.name, payload.clone(), *peer);
            sent.is_ok()
        });
        Ok(sent.count())
    }

    /// The messages that arrive from now on; the first call gives also those that came since it was registered.
    pub fn messages(&self) -> Messages<X> {
        Messages {
            listener: self.outlet.listen(),
            encoding: self.encoding.clone(),
        }
    }

    fn encode<T>(&self, message: T) -> Result<Bytes>
    where
        X: Encode<T>,
    {
        let encoded = self.encoding.encode(message);
        encoded.map_err(|reason| Error::Encode(reason.into()))
    }
}

impl<X: Encoding> Drop for Extension<X> {
    fn drop(&mut self) {
        self.core.unregister(&self.name);
    }
}

impl<X: Encoding> fmt::Debug for Extension<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extension")
            .field("name", &self.name.0)
            .finish_non_exhaustive()
    }
}

/// The messages of an extension, each with the peer that sent it. Ends when the extension is dropped or the feed closed.
///
/// A message that can't be decoded is [`Error::DecodeMessage`]; messages that were lost because the listener is too slow are
/// [`Error::MissedMessages`]. The stream goes on behind both.
pub struct Messages<X: Encoding> {
    listener: Listener<Incoming>,
    encoding: X,
}

impl<X: Encoding + Unpin> Stream for Messages<X> {
    type Item = Result<(PeerId, X::Value)>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let heard = Pin::new(&mut this.listener).poll_next(cx);
        heard.map(|heard| {
            Some(match heard? {
                Ok((peer, payload)) => match this.encoding.decode(payload) {
                    Ok(message) => Ok((peer, message)),
                    Err(reason) => Err(Error::DecodeMessage {
                        peer,
                        source: reason.into(),
                    }),
                },
                Err(missed) => Err(Error::MissedMessages { missed }),
            })
        })
    }
}

impl<X: Encoding> fmt::Debug for Messages<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages")
            .field("waiting", &self.listener.len())
            .finish_non_exhaustive()
    }
}

impl Core {
    /// Registers an extension and tells all peers. Says whether the name was free.
    pub(crate) fn register(&self, name: Name, mailbox: Mailbox<Incoming>) -> bool {
        let mut state = self.state();
        if state.extensions.contains_key(&name) {
            return false;
        }
        state.extensions.insert(name, mailbox);
        state.tell_names();
        true
    }

    pub(crate) fn unregister(&self, name: &Name) {
        let mut state = self.state();
        state.extensions.remove(name);
        state.tell_names();
    }

    /// Sends a message of an extension, or keeps it until the peer has told which it has.
    ///
    /// # Errors
    /// [`Error::UnsupportedExtension`], [`Error::NoPeer`].
    pub(crate) fn send_extension(&self, name: &Name, payload: Bytes, peer: PeerId) -> Result<()> {
        let mut state = self.state();
        let names = state.names();
        let slot = state.peers.get_mut(&peer).ok_or(Error::NoPeer)?;
        match slot.send_extension(&names, name, payload) {
            true => Ok(()),
            false => Err(Error::UnsupportedExtension {
                name: name.0.clone(),
            }),
        }
    }

    /// A peer has told which extensions it has: what waited for that is sent.
    pub(crate) fn handle_names(&self, peer: PeerId, theirs: &[String]) {
        let mut state = self.state();
        let names = state.names();
        if let Some(slot) = state.peers.get_mut(&peer) {
            slot.handle_names(&names, theirs);
        }
    }

    /// A message of an extension has come. One that isn't known here is dropped.
    pub(crate) fn handle_extension(&self, peer: PeerId, message: wire::Extension) {
        let mut state = self.state();
        let name = state
            .peers
            .get(&peer)
            .and_then(|slot| slot.name(message.id));
        if let Some(mailbox) = name.and_then(|name| state.extensions.get_mut(&name)) {
            let len = message.payload.len();
            mailbox.deliver((peer, message.payload), len);
        }
    }
}
