//! What is where: the top level, and what comes with every layer.

use std::collections::BTreeSet;

use crate::layers::{Kind, Layer};

/// All that stands at the top, besides files and folders that begin with a dot.
const TOP: [&str; 9] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "crates",
    "docs",
    "fuzz",
    "rust-toolchain.toml",
    "xtask",
];

/// The top level is exactly that.
pub(super) fn top_level(files: &[String]) -> Vec<String> {
    let there: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.split('/').next())
        .filter(|name| !name.starts_with('.'))
        .collect();
    let expected = BTreeSet::from(TOP);
    let surplus = there
        .difference(&expected)
        .map(|name| format!("{name} has no place at the top"));
    let missing = expected
        .difference(&there)
        .map(|name| format!("{name} is missing at the top"));
    surplus.chain(missing).collect()
}

/// Every crate has a README; every library layer has tests, a bench and a module of fuzz targets as well.
pub(super) fn layers(layers: &[Layer], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for layer in layers.iter().filter(|layer| layer.name != "xtask") {
        let folder = format!("crates/{}", layer.name);
        let name = layer.name.replace('-', "_");
        let mut expected = vec![format!("{folder}/README.md")];
        if layer.kind != Kind::Tool {
            expected.push(format!("{folder}/tests/it/main.rs"));
        }
        if layer.is_library() {
            expected.push(format!("{folder}/benches/{name}.rs"));
            expected.push(format!("fuzz/src/{name}.rs"));
        }
        let missing = expected.into_iter().filter(|path| !exists(path));
        complaints.extend(missing.map(|path| format!("{} lacks {path}", layer.name)));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_level_is_exactly_the_designed_one() {
        let mut files: Vec<String> = TOP.iter().map(|name| format!("{name}/inner")).collect();
        files.push(".config/anything".into());
        assert_eq!(top_level(&files), Vec::<String>::new());
        files.push("notes.md".into());
        files.retain(|file| !file.starts_with("LICENSE"));
        assert_eq!(
            top_level(&files),
            [
                "notes.md has no place at the top",
                "LICENSE is missing at the top"
            ]
        );
    }

    #[test]
    fn a_layer_without_bench_or_fuzz_target_is_named() {
        let all = layers(crate::layers::LAYERS, |_| true);
        assert_eq!(all, Vec::<String>::new());
        let some = layers(crate::layers::LAYERS, |path| {
            !path.ends_with("benches/flat_tree.rs") && path != "fuzz/src/wire.rs"
        });
        assert_eq!(
            some,
            [
                "flat-tree lacks crates/flat-tree/benches/flat_tree.rs",
                "wire lacks fuzz/src/wire.rs"
            ]
        );
        let none = layers(crate::layers::LAYERS, |_| false);
        assert!(none.contains(&"testkit lacks crates/testkit/README.md".into()));
        assert!(!none.iter().any(|complaint| complaint.starts_with("xtask")));
    }
}
