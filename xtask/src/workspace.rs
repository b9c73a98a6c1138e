//! Where things are, and how cargo is called.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::Result;

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Cargo, in the folder of the workspace, with no standard input. Nothing that it runs may change the lock files.
pub(crate) fn cargo(command: &str) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(root())
        .stdin(Stdio::null())
        .args([command, "--locked"]);
    if env::var_os("CI").is_some() {
        // What is built once only gains nothing from it, and writes a lot.
        cargo.env("CARGO_INCREMENTAL", "0");
    }
    cargo
}

/// Runs a command whose output goes where ours goes.
pub(crate) fn run(command: &mut Command) -> Result {
    let status = command
        .status()
        .map_err(|error| format!("cannot run {}: {error}", show(command)))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{} ended with {status}", show(command)).into()),
    }
}

/// Runs a command for its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run {}: {error}", show(command)))?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(format!("{} ended with {}", show(command), output.status).into()),
    }
}

/// What cargo knows of the workspace.
pub(crate) fn metadata() -> Result<Value> {
    let json = output(cargo("metadata").args(["--no-deps", "--format-version=1"]))?;
    Ok(serde_json::from_str(&json)?)
}

/// The folder that cargo builds into.
pub(crate) fn target() -> Result<PathBuf> {
    match metadata()?["target_directory"].as_str() {
        Some(folder) => Ok(folder.into()),
        None => Err("cargo metadata names no target folder".into()),
    }
}

/// Builds our program, optimised, and says where it is.
pub(crate) fn program() -> Result<PathBuf> {
    program_as("ci")
}

/// Builds our program as it is shipped, and says where it is.
pub(crate) fn release() -> Result<PathBuf> {
    program_as("release")
}

fn program_as(profile: &str) -> Result<PathBuf> {
    run(cargo("build").args(["--profile", profile, "--package=hypercore-cli"]))?;
    let name = format!("hypercore{}", env::consts::EXE_SUFFIX);
    Ok(target()?.join(profile).join(name))
}

/// Builds an example of the facade, optimised, and says where it is.
pub(crate) fn example(name: &str) -> Result<PathBuf> {
    example_of("hypercore", name)
}

/// Builds an example of a package, optimised, and says where it is.
pub(crate) fn example_of(package: &str, name: &str) -> Result<PathBuf> {
    run(cargo("build").args(["--profile=ci", "--package", package, "--example", name]))?;
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    Ok(target()?.join("ci/examples").join(file))
}

/// The platform that is built on and for.
pub(crate) fn host() -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = output(Command::new(rustc).current_dir(root()).arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| "rustc doesn't say what it builds for".into())
}

fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or_default();
    [name]
        .into_iter()
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
