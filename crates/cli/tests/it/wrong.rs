//! Whatever can be wrong, with every command that can meet it: the exit code, and a message with the next step.

use std::{collections::BTreeSet, fs, net::TcpListener};

use crate::program::{Place, Ran, Served, run, run_by_shell};

/// A feed of three blocks, and what else the commands name.
struct World {
    place: Place,
}

impl World {
    fn new() -> Self {
        let place = Place::new();
        place.feed("feed", &["one", "two", "three"]);
        fs::write(place.at("file"), "a file").unwrap();
        World { place }
    }

    fn at(&self, name: &str) -> String {
        self.place.path(name)
    }

    /// A link to the feed by way of an address.
    fn link(&self, address: &str) -> String {
        let exported = run(["key", "export", &self.at("feed")]).ok();
        format!("hyper://{}?peer={address}", exported.text().trim())
    }

    /// Each command that opens the feed in a directory.
    fn opening(&self, dir: &str) -> Vec<Vec<String>> {
        let (out, secret) = (self.at("out"), self.at("feed/secret_key"));
        let other = self.at("feed");
        words(&[
            &["append", dir, "text"],
            &["serve", dir, "--tcp", "127.0.0.1:0", "--once"],
            &["audit", dir],
            &["verify", dir],
            &["sync", dir, "--peer", "127.0.0.1:1"],
            &["key", "import", dir, &secret],
            &["key", "backup", dir, "-o", &out, "--force"],
            &["diff", &other, dir],
        ])
        .into_iter()
        .chain(self.reading(dir))
        .collect()
    }

    /// Each command that reads a feed, be it in a directory or behind a link.
    fn reading(&self, feed: &str) -> Vec<Vec<String>> {
        let out = self.at("out");
        words(&[
            &["get", feed, "0"],
            &["cat", feed],
            &["tail", feed],
            &["ls", feed],
            &["seek", feed, "0"],
            &["info", feed],
            &["proof", "export", feed, "0", "-o", &out],
            &["inspect", feed],
        ])
    }

    /// Each command that writes a file or a directory of this name.
    fn writing(&self, to: &str) -> Vec<Vec<String>> {
        let dir = self.at("feed");
        words(&[
            &["create", to],
            &["key", "export", &dir, "--secret", "-o", to],
            &["key", "backup", &dir, "-o", to],
            &["proof", "export", &dir, "0", "-o", to],
            &["man", to],
            &["bench", "create", "--dir", to],
        ])
    }
}

fn words(commands: &[&[&str]]) -> Vec<Vec<String>> {
    let own = |words: &&[&str]| words.iter().map(|&word| word.to_owned()).collect();
    commands.iter().map(own).collect()
}

/// Looks at a run that failed.
#[track_caller]
fn check(arguments: &[String], ran: Ran, code: i32, told: &str) {
    assert_eq!(ran.code, Some(code), "{arguments:?}: {}", ran.stderr);
    assert!(
        !ran.stderr.contains("panicked"),
        "{arguments:?}: {}",
        ran.stderr
    );
    let said = format!("{}{}", ran.text(), ran.stderr);
    assert!(said.contains(told), "{arguments:?}: no {told:?} in {said}");
    let (message, next) = match code {
        2 => ("error: ", "For more information, try '--help'."),
        _ => ("error: ", "\nhint: "),
    };
    assert!(
        ran.stderr.contains(message),
        "{arguments:?}: {}",
        ran.stderr
    );
    assert!(ran.stderr.contains(next), "{arguments:?}: {}", ran.stderr);
}

/// Runs commands that must all fail in the same way, for people and for programs.
#[track_caller]
fn all_fail(commands: impl IntoIterator<Item = Vec<String>>, code: i32, told: &str) {
    for arguments in commands {
        let ran = run(&arguments);
        // What these find out is a result, also if it is bad.
        let reports = ["peers", "doctor"].contains(&arguments[0].as_str());
        assert!(ran.text().is_empty() || reports, "{arguments:?}");
        check(&arguments, ran, code, told);
        let mut with_json = arguments.clone();
        with_json.push("--json".to_owned());
        let ran = run(&with_json);
        let error = ran.line("error");
        assert_eq!(error["code"], code, "{arguments:?}");
        assert!(error["hint"].is_string(), "{arguments:?}: {error}");
        check(&arguments, ran, code, told);
    }
}

