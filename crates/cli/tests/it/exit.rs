//! The exit codes, as `--help` documents them.

use std::{fs, io::Write, net::TcpListener, thread};

use crate::program::{Place, Served, run, start, wait_until};

const KEY: &str = "6b7ecf9ce456d56e5145ec4c00112233445566778899aabbccddeeff01020304";

/// The first data bits of a bitfield file lie behind its header.
const FIRST_BITS: usize = 32;

#[test]
fn help_documents_the_exit_codes() {
    let help = run(["--help"]).ok();
    for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "6 ", "7 ", "130 "] {
        let documented = |line: &str| line.trim_start().starts_with(code);
        assert!(help.text().lines().any(documented), "{code}");
    }
}

#[test]
fn a_wrong_command_line_is_2() {
    let place = Place::new();
    let dir = place.path("feed");
    for arguments in [
        &["creat", &dir][..],
        &["append", &dir, "--block", "9G"],
        &["append", &dir, "text", "--file", "file"],
        &["append", &dir, "text", "--lines"],
        &["get", &dir],
        &["get", &dir, "-1"],
        &["clone", "hyper://12", &dir],
        &["clone", KEY, &dir, "--dialect", "10"],
        &["clone", KEY, &dir, "--until", "3"],
        &["serve", &dir, "--tcp", "nowhere"],
    ] {
        let ran = run(arguments).exits(2);
        assert_eq!(ran.text(), "", "{arguments:?}");
    }
    assert!(!place.at("feed").exists());
}

#[test]
fn a_block_that_is_not_here_is_3() {
    let place = Place::new();
    let dir = place.feed("feed", &["one", "two"]);
    let mut bits = fs::read(dir.join("bitfield")).unwrap();
    assert_eq!(bits[FIRST_BITS], 0b1100_0000);
    bits[FIRST_BITS] = 0b0100_0000;
    fs::write(dir.join("bitfield"), bits).unwrap();
    run(["get", &place.path("feed"), "0"]).exits(3);
    run(["cat", &place.path("feed")]).exits(3);
    assert_eq!(run(["get", &place.path("feed"), "1"]).ok().text(), "two");
}

#[test]
fn damage_is_4_and_the_damaged_bytes_are_not_printed() {
    let place = Place::new();
    let dir = place.feed("feed", &["one", "two"]);
    fs::write(dir.join("data"), "oneTwo").unwrap();
    let ran = run(["cat", &place.path("feed")]).exits(4);
    assert_eq!(ran.text(), "one");
    assert!(ran.stderr.starts_with("error: "));
}

#[test]
fn no_feed_and_no_block_is_5_and_leaves_nothing_behind() {
    let place = Place::new();
    let dir = place.path("feed");
    for arguments in [
        &["info", &dir][..],
        &["cat", &dir],
        &["get", &dir, "0"],
        &["append", &dir, "text"],
        &["serve", &dir],
    ] {
        run(arguments).exits(5);
        assert!(!place.at("feed").exists(), "{arguments:?}");
    }
    place.feed("feed", &["one"]);
    run(["get", &dir, "1"]).exits(5);
}

#[test]
fn nobody_there_is_6() {
    let place = Place::new();
    run(["clone", KEY, &place.path("none")]).exits(6);
    // A port that was free a moment ago.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap().to_string();
    drop(closed);
    let ran = run(["clone", KEY, &place.path("none"), "--peer", &address]).exits(6);
    assert!(ran.stderr.contains(&address), "{}", ran.stderr);
}

#[test]
fn somebody_who_does_not_speak_the_protocol_is_6() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let stranger = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        // It may hang up on us before we are done.
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = std::io::copy(&mut socket, &mut std::io::sink());
    });
    run(["clone", KEY, &place.path("none"), "--peer", &address]).exits(6);
    stranger.join().unwrap();
}

#[test]
fn another_dialect_is_6_and_the_hint_says_what_to_do() {
    let place = Place::new();
    let dir = place.feed("feed", &["one"]);
    let served = Served::start(&dir, &["--dialect", "9"]);
    let copy = place.path("copy");
    let ran = run(["clone", &served.link(), &copy, "--dialect", "8"]).exits(6);
    assert!(ran.stderr.contains("--dialect"), "{}", ran.stderr);
}

#[test]
fn a_locked_feed_is_7() {
    let place = Place::new();
    let dir = place.feed("feed", &["one"]);
    let served = Served::start(&dir, &[]);
    for arguments in [
        &["append", &place.path("feed"), "text"][..],
        &["cat", &place.path("feed")],
        &["serve", &place.path("feed")],
    ] {
        run(arguments).exits(7);
    }
    drop(served);
    assert_eq!(run(["cat", &place.path("feed")]).ok().text(), "one");
}

#[cfg(unix)]
#[test]
fn ctrl_c_is_130_and_what_was_stored_stays() {
    let place = Place::new();
    let dir = place.feed("feed", &["one"]);
    let served = Served::start(&dir, &[]);
    served.running.interrupt();
    let ran = served.running.wait().exits(130);
    assert!(ran.stderr.contains("interrupted"));

    // Also while it waits for a keyboard, when the first batch is in and the next one, that isn't full, went in with the pause.
    let mut appending = start(["append", &place.path("feed"), "--block", "1M"]);
    let mut keyboard = appending.stdin();
    keyboard.write_all(&vec![b'x'; (5 << 20) + 9]).unwrap();
    wait_until("both batches", || {
        let written = fs::metadata(dir.join("bitfield"))
            .unwrap()
            .modified()
            .unwrap();
        let data = fs::metadata(dir.join("data")).unwrap();
        (data.len() == 3 + (5 << 20) && written >= data.modified().unwrap()).then_some(())
    });
    appending.interrupt();
    appending.wait().exits(130);
    drop(keyboard);
    let info = run(["--json", "info", &place.path("feed")])
        .ok()
        .line("info");
    assert_eq!(info["length"], 6);
    assert_eq!(
        run(["get", &place.path("feed"), "5"]).ok().stdout.len(),
        1 << 20
    );
}
