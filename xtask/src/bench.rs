//! `cargo xtask bench`: criterion's times, counts of instructions, or our program beside others.

mod instructions;
mod peers;
mod workloads;

use crate::{Result, layers::LAYERS, workspace};

/// `[CRATE] [-- ARGUMENTS]`, where the arguments go to criterion; `--check` or `--record`; `--peers` and its options.
pub(crate) fn run(arguments: &[&str]) -> Result {
    match arguments {
        ["--check"] => instructions::check(),
        ["--record"] => instructions::record(),
        ["--peers", options @ ..] => peers::run(&options_of(options)?),
        _ => criterion(arguments),
    }
}

fn options_of(words: &[&str]) -> Result<peers::Options> {
    let mut options = peers::Options::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let value = *words
            .next()
            .ok_or_else(|| format!("{word} needs a value"))?;
        match *word {
            "--scale" => options.scale = value.parse()?,
            "--rounds" => options.rounds = value.parse()?,
            "--only" => options.only = value.split(',').map(str::to_owned).collect(),
            "--also" => options.also.push(value.into()),
            _ => return Err(format!("--peers has no option {word}").into()),
        }
    }
    Ok(options)
}

/// The benches of one crate, or of all.
fn criterion(arguments: &[&str]) -> Result {
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
