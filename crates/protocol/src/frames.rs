//! What a connection makes of a frame: channels are opened and closed, everything else is handed on.

use wire::{Close, Frame, Kind, Message, Open};

use crypto::PublicKey;

use crate::{
    Channel, Connection, Error, Event,
    channels::{Closed, Unknown},
};

impl Connection {
    /// Looks at a frame. At most one event comes of it, and an answer of a few bytes.
    pub(crate) fn handle_frame(&mut self, frame: Frame) -> Result<(), Error> {
        let Some(kind) = frame.kind else {
            return Ok(());
        };
        let local = self.channels.of_remote(frame.channel);
        let message = match (kind, local) {
            (Kind::Open | Kind::Close, _) | (_, Some(_)) => self.decode(kind, &frame)?,
            (Kind::Options | Kind::Extension, None) if frame.channel == 0 => {
                self.decode(kind, &frame)?
            }
            // A feed that isn't open here, or not any longer.
            _ => return Ok(()),
        };
        match (message, local) {
            (Message::Open(open), _) => self.remote_opens(frame.channel, open)?,
            (Message::Close(close), _) => self.remote_closes(frame.channel, close),
            (message, Some(number)) => {
                let channel = Channel(number);
                self.events.push_back(Event::Message { channel, message });
            }
            (message, None) => self.events.push_back(Event::Stream { message }),
        }
        Ok(())
    }

    pub(crate) fn write_open(&mut self, number: u64) {
        let Some(local) = self.channels.get(number) else {
            return;
        };
        let capability = self.capability();
        let open = Open {
            discovery_key: local.key.discovery_key().to_bytes(),
            capability: capability.map(|capability| capability.local(local.key.as_bytes())),
        };
        self.outgoing.push(number, &Message::Open(open));
    }

    pub(crate) fn write_close(&mut self, number: u64) {
        self.outgoing
            .push(number, &Message::Close(Close::default()));
    }

    /// Says the oldest Close that was held back; whether there was one.
    pub(crate) fn write_held(&mut self) -> bool {
        let held = self.channels.take_held();
        if let Some(number) = held {
            self.write_close(number);
        }
        held.is_some()
    }

    /// Says that a feed that only the remote has opened is closed, under a number of our own.
    pub(crate) fn write_refusal(&mut self, name: [u8; 32]) -> Result<(), Error> {
        let number = self.number()?;
        let close = Close {
            discovery_key: Some(name),
        };
        self.outgoing.push(number, &Message::Close(close));
        Ok(())
    }

    /// A number of ours that was never used. The remote may have the same cap as we on how high they go.
    pub(crate) fn number(&mut self) -> Result<u64, Error> {
        let max = self.config.limits.max_channel;
        let number = self.channels.number(max);
        number.ok_or(Error::TooManyChannels {
            max: usize::try_from(max).unwrap_or(usize::MAX),
        })
    }

    /// Whether the remote has shown that it knows the key of a feed, if it has to.
    pub(crate) fn check_capability(
        &self,
        key: &PublicKey,
        shown: Option<[u8; 32]>,
    ) -> Result<(), Error> {
        match (self.capability(), shown) {
            (None, _) => Ok(()),
            (Some(capability), Some(shown)) if capability.verify(key.as_bytes(), &shown) => Ok(()),
            (Some(_), _) => Err(Error::Capability),
        }
    }

    fn decode(&self, kind: Kind, frame: &Frame) -> Result<Message, Error> {
        let body = frame.body.clone();
        Ok(Message::decode(kind, body, &self.config.limits)?)
    }

    fn remote_opens(&mut self, remote: u64, open: Open) -> Result<(), Error> {
        let name = open.discovery_key;
        if self.channels.is_taken(remote, &name) {
            return Err(Error::OpenedTwice);
        }
        if let Some(number) = self.channels.named(&name) {
            if let Some(key) = self.channels.get(number).map(|local| local.key) {
                self.check_capability(&key, open.capability)?;
            }
            self.channels.matched(number, remote);
            let channel = Channel(number);
            self.events.push_back(Event::Opened { channel });
            return Ok(());
        }
        if let Some(key) = self.channels.held(&name) {
            self.check_capability(&key, open.capability)?;
            if let Some(number) = self.channels.matched_held(&name, remote) {
                self.write_close(number);
            }
            return Ok(());
        }
        if self.channels.unknown_count() >= self.config.max_unknown {
            return self.write_refusal(name);
        }
        let capability = open.capability;
        self.channels
            .unmatched(name, Unknown { remote, capability });
        self.events.push_back(Event::RemoteOpen {
            discovery_key: name,
        });
        Ok(())
    }

    fn remote_closes(&mut self, remote: u64, close: Close) {
        // What is unknown is ignored, and our own Close needs no second one.
        match self.channels.remote_closes(remote, close.discovery_key) {
            Some(Closed::Local(number)) => {
                self.write_close(number);
                let channel = Channel(number);
                self.events.push_back(Event::Closed { channel });
            }
            // The refusal may be of an Open before that one, which the remote has yet to hear then.
            Some(Closed::Held(number)) => self.write_close(number),
            Some(Closed::Unknown(discovery_key)) => {
                self.events.push_back(Event::Withdrawn { discovery_key });
            }
            Some(Closed::Known) | None => {}
        }
    }
}
