//! What the page of `inspect` asks for. The page itself is tried in a browser: `cargo xtask browser`.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use crate::program::{Place, Running, Served, start, wait_until};

/// A feed that is looked at.
struct Inspected {
    address: String,
    _running: Running,
}

impl Inspected {
    fn start(what: &str) -> Inspected {
        let running = start(["--json", "inspect", what]);
        let url = wait_until("the address", || {
            let lines = running.lines_so_far();
            let line = lines.iter().find(|line| line["type"] == "inspect")?;
            Some(line["url"].as_str().unwrap().to_owned())
        });
        let address = url.strip_prefix("http://").unwrap().trim_end_matches('/');
        assert!(address.starts_with("127.0.0.1:"));
        Inspected {
            address: address.to_owned(),
            _running: running,
        }
    }

    fn ask(&self, host: &str, path: &str) -> (u16, String) {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let question = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        socket.write_all(question.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(&self.address, path);
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }
}

#[test]
fn a_feed_is_told_in_numbers() {
    let place = Place::new();
    let dir = place.feed("feed", &["a", "bc", "def", "\u{e9}", "e"]);
    let inspected = Inspected::start(dir.to_str().unwrap());
    let info = inspected.get("/api/info");
    assert_eq!(
        (&info["length"], &info["byte_length"], &info["have"]),
        (&json!(5), &json!(9), &json!(5))
    );
    let roots: Vec<_> = info["roots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|root| &root["index"])
        .collect();
    assert_eq!(roots, [3, 8]);
    assert_eq!(info["signature"]["holds"], true);
    assert_eq!(inspected.get("/api/bitfield")["runs"], json!([0, 5]));
    let block = inspected.get("/api/block/2");
    assert_eq!(
        (&block["text"], &block["hex"]),
        (&json!("def"), &json!("646566"))
    );
    assert_eq!(inspected.get("/api/node/1")["size"], 3);
    let proof = inspected.get("/api/proof/2");
    assert_eq!(proof["verified"], true);
    let levels = proof["levels"].as_array().unwrap();
    let way: Vec<_> = levels.iter().map(|level| &level["index"]).collect();
    assert_eq!(way, [4, 5, 3]);
    assert_eq!(levels[0]["sibling_index"], 6);
    assert_eq!(levels[2].get("sibling_index"), None);
    // A block that is a root of its own has no way to go.
    assert_eq!(
        inspected.get("/api/proof/4")["levels"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn an_empty_feed_can_be_looked_at() {
    let place = Place::new();
    let dir = place.feed("feed", &[]);
    let inspected = Inspected::start(dir.to_str().unwrap());
    let info = inspected.get("/api/info");
    assert_eq!(
        (&info["roots"], &info["signature"]),
        (&json!([]), &Value::Null)
    );
    assert_eq!(inspected.get("/api/bitfield")["runs"], json!([0]));
}

#[test]
fn what_is_not_there_is_not_found() {
    let place = Place::new();
    let dir = place.feed("feed", &["a"]);
    let inspected = Inspected::start(dir.to_str().unwrap());
    for path in [
        "/api/block/1",
        "/api/proof/1",
        "/api/node/2",
        "/api/node/18446744073709551615",
        "/api/block/18446744073709551615",
        "/api/block/x",
        "/api/block/",
        "/api/info/1",
        "/api/",
        "/other",
    ] {
        assert_eq!(inspected.ask(&inspected.address, path).0, 404, "{path}");
    }
}

#[test]
fn only_this_machine_is_answered() {
    let place = Place::new();
    let dir = place.feed("feed", &["a"]);
    let inspected = Inspected::start(dir.to_str().unwrap());
    assert_eq!(inspected.ask("attacker.example", "/api/info").0, 421);
    let (status, page) = inspected.ask("localhost", "/");
    assert_eq!(status, 200);
    // The page asks for nothing from elsewhere.
    let links = page.matches("http").count() - page.matches("http://www.w3.org/2000/svg").count();
    assert_eq!(links, 0);
}

#[test]
fn a_block_of_a_link_is_fetched_when_it_is_looked_at() {
    let place = Place::new();
    let dir = place.feed("feed", &["a", "b", "c"]);
    let served = Served::start(&dir, &[]);
    let inspected = Inspected::start(&served.link());
    assert_eq!(inspected.get("/api/bitfield")["runs"], json!([3]));
    assert_eq!(inspected.get("/api/block/1")["text"], "b");
    assert_eq!(inspected.get("/api/bitfield")["runs"], json!([1, 1, 1]));
    assert_eq!(inspected.get("/api/proof/1")["verified"], true);
}
