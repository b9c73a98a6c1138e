//! The benches of one crate, or of all.

use crate::{Result, layers::LAYERS, workspace};

/// `[CRATE] [-- ARGUMENTS]`; the arguments go to criterion.
pub(crate) fn run(arguments: &[&str]) -> Result {
    let split = arguments.iter().position(|word| *word == "--");
    let (names, criterion) = arguments.split_at(split.unwrap_or(arguments.len()));
    let layers: Vec<_> = match names {
        [] => LAYERS.iter().filter(|layer| layer.is_library()).collect(),
        [name] => LAYERS.iter().filter(|layer| layer.name == *name).collect(),
        _ => return Err("one crate, or none for all".into()),
    };
    if layers.is_empty() {
        return Err(format!("there is no crate {}", names.concat()).into());
    }
    for layer in layers {
        let mut cargo = workspace::cargo("bench");
        cargo
            .args(["--package", &layer.package()])
            .args(["--bench", &layer.name.replace('-', "_")])
            .args(criterion);
        workspace::run(&mut cargo)?;
    }
    Ok(())
}
