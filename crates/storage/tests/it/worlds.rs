//! Places to keep a file, for tests that run on each of them, and a file that fails when told to.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use hypercore_storage::{Disk, Error, File, Memory, OpenContext, Provider, RandomAccess};
use tempfile::TempDir;

/// A place in which one file can be opened again and again.
pub(crate) trait World: Default {
    fn open(&self) -> Box<dyn RandomAccess>;
}

#[derive(Default)]
pub(crate) struct InMemory(Memory);

impl World for InMemory {
    fn open(&self) -> Box<dyn RandomAccess> {
        Box::new(self.0.clone())
    }
}

pub(crate) struct OnDisk(TempDir);

impl Default for OnDisk {
    fn default() -> Self {
        OnDisk(tempfile::tempdir().unwrap())
    }
}

impl OnDisk {
    fn disk(&self) -> Disk {
        Disk::new(self.0.path().join("deep/er/file"))
    }
}

impl World for OnDisk {
    fn open(&self) -> Box<dyn RandomAccess> {
        Box::new(self.disk())
    }
}

/// A file on disk that is read through a map.
#[cfg(feature = "mmap")]
#[derive(Default)]
pub(crate) struct OnMappedDisk(OnDisk);

#[cfg(feature = "mmap")]
impl World for OnMappedDisk {
    fn open(&self) -> Box<dyn RandomAccess> {
        Box::new(hypercore_storage::Mapped::new(self.0.disk()))
    }
}

/// What a user of the crate may write: another implementation, handed out by a closure.
#[derive(Default)]
pub(crate) struct ByClosure(Memory);

impl World for ByClosure {
    fn open(&self) -> Box<dyn RandomAccess> {
        let memory = &self.0;
        let mut provider = |_: File, _: &OpenContext| -> Result<Box<dyn RandomAccess>, Error> {
            Ok(Box::new(Watched::new(memory.clone(), Arc::default())))
        };
        provider.open(File::Data, &OpenContext::default()).unwrap()
    }
}

/// What was done, in order, and what is to fail.
#[derive(Debug, Default)]
pub(crate) struct Log {
    done: Mutex<Vec<String>>,
    /// The number of changes that still succeed, plus one; 0: all.
    fail_in: AtomicUsize,
}

impl Log {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.done.lock().unwrap())
    }

    pub(crate) fn note(&self, what: String) {
        self.done.lock().unwrap().push(what);
    }

    /// Lets the next `n` changes succeed and those behind them fail.
    pub(crate) fn fail_after(&self, n: usize) {
        self.fail_in.store(n + 1, Ordering::SeqCst);
    }

    fn change(&self, what: String) -> Result<(), Error> {
        match self.fail_in.load(Ordering::SeqCst) {
            0 => {}
            1 => {
                let failed = std::io::ErrorKind::StorageFull;
                return Err(Error::io("write", failed.into()));
            }
            n => self.fail_in.store(n - 1, Ordering::SeqCst),
        }
        self.note(what);
        Ok(())
    }
}

/// A file in memory whose every call is noted.
#[derive(Debug)]
pub(crate) struct Watched {
    inner: Memory,
    name: &'static str,
    log: Arc<Log>,
}

impl Watched {
    pub(crate) fn new(inner: Memory, log: Arc<Log>) -> Self {
        Watched {
            inner,
            name: "file",
            log,
        }
    }

    pub(crate) fn named(self, name: &'static str) -> Self {
        Watched { name, ..self }
    }
}

impl RandomAccess for Watched {
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<usize, Error> {
        let (name, len) = (self.name, out.len());
        self.log.note(format!("read {name} {offset}+{len}"));
        self.inner.read(offset, out)
    }

    fn write(&self, offset: u64, parts: &[&[u8]]) -> Result<(), Error> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let name = self.name;
        self.log.change(format!("write {name} {offset}+{len}"))?;
        self.inner.write(offset, parts)
    }

    fn len(&self) -> Result<u64, Error> {
        self.inner.len()
    }

    fn truncate(&self, len: u64) -> Result<(), Error> {
        self.log.change(format!("truncate {} {len}", self.name))?;
        self.inner.truncate(len)
    }

    fn clear(&self, range: Range<u64>) -> Result<(), Error> {
        self.log.change(format!("clear {} {range:?}", self.name))?;
        self.inner.clear(range)
    }

    fn sync(&self) -> Result<(), Error> {
        self.log.change(format!("sync {}", self.name))?;
        self.inner.sync()
    }

    fn lock(&self) -> Result<(), Error> {
        self.log.note(format!("lock {}", self.name));
        self.inner.lock()
    }

    fn destroy(&self) -> Result<(), Error> {
        self.inner.destroy()
    }
}
