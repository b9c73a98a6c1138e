//! What a connection that runs shares with its handles: what they tell it to do, and what it lets them know.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use crypto::{Dialect, DiscoveryKey, PublicKey};
use noise::{Capability, Role};
use protocol::{ExtensionEvent, Extensions};
use wire::Message;

use crate::{
    ConnectionEvent, ConnectionHandle, ConnectionLimits, Error, FeedOptions, Remote, Result,
    Session, broadcast::Broadcast, core::Core, discovery::Expected, mailbox::Mailbox, ready::Ready,
};

/// What a connection and its handles share.
pub(crate) struct Shared {
    inbox: Mutex<Inbox>,
    view: Mutex<View>,
    extensions: Mutex<Registry>,
    holds: AtomicUsize,
    sent: AtomicU64,
    received: AtomicU64,
    events: Broadcast<ConnectionEvent>,
    /// What is left for the connection to look at.
    pub(crate) ready: Arc<Ready>,
}

#[derive(Default)]
struct Inbox {
    commands: VecDeque<Command>,
    /// The feeds that are on the connection, or about to be.
    feeds: BTreeSet<DiscoveryKey>,
    max_feeds: usize,
    ended: bool,
}

/// What a connection is told to do.
pub(crate) enum Command {
    Add(Expected, FeedOptions),
    Remove(DiscoveryKey),
    SetTimeout(Option<Duration>),
    Ping,
    Finish,
    HangUp,
}

/// What handles may ask.
pub(crate) struct View {
    pub(crate) role: Role,
    pub(crate) live: bool,
    pub(crate) remote: Remote,
    pub(crate) known: Option<Known>,
    pub(crate) feeds: BTreeMap<DiscoveryKey, Standing>,
}

/// What the handshake told.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) remote_public_key: [u8; 32],
    pub(crate) dialect: Dialect,
    pub(crate) handshake_hash: [u8; 64],
    pub(crate) capability: Capability,
}

/// How things stand with a feed. It is left out once neither side has it open.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    pub(crate) opened: bool,
    pub(crate) remote_opened: bool,
    /// What the remote has shown, while only it has opened the feed.
    pub(crate) shown: Option<[u8; 32]>,
}

/// The extensions of the connection, and what comes for those who listen to them.
#[derive(Default)]
struct Registry {
    extensions: Extensions,
    mailboxes: BTreeMap<String, Mailbox<Bytes>>,
}

impl Shared {
    pub(crate) fn new(role: Role) -> Self {
        let limits = ConnectionLimits::default();
        Shared {
            inbox: Mutex::new(Inbox {
                max_feeds: limits.feeds,
                ..Inbox::default()
            }),
            view: Mutex::new(View {
                role,
                live: false,
                remote: Remote::default(),
                known: None,
                feeds: BTreeMap::new(),
            }),
            extensions: Mutex::default(),
            holds: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            events: Broadcast::new(),
            ready: Arc::default(),
        }
    }

    pub(crate) fn set_limits(&self, limits: &ConnectionLimits) {
        self.inbox().max_feeds = limits.feeds;
        self.registry().extensions.set_limits(limits.extensions());
    }

    /// # Errors
    /// [`Error::Closed`] if the connection has ended, [`Error::TooManyFeeds`].
    pub(crate) fn tell(&self, command: Command) -> Result<()> {
        let mut inbox = self.inbox();
        if inbox.ended {
            return Err(Error::Closed);
        }
        if let Command::Add(feed, _) = &command {
            let (name, max) = (feed.core().discovery_key(), inbox.max_feeds);
            if inbox.feeds.len() >= max && !inbox.feeds.contains(&name) {
                return Err(Error::TooManyFeeds { max });
            }
            inbox.feeds.insert(name);
        }
        if let Command::Remove(name) = &command {
            // What is added behind it may take its place.
            inbox.feeds.remove(name);
        }
        // Whatever came behind it would come too late.
        inbox.ended |= matches!(command, Command::HangUp);
        inbox.commands.push_back(command);
        drop(inbox);
        self.ready.call();
        Ok(())
    }

    pub(crate) fn next_command(&self) -> Option<Command> {
        self.inbox().commands.pop_front()
    }

    /// A feed isn't on the connection any longer, nor open by the remote. Says whether it was.
    pub(crate) fn left(&self, name: &DiscoveryKey) -> bool {
        self.inbox().feeds.remove(name);
        self.view().feeds.remove(name).is_some()
    }

    /// The first feed that is to be added.
    pub(crate) fn first(&self) -> Option<Arc<Core>> {
        let inbox = self.inbox();
        let mut adds = inbox.commands.iter().filter_map(|command| match command {
            Command::Add(feed, _) => Some(Arc::clone(feed.core())),
            _ => None,
        });
        adds.next()
    }

