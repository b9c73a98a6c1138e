//! What is seen of feeds by the spans and events of `tracing` and the numbers of `metrics`, and what never is.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails panics"
)]

mod recorder;
mod subscriber;

use std::{net::SocketAddr, thread};

use futures_lite::{future, future::zip};
use hypercore::{
    BoxError, BoxFuture, Connection, Hypercore, KeyPair, PublicKey, Remote, Role, SecretKey,
    Signable, Signature, Storage, Utf8, Verifier, generate_noise_key_pair,
};
use piper::pipe;

use crate::subscriber::Line;

const CONTENT: &str = "nobody but the reader may see this";
const MESSAGE: &str = "nor this";

/// The first eight digits of a feed's discovery key.
fn label<E: hypercore::Encoding>(feed: &Hypercore<E>) -> String {
    feed.discovery_key().to_string()[..8].to_owned()
}

/// Two ends of a connection in memory.
fn ends() -> (subscriber::Pipe, subscriber::Pipe) {
    let ((here_in, there_out), (there_in, here_out)) = (pipe(1 << 16), pipe(1 << 16));
    (
        subscriber::Pipe(here_in, here_out),
        subscriber::Pipe(there_in, there_out),
    )
}

struct Pair {
    writer: Hypercore,
    reader: Hypercore,
    secret: SecretKey,
    noise: [u8; 32],
}

/// A writer of three blocks and a reader that waits for one of them, through one connection, to the end.
fn exchange() -> Pair {
    let pair = KeyPair::from_seed(rand());
    let noise = generate_noise_key_pair().unwrap();
    let public = noise.public();
    let secret = pair.secret().clone();
    let feeds = future::block_on(async {
        let writer = Hypercore::builder(Storage::memory()).secret_key(secret.clone());
        let writer = writer.noise_key_pair(noise).open().await.unwrap();
        writer
            .append_batch([CONTENT, "two", "three"])
            .await
            .unwrap();
        let reader = Hypercore::builder(Storage::memory()).key(writer.key());
        let reader = reader.open().await.unwrap();
        let here = writer.extension("talk", Utf8).unwrap();
        let _there = reader.extension("talk", Utf8).unwrap();

        let (near, far) = ends();
        let address: SocketAddr = "192.0.2.7:49737".parse().unwrap();
        let mut remote = Remote::default();
        remote.address = Some(address);
        let serving = Connection::new(Role::Responder).remote(remote);
        serving.add(&writer).unwrap();
        let serving = serving.run(far);
        let fetching = reader.replicate(Role::Initiator, near).into_future();
        let reading = async {
            let block = reader.get(0).await;
            here.broadcast(MESSAGE).unwrap();
            block
        };
        let ((served, fetched), read) = zip(zip(serving, fetching), reading).await;
        served.unwrap();
        fetched.unwrap();
        assert_eq!(read.unwrap(), CONTENT);
        (writer, reader)
    });
    Pair {
        writer: feeds.0,
        reader: feeds.1,
        secret,
        noise: public,
    }
}

fn rand() -> [u8; 32] {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    seed
}

fn lines_of(label: &str) -> Vec<Line> {
    let all = subscriber::lines();
    all.into_iter()
        .filter(|line| line.value("feed") == Some(label))
        .collect()
}

#[test]
fn a_feed_a_connection_and_a_request_are_seen() {
    subscriber::install();
    let pair = exchange();
    let lines = lines_of(&label(&pair.reader));
    let find = |what: &str| {
        let mut found = lines.iter().filter(|line| line.name == what);
        found
            .next()
            .unwrap_or_else(|| panic!("no {what} in {lines:?}"))
    };
    assert_eq!(find("opened").value("writable"), Some("true"));
    assert_eq!(find("feed").value("peer"), Some("0"));
    let request = find("request");
    assert_eq!(request.value("wants"), Some("block"));
    assert_eq!(request.value("index"), Some("0"));
    let block = find("block stored");
    assert!(block.value("block").is_some() && block.value("bytes").is_some());
    // It is stored within the work for the feed, and that within the connection.
    assert_eq!(block.within, ["connection", "feed"]);
    assert_eq!(find("longer").value("length"), Some("3"));
    assert_eq!(find("complete").within, ["connection", "feed"]);
    assert!(find("peer gone").value("peer").is_some());

    let all = subscriber::lines();
    let spans = all.iter().filter(|line| line.name == "connection");
    let addressed = spans.filter(|span| span.value("address") == Some("192.0.2.7:49737"));
    assert!(addressed.count() > 0);
    let done = all.iter().find(|line| line.name == "handshake done");
    assert_eq!(done.unwrap().within, ["connection"]);
    let ended = all.iter().find(|line| line.name == "connection ended");
    assert_eq!(ended.unwrap().value("finished"), Some("true"));
}

