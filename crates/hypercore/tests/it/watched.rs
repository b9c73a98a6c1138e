//! Files in memory that remember what is done to them.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use hypercore::{File, MemoryFiles, OpenContext, RandomAccess, Storage, StorageError};

/// What is done to the files of a feed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    files: MemoryFiles,
    open: Arc<AtomicUsize>,
    done: Arc<Mutex<Vec<Access>>>,
}

/// A read of so many bytes or a write, at an offset.
type Access = (File, &'static str, u64, usize);

impl Watch {
    pub(crate) fn storage(&self) -> Storage {
        let watch = self.clone();
        Storage::custom(move |file: File, _: &OpenContext| {
            watch.open.fetch_add(1, Ordering::SeqCst);
            let watched = Watched {
                file,
                inner: Box::new(watch.files.file(file)),
                watch: watch.clone(),
            };
            Ok(Box::new(watched) as Box<dyn RandomAccess>)
        })
    }

    /// How many files are held.
    pub(crate) fn open_files(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub(crate) fn forget(&self) {
        self.done.lock().unwrap().clear();
    }

    /// Offset and size of what was done since this was last asked.
    pub(crate) fn take(&self, file: File, what: &str) -> Vec<(u64, usize)> {
        let mut done = self.done.lock().unwrap();
        let matching = |access: &Access| access.0 == file && access.1 == what;
        let taken = done.iter().filter(|access| matching(access));
        let taken = taken.map(|(_, _, offset, len)| (*offset, *len)).collect();
        done.retain(|access| !matching(access));
        taken
    }
}

#[derive(Debug)]
struct Watched {
    file: File,
    inner: Box<dyn RandomAccess>,
    watch: Watch,
}

impl Watched {
    fn note(&self, what: &'static str, offset: u64, len: usize) {
        let mut done = self.watch.done.lock().unwrap();
        done.push((self.file, what, offset, len));
    }
}

impl RandomAccess for Watched {
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<usize, StorageError> {
        self.note("read", offset, out.len());
        self.inner.read(offset, out)
    }
    fn write(&self, offset: u64, parts: &[&[u8]]) -> Result<(), StorageError> {
        self.note("write", offset, parts.iter().map(|part| part.len()).sum());
        self.inner.write(offset, parts)
    }
    fn len(&self) -> Result<u64, StorageError> {
        self.inner.len()
    }
    fn truncate(&self, len: u64) -> Result<(), StorageError> {
        self.inner.truncate(len)
    }
    fn clear(&self, range: Range<u64>) -> Result<(), StorageError> {
        self.inner.clear(range)
    }
    fn sync(&self) -> Result<(), StorageError> {
        self.inner.sync()
    }
    fn lock(&self) -> Result<(), StorageError> {
        self.inner.lock()
    }
    fn destroy(&self) -> Result<(), StorageError> {
        self.inner.destroy()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watch.open.fetch_sub(1, Ordering::SeqCst);
    }
}
