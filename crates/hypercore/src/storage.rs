//! Where a feed keeps its six files.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use storage::{Directory, MemoryFiles, Provider};

/// The place of a feed: a directory, memory, or a provider of your own.
///
/// Most callers never name it: everything that takes one also takes a path.
///
/// ```
/// use hypercore::Storage;
///
/// let _on_disk = Storage::directory("weather");
/// let _in_memory = Storage::memory();
/// let _as_well: Storage = "weather".into();
/// ```
pub struct Storage {
    provider: Box<dyn Provider>,
}

impl Storage {
    /// A directory, made when the feed is created.
    pub fn directory(path: impl Into<PathBuf>) -> Self {
        Storage::custom(Directory::new(path.into()))
    }

    /// A directory whose data and tree are read through maps of their pages into memory: the quickest way to random blocks of a
    /// feed that the system has in its cache. What is written is written as by [`directory`](Self::directory), and either finds
    /// what the other has left.
    ///
    /// A page that the disk can't deliver, or that somebody cuts off who doesn't heed the lock, ends the process by a signal, where
    /// a directory read otherwise gives an error. So it is for disks of one's own, not for network file systems.
    ///
    /// ```
    /// # async_std::task::block_on(async {
    /// use hypercore::{Hypercore, Storage};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let place = folder.path().join("weather");
    /// let feed = Hypercore::open(Storage::mapped(place)).await?;
    /// feed.append("sunny").await?;
    /// assert_eq!(feed.get(0).await?, "sunny");
    /// # Ok::<_, hypercore::Error>(()) }).unwrap();
    /// ```
    #[cfg(feature = "mmap")]
    pub fn mapped(path: impl Into<PathBuf>) -> Self {
        Storage::custom(Directory::new(path.into()).mapped(true))
    }

    /// Memory. Everything is gone with the last handle of the feed.
    pub fn memory() -> Self {
        Storage::custom(MemoryFiles::default())
    }

    /// A provider of your own: it is asked for the file `key` first, then, once the key is known, for the others.
    ///
    /// A closure `FnMut(File, &OpenContext) -> Result<Box<dyn RandomAccess>, Error>` is one.
    pub fn custom(provider: impl Provider + 'static) -> Self {
        Storage {
            provider: Box::new(provider),
        }
    }

    pub(crate) fn into_provider(self) -> Box<dyn Provider> {
        self.provider
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage").finish_non_exhaustive()
    }
}

impl From<&str> for Storage {
    fn from(path: &str) -> Self {
        Storage::directory(path)
    }
}

impl From<&Path> for Storage {
    fn from(path: &Path) -> Self {
        Storage::directory(path)
    }
}

impl From<PathBuf> for Storage {
    fn from(path: PathBuf) -> Self {
        Storage::directory(path)
    }
}

impl From<&PathBuf> for Storage {
    fn from(path: &PathBuf) -> Self {
        Storage::directory(path)
    }
}
