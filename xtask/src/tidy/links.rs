//! Links between the documents: what a page points to is there.

/// Everything there is to say against the links of a page. `is_there` knows the files and folders of the project.
pub(super) fn check(page: &str, text: &str, is_there: impl Fn(&str) -> bool) -> Vec<String> {
    if !page.ends_with(".md") {
        return Vec::new();
    }
    let folder: Vec<&str> = page.split('/').collect();
    let folder = folder.split_last().map_or(&[][..], |(_, folder)| folder);
    let mut complaints = Vec::new();
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        }
        if inside {
            continue;
        }
        for target in targets(line) {
            let path = resolve(folder, target);
            if path.as_ref().is_none_or(|path| !is_there(path)) {
                complaints.push(format!("{page}:{}: there is no {target}", at + 1));
            }
        }
    }
    complaints
}

/// What the links of a line point to within the project, without the place in the page.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let links = line.split("](").skip(1);
    let targets = links.filter_map(|link| link.split_once(')').map(|(target, _)| target));
    targets
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains(':') && !target.contains(' '))
}

/// The path from the root, unless it leads out of the project.
fn resolve(folder: &[&str], target: &str) -> Option<String> {
    let mut path = folder.to_vec();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(path.pop()?),
            part => path.push(part),
        }
    }
    Some(path.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(text: &str) -> usize {
        let there = ["docs/b.md", "README.md", "crates/x"];
        check("docs/a.md", text, |path| there.contains(&path)).len()
    }

    #[test]
    fn links_to_what_is_there_are_fine() {
        let text = "[b](b.md) [c](b.md#part) [r](../README.md) [x](../crates/x/) [p](#part) [w](https://a.b)";
        assert_eq!(complaints(text), 0);
        assert_eq!(complaints("```rust\nf[0](nothing.md)\n```\n"), 0);
    }

    #[test]
    fn links_to_what_is_not_are_not() {
        assert_eq!(complaints("[c](c.md) and [b](docs/b.md)"), 2);
        assert_eq!(complaints("[out](../../README.md)"), 1);
    }
}
