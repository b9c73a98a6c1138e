//! The bitfield's part of a batch, which always comes last: a set bit promises that what it stands for is stored.

use bitfield::Changes;
use storage::{Batch, File};

use crate::header::HEADER;

/// Adds a barrier, each changed page in one write, and another barrier.
pub(crate) fn write_pages(batch: &mut Batch, changes: &Changes) {
    batch.barrier();
    for (number, page) in changes.pages() {
        let offset = HEADER + number * page.len() as u64;
        batch.write(File::Bitfield, offset, page.into());
    }
    batch.barrier();
}
