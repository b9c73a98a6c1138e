//! Finishing a clearing that broke off between its bits and its bytes: the space of blocks that aren't marked any more.

use alloc::vec::Vec;
use core::ops::Range;

use bitfield::Bitfield;
use bytes::Bytes;
use flat_tree::full_roots;
use merkle::Roots;
use storage::{Batch, File, Read};

use crate::{get::offset, layout::NodeReads};

/// So many gaps are freed. A range that was left with more keeps the rest of its space until it is cleared again.
const MAX_GAPS: usize = 1024;

/// The gaps in the range.
#[derive(Debug)]
pub(super) struct Free {
    clearing: Option<Range<u64>>,
    gaps: Vec<Range<u64>>,
    nodes: Option<NodeReads>,
    byte_length: u64,
    length: u64,
    bytes: Vec<Range<u64>>,
}

impl Free {
    pub(super) fn new(clearing: Option<Range<u64>>, bitfield: &Bitfield, roots: &Roots) -> Self {
        let length = roots.length();
        let mut gaps = Vec::new();
        let range = clearing.clone().unwrap_or_default();
        let end = range.end.min(length);
        let mut next = range.start.min(end);
        while next < end && gaps.len() < MAX_GAPS {
            let start = bitfield.next_missing(next).min(end);
            next = bitfield.next_block(start).unwrap_or(end).min(end);
            if start < next {
                gaps.push(start..next);
            }
        }
        let ends = gaps.iter().flat_map(|gap| [gap.start, gap.end]);
        let wanted = ends.flat_map(full_roots);
        let nodes = (!gaps.is_empty()).then(|| NodeReads::new(wanted, roots));
        Free {
            clearing,
            gaps,
            nodes,
            byte_length: roots.byte_length(),
            length,
            bytes: Vec::new(),
        }
    }

    pub(super) fn next(&mut self) -> Option<Vec<Read>> {
        self.nodes.as_ref().map(|nodes| nodes.reads().to_vec())
    }

    pub(super) fn check(&mut self, replies: &[Bytes]) {
        let Some(nodes) = self.nodes.take() else {
            return;
        };
        let nodes = nodes.parse_all(replies);
        let place = |block: u64| match block == self.length {
            true => Some(self.byte_length),
            false => offset(block, |index| nodes.get(index)).ok(),
        };
        for gap in &self.gaps {
            if let (Some(start), Some(end)) = (place(gap.start), place(gap.end))
                && start < end
                && end <= self.byte_length
            {
                self.bytes.push(start..end);
            }
        }
    }

    /// What is to be cleared in the data. The range, if there was one.
    pub(super) fn finish(self, batch: &mut Batch) -> Option<Range<u64>> {
        for range in self.bytes {
            batch.clear(File::Data, range);
        }
        self.clearing
    }
}
