//! A disk that remembers what was synced, so that a test can ask what a power cut would have left of the rest.
//!
//! ```text
//!   calls ──▶ live image            what the running program reads back
//!        └──▶ list of operations    writes, cuts, holes, syncs, in the order in which they were made
//!                  |
//!                crash              base + what was synced + some of what was not  ──▶ another disk
//! ```
//!
//! One run is recorded once; every crash point and every loss is then made from the record. Faults at run time (no room,
//! calls that fail) are told to the same disk while it works: see [`Fault`].

mod crash;
mod fault;

use std::{
    fmt, io,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use storage::{Error, File, OpenContext, Provider, RandomAccess};

use self::fault::Faults;

pub use self::{
    crash::Loss,
    fault::{Call, Fault},
};

/// What the six files hold, in the order of [`File::ALL`].
pub type Image = [Vec<u8>; 6];

/// The six files of a feed on a disk that can lose what was not synced, run full, and fail.
///
/// Clones are the same disk.
///
/// ```
/// use hypercore_testkit::{Loss, Rng, SimDisk};
/// use storage::{Barriers, Batch, File, FileSet};
///
/// let disk = SimDisk::default();
/// let files = FileSet::open(Box::new(disk.clone()))?;
/// let mut batch = Batch::new();
/// batch.write(File::Data, 0, "kept".into());
/// files.commit_with(&batch, Barriers::Sync)?;
/// let mut batch = Batch::new();
/// batch.write(File::Data, 4, "lost".into());
/// files.commit(&batch)?;
///
/// let left = disk.crash(disk.done(), Loss::Everything, &mut Rng::new(1));
/// assert_eq!(left.bytes(File::Data), b"kept");
/// # Ok::<_, storage::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct SimDisk {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// What was on the disk before the first operation.
    base: Image,
    live: Image,
    done: Vec<Done>,
    faults: Faults,
}

/// An operation that was done, on one file.
#[derive(Clone)]
struct Done {
    file: File,
    what: What,
}

#[derive(Clone)]
enum What {
    Write {
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncate(usize),
    Clear(Range<usize>),
    Sync,
    /// A sync has failed: what was written before it never gets to the medium, though it can be read until then.
    Dropped,
}

impl SimDisk {
    /// A disk on which everything in the image is safe.
    pub fn holding(image: Image) -> Self {
        SimDisk {
            shared: Arc::new(Mutex::new(Shared {
                live: image.clone(),
                base: image,
                ..Shared::default()
            })),
        }
    }

    /// How many operations were done so far: a crash point lies behind each of them.
    pub fn done(&self) -> usize {
        self.shared().done.len()
    }

    /// What a running program reads back.
    pub fn image(&self) -> Image {
        self.shared().live.clone()
    }

    /// The bytes of one file.
    pub fn bytes(&self, file: File) -> Vec<u8> {
        self.shared().live[file as usize].clone()
    }

    /// Changes a file behind the program's back: bits that rot, writes that went astray.
    pub fn spoil(&self, file: File, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.shared().live[file as usize]);
    }

    /// Lets calls fail from now on, as the fault says, besides those that were told before.
    pub fn fail(&self, fault: Fault) {
        self.shared().faults.add(fault);
    }

    /// No faults any more.
    pub fn heal(&self) {
        self.shared().faults = Faults::default();
    }

    /// How many calls of a kind there were, failed ones too.
    pub fn calls(&self, call: Call) -> usize {
        self.shared().faults.calls(call)
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn record(&mut self, file: File, what: What) {
        what.apply(&mut self.live[file as usize]);
        self.done.push(Done { file, what });
    }
}

impl What {
    /// Does it to the bytes of its file.
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            What::Write { offset, bytes: new } => write(bytes, *offset, new),
            What::Truncate(len) => bytes.truncate(*len),
            What::Clear(range) if range.is_empty() || range.start >= bytes.len() => {}
            What::Clear(range) if range.end >= bytes.len() => bytes.truncate(range.start),
            What::Clear(range) => bytes[range.clone()].fill(0),
            What::Sync | What::Dropped => {}
        }
    }
}

