//! Messages of the programs' own about a connection as a whole, on channel 0.
//!
//! Each side numbers its own names in their order and tells the other, which keeps them by number. A message travels under the
//! *sender's* number:
//!
//! ```text
//! ours    "a" "talk"      Options { extensions: ["a", "talk"] }, Extension { id: 1, .. }
//! theirs  "talk" "z"      1 is "talk", which it has as well
//! ```
//!
//! JavaScript tells its names right before the first message that it sends after a change, and not at all as long as it only
//! listens. So nobody can wait for the remote's names before sending, and what a remote has told may be old. We tell ours as
//! soon as they change.

use alloc::{
    borrow::ToOwned,
    collections::{BTreeSet, VecDeque},
    string::String,
    vec::Vec,
};
use core::cmp::Ordering;

use bytes::Bytes;
use wire::{Extension, Limits, Message, Options};

use crate::Error;

/// The name of an extension, in the order in which both sides number them: that of UTF-16, as JavaScript compares strings.
///
/// ```
/// use hypercore_protocol::ExtensionName;
///
/// // Unlike in UTF-8, what lies beyond the first plane comes before the end of it.
/// assert!(ExtensionName::from("\u{1f600}") < ExtensionName::from("\u{ff01}"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionName(pub String);

impl From<&str> for ExtensionName {
    fn from(name: &str) -> Self {
        ExtensionName(name.to_owned())
    }
}

impl Ord for ExtensionName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.encode_utf16().cmp(other.0.encode_utf16())
    }
}

impl PartialOrd for ExtensionName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The extensions of one connection: which each side has, and what waits to be sent.
///
/// It knows nothing of the connection. What [`poll_message`](Self::poll_message) gives goes out by
/// [`Connection::send_stream`](crate::Connection::send_stream) once the handshake is done and as there is room, and what comes
/// in by [`Event::Stream`](crate::Event::Stream) is handed to [`handle_message`](Self::handle_message).
///
/// ```
/// use hypercore_protocol::{ExtensionEvent, Extensions};
///
/// let (mut a, mut b) = (Extensions::default(), Extensions::default());
/// a.register("a")?;
/// a.register("talk")?;
/// b.register("talk")?;
/// a.send("talk", "hello".into())?;
///
/// let names = b.handle_message(a.poll_message().unwrap());
/// assert_eq!(names, Some(ExtensionEvent::Names(vec!["a".into(), "talk".into()])));
/// let message = b.handle_message(a.poll_message().unwrap());
/// let (name, payload) = ("talk".into(), "hello".into());
/// assert_eq!(message, Some(ExtensionEvent::Message { name, payload }));
/// # Ok::<_, hypercore_protocol::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Extensions {
    limits: ExtensionLimits,
    ours: BTreeSet<ExtensionName>,
    /// Whether ours have changed since they were put into the queue.
    changed: bool,
    /// By their numbers, once the remote has told.
    theirs: Option<Vec<ExtensionName>>,
    waiting: VecDeque<Message>,
    waiting_bytes: usize,
}

/// Caps on the extensions of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionLimits {
    /// How many may be registered. Default: 64.
    pub names: usize,
    /// How many bytes a name may have. Default: 128.
    pub name: usize,
    /// How many bytes a message may have, with its number. Default: 1 MiB.
    pub message: usize,
    /// How many messages may wait to be sent. Default: 256.
    pub waiting: usize,
    /// How many bytes may wait to be sent, beside the last message. Default: 1 MiB.
    pub waiting_bytes: usize,
}

impl Default for ExtensionLimits {
    fn default() -> Self {
        ExtensionLimits::of(&Limits::default())
    }
}

impl ExtensionLimits {
    /// As much as a remote with these limits takes.
    pub fn of(limits: &Limits) -> Self {
        ExtensionLimits {
            names: limits.max_extensions,
            name: limits.max_extension_name,
            message: limits.extension,
            waiting: 256,
            waiting_bytes: 1024 * 1024,
        }
    }
}

/// What the remote says about extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtensionEvent {
    /// Which it has now, in its order.
    Names(Vec<String>),
    /// A message of one that we have as well.
    Message {
        /// Its name.
        name: ExtensionName,
        /// What is said. Nothing vouches for it.
        payload: Bytes,
    },
}

impl Extensions {
    /// None yet.
    pub fn new(limits: ExtensionLimits) -> Self {
        Extensions {
            limits,
            ..Extensions::default()
        }
    }

    /// Changes the limits. What is there already stays.
    pub fn set_limits(&mut self, limits: ExtensionLimits) {
        self.limits = limits;
    }

