//! What `docs/javascript-tests.md` promises: a section for each file of JavaScript's tests, in which each row names a test of the file
//! and tests of ours that exist; and each of ours that carries one of JavaScript's names stands in it.
//!
//! ```text
//! ## hypercore/test/ack.js
//!
//! | test | here |
//! | --- | --- |
//! | replicate with ack | `hypercore::javascript::ack::replicate_with_ack` |
//! ```

use std::collections::BTreeSet;

use super::named::{exists, quoted, tests};

/// The document.
pub(crate) const PATH: &str = "docs/javascript-tests.md";
/// Where tests of ours are that carry JavaScript's names.
const NAMESAKES: &str = "crates/hypercore/tests/it/javascript/";
/// What a row may say instead of naming a test of ours.
const EXCUSE: &str = "left out: ";

/// A row of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row<'a> {
    /// Where it stands, from 1.
    pub(crate) line: usize,
    /// JavaScript's file: the package, and the path in it.
    pub(crate) file: &'a str,
    /// The name that the test has there.
    pub(crate) name: &'a str,
    /// What shows the same.
    shown: &'a str,
}

/// All rows of the document.
pub(crate) fn rows(document: &str) -> impl Iterator<Item = Row<'_>> {
    let mut file = "";
    document.lines().enumerate().filter_map(move |(at, line)| {
        if let Some(heading) = line.strip_prefix("## ") {
            file = heading;
        }
        let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let (name, shown) = cells.split_once(" | ")?;
        let is_row = !["test", "---"].contains(&name);
        is_row.then_some(Row {
            line: at + 1,
            file,
            name,
            shown,
        })
    })
}

/// Everything there is to say against the document. `files` are those of the project; `read` gives the text of one.
pub(super) fn check(
    document: &str,
    files: &[String],
    read: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut complaints = Vec::new();
    let (mut seen, mut named) = (BTreeSet::new(), BTreeSet::new());
    for row in rows(document) {
        let mut complain = |what: &str| complaints.push(format!("{PATH}:{}: {what}", row.line));
        if !seen.insert((row.file, row.name)) {
            complain("the same test twice");
        }
        let ours: Vec<&str> = quoted(row.shown)
            .filter(|name| name.contains("::"))
            .collect();
        if ours.is_empty() && !row.shown.starts_with(EXCUSE) {
            complain("no test shows it");
        }
        for test in ours {
            if !exists(test, &read) {
                complain(&format!("there is no test {test}"));
            }
            named.insert(test);
        }
    }
    for path in files {
        let module = path
            .strip_prefix(NAMESAKES)
            .and_then(|file| file.strip_suffix(".rs"));
        let (Some(module), Some(source)) = (module, read(path)) else {
            continue;
        };
        for test in tests(&source) {
            let test = format!(
                "hypercore::javascript::{}::{test}",
                module.replace('/', "::")
            );
            if !named.contains(&*test) {
                complaints.push(format!("{PATH} lacks {test}"));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(document: &str) -> Vec<String> {
        let path = format!("{NAMESAKES}ack.rs");
        let source = "//! Acks.\n\n#[test]\nfn with_ack() {\n}\n\nfn no_test() {}\n";
        check(document, std::slice::from_ref(&path), |asked| {
            (asked == path).then(|| source.to_owned())
        })
    }

    const WHOLE: &str = "# All\n\n## a/ack.js\n\n| test | here |\n| --- | --- |\n\
        | with ack | `hypercore::javascript::ack::with_ack`. Only `here` |\n| other | left out: there is none |\n";

    #[test]
    fn a_row_that_names_its_tests_is_fine() {
        assert_eq!(complaints(WHOLE), Vec::<String>::new());
        let twice = format!("{WHOLE}\n## b/ack.js\n\n| other | left out: nor here |\n");
        assert_eq!(complaints(&twice), Vec::<String>::new());
    }

    #[test]
    fn a_row_without_a_test_and_one_that_repeats_another_are_named() {
        let more = "| more | surely |\n| other | left out: again |\n";
        assert_eq!(
            complaints(&format!("{WHOLE}{more}")),
            [
                "docs/javascript-tests.md:9: no test shows it",
                "docs/javascript-tests.md:10: the same test twice"
            ]
        );
    }

    #[test]
    fn a_test_that_is_not_there_is_named_and_so_is_one_that_is_nowhere_else() {
        assert_eq!(
            complaints("## a/ack.js\n| with ack | `hypercore::javascript::ack::no_test` |\n"),
            [
                "docs/javascript-tests.md:2: there is no test hypercore::javascript::ack::no_test",
                "docs/javascript-tests.md lacks hypercore::javascript::ack::with_ack"
            ]
        );
    }

    #[test]
    fn rows_know_their_file() {
        let found: Vec<_> = rows(WHOLE)
            .map(|row| (row.line, row.file, row.name))
            .collect();
        assert_eq!(
            found,
            [(7, "a/ack.js", "with ack"), (8, "a/ack.js", "other")]
        );
    }
}
