//! What can be shown to others: proofs in files, and two histories of one feed.

use std::fs;

use serde_json::json;

use crate::program::{Place, Served, run, run_with};

/// The key of a feed.
fn key_of(dir: &str) -> String {
    let info = run(["--json", "info", dir]).ok().line("info");
    info["key"].as_str().unwrap().to_owned()
}

#[test]
fn a_proof_is_checked_with_no_feed_and_no_network() {
    let place = Place::new();
    let (dir, file) = (place.path("feed"), place.path("proof"));
    place.feed("feed", &[]);
    let lines: String = (0..1000).map(|n| format!("{n}\n")).collect();
    run_with(lines.as_bytes(), ["append", &dir, "--lines"]).ok();
    let key = key_of(&dir);
    run(["proof", "export", &dir, "42", "-o", &file]).ok();
    assert!(fs::metadata(&file).unwrap().len() < 1000);
    fs::remove_dir_all(&dir).unwrap();

    let checked = run(["proof", "check", &file, "--key", &key]).ok();
    let expected = format!("block 42 (2 bytes) is in feed {key} at length 1000: signature valid\n");
    assert_eq!(checked.text(), expected);
    let link = format!("hyper://{key}?peer=127.0.0.1:1");
    let line = run(["--json", "proof", "check", &file, "--key", &link])
        .ok()
        .line("proof");
    assert_eq!(
        (&line["block"], &line["length"], &line["valid"]),
        (&json!(42), &json!(1000), &json!(true))
    );
}

#[test]
fn a_proof_of_something_else_is_4() {
    let place = Place::new();
    let (dir, file) = (place.path("feed"), place.path("proof"));
    place.feed("feed", &["one", "two", "three"]);
    place.feed("other", &["one"]);
    let key = key_of(&dir);
    run(["proof", "export", &dir, "1", "-o", &file]).ok();
    let proof = fs::read(&file).unwrap();
    run([
        "proof",
        "check",
        &file,
        "--key",
        &key_of(&place.path("other")),
    ])
    .exits(4);
    for at in 0..proof.len() {
        let mut changed = proof.clone();
        changed[at] ^= 1;
        let ran = run_with(&changed, ["proof", "check", "-", "--key", &key]).exits(4);
        assert_eq!(ran.text(), "", "byte {at}");
        assert!(ran.stderr.contains("hint: "), "byte {at}");
    }
    for len in [0, 2, 20, proof.len() - 4, proof.len() - 1] {
        run_with(&proof[..len], ["proof", "check", "-", "--key", &key]).exits(4);
    }
    run(["proof", "check", &place.path("none"), "--key", &key]).exits(1);
    run(["proof", "check", &file, "--key", "12"]).exits(2);
    run(["proof", "check", &file]).exits(2);
}

#[test]
fn a_proof_may_come_without_the_block() {
    let place = Place::new();
    let (dir, file) = (place.path("feed"), place.path("proof"));
    place.feed("feed", &["one", "", "three"]);
    let key = key_of(&dir);
    run(["proof", "export", &dir, "2", "-o", &file, "--no-block"]).ok();
    let ran = run(["proof", "check", &file, "--key", &key]).exits(4);
    assert!(ran.stderr.contains("--block"), "{}", ran.stderr);
    fs::write(place.at("block"), "three").unwrap();
    run([
        "proof",
        "check",
        &file,
        "--key",
        &key,
        "--block",
        &place.path("block"),
    ])
    .ok();
    fs::write(place.at("block"), "threw").unwrap();
    run([
        "proof",
        "check",
        &file,
        "--key",
        &key,
        "--block",
        &place.path("block"),
    ])
    .exits(4);
    // A block without bytes is there as well as left out.
    run(["proof", "export", &dir, "1", "-o", &file]).ok();
    run(["proof", "check", &file, "--key", &key]).ok();
    run(["proof", "export", &dir, "3", "-o", &file]).exits(5);
}

