//! The packages that the scripts in `xtask/js` need. They are installed into a folder below the target folder that is named
//! after the lock file, so once for each set of versions, and never into the source tree.

use std::{
    ffi::OsStr,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{Result, workspace};

/// Written when everything is installed: a folder without it was left half done.
const DONE: &str = "installed";

/// The folder to run the scripts in, or `None` if Node or npm is missing.
pub(crate) fn install() -> Result<Option<PathBuf>> {
    if !runs("node") || !runs("npm") {
        return Ok(None);
    }
    let source = workspace::root().join("xtask/js");
    let mut hasher = DefaultHasher::new();
    for file in ["package.json", "package-lock.json"] {
        fs::read(source.join(file))?.hash(&mut hasher);
    }
    let folder = workspace::target()?.join(format!("js/{:016x}", hasher.finish()));
    fs::create_dir_all(&folder)?;
    for entry in fs::read_dir(&source)? {
        let file = entry?.path();
        if let Some(name) = file.file_name().filter(|_| file.is_file()) {
            fs::copy(&file, folder.join(name))?;
        }
    }
    if !folder.join(DONE).exists() {
        println!("installing the JavaScript packages");
        let mut npm = npm();
        npm.current_dir(&folder)
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        workspace::run(npm.stdin(Stdio::null()))?;
        fs::write(folder.join(DONE), "")?;
    }
    Ok(Some(folder))
}

fn runs(program: impl AsRef<OsStr>) -> bool {
    let mut command = match program.as_ref() {
        name if name == "npm" => npm(),
        name => Command::new(name),
    };
    let quiet = command.arg("--version").stdin(Stdio::null()).output();
    quiet.is_ok_and(|output| output.status.success())
}

/// On Windows npm is a script, which has to be called by its whole name.
fn npm() -> Command {
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}
