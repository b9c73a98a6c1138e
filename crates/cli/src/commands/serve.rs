//! `hypercore serve DIR [--tcp ADDR] [--once] [--lines]`

use std::{
    io::{self, BufRead},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_std::{
    net::{TcpListener, TcpStream},
    task,
};
use futures_lite::{FutureExt, StreamExt};
use hypercore::{Hypercore, Role};
use serde_json::json;

use super::{close, open};
use crate::{
    arguments::Serve,
    failure::{Code, Failure},
    link::Link,
    output::Output,
};

/// How many connections are served at once; further ones are turned away.
const MAX_CONNECTIONS: usize = 1024;

pub(super) async fn run(arguments: Serve, output: &Output) -> Result<(), Failure> {
    let dir = &arguments.dir;
    let feed = open(dir, arguments.dialect.into()).await?;
    let listener = TcpListener::bind(arguments.tcp)
        .await
        .map_err(|error| cannot_listen(arguments.tcp, error))?;
    let address = listener
        .local_addr()
        .map_err(|error| cannot_listen(arguments.tcp, error))?;
    announce(&feed, address, output)?;
    let served = async {
        match arguments.once {
            true => serve_once(&feed, &listener, &arguments, output).await,
            false => serve_all(&feed, &listener, &arguments, output).await,
        }
    };
    match arguments.lines {
        true => served.or(append_lines(dir, &feed)).await?,
        false => served.await?,
    }
    close(dir, &feed).await
}

fn announce(feed: &Hypercore, address: SocketAddr, output: &Output) -> Result<(), Failure> {
    let reachable = match address.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    let link = Link {
        key: feed.key(),
        peers: vec![SocketAddr::new(reachable, address.port()).to_string()],
    };
    output.tell(format_args!(
        "serving  {} blocks, {} bytes   tcp {address}",
        feed.len(),
        feed.byte_len()
    ));
    if address.ip().is_unspecified() {
        output.tell("         on another machine put this one's address in the link");
    }
    output.tell(format_args!("clone with:   hypercore clone '{link}' DIR"));
    let fields = json!({
        "link": link.to_string(),
        "address": address.to_string(),
        "port": address.port(),
        "key": feed.key().to_string(),
        "discovery_key": feed.discovery_key().to_string(),
        "length": feed.len(),
        "byte_length": feed.byte_len(),
        "writable": feed.is_writable(),
    });
    output.result("listening", fields, link)
}

async fn serve_once(
    feed: &Hypercore,
    listener: &TcpListener,
    arguments: &Serve,
    output: &Output,
) -> Result<(), Failure> {
    let (socket, from) = listener.accept().await?;
    connection(feed.clone(), socket, from, !arguments.not_live, *output).await
}

async fn serve_all(
    feed: &Hypercore,
    listener: &TcpListener,
    arguments: &Serve,
    output: &Output,
) -> Result<(), Failure> {
    let connections = Arc::new(AtomicUsize::new(0));
    let mut incoming = listener.incoming();
    while let Some(socket) = incoming.next().await {
        // Out of descriptors, or a peer that left before it was greeted: others may come.
        let Ok(socket) = socket else { continue };
        let Ok(from) = socket.peer_addr() else {
            continue;
        };
        if connections.load(Ordering::Relaxed) >= MAX_CONNECTIONS {
            continue;
        }
        connections.fetch_add(1, Ordering::Relaxed);
        let (connections, feed) = (Arc::clone(&connections), feed.clone());
        let (live, output) = (!arguments.not_live, *output);
        task::spawn(async move {
            // What ends one connection doesn't end the others; it was told already.
            let _ = connection(feed, socket, from, live, output).await;
            connections.fetch_sub(1, Ordering::Relaxed);
        });
    }
    Ok(())
}

/// Serves one peer to the end of its connection, and tells of it.
async fn connection(
    feed: Hypercore,
    socket: TcpStream,
    from: SocketAddr,
    live: bool,
    output: Output,
) -> Result<(), Failure> {
    let peer = from.to_string();
    output.news(
        "connected",
        json!({ "peer": &peer }),
        format_args!("peer     {peer}"),
    )?;
    let _ = socket.set_nodelay(true);
    match feed.replicate(Role::Responder, socket).live(live).await {
        Ok(session) => {
            let fields = json!({
                "peer": &peer,
                "finished": session.finished,
                "bytes_sent": session.bytes_sent,
                "bytes_received": session.bytes_received,
            });
            let human = format!("done     {peer}   sent {} bytes", session.bytes_sent);
            output.news("disconnected", fields, human)
        }
        Err(error) => {
            let failure = Failure::from(error);
            let fields = json!({ "peer": &peer, "finished": false, "error": failure.to_string() });
            output.news(
                "disconnected",
                fields,
                format_args!("lost     {peer}   {failure}"),
            )?;
            Err(failure)
        }
    }
}

/// Appends standard input, line by line, until it ends; then waits for the serving to end.
async fn append_lines(dir: &Path, feed: &Hypercore) -> Result<(), Failure> {
    loop {
        let mut line = Vec::new();
        let (read, mut line) = task::spawn_blocking(move || {
            let read = io::stdin().lock().read_until(b'\n', &mut line);
            (read, line)
        })
        .await;
        if read? == 0 {
            return futures_lite::future::pending().await;
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        feed.append(line)
            .await
            .map_err(|error| Failure::at(dir, error))?;
    }
}

fn cannot_listen(address: SocketAddr, error: io::Error) -> Failure {
    Failure::new(Code::Other, format!("cannot listen on {address}: {error}"))
        .hint("choose another address with --tcp, or port 0 for a free one")
}
