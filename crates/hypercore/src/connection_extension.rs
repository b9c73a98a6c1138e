//! Messages of the program's own between the two ends of a connection, beside those of its feeds.
//!
//! Nothing vouches for them: the stream cipher has no tag, so an extension that needs to be sure has to sign for itself.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;

use crate::{
    ConnectionHandle, Encode, Encoding, Error, Result,
    broadcast::Listener,
    mailbox::{Outlet, mailbox},
    shared::Shared,
};

impl ConnectionHandle {
    /// Registers an extension of the connection: from now on its messages are exchanged if the remote registers the name
    /// too, as by JavaScript's `stream.registerExtension`. It is gone when the result is dropped.
    ///
    /// ```
    /// # async_std::task::block_on(async {
    /// use futures_lite::StreamExt;
    /// use hypercore::{Connection, Role, Utf8};
    /// # let (a, b) = (async_std::net::TcpListener::bind("127.0.0.1:0").await.unwrap(), ());
    /// # let address = a.local_addr().unwrap();
    ///
    /// let ends = [Role::Initiator, Role::Responder].map(|role| Connection::new(role).live(true));
    /// let [ours, theirs] = [0, 1].map(|n| ends[n].handle().extension("talk", Utf8).unwrap());
    /// ours.send("hello")?;
    ///
    /// let mut messages = theirs.messages();
    /// let [left, right] = ends;
    /// # let connecting = async_std::net::TcpStream::connect(address);
    /// # let (socket, accepted) = futures_lite::future::zip(connecting, a.accept()).await;
    /// # let (socket, other) = (socket.unwrap(), accepted.unwrap().0);
    /// async_std::task::spawn(left.run(socket));
    /// async_std::task::spawn(right.run(other));
    /// assert_eq!(messages.next().await.unwrap()?, "hello");
    /// # Ok::<_, hypercore::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`Error::DuplicateExtension`]; [`Error::Extension`] if there are too many or the name is too long; [`Error::Closed`] if
    /// the connection has ended.
    pub fn extension<X: Encoding>(
        &self,
        name: &str,
        encoding: X,
    ) -> Result<ConnectionExtension<X>> {
        let (mailbox, outlet) = mailbox();
        let shared = Arc::clone(self.shared());
        shared.register(name, mailbox)?;
        Ok(ConnectionExtension {
            shared,
            name: name.to_owned(),
            encoding,
            outlet,
        })
    }
}

/// A registered extension of a connection: sends its messages and gives those that arrive.
#[must_use = "an extension is gone when it is dropped"]
pub struct ConnectionExtension<X: Encoding> {
    shared: Arc<Shared>,
    name: String,
    encoding: X,
    outlet: Outlet<Bytes>,
}

impl<X: Encoding> ConnectionExtension<X> {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends a message, as soon as the handshake is done and there is room. Says whether the remote can have a use for it, as
    /// far as it has told: see [`is_supported`](Self::is_supported).
    ///
    /// # Errors
    /// [`Error::Extension`] if it is too long, or if too much waits to be sent; [`Error::Encode`]; [`Error::Closed`].
    pub fn send<T>(&self, message: T) -> Result<bool>
    where
        X: Encode<T>,
    {
        let encoded = self.encoding.encode(message);
        let payload = encoded.map_err(|reason| Error::Encode(reason.into()))?;
        self.shared.send_extension(&self.name, payload)
    }

    /// Whether the remote has the extension, as far as it has told: none if it hasn't.
    ///
    /// JavaScript tells which it has only right before a message of its own, and not when it registers another one. So what
    /// isn't supported is sent nevertheless: the remote drops it, if it has no use for it.
    pub fn is_supported(&self) -> Option<bool> {
        self.shared.supports(&self.name)
    }

    /// The messages that arrive from now on; the first call gives also those that came since it was registered.
    pub fn messages(&self) -> ConnectionMessages<X> {
        ConnectionMessages {
            listener: self.outlet.listen(),
            encoding: self.encoding.clone(),
        }
    }
}

impl<X: Encoding> Drop for ConnectionExtension<X> {
    fn drop(&mut self) {
        self.shared.unregister(&self.name);
    }
}

impl<X: Encoding> fmt::Debug for ConnectionExtension<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionExtension")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The messages of an extension of a connection. Ends when the extension is dropped or the connection has ended.
///
/// A message that can't be decoded is [`Error::DecodeConnectionMessage`]; messages that were lost because the listener is too
/// slow are [`Error::MissedMessages`]. The stream goes on behind both.
pub struct ConnectionMessages<X: Encoding> {
    listener: Listener<Bytes>,
    encoding: X,
}

impl<X: Encoding + Unpin> Stream for ConnectionMessages<X> {
    type Item = Result<X::Value>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let heard = Pin::new(&mut this.listener).poll_next(cx);
        heard.map(|heard| {
            Some(match heard? {
                Ok(payload) => {
                    let decoded = this.encoding.decode(payload);
                    decoded.map_err(|reason| Error::DecodeConnectionMessage(reason.into()))
                }
                Err(missed) => Err(Error::MissedMessages { missed }),
            })
        })
    }
}

impl<X: Encoding> fmt::Debug for ConnectionMessages<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionMessages")
            .field("waiting", &self.listener.len())
            .finish_non_exhaustive()
    }
}
