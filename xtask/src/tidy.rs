//! The rules of style that a machine can check, beyond what rustc and clippy see.
//!
//! Each rule is a function from what it looks at to complaints, and is tested on small made-up sources: a rule that never
//! fires is worse than none.

mod features;
mod guides;
pub(crate) mod javascript_tests;
mod links;
mod named;
mod places;
mod text;

use std::{fs, path::Path};

use crate::{
    Result, files,
    layers::{self, LAYERS},
    workspace,
};

/// Prints every complaint; any is a failure.
pub(crate) fn run() -> Result {
    let root = workspace::root();
    let mut complaints = layers::check(LAYERS, &workspace::metadata()?);
    let files = files::list(root)?;
    complaints.extend(places::top_level(&files));
    complaints.extend(places::layers(LAYERS, |path| root.join(path).exists()));
    let text = |path: &str| fs::read_to_string(root.join(path)).ok();
    match text(features::PATH) {
        Some(document) => complaints.extend(features::check(&document, text)),
        None => complaints.push(format!("{} is missing", features::PATH)),
    }
    match text(javascript_tests::PATH) {
        Some(document) => complaints.extend(javascript_tests::check(&document, &files, text)),
        None => complaints.push(format!("{} is missing", javascript_tests::PATH)),
    }
    complaints.extend(guides::check(&files, text));
    for file in &files {
        // What is no text has no rules.
        if let Ok(source) = fs::read_to_string(root.join(file)) {
            complaints.extend(text::check(Path::new(file), &source));
            let is_there = |path: &str| root.join(path).exists();
            complaints.extend(links::check(file, &source, is_there));
        }
    }
    if complaints.is_empty() {
        println!("{} files are tidy", files.len());
        return Ok(());
    }
    Err(complaints.join("\n").into())
}
