//! Clearing: the blocks go, everything that proves them stays.
//!
//! First the bits, then the bytes: what a crash leaves between the two is space that isn't freed, never a bit without its
//! block. That they are about to go is noted with the bits, so that the next opening frees the space.

use alloc::{boxed::Box, vec::Vec};
use core::ops::Range;

use bitfield::Changes;
use bytes::Bytes;
use flat_tree::{Index, full_roots};
use merkle::Roots;
use storage::{Batch, File, Read};

use crate::{
    Commit, Damage, Error, Event, Feed, Kind, get::offset, layout::NodeReads, notes::Notes,
    pages::write_pages,
};

/// Blocks that are to be cleared: the nodes that tell where their bytes are.
#[derive(Debug)]
#[must_use = "nothing is cleared until the commit is written and applied"]
pub struct ClearPlan {
    blocks: Range<u64>,
    /// The first and the last block in the range that are stored. What lies between is cleared too, or was never there, so
    /// their bytes go in one piece.
    stored: Option<(u64, u64)>,
    /// The next stored block behind the range, whose bytes must stay.
    next: Option<u64>,
    nodes: NodeReads,
    changes: Changes,
    roots: Roots,
    kind: Kind,
    external: bool,
    /// What the batch begins with; the notes then, and the header while bytes are being freed and afterwards.
    front: Batch,
    notes: Notes,
    during: Batch,
    after: Batch,
}

impl Feed {
    /// Plans to clear a range of blocks, as far as the feed has them. The length stays, and so do hashes and signatures: the
    /// blocks can be proved, and stored again.
    ///
    /// # Errors
    /// [`Error::ReadOnly`].
    pub fn plan_clear(&self, blocks: Range<u64>) -> Result<ClearPlan, Error> {
        self.check_changes()?;
        let blocks = blocks.start..blocks.end.min(self.length());
        let first = self.bitfield.next_block(blocks.start);
        let last = self.bitfield.last_block(blocks.clone());
        let stored = first.zip(last).filter(|(first, last)| first <= last);
        let next = self.bitfield.next_block(blocks.end);
        let mut wanted = Vec::new();
        if let (Some((first, last)), false) = (stored, self.external) {
            wanted.extend(full_roots(first));
            wanted.extend(full_roots(last));
            wanted.push(Index::from_block(last));
            wanted.extend(next.into_iter().flat_map(full_roots));
        }
        let mut draft = self.bitfield.draft();
        draft.set_blocks(blocks.clone(), false);
        let (mut front, mut during, mut after) = (Batch::new(), Batch::new(), Batch::new());
        let notes = self.begin(&mut front);
        let clearing = Notes {
            clearing: Some(blocks.clone()),
            ..notes.clone()
        };
        self.note(&mut during, &clearing);
        self.note(&mut after, &notes);
        Ok(ClearPlan {
            front,
            notes,
            during,
            after,
            blocks,
            stored,
            next,
            nodes: NodeReads::new(wanted, &self.roots),
            changes: draft.finish(),
            roots: self.roots.clone(),
            kind: self.kind,
            external: self.external,
        })
    }
}

impl ClearPlan {
    /// What has to be read.
    pub fn reads(&self) -> &[Read] {
        self.nodes.reads()
    }

    /// From the first to the last block that is stored and will be no more.
    pub fn stored(&self) -> Range<u64> {
        self.stored.map_or(0..0, |(first, last)| first..last + 1)
    }

    /// The commit. It is empty, and announces nothing, if no block of the range was stored.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a node isn't there or a size can't be right, so that the place of a block can't be told.
    pub fn finish(self, replies: &[Bytes]) -> Result<Commit, Error> {
        let mut batch = self.front;
        let mut events = Vec::new();
        if let Some((first, last)) = self.stored {
            if self.external {
                write_pages(&mut batch, &self.changes);
            } else {
                let nodes = self.nodes.parse(replies)?;
                let start = offset(first, |index| nodes.get(index))?;
                let size = nodes.must_get(Index::from_block(last))?.size;
                let end = offset(last, |index| nodes.get(index))?.saturating_add(size);
                let limit = match self.next {
                    Some(next) => offset(next, |index| nodes.get(index))?,
                    None => self.roots.byte_length(),
                };
                if end > limit {
                    return Err(Error::corrupt(File::Tree, Damage::Size));
                }
                match start < end {
                    true => {
                        batch.extend(self.during);
                        write_pages(&mut batch, &self.changes);
                        batch.clear(File::Data, start..end);
                        batch.barrier();
                        batch.extend(self.after);
                    }
                    // There is nothing to be freed.
                    false => write_pages(&mut batch, &self.changes),
                }
            }
            let blocks = self.blocks;
            events.push(Event::Clear { blocks });
        }
        Ok(Commit {
            batch,
            changes: self.changes,
            roots: self.roots,
            kind: self.kind,
            learnt: Box::default(),
            notes: self.notes,
            events,
        })
    }
}
