//! `hypercore serve DIR [--tcp ADDR] [--once] [--lines]`

use std::{
    io::{self, BufRead},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use async_std::{
    net::{TcpListener, TcpStream},
    task,
};
use clap::Args;
use futures_lite::{FutureExt, StreamExt};
use hypercore::{Gate, GateLimits, Hypercore, Pass, Role};
use serde_json::json;

use super::{close, open};
use crate::{
    arguments::Form,
    failure::{Code, Failure},
    link::Link,
    output::Output,
};

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The feed's directory.
    pub(crate) dir: PathBuf,

    /// The address to listen on. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) tcp: SocketAddr,

    /// Stop after the first connection has ended.
    #[arg(long)]
    pub(crate) once: bool,

    /// End each connection once the other side has everything, instead of passing on what is appended later.
    #[arg(long)]
    pub(crate) not_live: bool,

    /// Append each line of standard input while serving.
    #[arg(long, short)]
    pub(crate) lines: bool,

    /// How many connections there may be at a time.
    #[arg(long, value_name = "COUNT", default_value_t = 1024)]
    pub(crate) connections: usize,

    /// How many of them from one address. This machine itself isn't counted.
    #[arg(long, value_name = "COUNT", default_value_t = 32)]
    pub(crate) per_address: usize,

    /// The dialect to speak, and the form of signatures.
    #[arg(long, value_enum, default_value = "8")]
    pub(crate) dialect: Form,
}

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
    let live = !arguments.not_live;
    connection(feed.clone(), socket, from, None, live, *output).await
}

async fn serve_all(
    feed: &Hypercore,
    listener: &TcpListener,
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
        let (feed, live, output) = (feed.clone(), !arguments.not_live, *output);
        // What ends one connection doesn't end the others; it was told already.
        task::spawn(connection(feed, socket, from, Some(pass), live, output));
    }
    Ok(())
}

/// Serves one peer to the end of its connection, and tells of it.
async fn connection(
    feed: Hypercore,
    socket: TcpStream,
    from: SocketAddr,
    pass: Option<Pass>,
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
    let mut replicate = feed.replicate(Role::Responder, socket).live(live);
    if let Some(pass) = pass {
        replicate = replicate.pass(pass);
    }
    match replicate.await {
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

fn turned_away(from: SocketAddr, reason: &str, output: &Output) -> Result<(), Failure> {
    let peer = from.to_string();
    output.news(
        "turned_away",
        json!({ "peer": &peer, "reason": reason }),
        format_args!("away     {peer}   {reason}"),
    )
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
