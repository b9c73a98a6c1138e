//! Secret keys: where they are kept, and where they never go.

use std::fs;

use crate::program::{Place, run, run_in, run_with};

/// Who may read a file.
#[cfg(unix)]
fn mode(path: impl AsRef<std::path::Path>) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn key_of(dir: &str) -> String {
    let shown = run(["--json", "key", "show", dir]).ok().line("key");
    shown["key"].as_str().unwrap().to_owned()
}

#[test]
fn a_secret_key_is_shown_only_if_asked_for() {
    let place = Place::new();
    let dir = place.path("feed");
    let secret = fs::read(place.feed("feed", &["one"]).join("secret_key")).unwrap();
    let hex = data_encoding::HEXLOWER.encode(&secret);
    for arguments in [
        &["key", "show", &dir][..],
        &["key", "export", &dir],
        &["--json", "key", "show", &dir],
        &["info", &dir],
    ] {
        let ran = run(arguments).ok();
        assert!(!ran.text().contains(&hex[..64]), "{arguments:?}");
        assert!(ran.text().contains(&key_of(&dir)), "{arguments:?}");
    }
    let shown = run(["key", "show", &dir, "--secret"]).ok();
    assert!(shown.text().contains(&hex));
    let exported = run(["key", "export", &dir, "--secret"]).ok();
    assert_eq!(exported.text(), format!("{hex}\n"));
}

#[cfg(unix)]
#[test]
fn a_secret_key_is_not_printed_on_a_terminal() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt, process::Command};

    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &[]);
    for (arguments, code) in [
        (&["key", "show", &dir, "--secret"][..], Some(1)),
        (&["key", "export", &dir, "--secret"], Some(1)),
        (&["key", "show", &dir], Some(0)),
        (&["key", "show", &dir, "--secret", "--force"], Some(0)),
    ] {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let name = OsStr::from_bytes(name.as_bytes());
        let screen = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(name)
            .unwrap();
        let ended = Command::new(env!("CARGO_BIN_EXE_hypercore"))
            .args(arguments)
            .stdout(screen)
            .output()
            .unwrap();
        let told = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), code, "{arguments:?}: {told}");
        assert_eq!(told.contains("hint: "), code == Some(1));
    }
}

#[cfg(unix)]
#[test]
fn exported_keys_are_for_their_owner_and_replace_nothing() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &[]);
    let file = place.path("secret");
    fs::write(&file, "something else").unwrap();
    let ran = run(["key", "export", &dir, "--secret", "-o", &file]).exits(1);
    assert!(ran.stderr.contains("--force"), "{}", ran.stderr);
    assert_eq!(fs::read(&file).unwrap(), b"something else");
    run(["key", "export", &dir, "--secret", "-o", &file, "--force"]).ok();
    assert_eq!(mode(&file), 0o600);
    run(["key", "backup", &dir, "-o", &place.path("backup")]).ok();
    assert_eq!(mode(place.path("backup")), 0o600);
}

#[test]
fn a_feed_is_made_again_from_any_form_of_its_secret_key() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &[]);
    run(["key", "export", &dir, "--secret", "-o", &place.path("hex")]).ok();
    run(["key", "backup", &dir, "-o", &place.path("backup")]).ok();
    for (n, file) in ["feed/secret_key", "hex", "backup"].into_iter().enumerate() {
        let again = place.path(&n.to_string());
        run(["create", &again, "--from-secret", &place.path(file)]).ok();
        assert_eq!(key_of(&again), key_of(&dir), "{file}");
        run(["append", &again, "text"]).ok();
    }
    let again = place.path("from-input");
    let hex = fs::read(place.at("hex")).unwrap();
    run_with(&hex, ["create", &again, "--from-secret", "-"]).ok();
    assert_eq!(key_of(&again), key_of(&dir));
    fs::write(place.at("none"), "no key").unwrap();
    let ran = run([
        "create",
        &place.path("none-made"),
        "--from-secret",
        &place.path("none"),
    ]);
    ran.exits(1);
    assert!(!place.at("none-made").exists());
}

