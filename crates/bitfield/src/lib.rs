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
//! **Who needs it:** whoever reads or writes the file `bitfield` of a feed ([`Bitfield`]), or keeps which blocks somebody claims to
//! have ([`RangeSet`]). Memory follows the pages or runs that are there, never the position of a bit.
//!
//! **What it doesn't do:** it knows nothing of files or peers, nor what a set bit promises. What a page means on disk is in
//! `docs/format.md`, "Bitfield".

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
