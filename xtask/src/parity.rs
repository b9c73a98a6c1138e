//! Whether `docs/javascript-tests.md` has a row for each test of the installed packages, and none for what is no test of theirs.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    Result, javascript,
    tidy::javascript_tests::{PATH, rows},
    workspace,
};

/// A package by the name that the document gives it, and where its releases are installed.
const PACKAGES: [(&str, [&str; 2]); 3] = [
    ("hypercore", ["hypercore8", "hypercore9"]),
    (
        "hypercore-protocol",
        [
            "hypercore-protocol",
            "hypercore9/node_modules/hypercore-protocol",
        ],
    ),
    (
        "simple-hypercore-protocol",
        [
            "simple-hypercore-protocol",
            "hypercore9/node_modules/simple-hypercore-protocol",
        ],
    ),
];

/// Compares the document with the packages.
pub(crate) fn run() -> Result {
    let modules = javascript::install()?.join("node_modules");
    let document = fs::read_to_string(workspace::root().join(PATH))?;
    let mut theirs = BTreeSet::new();
    for (package, releases) in PACKAGES {
        for release in releases {
            for (file, source) in sources(&modules.join(release))? {
                let found: Vec<&str> = names(&source).collect();
                if found.is_empty() {
                    return Err(format!("{release}/{file} has no tests that can be read").into());
                }
                let file = format!("{package}/{file}");
                theirs.extend(found.iter().map(|name| (file.clone(), (*name).to_owned())));
            }
        }
    }
    let complaints = compare(&document, &theirs);
    if complaints.is_empty() {
        println!("{} tests of JavaScript's stand in {PATH}", theirs.len());
        return Ok(());
    }
    Err(complaints.join("\n").into())
}

/// The files of a release that hold tests, with the path in the package.
fn sources(release: &Path) -> Result<Vec<(String, String)>> {
    let folder = release.join("test");
    let mut paths: Vec<PathBuf> = match folder.is_dir() {
        true => fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?,
        false => vec![release.join("test.js")],
    };
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "js"));
    let read = |path: PathBuf| {
        let within = path
            .strip_prefix(release)?
            .to_string_lossy()
            .replace('\\', "/");
        Ok((within, fs::read_to_string(path)?))
    };
    paths.into_iter().map(read).collect()
}

/// The names of the tests in a source.
fn names(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(|line| {
        let name = line.trim_start().strip_prefix("tape('")?;
        Some(&name[..name.find('\'')?])
    })
}

/// What is missing in the document, and what is too much.
fn compare(document: &str, theirs: &BTreeSet<(String, String)>) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut missing = theirs.clone();
    for row in rows(document) {
        let key = (row.file.to_owned(), row.name.to_owned());
        if !theirs.contains(&key) {
            complaints.push(format!(
                "{PATH}:{}: {} has no such test",
                row.line, row.file
            ));
        }
        missing.remove(&key);
    }
    let lacks = missing.into_iter();
    complaints.extend(lacks.map(|(file, name)| format!("{PATH} lacks {file}: {name}")));
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_tests_are_read_from_javascript() {
        let source = "var tape = require('tape')\n\ntape('one, two', function (t) {\n  t.end()\n})\n\n  tape('three', t => {})\n\
            console.error('tape(\\'no test\\')')\n";
        let all: Vec<&str> = names(source).collect();
        assert_eq!(all, ["one, two", "three"]);
    }

    #[test]
    fn what_is_missing_and_what_is_too_much_is_named() {
        let theirs = [
            ("a/test.js", "one"),
            ("a/test.js", "two"),
            ("b/test.js", "one"),
        ];
        let theirs = theirs
            .map(|(file, name)| (file.to_owned(), name.to_owned()))
            .into();
        let document = "## a/test.js\n\n| one | x |\n| two | x |\n\n## b/test.js\n\n| one | x |\n";
        assert_eq!(compare(document, &theirs), Vec::<String>::new());
        assert_eq!(
            compare(&document.replace("| two |", "| too |"), &theirs),
            [
                "docs/javascript-tests.md:4: a/test.js has no such test",
                "docs/javascript-tests.md lacks a/test.js: two"
            ]
        );
    }
}
