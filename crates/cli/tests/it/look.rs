//! Looking into a feed: info, ls, seek, verify.

use std::fs;

use hypercore::{Dialect, Hypercore};
use serde_json::{Value, json};

use crate::program::{Place, Served, run};

/// A copy that has block 3 of seven and the hashes around it, and nothing else.
fn partial_copy(place: &Place) -> String {
    async_std::task::block_on(async {
        let feed = Hypercore::open(place.at("feed")).await.unwrap();
        let values = ["a", "bb", "ccc", "dddd", "", "ffffff", "ggggggg"];
        feed.append_batch(values).await.unwrap();
        let copy = Hypercore::builder(place.at("copy")).key(feed.key());
        let copy = copy.open().await.unwrap();
        let proof = feed.proof(3).await.unwrap();
        copy.put(proof, Some("dddd".into())).await.unwrap();
        feed.close().await.unwrap();
        copy.close().await.unwrap();
    });
    place.path("copy")
}

#[test]
fn ls_tells_where_each_block_is() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &["one", "", "three"]);
    let lines = run(["--json", "ls", &dir]).ok().lines();
    let places: Vec<_> = lines
        .iter()
        .map(|line| (&line["index"], &line["offset"], &line["len"], &line["here"]))
        .collect();
    let yes = json!(true);
    assert_eq!(
        places,
        [
            (&json!(0), &json!(0), &json!(3), &yes),
            (&json!(1), &json!(3), &json!(0), &yes),
            (&json!(2), &json!(3), &json!(5), &yes),
        ]
    );
    let hash = lines[2]["hash"].as_str().unwrap().to_owned();
    let listed = run(["ls", &dir, "--blocks", "-1.."]).ok();
    assert_eq!(listed.text().lines().count(), 1);
    assert!(listed.text().contains(&hash[..16]), "{}", listed.text());
    // The heading is for people, not for programs that count columns.
    assert!(listed.stderr.contains("offset"));
}

#[test]
fn ls_shows_a_dash_for_what_a_partial_copy_does_not_know() {
    let place = Place::new();
    let copy = partial_copy(&place);
    let lines = run(["--json", "ls", &copy]).ok().lines();
    // What was proved with block 3: its neighbour, and the roots over 0..4, 4..6 and 6.
    let known: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["offset"].as_u64(),
                line["len"].as_u64(),
                line["here"] == true,
            )
        })
        .collect();
    assert_eq!(
        known,
        [
            (Some(0), None, false),
            (None, None, false),
            (Some(3), Some(3), false),
            (Some(6), Some(4), true),
            (Some(10), None, false),
            (None, None, false),
            (Some(16), Some(7), false),
        ]
    );
    let text = run(["ls", &copy, "--blocks", "1..2"]).ok();
    assert!(text.text().contains(" - "), "{}", text.text());
}

#[test]
fn ls_missing_lists_the_gaps() {
    let place = Place::new();
    let copy = partial_copy(&place);
    let gaps = |arguments: &[&str]| -> Vec<(Value, Value)> {
        let mut all = vec!["--json", "ls", &copy, "--missing"];
        all.extend(arguments);
        let lines = run(all).ok().lines();
        let gap = |line: &Value| (line["start"].clone(), line["end"].clone());
        lines.iter().map(gap).collect()
    };
    assert_eq!(gaps(&[]), [(json!(0), json!(3)), (json!(4), json!(7))]);
    assert_eq!(
        gaps(&["--blocks", "2..=4"]),
        [(json!(2), json!(3)), (json!(4), json!(5))]
    );
    assert_eq!(gaps(&["--blocks", "3..4"]), []);
    let feed = run(["ls", &place.path("feed"), "--missing"]).ok();
    assert_eq!(feed.text(), "");
}

#[test]
fn seek_finds_the_block_of_a_byte() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &["one", "", "three"]);
    for (byte, block, offset) in [(0, 0, 0), (2, 0, 2), (3, 2, 0), (7, 2, 4)] {
        let found = run(["--json", "seek", &dir, &byte.to_string()]).ok();
        let expected = json!({
            "v": 1, "type": "position", "byte": byte, "block": block, "offset": offset,
        });
        assert_eq!(found.line("position"), expected);
    }
    assert_eq!(
        run(["seek", &dir, "4"]).ok().text(),
        "block 2, byte 1 of it\n"
    );
    run(["seek", &dir, "8"]).exits(5);
    run(["seek", &dir, "1k"]).exits(5);
    run(["seek", &dir, "-1"]).exits(2);
    run(["seek", &dir, "1X"]).exits(2);
}

#[test]
fn seek_in_a_partial_copy_says_what_is_missing() {
    let place = Place::new();
    let copy = partial_copy(&place);
    assert_eq!(
        run(["seek", &copy, "7"]).ok().text(),
        "block 3, byte 1 of it\n"
    );
    let ran = run(["seek", &copy, "1"]).exits(3);
    assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
}

