//! The hidden command of side-by-side benchmarks: every workload says what it measured, and does what it is named after.

use serde_json::Value;

use crate::program::{Place, run, start};

/// Runs a workload and reads its line, the last of its output.
fn measure(arguments: &[&str]) -> Value {
    let ran = run([&["bench-peer"], arguments].concat()).ok();
    let line: Value = serde_json::from_str(ran.text().lines().last().unwrap()).unwrap();
    assert_eq!(line["cmd"], arguments[0]);
    assert!(line["seconds"].as_f64().unwrap() >= 0.0 && line["cpu"].as_f64().unwrap() >= 0.0);
    line
}

#[test]
fn all_ways_to_append_make_the_same_feed() {
    let place = Place::new();
    let mut roots = Vec::new();
    for (name, how) in [
        ("single", &["--batch", "1"][..]),
        ("pipelined", &["--batch", "1", "--pipeline"]),
        ("batches", &["--batch", "7"]),
        ("durable", &["--batch", "50", "--sync", "--unknown", "x"]),
    ] {
        let dir = place.path(name);
        let fixed = ["append", "--dir", &dir, "--count", "100", "--size", "10"];
        let line = measure(&[&fixed[..], how].concat());
        assert_eq!(
            (&line["count"], &line["bytes"]),
            (&100.into(), &1000.into())
        );
        assert!(line["disk_apparent"].as_u64().unwrap() > 1000);
        roots.push(line["root"].clone());
        let audited = measure(&["audit", "--dir", &dir]);
        assert_eq!(
            (&audited["count"], &audited["invalid"]),
            (&100.into(), &0.into())
        );
    }
    roots.dedup();
    assert_eq!(roots.len(), 1);
}

#[test]
fn reading_reads_everything() {
    let place = Place::new();
    let dir = place.path("feed");
    measure(&["noop"]);
    measure(&["create", "--dir", &dir]);
    measure(&[
        "append", "--dir", &dir, "--count", "100", "--size", "10", "--batch", "100",
    ]);
    let opened = measure(&["open", "--dir", &dir]);
    assert_eq!(opened["count"], 100);
    assert!(opened["first_get_seconds"].as_f64().unwrap() > 0.0);
    for inflight in ["1", "16"] {
        let got = measure(&[
            "get",
            "--dir",
            &dir,
            "--count",
            "300",
            "--seed",
            "7",
            "--inflight",
            inflight,
        ]);
        assert_eq!((&got["count"], &got["bytes"]), (&300.into(), &3000.into()));
    }
    let read = measure(&["stream", "--dir", &dir, "--batch", "9"]);
    assert_eq!(
        (&read["count"], &read["bytes"]),
        (&100.into(), &1000.into())
    );
}

#[test]
fn a_server_is_cloned_and_asked_for_single_blocks_and_bytes() {
    let place = Place::new();
    let dir = place.path("feed");
    let made = measure(&[
        "append", "--dir", &dir, "--count", "200", "--size", "10", "--batch", "50",
    ]);
    let serving = start(["bench-peer", "serve", "--dir", &dir, "--port", "0"]);
    let hello: Value = serde_json::from_str(&serving.first_output_line()).unwrap();
    let (connect, key) = (
        format!("127.0.0.1:{}", hello["listening"]),
        hello["key"].as_str().unwrap(),
    );
    let common = [
        "--connect",
        &connect,
        "--key",
        key,
        "--length",
        "200",
        "--bytes",
        "2000",
    ];

    let copy = place.path("copy");
    let cloned = measure(&[&["clone", "--dir", &copy][..], &common].concat());
    assert_eq!(
        (&cloned["count"], &cloned["root"]),
        (&200.into(), &made["root"])
    );
    assert!(
        cloned["wire_rx"].as_u64().unwrap() > 2000 && cloned["wire_tx"].as_u64().unwrap() > 200
    );
    for workload in ["sparse", "seek"] {
        let copy = place.path(workload);
        let some = ["--count", "20", "--seed", "11", "--inflight", "4"];
        let found = measure(&[&[workload, "--dir", &copy][..], &common, &some].concat());
        assert_eq!(found["count"], 20);
    }
    let ended = serving.wait().ok();
    assert!(
        ended
            .text()
            .lines()
            .last()
            .unwrap()
            .contains("\"cmd\":\"serve\"")
    );
}

#[test]
fn what_is_no_workload_is_said_to_be_none() {
    let ran = run(["bench-peer", "fly", "--dir", "x"]).ok();
    assert!(ran.text().contains("\"unsupported\":true"));
    let wrong = run(["bench-peer", "append", "--dir", "x", "--count", "many"]).exits(1);
    assert!(
        wrong.stderr.contains("--count can't be many"),
        "{}",
        wrong.stderr
    );
}