#[test]
fn a_proof_is_fetched_if_it_is_not_here() {
    let place = Place::new();
    let served = Served::start(&place.feed("feed", &["one", "two", "three"]), &[]);
    let file = place.path("proof");
    run(["proof", "export", &served.link(), "1", "-o", &file]).ok();
    run(["proof", "check", &file, "--key", &served.link()]).ok();
    let piped = run(["proof", "export", &served.link(), "1", "-o", "-"]).ok();
    assert_eq!(piped.stdout, fs::read(&file).unwrap());
}

#[test]
fn copies_of_one_history_differ_in_length_only() {
    let place = Place::new();
    let (dir, copy) = (place.path("feed"), place.path("copy"));
    place.feed("feed", &["one", "two"]);
    fs::create_dir(&copy).unwrap();
    for file in ["key", "tree", "data", "bitfield", "signatures"] {
        fs::copy(place.at("feed").join(file), place.at("copy").join(file)).unwrap();
    }
    let diff = |a: &str, b: &str| run(["--json", "diff", a, b]).ok().line("diff");
    assert_eq!(diff(&dir, &copy)["relation"], "same");
    run(["append", &dir, "three"]).ok();
    let longer = diff(&dir, &copy);
    assert_eq!(
        (&longer["relation"], &longer["common"]),
        (&json!("a_longer"), &json!(2))
    );
    assert_eq!(diff(&copy, &dir)["relation"], "b_longer");
    let text = run(["diff", &dir, &copy]).ok();
    assert!(
        text.text().contains("2 blocks are the same, 1 follow"),
        "{}",
        text.text()
    );

    place.feed("other", &["one", "two"]);
    let ran = run(["diff", &dir, &place.path("other")]).exits(1);
    assert!(ran.stderr.contains("two feeds"), "{}", ran.stderr);
}

#[test]
fn two_histories_are_found_and_proved() {
    let place = Place::new();
    let (one, other) = (place.path("one"), place.path("other"));
    place.feed("one", &[]);
    let secret = place.path("one/secret_key");
    run(["create", &other, "--from-secret", &secret]).ok();
    let same: Vec<_> = (0..37).map(|n| n.to_string()).collect();
    for dir in [&one, &other] {
        run([
            &["append", dir][..],
            &same.iter().map(String::as_str).collect::<Vec<_>>(),
        ]
        .concat())
        .ok();
    }
    run(["append", &one, "a", "b", "c"]).ok();
    run(["append", &other, "a", "x"]).ok();

    let evidence = place.path("evidence");
    let ran = run(["--json", "diff", &one, &other, "--evidence", &evidence]).exits(4);
    let diff = ran.line("diff");
    assert_eq!(
        (&diff["relation"], &diff["common"]),
        (&json!("fork"), &json!(38))
    );
    assert_eq!(diff["first_difference"], 38);

    let key = key_of(&one);
    let fork = run(["--json", "proof", "check", &evidence, "--key", &key])
        .ok()
        .line("fork");
    assert_eq!(fork["lengths"], json!([40, 39]));
    assert!(fork["start"].as_u64().unwrap() <= 38 && fork["end"].as_u64().unwrap() > 38);
    place.feed("third", &[]);
    run([
        "proof",
        "check",
        &evidence,
        "--key",
        &key_of(&place.path("third")),
    ])
    .exits(4);
}

#[test]
fn a_link_is_compared_with_what_is_here() {
    let place = Place::new();
    let dir = place.feed("feed", &["one", "two", "three", "four", "five"]);
    let copy = place.path("copy");
    fs::create_dir(&copy).unwrap();
    for file in ["key", "tree", "data", "bitfield", "signatures"] {
        fs::copy(dir.join(file), place.at("copy").join(file)).unwrap();
    }
    run(["append", &place.path("feed"), "six", "seven"]).ok();
    let served = Served::start(&dir, &[]);
    let diff = run(["--json", "diff", &copy, &served.link()])
        .ok()
        .line("diff");
    assert_eq!(
        (&diff["relation"], &diff["common"]),
        (&json!("b_longer"), &json!(5))
    );
}
