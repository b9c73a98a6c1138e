//! `cargo xtask test examples`: the small programs of the library, each of which checks its own outcome.

use std::{env::consts::EXE_SUFFIX, ffi::OsStr, fs, path::PathBuf, process::Command};

use crate::{
    Result,
    workspace::{self, cargo},
};

/// Where they are. What lies in a folder there, or is told what to do by arguments, is a part of other tests.
const FOLDER: &str = "crates/hypercore/examples";
const PARTS_OF_TESTS: [&str; 2] = ["history", "victim"];

pub(crate) fn run() -> Result {
    workspace::run(cargo("build").args(["--workspace", "--examples"]))?;
    // Straight from where they are, since cargo would build them again with the features of one package only.
    let folder = workspace::target()?.join("debug/examples");
    for name in names()? {
        let program = folder.join(format!("{name}{EXE_SUFFIX}"));
        workspace::run(&mut Command::new(program))?;
        println!("{name} does what it says");
    }
    Ok(())
}

fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(workspace::root().join(FOLDER))? {
        let path: PathBuf = entry?.path();
        let name = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
        if path.extension() == Some(OsStr::new("rs")) && !PARTS_OF_TESTS.contains(&name) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    match names.is_empty() {
        true => Err(format!("there are no examples in {FOLDER}").into()),
        false => Ok(names),
    }
}
