//! The guides: each stands in the index and has its examples tested, and a program that is shown is the one that is run.
//!
//! ````text
//! <!-- crates/hypercore/examples/sparse.rs -->
//!
//! ```rust
//! the example without its head
//! ```
//! ````

/// Where they are, what lists them, and what runs their examples.
const FOLDER: &str = "docs/guides/";
const INDEX: &str = "docs/guides.md";
const TESTED: &str = "crates/hypercore/src/guides.rs";

/// Everything there is to say against them. `read` gives the text of a file of the project, if it is there.
pub(super) fn check<P: AsRef<str>>(
    files: &[P],
    read: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut complaints = Vec::new();
    let (index, tested) = (read(INDEX), read(TESTED));
    let guides = files.iter().map(AsRef::as_ref);
    for guide in guides.filter(|file| file.starts_with(FOLDER)) {
        let name = guide.trim_start_matches(FOLDER);
        for (list, entry) in [(INDEX, &index), (TESTED, &tested)] {
            if !entry.as_ref().is_some_and(|text| text.contains(name)) {
                complaints.push(format!("{guide}: {list} doesn't name it"));
            }
        }
        for (path, shown) in shown(&read(guide).unwrap_or_default()) {
            match read(&path) {
                Some(source) if body(&source) == shown => {}
                Some(_) => complaints.push(format!("{guide}: shows another program than {path}")),
                None => complaints.push(format!("{guide}: there is no {path}")),
            }
        }
    }
    complaints
}

/// The programs in a page that a comment says to be those of files.
fn shown(page: &str) -> Vec<(String, String)> {
    let mut shown = Vec::new();
    for part in page.split("<!-- ").skip(1) {
        let Some((path, rest)) = part.split_once(" -->") else {
            continue;
        };
        let program = rest.trim_start().strip_prefix("```rust\n");
        let program = program.and_then(|program| program.split_once("\n```"));
        let program = program.map_or(String::new(), |(program, _)| format!("{program}\n"));
        shown.push((path.to_owned(), program));
    }
    shown
}

/// A source without its head.
fn body(source: &str) -> String {
    let lines = source.lines();
    let body = lines.skip_while(|line| line.starts_with("//!") || line.is_empty());
    body.flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(index: &str, page: &str) -> Vec<String> {
        check(&["docs/guides/a.md", "README.md"], |path| match path {
            INDEX => Some(index.into()),
            TESTED => Some("a.md".into()),
            "docs/guides/a.md" => Some(page.into()),
            "examples/a.rs" => Some("//! Head.\n\nfn main() {\n}\n".into()),
            _ => None,
        })
    }

    #[test]
    fn a_guide_that_shows_what_is_run_is_fine() {
        let page =
            "# A\n\n<!-- examples/a.rs -->\n\n```rust\nfn main() {\n}\n```\n\n```sh\nls\n```\n";
        assert_eq!(complaints("[A](guides/a.md)", page), Vec::<String>::new());
    }

    #[test]
    fn a_guide_that_is_not_listed_or_shows_something_else_is_not() {
        assert_eq!(complaints("", "# A\n").len(), 1);
        let other = "<!-- examples/a.rs -->\n\n```rust\nfn main() {}\n```\n";
        assert_eq!(complaints("a.md", other).len(), 1);
        let none = "<!-- examples/b.rs -->\n\n```rust\nfn main() {}\n```\n";
        assert_eq!(complaints("a.md", none).len(), 1);
        let nothing = "<!-- examples/a.rs -->\n";
        assert_eq!(complaints("a.md", nothing).len(), 1);
    }
}
