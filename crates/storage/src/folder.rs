//! A directory in which files are created: which entries of it a power cut could still take back.
//!
//! A new file is found again after a power cut once its directory was synced, and if that is new as well, the one above it.
//! One sync serves all files that were created before it, so those of a feed share what is noted here.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A directory that files are created in.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// How many directories have an entry that waits for its sync, from this one upwards.
    unsynced: Mutex<usize>,
}

impl Folder {
    /// The directory that a file lies in.
    pub(crate) fn of(file: &Path) -> Self {
        Folder::new(file.parent().unwrap_or(Path::new("")).into())
    }

    /// A directory, which need not exist yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Folder {
            path,
            unsynced: Mutex::new(0),
        }
    }

    /// Makes the directory and those above it, unless they are there.
    pub(crate) fn make(&self) -> io::Result<()> {
        let above = self.above();
        let new = above.take_while(|path| !path.exists()).count();
        if new > 0 {
            // Noted first, since it may be made by half.
            self.note(new + 1);
            fs::create_dir_all(&self.path)?;
        }
        Ok(())
    }

    /// A file was created in it. That the directory itself was there doesn't say that it was synced.
    pub(crate) fn created(&self) {
        self.note(2);
    }

    /// Makes sure that what was created is found again after a power cut.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let mut unsynced = self.unsynced();
        for path in self.above().take(*unsynced) {
            sync(path)?;
        }
        *unsynced = 0;
        Ok(())
    }

    /// The directory, the one above it, and so on. The last of a relative path is the one that it is relative to.
    fn above(&self) -> impl Iterator<Item = &Path> {
        let here = |path| match path == Path::new("") {
            true => Path::new("."),
            false => path,
        };
        self.path.ancestors().map(here)
    }

    fn note(&self, directories: usize) {
        let mut unsynced = self.unsynced();
        *unsynced = directories.max(*unsynced);
    }

    fn unsynced(&self) -> MutexGuard<'_, usize> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(unix)]
fn sync(directory: &Path) -> io::Result<()> {
    match fs::File::open(directory) {
        Ok(directory) => directory.sync_all(),
        // It could not be made.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Directories can't be opened here; the file systems keep entries and files in step.
#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Directory, Disk, File, OpenContext, Provider, RandomAccess};

    #[test]
    fn every_directory_that_was_made_waits_and_the_one_above_them() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path().join("a/b/c"));
        folder.make().unwrap();
        assert_eq!(*folder.unsynced(), 4);
        folder.created();
        assert_eq!(*folder.unsynced(), 4);
        folder.sync().unwrap();
        assert_eq!(*folder.unsynced(), 0);
        folder.make().unwrap();
        assert_eq!(*folder.unsynced(), 0);
    }

    #[test]
    fn a_relative_path_ends_at_the_directory_of_the_process() {
        let folder = Folder::of(Path::new("data"));
        folder.make().unwrap();
        folder.created();
        folder.sync().unwrap();
        let folder = Folder::of(Path::new("feed/data"));
        let all = [Path::new("feed"), Path::new(".")];
        assert!(folder.above().eq(all));
    }

    #[test]
    fn files_that_were_created_together_share_a_sync() {
        let root = tempfile::tempdir().unwrap();
        let folder = std::sync::Arc::new(Folder::new(root.path().into()));
        let files = ["tree", "data"]
            .map(|name| Disk::new(root.path().join(name)).within(std::sync::Arc::clone(&folder)));
        for file in &files {
            file.write(0, &[b"x"]).unwrap();
        }
        assert_eq!(*folder.unsynced(), 2);
        files[1].sync().unwrap();
        assert_eq!(*folder.unsynced(), 0);
        files[0].sync().unwrap();
        assert_eq!(*folder.unsynced(), 0);
    }

    #[test]
    fn a_file_in_another_place_is_found_again_as_well() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("keys/weather");
        let mut feed = Directory::new(root.path().join("feed")).place(File::SecretKey, &place);
        let key = feed.open(File::SecretKey, &OpenContext::default()).unwrap();
        key.write(0, &[b"secret"]).unwrap();
        key.sync().unwrap();
        assert!(place.exists());
        assert!(!root.path().join("feed").exists());
    }
}
