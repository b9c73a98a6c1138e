//! A signed sensor log: a sensor appends, a station follows live and comes back when the connection breaks, an auditor
//! checks one reading without either.

use std::{net::SocketAddr, time::Duration};

use async_std::{
    net::{TcpListener, TcpStream},
    task,
};
use futures_lite::StreamExt;
use hypercore::{Error, Hypercore, Json, PortableProof, PublicKey, Role, Session, Storage};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Reading {
    at: u64,
    celsius: f32,
}

type Log = Hypercore<Json<Reading>>;

/// Lets one peer after the other follow the log. Returns when the log is closed.
async fn serve(log: Log, listener: TcpListener) -> hypercore::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        match log.replicate(Role::Responder, socket).live(true).await {
            Err(Error::Closed) => return Ok(()),
            // The next peer may be a better one.
            ended => report("sensor", &ended),
        }
    }
}

/// Follows the log, over as many connections as that takes.
async fn follow(copy: Log, sensor: SocketAddr) -> hypercore::Result<()> {
    loop {
        let ended = match TcpStream::connect(sensor).await {
            Ok(socket) => copy.replicate(Role::Initiator, socket).live(true).await,
            Err(error) => Err(error.into()),
        };
        report("station", &ended);
        match ended {
            Err(error) if !error.is_retryable() => return Err(error),
            _ => task::sleep(Duration::from_millis(10)).await,
        }
    }
}

fn report(who: &str, ended: &hypercore::Result<Session>) {
    match ended {
        Ok(session) => eprintln!("{who}: received {} bytes", session.bytes_received),
        Err(error) => eprintln!("{who}: {error}"),
    }
}

/// Checks a reading without a feed and without a network.
fn audit(key: &PublicKey, block: &[u8], proof: &[u8]) -> bool {
    PortableProof::from_bytes(proof).is_ok_and(|proof| proof.verify(key, block).is_ok())
}

#[async_std::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let sensor: Log = Hypercore::open(folder.path()).await?.typed();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    task::spawn(serve(sensor.clone(), listener));

    let copy = Hypercore::builder(Storage::memory()).key(sensor.key());
    let station: Log = copy.open().await?.typed();
    let following = task::spawn(follow(station.clone(), address));
    let mut readings = station.read(..).live(true).timeout(Duration::from_secs(20));

    for at in 0..10 {
        let measured = Reading {
            at,
            celsius: 20.0 + at as f32 / 10.0,
        };
        sensor.append(&measured).await?;
        assert_eq!(readings.next().await.transpose()?, Some(measured));
    }

    // Any copy can prove any reading, to anybody who has the key.
    let proof = station.portable_proof(3)?.to_bytes();
    let block = sensor.get(3).encoding(hypercore::Binary).await?;
    assert!(audit(&sensor.key(), &block, &proof));
    assert!(!audit(&sensor.key(), b"another reading", &proof));

    station.close().await?;
    assert!(following.await.is_err());
    sensor.close().await?;
    Ok(())
}