#[test]
fn a_key_that_is_none() {
    let world = World::new();
    let (dir, file, bad) = (world.at("feed"), world.at("file"), "hyper://12");
    let mut commands = world.reading(bad);
    commands.extend(words(&[
        &["clone", bad],
        &["peers", bad],
        &["doctor", bad],
        &["diff", &dir, bad],
        &["diff", bad, &dir],
        &["proof", "check", &file, "--key", bad],
        &["clone", "12"],
        &["clone", "hyper://?peer=127.0.0.1:1"],
    ]));
    all_fail(commands, 2, "64 hex digits");
}

#[test]
fn a_range_or_a_number_that_is_none() {
    let world = World::new();
    let (dir, key) = (world.at("feed"), "0".repeat(64));
    for (arguments, told) in [
        (
            &["cat", &dir, "--blocks", "7..3"][..],
            "ends before it begins",
        ),
        (&["cat", &dir, "--bytes", "1X.."], "unit"),
        (
            &["cat", &dir, "--blocks", "1..", "--bytes", "1.."],
            "cannot be used with",
        ),
        (&["ls", &dir, "--blocks", "a..b"], "unknown unit"),
        (&["clone", &key, "--blocks", "..-"], "a range is written"),
        (&["tail", &dir, "-n", "many"], "many"),
        (&["get", &dir, "one"], "one"),
        (&["get", &dir, "-1"], "-1"),
        (&["seek", &dir, "1.5k"], "a size is a number and a unit"),
        (&["verify", &dir, "--at", "last"], "last"),
        (&["proof", "export", &dir, "x", "-o", "out"], "x"),
        (&["append", &dir, "--block", "9G"], "a block has"),
        (&["clone", &key, "--timeout", "soon"], "unknown unit"),
        (&["serve", &dir, "--tcp", "nowhere"], "nowhere"),
        (&["serve", &dir, "--connections", "-1"], "-1"),
        (&["inspect", &dir, "--port", "70000"], "70000"),
        (&["info", &dir, "--color", "pink"], "pink"),
        (&["creat", &dir], "'create'"),
        (&["bench", "--scale", "0"], "0"),
        (&["bench", "swim"], "swim"),
        (&["completions", "ed"], "ed"),
    ] {
        all_fail(words(&[arguments]), 2, told);
    }
}

#[test]
fn a_block_that_is_not_there() {
    let world = World::new();
    let (dir, out) = (world.at("feed"), world.at("out"));
    let commands = words(&[
        &["get", &dir, "3"],
        &["seek", &dir, "11"],
        &["verify", &dir, "--at", "3"],
        &["proof", "export", &dir, "3", "-o", &out],
    ]);
    for arguments in commands {
        let ran = run(&arguments).exits(5);
        assert!(ran.stderr.contains("error: "), "{arguments:?}");
    }
}

#[test]
fn no_feed_there() {
    let world = World::new();
    let none = world.at("none");
    let mut commands = world.opening(&none);
    commands.extend(words(&[
        &["key", "show", &none],
        &["key", "export", &none],
        &["peers", &none],
        &["doctor", &none],
    ]));
    all_fail(commands, 5, "hypercore create");
    assert!(!world.place.at("none").exists());
}

#[test]
fn a_feed_that_another_process_has() {
    let world = World::new();
    let dir = world.at("feed");
    let served = Served::start(&world.place.at("feed"), &[]);
    let mut commands = world.opening(&dir);
    commands.extend(words(&[&["clone", &served.link(), &dir]]));
    all_fail(commands, 7, "another process");
    // Its keys can be told all the same.
    run(["key", "show", &dir]).ok();
}

#[test]
fn a_peer_that_is_not_there() {
    let world = World::new();
    // A port that was free a moment ago.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap().to_string();
    drop(closed);
    let link = world.link(&address);
    let mut commands = world.reading(&link);
    commands.extend(words(&[
        &["clone", &link, &world.at("copy")],
        &["peers", &link],
        &["doctor", &link],
        &["sync", &world.at("feed"), "--peer", &address],
        &["diff", &world.at("feed"), &link],
    ]));
    all_fail(commands, 6, &address);
}

#[test]
fn a_peer_of_another_dialect() {
    let world = World::new();
    let served = Served::start(&world.place.at("feed"), &["--dialect", "9"]);
    let clone = ["clone", &served.link(), &world.at("copy"), "--dialect", "8"];
    all_fail(words(&[&clone]), 6, "--dialect");
}

