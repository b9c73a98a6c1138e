//! The bitfield in the file against what is known to be stored.

use alloc::vec::Vec;

use bitfield::PageSize;
use bytes::Bytes;
use storage::{File, Read};

use super::{AuditReport, Finding};
use crate::{Feed, header::HEADER};

/// How many pages a piece has.
const PIECE: u64 = 16;

/// Goes through the pages.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    next: u64,
}

impl Sweep {
    pub(super) fn next(&mut self, feed: &Feed) -> Option<Vec<Read>> {
        let count = PIECE.min(feed.bitfield.pages().saturating_sub(self.next));
        let page = feed.bitfield.page_size().bytes();
        (count > 0).then(|| {
            Vec::from([Read {
                file: File::Bitfield,
                offset: HEADER + self.next * page as u64,
                len: count as usize * page,
            }])
        })
    }

    pub(super) fn check(&mut self, feed: &Feed, replies: &[Bytes], report: &mut AuditReport) {
        let size = feed.bitfield.page_size();
        let bytes = replies.first().map(|reply| &reply[..]).unwrap_or_default();
        let end = feed.bitfield.pages().min(self.next + PIECE);
        let mut stored = bytes.chunks(size.bytes());
        for page in self.next..end {
            // What is missing at the end of the file reads as zeros.
            let mut stored = stored.next().unwrap_or_default().to_vec();
            stored.resize(size.bytes(), 0);
            let expected = feed.bitfield.page_bytes(page);
            let bits = size.bytes() - size.index_bytes();
            if stored.get(..bits) != expected.get(..bits) {
                report.found(Finding::WrongBits { page });
            } else if size == PageSize::Current && stored != expected {
                // What is in the index of old pages nobody can tell.
                report.found(Finding::WrongIndex { page });
            }
        }
        self.next = end;
    }
}
