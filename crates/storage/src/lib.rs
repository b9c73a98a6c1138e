//! Bytes at offsets: where the six files of a feed live.
//!
//! The plain types ([`File`], [`Read`], [`Batch`]) say what is to be read and written, and in what order. They need no
//! operating system, so the layers that plan use only them. The rest, behind the feature `std` (on by default), does it:
//!
//! ```text
//!            FileSet             the six files of one feed: lock, batches in order, failure latch
//!               |
//!            Provider            which backend holds which file: Directory, MemoryFiles, a closure
//!               |
//!          RandomAccess          one file: Disk, Memory, Mapped (feature `mmap`), your own
//! ```
//!
//! **Who needs it:** whoever keeps a feed somewhere of their own, or needs several files behind one lock, with ordered batches
//! and a latch that stops at the first failed sync.
//!
//! **What it doesn't do:** nothing is asynchronous, nothing is cached, and there is no journal: the order of a batch is all that a
//! crash leaves to hold on to.
//!
//! What the files hold is described in `docs/format.md`; this crate has never heard of it.
//!
//! ```
//! # #[cfg(feature = "std")] {
//! use bytes::Bytes;
//! use hypercore_storage::{Batch, File, FileSet, MemoryFiles, Read};
//!
//! let files = FileSet::open(Box::new(MemoryFiles::default()))?;
//!
//! let mut batch = Batch::new();
//! batch.write(File::Data, 0, Bytes::from_static(b"hello world"));
//! batch.barrier();
//! batch.write(File::Bitfield, 32, Bytes::from_static(&[0x80]));
//! files.commit(&batch)?;
//!
//! let read = Read { file: File::Data, offset: 6, len: 100 };
//! assert_eq!(files.read(&[read])?, ["world"]); // short at the end of the file
//! # }
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod batch;
mod file;

#[cfg(feature = "std")]
mod access;
#[cfg(feature = "std")]
mod directory;
#[cfg(feature = "std")]
mod disk;
#[cfg(feature = "std")]
mod error;
#[cfg(feature = "std")]
mod folder;
#[cfg(feature = "std")]
mod memory;
#[cfg(feature = "mmap")]
mod mmap;
#[cfg(feature = "std")]
mod positional;
#[cfg(feature = "std")]
mod provider;
#[cfg(feature = "std")]
mod runs;
#[cfg(feature = "std")]
mod set;
#[cfg(feature = "std")]
mod writer;

pub use batch::{Batch, Op};
pub use file::{File, Read};
#[cfg(feature = "mmap")]
pub use mmap::Mapped;
#[cfg(feature = "std")]
pub use {
    access::RandomAccess,
    directory::Directory,
    disk::Disk,
    error::Error,
    memory::{Memory, MemoryFiles},
    provider::{OpenContext, Provider},
    set::FileSet,
    writer::Barriers,
};

#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
mod readme {}
