//! Feeds over HTTP.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::Command,
    time::Duration,
};

use serde_json::Value;

use crate::program::{Place, Served, run, wait_until};

/// A feed that is served, over HTTP too.
struct Web {
    served: Served,
    address: String,
}

/// What came back.
#[derive(Debug)]
struct Got {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Web {
    fn start(place: &Place, feed: &str, more: &[&str]) -> Web {
        let arguments = [&["--http", "127.0.0.1:0"], more].concat();
        let served = Served::start(&place.at(feed), &arguments);
        let line = wait_until("the address", || {
            let lines = served.running.lines_so_far();
            lines.into_iter().find(|line| line["type"] == "http")
        });
        let address = line["address"].as_str().unwrap().to_owned();
        Web { served, address }
    }

    fn ask(&self, question: &str) -> BufReader<TcpStream> {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        socket.write_all(question.as_bytes()).unwrap();
        BufReader::new(socket)
    }

    fn request(&self, method: &str, path: &str, headers: &str) -> Got {
        let host = &self.address;
        self.send(&format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"
        ))
    }

    fn send(&self, question: &str) -> Got {
        let mut answer = self.ask(question);
        let (status, headers) = head(&mut answer);
        let mut body = Vec::new();
        answer.read_to_end(&mut body).unwrap();
        Got {
            status,
            headers,
            body,
        }
    }

    fn get(&self, path: &str) -> Got {
        self.request("GET", path, "")
    }
}

fn head(answer: &mut impl BufRead) -> (u16, BTreeMap<String, String>) {
    let mut lines = answer.lines().map(Result::unwrap);
    let status = lines.next().unwrap();
    let status = status.split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.take_while(|line| !line.is_empty()).map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_owned())
    });
    (status, headers.collect())
}

/// A feed of a file, and the file.
fn web(place: &Place) -> (Web, Vec<u8>) {
    let bytes = place.file("file", 300_001);
    place.feed("feed", &[]);
    let file = place.path("file");
    run([
        "append",
        &place.path("feed"),
        "--file",
        &file,
        "--block",
        "10000",
    ])
    .ok();
    (Web::start(place, "feed", &[]), bytes)
}

#[test]
fn the_whole_and_its_parts_are_given() {
    let place = Place::new();
    let (web, bytes) = web(&place);
    let whole = web.get("/data");
    assert_eq!(whole.status, 200);
    assert_eq!(whole.headers["content-length"], "300001");
    assert_eq!(whole.headers["accept-ranges"], "bytes");
    assert!(whole.body == bytes);
    for (range, part) in [
        ("0-0", 0..1),
        ("9999-10000", 9999..10_001),
        ("25000-125000", 25_000..125_001),
        ("299990-", 299_990..300_001),
        ("-20", 299_981..300_001),
        ("0-999999", 0..300_001),
    ] {
        let got = web.request("GET", "/data", &format!("Range: bytes={range}\r\n"));
        assert_eq!(got.status, 206, "{range}");
        let expected = format!("bytes {}-{}/300001", part.start, part.end - 1);
        assert_eq!(got.headers["content-range"], expected);
        assert!(got.body == bytes[part], "{range}");
    }
    let outside = web.request("GET", "/data", "Range: bytes=300001-\r\n");
    assert_eq!(outside.status, 416);
    assert_eq!(outside.headers["content-range"], "bytes */300001");
}

