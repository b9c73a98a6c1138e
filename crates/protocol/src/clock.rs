//! How long to wait for what: the handshake as a whole, a remote that is silent, one that takes nothing, one that drips.

use core::time::Duration;

use crate::Error;

/// A frame that has been arriving for this long has to have kept up [`MIN_RATE`].
const FRAME_GRACE: Duration = Duration::from_secs(10);

/// Bytes a second.
const MIN_RATE: u64 = 1024;

/// When what last happened. Times count from a start that the caller chose.
#[derive(Debug)]
pub(crate) struct Clock {
    timeout: Option<Duration>,
    handshake: Duration,
    heard: Duration,
    /// When bytes last left, or a sign of life was due that couldn't.
    said: Duration,
    /// How many signs of life in a row were due while bytes waited that the remote doesn't take.
    stuck: u32,
    received: u64,
    /// When the frame that is arriving began, and what had been received before it.
    frame: Option<(Duration, u64)>,
}

impl Clock {
    pub(crate) fn new(now: Duration, timeout: Option<Duration>, handshake: Duration) -> Self {
        Clock {
            timeout: or_none(timeout),
            handshake: now.saturating_add(handshake),
            heard: now,
            said: now,
            stuck: 0,
            received: 0,
            frame: None,
        }
    }

    /// The silence up to now was measured by another limit, which it kept.
    pub(crate) fn set_timeout(&mut self, now: Duration, timeout: Option<Duration>) {
        self.timeout = or_none(timeout);
        self.heard = now;
    }

    pub(crate) fn heard(&mut self, now: Duration, len: usize) {
        self.heard = now;
        self.frame.get_or_insert((now, self.received));
        self.received += len as u64;
    }

    pub(crate) fn said(&mut self, now: Duration) {
        self.said = now;
        self.stuck = 0;
    }

    /// A frame is whole, or nothing of one is there.
    pub(crate) fn frame_ended(&mut self) {
        self.frame = None;
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// When the handshake has to be over. Bytes that drip in don't put it off.
    pub(crate) fn handshake_deadline(&self) -> Duration {
        self.handshake
    }

    /// When a sign of life is due.
    pub(crate) fn sign_deadline(&self) -> Option<Duration> {
        self.timeout
            .map(|timeout| self.said.saturating_add(timeout - timeout / 2))
    }

    /// When the remote is given up. While bytes wait, we may not be reading, and that it takes some is a sign of life too.
    pub(crate) fn idle_deadline(&self, all_sent: bool) -> Option<Duration> {
        let last = match all_sent {
            true => self.heard,
            false => self.heard.max(self.said),
        };
        self.timeout.map(|timeout| last.saturating_add(timeout))
    }

    /// A sign of life is due, but bytes are waiting already.
    pub(crate) fn stuck(&mut self, now: Duration) -> Result<(), Error> {
        self.said = now;
        self.stuck += 1;
        match self.stuck {
            0 | 1 => Ok(()),
            _ => Err(Error::SendTimeout),
        }
    }

    /// A frame that has begun has to go on.
    pub(crate) fn check_frame(&self, now: Duration) -> Result<(), Error> {
        let (Some((began, before)), Some(_)) = (self.frame, self.timeout) else {
            return Ok(());
        };
        let taken = now.saturating_sub(began);
        let expected = MIN_RATE.saturating_mul(taken.as_secs());
        match taken > FRAME_GRACE && self.received - before < expected {
            true => Err(Error::FrameTimeout),
            false => Ok(()),
        }
    }
}

/// As in JavaScript, zero switches it off.
fn or_none(timeout: Option<Duration>) -> Option<Duration> {
    timeout.filter(|timeout| !timeout.is_zero())
}
