//! The packages that the scripts in `xtask/js` need. They are installed into a folder below the target folder that is named
//! after the lock file, so once for each set of versions, and never into the source tree.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{Result, files, workspace};

/// Written when everything is installed: a folder without it was left half done.
const DONE: &str = "installed";

/// What there is to say where they can't run.
pub(crate) const MISSING: &str = "it needs Node.js and npm, which are not on this machine";

/// Whether Node.js and npm are on this machine.
pub(crate) fn is_here() -> bool {
    runs(Command::new("node")) && runs(npm())
}

/// The folder to run the scripts in.
pub(crate) fn install() -> Result<PathBuf> {
    if !is_here() {
        return Err(MISSING.into());
    }
    let source = workspace::root().join("xtask/js");
    let mut hasher = DefaultHasher::new();
    for file in ["package.json", "package-lock.json"] {
        fs::read(source.join(file))?.hash(&mut hasher);
    }
    let folder = workspace::target()?.join(format!("js/{:016x}", hasher.finish()));
    for file in files::list(&source)? {
        let copy = folder.join(&file);
        fs::create_dir_all(copy.parent().unwrap_or(&folder))?;
        fs::copy(source.join(&file), copy)?;
    }
    if !folder.join(DONE).exists() {
        println!("installing the JavaScript packages");
        let mut npm = npm();
        npm.current_dir(&folder)
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        workspace::run(npm.stdin(Stdio::null()))?;
        fs::write(folder.join(DONE), "")?;
    }
    Ok(folder)
}

fn runs(mut command: Command) -> bool {
    let quiet = command.arg("--version").stdin(Stdio::null()).output();
    quiet.is_ok_and(|output| output.status.success())
}

/// On Windows npm is a script, which has to be called by its whole name.
fn npm() -> Command {
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}
