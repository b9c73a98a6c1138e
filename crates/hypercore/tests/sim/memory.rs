//! How much memory a world takes, and how much it may.

use std::alloc::System;

use bytes::Bytes;
use cap::Cap;

use crate::edge::Edge;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// What a copy of a feed may take for itself, with what a world of tests needs for it.
const PER_COPY: usize = 256 * 1024;

/// What a connection may take at both ends, whoever is at the other one.
const PER_CONNECTION: usize = 1024 * 1024;

/// What the process may keep of a world: what is made once, and the line that tells how it was.
const SLACK: usize = 32 * 1024;

/// Looks at the memory of a world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    start: usize,
    /// For what is stored.
    stored: usize,
    copies: usize,
    peak: usize,
    least_left: usize,
    most_for_each: usize,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Watch {
            start: ALLOCATOR.allocated(),
            stored: 0,
            copies: 0,
            peak: 0,
            least_left: usize::MAX,
            most_for_each: 0,
        }
    }

    /// Blocks are appended of which there will be so many copies: the bytes, and 40 of each of the two nodes of a block.
    pub(crate) fn store(&mut self, blocks: &[Bytes], copies: usize) {
        let bytes: usize = blocks.iter().map(|block| block.len() + 512).sum();
        self.stored += 2 * bytes * (copies + 1);
    }

    /// There are so many more copies of feeds.
    pub(crate) fn add_copies(&mut self, copies: usize) {
        self.copies += copies;
    }

    /// # Panics
    /// If it is more than it may be.
    pub(crate) fn look(&mut self, edges: &[Edge]) {
        let taken = ALLOCATOR.allocated().saturating_sub(self.start);
        self.peak = self.peak.max(taken);
        let most = self.stored + self.copies * PER_COPY + edges.len() * PER_CONNECTION;
        self.most_for_each = self
            .most_for_each
            .max(taken.saturating_sub(self.stored) / (self.copies + edges.len()));
        self.least_left = self.least_left.min(most.saturating_sub(taken));
        assert!(taken <= most, "{taken} bytes in memory, {most} are allowed");
    }

    /// The world is gone.
    ///
    /// # Panics
    /// If memory of it is left.
    pub(crate) fn nothing_is_left(&self) {
        let left = ALLOCATOR.allocated().saturating_sub(self.start);
        assert!(left <= SLACK, "{left} bytes of memory are left");
    }

    /// How far the bound was away when it was closest.
    pub(crate) fn least_left(&self) -> usize {
        self.least_left
    }

    pub(crate) fn most_for_each(&self) -> usize {
        self.most_for_each
    }

    pub(crate) fn peak(&self) -> usize {
        self.peak
    }
}
