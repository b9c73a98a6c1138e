//! One turn of a connection: wait until the socket, the feed or the clock has something to say, writing meanwhile.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use event_listener::EventListener;
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::Future;

use crate::{
    outlet::Outlet,
    questions::{About, Questions},
    runtime::{BoxFuture, Runtime},
};

/// Why a turn ended.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Bytes arrived: this many, at the front of the input buffer.
    Received(usize),
    /// The remote has ended its direction.
    Ended,
    /// All that was to be written is with the operating system.
    Written,
    /// Somebody has left work for this connection.
    Woken,
    /// The program has answered a question.
    Answered(About, bool),
    /// The deadline has come.
    Due,
}

/// Whether to wait at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Until something happens.
    Wait,
    /// There is more to do already.
    Again,
    /// There is, but others shall have their turn on the thread first.
    Yield,
}

/// What a turn may do besides waiting.
pub(crate) struct Waiting<'a> {
    pub(crate) input: &'a mut [u8],
    /// Whether to read at all: not while the remote doesn't take what it has asked for.
    pub(crate) reading: bool,
    pub(crate) output: &'a mut Outlet,
    pub(crate) pace: Pace,
    pub(crate) wake: &'a mut EventListener,
    pub(crate) questions: &'a mut Questions,
    pub(crate) timer: &'a mut Timer,
}

/// Reads and writes at the same time, so that two peers with full sockets never wait for one another.
pub(crate) async fn turn<S>(socket: &mut S, mut waiting: Waiting<'_>) -> io::Result<Turn>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|cx| waiting.poll(socket, cx)).await
}

impl Waiting<'_> {
    fn poll<S>(&mut self, socket: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<Turn>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut broken = None;
        if !self.output.is_empty() {
            match self.output.poll_write(socket, cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(Ok(Turn::Written)),
                Poll::Ready(Err(error)) => broken = Some(error),
                Poll::Pending => {}
            }
        }
        match self.pace {
            Pace::Wait => {}
            Pace::Again => return Poll::Ready(Ok(Turn::Woken)),
            Pace::Yield => {
                self.pace = Pace::Again;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        if self.reading
            && let Poll::Ready(read) = Pin::new(socket).poll_read(cx, self.input)
        {
            // What the remote said before it left may be worth more than that it has left.
            return Poll::Ready(match (read, broken) {
                (Ok(len @ 1..), _) => Ok(Turn::Received(len)),
                (_, Some(error)) | (Err(error), None) => Err(error),
                (Ok(0), None) => Ok(Turn::Ended),
            });
        }
        if let Some(error) = broken {
            return Poll::Ready(Err(error));
        }
        if Pin::new(&mut *self.wake).poll(cx).is_ready() {
            return Poll::Ready(Ok(Turn::Woken));
        }
        if let Poll::Ready((about, answer)) = self.questions.poll(cx) {
            return Poll::Ready(Ok(Turn::Answered(about, answer)));
        }
        self.timer.poll(cx).map(|()| Ok(Turn::Due))
    }
}

/// A timer that is made anew only when its deadline changes.
#[derive(Default)]
pub(crate) struct Timer {
    deadline: Option<Duration>,
    sleep: Option<BoxFuture<()>>,
}

impl Timer {
    pub(crate) fn set(&mut self, deadline: Option<Duration>, runtime: &dyn Runtime) {
        // A deadline that moved away is met too early once and then set anew: cheaper than a new timer each time
        // something arrives.
        let sooner = match (deadline, self.deadline) {
            (Some(new), Some(old)) => new < old,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if sooner || (self.sleep.is_none() && deadline.is_some()) {
            self.deadline = deadline;
            self.sleep = deadline.map(|at| runtime.sleep(at.saturating_sub(runtime.now())));
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(sleep) = &mut self.sleep else {
            return Poll::Pending;
        };
        let done = sleep.as_mut().poll(cx);
        if done.is_ready() {
            *self = Timer::default();
        }
        done
    }
}
