//! A file whose pages are mapped into memory to be read: no call for bytes that the system has in its cache, only a copy.
//!
//! ```text
//!  file   |#################|                    pwrite, fdatasync, flock: as `Disk`
//!  map    |#################..............|      with room to grow; read up to the end of the file only
//! ```
//!
//! A map has a danger that a read has not. Whoever touches a page behind the end of its file, or one that the disk can't
//! deliver, gets no error: the process is ended by a signal (SIGBUS). What is done about it:
//!
//! - Nothing borrowed from a map leaves this file: bytes are copied, at a place and at a moment that are known.
//! - The length is asked for before each copy, so that a file that others have cut is read as short, as from a disk.
//! - Cuts of our own wait until no copy is under way, and take the map away. So do writes, so that nothing is copied while it
//!   changes.
//! - Others are shut out by the lock of the feed. One that doesn't heed it, and cuts the file between question and copy, ends the
//!   process; so does a page that can't be read. That is why a feed isn't read like this unless it was asked for.
#![allow(unsafe_code)]

use std::{
    fmt,
    ops::Range,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    vec::Vec,
};

use memmap2::{MmapOptions, MmapRaw};

use crate::{Disk, Error, RandomAccess};

/// A file on disk whose pages are mapped into memory to be read. It is written as [`Disk`] does, and where it can't be mapped, it
/// is read so as well.
///
/// It is for files on a disk that can be trusted, and that nobody cuts who doesn't heed the lock: a page that can't be
/// read ends the process.
///
/// ```
/// use hypercore_storage::{Disk, Mapped, RandomAccess};
///
/// let folder = tempfile::tempdir()?;
/// let file = Mapped::new(Disk::new(folder.path().join("data")));
/// file.write(0, &[b"hello"])?;
/// assert_eq!(file.read_vec(1, 100)?, b"ello");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct Mapped {
    disk: Disk,
    /// Held while bytes are copied, and exclusively while they change.
    map: RwLock<Option<MmapRaw>>,
}

impl Mapped {
    /// Reads a file through a map.
    pub fn new(disk: Disk) -> Self {
        Mapped {
            disk,
            map: RwLock::default(),
        }
    }

    /// Copies what there is of a range by `copy`, which is given the map and a range of it. None if there is no map of it.
    fn copy<T>(
        &self,
        offset: u64,
        len: usize,
        copy: impl FnOnce(&Piece<'_>) -> T,
    ) -> Result<Option<T>, Error> {
        let mut guard = self.map();
        loop {
            let end = self.disk.len()?.min(offset.saturating_add(len as u64));
            let (Ok(start), Ok(end)) = (usize::try_from(offset), usize::try_from(end)) else {
                return Ok(None);
            };
            if start >= end {
                return Ok(Some(copy(&Piece::EMPTY)));
            }
            if let Some(map) = guard.as_ref().filter(|map| map.len() >= end) {
                return Ok(Some(copy(&Piece {
                    map: Some(map),
                    range: start..end,
                })));
            }
            drop(guard);
            if !self.remap(end)? {
                return Ok(None);
            }
            guard = self.map();
        }
    }

    /// Maps so many bytes and more. Says whether that was possible.
    fn remap(&self, len: usize) -> Result<bool, Error> {
        let mut map = self.exclusive();
        let room = match cfg!(unix) {
            // Room to grow into costs nothing here. It is never touched before the file has reached it.
            true => len.checked_next_power_of_two().unwrap_or(len).max(ROOM),
            false => len,
        };
        let mapped = self.disk.existing("map", |file| {
            Ok(MmapOptions::new().len(room).map_raw_read_only(file).ok())
        })?;
        *map = mapped.flatten();
        Ok(map.is_some())
    }

    fn map(&self) -> RwLockReadGuard<'_, Option<MmapRaw>> {
        // A map is put in its place whole, so a panic leaves nothing half done.
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no copy is under way, and holds up others.
    fn exclusive(&self) -> RwLockWriteGuard<'_, Option<MmapRaw>> {
        self.map.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The least that is mapped, in bytes.
const ROOM: usize = 1 << 20;

/// A piece of a map whose bytes are there, while the lock is held that nothing changes them under.
struct Piece<'a> {
    map: Option<&'a MmapRaw>,
    range: Range<usize>,
}

impl Piece<'_> {
    const EMPTY: Piece<'static> = Piece {
        map: None,
        range: 0..0,
    };

    /// Copies as many bytes as there is room for, and says how many.
    fn copy_to(&self, out: &mut [u8]) -> usize {
        let len = self.range.len().min(out.len());
        if let Some(map) = self.map {
            // SAFETY: `Mapped::copy` makes pieces, of a range that ends within both the map and the file, and lends them while
            // it holds the lock: no write or cut by this handle changes the bytes meanwhile, and other handles are shut out by
            // the lock of the feed. `out` is exclusively ours, has room for `len`, and so doesn't overlap.
            unsafe {
                let from = map.as_ptr().add(self.range.start);
                from.copy_to_nonoverlapping(out.as_mut_ptr(), len);
            }
        }
        len
    }

    fn to_vec(&self) -> Vec<u8> {
        let len = self.range.len();
        let mut bytes = Vec::with_capacity(len);
        if let Some(map) = self.map {
            // SAFETY: as in `copy_to`. The vector has room for `len` bytes, all of which are written before they count.
            unsafe {
                let from = map.as_ptr().add(self.range.start);
                from.copy_to_nonoverlapping(bytes.as_mut_ptr(), len);
                bytes.set_len(len);
            }
        }
        bytes
    }
}

impl RandomAccess for Mapped {
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<usize, Error> {
        match self.copy(offset, out.len(), |piece| piece.copy_to(out))? {
            Some(len) => Ok(len),
            None => self.disk.read(offset, out),
        }
    }

    fn read_vec(&self, offset: u64, len: usize) -> Result<Vec<u8>, Error> {
        match self.copy(offset, len, |piece| piece.to_vec())? {
            Some(bytes) => Ok(bytes),
            None => self.disk.read_vec(offset, len),
        }
    }

    fn write(&self, offset: u64, parts: &[&[u8]]) -> Result<(), Error> {
        let _map = self.exclusive();
        self.disk.write(offset, parts)
    }

    fn len(&self) -> Result<u64, Error> {
        self.disk.len()
    }

    fn disk_usage(&self) -> Result<u64, Error> {
        self.disk.disk_usage()
    }

    fn truncate(&self, len: u64) -> Result<(), Error> {
        *self.exclusive() = None;
        self.disk.truncate(len)
    }

    fn clear(&self, range: Range<u64>) -> Result<(), Error> {
        *self.exclusive() = None;
        self.disk.clear(range)
    }

    fn sync(&self) -> Result<(), Error> {
        self.disk.sync()
    }

    fn lock(&self) -> Result<(), Error> {
        self.disk.lock()
    }

    fn destroy(&self) -> Result<(), Error> {
        *self.exclusive() = None;
        self.disk.destroy()
    }
}

impl fmt::Debug for Mapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapped")
            .field("disk", &self.disk)
            .finish_non_exhaustive()
    }
}
