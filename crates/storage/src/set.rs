//! The six files of one feed: read lists, batches in their order, the lock, and the latch.

use std::{
    boxed::Box,
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, TryLockError,
        atomic::{AtomicU64, Ordering},
    },
    vec::Vec,
};

use bytes::Bytes;

use crate::{
    Barriers, Batch, Error, File, Op, OpenContext, Provider, RandomAccess, Read,
    runs::{read_run, runs},
    writer::Writer,
};

/// The six files of one feed.
///
/// The file `key` is opened at once, the others when the first of them is needed: until then the caller can say, with
/// [`set_context`](FileSet::set_context), which feed it is. With them comes the lock, so that one feed has one user; it
/// is given back when the set is closed or dropped. Where nothing is stored, nothing is created or locked before the
/// first commit.
///
/// After a write that fails, for want of room or permission, the next batch is tried as if nothing had been: what a batch
/// writes before its first barrier may be half there without harm, and what it writes behind that is repeated. After a
/// *sync* that fails nobody knows what the disk holds: from then on every commit fails with [`Error::Latched`], and reads go
/// on. Opening the files again is what finds out.
pub struct FileSet {
    files: RwLock<Files>,
    opener: Mutex<Opener>,
    writer: Mutex<Writer>,
    /// How many bytes were written that a power cut could take back.
    unsynced: AtomicU64,
    /// How long the file `key` was when nobody was shut out yet.
    key_len: u64,
}

#[derive(Debug)]
pub(crate) enum Files {
    Key(Box<dyn RandomAccess>),
    /// In the order of [`File::ALL`].
    All([Box<dyn RandomAccess>; 6]),
    Closed,
}

struct Opener {
    provider: Box<dyn Provider>,
    context: OpenContext,
}

impl FileSet {
    /// Opens the file `key`, and leaves the others for when they are needed.
    ///
    /// # Errors
    /// What the provider says.
    pub fn open(mut provider: Box<dyn Provider>) -> Result<Self, Error> {
        let open = provider.open(File::Key, &OpenContext::default());
        let key = open.map_err(|error| error.of(File::Key))?;
        let key_len = key.len().map_err(|error| error.of(File::Key))?;
        let mut writer = Writer::default();
        if key_len > 0 {
            writer.distrust();
        }
        Ok(FileSet {
            files: RwLock::new(Files::Key(key)),
            opener: Mutex::new(Opener {
                provider,
                context: OpenContext::default(),
            }),
            writer: Mutex::new(writer),
            unsynced: AtomicU64::new(0),
            key_len,
        })
    }

    /// Says whose files these are, for the provider. Has no effect once all are open.
    pub fn set_context(&mut self, context: OpenContext) {
        let opener = self.opener.get_mut();
        opener.unwrap_or_else(PoisonError::into_inner).context = context;
    }

    /// Reads the pieces, in the order of the list. Neighbours are read in one go. A piece is short where its file ends,
    /// and empty if there is no file.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Closed`]; where it is the first use, [`Error::Locked`] and what the provider says.
    pub fn read(&self, reads: &[Read]) -> Result<Vec<Bytes>, Error> {
        let files = self.files(reads.iter().all(|read| read.file == File::Key))?;
        let mut replies = Vec::with_capacity(reads.len());
        for run in runs(reads) {
            if let Some(Read { file, .. }) = run.first() {
                let access = files.access(*file)?;
                read_run(access, run, &mut replies).map_err(|error| error.of(*file))?;
            }
        }
        Ok(replies)
    }

    /// The length of a file in bytes; 0 if it doesn't exist.
    ///
    /// # Errors
    /// As [`read`](FileSet::read).
    pub fn len(&self, file: File) -> Result<u64, Error> {
        let files = self.files(file == File::Key)?;
        files.access(file)?.len().map_err(|error| error.of(file))
    }

    /// How many bytes of the medium all six files take.
    ///
    /// # Errors
    /// As [`read`](FileSet::read).
    pub fn disk_usage(&self) -> Result<u64, Error> {
        let files = self.files(false)?;
        let mut total = 0;
        for file in File::ALL {
            let used = files.access(file)?.disk_usage();
            total += used.map_err(|error| error.of(file))?;
        }
        Ok(total)
    }

