//! Sockets of a simulated world: two directions of bytes, each a link of its own.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use futures_io::{AsyncRead, AsyncWrite};
use testkit::{Arrival, Link, Rng, Sim, Timer, lock};

use crate::faults::Quality;

/// One end of a connection.
pub(crate) struct Socket {
    cable: Cable,
    side: usize,
}

/// What lies between the two ends. Whoever holds it can cut it.
#[derive(Clone)]
pub(crate) struct Cable {
    sim: Sim,
    directions: Arc<Mutex<[Direction; 2]>>,
}

struct Direction {
    link: Link,
    carried: u64,
    cut_at: Option<u64>,
    flip_at: Option<u64>,
    /// Received by the socket, but not yet read.
    received: Vec<u8>,
    ended: bool,
    reader_gone: bool,
    reset: bool,
    clogged: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    timer: Option<Timer>,
}

/// Two ends, and the cable between them.
pub(crate) fn connect(sim: &Sim, rng: &mut Rng, quality: &Quality) -> (Socket, Socket, Cable) {
    let mut direction = |n: usize| {
        let mut link = Link::new(Rng::new(rng.next_u64()))
            .delay(quality.delay.clone())
            .capacity(quality.capacity);
        if let Some(max) = quality.pieces {
            link = link.pieces(max);
        }
        if let Some(at) = quality.cut_at[n] {
            link = link.cut_at(at);
        }
        Direction {
            link,
            carried: 0,
            cut_at: quality.cut_at[n],
            flip_at: quality.flip_at[n],
            received: Vec::new(),
            ended: false,
            reader_gone: false,
            reset: false,
            clogged: false,
            reader: None,
            writer: None,
            timer: None,
        }
    };
    let directions = [direction(0), direction(1)];
    let cable = Cable {
        sim: sim.clone(),
        directions: Arc::new(Mutex::new(directions)),
    };
    let end = |side| Socket {
        cable: cable.clone(),
        side,
    };
    (end(0), end(1), cable)
}

impl Cable {
    /// Takes the connection away from both ends, with all that was under way.
    pub(crate) fn cut(&self) {
        self.change(|direction| direction.reset = true);
    }

    /// Nothing is read at either end any more, or again.
    pub(crate) fn clog(&self, yes: bool) {
        self.change(|direction| direction.clogged = yes);
    }

    fn change(&self, change: impl Fn(&mut Direction)) {
        for direction in &mut *self.directions() {
            change(direction);
            direction.wake();
        }
    }

    fn directions(&self) -> MutexGuard<'_, [Direction; 2]> {
        lock(&self.directions)
    }
}

impl Direction {
    fn wake(&mut self) {
        let wakers = [self.reader.take(), self.writer.take()];
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    fn read(&mut self, sim: &Sim, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        if let Some(timer) = self.timer.take() {
            sim.cancel_timer(timer);
        }
        if self.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if !self.clogged {
            while self.received.is_empty() && !self.ended {
                match self.link.receive(sim.now()) {
                    Some(Arrival::Bytes(bytes)) => self.received = bytes,
                    Some(Arrival::End) => self.ended = true,
                    None => break,
                }
            }
            if !self.received.is_empty() || self.ended {
                let len = out.len().min(self.received.len());
                let rest = self.received.split_off(len);
                out[..len].copy_from_slice(&self.received);
                self.received = rest;
                if let Some(writer) = self.writer.take() {
                    writer.wake();
                }
                return Poll::Ready(Ok(len));
            }
            if let Some(then) = self.link.next_arrival() {
                self.timer = Some(sim.wake_at(then, cx.waker().clone()));
            }
        }
        self.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    fn write(&mut self, sim: &Sim, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let cut = self.cut_at.is_some_and(|at| at <= self.carried);
        if self.reset || self.reader_gone || cut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let len = bytes.len().min(self.link.room());
        if len == 0 {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut bytes = bytes[..len].to_vec();
        if let Some(at) = self.flip_at
            && (self.carried..self.carried + len as u64).contains(&at)
        {
            bytes[(at - self.carried) as usize] ^= 1 << (at % 8);
        }
        self.carried += len as u64;
        self.link.send(sim.now(), &bytes);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(len))
    }

    fn end(&mut self, sim: &Sim) {
        self.link.end(sim.now());
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.cable.directions()[1 - self.side].read(&self.cable.sim, cx, out)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.cable.directions()[self.side].write(&self.cable.sim, cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cable.directions()[self.side].end(&self.cable.sim);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let mut directions = self.cable.directions();
        directions[self.side].end(&self.cable.sim);
        let incoming = &mut directions[1 - self.side];
        incoming.reader_gone = true;
        if let Some(timer) = incoming.timer.take() {
            self.cable.sim.cancel_timer(timer);
        }
        incoming.wake();
    }
}
