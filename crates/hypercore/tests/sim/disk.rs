//! The disk of a copy: files in memory that know since when something in them hasn't been synced.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use hypercore::{File, MemoryFiles, OpenContext, RandomAccess, Storage, StorageError};
use testkit::{Sim, lock};

/// Cheap to clone; all clones are the same disk.
#[derive(Clone)]
pub(crate) struct Disk {
    files: MemoryFiles,
    sim: Sim,
    unsynced: Unsynced,
}

/// The files with something that a power cut would take, each since when.
type Unsynced = Arc<Mutex<BTreeMap<File, Duration>>>;

impl Disk {
    pub(crate) fn new(sim: &Sim) -> Self {
        Disk {
            files: MemoryFiles::default(),
            sim: sim.clone(),
            unsynced: Unsynced::default(),
        }
    }

    pub(crate) fn storage(&self) -> Storage {
        let disk = self.clone();
        Storage::custom(move |file: File, _: &OpenContext| {
            let handle = Handle {
                file,
                inner: Box::new(disk.files.file(file)),
                disk: disk.clone(),
            };
            Ok(Box::new(handle) as Box<dyn RandomAccess>)
        })
    }

    /// Since when a power cut would take something.
    pub(crate) fn unsynced_since(&self) -> Option<Duration> {
        lock(&self.unsynced).values().min().copied()
    }
}

/// One of its files.
struct Handle {
    file: File,
    inner: Box<dyn RandomAccess>,
    disk: Disk,
}

impl Handle {
    fn changes(&self) {
        let now = self.disk.sim.now();
        lock(&self.disk.unsynced).entry(self.file).or_insert(now);
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Handle").field(&self.file).finish()
    }
}

impl RandomAccess for Handle {
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<usize, StorageError> {
        self.inner.read(offset, out)
    }
    fn write(&self, offset: u64, parts: &[&[u8]]) -> Result<(), StorageError> {
        self.changes();
        self.inner.write(offset, parts)
    }
    fn len(&self) -> Result<u64, StorageError> {
        self.inner.len()
    }
    fn truncate(&self, len: u64) -> Result<(), StorageError> {
        self.changes();
        self.inner.truncate(len)
    }
    fn clear(&self, range: Range<u64>) -> Result<(), StorageError> {
        self.changes();
        self.inner.clear(range)
    }
    fn sync(&self) -> Result<(), StorageError> {
        lock(&self.disk.unsynced).remove(&self.file);
        self.inner.sync()
    }
    fn lock(&self) -> Result<(), StorageError> {
        self.inner.lock()
    }
    fn destroy(&self) -> Result<(), StorageError> {
        self.inner.destroy()
    }
}
