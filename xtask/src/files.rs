//! The files of the project: what git would track, found without git, so that an unpacked archive will do.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::Result;

/// Folders of which nothing is ours: built, installed, or git's own.
const FOREIGN: [&str; 3] = ["target", "node_modules", ".git"];

/// All files below a folder, relative to it, with `/` between the parts, in order.
pub(crate) fn list(root: &Path) -> Result<Vec<String>> {
    let (mut files, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if FOREIGN.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            match entry.file_type()?.is_dir() {
                true => folders.push(path),
                false => {
                    let parts = path.iter().map(|part| part.to_string_lossy());
                    files.push(parts.collect::<Vec<_>>().join("/"));
                }
            }
        }
    }
    files.sort();
    Ok(files)
}
