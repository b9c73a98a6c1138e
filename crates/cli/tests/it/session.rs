//! A first hour with the program, from one end to the other: what a person would type, and what they would see.

use std::fs;

use crate::program::{Place, Served, run, run_with, start};

#[test]
fn a_feed_is_made_shared_read_in_part_and_proved() {
    let place = Place::new();
    let (dir, copy, proof) = (place.path("weather"), place.path("copy"), place.path("p42"));
    let created = run(["create", &dir]).ok();
    assert!(
        created.stderr.contains("(empty, writable)"),
        "{}",
        created.stderr
    );
    let numbers: String = (1..=1000).map(|n| format!("{n}\n")).collect();
    let added = run_with(numbers.as_bytes(), ["append", &dir, "--lines"]).ok();
    assert!(
        added
            .stderr
            .contains("added    0..1000   2893 bytes   1 signature\n"),
        "{}",
        added.stderr
    );

    let served = Served::start(&place.at("weather"), &[]);
    let cloned = run(["clone", &served.link(), &copy, "--sparse", "--json"]).ok();
    let summary = cloned.line("summary");
    assert_eq!(
        (summary["length"].as_u64(), summary["have"].as_u64()),
        (Some(1000), Some(0))
    );
    // Of the last bytes only the last blocks are fetched.
    let tail = run(["cat", &copy, "--bytes", "2887..2893", "--sep", "\n"]).ok();
    assert_eq!(tail.text(), "99\n1000\n");
    let info = run(["--json", "info", &copy]).ok().line("info");
    assert!(info["have"].as_u64().unwrap() <= 3, "{info}");
    let audited = run(["audit", &copy, "--deep", "--json"]).ok().line("audit");
    assert_eq!(audited["invalid"], 0);

    let key = info["key"].as_str().unwrap();
    run(["proof", "export", &copy, "42", "-o", &proof]).ok();
    drop(served);
    let checked = run(["proof", "check", &proof, "--key", key]).ok();
    assert!(checked.text().contains("block 42 (2 bytes) is in feed"));
    assert!(fs::metadata(&proof).unwrap().len() < 1000);
}

#[cfg(unix)]
#[test]
fn what_is_fetched_when_the_time_is_over_is_counted() {
    let place = Place::new();
    place.feed("feed", &["one"]);
    // The copy wants more than anybody has.
    let served = Served::start(&place.at("feed"), &[]);
    let clone = [
        "clone",
        &served.link(),
        &place.path("copy"),
        "--live",
        "--until",
        "5",
        "--timeout",
        "1s",
        "--json",
    ];
    let ran = start(clone).wait().exits(3);
    let summary = ran.line("summary");
    assert_eq!(
        (summary["have"].as_u64(), &summary["complete"]),
        (Some(1), &false.into())
    );
}