    /// Ends the inbox if nobody holds the connection and nothing is left in it. Says whether it did: from then on nothing can
    /// be added.
    pub(crate) fn end(&self) -> bool {
        // The holds first: what was added before the last one was dropped is in the inbox then.
        let held = self.holds.load(Ordering::Acquire) > 0;
        let mut inbox = self.inbox();
        inbox.ended |= !held && inbox.commands.is_empty();
        inbox.ended
    }

    /// The connection is over, whoever says so first. Listeners are told, and nobody is kept waiting.
    pub(crate) fn ended(&self, result: Result<Session>) {
        let commands = {
            let mut inbox = self.inbox();
            inbox.ended = true;
            std::mem::take(&mut inbox.commands)
        };
        // They may be the last to know of a feed.
        drop(commands);
        self.view().feeds.clear();
        self.registry().mailboxes.clear();
        self.events.close(ConnectionEvent::Ended(result));
    }

    pub(crate) fn hold(&self) {
        self.holds.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn let_go(&self) {
        self.holds.fetch_sub(1, Ordering::AcqRel);
        self.ready.call();
    }

    pub(crate) fn handle(self: &Arc<Self>) -> ConnectionHandle {
        ConnectionHandle::new(Arc::clone(self))
    }

    pub(crate) fn events(&self) -> &Broadcast<ConnectionEvent> {
        &self.events
    }

    pub(crate) fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes how things stand with a feed, and says how they stood before.
    pub(crate) fn stand(&self, name: DiscoveryKey, change: impl FnOnce(&mut Standing)) -> Standing {
        let mut view = self.view();
        let standing = view.feeds.entry(name).or_default();
        let before = *standing;
        change(standing);
        before
    }

    /// Whether the remote has shown that it knows the key of a feed that it has opened.
    pub(crate) fn is_verified(&self, key: &PublicKey) -> bool {
        let view = self.view();
        let (Some(known), Some(standing)) = (&view.known, view.feeds.get(&key.discovery_key()))
        else {
            return false;
        };
        match (standing.opened, standing.shown) {
            // It was looked at before both had it open.
            (true, _) => standing.remote_opened,
            (false, Some(shown)) => known.capability.verify(key.as_bytes(), &shown),
            (false, None) => false,
        }
    }

    pub(crate) fn count(&self, sent: u64, received: u64) {
        self.sent.store(sent, Ordering::Relaxed);
        self.received.store(received, Ordering::Relaxed);
    }

    /// Bytes sent and received so far.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (
            self.sent.load(Ordering::Relaxed),
            self.received.load(Ordering::Relaxed),
        )
    }

    /// # Errors
    /// [`Error::DuplicateExtension`], [`Error::Extension`], [`Error::Closed`].
    pub(crate) fn register(&self, name: &str, mailbox: Mailbox<Bytes>) -> Result<()> {
        // The inbox stays locked, so that the end of the connection doesn't come in between.
        let inbox = self.inbox();
        if inbox.ended {
            return Err(Error::Closed);
        }
        let mut registry = self.registry();
        if !registry
            .extensions
            .register(name)
            .map_err(Error::Extension)?
        {
            let name = name.to_owned();
            return Err(Error::DuplicateExtension { name });
        }
        registry.mailboxes.insert(name.to_owned(), mailbox);
        drop((registry, inbox));
        self.ready.call();
        Ok(())
    }

    pub(crate) fn unregister(&self, name: &str) {
        {
            let mut registry = self.registry();
            registry.extensions.unregister(name);
            registry.mailboxes.remove(name);
        }
        self.ready.call();
    }

    /// # Errors
    /// [`Error::Extension`], [`Error::Closed`].
    pub(crate) fn send_extension(&self, name: &str, payload: Bytes) -> Result<bool> {
        if self.inbox().ended {
            return Err(Error::Closed);
        }
        let sent = self.registry().extensions.send(name, payload);
        self.ready.call();
        sent.map_err(Error::Extension)
    }

    pub(crate) fn supports(&self, name: &str) -> Option<bool> {
        self.registry().extensions.supports(name)
    }

    /// The next message about the connection that is to be sent.
    pub(crate) fn poll_message(&self) -> Option<Message> {
        self.registry().extensions.poll_message()
    }

    /// A message about the connection has come.
    pub(crate) fn handle_message(&self, message: Message) {
        let mut registry = self.registry();
        match registry.extensions.handle_message(message) {
            Some(ExtensionEvent::Names(names)) => {
                drop(registry);
                self.events.send(ConnectionEvent::Extensions { names });
            }
            Some(ExtensionEvent::Message { name, payload }) => {
                if let Some(mailbox) = registry.mailboxes.get_mut(&name.0) {
                    let len = payload.len();
                    mailbox.deliver(payload, len);
                }
            }
            None => {}
        }
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.extensions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
