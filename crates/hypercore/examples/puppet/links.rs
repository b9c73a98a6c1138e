//! Connections over TCP on this machine, each with a name.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_std::{
    net::{TcpListener, TcpStream},
    task,
};
use data_encoding::BASE64;
use futures_lite::StreamExt;
use hypercore::{
    Binary, Connection, ConnectionExtension, ConnectionHandle, DialectChoice, FeedOptions, Hold,
    Result as Outcome, Role, Security, Session,
};
use serde_json::json;

use crate::{
    Result,
    feeds::{Feeds, Held, dialect, lock},
    order::Order,
};

/// Between two looks whether a connection has ended.
const LOOK: Duration = Duration::from_millis(3);

/// How long a feed that the remote has opened may take to be added.
const GRACE: Duration = Duration::from_secs(2);

/// The connections, also those that have ended.
#[derive(Default)]
pub(crate) struct Links(Mutex<BTreeMap<String, Link>>);

/// How a connection ended, once it has.
type End = Arc<Mutex<Option<Outcome<Session>>>>;

struct Link {
    handle: ConnectionHandle,
    /// Until something is added, or it is hung up.
    hold: Option<Hold>,
    end: End,
    extensions: BTreeMap<String, Extension>,
}

/// An extension of a connection, and what was heard on it.
struct Extension {
    own: ConnectionExtension<Binary>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Links {
    /// Waits for one connection.
    pub(crate) async fn listen(&self, feeds: &Feeds, order: &Order) -> Result {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let (connection, end) = self.prepare(Role::Responder, feeds, order)?;
        task::spawn(async move {
            let result = match listener.accept().await {
                Ok((socket, _)) => connection.run(socket).await,
                Err(error) => Err(hypercore::Error::Connection(error.into())),
            };
            *lock(&end) = Some(result);
        });
        Ok(json!({ "port": port }))
    }

    pub(crate) async fn connect(&self, feeds: &Feeds, order: &Order) -> Result {
        let port = u16::try_from(order.amount("port")?)?;
        let socket = TcpStream::connect(("127.0.0.1", port)).await?;
        let (connection, end) = self.prepare(Role::Initiator, feeds, order)?;
        task::spawn(async move {
            let result = connection.run(socket).await;
            *lock(&end) = Some(result);
        });
        Ok(json!({}))
    }

    /// Adds a feed to a connection that runs.
    pub(crate) fn add(&self, feeds: &Feeds, order: &Order) -> Result {
        let held = feeds.named(order.text("feed")?)?;
        let mut links = lock(&self.0);
        let link = links.get_mut(order.text("link")?).ok_or("no such link")?;
        link.handle.add_with(&held.feed, options(order))?;
        link.hold = None;
        Ok(json!({}))
    }

    /// Sends a message about the connection as a whole.
    pub(crate) fn say(&self, order: &Order) -> Result {
        let links = lock(&self.0);
        let link = links.get(order.text("link")?).ok_or("no such link")?;
        let extension = link.extensions.get(order.text("name")?);
        let extension = extension.ok_or("no such extension")?;
        extension.own.send(order.bytes("data")?)?;
        Ok(json!({}))
    }

    /// The messages about the connection as a whole, once there are so many of them.
    pub(crate) async fn heard(&self, order: &Order) -> Result {
        let least = order.amount("least")?;
        let heard = {
            let links = lock(&self.0);
            let link = links.get(order.text("link")?).ok_or("no such link")?;
            let extension = link.extensions.get(order.text("name")?);
            Arc::clone(&extension.ok_or("no such extension")?.heard)
        };
        loop {
            let messages = lock(&heard).clone();
            if messages.len() as u64 >= least {
                return Ok(json!({ "data": messages }));
            }
            task::sleep(LOOK).await;
        }
    }

    pub(crate) fn hang_up(&self, order: &Order) -> Result {
        let links = lock(&self.0);
        let link = links.get(order.text("link")?).ok_or("no such link")?;
        link.handle.hang_up();
        Ok(json!({}))
    }

    /// Waits for the end of a connection, and says how it ended.
    pub(crate) async fn ended(&self, order: &Order) -> Result {
        let end = {
            let links = lock(&self.0);
            let link = links.get(order.text("link")?).ok_or("no such link")?;
            Arc::clone(&link.end)
        };
        loop {
            if let Some(result) = lock(&end).clone() {
                let session = result?;
                return Ok(json!({
                    "finished": session.finished,
                    "sent": session.bytes_sent,
                    "received": session.bytes_received,
                }));
            }
            task::sleep(LOOK).await;
        }
    }

    fn prepare(&self, role: Role, feeds: &Feeds, order: &Order) -> Result<(Connection, End)> {
        let dialect = match order.text("dialect")? {
            "auto" => DialectChoice::Auto,
            fixed => DialectChoice::Fixed(dialect(fixed)?),
        };
        let security = match (order.flag("noise", true), order.flag("encrypted", true)) {
            (_, true) => Security::Encrypted,
            (true, false) => Security::Authenticated,
            (false, false) => Security::Plain,
        };
        let timeout = order.amount_or_none("timeout").unwrap_or(20_000);
        let mut connection = Connection::new(role)
            .live(order.flag("live", false))
            .dialect(dialect)
            .security(security)
            .timeout(Some(Duration::from_millis(timeout)));
        if order.flag("refuse", false) {
            connection = connection.on_authenticate(|_| async { false });
        }
        let shared = order.list("shares").iter().filter_map(|name| name.as_str());
        let shared: Vec<Arc<Held>> = shared
            .map(|name| feeds.named(name))
            .collect::<Result<_>>()?;
        if !shared.is_empty() {
            connection = connection.on_discovery_key(move |key, handle| {
                let wanted = shared.iter().find(|one| one.feed.discovery_key() == key);
                // The connection may have ended already; then nobody needs the feed.
                let added = wanted.is_some_and(|held| handle.add(&held.feed).is_ok());
                async move {
                    if !added {
                        task::sleep(GRACE).await;
                    }
                }
            });
        }
        for part in order.list("feeds") {
            let part = Order::part(part);
            let held = feeds.named(part.text("feed")?)?;
            connection.add_with(&held.feed, options(&part))?;
        }
        let handle = connection.handle();
        let names = order
            .list("extensions")
            .iter()
            .filter_map(|name| name.as_str());
        let extensions = names.map(|name| Ok((name.to_owned(), listen_to(&handle, name)?)));
        let link = Link {
            extensions: extensions.collect::<Result<_>>()?,
            hold: order.flag("hold", false).then(|| handle.hold()),
            handle,
            end: Arc::default(),
        };
        let end = End::clone(&link.end);
        lock(&self.0).insert(order.text("as")?.into(), link);
        Ok((connection, end))
    }
}

/// Registers an extension of a connection.
fn listen_to(handle: &ConnectionHandle, name: &str) -> Result<Extension> {
    let own = handle.extension(name, Binary)?;
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let (mut messages, all) = (own.messages(), Arc::clone(&heard));
    task::spawn(async move {
        while let Some(message) = messages.next().await {
            let text = message.map_or_else(|error| error.to_string(), |it| BASE64.encode(&it));
            lock(&all).push(text);
        }
    });
    Ok(Extension { own, heard })
}

/// How a feed is to be exchanged.
fn options(order: &Order) -> FeedOptions {
    let mut options = FeedOptions::default();
    options.download = order.flag("download", true);
    options.upload = order.flag("upload", true);
    options.ack = order.flag("ack", false);
    options
}
