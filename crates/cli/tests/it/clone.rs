//! The main job: a file goes into a feed, is served, and is cloned by another process, block by verified block.

use std::io::Write;

use crate::program::{Place, Served, run, start};

#[test]
fn a_file_goes_through_append_serve_clone_and_cat_unchanged() {
    let place = Place::new();
    let bytes = place.file("file", 3_000_001);
    let dir = place.feed("feed", &[]);
    run(["append", &place.path("feed"), "--file", &place.path("file")]).ok();

    let served = Served::start(&dir, &["--once", "--not-live"]);
    let cloned = run(["clone", &served.link(), &place.path("copy")]).ok();
    assert_eq!(cloned.text(), "");
    assert!(
        cloned.stderr.contains("46 of 46 blocks"),
        "{}",
        cloned.stderr
    );
    // Both ends know that they are done.
    served.running.wait().ok();

    assert!(run(["cat", &place.path("copy")]).ok().stdout == bytes);
    let info = |name| run(["--json", "info", &place.path(name)]).ok().line("info");
    let (ours, theirs) = (info("feed"), info("copy"));
    for field in ["key", "length", "byte_length", "have", "tree_hash"] {
        assert_eq!(ours[field], theirs[field], "{field}");
    }
    assert_eq!(
        (&ours["writable"], &theirs["writable"]),
        (&true.into(), &false.into())
    );
}

#[test]
fn the_printed_command_is_the_one_to_run() {
    let place = Place::new();
    place.feed("feed", &["one", "two"]);
    // What `serve` prints for people goes to standard error, the link alone to standard output.
    let serving = start([
        "serve",
        &place.path("feed"),
        "--once",
        "--not-live",
        "--tcp",
        "127.0.0.1:0",
    ]);
    let copy = place.path("copy");
    let command = serving.first_line_with("hypercore clone");
    let (_, command) = command.split_once("hypercore clone ").unwrap();
    let (link, rest) = command.split_once(' ').unwrap();
    assert_eq!(rest.trim(), "DIR");
    run(["clone", link.trim_matches('\''), &copy]).ok();
    let served = serving.wait().ok();
    assert_eq!(served.text().trim_end(), link.trim_matches('\''));
    assert_eq!(run(["cat", &copy]).ok().text(), "onetwo");
}

#[test]
fn other_forms_of_a_link_do_as_well() {
    let place = Place::new();
    let dir = place.feed("feed", &["one"]);
    let served = Served::start(&dir, &[]);
    let key = served.listening["key"].as_str().unwrap();
    let address = served.listening["address"].as_str().unwrap();
    for (name, link) in [
        ("bare", key.to_owned()),
        ("dat", format!("dat://{key}/")),
        ("hyper", format!("hyper://{key}")),
    ] {
        run(["clone", &link, &place.path(name), "--peer", address]).ok();
        assert_eq!(run(["cat", &place.path(name)]).ok().text(), "one");
    }
}

#[test]
fn auto_reaches_both_dialects_and_so_does_the_right_one() {
    let place = Place::new();
    let dir = place.feed("feed", &["one", "", "three"]);
    for served_as in ["8", "9"] {
        let served = Served::start(&dir, &["--dialect", served_as]);
        for cloned_as in ["auto", served_as] {
            let copy = place.path(&format!("copy-{served_as}-{cloned_as}"));
            run(["clone", &served.link(), &copy, "--dialect", cloned_as]).ok();
            assert_eq!(run(["cat", &copy]).ok().text(), "onethree");
        }
    }
}

#[test]
fn signatures_of_both_forms_are_cloned() {
    let place = Place::new();
    let dir = place.feed("feed", &[]);
    for (dialect, text) in [("9", "nine"), ("8", "eight")] {
        run(["append", &place.path("feed"), text, "--dialect", dialect]).ok();
    }
    let served = Served::start(&dir, &[]);
    run(["clone", &served.link(), &place.path("copy")]).ok();
    assert_eq!(run(["cat", &place.path("copy")]).ok().text(), "nineeight");
}

