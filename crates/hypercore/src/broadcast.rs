//! One bounded queue that any number of listeners follow. A listener that falls behind loses the oldest and is told how many; it
//! never holds up whoever sends.

use std::{
    fmt,
    pin::Pin,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use async_broadcast::{InactiveReceiver, Receiver, RecvError, Sender};
use futures_core::Stream;

/// How many events wait for the slowest listener.
pub(crate) const CAPACITY: usize = 1024;

/// The sending side.
pub(crate) struct Broadcast<T> {
    /// Made for the first listener. It takes all its room at once, and of most connections nobody wants to hear.
    queue: OnceLock<Queue<T>>,
    closed: AtomicBool,
}

struct Queue<T> {
    sender: Sender<T>,
    // Keeps the queue open while nobody listens.
    idle: InactiveReceiver<T>,
}

/// A listener: events from the moment it was made, or how many it lost.
pub(crate) struct Listener<T>(Receiver<T>);

impl<T: Clone> Broadcast<T> {
    pub(crate) fn new() -> Self {
        Broadcast {
            queue: OnceLock::new(),
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn send(&self, event: T) {
        if let Some(queue) = self.queue.get()
            && queue.sender.receiver_count() > 0
        {
            // Neither full (it overflows) nor without a receiver; a closed queue has nobody left to tell.
            let _ = queue.sender.try_broadcast(event);
        }
    }

    /// Says the last. Whoever listens from now on hears nothing.
    pub(crate) fn close(&self, last: T) {
        self.closed.store(true, Ordering::SeqCst);
        self.send(last);
        if let Some(queue) = self.queue.get() {
            queue.sender.close();
        }
    }

    pub(crate) fn listen(&self) -> Listener<T> {
        let queue = self.queue.get_or_init(Queue::new);
        // Closed before there was a queue to close, or just now.
        if self.closed.load(Ordering::SeqCst) {
            queue.sender.close();
        }
        Listener(queue.idle.activate_cloned())
    }
}

impl<T> Queue<T> {
    fn new() -> Self {
        let (mut sender, receiver) = async_broadcast::broadcast(CAPACITY);
        sender.set_overflow(true);
        Queue {
            sender,
            idle: receiver.deactivate(),
        }
    }
}

impl<T> Listener<T> {
    pub(crate) fn new(receiver: Receiver<T>) -> Self {
        Listener(receiver)
    }

    /// How many events wait for it.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> fmt::Debug for Listener<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("waiting", &self.len())
            .finish()
    }
}

impl<T: Clone> Stream for Listener<T> {
    /// An event, or how many were lost.
    type Item = Result<T, u64>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let received = Pin::new(&mut self.0).poll_recv(cx);
        received.map(|received| match received? {
            Ok(event) => Some(Ok(event)),
            Err(RecvError::Overflowed(missed)) => Some(Err(missed)),
            Err(RecvError::Closed) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::{StreamExt, future::block_on};

    use super::*;

    #[test]
    fn a_slow_listener_is_told_how_many_events_it_missed() {
        let broadcast = Broadcast::new();
        let mut events = broadcast.listen();
        for n in 0..CAPACITY + 3 {
            broadcast.send(n);
        }
        block_on(async {
            assert_eq!(events.next().await, Some(Err(3)));
            assert_eq!(events.next().await, Some(Ok(3)));
        });
    }

    #[test]
    fn the_stream_ends_after_the_last() {
        let broadcast = Broadcast::new();
        let mut events = broadcast.listen();
        broadcast.close("last");
        block_on(async {
            assert_eq!(events.next().await, Some(Ok("last")));
            assert_eq!(events.next().await, None);
            assert_eq!(broadcast.listen().next().await, None);
        });
    }

    #[test]
    fn whoever_is_the_first_to_listen_after_the_last_hears_nothing() {
        let broadcast = Broadcast::new();
        broadcast.close("last");
        assert_eq!(block_on(broadcast.listen().next()), None);
    }
}