#[test]
fn no_key_no_secret_and_no_content_is_ever_seen() {
    subscriber::install();
    let pair = exchange();
    let writer = pair.writer.clone();
    future::block_on(async {
        // What goes wrong is told of too.
        let _ = pair.reader.append(CONTENT).await.unwrap_err();
        let block = pair.writer.proof(0).await.unwrap();
        let other = Hypercore::open(Storage::memory()).await.unwrap();
        let _ = other.put(block, Some(CONTENT.into())).await.unwrap_err();
        writer.clear(0..1).await.unwrap();
        writer.close().await.unwrap();
    });
    let lines = subscriber::lines();
    assert!(!lines.is_empty());
    let key = pair.writer.key();
    let hidden = [
        CONTENT.to_owned(),
        MESSAGE.to_owned(),
        key.to_string(),
        pair.writer.discovery_key().to_string(),
        hex(pair.secret.to_bytes().as_ref()),
        hex(&pair.secret.to_bytes().as_ref()[..32]),
        hex(&pair.noise),
        format!("{:?}", pair.noise),
        format!("{:?}", key.to_bytes()),
        format!("{:?}", CONTENT.as_bytes()),
    ];
    for line in &lines {
        for secret in &hidden {
            let shown = format!("{line:?}");
            assert!(!shown.contains(secret.as_str()), "{shown}");
        }
        // Numbers, words of ours and the short name: nothing else has a place in a field.
        for (name, _) in &line.fields {
            assert!(FIELDS.contains(&name.as_str()), "{line:?}");
        }
    }
}

/// All fields there are.
const FIELDS: [&str; 21] = [
    "address", "block", "bytes", "claimed", "cut", "dialect", "end", "error", "feed", "finished",
    "index", "length", "lost", "message", "peer", "received", "role", "sent", "start", "wants",
    "writable",
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_is_exchanged_is_counted_for_each_feed() {
    recorder::install();
    // On another thread, because the recorder is the process's and no thread's.
    let pair = thread::spawn(exchange).join().unwrap();
    let feed = label(&pair.reader);
    // Writer and reader have the same name here, so each direction is there once, and the sizes are those of who came last.
    let bytes = (CONTENT.len() + "twothree".len()) as f64;
    for dir in ["up", "down"] {
        let labels = format!("dir={dir} feed={feed}");
        assert_eq!(recorder::value("hypercore_blocks_total", &labels), 3.0);
        assert_eq!(recorder::value("hypercore_bytes_total", &labels), bytes);
    }
    let labels = format!("feed={feed}");
    assert_eq!(recorder::value("hypercore_length", &labels), 3.0);
    assert_eq!(recorder::value("hypercore_local_blocks", &labels), 3.0);
    assert_eq!(recorder::value("hypercore_peers", &labels), 0.0);
    assert_eq!(
        recorder::value("hypercore_verify_failures_total", &labels),
        0.0
    );
    // One answer may bring what two were asked for, but something was asked and answered.
    assert!(recorder::count("hypercore_request_seconds", &labels) >= 1);

    future::block_on(pair.writer.clear(0..2)).unwrap();
    assert_eq!(recorder::value("hypercore_local_blocks", &labels), 1.0);
}

/// Whatever a peer sends, it isn't signed.
#[derive(Debug)]
struct Nothing;

impl Verifier for Nothing {
    fn verify(
        &self,
        _: &Signable,
        _: &Signature,
        _: &PublicKey,
    ) -> BoxFuture<Result<bool, BoxError>> {
        Box::pin(async { Ok(false) })
    }
}

#[test]
fn what_does_not_verify_is_seen_and_counted() {
    subscriber::install();
    recorder::install();
    let reader = future::block_on(async {
        let writer = Hypercore::open(Storage::memory()).await.unwrap();
        writer.append(CONTENT).await.unwrap();
        let reader = Hypercore::builder(Storage::memory()).key(writer.key());
        let reader = reader.verifier(Nothing).open().await.unwrap();
        let (near, far) = ends();
        let serving = writer.replicate(Role::Responder, far).into_future();
        let fetching = reader.replicate(Role::Initiator, near).into_future();
        let (_, fetched) = zip(serving, fetching).await;
        assert!(fetched.unwrap_err().is_verification());
        reader
    });
    let feed = label(&reader);
    let labels = format!("feed={feed}");
    assert_eq!(
        recorder::value("hypercore_verify_failures_total", &labels),
        1.0
    );
    assert_eq!(reader.stats().unwrap().totals.refused_blocks, 1);
    let lines = lines_of(&feed);
    let refused = lines.iter().find(|line| line.name == "refused");
    assert_eq!(
        refused.unwrap().value("error"),
        Some("block 0 doesn't verify")
    );
    let failed = subscriber::lines();
    assert!(failed.iter().any(|line| line.name == "connection failed"));
}