    /// Makes the changes in their order, without waiting at barriers.
    ///
    /// # Errors
    /// [`Error::Io`]: some of what stands in front of the first barrier may be written, and nothing behind it.
    /// [`Error::Latched`], [`Error::Locked`], [`Error::Closed`]: nothing was written.
    pub fn commit(&self, batch: &Batch) -> Result<(), Error> {
        self.commit_with(batch, Barriers::Skip)
    }

    /// Makes the changes in their order, and waits at barriers or not.
    ///
    /// # Errors
    /// As [`commit`](FileSet::commit). If it was a sync that failed, what is on the disk is unknown, and the set is latched.
    pub fn commit_with(&self, batch: &Batch, barriers: Barriers) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut writer = self.writer()?;
        let files = self.files(false)?;
        self.lock_files(&files, &mut writer)?;
        // Counted first, so that what fails half-way counts too.
        self.unsynced.fetch_add(size(batch), Ordering::AcqRel);
        if writer.commit(&files, batch, barriers)? {
            self.unsynced.store(0, Ordering::Release);
        }
        Ok(())
    }

    /// Waits until everything written is where a power cut can't take it back, and writes what was
    /// [deferred](Barriers::Defer) until then.
    ///
    /// # Errors
    /// [`Error::Io`]: if it was a sync that failed, what is on the disk is unknown and the set is latched. Pages that can't be
    /// written wait for the next time. [`Error::Latched`], [`Error::Closed`].
    pub fn sync(&self) -> Result<(), Error> {
        let mut writer = self.writer()?;
        let files = self.files(false)?;
        writer.sync(&files)?;
        self.unsynced.store(0, Ordering::Release);
        Ok(())
    }

    /// How many bytes were written since all was synced. 0: there is nothing that a power cut could take back.
    pub fn unsynced(&self) -> u64 {
        self.unsynced.load(Ordering::Acquire)
    }

    /// Whether something that was [deferred](Barriers::Defer), or couldn't be written behind a barrier, waits in memory for the next
    /// [`sync`](FileSet::sync).
    pub fn has_deferred(&self) -> bool {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.has_deferred()
    }

    /// Takes the lock now, creating the file that it lies on. Commits do so by themselves.
    ///
    /// # Errors
    /// [`Error::Locked`] if another handle has the feed open; [`Error::Io`], [`Error::Latched`], [`Error::Closed`].
    pub fn lock(&self) -> Result<(), Error> {
        let mut writer = self.writer()?;
        let files = self.files(false)?;
        self.lock_files(&files, &mut writer)
    }

    /// Whether a sync has failed, so that nothing is written any more.
    pub fn is_latched(&self) -> bool {
        match self.writer.try_lock() {
            Ok(writer) => writer.latched,
            Err(TryLockError::Poisoned(_)) => true,
            // A commit is running: it isn't over, so it hasn't failed.
            Err(TryLockError::WouldBlock) => false,
        }
    }

    /// Closes the files and gives the lock back, after the commit and the reads that are running. Every later call fails
    /// with [`Error::Closed`].
    pub fn close(&self) {
        let writer = self.writer.lock();
        let files = self.files.write();
        *files.unwrap_or_else(PoisonError::into_inner) = Files::Closed;
        drop(writer);
    }

    /// Removes all six files and what they hold, also if the set is closed. Every later call fails with [`Error::Closed`].
    ///
    /// # Errors
    /// [`Error::Io`]: some of them may be gone. [`Error::Locked`] if another handle has the feed open.
    pub fn destroy(&self) -> Result<(), Error> {
        let _writer = self.writer.lock();
        let mut opener = self.opener.lock().unwrap_or_else(PoisonError::into_inner);
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        let all = match core::mem::replace(&mut *files, Files::Closed) {
            Files::All(all) => all,
            Files::Key(_) | Files::Closed => {
                let key = opener.open(File::Key)?;
                let [secret_key, tree, data, bitfield, signatures] = opener.open_others()?;
                bitfield.lock().map_err(|error| error.of(File::Bitfield))?;
                [key, secret_key, tree, data, bitfield, signatures]
            }
        };
        // Secrets first. The lock lies on the bitfield, so that goes last.
        for file in [
            File::SecretKey,
            File::Key,
            File::Data,
            File::Tree,
            File::Signatures,
            File::Bitfield,
        ] {
            let destroyed = all[file as usize].destroy();
            destroyed.map_err(|error| error.of(file))?;
        }
        Ok(())
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>, Error> {
        // Poisoned: a backend has panicked in the middle of a batch.
        let writer = self.writer.lock().map_err(|_| Error::Latched)?;
        match writer.latched {
            true => Err(Error::Latched),
            false => Ok(writer),
        }
    }

    /// The files: only `key` if that will do, else all, opening them if need be.
    fn files(&self, only_key: bool) -> Result<RwLockReadGuard<'_, Files>, Error> {
        loop {
            let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
            match *files {
                Files::Closed => return Err(Error::Closed),
                Files::Key(_) if !only_key => {}
                Files::Key(_) | Files::All(_) => return Ok(files),
            }
            drop(files);
            self.open_all()?;
        }
    }

    fn open_all(&self) -> Result<(), Error> {
        let mut opener = self.opener.lock().unwrap_or_else(PoisonError::into_inner);
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        let Files::Key(key) = &*files else {
            return Ok(());
        };
        let [secret_key, tree, data, bitfield, signatures] = opener.open_others()?;
        bitfield.lock().map_err(|error| error.of(File::Bitfield))?;
        self.check_key(&**key)?;
        if let Files::Key(key) = core::mem::replace(&mut *files, Files::Closed) {
            *files = Files::All([key, secret_key, tree, data, bitfield, signatures]);
        }
        Ok(())
    }

    /// Makes sure that the lock is held, also where there was nothing to lock before.
    fn lock_files(&self, files: &Files, writer: &mut Writer) -> Result<(), Error> {
        if !writer.ready {
            // Writing nothing creates the file, and a file that was to be locked is locked when it is created.
            let bitfield = files.access(File::Bitfield)?;
            let created = bitfield.write(0, &[]);
            created.map_err(|error| error.of(File::Bitfield))?;
            self.check_key(files.access(File::Key)?)?;
            writer.ready = true;
        }
        Ok(())
    }

    /// Now that others are shut out: has one of them created the feed since we looked?
    fn check_key(&self, key: &dyn RandomAccess) -> Result<(), Error> {
        match key.len().map_err(|error| error.of(File::Key))? == self.key_len {
            true => Ok(()),
            false => Err(Error::Locked),
        }
    }
}

