//! `hypercore inspect FEED`: a page on this machine that draws a feed: its tree, what of it is here, and who brings the rest.

mod api;
mod live;

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::{Command, Stdio},
};

use clap::Args;
use hypercore::DownloadRequest;
use serde_json::json;

use self::api::Api;
use crate::{
    failure::Failure,
    http::Server,
    output::Output,
    source::{Origin, ReadFrom, Source},
};

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    #[command(flatten)]
    from: ReadFrom,

    /// The port on this machine. Default: a free one.
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    port: u16,

    /// Open the page in a browser.
    #[arg(long)]
    open: bool,

    /// Fetch everything that is missing, and watch it come. Without it, only what is looked at is fetched.
    #[arg(long)]
    fetch: bool,
}

pub(super) async fn run(arguments: Inspect, output: &Output) -> Result<(), Failure> {
    let elsewhere = matches!(arguments.from.origin, Origin::Link(_));
    let mut source = Source::open(&arguments.from, elsewhere, output).await?;
    source.stay_connected();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
    let server = Server::bind(address, "--port").await?;
    let url = format!("http://{}/", server.address());
    output.tell("press Ctrl-C to end");
    output.result("inspect", json!({ "url": &url }), &url)?;
    if arguments.open {
        open(&url, output);
    }
    let everything = arguments
        .fetch
        .then(|| source.feed.download(DownloadRequest::all()));
    let api = Api::new(&source.feed, &arguments.from.origin);
    server
        .run(move |question| api.clone().answer(question))
        .await?;
    drop(everything);
    source.close().await
}

/// Opens the page with whatever this system opens pages with.
fn open(url: &str, output: &Output) {
    let program = match std::env::consts::OS {
        "macos" => "open",
        "windows" => "explorer",
        _ => "xdg-open",
    };
    let mut command = Command::new(program);
    command
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if command.spawn().is_err() {
        output.tell(format_args!(
            "no browser could be started: open {url} yourself"
        ));
    }
}
