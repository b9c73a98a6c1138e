//! One file: bytes at offsets.

use std::{fmt, ops::Range, vec, vec::Vec};

use crate::Error;

/// Bytes at offsets, for one file of a feed.
///
/// A handle doesn't create anything before the first write: until then it reads as empty. All methods take `&self` and
/// may be called from several threads at once. Implement it to keep a file elsewhere, such as a secret key in a
/// keychain; [`Memory`](crate::Memory) and [`Disk`](crate::Disk) are the ones that come with the crate.
///
/// ```
/// use hypercore_storage::{Memory, RandomAccess};
///
/// let file = Memory::default();
/// file.write(3, &[b"ab", b"c"])?;
/// let mut out = [9; 8];
/// assert_eq!(file.read(0, &mut out)?, 6);
/// assert_eq!(&out[..6], b"\0\0\0abc");
/// # Ok::<_, hypercore_storage::Error>(())
/// ```
pub trait RandomAccess: fmt::Debug + Send + Sync {
    /// Reads until `out` is full or the file ends, and says how many bytes it read. What was never written reads as
    /// zeros, up to the end of the file.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<usize, Error>;

    /// Reads into memory of its own: `len` bytes, or what there is of them before the file ends. The caller sees to it that `len` is
    /// not too much.
    ///
    /// The default is made of [`read`](Self::read). A backend that need not write zeros first may do better.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn read_vec(&self, offset: u64, len: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; len];
        let filled = self.read(offset, &mut bytes)?;
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// Writes the parts back to back. The file grows as needed; a gap reads as zeros. If nothing is to be written, the
    /// file is created all the same.
    ///
    /// # Errors
    /// [`Error::Io`], with any part of the bytes written; [`Error::Locked`] if the file was to be locked when created,
    /// and another handle came first.
    fn write(&self, offset: u64, parts: &[&[u8]]) -> Result<(), Error>;

    /// The length in bytes. A file that doesn't exist has none.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn len(&self) -> Result<u64, Error>;

    /// Whether there are no bytes.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.len()? == 0)
    }

    /// How many bytes of the medium the file takes, which is less than its length where it has holes.
    ///
    /// The default says the length, for backends that can't tell.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn disk_usage(&self) -> Result<u64, Error> {
        self.len()
    }

    /// Cuts off what lies at `len` and beyond. A shorter file stays as it is.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn truncate(&self, len: u64) -> Result<(), Error>;

    /// Gives back the space of a range. It reads as zeros afterwards; if it reaches the end, the file ends where it
    /// began.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn clear(&self, range: Range<u64>) -> Result<(), Error>;

    /// Waits until everything written is where a power cut can't take it back.
    ///
    /// # Errors
    /// [`Error::Io`]. What is on the disk is unknown then, and trying again doesn't tell.
    fn sync(&self) -> Result<(), Error>;

    /// Shuts out other handles until this one is dropped. A file that doesn't exist yet is locked when it is created.
    /// Locking twice by the same handle is fine. Without an implementation nobody is shut out.
    ///
    /// # Errors
    /// [`Error::Locked`] if another handle came first.
    fn lock(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Removes the file and what it holds. The next write begins anew. The lock, if any, is given back.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn destroy(&self) -> Result<(), Error>;
}
