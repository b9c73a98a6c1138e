//! A file on disk.
//!
//! The lock is `flock(LOCK_EX | LOCK_NB)` on Unix, the one that JavaScript takes. It belongs to the open file, so two
//! handles of one process shut each other out as well.

use std::{
    fs::{self, OpenOptions, TryLockError},
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    vec::Vec,
};

use crate::{Error, RandomAccess, folder::Folder, positional};

/// A file on disk, read and written at offsets.
///
/// Nothing is created before the first write, which also makes the directories above the file. A file that may not be
/// written is opened for reading.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
    create: bool,
    private: bool,
    folder: Arc<Folder>,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Opened when first needed and found to exist.
    file: Option<fs::File>,
    locked: Lock,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Lock {
    #[default]
    Free,
    /// Wanted once there is a file.
    Pending,
    Held,
}

impl Disk {
    /// A file at a path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Disk {
            folder: Arc::new(Folder::of(&path)),
            path,
            create: true,
            private: false,
            state: RwLock::default(),
        }
    }

    /// Whether a write may create the file. Default: yes.
    #[must_use]
    pub fn create(mut self, yes: bool) -> Self {
        self.create = yes;
        self
    }

    /// Whether only the owner may read the file, if it is created and the system can say so (mode 0600). Default: no.
    #[must_use]
    pub fn private(mut self, yes: bool) -> Self {
        self.private = yes;
        self
    }

    /// The file shares what is known of its directory with others.
    pub(crate) fn within(mut self, folder: Arc<Folder>) -> Self {
        self.folder = folder;
        self
    }

    /// Where the file is, or will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Does something with the file, if it exists.
    pub(crate) fn existing<T>(
        &self,
        operation: &'static str,
        act: impl FnOnce(&fs::File) -> io::Result<T>,
    ) -> Result<Option<T>, Error> {
        let mut state = self.state();
        if state.file.is_none() {
            drop(state);
            self.find()?;
            state = self.state();
        }
        let done = state.file.as_ref().map(act).transpose();
        done.map_err(|error| Error::io(operation, error))
    }

    /// Opens the file if it exists.
    fn find(&self) -> Result<(), Error> {
        let mut state = self.state_mut();
        if state.file.is_none()
            && let Some(file) = open(&self.path).map_err(|error| Error::io("open", error))?
        {
            state.adopt(file)?;
        }
        Ok(())
    }

    /// Creates the file, unless it exists.
    fn make(&self) -> Result<(), Error> {
        if self.state().file.is_some() {
            return Ok(());
        }
        self.find()?;
        let mut state = self.state_mut();
        if state.file.is_none() {
            let file = self
                .create_file()
                .map_err(|error| Error::io("create", error))?;
            state.adopt(file)?;
        }
        Ok(())
    }

    fn create_file(&self) -> io::Result<fs::File> {
        if !self.create {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.folder.make()?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        if self.private {
            restrict(&mut options);
        }
        let file = options.open(&self.path)?;
        self.folder.created();
        Ok(file)
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        // Each change of the state is one assignment, so a panic leaves nothing half done.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes a file that was just opened or created, with the lock if that was waiting for it.
    fn adopt(&mut self, file: fs::File) -> Result<(), Error> {
        if self.locked == Lock::Pending {
            take_lock(&file)?;
            // We looked before, and there was nothing. Somebody has created, written and left it since: what the
            // caller knows is outdated.
            let metadata = file.metadata().map_err(|error| Error::io("open", error))?;
            if metadata.len() > 0 {
                return Err(Error::Locked);
            }
            self.locked = Lock::Held;
        }
        self.file = Some(file);
        Ok(())
    }
}

impl RandomAccess for Disk {
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<usize, Error> {
        let read = self.existing("read", |file| positional::read(file, offset, out))?;
        Ok(read.unwrap_or(0))
    }

    fn read_vec(&self, offset: u64, len: usize) -> Result<Vec<u8>, Error> {
        let read = self.existing("read", |file| positional::read_vec(file, offset, len))?;
        Ok(read.unwrap_or_default())
    }

    fn write(&self, offset: u64, parts: &[&[u8]]) -> Result<(), Error> {
        self.make()?;
        let written = self.existing("write", |file| positional::write(file, offset, parts))?;
        written.ok_or_else(|| Error::io("write", io::ErrorKind::NotFound.into()))
    }

    fn len(&self) -> Result<u64, Error> {
        let len = self.existing("measure", |file| Ok(file.metadata()?.len()))?;
        Ok(len.unwrap_or(0))
    }

    #[cfg(unix)]
    fn disk_usage(&self) -> Result<u64, Error> {
        use std::os::unix::fs::MetadataExt;

        // POSIX counts in units of 512 bytes, whatever the file system's blocks are.
        let used = self.existing("measure", |file| Ok(file.metadata()?.blocks() * 512))?;
        Ok(used.unwrap_or(0))
    }

    fn truncate(&self, len: u64) -> Result<(), Error> {
        self.existing("truncate", |file| match file.metadata()?.len() > len {
            true => file.set_len(len),
            false => Ok(()),
        })?;
        Ok(())
    }

    fn clear(&self, range: Range<u64>) -> Result<(), Error> {
        self.existing("clear", |file| {
            let len = file.metadata()?.len();
            if range.is_empty() || range.start >= len {
                return Ok(());
            }
            match range.end >= len {
                true => file.set_len(range.start),
                false => positional::punch(file, range.start, range.end - range.start),
            }
        })?;
        Ok(())
    }

    fn sync(&self) -> Result<(), Error> {
        self.existing("sync", fs::File::sync_data)?;
        // Also what others have created there: one sync serves all of them.
        self.folder.sync().map_err(|error| Error::io("sync", error))
    }

    fn lock(&self) -> Result<(), Error> {
        self.find()?;
        let mut state = self.state_mut();
        if state.locked != Lock::Held {
            state.locked = match &state.file {
                Some(file) => take_lock(file).map(|()| Lock::Held)?,
                None => Lock::Pending,
            };
        }
        Ok(())
    }

    fn destroy(&self) -> Result<(), Error> {
        let mut state = self.state_mut();
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove", error))
            }
            _ => {
                *state = State::default();
                Ok(())
            }
        }
    }
}

/// Opens a file for reading and writing, or if that is refused for reading. None if it doesn't exist.
fn open(path: &Path) -> io::Result<Option<fs::File>> {
    let refused = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => return Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => error,
    };
    match fs::File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(_) => Err(refused),
    }
}

/// For the owner's eyes only, where the system knows how.
fn restrict(_options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(_options, 0o600);
}

fn take_lock(file: &fs::File) -> Result<(), Error> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => Error::Locked,
        TryLockError::Error(error) => Error::io("lock", error),
    })
}
