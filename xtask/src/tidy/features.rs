//! What `docs/features.md` promises: each row of its tables names tests that show the feature, and they exist.
//!
//! ```text
//! | F-022 | append | `Hypercore::append` | `hypercore::local::appended_blocks_are_read_back_after_reopening` |
//!                                            crate     module  test
//! ```

use super::named::{exists, quoted};

/// The document.
pub(super) const PATH: &str = "docs/features.md";
/// How a row begins: with what JavaScript documents or has, with a defect of it, or with what is only here.
const NUMBERS: [&str; 3] = ["| F-", "| J-", "| R-"];
/// What the last cell of a row may say instead of naming a test.
const EXCUSES: [&str; 2] = ["with peers: open", "left out: "];

/// Everything there is to say against the document. `read` gives the text of a file of the project, if it is there.
pub(super) fn check(document: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut last = "";
    for (at, line) in document.lines().enumerate() {
        if !NUMBERS.iter().any(|kind| line.starts_with(kind)) {
            continue;
        }
        let mut complain = |what: &str| complaints.push(format!("{PATH}:{}: {what}", at + 1));
        let row = line.trim_matches('|');
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [number, _, _, shown] = cells.as_slice() else {
            complain("a row has four cells");
            continue;
        };
        if *number <= last {
            complain("the numbers don't ascend");
        }
        last = number;
        let tests: Vec<&str> = quoted(shown).filter(|name| name.contains("::")).collect();
        if tests.is_empty() && !EXCUSES.iter().any(|excuse| shown.starts_with(excuse)) {
            complain("no test shows it");
        }
        for test in tests {
            if !exists(test, &read) {
                complain(&format!("there is no test {test}"));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "//! Tests.\n\n#[test]\n#[cfg(unix)]\nfn it_holds() {\n}\n\nfn no_test() {}\n\n#[test]\nfn it_holds_too(n in 0..3) {}\n";

    fn complaints(rows: &str) -> Vec<String> {
        check(rows, |path| match path {
            "crates/flat-tree/tests/it/model.rs" | "crates/feed/src/seek/tests.rs" => {
                Some(SOURCE.into())
            }
            _ => None,
        })
    }

    #[test]
    fn a_row_that_names_its_tests_is_fine() {
        let rows = "# Features\n\n| number | feature | call | shown by |\n| --- | --- | --- | --- |\n\
            | F-001 | a | `A::b` | `flat_tree::model::it_holds`, `feed::seek::it_holds_too` |\n\
            | F-002 | b | | with peers: open |\n\
            | F-124 | c | | left out: it would fork |\n";
        assert_eq!(complaints(rows), Vec::<String>::new());
    }

    #[test]
    fn a_row_without_a_test_is_named() {
        let rows = "| F-001 | a | `A::b` | surely |\n| F-002 | a | `A::b` |\n";
        assert_eq!(
            complaints(rows),
            [
                "docs/features.md:1: no test shows it",
                "docs/features.md:2: a row has four cells"
            ]
        );
    }

    #[test]
    fn a_test_that_is_not_there_is_named() {
        for test in [
            "flat_tree::model::it_hold",
            "flat_tree::model::no_test",
            "flat_tree::other::it_holds",
            "flat_tree::it_holds",
        ] {
            assert_eq!(
                complaints(&format!("| F-001 | a | b | `{test}` |")),
                [format!("docs/features.md:1: there is no test {test}")]
            );
        }
    }

    #[test]
    fn each_number_has_one_row() {
        let row = "| F-001 | a | b | `flat_tree::model::it_holds` |\n";
        assert_eq!(
            complaints(&format!("{row}{row}")),
            ["docs/features.md:2: the numbers don't ascend"]
        );
    }
}
