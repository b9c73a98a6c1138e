//! What the program was asked and hasn't answered yet.
//!
//! Each answer is a future of the program's. Only those are polled that have been woken, however many there are.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use crypto::DiscoveryKey;

use crate::runtime::BoxFuture;

/// What a question is about. There is one about each at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum About {
    /// Whether the remote is welcome.
    Remote,
    /// A feed that the remote has opened is looked for. Whatever the answer is, it has been.
    Look(DiscoveryKey),
    /// Whether the remote may have a feed.
    Feed(DiscoveryKey),
}

/// Questions that are open.
#[derive(Default)]
pub(crate) struct Questions {
    open: BTreeMap<About, BoxFuture<bool>>,
    calls: Arc<Calls>,
}

impl Questions {
    /// Asks. An older question about the same is dropped.
    pub(crate) fn ask(&mut self, about: About, answer: BoxFuture<bool>) {
        self.open.insert(about, answer);
        self.calls.call(about);
    }

    /// The answer is of no use any longer.
    pub(crate) fn drop_one(&mut self, about: About) {
        self.open.remove(&about);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The next answer.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(About, bool)> {
        self.calls.state().waker = Some(cx.waker().clone());
        while let Some(about) = self.calls.next() {
            let Some(answer) = self.open.get_mut(&about) else {
                continue;
            };
            let call = Waker::from(Arc::new(Call {
                about,
                calls: Arc::clone(&self.calls),
            }));
            if let Poll::Ready(answer) = answer.as_mut().poll(&mut Context::from_waker(&call)) {
                self.open.remove(&about);
                return Poll::Ready((about, answer));
            }
        }
        Poll::Pending
    }
}

/// Which answers are to be looked at.
#[derive(Default)]
struct Calls {
    state: Mutex<Called>,
}

#[derive(Default)]
struct Called {
    about: BTreeSet<About>,
    waker: Option<Waker>,
}

impl Calls {
    fn call(&self, about: About) {
        let waker = {
            let mut state = self.state();
            state.about.insert(about);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn next(&self) -> Option<About> {
        self.state().about.pop_first()
    }

    fn state(&self) -> MutexGuard<'_, Called> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes one answer.
struct Call {
    about: About,
    calls: Arc<Calls>,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.calls.call(self.about);
    }
}

impl fmt::Debug for Questions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.open.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_lite::future::{block_on, poll_fn, poll_once};

    use super::*;

    fn feed(n: u8) -> About {
        About::Look(DiscoveryKey::new([n; 32]))
    }

    #[test]
    fn only_what_was_woken_is_polled() {
        let polls = Arc::new(AtomicUsize::new(0));
        let (sender, receiver) = async_channel::bounded(1);
        let mut questions = Questions::default();
        for n in 0..50 {
            let polls = Arc::clone(&polls);
            let mut answer: BoxFuture<bool> = match n {
                7 => Box::pin({
                    let receiver = receiver.clone();
                    async move { receiver.recv().await.unwrap() }
                }),
                _ => Box::pin(std::future::pending()),
            };
            let counted = poll_fn(move |cx| {
                polls.fetch_add(1, Ordering::Relaxed);
                answer.as_mut().poll(cx)
            });
            questions.ask(feed(n), Box::pin(counted));
        }
        block_on(async {
            assert!(poll_once(poll_fn(|cx| questions.poll(cx))).await.is_none());
            assert_eq!(polls.load(Ordering::Relaxed), 50);
            sender.send(true).await.unwrap();
            let answer = poll_fn(|cx| questions.poll(cx)).await;
            assert_eq!(answer, (feed(7), true));
            assert_eq!(polls.load(Ordering::Relaxed), 51);
            assert_eq!(questions.open.len(), 49);
        });
    }

    #[test]
    fn a_newer_question_takes_the_place_of_an_older_one() {
        let mut questions = Questions::default();
        questions.ask(About::Remote, Box::pin(std::future::pending()));
        questions.ask(About::Remote, Box::pin(async { false }));
        let answer = block_on(poll_fn(|cx| questions.poll(cx)));
        assert_eq!(answer, (About::Remote, false));
        assert!(questions.is_empty());
    }
}
