//! The messages of one extension on their way to those who listen to it.
//!
//! They are the remote's to send, so what waits for a slow listener is bounded in number and in bytes: the oldest go, and the
//! listener is told how many.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, PoisonError},
};

use async_broadcast::{InactiveReceiver, Receiver, Sender};

use crate::broadcast::Listener;

/// How many messages wait for the slowest listener.
const MESSAGES: usize = 256;

/// How many bytes they have together. One message waits however long it is.
const BYTES: usize = 4 << 20;

/// Where messages are put in.
pub(crate) struct Mailbox<T> {
    sender: Sender<T>,
    /// The lengths of the last ones, among them all that wait.
    lens: VecDeque<usize>,
}

/// Where they are taken out.
pub(crate) struct Outlet<T> {
    idle: InactiveReceiver<T>,
    /// For the first who listens, so that nothing is missed that comes right after the registration.
    first: Mutex<Option<Receiver<T>>>,
}

/// An empty one.
pub(crate) fn mailbox<T>() -> (Mailbox<T>, Outlet<T>) {
    let (mut sender, receiver) = async_broadcast::broadcast(MESSAGES);
    sender.set_overflow(true);
    let mailbox = Mailbox {
        sender,
        lens: VecDeque::new(),
    };
    let outlet = Outlet {
        idle: receiver.clone().deactivate(),
        first: Mutex::new(Some(receiver)),
    };
    (mailbox, outlet)
}

impl<T: Clone> Mailbox<T> {
    /// Hands a message of so many bytes to everybody who listens.
    pub(crate) fn deliver(&mut self, message: T, len: usize) {
        if self.sender.receiver_count() == 0 {
            return;
        }
        // It overflows rather than being full, and nobody has closed it.
        let _ = self.sender.try_broadcast(message);
        self.lens.push_back(len);
        self.forget_read();
        let mut bytes: usize = self.lens.iter().sum();
        while bytes > BYTES && self.lens.len() > 1 {
            bytes -= self.lens.pop_front().unwrap_or(0);
        }
        if self.lens.len() < self.sender.len() {
            // With less room the oldest go.
            self.sender.set_capacity(self.lens.len());
            self.sender.set_capacity(MESSAGES);
        }
    }

    /// Everybody has read what waits no longer.
    fn forget_read(&mut self) {
        let read = self.lens.len().saturating_sub(self.sender.len());
        self.lens.drain(..read);
    }
}

impl<T: Clone> Outlet<T> {
    /// The messages from now on; for the first who listens, all that wait.
    pub(crate) fn listen(&self) -> Listener<T> {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let first = first.take();
        Listener::new(first.unwrap_or_else(|| self.idle.activate_cloned()))
    }
}

impl<T> fmt::Debug for Mailbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox")
            .field("waiting", &self.sender.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::{StreamExt, future::block_on};

    use super::{BYTES, MESSAGES, mailbox};

    #[test]
    fn the_first_who_listens_gets_what_waits_and_others_what_comes() {
        let (mut mailbox, outlet) = mailbox();
        mailbox.deliver("early", 5);
        let (mut first, mut second) = (outlet.listen(), outlet.listen());
        mailbox.deliver("late", 4);
        block_on(async {
            assert_eq!(first.next().await, Some(Ok("early")));
            assert_eq!(first.next().await, Some(Ok("late")));
            assert_eq!(second.next().await, Some(Ok("late")));
        });
    }

    #[test]
    fn so_many_messages_wait_and_so_many_bytes() {
        let long = BYTES / 4;
        for (len, most) in [(0, MESSAGES), (1, MESSAGES), (long, 4), (2 * BYTES, 1)] {
            let (mut mailbox, outlet) = mailbox();
            let mut listener = outlet.listen();
            for n in 0..1000_usize {
                mailbox.deliver(n, len);
                assert!(listener.len() <= most);
            }
            assert_eq!(listener.len(), most, "of {len} bytes");
            block_on(async {
                let missed = 1000 - most;
                assert_eq!(listener.next().await, Some(Err(missed as u64)));
                assert_eq!(listener.next().await, Some(Ok(missed)));
            });
        }
    }

    #[test]
    fn what_is_read_makes_room() {
        let (mut mailbox, outlet) = mailbox();
        let mut listener = outlet.listen();
        for n in 0..100 {
            mailbox.deliver(n, BYTES / 2);
            mailbox.deliver(n, BYTES / 2);
            block_on(async {
                assert_eq!(listener.next().await, Some(Ok(n)));
                assert_eq!(listener.next().await, Some(Ok(n)));
            });
        }
    }
}