#[test]
fn a_client_that_has_it_already_is_told_so() {
    let place = Place::new();
    let (web, bytes) = web(&place);
    let head = web.request("HEAD", "/data", "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.headers["content-length"], "300001");
    let tag = &head.headers["etag"];
    let again = web.request("GET", "/data", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((again.status, again.body.len()), (304, 0));
    let part = |tag: &str| {
        web.request(
            "GET",
            "/data",
            &format!("Range: bytes=5-9\r\nIf-Range: {tag}\r\n"),
        )
    };
    assert_eq!(part(tag).body, bytes[5..10]);
    // Of another version a part is of no use.
    assert_eq!(part("\"other\"").body.len(), 300_001);
}

#[test]
fn single_blocks_are_given_and_never_change() {
    let place = Place::new();
    let (web, bytes) = web(&place);
    let block = web.get("/blocks/3");
    assert_eq!(block.status, 200);
    assert!(block.body == bytes[30_000..40_000]);
    assert!(block.headers["cache-control"].contains("immutable"));
    assert_eq!(block.headers["x-content-type-options"], "nosniff");
    assert_eq!(web.get("/blocks/31").status, 404);
    assert_eq!(web.get("/blocks/x").status, 400);
    assert_eq!(web.get("/nothing").status, 404);
    assert_eq!(web.request("POST", "/data", "").status, 405);
    assert!(
        String::from_utf8(web.get("/").body)
            .unwrap()
            .contains("/metrics")
    );
}

/// A page from elsewhere may lead its own name here, so that the browser takes it for its own server.
#[test]
fn names_of_other_machines_are_not_answered() {
    let place = Place::new();
    let (web, _) = web(&place);
    let ask = |host: &str| {
        let question = format!("GET /data HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
        web.send(&question).status
    };
    assert_eq!(ask("Host: attacker.example\r\n"), 421);
    assert_eq!(ask("Host: localhost.attacker.example:80\r\n"), 421);
    assert_eq!(ask(""), 421);
    assert_eq!(ask("Host: localhost:80\r\n"), 200);
    // What is no HTTP, or too much of it, does no harm.
    let long = format!(
        "GET /data HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
        "x".repeat(40_000)
    );
    // The answer may be lost, because not all of the question was read.
    let _ = web.ask(&long).read(&mut [0; 16]);
    assert_eq!(web.send("nonsense\r\n\r\n").status, 400);
    assert_eq!(web.get("/blocks/0").status, 200);
}

#[test]
fn of_a_sparse_copy_only_what_is_asked_for_is_fetched() {
    let place = Place::new();
    let (web, bytes) = web(&place);
    let copy = place.path("copy");
    run(["clone", &web.served.link(), &copy, "--sparse"]).ok();
    let part = Web::start(&place, "copy", &[]);
    let got = part.request("GET", "/data", "Range: bytes=123456-123465\r\n");
    assert_eq!(got.status, 206);
    assert!(got.body == bytes[123_456..123_466]);
    assert!(part.get("/blocks/7").body == bytes[70_000..80_000]);
    let metrics = String::from_utf8(part.get("/metrics").body).unwrap();
    let have = metrics
        .lines()
        .find(|line| line.starts_with("hypercore_local_blocks{"));
    assert!(have.unwrap().ends_with(" 2"), "{metrics}");
    // Once nobody has the rest, that is said instead of half an answer.
    drop(web);
    wait_until("the end of the connection", || {
        let metrics = String::from_utf8(part.get("/metrics").body).unwrap();
        let peers = metrics
            .lines()
            .find(|line| line.starts_with("hypercore_peers{"))?;
        peers.ends_with(" 0").then_some(())
    });
    assert_eq!(part.get("/blocks/9").status, 503);
    assert_eq!(part.get("/data").status, 503);
}

#[test]
fn what_is_appended_is_told_as_it_comes() {
    let place = Place::new();
    place.feed("feed", &["zero", "one"]);
    let mut web = Web::start(&place, "feed", &["--lines"]);
    let mut keyboard = web.served.running.stdin();
    let host = web.address.clone();
    let listen = |path: &str, more: &str| {
        let mut answer = web.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n"
        ));
        let (status, headers) = head(&mut answer);
        assert_eq!(
            (status, headers["content-type"].as_str()),
            (200, "text/event-stream")
        );
        // The first piece, a comment, says that it is heard.
        let mut hello = String::new();
        while !hello.contains(":\n") {
            answer.read_line(&mut hello).unwrap();
        }
        move || {
            let mut lines = (&mut answer).lines().map(Result::unwrap);
            let data = lines.find_map(|line| Some(line.strip_prefix("data: ")?.to_owned()));
            serde_json::from_str::<Value>(&data.unwrap()).unwrap()
        }
    };
    let mut new = listen("/tail", "");
    let mut all = listen("/tail?from=0", "");
    let mut again = listen("/tail", "Last-Event-ID: 0\r\n");
    writeln!(keyboard, "two").unwrap();
    for text in ["zero", "one", "two"] {
        assert_eq!(all()["text"], text);
    }
    let block = new();
    assert_eq!(
        (&block["index"], &block["len"], &block["text"]),
        (&2.into(), &3.into(), &"two".into())
    );
    assert_eq!(again()["text"], "one");
}

#[test]
fn numbers_name_no_key() {
    let place = Place::new();
    let (web, _) = web(&place);
    run(["clone", &web.served.link(), &place.path("copy")]).ok();
    web.get("/blocks/0");
    let metrics = web.get("/metrics");
    assert!(metrics.headers["content-type"].starts_with("text/plain; version=0.0.4"));
    let text = String::from_utf8(metrics.body).unwrap();
    let key = web.served.listening["key"].as_str().unwrap();
    assert!(!text.contains(&key[..8]), "{text}");
    let name = &web.served.listening["discovery_key"].as_str().unwrap()[..8];
    for line in [
        &format!("hypercore_length{{feed=\"{name}\"}} 31"),
        &format!("hypercore_local_blocks{{feed=\"{name}\"}} 31"),
        &format!("hypercore_blocks_total{{feed=\"{name}\",dir=\"up\"}} 31"),
        &format!("hypercore_bytes_total{{feed=\"{name}\",dir=\"up\"}} 300001"),
        "hypercore_verify_failures_total 0",
        "hypercore_request_seconds_count 1",
    ] {
        assert!(text.lines().any(|seen| seen == line), "{line}\n{text}");
    }
    // Each is described before it is told.
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let name = ["_bucket", "_sum", "_count"]
            .iter()
            .fold(name, |name, end| name.strip_suffix(end).unwrap_or(name));
        assert!(text.contains(&format!("# TYPE {name} ")), "{name}");
    }
}

