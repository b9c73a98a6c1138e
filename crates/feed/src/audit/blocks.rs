//! Each stored block against its hash.

use alloc::vec::Vec;

use bytes::Bytes;
use storage::Read;

use super::AuditReport;
use crate::{
    Feed,
    range::{Leaves, MAX_RANGE, Portion, RangeRead},
};

/// Goes through the stored blocks, many of them at a time as long as they are good.
///
/// The place of a block follows from those before it in its piece. So where one doesn't fit, the next piece begins: a block
/// is called bad only where its place follows from the roots before it, as it does when it is read alone.
#[derive(Debug)]
pub(super) struct Sweep {
    next: u64,
    count: u64,
    piece: Piece,
}

#[derive(Debug)]
enum Piece {
    None,
    Leaves(Leaves),
    Data(RangeRead),
}

impl Default for Sweep {
    fn default() -> Self {
        Sweep {
            next: 0,
            count: MAX_RANGE,
            piece: Piece::None,
        }
    }
}

impl Sweep {
    pub(super) fn next(&mut self, feed: &Feed, length: u64) -> Option<Vec<Read>> {
        if let Piece::Data(place) = &self.piece {
            return Some([place.read()].into());
        }
        let start = feed.bitfield.next_block(self.next);
        let start = start.filter(|start| *start < length)?;
        let end = feed.bitfield.next_missing(start);
        let end = end.min(length).min(start.saturating_add(self.count));
        self.next = start;
        let leaves = Leaves::new(feed, start..end);
        let reads = leaves.reads().to_vec();
        self.piece = Piece::Leaves(leaves);
        Some(reads)
    }

    pub(super) fn check(&mut self, feed: &Feed, replies: &[Bytes], report: &mut AuditReport) {
        match core::mem::replace(&mut self.piece, Piece::None) {
            Piece::None => {}
            Piece::Leaves(leaves) => match leaves.locate(replies, Portion::MAX) {
                Ok(place) => self.piece = Piece::Data(place),
                Err(_) => self.reject(feed, report),
            },
            Piece::Data(place) => {
                let valid = replies.first().map_or(0, |bytes| place.valid(bytes));
                report.valid += valid;
                self.next += valid;
                if self.next == place.blocks().end {
                    // No more leaves than there are bytes for.
                    self.count = (2 * valid).clamp(1, MAX_RANGE);
                } else if valid > 0 {
                    self.count = 1;
                } else {
                    self.reject(feed, report);
                }
            }
        }
    }

    /// The first block of the piece is bad, unless it was cleared in the meantime.
    fn reject(&mut self, feed: &Feed, report: &mut AuditReport) {
        if feed.bitfield.has_block(self.next) {
            report.invalid += 1;
            report.bad.insert(self.next..self.next + 1);
        }
        self.next += 1;
        self.count = 1;
    }
}