#[test]
fn info_tells_of_roots_signatures_and_disk() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &[]);
    let empty = run(["--json", "info", &dir]).ok().line("info");
    assert_eq!(
        (&empty["form"], &empty["roots"]),
        (&Value::Null, &json!([]))
    );

    run(["append", &dir, "a", "b", "c"]).ok();
    let info = run(["--json", "info", &dir]).ok().line("info");
    assert_eq!(info["form"], 8);
    assert_eq!(info["roots"][0]["node"], 1);
    assert_eq!(info["roots"][1]["node"], 4);
    assert_eq!(info["roots"][1]["size"], 1);
    assert!(info["disk"].as_u64().unwrap() > 0);

    run(["append", &dir, "d", "--dialect", "9"]).ok();
    let info = run(["info", &dir]).ok();
    assert!(info.text().contains("form of JavaScript hypercore 9"));
    assert!(info.text().contains("100 %"), "{}", info.text());

    let copy = partial_copy(&Place::new());
    assert!(run(["info", &copy]).exits(5).stderr.contains("no feed"));
}

#[test]
fn info_of_a_partial_copy_says_how_much_is_here() {
    let place = Place::new();
    let info = run(["info", &partial_copy(&place)]).ok();
    assert!(
        info.text().contains("here           1 blocks, 14 %"),
        "{}",
        info.text()
    );
}

#[test]
fn verify_checks_the_signature_that_covers_a_block() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &["a", "b"]);
    run(["append", &dir, "c", "--dialect", "9"]).ok();
    let last = run(["--json", "verify", &dir]).ok().line("verified");
    assert_eq!(
        (&last["block"], &last["length"], &last["form"]),
        (&json!(2), &json!(3), &json!(9))
    );
    let first = run(["--json", "verify", &dir, "--at", "0"])
        .ok()
        .line("verified");
    assert_eq!((&first["block"], &first["form"]), (&json!(1), &json!(8)));
    assert_ne!(first["tree_hash"], last["tree_hash"]);
    let text = run(["verify", &dir, "--at", "1"]).ok();
    assert_eq!(
        text.text(),
        "signature ok at block 1, of 2 blocks: form 8\n"
    );
    run(["verify", &dir, "--at", "3"]).exits(5);
}

#[test]
fn verify_of_a_forged_signature_is_4() {
    let place = Place::new();
    let dir = place.feed("feed", &["a", "b"]);
    run(["append", &place.path("feed"), "c"]).ok();
    // The signature of block 1 lies behind the header and an empty entry; that of the last one stays, so the feed opens.
    let mut signatures = fs::read(dir.join("signatures")).unwrap();
    signatures[32 + 64] ^= 1;
    fs::write(dir.join("signatures"), signatures).unwrap();
    run(["verify", &place.path("feed")]).ok();
    let ran = run(["verify", &place.path("feed"), "--at", "1"]).exits(4);
    assert!(ran.stderr.contains("block 1"), "{}", ran.stderr);
    assert_eq!(ran.text(), "");
}

#[test]
fn verify_of_an_empty_feed_is_5_and_of_a_static_one_compares_the_key() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &[]);
    run(["verify", &dir]).exits(5);
    async_std::task::block_on(async {
        let feed = Hypercore::builder(place.at("static")).static_feed(true);
        let feed = feed.dialect(Dialect::V8).open().await.unwrap();
        feed.append("never to change").await.unwrap();
        feed.finalize().await.unwrap();
        feed.close().await.unwrap();
    });
    let line = run(["--json", "verify", &place.path("static")])
        .ok()
        .line("verified");
    assert_eq!(
        (&line["signature"], &line["tree_hash"]),
        (&Value::Null, &line["key"])
    );
    let info = run(["--json", "info", &place.path("static")])
        .ok()
        .line("info");
    assert_eq!(
        (&info["static"], &info["form"]),
        (&json!(true), &Value::Null)
    );
}

#[test]
fn what_is_not_here_is_asked_of_the_peers_of_a_link() {
    let place = Place::new();
    let served = Served::start(&place.feed("feed", &["one", "", "three"]), &[]);
    let found = run(["seek", &served.link(), "4"]).ok();
    assert_eq!(found.text(), "block 2, byte 1 of it\n");
    let missing = run(["--json", "ls", &served.link(), "--missing"]).ok();
    assert_eq!(missing.line("missing")["end"], 3);
    let info = run(["--json", "info", &served.link()]).ok().line("info");
    assert_eq!(
        (&info["length"], &info["have"], &info["form"]),
        (&json!(3), &json!(0), &json!(8))
    );
}
