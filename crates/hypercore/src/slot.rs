//! What waits for one connection of a feed: actions for it, messages of extensions, and what is known of its peer.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use crypto::Dialect;
use replicate::{Action, PeerConfig, PeerId};
use wire::{Extension, Message, Options};

use crate::{ConnectionHandle, extension::Name, ready::Bell, stats::Counters};

/// How many messages of extensions wait for a peer to tell which it has.
const MAX_UNTOLD: usize = 64;

/// What waits for one connection.
pub(crate) struct Slot {
    id: PeerId,
    actions: VecDeque<Action>,
    bell: Arc<Bell>,
    pub(crate) connection: ConnectionHandle,
    pub(crate) remote_public_key: Option<[u8; 32]>,
    pub(crate) dialect: Option<Dialect>,
    /// How to begin with the peer, until both sides have opened the feed.
    pub(crate) beginning: Option<PeerConfig>,
    pub(crate) counters: Counters,
    /// Whether we want blocks acknowledged.
    ack: bool,
    /// The names of the remote's extensions, once it has told.
    theirs: Option<Vec<String>>,
    /// Messages of extensions that wait for that.
    untold: Vec<(Name, Bytes)>,
}

impl Slot {
    pub(crate) fn new(
        id: PeerId,
        bell: Arc<Bell>,
        connection: ConnectionHandle,
        remote_public_key: Option<[u8; 32]>,
        beginning: PeerConfig,
    ) -> Self {
        Slot {
            id,
            actions: VecDeque::new(),
            bell,
            connection,
            remote_public_key,
            dialect: None,
            ack: beginning.ack,
            beginning: Some(beginning),
            counters: Counters::default(),
            theirs: None,
            untold: Vec::new(),
        }
    }

    /// Whether both sides have opened the feed.
    pub(crate) fn is_open(&self) -> bool {
        self.beginning.is_none()
    }

    /// Sends a message of the extension `name`, one of our `names`. Says whether the remote can have a use for it.
    pub(crate) fn send_extension(&mut self, names: &[String], name: &Name, payload: Bytes) -> bool {
        match &self.theirs {
            None if self.untold.len() < MAX_UNTOLD => self.untold.push((name.clone(), payload)),
            Some(theirs) if theirs.contains(&name.0) => self.number(names, name, payload),
            _ => return false,
        }
        true
    }

    /// The remote has told which extensions it has.
    pub(crate) fn handle_names(&mut self, names: &[String], theirs: &[String]) {
        self.theirs = Some(theirs.to_vec());
        for (name, payload) in std::mem::take(&mut self.untold) {
            self.send_extension(names, &name, payload);
        }
    }

    /// The remote's extension of a number.
    pub(crate) fn name(&self, number: u64) -> Option<Name> {
        let number = usize::try_from(number).ok()?;
        let name = self.theirs.as_ref()?.get(number)?;
        Some(Name(name.clone()))
    }

    /// Tells our names. One that hasn't opened the feed yet will be told when it does.
    pub(crate) fn tell_names(&mut self, names: &[String]) {
        if !self.is_open() {
            return;
        }
        let options = Options {
            extensions: names.to_vec(),
            ack: Some(self.ack),
        };
        self.push(Action::Send {
            peer: self.id,
            message: Message::Options(options),
        });
    }

    fn number(&mut self, names: &[String], name: &Name, payload: Bytes) {
        if let Some(number) = names.iter().position(|known| *known == name.0) {
            let message = Message::Extension(Extension {
                id: number as u64,
                payload,
            });
            self.push(Action::Send {
                peer: self.id,
                message,
            });
        }
    }

    /// Requests of the peer that nobody has begun to answer are answered no more.
    pub(crate) fn drop_requests(&mut self) {
        self.actions
            .retain(|action| !matches!(action, Action::Serve { .. }));
    }

    /// Takes out all actions, if no more than `max` have gathered.
    pub(crate) fn take_actions(&mut self, max: usize, into: &mut VecDeque<Action>) -> Option<()> {
        if self.actions.len() > max {
            return None;
        }
        into.append(&mut self.actions);
        Some(())
    }

    pub(crate) fn push(&mut self, action: Action) {
        if !self.merge(&action) {
            self.actions.push_back(action);
        }
        self.bell.ring();
    }

    /// Joins the news of an append to those still unsent, so that a peer that doesn't read costs no memory for each.
    fn merge(&mut self, action: &Action) -> bool {
        let Action::Send {
            message: Message::Have(new),
            ..
        } = action
        else {
            return false;
        };
        let Some(Action::Send {
            message: Message::Have(last),
            ..
        }) = self.actions.back_mut()
        else {
            return false;
        };
        let plain = |have: &wire::Have| have.bitfield.is_none() && have.ack.is_none();
        if !plain(last) || !plain(new) || last.start + last.length() != new.start {
            return false;
        }
        last.length = Some(last.length() + new.length());
        true
    }
}
