//! Makes the vectors again by calling the JavaScript packages, and compares them with the ones that the tests use. With
//! another seed it makes another set, and runs the same tests over that.

use std::{fs, path::Path, process::Command};

use crate::{Result, files, javascript, workspace};

/// The seed of the set that is part of the project.
const OWN_SEED: &str = "1";
const OWN: &str = "crates/testkit/vectors";
/// What the generator doesn't make: public vectors of the primitives, and the words about all of it.
const FOREIGN: [&str; 2] = ["known", "README.md"];

/// `[SEED]`
pub(crate) fn run(arguments: &[&str]) -> Result {
    let seed = match *arguments {
        [] => OWN_SEED,
        [seed] => seed,
        _ => return Err("cargo xtask vectors [SEED]".into()),
    };
    let scripts = javascript::install()?;
    let (own, made) = (
        workspace::root().join(OWN),
        workspace::target()?.join(format!("vectors/{seed}")),
    );
    if made.exists() {
        fs::remove_dir_all(&made)?;
    }
    let mut node = Command::new("node");
    node.current_dir(scripts)
        .args(["vectors/generate.js", "--seed", seed, "--out"]);
    workspace::run(node.arg(&made))?;
    match seed {
        OWN_SEED => compare(&own, &made),
        _ => test(&own, &made),
    }
}

/// Every file must be the same, byte for byte, and there must be no others.
fn compare(own: &Path, made: &Path) -> Result {
    let mut expected = files::list(own)?;
    expected.retain(|file| !FOREIGN.iter().any(|foreign| file.starts_with(foreign)));
    let there = files::list(made)?;
    let mut differ: Vec<&String> = Vec::new();
    differ.extend(expected.iter().filter(|file| !there.contains(file)));
    differ.extend(there.iter().filter(|file| !expected.contains(file)));
    for file in expected.iter().filter(|file| there.contains(file)) {
        if fs::read(own.join(file))? != fs::read(made.join(file))? {
            differ.push(file);
        }
    }
    if differ.is_empty() {
        println!("{} files are made again byte for byte", expected.len());
        return Ok(());
    }
    Err(format!("these differ from {}: {differ:?}", made.display()).into())
}

/// Runs the tests that carry `vectors` in their names over the set just made.
fn test(own: &Path, made: &Path) -> Result {
    for file in files::list(&own.join("known"))? {
        let copy = made.join("known").join(&file);
        fs::create_dir_all(copy.parent().unwrap_or(made))?;
        fs::copy(own.join("known").join(&file), copy)?;
    }
    let tests = [
        "--workspace",
        "--lib",
        "--bins",
        "--tests",
        "--no-fail-fast",
        "vectors",
    ];
    let mut cargo = workspace::cargo("test");
    workspace::run(cargo.args(tests).env("HYPERCORE_VECTORS", made))
}
