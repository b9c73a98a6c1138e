//! Plays a random history on disk, as the tests do, and tells in JSON what is in a feed, so that others can be asked whether
//! they see the same.
//!
//! ```text
//! history play SEED FORM DIR    leaves the feeds DIR/writer and DIR/copy; FORM is 8, 9 or both
//! history look DIR              checks everything in one feed and prints every block that is stored
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "it is a test that runs as a program"
)]

#[path = "../tests/it/histories/model.rs"]
mod model;
#[path = "../tests/it/histories/play.rs"]
mod play;
#[path = "../tests/it/histories/step.rs"]
mod step;

use std::{env, path::Path};

use data_encoding::{BASE64, HEXLOWER};
use futures_lite::future::block_on;
use hypercore::{Hypercore, Storage};
use serde_json::json;

use self::play::{Form, play};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["play", seed, form, dir] => {
            let form = match form {
                "8" => Form::V8,
                "9" => Form::V9,
                "both" => Form::Both,
                _ => panic!("{form} is no form of signatures"),
            };
            let place = |name: &str| Storage::directory(Path::new(dir).join(name));
            block_on(play(seed.parse().unwrap(), form, &place));
        }
        ["look", dir] => block_on(look(dir)),
        _ => panic!("see the head of this file"),
    }
}

async fn look(dir: &str) {
    let builder = Hypercore::builder(dir).create_if_missing(false);
    let feed = builder.open().await.unwrap();
    let report = feed.deep_audit().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.valid, feed.downloaded(..));
    for index in (0..feed.len()).filter(|index| feed.has(*index)) {
        let block = feed.get(index).await.unwrap();
        let data = BASE64.encode(&block);
        println!(
            "{}",
            json!({ "type": "block", "index": index, "data": data })
        );
    }
    let line = json!({
        "type": "audited",
        "key": feed.key().to_string(),
        "discoveryKey": feed.discovery_key().to_string(),
        "length": feed.len(),
        "byteLength": feed.byte_len(),
        "writable": feed.is_writable(),
        "treeHash": HEXLOWER.encode(feed.tree_hash().as_bytes()),
    });
    println!("{line}");
    feed.close().await.unwrap();
}
