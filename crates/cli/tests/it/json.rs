//! `--json`: one object a line, `{"v":1,"type":...}`, on standard output.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::program::{Place, Served, run, run_in, run_with};

/// The names of the fields of a line, sorted, without `v` and `type`.
fn fields(line: &Value) -> Vec<&str> {
    let object = line.as_object().unwrap();
    let names = object.keys().map(String::as_str);
    let mut names: Vec<_> = names.filter(|name| !["v", "type"].contains(name)).collect();
    names.sort_unstable();
    names
}

#[test]
fn local_commands_print_what_is_documented() {
    let place = Place::new();
    let dir = place.path("feed");
    let created = run(["--json", "create", &dir]).ok().line("created");
    assert_eq!(fields(&created), ["dir", "discovery_key", "key", "link"]);

    // The switch may also come last.
    let added = run(["append", &dir, "one", "two", "--json"])
        .ok()
        .line("added");
    let expected = json!({
        "v": 1, "type": "added", "start": 0, "end": 2, "bytes": 6, "signatures": 1,
        "length": 2, "byte_length": 6,
    });
    assert_eq!(added, expected);

    let info = run(["--json", "info", &dir]).ok().line("info");
    assert_eq!(
        fields(&info),
        [
            "byte_length",
            "discovery_key",
            "disk",
            "feed",
            "form",
            "have",
            "key",
            "length",
            "roots",
            "static",
            "tree_hash",
            "writable"
        ]
    );
    assert_eq!(info["key"], created["key"]);

    let got = run(["--json", "get", &dir, "1"]).ok().line("block");
    let expected = json!({
        "v": 1, "type": "block", "index": 1, "len": 3, "data": BASE64.encode(b"two"),
    });
    assert_eq!(got, expected);

    // Only what is UTF-8 can be text.
    run_with(&[0xff], ["append", &dir]).ok();
    let mixed = run(["--json", "--utf8", "get", &dir, "1", "2"])
        .ok()
        .lines();
    assert_eq!(
        (&mixed[0]["text"], &mixed[0]["data"]),
        (&json!("two"), &Value::Null)
    );
    assert_eq!(
        (&mixed[1]["text"], &mixed[1]["data"]),
        (&Value::Null, &json!("/w=="))
    );

    let cat = run(["--json", "cat", &dir]).ok();
    let types: Vec<_> = cat
        .lines()
        .iter()
        .map(|line| line["type"].clone())
        .collect();
    assert_eq!(types, ["block", "block", "block", "summary"]);
}

#[test]
fn a_failure_is_a_line_as_well_with_its_exit_code() {
    let place = Place::new();
    let ran = run(["--json", "info", &place.path("none")]).exits(5);
    let error = ran.line("error");
    assert_eq!(fields(&error), ["code", "hint", "message"]);
    assert_eq!(error["code"], 5);
    assert!(ran.stderr.contains(error["message"].as_str().unwrap()));
}

#[test]
fn a_wrong_command_line_is_a_line_too() {
    let ran = run(["info", "--json"]).exits(2);
    let error = ran.line("error");
    assert_eq!(error["code"], 2);
    assert!(
        error["message"].as_str().unwrap().contains("required"),
        "{error}"
    );
    assert!(ran.stderr.contains("Usage:"));
}

#[test]
fn the_environment_asks_for_json_as_the_switch_does() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &["one"]);
    let ran = run_in(
        &[("HYPERCORE_JSON", "1"), ("HYPERCORE_UTF8", "yes")],
        ["get", &dir, "0"],
    )
    .ok();
    assert_eq!(ran.line("block")["text"], "one");
    let ran = run_in(&[("HYPERCORE_JSON", "0")], ["get", &dir, "0"]).ok();
    assert_eq!(ran.text(), "one");
}

#[test]
fn errors_are_coloured_only_where_that_is_asked_for() {
    let place = Place::new();
    let dir = place.path("none");
    let red = "\u{1b}[";
    assert!(!run(["info", &dir]).exits(5).stderr.contains(red));
    assert!(
        run(["--color", "always", "info", &dir])
            .exits(5)
            .stderr
            .contains(red)
    );
    let forced = [("CLICOLOR_FORCE", "1")];
    assert!(
        run_in(&forced, ["info", &dir])
            .exits(5)
            .stderr
            .contains(red)
    );
    let never = ["--color", "never", "info", dir.as_str()];
    assert!(!run_in(&forced, never).exits(5).stderr.contains(red));
}

#[test]
fn serve_and_clone_tell_of_connections_and_of_the_outcome() {
    let place = Place::new();
    let dir = place.feed("feed", &["one", "two"]);
    let served = Served::start(&dir, &["--once", "--not-live"]);
    assert_eq!(
        fields(&served.listening),
        [
            "address",
            "byte_length",
            "discovery_key",
            "key",
            "length",
            "link",
            "port",
            "writable"
        ]
    );
    let cloned = run(["--json", "clone", &served.link(), &place.path("copy")]).ok();
    let summary = cloned.line("summary");
    assert_eq!(
        fields(&summary),
        ["byte_length", "complete", "have", "length", "tree_hash"]
    );
    assert_eq!(
        (&summary["have"], &summary["complete"]),
        (&json!(2), &json!(true))
    );
    let reached = cloned.line("connected");
    assert_eq!(fields(&reached), ["dialect", "peer"]);
    assert_eq!(reached["peer"], served.listening["address"]);
    for line in cloned.lines() {
        let kind = line["type"].as_str().unwrap();
        assert!(
            ["connected", "progress", "summary"].contains(&kind),
            "{line}"
        );
    }

    let served = served.running.wait().ok();
    let connected = served.line("connected");
    let disconnected = served.line("disconnected");
    assert_eq!(fields(&connected), ["peer"]);
    assert_eq!(
        fields(&disconnected),
        ["bytes_received", "bytes_sent", "finished", "peer"]
    );
    assert_eq!(disconnected["finished"], true);
    assert_eq!(disconnected["peer"], connected["peer"]);
}
