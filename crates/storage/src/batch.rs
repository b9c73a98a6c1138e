//! What is to be written, in the order in which it may reach the disk.

use alloc::{vec, vec::Vec};
use core::{fmt, ops::Range};

use bytes::Bytes;

use crate::File;

/// A list of changes to the files of a feed.
///
/// The order of the changes is the order in which a crash may cut them off: what comes first is written first, and what
/// comes before a barrier is on the disk before anything behind it is begun (if the caller pays for barriers).
///
/// ```
/// use bytes::Bytes;
/// use hypercore_storage::{Batch, File};
///
/// let mut batch = Batch::new();
/// batch.write_parts(File::Data, 100, vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")]);
/// batch.barrier();
/// batch.write(File::Bitfield, 32, Bytes::from(vec![0; 3584]));
/// assert_eq!(batch.ops().len(), 3);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a batch changes nothing until it is committed"]
pub struct Batch {
    ops: Vec<Op>,
}

impl Batch {
    /// A batch without changes.
    pub const fn new() -> Self {
        Batch { ops: Vec::new() }
    }

    /// Writes bytes at an offset. Writing no bytes makes sure that the file exists.
    pub fn write(&mut self, file: File, offset: u64, bytes: Bytes) {
        self.write_parts(file, offset, vec![bytes]);
    }

    /// Writes several pieces back to back, in one go.
    pub fn write_parts(&mut self, file: File, offset: u64, parts: Vec<Bytes>) {
        self.ops.push(Op::Write {
            file,
            offset,
            parts,
        });
    }

    /// Cuts a file down to `len` bytes. A shorter file stays as it is.
    pub fn truncate(&mut self, file: File, len: u64) {
        self.ops.push(Op::Truncate { file, len });
    }

    /// Gives back the space of a range.
    pub fn clear(&mut self, file: File, range: Range<u64>) {
        self.ops.push(Op::Clear { file, range });
    }

    /// What comes before is to be on the disk before what comes after.
    pub fn barrier(&mut self) {
        self.ops.push(Op::Barrier);
    }

    /// Adds the changes of another batch behind these.
    pub fn extend(&mut self, other: Batch) {
        self.ops.extend(other.ops);
    }

    /// The changes, in their order.
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }
}

/// One change to one file, or a barrier between changes.
#[derive(Clone, PartialEq, Eq)]
pub enum Op {
    /// Write the parts back to back, from `offset` on.
    Write {
        /// The file to write to.
        file: File,
        /// Where the first part begins, in bytes.
        offset: u64,
        /// The bytes.
        parts: Vec<Bytes>,
    },
    /// Cut the file down to `len` bytes.
    Truncate {
        /// The file to cut.
        file: File,
        /// How many bytes remain.
        len: u64,
    },
    /// Give back the space of a range. It reads as zeros, or as the end of the file, from then on.
    Clear {
        /// The file to clear in.
        file: File,
        /// The bytes to clear.
        range: Range<u64>,
    },
    /// Everything before is on the disk before anything after is begun.
    Barrier,
}

impl fmt::Debug for Op {
    // What is written may be secret, and is long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Write {
                file,
                offset,
                parts,
            } => {
                let lens: Vec<usize> = parts.iter().map(Bytes::len).collect();
                write!(f, "Write({file} at {offset}, lens {lens:?})")
            }
            Op::Truncate { file, len } => write!(f, "Truncate({file} to {len})"),
            Op::Clear { file, range } => write!(f, "Clear({file} {range:?})"),
            Op::Barrier => f.write_str("Barrier"),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn debug_shows_lengths_and_no_contents() {
        let mut batch = Batch::new();
        batch.write_parts(
            File::SecretKey,
            7,
            vec![Bytes::from_static(b"secret"), Bytes::new()],
        );
        batch.clear(File::Data, 1..2);
        assert_eq!(
            format!("{batch:?}"),
            "Batch { ops: [Write(secret_key at 7, lens [6, 0]), Clear(data 1..2)] }"
        );
    }
}
