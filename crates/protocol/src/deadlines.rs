//! What time does to a connection.
//!
//! ```text
//! handshake             from the start, all of it
//! silence               from the last byte heard; while bytes wait, also from the last that the remote took
//! sign of life          from the last byte said; a remote that takes none of two in a row is stuck
//! Open, Close           from when they left, until the remote has hung up
//! a Close held back     from when it would have left
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
            Phase::Talking(_) => self.sign_deadline(),
            Phase::Ended => return None,
        };
        [
            own,
            self.idle_deadline(),
            self.open_deadline(),
            self.close_deadline(),
            self.held_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn pass(&mut self, now: Duration) -> Result<(), Error> {
        self.check_deadlines(now)?;
        if self.idle_deadline().is_some_and(|deadline| now >= deadline) {
            return Err(Error::IdleTimeout);
        }
        while self.held_deadline().is_some_and(|due| now >= due) {
            self.write_held();
        }
        if !self.is_talking() || self.sign_deadline().is_none_or(|due| now < due) {
            return Ok(());
        }
        if self.outgoing.is_empty() {
            self.outgoing.push_sign_of_life();
        }
        self.clock.stuck(now)
    }

    /// What the remote can't put off by sending something.
    pub(crate) fn check_deadlines(&self, now: Duration) -> Result<(), Error> {
        let over = |deadline: Option<Duration>| deadline.is_some_and(|deadline| now >= deadline);
        match self.phase {
            Phase::Greeting(_) if over(Some(self.clock.handshake_deadline())) => {
                Err(Error::HandshakeTimeout)
            }
            Phase::Greeting(_) => Ok(()),
            Phase::Talking(_) if over(self.open_deadline()) => Err(Error::OpenTimeout),
            Phase::Talking(_) if over(self.close_deadline()) => Err(Error::CloseTimeout),
            Phase::Talking(_) => self.clock.check_frame(now),
            Phase::Ended => Err(Error::Ended),
        }
    }

    /// When the remote is given up for being silent, if anything is expected of it.
    fn idle_deadline(&self) -> Option<Duration> {
        let done = self.remote_ended && self.is_finished();
        match self.is_talking() && !done {
            true => self.clock.idle_deadline(self.outgoing.is_empty()),
            false => None,
        }
    }

    /// When a sign of life is due. Whoever has said all owes none.
    fn sign_deadline(&self) -> Option<Duration> {
        match self.is_finished() {
            true => None,
            false => self.clock.sign_deadline(),
        }
    }

    fn open_deadline(&self) -> Option<Duration> {
        match self.config.live || self.remote_ended {
            true => None,
            false => self.answer_deadline(self.channels.unopened_since()),
        }
    }

    fn close_deadline(&self) -> Option<Duration> {
        match self.remote_ended {
            true => None,
            false => self.answer_deadline(self.channels.unclosed_since()),
        }
    }

    /// When a remote that hasn't answered an Open isn't waited for any longer, if we have closed the feed.
    fn held_deadline(&self) -> Option<Duration> {
        match self.remote_ended {
            true => None,
            false => self.answer_deadline(self.channels.held_since()),
        }
    }

    fn answer_deadline(&self, since: Option<Duration>) -> Option<Duration> {
        since.map(|since| since.saturating_add(self.config.answer_timeout))
    }
}
