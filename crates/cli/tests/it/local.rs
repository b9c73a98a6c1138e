//! Without a network: create, append, cat, get, info.

use crate::program::{Place, run, run_and_look_away, run_with};

#[test]
fn create_prints_the_link_and_nothing_else_on_stdout() {
    let place = Place::new();
    let created = run(["create", &place.path("feed")]).ok();
    let link = created.text().strip_suffix('\n').unwrap();
    let key = link.strip_prefix("hyper://").unwrap();
    assert_eq!(key.len(), 64);
    assert!(key.bytes().all(|digit| digit.is_ascii_hexdigit()));
    assert!(created.stderr.contains("created"));
    let info = run(["info", &place.path("feed")]).ok();
    assert!(info.text().contains(key));
}

#[test]
fn create_does_not_touch_a_feed_that_is_there() {
    let place = Place::new();
    let dir = place.feed("feed", &["one"]);
    let before = std::fs::read(dir.join("key")).unwrap();
    run(["create", &place.path("feed")]).exits(1);
    assert_eq!(std::fs::read(dir.join("key")).unwrap(), before);
    assert_eq!(run(["cat", &place.path("feed")]).ok().text(), "one");
}

#[cfg(unix)]
#[test]
fn the_secret_key_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let secret = place.feed("feed", &[]).join("secret_key");
    let mode = std::fs::metadata(secret).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn texts_become_blocks() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &["one", "", "three"]);
    assert_eq!(run(["cat", &dir]).ok().text(), "onethree");
    assert_eq!(run(["get", &dir, "0"]).ok().text(), "one");
    assert_eq!(run(["get", &dir, "1"]).ok().text(), "");
    assert_eq!(run(["get", &dir, "2", "0"]).ok().text(), "threeone");
}

#[test]
fn what_append_tells_is_not_data() {
    let place = Place::new();
    place.feed("feed", &[]);
    let appended = run(["append", &place.path("feed"), "one", "two"]).ok();
    assert_eq!(appended.text(), "");
    assert!(appended.stderr.contains("0..2"), "{}", appended.stderr);
    assert!(appended.stderr.contains("1 signature"));
}

#[test]
fn a_file_is_cut_into_blocks_and_comes_back_whole() {
    let place = Place::new();
    let dir = place.path("feed");
    for (len, block, blocks) in [
        (0, "64k", 0),
        (1, "64k", 1),
        (65_536, "64k", 1),
        (65_537, "64KiB", 2),
        (1_000_000, "1000", 1000),
        (9_000_000, "1M", 9),
    ] {
        let bytes = place.file("file", len);
        place.feed("feed", &[]);
        run([
            "append",
            &dir,
            "--file",
            &place.path("file"),
            "--block",
            block,
        ])
        .ok();
        assert!(run(["cat", &dir]).ok().stdout == bytes, "{len} bytes");
        let info = run(["--json", "info", &dir]).ok().line("info");
        assert_eq!(info["length"], blocks);
        assert_eq!(info["byte_length"], len);
        assert_eq!(info["have"], blocks);
        std::fs::remove_dir_all(place.at("feed")).unwrap();
    }
}

#[test]
fn several_files_follow_one_another() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &[]);
    std::fs::write(place.at("a"), "first").unwrap();
    std::fs::write(place.at("b"), "second").unwrap();
    run([
        "append",
        &dir,
        "-f",
        &place.path("a"),
        "-f",
        &place.path("b"),
    ])
    .ok();
    assert_eq!(run(["get", &dir, "1"]).ok().text(), "second");
}

#[test]
fn standard_input_becomes_blocks_or_lines() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &[]);
    run_with(b"abcdefg", ["append", &dir, "--block", "3"]).ok();
    run_with(b"x\n\nlast", ["append", &dir, "--lines"]).ok();
    run_with(b"", ["append", &dir]).ok();
    for (block, text) in ["abc", "def", "g", "x", "", "last"].into_iter().enumerate() {
        let got = run(["get", &dir, &block.to_string()]).ok();
        assert_eq!(got.text(), text);
    }
    run(["get", &dir, "6"]).exits(5);
}

#[test]
fn a_reader_that_has_enough_ends_cat_quietly() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &[]);
    place.file("file", 4_000_000);
    run(["append", &dir, "--file", &place.path("file")]).ok();
    let ran = run_and_look_away(10, ["cat", &dir]).ok();
    assert_eq!(ran.stderr, "");
}

#[test]
fn audit_changes_nothing_unless_told_to_repair() {
    let place = Place::new();
    let (dir, path) = (
        place.feed("feed", &["one", "two", "three"]),
        place.path("feed"),
    );
    run(["audit", &path, "--deep"]).ok();
    std::fs::write(dir.join("data"), "oneTwothree").unwrap();
    std::fs::write(dir.join("bitfield"), []).unwrap();
    run(["audit", &path]).exits(4);
    assert!(std::fs::read(dir.join("bitfield")).unwrap().is_empty());
    let repaired = run(["audit", &path, "--deep", "--repair"]).ok();
    assert!(repaired.text().contains("claimed 0, proved 3"));
    run(["audit", &path, "--deep"]).ok();
    assert_eq!(run(["get", &path, "0", "2"]).ok().text(), "onethree");
    run(["get", &path, "1"]).exits(3);
}
