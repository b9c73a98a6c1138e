//! What is done about blocks that can't be read, while the feed is in use.
//!
//! From the roots, which are known, down to the blocks: what of the tree is lost or damaged and follows from the rest is written
//! again, and of the blocks those are forgotten that still don't match, so that they can be fetched again. A leaf that nothing
//! bears out is forgotten along with its block; it would have a good block refused.

use alloc::{boxed::Box, vec::Vec};

use bitfield::RangeSet;
use bytes::Bytes;
use flat_tree::Index;
use storage::{Batch, File, Read};

use crate::{
    Commit, Error, Event, Feed, layout::node_offset, pages::write_pages, recover::Rebuild,
};

/// Mending that is going on.
#[derive(Debug)]
#[must_use]
pub struct Mending {
    blocks: RangeSet,
    rebuild: Box<Rebuild>,
}

/// How far mending has come.
#[derive(Debug)]
#[must_use]
pub enum MendStep {
    /// Read these pieces, from the files and not from a cache, and give them to [`Mending::step`].
    Read {
        /// What goes on with the answers.
        mending: Mending,
        /// What to read.
        reads: Vec<Read>,
    },
    /// That is all.
    Done(Mended),
}

/// What came of it.
#[derive(Debug)]
#[must_use]
pub struct Mended {
    /// What is to be written, and made known then.
    pub commit: Commit,
    /// Blocks that are lost here.
    pub lost: RangeSet,
    /// How many nodes of the tree are made again.
    pub nodes: u64,
}

impl Feed {
    /// Begins to mend blocks, as far as they are marked as stored. Nothing may be applied to the feed until it is done and its
    /// commit is applied.
    ///
    /// # Errors
    /// [`Error::ReadOnly`].
    pub fn mend(&self, blocks: &RangeSet) -> Result<MendStep, Error> {
        self.check_changes()?;
        let mut stored = RangeSet::default();
        for range in blocks.iter() {
            for run in self
                .bitfield
                .block_runs(range.start..range.end.min(self.length()))
            {
                stored.insert(run);
            }
        }
        let bitfield = self.bitfield.clone();
        let rebuild = Rebuild::new(&self.roots, stored.clone(), bitfield, self.external);
        let mending = Mending {
            blocks: stored,
            rebuild: Box::new(rebuild),
        };
        Ok(mending.advance(self))
    }
}

impl Mending {
    /// Takes the answers to the last step and says what is next.
    pub fn step(mut self, feed: &Feed, replies: &[Bytes]) -> MendStep {
        self.rebuild.check(replies);
        self.advance(feed)
    }

    fn advance(mut self, feed: &Feed) -> MendStep {
        match self.rebuild.next() {
            Some(reads) => MendStep::Read {
                mending: self,
                reads,
            },
            None => MendStep::Done(self.finish(feed)),
        }
    }

    fn finish(self, feed: &Feed) -> Mended {
        let Rebuild {
            bitfield, missing, ..
        } = *self.rebuild;
        let mut draft = feed.bitfield.draft();
        let mut lost = RangeSet::default();
        for block in self.blocks.iter().flatten() {
            let leaf = Index::from_block(block);
            draft.set_node(leaf, bitfield.has_node(leaf));
            if !bitfield.has_block(block) {
                draft.set_block(block, false);
                lost.insert(block..block + 1);
            }
        }
        for node in &missing {
            draft.set_node(node.index, true);
        }
        let changes = draft.finish();
        let mut batch = Batch::new();
        let mut notes = feed.notes.clone();
        if !changes.is_empty() || !missing.is_empty() {
            notes = feed.begin(&mut batch);
        }
        for node in &missing {
            let bytes = Bytes::copy_from_slice(&node.to_bytes());
            batch.write(File::Tree, node_offset(node.index), bytes);
        }
        if !changes.is_empty() {
            write_pages(&mut batch, &changes);
        }
        let commit = Commit {
            batch,
            changes,
            roots: feed.roots.clone(),
            kind: feed.kind,
            learnt: Box::default(),
            notes,
            events: lost.iter().map(|blocks| Event::Clear { blocks }).collect(),
        };
        Mended {
            commit,
            lost,
            nodes: missing.len() as u64,
        }
    }
}
