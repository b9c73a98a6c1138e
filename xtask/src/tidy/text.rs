//! What may stand in a file: its head, its length, `unsafe`, the runtime's name, and nothing of the machine it was written on.

use std::path::Path;

/// More lines than this are more than one idea.
const MAX_LINES: usize = 600;
/// The files that may say `unsafe`: to map a file into memory, and to use instructions that not every processor has.
const UNSAFE: [&str; 2] = ["crates/storage/src/mmap.rs", "crates/noise/src/salsa.rs"];
/// The one file of the libraries that names the runtime.
const RUNTIME: &str = "crates/hypercore/src/runtime/async_std.rs";
/// Folders in which every absolute path is some machine's.
const HOMES: [&str; 4] = ["home", "root", "Users", "work"];
/// The one registry that may be named.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Everything there is to say against a file.
pub(super) fn check(path: &Path, source: &str) -> Vec<String> {
    let name = path.to_string_lossy().replace('\\', "/");
    let mut complaints = Vec::new();
    let mut complain = |line: Option<usize>, what: &str| {
        complaints.push(match line {
            Some(line) => format!("{name}:{}: {what}", line + 1),
            None => format!("{name}: {what}"),
        });
    };
    let extension = path.extension().and_then(|extension| extension.to_str());
    if extension == Some("rs") {
        if !source.starts_with("//! ") {
            complain(None, "begins without //!");
        }
        let count = source.lines().count();
        if count > MAX_LINES {
            complain(
                None,
                &format!("has {count} lines, at most {MAX_LINES} are allowed"),
            );
        }
        for (number, line) in source.lines().enumerate() {
            let code = code_of(line);
            if !UNSAFE.contains(&name.as_str()) && words(&code).any(|word| word == "unsafe") {
                complain(
                    Some(number),
                    &format!("unsafe code has its place in {}", UNSAFE.join(" and ")),
                );
            }
            if is_library(&name) && name != RUNTIME && names_runtime(&code) {
                complain(
                    Some(number),
                    &format!("the runtime is named in {RUNTIME} only"),
                );
            }
        }
    }
    for (number, line) in source.lines().enumerate() {
        if let Some(home) = HOMES.iter().find(|home| holds_path(line, home)) {
            complain(
                Some(number),
                &format!("a path of some machine, below /{home}"),
            );
        }
        let registry = line.contains("registry+") && !line.contains(REGISTRY);
        if registry && name.ends_with("Cargo.lock") {
            complain(Some(number), "a registry of some machine");
        }
        if name.ends_with("package-lock.json") && line.contains("\"resolved\": \"http") {
            complain(Some(number), "npm wrote where it found a package");
        }
    }
    complaints
}

/// The sources of the crates below the program, without their tests, benches and examples.
fn is_library(name: &str) -> bool {
    let mut parts = name.split('/');
    parts.next() == Some("crates") && parts.next() != Some("cli") && parts.next() == Some("src")
}

/// Features and modules may be called after the runtime; its paths may not be used. The facade passes on one type of the
/// file that may.
fn names_runtime(code: &str) -> bool {
    let code = code.trim();
    let declares = code.starts_with("#[cfg") || code == "mod async_std;";
    let passes_on = code == "pub use async_std::AsyncStd;";
    !declares && !passes_on && words(code).any(|word| word == "async_std")
}

/// A line without its comment and without what stands between quotation marks.
fn code_of(line: &str) -> String {
    let (mut code, mut quoted) = (String::new(), false);
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' if quoted => drop(rest.next()),
            '"' => quoted = !quoted,
            '/' if !quoted && rest.peek() == Some(&'/') => break,
            _ if !quoted => code.push(c),
            _ => {}
        }
    }
    code
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// Whether a line has a path below a folder at the root, and not merely a longer path with such a part.
fn holds_path(line: &str, folder: &str) -> bool {
    let path = format!("/{folder}/");
    line.match_indices(&path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + path.len()..].chars().next();
        before.is_none_or(|c| !c.is_alphanumeric() && !"./_-})>*".contains(c))
            && after.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, source: &str) -> Vec<String> {
        check(Path::new(path), source)
    }

    fn none() -> Vec<String> {
        Vec::new()
    }

    #[test]
    fn a_file_begins_by_saying_what_it_is_for() {
        assert_eq!(
            complaints("crates/x/src/a.rs", "//! What.\n\nfn f() {}\n"),
            none()
        );
        assert_eq!(
            complaints("crates/x/src/a.rs", "// What.\n"),
            ["crates/x/src/a.rs: begins without //!"]
        );
        assert_eq!(complaints("README.md", "# Title\n"), none());
    }

    #[test]
    fn a_file_is_not_longer_than_one_idea() {
        let longest = format!("//! What.\n{}", "\n".repeat(MAX_LINES - 1));
        assert_eq!(complaints("a.rs", &longest), none());
        assert_eq!(
            complaints("a.rs", &format!("{longest}\n")),
            ["a.rs: has 601 lines, at most 600 are allowed"]
        );
    }

    #[test]
    fn unsafe_code_has_its_places() {
        let source = "//! What.\nfn f() { unsafe { g() } }\n";
        for place in UNSAFE {
            assert_eq!(complaints(place, source), none());
        }
        let elsewhere = complaints("crates/wire/src/a.rs", source);
        assert_eq!(
            elsewhere,
            [format!(
                "crates/wire/src/a.rs:2: unsafe code has its place in {}",
                UNSAFE.join(" and ")
            )]
        );
        let talk = "//! Not unsafe.\n#![forbid(unsafe_code)]\nlet a = \"\\\" unsafe\"; // unsafe\n";
        assert_eq!(complaints("crates/wire/src/a.rs", talk), none());
    }

    #[test]
    fn the_runtime_has_one_place() {
        let source = "//! What.\nuse async_std::task;\n";
        for free in [
            RUNTIME,
            "crates/cli/src/main.rs",
            "crates/hypercore/tests/it/a.rs",
            "xtask/src/a.rs",
        ] {
            assert_eq!(complaints(free, source), none());
        }
        let path = "crates/hypercore/src/core.rs";
        assert_eq!(complaints(path, source).len(), 1);
        let declared = "//! What.\n#[cfg(feature = \"async-std\")]\nmod async_std;\npub use async_std::AsyncStd;\n/// async_std::task\n";
        assert_eq!(complaints(path, declared), none());
    }

    #[test]
    fn nothing_of_a_machine_is_left_behind() {
        for home in HOMES {
            let line = format!("see /{home}/me/notes\n");
            assert_eq!(complaints("docs/a.md", &line).len(), 1, "{line}");
            let inner = format!("crates/{home}/me, ../{home}/me, /{home}/$USER\n");
            assert_eq!(complaints("docs/a.md", &inner), none(), "{inner}");
        }
        let lock = format!("source = \"{REGISTRY}\"\n");
        assert_eq!(complaints("Cargo.lock", &lock), none());
        let lock = "source = \"registry+https://example.org/index\"\n";
        assert_eq!(complaints("fuzz/Cargo.lock", lock).len(), 1);
        let lock = "\"resolved\": \"https://example.org/a.tgz\"\n";
        assert_eq!(complaints("xtask/js/package-lock.json", lock).len(), 1);
    }
}
