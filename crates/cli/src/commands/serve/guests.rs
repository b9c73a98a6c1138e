//! The feeds that are served, and those who are connected.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_lite::{AsyncRead, AsyncWrite};
use hypercore::{
    Connection, ConnectionHandle, Dialect, DialectChoice, DiscoveryKey, Error, FeedOptions,
    Hypercore, NoiseKeyPair, Pass, Remote, Role, Session, Transport, generate_noise_key_pair,
};
use serde_json::json;

use super::Serve;
use crate::{failure::Failure, output::Output};

/// The feeds, and who is connected. Cheap to clone.
#[derive(Clone)]
pub(super) struct Guests(Arc<Inside>);

struct Inside {
    feeds: BTreeMap<DiscoveryKey, Hypercore>,
    live: bool,
    read_only: bool,
    dialect: Dialect,
    /// By which peers know this process on all connections.
    key_pair: NoiseKeyPair,
    connected: Mutex<Connected>,
    verify_failures: AtomicU64,
}

#[derive(Default)]
struct Connected {
    next: u64,
    guests: BTreeMap<u64, Guest>,
}

/// Somebody who is connected.
#[derive(Clone)]
pub(super) struct Guest {
    pub(super) name: String,
    pub(super) connection: ConnectionHandle,
}

impl Guests {
    pub(super) fn new(
        feeds: impl Iterator<Item = Hypercore>,
        arguments: &Serve,
    ) -> Result<Self, Failure> {
        Ok(Guests(Arc::new(Inside {
            feeds: feeds.map(|feed| (feed.discovery_key(), feed)).collect(),
            live: !arguments.not_live,
            read_only: arguments.read_only,
            dialect: arguments.dialect.into(),
            key_pair: generate_noise_key_pair()?,
            connected: Mutex::default(),
            verify_failures: AtomicU64::new(0),
        })))
    }

    pub(super) fn feeds(&self) -> impl Iterator<Item = &Hypercore> {
        self.0.feeds.values()
    }

    /// How many bytes of blocks were sent, to all who are or were connected.
    pub(super) fn sent(&self) -> u64 {
        let totals = self.feeds().filter_map(|feed| Some(feed.stats()?.totals));
        totals.map(|totals| totals.uploaded_bytes).sum()
    }

    /// How many connections have ended because something that came didn't verify.
    pub(super) fn verify_failures(&self) -> u64 {
        self.0.verify_failures.load(Ordering::Relaxed)
    }

    /// Those who are connected, by a number of each.
    pub(super) fn connected(&self) -> BTreeMap<u64, Guest> {
        self.lock().guests.clone()
    }

    /// Serves one peer to the end of its connection, and tells of it.
    ///
    /// A feed comes onto the connection when the peer names it: whoever doesn't know one isn't told which there are.
    pub(super) async fn serve<S>(
        &self,
        socket: S,
        from: Option<SocketAddr>,
        transport: Transport,
        pass: Option<Pass>,
        output: &Output,
    ) -> Result<(), Failure>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut remote = Remote::default();
        remote.address = from;
        remote.transport = transport;
        let mut connection = Connection::new(Role::Responder)
            .live(self.0.live)
            .dialect(DialectChoice::Fixed(self.0.dialect))
            .key_pair(self.0.key_pair.clone())
            .remote(remote)
            .on_discovery_key({
                let guests = self.clone();
                move |name, handle| {
                    guests.add(&name, &handle);
                    std::future::ready(())
                }
            });
        if let Some(pass) = pass {
            connection = connection.pass(pass);
        }
        let peer = from.map_or("stdio".to_owned(), |from| from.to_string());
        output.news(
            "connected",
            json!({ "peer": &peer }),
            format_args!("peer       {peer}"),
        )?;
        let id = self.enter(&peer, connection.handle());
        let ended = connection.run(socket).await;
        self.leave(id);
        if ended.as_ref().is_err_and(Error::is_verification) {
            self.0.verify_failures.fetch_add(1, Ordering::Relaxed);
        }
        tell_end(&peer, ended, output)
    }

    fn add(&self, name: &DiscoveryKey, handle: &ConnectionHandle) {
        let mut options = FeedOptions::default();
        options.download = !self.0.read_only;
        if let Some(feed) = self.0.feeds.get(name) {
            // One that has ended meanwhile needs no feed.
            let _ = handle.add_with(feed, options);
        }
    }

    fn enter(&self, name: &str, connection: ConnectionHandle) -> u64 {
        let mut connected = self.lock();
        connected.next += 1;
        let id = connected.next;
        let name = name.to_owned();
        connected.guests.insert(id, Guest { name, connection });
        id
    }

    fn leave(&self, id: u64) {
        self.lock().guests.remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, Connected> {
        let connected = self.0.connected.lock();
        connected.unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell_end(peer: &str, ended: hypercore::Result<Session>, output: &Output) -> Result<(), Failure> {
    match ended {
        Ok(session) => {
            let fields = json!({
                "peer": peer,
                "finished": session.finished,
                "bytes_sent": session.bytes_sent,
                "bytes_received": session.bytes_received,
            });
            let human = format!("done       {peer}   sent {} bytes", session.bytes_sent);
            output.news("disconnected", fields, human)
        }
        Err(error) => {
            let failure = Failure::from(error);
            let fields = json!({ "peer": peer, "finished": false, "error": failure.to_string() });
            output.news(
                "disconnected",
                fields,
                format_args!("lost       {peer}   {failure}"),
            )?;
            Err(failure)
        }
    }
}