    /// Adds an extension of ours; whether the name was free.
    ///
    /// # Errors
    /// [`Error::TooManyExtensions`], [`Error::ExtensionNameTooLong`].
    pub fn register(&mut self, name: &str) -> Result<bool, Error> {
        let (len, max) = (name.len(), self.limits.name);
        if len > max {
            return Err(Error::ExtensionNameTooLong { len, max });
        }
        let name = ExtensionName::from(name);
        if self.ours.contains(&name) {
            return Ok(false);
        }
        let max = self.limits.names;
        if self.ours.len() >= max {
            return Err(Error::TooManyExtensions { max });
        }
        self.changed = true;
        Ok(self.ours.insert(name))
    }

    /// Removes an extension of ours. Its messages that wait are sent.
    pub fn unregister(&mut self, name: &str) {
        self.changed |= self.ours.remove(&ExtensionName::from(name));
    }

    /// Sends a message of an extension of ours. Says whether the remote can have a use for it: false if it has told of its
    /// extensions and this wasn't among them. It is sent all the same, since JavaScript doesn't tell as long as it only listens.
    ///
    /// # Errors
    /// [`Error::UnknownExtension`] if it isn't registered, [`Error::MessageTooLong`], [`Error::ExtensionQueueFull`]. Nothing is
    /// sent then, and the connection goes on.
    pub fn send(&mut self, name: &str, payload: Bytes) -> Result<bool, Error> {
        let name = ExtensionName::from(name);
        let id = self.ours.iter().position(|ours| *ours == name);
        let id = id.ok_or(Error::UnknownExtension)? as u64;
        let message = Message::Extension(Extension { id, payload });
        let (len, max) = (message.encoded_len(), self.limits.message);
        if len > max {
            return Err(Error::MessageTooLong { len, max });
        }
        let max = self.limits.waiting;
        if self.waiting.len() >= max || self.waiting_bytes > self.limits.waiting_bytes {
            return Err(Error::ExtensionQueueFull { max });
        }
        self.tell();
        self.push(message);
        Ok(self.supports(&name.0).unwrap_or(true))
    }

    /// The next message to send on channel 0.
    pub fn poll_message(&mut self) -> Option<Message> {
        if self.waiting.is_empty() {
            self.tell();
        }
        let message = self.waiting.pop_front()?;
        self.waiting_bytes -= message.encoded_len();
        Some(message)
    }

    /// Takes a message from channel 0. One of an extension that either side doesn't have is dropped, and so is everything
    /// else that means nothing there.
    pub fn handle_message(&mut self, message: Message) -> Option<ExtensionEvent> {
        match message {
            Message::Options(options) => {
                let names = options.extensions;
                self.theirs = Some(names.iter().cloned().map(ExtensionName).collect());
                Some(ExtensionEvent::Names(names))
            }
            Message::Extension(extension) => {
                let number = usize::try_from(extension.id).ok()?;
                let name = self.theirs.as_ref()?.get(number)?;
                let name = self.ours.get(name)?.clone();
                let payload = extension.payload;
                Some(ExtensionEvent::Message { name, payload })
            }
            _ => None,
        }
    }

    /// Whether the remote has an extension, as far as it has told: see [`send`](Self::send).
    pub fn supports(&self, name: &str) -> Option<bool> {
        let theirs = self.theirs.as_ref()?;
        Some(theirs.iter().any(|known| known.0 == name))
    }

    /// The names that the remote has told last, in its order.
    pub fn remote_names(&self) -> Option<impl Iterator<Item = &str>> {
        Some(self.theirs.as_ref()?.iter().map(|name| name.0.as_str()))
    }

    /// Whether there is something to send.
    pub fn has_news(&self) -> bool {
        self.changed || !self.waiting.is_empty()
    }

    /// Tells of ours, if they have changed. What is sent from here on is numbered accordingly.
    fn tell(&mut self) {
        if !core::mem::take(&mut self.changed) {
            return;
        }
        let options = Options {
            extensions: self.ours.iter().map(|name| name.0.clone()).collect(),
            ack: None,
        };
        // What was told before and never used needn't be told.
        if matches!(self.waiting.back(), Some(Message::Options(_)))
            && let Some(old) = self.waiting.pop_back()
        {
            self.waiting_bytes -= old.encoded_len();
        }
        self.push(Message::Options(options));
    }

    fn push(&mut self, message: Message) {
        self.waiting_bytes += message.encoded_len();
        self.waiting.push_back(message);
    }
}
