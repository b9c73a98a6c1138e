//! The layers and the arrows between them, as `docs/architecture.md` draws them. What the manifests say is compared with
//! this table: a new arrow changes both, in a commit of its own.

use std::collections::BTreeSet;

use serde_json::Value;

/// What a crate may lean on besides others of the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `no_std` in every configuration.
    Pure,
    /// `no_std` without its feature `std`, which adds the I/O.
    Backend,
    /// The facade.
    Facade,
    /// A program, over the facade only.
    Program,
    /// For tests, or for us.
    Tool,
}

/// One crate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer {
    /// The name of its folder and, with a prefix, of its package.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The crates that it depends on, all of them further up in the table.
    pub(crate) on: &'static [&'static str],
}

/// From the bottom to the top.
pub(crate) const LAYERS: &[Layer] = &[
    layer("flat-tree", Kind::Pure, &[]),
    layer("crypto", Kind::Pure, &[]),
    layer("storage", Kind::Backend, &[]),
    layer("wire", Kind::Pure, &[]),
    layer("bitfield", Kind::Pure, &["flat-tree"]),
    layer("noise", Kind::Pure, &["crypto", "wire"]),
    layer("merkle", Kind::Pure, &["flat-tree", "crypto", "bitfield"]),
    layer("protocol", Kind::Pure, &["crypto", "noise", "wire"]),
    layer("replicate", Kind::Pure, &["bitfield", "wire"]),
    layer(
        "feed",
        Kind::Pure,
        &["flat-tree", "crypto", "bitfield", "merkle", "storage"],
    ),
    layer(
        "hypercore",
        Kind::Facade,
        &[
            "flat-tree",
            "crypto",
            "storage",
            "wire",
            "bitfield",
            "noise",
            "merkle",
            "protocol",
            "replicate",
            "feed",
        ],
    ),
    layer("cli", Kind::Program, &["hypercore"]),
    layer("testkit", Kind::Tool, &["storage"]),
    layer("xtask", Kind::Tool, &[]),
];

const fn layer(name: &'static str, kind: Kind, on: &'static [&'static str]) -> Layer {
    Layer { name, kind, on }
}

impl Layer {
    /// The name of its package.
    pub(crate) fn package(&self) -> String {
        match self.name {
            "hypercore" | "xtask" => self.name.into(),
            name => format!("hypercore-{name}"),
        }
    }

    /// The library layers: each has a bench and a fuzz target of its own.
    pub(crate) fn is_library(&self) -> bool {
        matches!(self.kind, Kind::Pure | Kind::Backend | Kind::Facade)
    }
}

/// Compares the table with what `cargo metadata` says, and names every difference.
pub(crate) fn check(layers: &[Layer], metadata: &Value) -> Vec<String> {
    let mut complaints = order(layers);
    let mut left: BTreeSet<&str> = layers.iter().map(|layer| layer.name).collect();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(layer) = layers.iter().find(|layer| layer.package() == name) else {
            complaints.push(format!("{name} is no layer: add it to xtask/src/layers.rs"));
            continue;
        };
        left.remove(layer.name);
        complaints.extend(arrows(layers, layer, package));
    }
    complaints.extend(left.iter().map(|name| format!("there is no crate {name}")));
    complaints
}

/// Arrows only point to crates that were already there, so that there is no circle.
fn order(layers: &[Layer]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut known = BTreeSet::new();
    for layer in layers {
        for on in layer.on.iter().filter(|on| !known.contains(*on)) {
            complaints.push(format!("{} -> {on} doesn't point down", layer.name));
        }
        known.insert(layer.name);
    }
    complaints
}

fn arrows(layers: &[Layer], layer: &Layer, package: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut used = BTreeSet::new();
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        let name = dependency["name"].as_str().unwrap_or_default();
        let Some(on) = layers.iter().find(|layer| layer.package() == name) else {
            continue;
        };
        if dependency["kind"] == "dev" {
            if on.name != "testkit" && !reaches(layers, layer, on.name) {
                complaints.push(format!("the tests of {} use {name}", layer.name));
            }
        } else if layer.on.contains(&on.name) {
            used.insert(on.name);
        } else {
            complaints.push(format!("{} -> {} is no arrow", layer.name, on.name));
        }
    }
    for on in layer.on.iter().filter(|on| !used.contains(*on)) {
        complaints.push(format!(
            "{} -> {on} is an arrow that nobody uses",
            layer.name
        ));
    }
    complaints
}

/// Whether one crate lies below another.
fn reaches(layers: &[Layer], from: &Layer, to: &str) -> bool {
    from.on.iter().any(|on| {
        let below = layers.iter().find(|layer| layer.name == *on);
        *on == to || below.is_some_and(|below| reaches(layers, below, to))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SMALL: &[Layer] = &[
        layer("low", Kind::Pure, &[]),
        layer("middle", Kind::Pure, &["low"]),
        layer("high", Kind::Pure, &["middle"]),
        layer("testkit", Kind::Tool, &[]),
    ];

    fn with(high: &Value) -> Vec<String> {
        let middle = json!([{ "name": "hypercore-low", "kind": null }]);
        check(
            SMALL,
            &json!({ "packages": [
                { "name": "hypercore-low", "dependencies": [{ "name": "bytes", "kind": null }] },
                { "name": "hypercore-middle", "dependencies": middle },
                { "name": "hypercore-high", "dependencies": high },
                { "name": "hypercore-testkit", "dependencies": [] },
            ]}),
        )
    }

    #[test]
    fn the_arrows_of_the_table_are_allowed_and_tests_reach_all_below() {
        let high = json!([
            { "name": "hypercore-middle", "kind": null },
            { "name": "hypercore-low", "kind": "dev" },
            { "name": "hypercore-testkit", "kind": "dev" },
        ]);
        assert_eq!(with(&high), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_that_is_not_in_the_table_is_refused() {
        let high = json!([
            { "name": "hypercore-middle", "kind": null },
            { "name": "hypercore-low", "kind": null },
        ]);
        assert_eq!(with(&high), ["high -> low is no arrow"]);
        let high = json!([
            { "name": "hypercore-middle", "kind": null },
            { "name": "hypercore-testkit", "kind": "build" },
        ]);
        assert_eq!(with(&high), ["high -> testkit is no arrow"]);
    }

    #[test]
    fn an_arrow_without_use_is_refused() {
        assert_eq!(
            with(&json!([])),
            ["high -> middle is an arrow that nobody uses"]
        );
    }

    #[test]
    fn crates_and_layers_are_the_same() {
        let none = check(SMALL, &json!({ "packages": [] }));
        assert_eq!(none.len(), SMALL.len());
        let other = json!({ "packages": [{ "name": "hypercore-other", "dependencies": [] }] });
        assert!(check(SMALL, &other)[0].starts_with("hypercore-other is no layer"));
    }

    #[test]
    fn arrows_point_down() {
        assert_eq!(order(LAYERS), Vec::<String>::new());
        let circle = [
            layer("a", Kind::Pure, &["b"]),
            layer("b", Kind::Pure, &["a"]),
        ];
        assert_eq!(order(&circle), ["a -> b doesn't point down"]);
    }
}
