//! Tests that a document names.
//!
//! ```text
//! hypercore::local::appended_blocks_are_read_back_after_reopening
//! crate      module, and those within it   test
//! ```

/// What stands between backticks.
pub(super) fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Whether `crate::module::test` is a test of the module's file, be it beside the code or apart from it. A module within another
/// one is a file in its folder.
pub(super) fn exists(test: &str, read: impl Fn(&str) -> Option<String>) -> bool {
    let parts: Vec<&str> = test.split("::").collect();
    let [krate, modules @ .., name] = parts.as_slice() else {
        return false;
    };
    if modules.is_empty() {
        return false;
    }
    let (folder, module) = (krate.replace('_', "-"), modules.join("/"));
    let places = [
        format!("crates/{folder}/tests/it/{module}.rs"),
        format!("crates/{folder}/tests/{module}/main.rs"),
        format!("crates/{folder}/src/{module}.rs"),
        format!("crates/{folder}/src/{module}/tests.rs"),
    ];
    let mut sources = places.iter().filter_map(|path| read(path));
    sources.any(|source| tests(&source).any(|test| test == *name))
}

/// The names of the tests in a file.
pub(super) fn tests(source: &str) -> impl Iterator<Item = &str> {
    let mut marked = false;
    source.lines().filter_map(move |line| {
        let line = line.trim();
        marked |= line == "#[test]";
        let function = line.strip_prefix("fn ")?;
        let end = function.find('(')?;
        std::mem::take(&mut marked).then_some(&function[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "//! Tests.\n\n#[test]\n#[cfg(unix)]\nfn it_holds() {\n}\n\nfn no_test() {}\n\n#[test]\nfn it_holds_too(n in 0..3) {}\n";

    fn found(test: &str) -> bool {
        exists(test, |path| match path {
            "crates/flat-tree/tests/it/model.rs"
            | "crates/flat-tree/tests/it/model/inner.rs"
            | "crates/feed/src/seek/tests.rs" => Some(SOURCE.into()),
            _ => None,
        })
    }

    #[test]
    fn a_test_is_found_beside_the_code_and_apart_from_it() {
        assert!(found("flat_tree::model::it_holds"));
        assert!(found("flat_tree::model::it_holds_too"));
        assert!(found("flat_tree::model::inner::it_holds"));
        assert!(found("feed::seek::it_holds"));
    }

    #[test]
    fn what_is_no_test_or_elsewhere_is_not() {
        for test in [
            "flat_tree::model::it_hold",
            "flat_tree::model::no_test",
            "flat_tree::other::it_holds",
            "flat_tree::inner::it_holds",
            "flat_tree::it_holds",
            "it_holds",
        ] {
            assert!(!found(test), "{test}");
        }
    }

    #[test]
    fn the_tests_of_a_file_are_those_that_are_marked() {
        let all: Vec<&str> = super::tests(SOURCE).collect();
        assert_eq!(all, ["it_holds", "it_holds_too"]);
    }
}
