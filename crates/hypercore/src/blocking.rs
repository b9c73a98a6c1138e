//! The same feeds for programs without async: every call returns when it is done.
//!
//! ```
//! use std::{net::{TcpListener, TcpStream}, thread};
//! use hypercore::{Role, Storage, blocking::Hypercore};
//!
//! let writer = Hypercore::open(Storage::memory())?;
//! writer.append_batch(["hello", "world"])?;
//!
//! // A connection takes a thread as long as it lasts.
//! let listener = TcpListener::bind("127.0.0.1:0").unwrap();
//! let address = listener.local_addr().unwrap();
//! let server = thread::spawn({
//!     let writer = writer.clone();
//!     move || writer.replicate(Role::Responder, listener.accept().unwrap().0)
//! });
//!
//! let reader = Hypercore::open_with(Storage::memory(), |feed| feed.key(writer.key()))?;
//! reader.replicate(Role::Initiator, TcpStream::connect(address).unwrap())?;
//! server.join().unwrap()?;
//!
//! assert_eq!(reader.get(1)?, "world");
//! # Ok::<_, hypercore::Error>(())
//! ```
//!
//! The names are those of [`crate::Hypercore`], and so is what they do: this face adds nothing but the waiting. What needs no waiting
//! there ([`len`](crate::Hypercore::len), [`has`](crate::Hypercore::has), [`key`](crate::Hypercore::key), …) is reached through
//! [`Deref`]. What has options there has a second form here, whose name ends in `with`: it is given a function that sets them.
//!
//! ```
//! # use hypercore::{Error, Storage, blocking::Hypercore};
//! # use std::time::Duration;
//! # let feed = Hypercore::open(Storage::memory())?;
//! let block = feed.get_with(0, |get| get.timeout(Duration::from_millis(1)));
//! assert!(matches!(block, Err(Error::TimedOut)));
//! # Ok::<_, hypercore::Error>(())
//! ```
//!
//! Streams are iterators here, `AsyncRead` and `AsyncWrite` are [`Read`](std::io::Read) and [`Write`](std::io::Write). A call that
//! waits for a peer needs somebody to be connected meanwhile, so connections run on threads of their own. No runtime has to be
//! started, or chosen: timers and sockets come from [`Threads`].
//!
//! Don't call it from asynchronous code: it would hold up whatever else runs on that thread.

mod append;
mod connect;
mod read;

use std::{fmt, ops::Deref, sync::Arc};

use crate::{Binary, Builder, Encoding, Result, Storage, Threads, runtime::block_on as wait_for};

pub use self::{
    append::{ByteWriter, WriteSink},
    connect::{Halves, Socket, run},
    read::{ByteReader, Download, Iter, iter},
};

/// A feed whose calls return when they are done. See [the module](self) for how it relates to [`crate::Hypercore`].
///
/// The handle is cheap to clone and can be used from any number of threads at a time.
#[derive(Clone)]
pub struct Hypercore<E = Binary> {
    feed: crate::Hypercore<E>,
}

impl Hypercore {
    /// Opens the feed that is stored at a place, or creates one there.
    ///
    /// # Errors
    /// As [`Builder::open`].
    pub fn open(storage: impl Into<Storage>) -> Result<Self> {
        Self::open_with(storage, |feed| feed)
    }

    /// Opens a feed with options.
    ///
    /// ```
    /// use hypercore::{Storage, blocking::Hypercore};
    ///
    /// let feed = Hypercore::open_with(Storage::memory(), |feed| feed.sparse(true).stats(false))?;
    /// assert!(feed.stats().is_none());
    /// # Ok::<_, hypercore::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Builder::open`].
    pub fn open_with(
        storage: impl Into<Storage>,
        options: impl FnOnce(Builder) -> Builder,
    ) -> Result<Self> {
        let builder = Builder::new(storage.into()).runtime(Arc::new(Threads));
        wait_for(options(builder).open()).map(Hypercore::from)
    }
}

impl<E: Encoding> Hypercore<E> {
    /// The same feed with another encoding, named by its type.
    ///
    /// ```
    /// use hypercore::{Storage, Utf8, blocking::Hypercore};
    ///
    /// let feed = Hypercore::open(Storage::memory())?.typed::<Utf8>();
    /// feed.append("text")?;
    /// let text: String = feed.get(0)?;
    /// # assert_eq!(text, "text");
    /// # Ok::<_, hypercore::Error>(())
    /// ```
    pub fn typed<F: Encoding + Default>(&self) -> Hypercore<F> {
        self.feed.typed().into()
    }

    /// The same feed with another encoding.
    pub fn with_encoding<F: Encoding>(&self, encoding: F) -> Hypercore<F> {
        self.feed.with_encoding(encoding).into()
    }

    /// Waits until everything that was appended and stored so far is where a power cut can't take it back.
    ///
    /// # Errors
    /// As [`crate::Hypercore::sync`].
    pub fn sync(&self) -> Result<()> {
        wait_for(self.feed.sync())
    }

    /// Closes the feed for all handles. Waits in other threads end with [`Error::Closed`](crate::Error::Closed), and connections
    /// end: this is how a thread that serves is told to stop.
    ///
    /// # Errors
    /// As [`crate::Hypercore::close`].
    pub fn close(&self) -> Result<()> {
        wait_for(self.feed.close())
    }

    /// Closes the feed and removes its six files.
    ///
    /// # Errors
    /// As [`crate::Hypercore::destroy`].
    pub fn destroy(&self) -> Result<()> {
        wait_for(self.feed.destroy())
    }
}

/// What needs no waiting is the same in both faces.
impl<E> Deref for Hypercore<E> {
    type Target = crate::Hypercore<E>;

    fn deref(&self) -> &Self::Target {
        &self.feed
    }
}

/// A feed that was opened by asynchronous code can be used from threads too.
impl<E> From<crate::Hypercore<E>> for Hypercore<E> {
    fn from(feed: crate::Hypercore<E>) -> Self {
        Hypercore { feed }
    }
}

impl<E> From<Hypercore<E>> for crate::Hypercore<E> {
    fn from(feed: Hypercore<E>) -> Self {
        feed.feed
    }
}

impl<E: Encoding> fmt::Debug for Hypercore<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.feed.fmt(f)
    }
}
