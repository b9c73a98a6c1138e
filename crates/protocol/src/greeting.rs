//! A connection before it talks: the handshake, and the question whether the remote is welcome.

use alloc::vec::Vec;
use core::{mem, time::Duration};

use noise::{Handshake, Outcome};

use crate::{
    Connection, Error, Event, Security,
    connection::{Known, Phase},
};

/// The handshake, and what arrives while the application makes up its mind.
pub(crate) struct Greeting {
    handshake: Handshake,
    /// Whether the application decides about the remote's key.
    ask: Ask,
    /// What isn't for the handshake, or not yet.
    early: Vec<u8>,
    max_early: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Never,
    Yes,
    Asked,
}

/// How far a greeting has come.
enum Progress {
    /// More has to arrive.
    Pending,
    /// The application has to decide about this key.
    Ask([u8; 32]),
    /// [`Greeting::finish`] it.
    Finished,
}

impl Greeting {
    pub(crate) fn new(handshake: Handshake, ask: bool, max_early: usize) -> Self {
        Greeting {
            handshake,
            ask: if ask { Ask::Yes } else { Ask::Never },
            early: Vec::new(),
            max_early,
        }
    }

    /// # Errors
    /// [`Error::Handshake`], [`Error::InputQueueFull`].
    fn handle_bytes(&mut self, bytes: &[u8]) -> Result<Progress, Error> {
        if bytes.len() > self.max_early.saturating_sub(self.early.len()) {
            return Err(Error::InputQueueFull {
                max: self.max_early,
            });
        }
        self.early.extend_from_slice(bytes);
        let consumed = self.handshake.handle_bytes(&self.early)?;
        self.early.drain(..consumed);
        match (self.handshake.needs_authentication(), self.ask) {
            (None, _) => {}
            (Some(_), Ask::Asked) => return Ok(Progress::Pending),
            (Some(key), Ask::Yes) => {
                self.ask = Ask::Asked;
                return Ok(Progress::Ask(key));
            }
            (Some(_), Ask::Never) => self.handshake.authenticate(true)?,
        }
        Ok(match self.handshake.is_finished() {
            true => Progress::Finished,
            false => Progress::Pending,
        })
    }

    /// # Errors
    /// [`Error::Handshake`].
    fn authenticate(&mut self, accepted: bool) -> Result<(), Error> {
        Ok(self.handshake.authenticate(accepted)?)
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.handshake.poll_transmit()
    }

    /// How much memory is taken by what isn't for the handshake.
    pub(crate) fn allocated(&self) -> usize {
        self.early.capacity()
    }

    /// Whether the application has been asked and hasn't answered. Nothing should be read meanwhile.
    pub(crate) fn is_waiting(&self) -> bool {
        self.handshake.needs_authentication().is_some()
    }

    /// The keys, and what has arrived behind the last message.
    ///
    /// # Errors
    /// [`Error::Handshake`] if it isn't finished.
    fn finish(self) -> Result<(Outcome, Vec<u8>), Error> {
        Ok((self.handshake.finish()?, self.early))
    }
}

impl Connection {
    /// Accepts the remote's key or not, after [`Event::Authenticate`]. The time that it took isn't the remote's silence.
    ///
    /// # Errors
    /// [`Error::Handshake`] if not accepted: the connection is over.
    pub fn authenticate(&mut self, now: Duration, accepted: bool) -> Result<(), Error> {
        if self.is_deciding() {
            self.clock.heard(now, 0);
        }
        let authenticated = match &mut self.phase {
            Phase::Greeting(greeting) => greeting.authenticate(accepted),
            _ => Ok(()),
        };
        let handled = authenticated.and_then(|()| self.greet(&[]));
        self.or_end(handled)
    }

    pub(crate) fn greet(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Phase::Greeting(greeting) = &mut self.phase else {
            return Ok(());
        };
        let progress = greeting.handle_bytes(bytes)?;
        if let Some(message) = greeting.poll_transmit() {
            self.outgoing.push_clear(&message);
        }
        match progress {
            Progress::Pending => return Ok(()),
            Progress::Ask(remote_public_key) => {
                self.events
                    .push_back(Event::Authenticate { remote_public_key });
                return Ok(());
            }
            Progress::Finished => {}
        }
        match mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Greeting(greeting) => {
                let (outcome, early) = greeting.finish()?;
                self.talk(outcome, early)
            }
            phase => {
                self.phase = phase;
                Ok(())
            }
        }
    }

    fn talk(&mut self, outcome: Outcome, early: Vec<u8>) -> Result<(), Error> {
        self.known = Some(Known {
            remote_public_key: outcome.remote_public_key,
            dialect: outcome.dialect,
            handshake_hash: outcome.handshake_hash,
        });
        self.events.push_back(Event::Handshake {
            remote_public_key: outcome.remote_public_key,
            dialect: outcome.dialect,
        });
        if self.config.security == Security::Encrypted {
            self.outgoing.encrypt(outcome.tx);
            self.incoming.decrypt(outcome.rx);
        }
        self.phase = Phase::Talking(Some(outcome.capability));
        self.clock.frame_ended();
        for number in self.channels.numbers() {
            self.write_open(number);
        }
        if self.finishing {
            self.take_leave();
        }
        self.incoming.push(&early)
    }
}
