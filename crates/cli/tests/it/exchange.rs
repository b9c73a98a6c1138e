//! `sync`, `peers` and `doctor`: who has what, and exchanging it.

use std::fs;

use crate::program::{Place, Served, run, run_with};

fn have(dir: &str) -> u64 {
    let info = run(["--json", "info", dir]).ok().line("info");
    info["have"].as_u64().unwrap()
}

#[test]
fn sync_fetches_what_peers_have() {
    let place = Place::new();
    let dir = place.feed("feed", &["one", "two", "three"]);
    let served = Served::start(&dir, &[]);
    let copy = place.path("copy");
    run(["clone", &served.link(), &copy, "--sparse"]).ok();
    // By the peers that the directory remembers.
    let summary = run(["--json", "sync", &copy]).ok().line("summary");
    assert_eq!(
        (&summary["have"], &summary["received"], &summary["sent"]),
        (&3.into(), &3.into(), &0.into())
    );
    assert_eq!(summary["complete"], true);
    assert_eq!(run(["cat", &copy]).ok().text(), "onetwothree");
}

#[test]
fn sync_gives_what_peers_lack() {
    let place = Place::new();
    let dir = place.feed("feed", &["one"]);
    let served = Served::start(&dir, &[]);
    let copy = place.path("copy");
    run(["clone", &served.link(), &copy]).ok();
    drop(served);
    // The writer is not reachable, but the copy is.
    let served = Served::start(&place.at("copy"), &[]);
    let feed = place.path("feed");
    let lines: String = (0..500).map(|line| format!("line {line}\n")).collect();
    run_with(lines.as_bytes(), ["append", &feed, "--lines"]).ok();
    let address = served.listening["address"].as_str().unwrap();
    let summary = run(["--json", "sync", &feed, "--peer", address])
        .ok()
        .line("summary");
    assert_eq!(
        (&summary["sent"], &summary["received"]),
        (&500.into(), &0.into())
    );
    drop(served);
    assert_eq!(have(&copy), 501);
    assert_eq!(run(["get", &copy, "500"]).ok().text(), "line 499");
}

#[test]
fn sync_says_what_it_could_not_get() {
    let place = Place::new();
    let dir = place.feed("feed", &["one", "two"]);
    let served = Served::start(&dir, &[]);
    let (part, copy) = (place.path("part"), place.path("copy"));
    run(["clone", &served.link(), &part, "--blocks", "0"]).ok();
    run(["clone", &served.link(), &copy, "--sparse"]).ok();
    drop(served);
    run(["sync", &copy]).exits(6);
    let served = Served::start(&place.at("part"), &[]);
    let address = served.listening["address"].as_str().unwrap();
    let ran = run(["sync", &copy, "--peer", address]).exits(3);
    assert!(ran.stderr.contains("1 of 2 blocks"), "{}", ran.stderr);
    run(["sync", &copy, "--peer", address, "--sparse"]).ok();
    run(["sync", &place.path("none")]).exits(5);
    fs::remove_file(place.at("copy").join("peers")).unwrap();
    let ran = run(["sync", &copy]).exits(6);
    assert!(ran.stderr.contains("--peer"), "{}", ran.stderr);
}

#[test]
fn peers_are_called_and_described() {
    let place = Place::new();
    let dir = place.feed("feed", &["one", "two"]);
    let other = place.feed("other", &["else"]);
    let eight = Served::start(&dir, &[]);
    let stranger = Served::start(&other, &["--dialect", "9"]);
    let (has, lacks) = (
        eight.listening["address"].as_str().unwrap(),
        stranger.listening["address"].as_str().unwrap(),
    );
    let gone = "127.0.0.1:1";
    // While another process has the directory open.
    let ran = run([
        "--json",
        "peers",
        &place.path("feed"),
        "--peer",
        has,
        "--peer",
        lacks,
        "--peer",
        gone,
    ])
    .ok();
    let lines = ran.lines();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        (&lines[0]["peer"], &lines[0]["dialect"], &lines[0]["length"]),
        (&has.into(), &8.into(), &2.into())
    );
    assert_eq!(
        (&lines[1]["dialect"], lines[1]["length"].is_null()),
        (&9.into(), true)
    );
    assert!(lines[2]["error"].is_string());

    run(["peers", &eight.link()]).ok();
    let key = eight.listening["key"].as_str().unwrap();
    run(["peers", key, "--peer", lacks]).exits(6);
    run(["peers", key]).exits(6);
    run(["peers", &place.path("none")]).exits(5);
}

#[test]
fn a_doctor_finds_nothing_wrong_where_all_is_well() {
    let place = Place::new();
    let dir = place.feed("feed", &["one", "two"]);
    run(["doctor"]).ok();
    let ran = run(["--json", "doctor", &place.path("feed")]).ok();
    let of = |what: &str| {
        ran.lines()
            .into_iter()
            .find(|line| line["what"] == what)
            .unwrap()
    };
    for what in ["clock", "disk", "files", "signature"] {
        assert_eq!(of(what)["level"], "ok", "{what}");
    }
    // Nobody is known, which is worth saying and no failure.
    assert_eq!(of("peers")["level"], "warn");
    let served = Served::start(&dir, &[]);
    let ran = run(["--json", "doctor", &served.link()]).ok();
    let peer = ran
        .lines()
        .into_iter()
        .find(|line| line["what"] == "peer")
        .unwrap();
    assert_eq!(peer["level"], "ok");
    assert!(
        peer["found"]
            .as_str()
            .unwrap()
            .contains("dialect 8, 2 blocks")
    );
}

#[test]
fn a_doctor_says_what_is_wrong_and_what_to_do() {
    let place = Place::new();
    let dir = place.feed("feed", &["one", "two"]);
    let path = place.path("feed");
    let served = Served::start(&dir, &[]);
    let ran = run(["doctor", &path]).exits(7);
    assert!(ran.text().contains("fail   files"), "{}", ran.text());
    assert!(ran.text().contains("→ end that process"), "{}", ran.text());
    let link = served.link();
    drop(served);
    let ran = run(["doctor", &link]).exits(6);
    assert!(ran.text().contains("hypercore serve"), "{}", ran.text());
    run(["doctor", &place.path("none")]).exits(5);

    let mut signatures = fs::read(dir.join("signatures")).unwrap();
    let last = signatures.len() - 1;
    signatures[last] ^= 1;
    fs::write(dir.join("signatures"), signatures).unwrap();
    let ran = run(["doctor", &path]).exits(4);
    assert!(ran.text().contains("audit"), "{}", ran.text());
}
