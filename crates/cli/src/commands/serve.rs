//! `hypercore serve FEED...`: lets others clone feeds, all of them on one port.

mod gateway;
mod guests;
mod listener;
mod metrics;
mod pieces;
mod table;

use std::{
    io::{self, BufRead},
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
};

use async_std::task;
use clap::Args;
use futures_lite::FutureExt;
use hypercore::{DialectChoice, Hypercore, Transport};
use serde_json::json;

use self::{
    gateway::Gateway,
    guests::Guests,
    listener::{accept, accept_one, bind},
};
use super::close;
use crate::{
    arguments::Form,
    calls::{Calls, Terms, Way},
    duplex,
    failure::{Code, Failure},
    http::Server,
    interrupt,
    known_peers::KnownPeers,
    link::Link,
    output::Output,
};

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The directories of the feeds.
    #[arg(required = true, value_name = "FEED")]
    pub(crate) feeds: Vec<PathBuf>,

    /// The address to listen on. Port 0 takes a free one. Default: 0.0.0.0:49737, or another port if that one is taken.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) tcp: Option<SocketAddr>,

    /// Answer HTTP requests, too, at this address, such as 127.0.0.1:8080: /blocks/N, /data, /tail and /metrics.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) http: Option<SocketAddr>,

    /// Serve one peer over standard input and output instead. Made for: clone --via 'ssh host hypercore serve --stdio feed'
    #[arg(long, conflicts_with_all = ["tcp", "http", "lines", "json"])]
    pub(crate) stdio: bool,

    /// Stop after the first connection has ended.
    #[arg(long)]
    pub(crate) once: bool,

    /// End each connection once the other side has everything, instead of passing on what is appended later.
    #[arg(long)]
    pub(crate) not_live: bool,

    /// Write nothing: answer requests, but fetch nothing from those who connect.
    #[arg(long, conflicts_with = "lines")]
    pub(crate) read_only: bool,

    /// Append each line of standard input to the first feed while serving.
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
    let mut feeds = Vec::new();
    for dir in &arguments.feeds {
        let feed = open(dir, &arguments).await?;
        feeds.push((dir.clone(), feed));
    }
    // What is asked for over HTTP and isn't here comes from those who had it before.
    let calls: Vec<Calls> = match arguments.http {
        Some(_) => feeds
            .iter()
            .map(|(dir, feed)| call(dir, feed, output))
            .collect(),
        None => Vec::new(),
    };
    let guests = Guests::new(feeds.iter().map(|(_, feed)| feed.clone()), &arguments)?;
    let served = async {
        match arguments.stdio {
            true => stdio(&guests, &feeds, output).await,
            false => tcp(&guests, &feeds, &arguments, output).await,
        }
    };
    let served = async {
        match feeds.first().filter(|_| arguments.lines) {
            Some((dir, feed)) => served.or(append_lines(dir, feed)).await,
            None => served.await,
        }
    };
    let keyboard = interrupt::listen();
    let interrupted = async {
        keyboard.pressed().await;
        let message = "interrupted; what was stored stays";
        Err(Failure::new(Code::Interrupted, message))
    };
    let outcome = served.or(interrupted).await;
    for call in calls {
        call.hang_up().await;
    }
    for (dir, feed) in &feeds {
        close(dir, feed).await?;
    }
    outcome
}

async fn open(dir: &Path, arguments: &Serve) -> Result<Hypercore, Failure> {
    Hypercore::builder(dir)
        .create_if_missing(false)
        .dialect(arguments.dialect.into())
        .read_only(arguments.read_only)
        // Over HTTP a copy can give what it lacks, so it needn't have everything.
        .sparse(arguments.http.is_some())
        .open()
        .await
        .map_err(|error| Failure::at(dir, error))
}

/// Calls the peers that a copy remembers, if something is missing.
fn call(dir: &Path, feed: &Hypercore, output: &Output) -> Calls {
    let complete = feed.is_writable() && feed.has_range(0..feed.len());
    let known = match complete {
        true => Vec::new(),
        false => KnownPeers::of(dir).read(),
    };
    let ways: Vec<Way> = known.into_iter().map(Way::Address).collect();
    let terms = Terms {
        dialect: DialectChoice::Auto,
        live: true,
        upload: true,
        remember: None,
    };
    Calls::begin(feed, &ways, &terms, false, output)
}

async fn stdio(
    guests: &Guests,
    feeds: &[(PathBuf, Hypercore)],
    output: &Output,
) -> Result<(), Failure> {
    for (dir, feed) in feeds {
        output.tell(format_args!(
            "serving    {}   {} blocks   on standard input and output",
            dir.display(),
            feed.len()
        ));
    }
    let transport = Transport::Other("stdio");
    guests
        .serve(duplex::stdio(), None, transport, None, output)
        .await
}

async fn tcp(
    guests: &Guests,
    feeds: &[(PathBuf, Hypercore)],
    arguments: &Serve,
    output: &Output,
) -> Result<(), Failure> {
    let (listener, address) = bind(arguments.tcp).await?;
    for (dir, feed) in feeds {
        announce(dir, feed, address, output)?;
    }
    let served = async {
        match arguments.once {
            true => accept_one(&listener, guests, output).await,
            false => accept(&listener, guests, arguments, output).await,
        }
    };
    let shown = table::show(guests, output);
    let web = web(guests, arguments.http, output);
    served.or(shown).or(web).await
}

/// Answers HTTP requests, if that is wanted.
async fn web(guests: &Guests, address: Option<SocketAddr>, output: &Output) -> Result<(), Failure> {
    let Some(address) = address else {
        return futures_lite::future::pending().await;
    };
    let server = Server::bind(address, "--http").await?;
    let address = server.address();
    let url = format!("http://{address}/");
    let human = format!("http       {url}   blocks/N, data, tail, metrics");
    output.news(
        "http",
        json!({ "url": &url, "address": address.to_string() }),
        human,
    )?;
    Gateway::new(guests).run(server).await
}

fn announce(
    dir: &Path,
    feed: &Hypercore,
    address: SocketAddr,
    output: &Output,
) -> Result<(), Failure> {
    let reachable = match address.ip() {
        ip if ip.is_unspecified() => own_address(),
        ip => ip,
    };
    let link = Link {
        key: feed.key(),
        peers: vec![SocketAddr::new(reachable, address.port()).to_string()],
    };
    output.tell(format_args!(
        "serving    {}   {} blocks, {} bytes   tcp {address}",
        dir.display(),
        feed.len(),
        feed.byte_len()
    ));
    output.tell(format_args!(
        "on the other machine:   hypercore clone '{link}' DIR"
    ));
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

/// The address under which others on the network most likely reach this machine: the one it would send from.
fn own_address() -> IpAddr {
    let asked = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        // An address that is kept for documents. Connecting such a socket sends nothing.
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        Ok::<_, io::Error>(socket.local_addr()?.ip())
    };
    asked().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
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