#[test]
fn an_empty_feed_is_cloned_at_once() {
    let place = Place::new();
    let dir = place.feed("feed", &[]);
    let served = Served::start(&dir, &["--once", "--not-live"]);
    run(["clone", &served.link(), &place.path("copy")]).ok();
    served.running.wait().ok();
}

#[test]
fn cloning_again_fetches_what_was_appended_since() {
    let place = Place::new();
    let dir = place.feed("feed", &["one"]);
    for text in ["two", "three"] {
        let served = Served::start(&dir, &[]);
        run(["clone", &served.link(), &place.path("copy")]).ok();
        drop(served);
        run(["append", &place.path("feed"), text]).ok();
    }
    let served = Served::start(&dir, &[]);
    run(["clone", &served.link(), &place.path("copy")]).ok();
    assert_eq!(run(["cat", &place.path("copy")]).ok().text(), "onetwothree");
}

#[test]
fn a_clone_is_served_on() {
    let place = Place::new();
    let dir = place.feed("feed", &["one", "two"]);
    let served = Served::start(&dir, &[]);
    run(["clone", &served.link(), &place.path("copy")]).ok();
    drop(served);
    let served = Served::start(&place.at("copy"), &[]);
    assert_eq!(served.listening["writable"], false);
    run(["clone", &served.link(), &place.path("second")]).ok();
    assert_eq!(run(["cat", &place.path("second")]).ok().text(), "onetwo");
}

#[test]
fn several_peers_are_asked_and_one_that_is_gone_does_no_harm() {
    let place = Place::new();
    let dir = place.feed("feed", &["one", "two", "three"]);
    let served = Served::start(&dir, &[]);
    run(["clone", &served.link(), &place.path("copy")]).ok();
    let second = Served::start(&place.at("copy"), &[]);
    let both = second.listening["address"].as_str().unwrap();
    let gone = "127.0.0.1:1";
    let copy = place.path("third");
    run([
        "clone",
        &served.link(),
        &copy,
        "--peer",
        both,
        "--peer",
        gone,
    ])
    .ok();
    assert_eq!(run(["cat", &copy]).ok().text(), "onetwothree");
}

#[test]
fn a_live_clone_gets_what_is_appended_while_it_watches() {
    let place = Place::new();
    let dir = place.feed("feed", &["zero"]);
    let mut served = Served::start(&dir, &["--lines"]);
    let mut keyboard = served.running.stdin();
    let copy = place.path("copy");
    let clone = start(["clone", &served.link(), &copy, "--live", "--until", "1001"]);
    for line in 1..=1000 {
        writeln!(keyboard, "line {line}").unwrap();
    }
    clone.wait().ok();
    assert_eq!(run(["get", &copy, "1000"]).ok().text(), "line 1000");
    let info = run(["--json", "info", &copy]).ok().line("info");
    assert_eq!(info["have"], 1001);
}

/// An own feed with another key is never written over.
#[test]
fn a_directory_with_another_feed_is_left_alone() {
    let place = Place::new();
    let dir = place.feed("feed", &["one"]);
    place.feed("other", &["mine"]);
    let served = Served::start(&dir, &[]);
    run(["clone", &served.link(), &place.path("other")]).exits(1);
    assert_eq!(run(["cat", &place.path("other")]).ok().text(), "mine");
}

#[test]
fn progress_is_drawn_on_a_terminal_or_where_it_is_asked_for() {
    let place = Place::new();
    let served = Served::start(&place.feed("feed", &["one", "two"]), &[]);
    let bar = "blocks  ";
    for (name, more, drawn) in [
        ("auto", &[][..], false),
        ("never", &["--progress", "never"], false),
        ("always", &["--progress", "always"], true),
        ("json", &["--progress", "always", "--json"], false),
    ] {
        let (link, copy) = (served.link(), place.path(name));
        let ran = run(["clone", &link, &copy].iter().chain(more)).ok();
        assert_eq!(ran.stderr.contains(bar), drawn, "{name}: {}", ran.stderr);
    }
}