#[test]
fn a_disk_that_is_full() {
    let world = World::new();
    let dir = world.at("feed");
    // A file may be no longer than this, and nobody is killed for trying.
    let full = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    fs::write(world.place.at("large"), vec![b'x'; 100_000]).unwrap();
    let append = ["append", &dir, "--file", &world.at("large")];
    let ran = run_by_shell(full, append);
    check(&words(&[&append])[0], ran, 1, "make room");
    assert_eq!(run(["cat", &dir]).ok().text(), "onetwothree");

    run(append).ok();
    let served = Served::start(&world.place.at("feed"), &[]);
    let clone = ["clone", &served.link(), &world.at("copy")];
    let ran = run_by_shell(full, clone);
    check(&words(&[&clone])[0], ran, 1, "make room");
    // With room again it goes on.
    run(clone).ok();
    drop(served);

    for arguments in world
        .reading(&dir)
        .into_iter()
        .chain(words(&[&["verify", &dir]]))
    {
        if ["proof", "inspect"].contains(&arguments[0].as_str()) {
            continue;
        }
        let ran = run_by_shell("exec \"$0\" \"$@\" > /dev/full", &arguments);
        check(&arguments, ran, 1, "room");
    }
    let export = ["proof", "export", &dir, "0", "-o", "/dev/full"];
    all_fail(words(&[&export]), 1, "make room");
}

#[test]
fn a_place_where_nothing_can_be_written() {
    let world = World::new();
    // The superuser may write anywhere, but no file has files in it, and nothing is made in /proc.
    let below = world.at("file/below");
    all_fail(world.writing(&below), 1, "a file is in the way");
    all_fail(world.opening(&below), 1, "a file is in the way");
    for arguments in world.writing("/proc/hypercore") {
        check(&arguments, run(&arguments), 1, "/proc/hypercore");
    }
    let link = world.link("127.0.0.1:1");
    all_fail(
        words(&[&["clone", &link, &below]]),
        1,
        "a file is in the way",
    );
    let man = ["man", &world.at("file")];
    all_fail(words(&[&man]), 1, "a file is in the way");
}

#[test]
fn files_that_are_damaged() {
    let world = World::new();
    let dir = world.at("feed");
    let bitfield = fs::read(world.place.at("feed/bitfield")).unwrap();
    for command in [
        &["get", &dir, "1"][..],
        &["cat", &dir, "--blocks", "1.."],
        &["tail", &dir, "-n", "2"],
        &["cat", &dir, "--bytes", "3..5"],
        &["proof", "export", &dir, "1", "-o", &world.at("out")],
    ] {
        for more in [&[][..], &["--json"]] {
            // Whoever finds a damaged block forgets it, so that it can be fetched again.
            fs::write(world.place.at("feed/data"), "oneTwothree").unwrap();
            fs::write(world.place.at("feed/bitfield"), &bitfield).unwrap();
            let arguments = words(&[&[command, more].concat()]).remove(0);
            check(&arguments, run(&arguments), 4, "audit");
        }
    }
    fs::write(world.place.at("feed/bitfield"), &bitfield).unwrap();
    check(
        &words(&[&["audit", &dir]])[0],
        run(["audit", &dir]),
        4,
        "--repair",
    );

    fs::write(world.place.at("feed/key"), "short").unwrap();
    let mut commands = world.opening(&dir);
    commands.extend(words(&[&["key", "show", &dir], &["key", "export", &dir]]));
    all_fail(commands, 4, "the file key is damaged");
    fs::write(world.place.at("proof"), "HCP").unwrap();
    let check = [
        "proof",
        "check",
        &world.at("proof"),
        "--key",
        &"0".repeat(64),
    ];
    all_fail(words(&[&check]), 4, "proof");
}

#[test]
fn every_command_is_in_these_tables() {
    let world = World::new();
    let tables = [
        world.opening("dir"),
        world.writing("file"),
        words(&[&["clone"], &["peers"], &["doctor"], &["completions"]]),
    ];
    let tested: BTreeSet<String> = tables
        .concat()
        .iter()
        .map(|words| words[0].clone())
        .collect();
    let help = run(["--help"]).ok();
    let groups = help.text().split("\n\nOptions:").next().unwrap();
    for name in groups.lines().filter_map(|line| line.strip_prefix("  ")) {
        let name = name.split(' ').next().unwrap();
        assert!(tested.contains(name), "{name}");
    }
}
