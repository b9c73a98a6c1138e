//! Completions and manual pages.

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
