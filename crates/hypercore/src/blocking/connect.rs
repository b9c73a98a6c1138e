//! Connections without async: a thread each, over sockets of the standard library or any reader and writer.

use std::{
    fmt,
    io::{self, Read, Write},
    net::TcpStream,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use ::blocking::Unblock;
use async_io::Async;
use futures_io::{AsyncRead, AsyncWrite};
use noise::Role;

use super::{Hypercore, wait_for};
use crate::{Connection, Encoding, Replicate, Result, Session, Threads};

impl<E: Encoding> Hypercore<E> {
    /// Exchanges the feed with a peer, and returns when the connection is over. The side that connects is the initiator.
    ///
    /// Closing the feed, from another thread, ends it as well.
    ///
    /// # Errors
    /// As [`crate::Hypercore::replicate`].
    pub fn replicate<S: Socket>(&self, role: Role, socket: S) -> Result<Session> {
        self.replicate_with(role, socket, |connection| connection)
    }

    /// The same with options, such as [`Replicate::live`].
    ///
    /// # Errors
    /// As [`crate::Hypercore::replicate`].
    pub fn replicate_with<S: Socket>(
        &self,
        role: Role,
        socket: S,
        options: impl FnOnce(Replicate<S::Stream>) -> Replicate<S::Stream>,
    ) -> Result<Session> {
        let connection = self.feed.replicate(role, socket.into_stream()?);
        wait_for(async { options(connection.runtime(Arc::new(Threads))).await })
    }
}

/// Runs a connection with any number of feeds, and returns when it is over. Its [handle](Connection::handle) can be used from
/// other threads meanwhile.
///
/// ```
/// use std::{net::{TcpListener, TcpStream}, thread};
/// use hypercore::{Connection, Role, Storage, blocking::{self, Hypercore}};
///
/// let (one, two) = (Hypercore::open(Storage::memory())?, Hypercore::open(Storage::memory())?);
/// one.append("of one")?;
/// two.append("of two")?;
/// let listener = TcpListener::bind("127.0.0.1:0").unwrap();
/// let address = listener.local_addr().unwrap();
/// let server = Connection::new(Role::Responder);
/// let client = Connection::new(Role::Initiator);
/// let mut copies = Vec::new();
/// for feed in [&one, &two] {
///     server.add(feed)?;
///     let copy = Hypercore::open_with(Storage::memory(), |copy| copy.key(feed.key()))?;
///     client.add(&copy)?;
///     copies.push(copy);
/// }
/// let server = thread::spawn(move || blocking::run(server, listener.accept().unwrap().0));
/// blocking::run(client, TcpStream::connect(address).unwrap())?;
/// server.join().unwrap()?;
/// assert_eq!(copies[1].get(0)?, "of two");
/// # Ok::<_, hypercore::Error>(())
/// ```
///
/// # Errors
/// As [`Connection::run`].
pub fn run(connection: Connection, socket: impl Socket) -> Result<Session> {
    let stream = socket.into_stream()?;
    wait_for(connection.runtime(Arc::new(Threads)).run(stream))
}

/// Bytes in both directions: a socket of the standard library, or a reader with a writer.
///
/// A socket is waited for by the system, so it costs no thread besides the one that waits for the connection. It is switched to
/// non-blocking for that, together with whatever was cloned from it.
///
/// A pair `(reader, writer)`, such as the standard output and input of a child process, costs two threads of a pool that has 500. The
/// writer is dropped when all is said. A reader that never ends keeps its thread when the connection is over.
pub trait Socket: sealed::Sealed {
    /// What it becomes.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Takes it over.
    ///
    /// # Errors
    /// Those of the system.
    fn into_stream(self) -> io::Result<Self::Stream>;
}

mod sealed {
    pub trait Sealed {}
}

impl sealed::Sealed for TcpStream {}

impl Socket for TcpStream {
    type Stream = Async<TcpStream>;

    fn into_stream(self) -> io::Result<Self::Stream> {
        Async::new(self)
    }
}

#[cfg(unix)]
impl sealed::Sealed for std::os::unix::net::UnixStream {}

#[cfg(unix)]
impl Socket for std::os::unix::net::UnixStream {
    type Stream = Async<Self>;

    fn into_stream(self) -> io::Result<Self::Stream> {
        Async::new(self)
    }
}

impl<R, W> sealed::Sealed for (R, W) {}

impl<R, W> Socket for (R, W)
where
    R: Read + Send + 'static,
    W: Write + Send + 'static,
{
    type Stream = Halves<R, W>;

    fn into_stream(self) -> io::Result<Self::Stream> {
        let (reader, writer) = self;
        Ok(Halves {
            reader: Unblock::new(reader),
            writer: Unblock::new(writer),
        })
    }
}

/// A reader and a writer, each on a thread of its own.
pub struct Halves<R, W> {
    reader: Unblock<R>,
    writer: Unblock<W>,
}

impl<R: Read + Send + 'static, W> AsyncRead for Halves<R, W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read(cx, out)
    }
}

impl<R, W: Write + Send + 'static> AsyncWrite for Halves<R, W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_close(cx)
    }
}

impl<R, W> fmt::Debug for Halves<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Halves").finish_non_exhaustive()
    }
}
