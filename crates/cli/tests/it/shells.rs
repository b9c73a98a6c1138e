//! Completions, manual pages, and what the machine can do.

use std::fs;

use crate::program::{Place, run};

#[test]
fn each_shell_has_completions_that_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(["completions", shell]).ok();
        for word in ["append", "from-secret", "json-lines", "completions"] {
            assert!(script.text().contains(word), "{shell}: {word}");
        }
        let line = run(["--json", "completions", shell])
            .ok()
            .line("completions");
        assert_eq!(line["script"], script.text());
    }
    run(["completions", "ed"]).exits(2);
}

#[test]
fn each_command_has_a_manual_page() {
    let place = Place::new();
    let page = run(["man"]).ok();
    assert!(page.text().starts_with(".ie") || page.text().contains(".TH hypercore 1"));
    run(["man", &place.path("pages")]).ok();
    let pages = fs::read_dir(place.at("pages")).unwrap();
    let names: Vec<_> = pages
        .map(|page| page.unwrap().file_name().into_string().unwrap())
        .collect();
    for name in [
        "hypercore.1",
        "hypercore-append.1",
        "hypercore-key-import.1",
    ] {
        assert!(names.contains(&name.to_owned()), "{name}: {names:?}");
    }
    fs::write(place.at("file"), "").unwrap();
    run(["man", &place.path("file")]).exits(1);
}

#[test]
fn bench_runs_each_workload_and_leaves_nothing_behind() {
    let place = Place::new();
    let dir = place.path("disk");
    fs::create_dir(&dir).unwrap();
    let ran = run(["bench", "--scale", "1", "--dir", &dir, "--json"]).ok();
    let names: Vec<_> = ran
        .lines()
        .iter()
        .map(|line| line["workload"].clone())
        .collect();
    let all = [
        "create",
        "append",
        "append-batch",
        "open",
        "get",
        "stream",
        "audit",
        "clone",
    ];
    assert_eq!(names, all);
    assert!(
        ran.lines()
            .iter()
            .all(|line| line["nanos"].as_u64() > Some(0))
    );
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    let one = run(["bench", "get", "--scale", "1", "--dir", &dir]).ok();
    assert_eq!(one.text().lines().count(), 1, "{}", one.text());
}

#[test]
fn bench_says_what_it_takes_to_compare_with_javascript() {
    let place = Place::new();
    let ran = run(["bench", "--compare-js", &place.path("none")]).exits(1);
    assert!(ran.stderr.contains("npm install"), "{}", ran.stderr);
    // A package that can't be loaded, or no node at all.
    fs::create_dir_all(place.at("node_modules/hypercore")).unwrap();
    let ran = run([
        "bench",
        "create",
        "--scale",
        "1",
        "--compare-js",
        &place.path(""),
    ])
    .exits(1);
    assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
}