fn write(bytes: &mut Vec<u8>, offset: usize, new: &[u8]) {
    let end = offset + new.len();
    if !new.is_empty() {
        bytes.resize(bytes.len().max(end), 0);
        bytes[offset..end].copy_from_slice(new);
    }
}

impl Provider for SimDisk {
    fn open(&mut self, file: File, _: &OpenContext) -> Result<Box<dyn RandomAccess>, Error> {
        Ok(Box::new(SimFile {
            disk: self.clone(),
            file,
        }))
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimDisk")
            .field("done", &self.done())
            .finish_non_exhaustive()
    }
}

/// One of its files.
#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: File,
}

impl SimFile {
    /// A call of that kind, unless it is to fail.
    fn begin(&self, call: Call) -> Result<MutexGuard<'_, Shared>, Error> {
        let mut shared = self.disk.shared();
        match shared.faults.strike(call, self.file) {
            None => Ok(shared),
            Some(kind) => Err(Error::io(call.name(), kind.into())),
        }
    }
}

impl RandomAccess for SimFile {
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<usize, Error> {
        let shared = self.begin(Call::Read)?;
        let bytes = &shared.live[self.file as usize];
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let there = bytes.get(start..).unwrap_or_default();
        let len = there.len().min(out.len());
        out[..len].copy_from_slice(&there[..len]);
        Ok(len)
    }

    fn write(&self, offset: u64, parts: &[&[u8]]) -> Result<(), Error> {
        let mut shared = self.disk.shared();
        let mut bytes = parts.concat();
        let offset = usize::try_from(offset).unwrap();
        let refused = shared.refuse_write(self.file, offset, &mut bytes);
        // Of a write that fails any beginning may be there.
        if refused.is_none() || !bytes.is_empty() {
            shared.record(self.file, What::Write { offset, bytes });
        }
        match refused {
            None => Ok(()),
            Some(kind) => Err(Error::io("write", kind.into())),
        }
    }

    fn len(&self) -> Result<u64, Error> {
        Ok(self.disk.shared().live[self.file as usize].len() as u64)
    }

    fn truncate(&self, len: u64) -> Result<(), Error> {
        let mut shared = self.begin(Call::Truncate)?;
        let len = usize::try_from(len).unwrap();
        shared.record(self.file, What::Truncate(len));
        Ok(())
    }

    fn clear(&self, range: Range<u64>) -> Result<(), Error> {
        let mut shared = self.begin(Call::Truncate)?;
        let place = |at| usize::try_from(at).unwrap();
        let range = place(range.start)..place(range.end);
        shared.record(self.file, What::Clear(range));
        Ok(())
    }

    fn sync(&self) -> Result<(), Error> {
        let mut shared = self.disk.shared();
        match shared.faults.strike(Call::Sync, self.file) {
            None => {
                shared.record(self.file, What::Sync);
                Ok(())
            }
            Some(kind) => {
                shared.record(self.file, What::Dropped);
                Err(Error::io("sync", kind.into()))
            }
        }
    }

    fn destroy(&self) -> Result<(), Error> {
        self.truncate(0)
    }
}

impl Shared {
    /// Why a write fails, if it does; `bytes` is cut down to what gets through.
    fn refuse_write(
        &mut self,
        file: File,
        offset: usize,
        bytes: &mut Vec<u8>,
    ) -> Option<io::ErrorKind> {
        if let Some(kind) = self.faults.strike(Call::Write, file) {
            let through = self.faults.through(bytes.len());
            bytes.truncate(through);
            return Some(kind);
        }
        let used: usize = self.live.iter().map(Vec::len).sum();
        let grows = (offset + bytes.len()).saturating_sub(self.live[file as usize].len());
        let room = self.faults.room()?.saturating_sub(used);
        if grows <= room {
            return None;
        }
        bytes.truncate(bytes.len().saturating_sub(grows - room));
        Some(io::ErrorKind::StorageFull)
    }
}
