//! Workloads between two processes, over TCP on this machine.

use std::{io, path::PathBuf, pin::Pin};

use async_std::{
    net::{TcpListener, TcpStream},
    task,
};
use futures_lite::{FutureExt, StreamExt};
use hypercore::{
    Connection, ConnectionHandle, Dialect, DialectChoice, DownloadRequest, Durability, Hypercore,
    PublicKey, Role, Session,
};
use serde_json::json;

use super::{
    Settings, at_a_time,
    material::Xorshift,
    meter::{Report, Stopwatch, processor},
};
use crate::{failure::Failure, output::Output};

/// Serves every connection until standard input ends.
pub(super) async fn serve(settings: &Settings, output: &Output) -> Result<Report, Failure> {
    let feed = Hypercore::open(settings.dir()?).await?;
    let port: u16 = settings.value_or("port", 0)?;
    let dialect = dialect(settings)?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let hello = json!({
        "listening": listener.local_addr()?.port(),
        "key": feed.key().to_string(),
        "length": feed.len(),
        "byteLength": feed.byte_len(),
    });
    output.data(format!("{hello}\n").as_bytes())?;
    let served = async {
        let mut incoming = listener.incoming();
        while let Some(socket) = incoming.next().await {
            let socket = socket?;
            let _ = socket.set_nodelay(true);
            let replicate = feed.replicate(Role::Responder, socket).live(true);
            task::spawn(async move { replicate.dialect(dialect).await });
        }
        Ok(())
    };
    let told_to_end =
        task::spawn_blocking(|| std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
    let ended = async {
        told_to_end.await?;
        Ok::<_, Failure>(())
    };
    served.or(ended).await?;
    Ok(Report::of(json!({ "seconds": 0, "cpu": processor() })))
}

/// What the other side speaks: `--dialect 8`, which is the default, or `--dialect 9`.
fn dialect(settings: &Settings) -> Result<DialectChoice, Failure> {
    Ok(DialectChoice::Fixed(
        match settings.value_or("dialect", 8)? {
            9 => Dialect::V9,
            _ => Dialect::V8,
        },
    ))
}

/// A copy that is connected to a server.
struct Copy {
    feed: Hypercore,
    handle: ConnectionHandle,
    connection: Pin<Box<dyn Future<Output = hypercore::Result<Session>> + Send>>,
    dir: PathBuf,
    watch: Stopwatch,
}

impl Copy {
    async fn connect(settings: &Settings, sparse: bool) -> Result<Self, Failure> {
        let dir = settings.dir()?;
        let key: PublicKey = settings.value("key")?;
        let feed = Hypercore::builder(&dir)
            .key(key)
            .sparse(sparse)
            .durability(Durability::None)
            .open()
            .await?;
        let watch = Stopwatch::start();
        let socket = TcpStream::connect(settings.value::<String>("connect")?).await?;
        let _ = socket.set_nodelay(true);
        let connection = Connection::new(Role::Initiator).live(true);
        let connection = connection.dialect(dialect(settings)?);
        connection.add(&feed)?;
        Ok(Copy {
            feed,
            handle: connection.handle(),
            connection: Box::pin(connection.run(socket)),
            dir,
            watch,
        })
    }

    /// Does something with the feed and drives the connection, in one thread: to hand each block from one to another would take
    /// longer than to fetch it.
    async fn during<T>(
        &mut self,
        work: impl AsyncFnOnce(&Hypercore) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let ended = async {
            (&mut self.connection).await?;
            Err(io::Error::from(io::ErrorKind::ConnectionAborted).into())
        };
        work(&self.feed).or(ended).await
    }

    async fn end(self, told: serde_json::Value) -> Result<Report, Failure> {
        let report = self.watch.stop().with(told);
        let report = report.with(json!({
            "wire_rx": self.handle.bytes_received(),
            "wire_tx": self.handle.bytes_sent(),
            "root": self.feed.tree_hash().to_string(),
        }));
        self.handle.hang_up();
        self.feed.close().await?;
        Ok(report.disk(&self.dir))
    }
}

pub(super) async fn clone(settings: &Settings) -> Result<Report, Failure> {
    let mut copy = Copy::connect(settings, false).await?;
    let length: u64 = settings.value("length")?;
    copy.during(async |feed| Ok(feed.download(DownloadRequest::from(0..length)).await?))
        .await?;
    let told = json!({ "count": copy.feed.len(), "bytes": copy.feed.byte_len() });
    copy.end(told).await
}

pub(super) async fn sparse(settings: &Settings) -> Result<Report, Failure> {
    let mut copy = Copy::connect(settings, true).await?;
    let (length, count) = (settings.value("length")?, settings.value::<u64>("count")?);
    let inflight = settings.value_or("inflight", 1)?;
    let mut numbers = Xorshift::new(settings.value_or("seed", 1)?);
    let blocks = (0..count).map(|_| numbers.block(length));
    let bytes = copy.during(async |feed| {
        feed.update().await?;
        let get = |block| {
            let get = feed.get(block);
            async move { Ok(get.await?.len() as u64) }
        };
        at_a_time(inflight, blocks, get).await
    });
    let bytes = bytes.await?;
    copy.end(json!({ "count": count, "bytes": bytes })).await
}

pub(super) async fn seek(settings: &Settings) -> Result<Report, Failure> {
    let mut copy = Copy::connect(settings, true).await?;
    let (bytes, count) = (settings.value("bytes")?, settings.value::<u64>("count")?);
    let inflight = settings.value_or("inflight", 1)?;
    let mut numbers = Xorshift::new(settings.value_or("seed", 1)?);
    let places = (0..count).map(|_| numbers.byte(bytes));
    let found = copy.during(async |feed| {
        feed.update().await?;
        let seek = |byte| {
            let seek = feed.seek(byte);
            async move {
                seek.await?;
                Ok(1)
            }
        };
        at_a_time(inflight, places, seek).await
    });
    let found = found.await?;
    copy.end(json!({ "count": found, "bytes": 0 })).await
}
