//! Sessions of several processes: the second machine is another process.

use std::{fs, path::Path};

use crate::{
    program::{Place, Served, run, start, wait_until},
    proxy::Proxy,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hypercore");

/// A feed of a file that takes many messages, and the file.
fn large(place: &Place) -> Vec<u8> {
    let bytes = place.file("file", 4_000_000);
    let dir = place.path("feed");
    place.feed("feed", &[]);
    let file = place.path("file");
    run(["append", &dir, "--file", &file, "--block", "16k"]).ok();
    bytes
}

fn have(dir: &str) -> u64 {
    let info = run(["--json", "info", dir]).ok().line("info");
    info["have"].as_u64().unwrap()
}

#[test]
fn several_feeds_are_served_on_one_port() {
    let place = Place::new();
    let first = place.feed("first", &["one"]);
    place.feed("second", &["two", "more"]);
    let served = Served::start(&first, &[&place.path("second")]);
    let listening = wait_until("the second line", || {
        let lines = served.running.lines_so_far();
        lines.into_iter().find(|line| line["length"] == 2)
    });
    assert_eq!(listening["port"], served.listening["port"]);
    for (link, name, content) in [
        (served.link(), "copy-1", "one"),
        (
            listening["link"].as_str().unwrap().into(),
            "copy-2",
            "twomore",
        ),
    ] {
        run(["clone", &link, &place.path(name)]).ok();
        assert_eq!(run(["cat", &place.path(name)]).ok().text(), content);
    }
}

#[test]
fn one_connection_is_enough_for_a_server_of_several_feeds() {
    let place = Place::new();
    let first = place.feed("first", &["one"]);
    place.feed("second", &["two"]);
    let served = Served::start(&first, &[&place.path("second"), "--once", "--not-live"]);
    run(["clone", &served.link(), &place.path("copy")]).ok();
    let ended = served.running.wait().ok();
    assert_eq!(ended.line("disconnected")["finished"], true);
}

#[test]
fn whoever_does_not_share_the_feed_is_6() {
    let place = Place::new();
    let dir = place.feed("feed", &["one"]);
    let other = run(["--json", "create", &place.path("other")]).ok();
    let other = other.line("created")["key"].as_str().unwrap().to_owned();
    let served = Served::start(&dir, &[]);
    let address = served.listening["address"].as_str().unwrap();
    for more in [&[][..], &["--sparse"], &["--live"]] {
        let copy = place.path("copy");
        let arguments = [&["clone", &other, &copy, "--peer", address], more].concat();
        let ran = run(arguments).exits(6);
        assert!(
            ran.stderr.contains("doesn't have this feed"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_command_leads_to_a_peer() {
    let place = Place::new();
    place.feed("feed", &["one", "two"]);
    let key = run(["--json", "info", &place.path("feed")])
        .ok()
        .line("info")["key"]
        .clone();
    let via = format!("'{PROGRAM}' serve --stdio '{}'", place.path("feed"));
    let copy = place.path("copy");
    let ran = run(["clone", key.as_str().unwrap(), &copy, "--via", &via]).ok();
    assert_eq!(ran.text(), "");
    assert_eq!(run(["cat", &copy]).ok().text(), "onetwo");
}

#[test]
fn a_command_that_fails_is_6_and_says_how() {
    let place = Place::new();
    let key = "6b7ecf9ce456d56e5145ec4c00112233445566778899aabbccddeeff01020304";
    let ran = run(["clone", key, &place.path("copy"), "--via", "exit 23"]).exits(6);
    assert!(ran.stderr.contains("23"), "{}", ran.stderr);
}

#[test]
fn a_sparse_clone_knows_the_length_and_fetches_what_is_asked() {
    let place = Place::new();
    let dir = place.feed("feed", &["a", "b", "c", "d", "e", "f"]);
    let served = Served::start(&dir, &[]);
    let copy = place.path("copy");
    let link = served.link();
    let summary = |more: &[&str]| {
        let arguments = [&["--json", "clone", &link, &copy], more].concat();
        run(arguments).ok().line("summary")
    };
    let sparse = summary(&["--sparse"]);
    assert_eq!((&sparse["have"], &sparse["length"]), (&0.into(), &6.into()));
    assert_eq!(sparse["complete"], true);
    summary(&["--blocks", "1..3", "--blocks", "-1.."]);
    assert_eq!(have(&copy), 3);
    assert_eq!(run(["get", &copy, "1", "2", "5"]).ok().text(), "bcf");
    // Once more is no work, and the rest can still be had.
    summary(&["--blocks", "1..=2"]);
    summary(&[]);
    assert_eq!(run(["cat", &copy]).ok().text(), "abcdef");
    run(["clone", &link, &copy, "--blocks", "4..9"]).exits(5);
}

#[test]
fn blocks_that_nobody_has_are_3_with_counts() {
    let place = Place::new();
    let dir = place.feed("feed", &["a", "b", "c"]);
    let served = Served::start(&dir, &[]);
    run([
        "clone",
        &served.link(),
        &place.path("part"),
        "--blocks",
        "0..2",
    ])
    .ok();
    let part = Served::start(&place.at("part"), &[]);
    let copy = place.path("copy");
    let ran = run(["clone", &part.link(), &copy, "--blocks", "0..3"]).exits(3);
    assert!(ran.stderr.contains("2 of 3 blocks"), "{}", ran.stderr);
    let ran = run(["clone", &part.link(), &copy, "--live", "--timeout", "300ms"]).exits(3);
    assert!(ran.stderr.contains("2 of 3 blocks"), "{}", ran.stderr);
    run([
        "clone",
        &served.link(),
        &copy,
        "--live",
        "--timeout",
        "10s",
        "--until",
        "3",
    ])
    .ok();
}

#[test]
fn the_directory_is_named_after_the_key() {
    let place = Place::new();
    let dir = place.feed("feed", &["one"]);
    let served = Served::start(&dir, &[]);
    let link = served.link();
    crate::program::start_in(&place.at(""), ["clone", &link])
        .wait()
        .ok();
    let name = &served.listening["key"].as_str().unwrap()[..8];
    assert_eq!(run(["cat", &place.path(name)]).ok().text(), "one");
}

#[test]
fn peers_are_remembered_beside_the_feed() {
    let place = Place::new();
    let dir = place.feed("feed", &["one"]);
    let served = Served::start(&dir, &[]);
    let copy = place.path("copy");
    run(["clone", &served.link(), &copy, "--sparse"]).ok();
    let address = served.listening["address"].as_str().unwrap();
    let peers = fs::read_to_string(Path::new(&copy).join("peers")).unwrap();
    assert_eq!(peers, format!("{address}\n"));
    // The bare key is enough from now on.
    run(["clone", served.listening["key"].as_str().unwrap(), &copy]).ok();
    assert_eq!(run(["cat", &copy]).ok().text(), "one");
}

/// The proxy lets a part of the feed pass and then nothing, so the clone is certainly in the middle of it.
#[test]
fn a_clone_that_is_killed_goes_on_where_it_stopped() {
    let place = Place::new();
    let bytes = large(&place);
    let served = Served::start(&place.at("feed"), &[]);
    let key = served.listening["key"].as_str().unwrap().to_owned();
    let proxy = Proxy::start(served.listening["address"].as_str().unwrap(), 1_500_000);
    let copy = place.path("copy");
    let address = proxy.address();
    let mut clone = start(["--json", "clone", &key, &copy, "--peer", &address]);
    wait_until("some blocks", || {
        let lines = clone.lines_so_far();
        let have = lines.iter().filter_map(|line| line["have"].as_u64()).max();
        have.filter(|have| *have > 20)
    });
    clone.kill();
    drop(clone);
    let kept = have(&copy);
    assert!(kept > 20 && kept < 245, "{kept}");

    let again = run(["--json", "clone", &served.link(), &copy]).ok();
    let fetched = again
        .lines()
        .iter()
        .filter_map(|line| line["bytes"].as_u64())
        .max();
    // What was here isn't fetched again.
    assert!(fetched.unwrap_or(0) <= (245 - kept) * 16_384, "{fetched:?}");
    assert!(run(["cat", &copy]).ok().stdout == bytes);
    run(["audit", &copy, "--deep"]).ok();
}

#[cfg(unix)]
#[test]
fn a_clone_that_is_interrupted_says_what_it_keeps() {
    let place = Place::new();
    large(&place);
    let served = Served::start(&place.at("feed"), &[]);
    let key = served.listening["key"].as_str().unwrap().to_owned();
    let proxy = Proxy::start(served.listening["address"].as_str().unwrap(), 1_500_000);
    let copy = place.path("copy");
    let clone = start(["--json", "clone", &key, &copy, "--peer", &proxy.address()]);
    wait_until("some blocks", || {
        let lines = clone.lines_so_far();
        lines
            .iter()
            .any(|line| line["have"].as_u64() > Some(20))
            .then_some(())
    });
    clone.interrupt();
    let ran = clone.wait().exits(130);
    assert!(
        ran.stderr.contains("of 245 blocks are kept"),
        "{}",
        ran.stderr
    );
    let summary = ran.line("summary");
    assert_eq!(summary["complete"], false);
    assert_eq!(summary["have"], have(&copy));
}

#[test]
fn a_live_clone_finds_a_server_that_comes_back() {
    let place = Place::new();
    let dir = place.feed("feed", &["one"]);
    let served = Served::start(&dir, &[]);
    let address = served.listening["address"].as_str().unwrap().to_owned();
    let copy = place.path("copy");
    let clone = start([
        "--json",
        "clone",
        &served.link(),
        &copy,
        "--live",
        "--until",
        "2",
    ]);
    wait_until("the first block", || {
        let lines = clone.lines_so_far();
        lines.iter().any(|line| line["have"] == 1).then_some(())
    });
    drop(served);
    run(["append", &place.path("feed"), "two"]).ok();
    let _served = Served::start_at(&dir, &address, &[]);
    clone.wait().ok();
    assert_eq!(run(["cat", &copy]).ok().text(), "onetwo");
}

#[test]
fn a_server_fetches_what_it_lacks_from_who_connects_unless_it_only_reads() {
    let place = Place::new();
    let dir = place.feed("feed", &["one", "two"]);
    let served = Served::start(&dir, &[]);
    let (whole, part) = (place.path("whole"), place.path("part"));
    run(["clone", &served.link(), &whole]).ok();
    run(["clone", &served.link(), &part, "--blocks", "0"]).ok();
    drop(served);
    for (more, have) in [(&["--read-only"][..], 1), (&[], 2)] {
        let server = Served::start(&place.at("part"), more);
        let link = server.link();
        let giver = start(["--json", "clone", &link, &whole, "--live"]);
        wait_until("the connection", || {
            let lines = giver.lines_so_far();
            lines
                .iter()
                .any(|line| line["type"] == "connected")
                .then_some(())
        });
        let third = place.path(&format!("third {have}"));
        let more = ["--live", "--until", "2", "--timeout", "1s"];
        let ran = run(["--json", "clone", &link, &third].iter().chain(&more));
        assert_eq!(ran.line("summary")["have"], have, "{}", ran.stderr);
    }
}

#[test]
fn a_table_shows_who_is_connected_and_a_bar_how_far_a_clone_is() {
    let place = Place::new();
    place.feed("feed", &["one", "two"]);
    let feed = place.path("feed");
    let shown = ["--progress", "always"];
    let arguments = ["serve", &feed, "--tcp", "127.0.0.1:0"];
    let serving = start(arguments.iter().chain(&shown));
    let link = serving.first_output_line();
    let copy = place.path("copy");
    let arguments = ["clone", &link, &copy, "--live"];
    let cloning = start(arguments.iter().chain(&shown));
    for (running, texts) in [
        (
            &serving,
            &["peers 0", "peers 1", "dialect 8   sent 2 of 2 blocks"][..],
        ),
        (&cloning, &["2/2 blocks", "1 peer"]),
    ] {
        for text in texts {
            wait_until(text, || running.told_so_far().contains(text).then_some(()));
        }
    }
}
