//! Proves that the pure crates and all they depend on get by without the standard library.
//!
//! `#![no_std]` alone proves little: a dependency may bring std in again. So each crate is checked against a sysroot in which
//! there is no std at all, only copies of core and alloc from the real one. Whoever asks for std isn't compiled.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Result,
    layers::{Kind, LAYERS},
    workspace,
};

/// What a crate without std may ask the compiler for.
const LIBRARIES: [&str; 3] = ["libcore-", "liballoc-", "libcompiler_builtins-"];

/// Checks every pure crate without default features.
pub(crate) fn run() -> Result {
    let (host, target) = (workspace::host()?, workspace::target()?.join("no-std"));
    let sysroot = sysroot(&target.join("sysroot"), &host)?;
    for layer in LAYERS {
        if !matches!(layer.kind, Kind::Pure | Kind::Backend) {
            continue;
        }
        says_so(layer.name)?;
        let mut cargo = workspace::cargo("check");
        cargo
            .env("RUSTFLAGS", format!("--sysroot={}", sysroot.display()))
            .args([
                "--quiet",
                "--no-default-features",
                "--package",
                &layer.package(),
            ])
            // With a target named, build scripts and macros are built with the real sysroot.
            .args(["--target", &host, "--target-dir"])
            .arg(&target);
        workspace::run(&mut cargo).map_err(|error| format!("{} needs std: {error}", layer.name))?;
        println!("{} gets by without std", layer.name);
    }
    Ok(())
}

/// So that code which asks for std doesn't come in unseen between two runs of this.
fn says_so(name: &str) -> Result {
    let lib = fs::read_to_string(workspace::root().join(format!("crates/{name}/src/lib.rs")))?;
    match lib.lines().any(|line| line == "#![no_std]") {
        true => Ok(()),
        false => Err(format!("{name} doesn't say #![no_std]").into()),
    }
}

/// Makes the sysroot anew each time, so that it follows the toolchain.
fn sysroot(folder: &Path, host: &str) -> Result<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut rustc = Command::new(rustc);
    rustc.current_dir(workspace::root());
    let real = workspace::output(rustc.args(["--print", "sysroot"]))?;
    let libraries = Path::new("lib/rustlib").join(host).join("lib");
    let (from, to) = (
        Path::new(real.trim()).join(&libraries),
        folder.join(&libraries),
    );
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(&to)?;
    let mut count = 0;
    for entry in fs::read_dir(from)? {
        let file = entry?;
        let name = file.file_name();
        if LIBRARIES
            .iter()
            .any(|library| name.to_string_lossy().starts_with(library))
        {
            fs::copy(file.path(), to.join(name))?;
            count += 1;
        }
    }
    match count >= LIBRARIES.len() {
        true => Ok(folder.into()),
        false => Err("the toolchain has no core or alloc to copy".into()),
    }
}
