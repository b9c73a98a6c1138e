//! One turn of a connection: wait until the socket, the feed or the clock has something to say, writing meanwhile.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use crypto::DiscoveryKey;
use event_listener::EventListener;
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::Future;

use crate::runtime::{BoxFuture, Runtime};

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
    Answered(Answer),
    /// The deadline has come.
    Due,
}

/// What a turn may do besides waiting.
pub(crate) struct Waiting<'a> {
    pub(crate) input: &'a mut [u8],
    /// Whether to read at all: not while the remote doesn't take what it has asked for.
    pub(crate) reading: bool,
    pub(crate) output: &'a mut Bytes,
    pub(crate) wake: &'a mut Pin<Box<EventListener>>,
    pub(crate) questions: &'a mut Vec<Question>,
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
        if !self.output.is_empty() && self.poll_write(socket, cx)?.is_ready() {
            return Poll::Ready(Ok(Turn::Written));
        }
        if self.reading
            && let Poll::Ready(read) = Pin::new(socket).poll_read(cx, self.input)
        {
            return Poll::Ready(read.map(|len| match len {
                0 => Turn::Ended,
                len => Turn::Received(len),
            }));
        }
        if self.wake.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(Turn::Woken));
        }
        if let Poll::Ready(answer) = self.poll_questions(cx) {
            return Poll::Ready(Ok(Turn::Answered(answer)));
        }
        self.timer.poll(cx).map(|()| Ok(Turn::Due))
    }

    fn poll_questions(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        for at in 0..self.questions.len() {
            if let Some(question) = self.questions.get_mut(at)
                && let Poll::Ready(answer) = question.answer.as_mut().poll(cx)
            {
                drop(self.questions.swap_remove(at));
                return Poll::Ready(answer);
            }
        }
        Poll::Pending
    }

    fn poll_write<S>(&mut self, socket: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: AsyncWrite + Unpin,
    {
        while !self.output.is_empty() {
            match Pin::new(&mut *socket).poll_write(cx, self.output) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(len)) => self.output.advance(len),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Pin::new(socket).poll_flush(cx)
    }
}

/// Something that the program was asked, and that it may take its time for.
pub(crate) struct Question {
    feed: Option<DiscoveryKey>,
    answer: BoxFuture<Answer>,
}

/// What the program has made up its mind about.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Whether the remote is welcome.
    Authenticated(bool),
    /// It has looked for the feed that the remote has opened.
    Looked(DiscoveryKey),
}

impl Question {
    pub(crate) fn authenticate(decision: BoxFuture<bool>) -> Self {
        Question {
            feed: None,
            answer: Box::pin(async { Answer::Authenticated(decision.await) }),
        }
    }

    pub(crate) fn look(discovery_key: DiscoveryKey, looking: BoxFuture<()>) -> Self {
        Question {
            feed: Some(discovery_key),
            answer: Box::pin(async move {
                looking.await;
                Answer::Looked(discovery_key)
            }),
        }
    }

    /// Whether it asks for this feed, which may have been added meanwhile.
    pub(crate) fn is_about(&self, feed: &DiscoveryKey) -> bool {
        self.feed.as_ref() == Some(feed)
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