impl Opener {
    fn open(&mut self, file: File) -> Result<Box<dyn RandomAccess>, Error> {
        let opened = self.provider.open(file, &self.context);
        opened.map_err(|error| error.of(file))
    }

    /// All but the key, in the order of [`File::ALL`].
    fn open_others(&mut self) -> Result<[Box<dyn RandomAccess>; 5], Error> {
        Ok([
            self.open(File::SecretKey)?,
            self.open(File::Tree)?,
            self.open(File::Data)?,
            self.open(File::Bitfield)?,
            self.open(File::Signatures)?,
        ])
    }
}

impl Files {
    pub(crate) fn access(&self, file: File) -> Result<&dyn RandomAccess, Error> {
        match self {
            Files::All(all) => Ok(&*all[file as usize]),
            Files::Key(key) if file == File::Key => Ok(&**key),
            Files::Key(_) | Files::Closed => Err(Error::Closed),
        }
    }
}

/// How many bytes a batch writes. At least one: cutting is a change as well.
fn size(batch: &Batch) -> u64 {
    let bytes = batch.ops().iter().map(|op| match op {
        Op::Write { parts, .. } => parts.iter().map(|part| part.len() as u64).sum(),
        _ => 0,
    });
    bytes.sum::<u64>().max(1)
}

impl Drop for FileSet {
    /// Whoever forgets to close gets what was deferred all the same, if the disk lets it.
    fn drop(&mut self) {
        let deferred = self
            .writer
            .get_mut()
            .is_ok_and(|writer| writer.has_deferred());
        if deferred {
            let _ = self.sync();
        }
    }
}

impl fmt::Debug for FileSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSet")
            .field("latched", &self.is_latched())
            .finish_non_exhaustive()
    }
}
