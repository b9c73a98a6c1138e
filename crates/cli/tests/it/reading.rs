//! Reading a feed that is elsewhere: just what is asked for comes over.

use std::io::Write;

use crate::program::{Place, Served, run, start, wait_until};

/// A feed of many lines, a block each, and its text.
fn lines(place: &Place) -> String {
    let text: String = (0..2000)
        .map(|line| format!("this is line {line}\n"))
        .collect();
    place.feed("feed", &[]);
    let dir = place.path("feed");
    std::fs::write(place.at("file"), &text).unwrap();
    run([
        "append",
        &dir,
        "--file",
        &place.path("file"),
        "--block",
        "20",
    ])
    .ok();
    text
}

fn have(dir: &str) -> u64 {
    let info = run(["--json", "info", dir]).ok().line("info");
    info["have"].as_u64().unwrap()
}

#[test]
fn a_link_is_read_without_a_directory() {
    let place = Place::new();
    let text = lines(&place);
    let served = Served::start(&place.at("feed"), &[]);
    let link = served.link();
    assert!(run(["cat", &link]).ok().text() == text);
    assert_eq!(
        run(["cat", &link, "--blocks", "1..3"]).ok().text(),
        &text[20..60]
    );
    assert_eq!(
        run(["get", &link, "7", "0"]).ok().text(),
        [&text[140..160], &text[..20]].concat()
    );
    assert_eq!(
        run(["cat", &link, "--bytes", "-7.."]).ok().text(),
        "e 1999\n"
    );
    let block = run(["--json", "get", &link, "1"]).ok().line("block");
    assert_eq!(block["len"], 20);
}

#[test]
fn a_range_of_bytes_of_a_link_costs_little() {
    let place = Place::new();
    let text = lines(&place);
    let served = Served::start(&place.at("feed"), &["--once"]);
    let ran = run(["cat", &served.link(), "--bytes", "20k..20500"]).ok();
    assert_eq!(ran.text(), &text[20_480..20_500]);
    let sent = served.running.wait().line("disconnected")["bytes_sent"]
        .as_u64()
        .unwrap();
    assert!(sent < text.len() as u64 / 10, "{sent} of {}", text.len());
}

#[test]
fn a_sparse_copy_keeps_what_was_read() {
    let place = Place::new();
    let text = lines(&place);
    let served = Served::start(&place.at("feed"), &[]);
    let copy = place.path("copy");
    run(["clone", &served.link(), &copy, "--sparse"]).ok();
    assert_eq!(
        run(["cat", &copy, "--bytes", "30010..30050"]).ok().text(),
        &text[30_010..30_050]
    );
    assert_eq!(have(&copy), 3);
    assert_eq!(run(["get", &copy, "5"]).ok().text(), &text[100..120]);
    assert_eq!(have(&copy), 4);
    // What is here needs nobody, and what isn't has nobody to ask.
    drop(served);
    assert_eq!(
        run(["cat", &copy, "--bytes", "30010..30050"]).ok().text(),
        &text[30_010..30_050]
    );
    run(["get", &copy, "6"]).exits(6);
    std::fs::remove_file(place.at("copy").join("peers")).unwrap();
    run(["get", &copy, "6"]).exits(3);
}

#[test]
fn what_is_not_there_is_5_and_nobody_there_is_6() {
    let place = Place::new();
    let dir = place.feed("feed", &["one"]);
    let served = Served::start(&dir, &[]);
    run(["get", &served.link(), "1"]).exits(5);
    let link = served.link();
    drop(served);
    run(["cat", &link]).exits(6);
    let key = link.split('?').next().unwrap();
    let ran = run(["tail", key]).exits(6);
    assert!(ran.stderr.contains("--peer"), "{}", ran.stderr);
    run(["cat", "hyper://12"]).exits(2);
}

#[test]
fn a_block_that_nobody_has_is_3() {
    let place = Place::new();
    let dir = place.feed("feed", &["one", "two"]);
    let served = Served::start(&dir, &[]);
    run([
        "clone",
        &served.link(),
        &place.path("part"),
        "--blocks",
        "0",
    ])
    .ok();
    drop(served);
    let part = Served::start(&place.at("part"), &[]);
    assert_eq!(run(["get", &part.link(), "0"]).ok().text(), "one");
    let ran = run(["cat", &part.link()]).exits(3);
    assert_eq!(ran.text(), "one");
}

#[test]
fn tail_prints_the_last_blocks_a_line_each() {
    let place = Place::new();
    let dir = place.feed("feed", &["a", "b\n", "c"]);
    let path = place.path("feed");
    assert_eq!(run(["tail", &path]).ok().text(), "a\nb\nc\n");
    assert_eq!(
        run(["tail", &path, "-n", "2", "--sep", "|"]).ok().text(),
        "b\n|c|"
    );
    let served = Served::start(&dir, &[]);
    assert_eq!(run(["tail", &served.link(), "-n", "1"]).ok().text(), "c\n");
}

#[test]
fn tail_follows_what_is_appended() {
    let place = Place::new();
    let dir = place.feed("feed", &["zero"]);
    let mut served = Served::start(&dir, &["--lines"]);
    let mut keyboard = served.running.stdin();
    let copy = place.path("copy");
    run(["clone", &served.link(), &copy]).ok();
    // A directory that is a copy, by the peers that it remembers, and a link.
    let followers = [
        start(["tail", "-f", &copy]),
        start(["tail", "-f", &served.link()]),
    ];
    let sees = |text: &str| {
        for follower in &followers {
            wait_until(text, || {
                follower.output_so_far().contains(text).then_some(())
            });
        }
    };
    sees("zero\n");
    for line in 1..=200 {
        writeln!(keyboard, "line {line}").unwrap();
    }
    sees("line 200\n");
    // The copy has one owner at a time, and is complete.
    run(["cat", &copy]).exits(7);
    for mut follower in followers {
        let text = follower.output_so_far();
        assert_eq!(text.lines().count(), 201);
        follower.kill();
    }
    assert_eq!(have(&copy), 201);
}

#[test]
fn the_place_where_a_feed_is_written_is_not_followed() {
    let place = Place::new();
    place.feed("feed", &["one"]);
    let ran = run(["tail", "-f", &place.path("feed")]).exits(1);
    assert!(ran.stderr.contains("hypercore serve"), "{}", ran.stderr);
}