#[test]
fn several_feeds_are_told_apart_by_their_keys() {
    let place = Place::new();
    place.feed("feed", &["one"]);
    place.feed("other", &["two"]);
    let web = Web::start(&place, "feed", &[&place.path("other")]);
    let keys: Vec<String> = web
        .served
        .running
        .lines_so_far()
        .iter()
        .filter_map(|line| Some(line["key"].as_str()?.to_owned()))
        .chain([web.served.listening["key"].as_str().unwrap().to_owned()])
        .collect();
    assert_eq!(keys.len(), 2);
    for key in keys {
        let content = web.get(&format!("/{key}/data")).body;
        let expected = if key == web.served.listening["key"] {
            "one"
        } else {
            "two"
        };
        assert_eq!(content, expected.as_bytes());
    }
    assert_eq!(web.get("/data").status, 404);
}

#[test]
fn curl_reads_ranges_and_resumes() {
    let place = Place::new();
    let (web, bytes) = web(&place);
    let url = format!("http://{}/data", web.address);
    let file = place.path("fetched");
    let curl = |more: &[&str]| {
        let arguments = [
            &["-sS", "--fail", "--max-time", "60", "-o", &file, &url],
            more,
        ]
        .concat();
        match Command::new("curl").args(arguments).status() {
            Ok(status) => assert!(status.success(), "{more:?}"),
            Err(error) => panic!("this test needs curl: {error}"),
        }
        std::fs::read(&file).unwrap()
    };
    assert!(curl(&[]) == bytes);
    assert!(curl(&["-r", "1000-20000"]) == bytes[1000..=20_000]);
    std::fs::write(&file, &bytes[..123_456]).unwrap();
    assert!(curl(&["-C", "-"]) == bytes);
}
