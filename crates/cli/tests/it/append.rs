//! What can be appended, and that it is kept when something ends it.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
};

use serde_json::{Value, json};

use crate::program::{Place, Running, run, run_with, start};

#[test]
fn lines_of_json_become_values() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &[]);
    run_with(b"{\"a\":1}\n\n[2, 3]", ["append", &dir, "--json-lines"]).ok();
    assert_eq!(run(["cat", &dir]).ok().text(), "{\"a\":1}\n[2, 3]\n");
    assert_eq!(run(["get", &dir, "1"]).ok().text(), "[2, 3]\n");
}

#[test]
fn a_line_that_is_not_json_ends_it_and_those_before_stay() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &[]);
    let ran = run_with(
        b"1\n2\nthree\n4\n",
        ["append", &dir, "--json-lines", "--json"],
    )
    .exits(1);
    assert_eq!(ran.line("added")["end"], 2);
    let error = ran.line("error");
    assert!(
        error["message"].as_str().unwrap().contains("not JSON"),
        "{error}"
    );
    assert!(error["hint"].is_string());
    assert_eq!(run(["cat", &dir]).ok().text(), "1\n2\n");
}

#[cfg(unix)]
#[test]
fn ctrl_c_appends_the_whole_blocks_that_have_come() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &[]);
    let mut appending = start(["append", &dir, "--json", "--block", "4"]);
    let mut keyboard = appending.stdin();
    keyboard.write_all(b"onetwothree").unwrap();
    // What has come is appended when the keyboard pauses; the half of a block waits for its rest.
    appending
        .interrupt_when(|| fs::metadata(place.at("feed/data")).is_ok_and(|data| data.len() == 8));
    let ran = appending.wait().exits(130);
    drop(keyboard);
    let added = ran.line("added");
    assert_eq!((&added["end"], &added["bytes"]), (&json!(2), &json!(8)));
    assert_eq!(run(["cat", &dir]).ok().text(), "onetwoth");
}

/// The next `added` line of a file that is followed, and its end.
fn added(following: &Running, nth: usize) -> Value {
    following.nth_line_of("added", nth)
}

#[cfg(unix)]
#[test]
fn a_file_that_grows_is_followed_across_rotation_and_truncation() {
    let place = Place::new();
    let (dir, log) = (place.path("feed"), place.at("log"));
    place.feed("feed", &[]);
    fs::write(&log, "one\n").unwrap();
    let following = start(["--json", "append", &dir, "--follow", &place.path("log")]);
    assert_eq!(added(&following, 0)["end"], 1);

    let grow = |path: &Path, text: &str| {
        let file = OpenOptions::new().append(true).open(path);
        file.unwrap().write_all(text.as_bytes()).unwrap();
    };
    grow(&log, "two\nthr");
    assert_eq!(added(&following, 1)["end"], 2);
    grow(&log, "ee\n");
    assert_eq!(added(&following, 2)["end"], 3);

    fs::rename(&log, place.at("log.1")).unwrap();
    grow(&place.at("log.1"), "four\n");
    assert_eq!(added(&following, 3)["end"], 4);
    fs::write(&log, "five\n").unwrap();
    assert_eq!(following.nth_line_of("followed", 0)["event"], "rotated");
    assert_eq!(added(&following, 4)["end"], 5);

    File::create(&log).unwrap();
    assert_eq!(following.nth_line_of("followed", 1)["event"], "truncated");
    grow(&log, "six\n");
    assert_eq!(added(&following, 5)["end"], 6);

    following.interrupt();
    following.wait().exits(130);
    let cat = run(["cat", &dir, "--sep", ","]).ok();
    assert_eq!(cat.text(), "one,two,three,four,five,six,");
}

#[cfg(unix)]
#[test]
fn a_file_can_be_followed_from_its_end() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &[]);
    fs::write(place.at("log"), "old\n").unwrap();
    let log = place.path("log");
    let following = start([
        "append",
        &dir,
        "--follow",
        &log,
        "--from-end",
        "--json-lines",
    ]);
    following.first_line_with("following");
    let mut file = OpenOptions::new().append(true).open(log).unwrap();
    file.write_all(b"{}\n").unwrap();
    following.first_line_with("added    0..1");
    following.interrupt();
    following.wait().exits(130);
    assert_eq!(run(["cat", &dir]).ok().text(), "{}\n");
}

#[test]
fn what_can_not_be_appended_says_why() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &[]);
    for arguments in [
        &["--file", &place.path("none")][..],
        &["--follow", &place.path("none")],
        &["--follow", &dir],
        &["--file", &dir],
    ] {
        let ran = run(["append", &dir].iter().chain(arguments)).exits(1);
        assert!(
            ran.stderr.contains("cannot read"),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
    for arguments in [
        &["text", "--json-lines"][..],
        &["--json-lines", "--lines"],
        &["--follow", "log", "--file", "file"],
        &["--follow", "log", "--block", "1k"],
        &["--from-end"],
    ] {
        run(["append", &dir].iter().chain(arguments)).exits(2);
    }
}

#[test]
fn files_and_folders_become_an_archive() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &[]);
    fs::create_dir_all(place.at("tree/below")).unwrap();
    fs::write(place.at("tree/below/a"), "first").unwrap();
    fs::write(place.at("b"), vec![7; 100_000]).unwrap();
    let (tree, b) = (place.path("tree"), place.path("b"));
    run(["append", &dir, "--block", "10k", "--tar", &tree, &b]).ok();
    let info = run(["info", &dir, "--json"]).ok().line("info");
    assert!(info["length"].as_u64().unwrap() > 10, "{info}");

    let bytes = run(["cat", &dir]).ok().stdout;
    let out = place.at("out");
    tar::Archive::new(&bytes[..]).unpack(&out).unwrap();
    assert_eq!(fs::read(out.join("tree/below/a")).unwrap(), b"first");
    assert_eq!(fs::read(out.join("b")).unwrap(), vec![7; 100_000]);
}

#[test]
fn nothing_is_appended_of_an_archive_that_lacks_a_file() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &[]);
    fs::write(place.at("a"), "first").unwrap();
    let (a, gone) = (place.path("a"), place.path("gone"));
    let ran = run(["append", &dir, "--tar", &a, &gone]).exits(1);
    assert!(ran.stderr.contains("gone"), "{}", ran.stderr);
    let info = run(["info", &dir, "--json"]).ok().line("info");
    assert_eq!(info["length"], 0);
}