#[test]
fn a_feed_that_had_blocks_is_not_made_empty() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &["one"]);
    let backup = place.path("backup");
    run(["key", "backup", &dir, "-o", &backup]).ok();
    let ran = run(["create", &place.path("again"), "--from-secret", &backup]).exits(1);
    assert!(
        ran.stderr.contains("hypercore clone hyper://"),
        "{}",
        ran.stderr
    );
    assert!(!place.at("again").exists());
}

/// A copy of a feed as it is: all but its secret key.
fn copy(place: &Place, name: &str) -> String {
    fs::create_dir(place.at(name)).unwrap();
    for file in ["key", "tree", "data", "bitfield", "signatures"] {
        fs::copy(place.at("feed").join(file), place.at(name).join(file)).unwrap();
    }
    place.path(name)
}

#[test]
fn a_copy_becomes_writable_once_it_has_all_that_was_signed() {
    let place = Place::new();
    let dir = place.path("feed");
    place.feed("feed", &["one"]);
    let old = copy(&place, "old");
    run(["append", &dir, "two"]).ok();
    let backup = place.path("backup");
    run(["key", "backup", &dir, "-o", &backup]).ok();
    let whole = copy(&place, "whole");

    let ran = run(["append", &whole, "three"]).exits(1);
    assert!(ran.stderr.contains("key import"), "{}", ran.stderr);
    let ran = run(["--json", "key", "import", &whole, &backup]).ok();
    assert_eq!(ran.line("imported")["length"], 2);
    run(["append", &whole, "three"]).ok();

    // Appending here would sign a second history.
    let ran = run(["key", "import", &old, &backup]).exits(3);
    assert!(ran.stderr.contains("1 blocks are here"), "{}", ran.stderr);
    assert!(!place.at("old").join("secret_key").exists());
    run(["key", "import", &old, &backup, "--force"]).ok();
    assert!(place.at("old").join("secret_key").exists());
}

#[test]
fn the_key_of_another_feed_is_refused() {
    let place = Place::new();
    place.feed("feed", &["one"]);
    place.feed("other", &[]);
    let whole = copy(&place, "copy");
    let ran = run(["key", "import", &whole, &place.path("other/secret_key")]).exits(1);
    assert!(ran.stderr.contains("another feed"), "{}", ran.stderr);
    assert!(!place.at("copy").join("secret_key").exists());
}

#[test]
fn a_secret_key_may_lie_elsewhere() {
    let place = Place::new();
    let (dir, secret) = (place.path("feed"), place.path("secret"));
    run(["create", &dir, "--secret-at", &secret]).ok();
    assert!(!place.at("feed").join("secret_key").exists());
    assert_eq!(fs::read(&secret).unwrap().len(), 64);
    #[cfg(unix)]
    assert_eq!(mode(&secret), 0o600);

    run(["append", &dir, "one"]).exits(1);
    run(["append", &dir, "one", "--secret-at", &secret]).ok();
    run_in(&[("HYPERCORE_SECRET_AT", &secret)], ["append", &dir, "two"]).ok();
    assert_eq!(run(["cat", &dir]).ok().text(), "onetwo");

    // A second feed with the same key would be a second history.
    let ran = run(["create", &place.path("second"), "--secret-at", &secret]).exits(1);
    assert!(ran.stderr.contains("--from-secret"), "{}", ran.stderr);
}

#[test]
fn damaged_and_missing_keys_are_told_apart() {
    let place = Place::new();
    let dir = place.path("feed");
    run(["key", "show", &dir]).exits(5);
    place.feed("feed", &["one"]);
    let path = place.at("feed");
    fs::remove_file(path.join("secret_key")).unwrap();
    run(["key", "show", &dir]).ok();
    run(["key", "show", &dir, "--secret"]).exits(5);
    run(["key", "backup", &dir, "-o", &place.path("backup")]).exits(5);
    fs::write(path.join("secret_key"), [7; 64]).unwrap();
    run(["key", "export", &dir, "--secret"]).exits(4);
    fs::write(path.join("key"), [7; 31]).unwrap();
    run(["key", "show", &dir]).exits(4);
}
