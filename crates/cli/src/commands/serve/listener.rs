//! Who calls: sockets come in, as many as may.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use async_std::{net::TcpListener, task};
use futures_lite::StreamExt;
use hypercore::{Gate, GateLimits, Transport};
use serde_json::json;

use super::{Guests, Serve};
use crate::{
    failure::{Code, Failure},
    output::Output,
};

/// The port that JavaScript's programs use, too.
const PORT: u16 = 49737;

/// Listens at an address, or at the usual one.
pub(super) async fn bind(
    address: Option<SocketAddr>,
) -> Result<(TcpListener, SocketAddr), Failure> {
    let usual = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let bound = match address {
        Some(address) => TcpListener::bind(address).await,
        None => match TcpListener::bind(usual).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => TcpListener::bind(any).await,
            bound => bound,
        },
    };
    let bound = bound.and_then(|listener| {
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    bound.map_err(|error| {
        let address = address.unwrap_or(usual);
        Failure::new(Code::Other, format!("cannot listen on {address}: {error}"))
            .hint("choose another address with --tcp, or port 0 for a free one")
    })
}

/// Serves the first who calls.
pub(super) async fn accept_one(
    listener: &TcpListener,
    guests: &Guests,
    output: &Output,
) -> Result<(), Failure> {
    let (socket, from) = listener.accept().await?;
    let _ = socket.set_nodelay(true);
    let serving = guests.serve(socket, Some(from), Transport::Tcp, None, output);
    serving.await
}

/// Serves everybody for whom there is room.
pub(super) async fn accept(
    listener: &TcpListener,
    guests: &Guests,
    arguments: &Serve,
    output: &Output,
) -> Result<(), Failure> {
    let mut limits = GateLimits::default();
    limits.connections = arguments.connections;
    limits.per_address = arguments.per_address;
    let gate = Gate::new(limits);
    let mut incoming = listener.incoming();
    while let Some(socket) = incoming.next().await {
        // Out of descriptors, or a peer that left before it was greeted: others may come.
        let Ok(socket) = socket else { continue };
        let Ok(from) = socket.peer_addr() else {
            continue;
        };
        let pass = match gate.admit(from.ip()) {
            Ok(pass) => pass,
            Err(reason) => {
                turned_away(from, &reason.to_string(), output)?;
                continue;
            }
        };
        let _ = socket.set_nodelay(true);
        let (guests, output) = (guests.clone(), *output);
        task::spawn(async move {
            // What ends one connection doesn't end the others; it was told already.
            let serving = guests.serve(socket, Some(from), Transport::Tcp, Some(pass), &output);
            let _ = serving.await;
        });
    }
    Ok(())
}

fn turned_away(from: SocketAddr, reason: &str, output: &Output) -> Result<(), Failure> {
    let peer = from.to_string();
    let human = format!("away       {peer}   {reason}");
    output.news(
        "turned_away",
        json!({ "peer": &peer, "reason": reason }),
        human,
    )
}
