//! Calls a peer to see how it is: whether it answers, which dialect it speaks, whether it has a feed, and how long that is there.

use std::time::{Duration, Instant};

use async_std::future::timeout;
use futures_lite::{AsyncRead, AsyncWrite, FutureExt, StreamExt};
use hypercore::{
    Connection, ConnectionEvent, Dialect, DialectChoice, Hypercore, PublicKey, Role, Storage,
};

use crate::{
    calls::connect,
    failure::{Code, Failure},
};

/// What a peer is like.
#[derive(Debug)]
pub(crate) struct Probed {
    pub(crate) dialect: Dialect,
    /// From the call to the end of the handshake.
    pub(crate) delay: Duration,
    /// How long the feed is there, as it has proved; none if it doesn't have it.
    pub(crate) length: Option<u64>,
}

/// Calls `HOST:PORT` about a feed, and waits for so long at most.
///
/// # Errors
/// If nobody is there, or it speaks another language, or it takes too long.
pub(crate) async fn probe(
    key: PublicKey,
    address: &str,
    time: Duration,
) -> Result<Probed, Failure> {
    let looked = async {
        let start = Instant::now();
        let socket = connect(address).await?;
        look(key, socket, start).await
    };
    let late = || Failure::new(Code::Unreachable, format!("no answer in {time:?}"));
    timeout(time, looked).await.unwrap_or_else(|_| Err(late()))
}

async fn look<S>(key: PublicKey, socket: S, start: Instant) -> Result<Probed, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let builder = Hypercore::builder(Storage::memory()).key(key);
    let feed = builder.sparse(true).open().await?;
    let connection = Connection::new(Role::Initiator).dialect(DialectChoice::Auto);
    let handle = connection.handle();
    // Until we know all we want.
    let _hold = handle.hold();
    connection.add(&feed)?;
    let mut events = handle.events();
    let asking = async {
        let mut probed = None;
        while let Some(event) = events.next().await {
            match event {
                ConnectionEvent::Handshake { dialect, .. } => {
                    probed = Some(Probed {
                        dialect,
                        delay: start.elapsed(),
                        length: None,
                    });
                }
                ConnectionEvent::Opened { .. } => {
                    while feed.update().if_available().await.is_ok() {}
                    let length = Some(feed.len());
                    return Ok(probed.map(|probed| Probed { length, ..probed }));
                }
                ConnectionEvent::ChannelClosed { .. } => return Ok(probed),
                _ => {}
            }
        }
        Ok(probed)
    };
    let running = async {
        connection.run(socket).await?;
        Ok::<_, Failure>(None)
    };
    let probed = asking.or(running).await?;
    handle.hang_up();
    feed.close().await?;
    probed.ok_or_else(|| Failure::new(Code::Unreachable, "it hung up during the handshake"))
}
