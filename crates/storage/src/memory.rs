//! Files in memory, as sparse as those on a disk.
//!
//! Only pages that were written to take space, so a node far out in the tree of a huge feed costs one page.

use std::{
    boxed::Box,
    collections::BTreeMap,
    fmt, io,
    ops::Range,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{Error, File, OpenContext, Provider, RandomAccess};

/// A file in memory.
///
/// Clones share what is stored, each being a handle of its own: what one has locked, the others can't.
#[derive(Default)]
pub struct Memory {
    shared: Arc<Shared>,
    holds_lock: AtomicBool,
}

#[derive(Default)]
struct Shared {
    content: RwLock<Content>,
    locked: AtomicBool,
}

#[derive(Default)]
struct Content {
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
    len: u64,
}

const PAGE: usize = 4096;

impl Memory {
    /// How many bytes of memory hold the content: whole pages, without those never written to.
    pub fn allocated(&self) -> u64 {
        (self.content().pages.len() * PAGE) as u64
    }

    fn content(&self) -> RwLockReadGuard<'_, Content> {
        // Nothing that could panic half-way changes the content.
        let content = &self.shared.content;
        content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn content_mut(&self) -> RwLockWriteGuard<'_, Content> {
        let content = &self.shared.content;
        content.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn unlock(&self) {
        if self.holds_lock.swap(false, Ordering::AcqRel) {
            self.shared.locked.store(false, Ordering::Release);
        }
    }
}

impl RandomAccess for Memory {
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<usize, Error> {
        Ok(self.content().read(offset, out))
    }

    fn write(&self, offset: u64, parts: &[&[u8]]) -> Result<(), Error> {
        let len: u64 = parts.iter().map(|part| part.len() as u64).sum();
        if offset.checked_add(len).is_none() {
            return Err(Error::io("write", io::ErrorKind::InvalidInput.into()));
        }
        let mut content = self.content_mut();
        let mut offset = offset;
        for part in parts {
            content.write(offset, part);
            offset += part.len() as u64;
        }
        Ok(())
    }

    fn len(&self) -> Result<u64, Error> {
        Ok(self.content().len)
    }

    fn disk_usage(&self) -> Result<u64, Error> {
        Ok(self.allocated())
    }

    fn truncate(&self, len: u64) -> Result<(), Error> {
        self.content_mut().truncate(len);
        Ok(())
    }

    fn clear(&self, range: Range<u64>) -> Result<(), Error> {
        self.content_mut().clear(range);
        Ok(())
    }

    fn sync(&self) -> Result<(), Error> {
        Ok(())
    }

    fn lock(&self) -> Result<(), Error> {
        if self.holds_lock.load(Ordering::Acquire) {
            return Ok(());
        }
        if self.shared.locked.swap(true, Ordering::AcqRel) {
            return Err(Error::Locked);
        }
        self.holds_lock.store(true, Ordering::Release);
        Ok(())
    }

    fn destroy(&self) -> Result<(), Error> {
        *self.content_mut() = Content::default();
        self.unlock();
        Ok(())
    }
}

impl Content {
    fn read(&self, offset: u64, out: &mut [u8]) -> usize {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = left.min(out.len());
        let Some(out) = out.get_mut(..len) else {
            return 0;
        };
        out.fill(0);
        for (page, bytes) in self.pages.range(touched(offset, len)) {
            let (inside, outside) = overlap(*page, offset, len);
            out[outside].copy_from_slice(&bytes[inside]);
        }
        len
    }

    /// The caller has seen to it that offset and length don't overflow.
    fn write(&mut self, offset: u64, part: &[u8]) {
        for page in touched(offset, part.len()) {
            let bytes = self
                .pages
                .entry(page)
                .or_insert_with(|| Box::new([0; PAGE]));
            let (inside, outside) = overlap(page, offset, part.len());
            bytes[inside].copy_from_slice(&part[outside]);
        }
        if !part.is_empty() {
            self.len = self.len.max(offset + part.len() as u64);
        }
    }

    fn truncate(&mut self, len: u64) {
        if len >= self.len {
            return;
        }
        // Zeros, lest old bytes come back when the file grows again. Of the last page the rest is zero anyway.
        let end = self.len.checked_next_multiple_of(PAGE as u64);
        self.zero(len..end.unwrap_or(self.len));
        self.len = len;
    }

    fn clear(&mut self, range: Range<u64>) {
        match range.is_empty() {
            true => {}
            false if range.end >= self.len => self.truncate(range.start),
            false => self.zero(range),
        }
    }

    /// Drops the pages that lie in a range wholly, and overwrites the rest of it.
    fn zero(&mut self, range: Range<u64>) {
        let page = PAGE as u64;
        let whole = range.start.div_ceil(page)..range.end / page;
        let edges = [range.start / page, range.end / page];
        if whole.start < whole.end {
            let mut behind = self.pages.split_off(&whole.start);
            self.pages.append(&mut behind.split_off(&whole.end));
        }
        for edge in edges {
            let Some(bytes) = self.pages.get_mut(&edge) else {
                continue;
            };
            let first = edge * page;
            let start = range.start.saturating_sub(first).min(page) as usize;
            let end = (range.end - first).min(page) as usize;
            bytes[start..end].fill(0);
        }
    }
}

/// The pages that `len` bytes at `offset` lie in.
fn touched(offset: u64, len: usize) -> Range<u64> {
    match len as u64 {
        0 => 0..0,
        len => offset / PAGE as u64..(offset + (len - 1)) / PAGE as u64 + 1,
    }
}

/// What a touched page and `len` bytes at `offset` have in common: as a range of the page, and of the bytes.
fn overlap(page: u64, offset: u64, len: usize) -> (Range<usize>, Range<usize>) {
    let first = page * PAGE as u64;
    let inside = offset.saturating_sub(first) as usize;
    let outside = first.saturating_sub(offset) as usize;
    let common = (PAGE - inside).min(len - outside);
    (inside..inside + common, outside..outside + common)
}

impl Clone for Memory {
    fn clone(&self) -> Self {
        Memory {
            shared: Arc::clone(&self.shared),
            holds_lock: AtomicBool::new(false),
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.unlock();
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("len", &self.content().len)
            .finish_non_exhaustive()
    }
}

/// The six files in memory.
///
/// Clones share what is stored, so a feed can be closed and opened again.
///
/// ```
/// use bytes::Bytes;
/// use hypercore_storage::{Batch, File, FileSet, MemoryFiles};
///
/// let memory = MemoryFiles::default();
/// let files = FileSet::open(Box::new(memory.clone()))?;
/// let mut batch = Batch::new();
/// batch.write(File::Data, 0, Bytes::from_static(b"block"));
/// files.commit(&batch)?;
/// drop(files);
///
/// let again = FileSet::open(Box::new(memory))?;
/// assert_eq!(again.len(File::Data)?, 5);
/// # Ok::<_, hypercore_storage::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles {
    files: [Memory; 6],
}

impl MemoryFiles {
    /// A handle of one of the files.
    pub fn file(&self, file: File) -> Memory {
        self.files[file as usize].clone()
    }
}

impl Provider for MemoryFiles {
    fn open(&mut self, file: File, _: &OpenContext) -> Result<Box<dyn RandomAccess>, Error> {
        Ok(Box::new(self.file(file)))
    }
}
