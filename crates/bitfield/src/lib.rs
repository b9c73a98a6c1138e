//! Sparse bits: the paged bitfield of a feed in the SLEEP layout, and sets of ranges.
//!
//! ```
//! use hypercore_bitfield::{Bitfield, RangeSet};
//!
//! let mut bitfield = Bitfield::default();
//! let mut draft = bitfield.draft();
//! draft.set_blocks(3..7, true);
//! let changes = draft.finish();
//! bitfield.apply(changes);
//!
//! let stored: RangeSet = bitfield.block_runs(0..100).collect();
//! assert!(stored.contains_all(3..7));
//! assert_eq!(bitfield.next_missing(3), 7);
//! ```
//!
//! The crate knows nothing of files or peers; what a page means on disk is in `docs/format.md`, "Bitfield".

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod bitfield;
mod index;
mod page;
mod range_set;

pub use bitfield::{Bitfield, Changes, Draft};
pub use page::{BLOCKS_PER_PAGE, PageSize};
pub use range_set::RangeSet;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
