//! A process that is there to be killed, for `cargo xtask crash kill`. It tells of a thing only once that is done, and first of all
//! what it has found, block by verified block.
//!
//! ```text
//! victim append DIR LEVEL SEED LIFE         appends until it is killed
//! victim clone DIR LEVEL SEED KEY PORT      fetches everything, and ends
//! victim check DIR SEED                     looks at everything that is stored, and ends
//! victim serve DIR SEED BLOCKS              makes a feed and serves it until its input ends
//! ```
//!
//! A block says in which life it was written, as the how manyth of it, and everything else in it follows from that:
//!
//! ```text
//! +---------+---------+-----------------+
//! | life, 4 | number,4| 0 to 2000 bytes |
//! +---------+---------+-----------------+
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "it is a test that runs as a program"
)]

use std::{env, io, path::Path, str::FromStr};

use async_std::{
    net::{TcpListener, TcpStream},
    task,
};
use bytes::Bytes;
use futures_lite::{FutureExt, StreamExt, future::try_zip};
use hypercore::{Builder, Durability, Event, Hypercore, Role, Storage};
use serde_json::json;
use testkit::Rng;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    task::block_on(async {
        match arguments[..] {
            ["append", dir, level, seed, life] => {
                let builder = opening(dir, level);
                append(builder, Blocks::new(seed), number(life)).await;
            }
            ["clone", dir, level, seed, key, port] => {
                let builder = opening(dir, level).key(number(key));
                clone(builder, Blocks::new(seed), number(port)).await;
            }
            ["check", dir, seed] => check(dir, Blocks::new(seed)).await,
            ["serve", dir, seed, blocks] => serve(dir, Blocks::new(seed), number(blocks)).await,
            _ => panic!("see the head of this file"),
        }
    });
}

fn opening(dir: &str, level: &str) -> Builder {
    let level = match level {
        "always" => Durability::Always,
        "timely" => Durability::Timely,
        "none" => Durability::None,
        _ => panic!("{level} is no level"),
    };
    Hypercore::builder(Storage::directory(Path::new(dir))).durability(level)
}

fn number<T: FromStr<Err: std::fmt::Debug>>(word: &str) -> T {
    word.parse().unwrap()
}

/// Appends one by one, in batches, and several at a time, and tells the length that each append has made certain.
async fn append(builder: Builder, blocks: Blocks, life: u32) {
    let feed = builder.open().await.unwrap();
    look(&feed, &blocks).await;
    let mut rng = Rng::new(blocks.seed ^ u64::from(life));
    let mut next = 0;
    let mut block = || {
        next += 1;
        blocks.make(life, next - 1)
    };
    let tell = |length: u64| println!("{}", json!({ "type": "appended", "length": length }));
    loop {
        match rng.below(4) {
            0 => {
                let batch: Vec<Bytes> = (0..2 + rng.below(15)).map(|_| block()).collect();
                tell(feed.append_batch(batch).await.unwrap().end);
            }
            1 => {
                let one = async |block: Bytes| feed.append(block).await.map(|at| tell(at + 1));
                let pair = try_zip(one(block()), one(block()));
                try_zip(pair, try_zip(one(block()), one(block())))
                    .await
                    .unwrap();
            }
            _ => tell(feed.append(block()).await.unwrap() + 1),
        }
    }
}

/// Fetches what is missing, and tells how many blocks were said to be stored meanwhile, at least.
async fn clone(builder: Builder, blocks: Blocks, port: u16) {
    let feed = builder.open().await.unwrap();
    look(&feed, &blocks).await;
    let mut events = feed.events();
    let telling = async {
        let mut count = 0;
        loop {
            match events.next().await {
                Some(Event::Download { .. }) => count += 1,
                _ => continue,
            }
            println!("{}", json!({ "type": "stored", "count": count }));
        }
    };
    let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let fetching = async {
        feed.replicate(Role::Initiator, socket).await.unwrap();
    };
    telling.or(fetching).await;
    feed.close().await.unwrap();
    println!("{}", json!({ "type": "done", "have": feed.downloaded(..) }));
}

async fn check(dir: &str, blocks: Blocks) {
    let builder = Hypercore::builder(Storage::directory(Path::new(dir)));
    let feed = builder.create_if_missing(false).open().await.unwrap();
    look(&feed, &blocks).await;
    let report = feed.deep_audit().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    feed.close().await.unwrap();
}

async fn serve(dir: &str, blocks: Blocks, count: u32) {
    let feed = opening(dir, "none").open().await.unwrap();
    let all = (0..count).map(|number| blocks.make(0, number));
    feed.append_batch(all).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let line = json!({ "type": "listening", "port": port, "key": feed.key().to_string() });
    println!("{line}");
    let accepting = async {
        let mut sockets = listener.incoming();
        while let Some(socket) = sockets.next().await {
            // Whoever is killed leaves it broken.
            task::spawn(
                feed.replicate(Role::Responder, socket.unwrap())
                    .into_future(),
            );
        }
    };
    let input = async {
        let end = task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
        end.await.unwrap();
    };
    input.or(accepting).await;
}

/// Reads every block that is said to be here, and tells in which life each was written: runs of a life and where it ends.
async fn look(feed: &Hypercore, blocks: &Blocks) {
    let mut lives: Vec<(u32, u64)> = Vec::new();
    for index in (0..feed.len()).filter(|index| feed.has(*index)) {
        let block = feed.get(index).await.unwrap();
        let (life, number) = Blocks::head(&block);
        assert_eq!(block, blocks.make(life, number), "block {index}");
        assert!(feed.is_writable() || u64::from(number) == index);
        match lives.last_mut() {
            Some((last, end)) if *last == life => *end = index + 1,
            _ => lives.push((life, index + 1)),
        }
    }
    let line = json!({
        "type": "opened",
        "length": feed.len(),
        "have": feed.downloaded(..),
        "lives": lives,
        "recovered": feed.recovery().is_some(),
    });
    println!("{line}");
}

/// Blocks that tell whether they are right.
struct Blocks {
    seed: u64,
}

impl Blocks {
    fn new(seed: &str) -> Self {
        Blocks { seed: number(seed) }
    }

    fn make(&self, life: u32, number: u32) -> Bytes {
        let head = u64::from(life) << 32 | u64::from(number);
        let mut rng = Rng::new(self.seed ^ head);
        let size = match rng.below(8) {
            0 => rng.below(2000),
            _ => rng.below(100),
        };
        [&head.to_be_bytes()[..], &rng.bytes(size as usize)]
            .concat()
            .into()
    }

    fn head(block: &[u8]) -> (u32, u32) {
        let word = |at: usize| u32::from_be_bytes(block[at..at + 4].try_into().unwrap());
        (word(0), word(4))
    }
}
