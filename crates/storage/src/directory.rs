//! The six files in one directory, as JavaScript keeps them.

use std::{boxed::Box, collections::BTreeMap, path::PathBuf, sync::Arc};

use crate::{Disk, Error, File, OpenContext, Provider, RandomAccess, folder::Folder};

/// A directory that holds the six files of a feed.
///
/// It is made with the first write. The secret key is readable for its owner only; [`place`](Directory::place) keeps it,
/// or any other file, somewhere else.
///
/// ```no_run
/// use hypercore_storage::{Directory, File, FileSet};
///
/// let place = Directory::new("feeds/weather").place(File::SecretKey, "/run/keys/weather");
/// let files = FileSet::open(Box::new(place))?;
/// # Ok::<_, hypercore_storage::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
    places: BTreeMap<File, PathBuf>,
    create: bool,
    #[cfg(feature = "mmap")]
    mapped: bool,
    /// Shared by the files in it.
    folder: Arc<Folder>,
}

impl Directory {
    /// A directory, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Directory {
            folder: Arc::new(Folder::new(path.clone())),
            path,
            places: BTreeMap::new(),
            create: true,
            #[cfg(feature = "mmap")]
            mapped: false,
        }
    }

    /// Keeps one of the files at another path, which is not taken to be relative to the directory.
    #[must_use]
    pub fn place(mut self, file: File, path: impl Into<PathBuf>) -> Self {
        self.places.insert(file, path.into());
        self
    }

    /// Whether writes may create the directory and files in it. Default: yes.
    #[must_use]
    pub fn create(mut self, yes: bool) -> Self {
        self.create = yes;
        self
    }

    /// Whether data and tree are read through maps of their pages ([`Mapped`](crate::Mapped) says what that asks of the disk).
    /// Default: no.
    #[cfg(feature = "mmap")]
    #[must_use]
    pub fn mapped(mut self, yes: bool) -> Self {
        self.mapped = yes;
        self
    }
}

impl Provider for Directory {
    fn open(&mut self, file: File, _: &OpenContext) -> Result<Box<dyn RandomAccess>, Error> {
        let disk = match self.places.get(&file) {
            Some(path) => Disk::new(path),
            None => Disk::new(self.path.join(file.name())).within(Arc::clone(&self.folder)),
        };
        let disk = disk.create(self.create).private(file == File::SecretKey);
        #[cfg(feature = "mmap")]
        if self.mapped && matches!(file, File::Data | File::Tree) {
            return Ok(Box::new(crate::Mapped::new(disk)));
        }
        Ok(Box::new(disk))
    }
}
