//! What is known of a stored feed while its bitfield is read, and what about it can't be right.

use alloc::{collections::BTreeSet, vec::Vec};
use core::ops::Range;

use bitfield::{BLOCKS_PER_PAGE, Bitfield, PageSize, RangeSet};
use storage::{Batch, File};

use crate::{create::write_header, header::Header, notes::Notes, recover::index_print};

/// So many blocks at the end of a feed may lack their bits after a crash: more aren't written between two syncs.
const TAIL: u64 = 1 << 16;

/// What is known so far of a feed that is stored.
#[derive(Debug)]
pub(crate) struct Loading {
    pub(crate) bitfield: Bitfield,
    /// The next page to read.
    pub(crate) next: u64,
    /// What stands in the header of the bitfield besides, and whether the header has to be written again.
    pub(crate) notes: Notes,
    pub(crate) header: bool,
    /// The index of each page that was touched, in short.
    pub(crate) prints: Vec<(u64, u64)>,
    /// What else has to be written so that others can read the feed: headers, keys.
    pub(crate) repairs: Batch,
}

impl Loading {
    /// The header of the bitfield, if it has to be written again.
    pub(crate) fn header_behind(&self) -> Batch {
        let mut batch = Batch::new();
        if self.header {
            let header = Header::Bitfield(self.bitfield.page_size());
            batch.barrier();
            write_header(&mut batch, File::Bitfield, header);
        }
        batch
    }

    /// What has to be written where all else is as it must be.
    pub(crate) fn repaired(self) -> Batch {
        let header = self.header_behind();
        let mut batch = self.repairs;
        batch.extend(header);
        batch
    }

    /// Blocks whose bits can't be right, and pages that can't have been written whole.
    pub(crate) fn suspects(
        &self,
        length: u64,
        author: bool,
    ) -> (RangeSet, BTreeSet<u64>, Range<u64>) {
        let bits = &self.bitfield;
        let (mut suspects, mut pages) = (RangeSet::default(), BTreeSet::new());
        let size = bits.page_size();
        for (page, print) in &self.prints {
            // What is in the index of old pages nobody can tell.
            if size == PageSize::Current && index_print(bits.page_index(*page)) != *print {
                pages.insert(*page);
            }
        }
        let torn = pages.iter().copied();
        for page in torn.chain(bits.pages_without_leaves(length)) {
            suspects.insert(page * BLOCKS_PER_PAGE..(page + 1) * BLOCKS_PER_PAGE);
        }
        let mut tail = length..length;
        if self.notes.ordered && author && length > 0 {
            // Whoever writes a feed has all of its tree.
            if bits.count_nodes() != 2 * length - u64::from(length.count_ones()) {
                suspects.insert(0..length);
            }
            let last = bits.last_block(0..length).map_or(0, |last| last + 1);
            tail.start = last.max(length.saturating_sub(TAIL));
        }
        (suspects, pages, tail)
    }
}
