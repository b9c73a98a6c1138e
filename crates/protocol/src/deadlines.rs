//! What time does to a connection.
//!
//! ```text
//! handshake             from the start, all of it
//! silence               from the last byte heard; while we don't listen, from the last that the remote took
//! sign of life          from the last byte said; a remote that takes none of two in a row is stuck
//! Open, Close           from when they left
//! a frame               from its first byte, at a rate
//! ```

use core::time::Duration;

use crate::{Connection, Error, connection::Phase};

impl Connection {
    /// Lets time pass: gives up a remote that doesn't do its part, and sends signs of life.
    ///
    /// # Errors
    /// [`Error`], one of those that end in `Timeout`: the connection is over.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), Error> {
        let passed = self.pass(now);
        self.or_end(passed)
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let own = match self.phase {
            Phase::Greeting(_) => Some(self.clock.handshake_deadline()),
            Phase::Talking(_) => self.clock.sign_deadline(),
            Phase::Ended => return None,
        };
        let idle = self.clock.idle_deadline(self.is_listening());
        [own, idle, self.open_deadline(), self.close_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    fn pass(&mut self, now: Duration) -> Result<(), Error> {
        self.check_deadlines(now)?;
        let idle = self.clock.idle_deadline(self.is_listening());
        if idle.is_some_and(|deadline| now >= deadline) {
            return Err(Error::IdleTimeout);
        }
        let sign_due = self.clock.sign_deadline().is_some_and(|due| now >= due);
        if !sign_due || !self.is_talking() {
            return Ok(());
        }
        if self.outgoing.is_empty() && !self.finishing {
            self.outgoing.push_sign_of_life();
        }
        match self.outgoing.is_empty() {
            true => Ok(()),
            false => self.clock.stuck(now),
        }
    }

    /// What the remote can't put off by sending something.
    pub(crate) fn check_deadlines(&self, now: Duration) -> Result<(), Error> {
        let over = |deadline: Option<Duration>| deadline.is_some_and(|deadline| now >= deadline);
        match self.phase {
            Phase::Greeting(_) if now >= self.clock.handshake_deadline() => {
                Err(Error::HandshakeTimeout)
            }
            Phase::Ended => Err(Error::Ended),
            _ if over(self.open_deadline()) => Err(Error::OpenTimeout),
            _ if over(self.close_deadline()) => Err(Error::CloseTimeout),
            _ => self.clock.check_frame(now),
        }
    }

    /// Whether bytes can arrive at all.
    fn is_listening(&self) -> bool {
        self.wants_input() && !self.remote_ended
    }

    fn open_deadline(&self) -> Option<Duration> {
        let since = match self.config.live {
            true => None,
            false => self.channels.unopened_since(),
        };
        since.map(|since| since.saturating_add(self.config.answer_timeout))
    }

    fn close_deadline(&self) -> Option<Duration> {
        let since = self.channels.unclosed_since();
        since.map(|since| since.saturating_add(self.config.answer_timeout))
    }
}
