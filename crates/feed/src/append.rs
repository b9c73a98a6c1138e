//! Appending: hashes and roots on a copy, a signature, and a batch in crash order.

use alloc::{boxed::Box, vec, vec::Vec};
use core::{fmt, ops::Range};

use bitfield::Changes;
use bytes::Bytes;
use crypto::{PublicKey, Signable, Signature};
use flat_tree::Index;
use merkle::{Growth, Node, Roots};
use storage::{Batch, File};

use crate::{
    Commit, Error, Event, Feed, Kind,
    layout::{node_offset, signature_offset},
    notes::Notes,
    pages::write_pages,
};

/// The largest block: what fits in a message of 8 MiB together with the longest proof.
pub const MAX_BLOCK: usize = 8 * 1024 * 1024 - 16 * 1024;

/// Blocks that are hashed and wait for a signature.
#[must_use = "nothing is appended until the commit is written and applied"]
pub struct AppendPlan {
    key: PublicKey,
    kind: Kind,
    external: bool,
    old: Roots,
    growth: Growth,
    blocks: Vec<Bytes>,
    changes: Changes,
    signable: Signable,
    /// What the batch begins with.
    front: Batch,
    notes: Notes,
}

impl Feed {
    /// Whether blocks could be appended, as things are.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Finalized`], [`Error::BlockTooLarge`], [`Error::WriterBehind`].
    pub fn check_append(&self, blocks: &[Bytes]) -> Result<(), Error> {
        self.check_changes()?;
        if self.kind == Kind::Static {
            return Err(Error::Finalized);
        }
        self.check_behind()?;
        match blocks.iter().find(|block| block.len() > MAX_BLOCK) {
            Some(block) => Err(Error::BlockTooLarge {
                len: block.len(),
                max: MAX_BLOCK,
            }),
            None => Ok(()),
        }
    }

    /// Plans to append blocks. One signature will cover them all; the key that makes it need not be here.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Finalized`], [`Error::BlockTooLarge`], [`Error::TooLong`], [`Error::WriterBehind`].
    pub fn plan_append(&self, blocks: Vec<Bytes>) -> Result<AppendPlan, Error> {
        self.check_append(&blocks)?;
        let growth = self.roots.append(&blocks)?;
        let mut draft = self.bitfield.draft();
        for node in &growth.nodes {
            draft.set_node(node.index, true);
        }
        draft.set_blocks(self.length()..growth.roots.length(), true);
        let mut front = Batch::new();
        let notes = self.begin(&mut front);
        Ok(AppendPlan {
            front,
            notes,
            key: self.key,
            kind: self.kind,
            external: self.external,
            old: self.roots.clone(),
            signable: growth.roots.signable(),
            changes: draft.finish(),
            growth,
            blocks,
        })
    }
}

impl AppendPlan {
    /// The numbers that the blocks will have.
    pub fn range(&self) -> Range<u64> {
        self.old.length()..self.growth.roots.length()
    }

    /// What has to be signed.
    pub fn signable(&self) -> &Signable {
        &self.signable
    }

    /// Signs with the feed's own key. A static feed needs no signature and gets none.
    ///
    /// # Errors
    /// [`Error::NotWritable`] if a feed that needs one has no key here.
    pub fn sign(self, feed: &Feed) -> Result<Commit, Error> {
        if self.kind == Kind::Unfinished {
            return Ok(self.commit(None));
        }
        let pair = feed.pair.as_ref().ok_or(Error::NotWritable)?;
        if pair.public() != self.key {
            return Err(Error::KeyPairMismatch);
        }
        let signature = pair.sign(&self.signable, feed.dialect);
        Ok(self.commit(Some(signature)))
    }

    /// Takes a signature that was made elsewhere, for example by a key that never leaves its device.
    ///
    /// # Errors
    /// [`Error::Signature`] if it isn't the author's: nobody would accept the blocks. [`Error::NoSignatures`] if the feed is
    /// static.
    pub fn with_signature(self, signature: Signature) -> Result<Commit, Error> {
        if self.kind == Kind::Unfinished {
            return Err(Error::NoSignatures);
        }
        self.key.verify(&self.signable, &signature)?;
        Ok(self.commit(Some(signature)))
    }

    fn commit(self, signature: Option<Signature>) -> Commit {
        let range = self.range();
        let mut batch = self.front;
        let mut events = Vec::new();
        if !range.is_empty() {
            if !self.external {
                batch.write_parts(File::Data, self.old.byte_length(), self.blocks);
            }
            write_nodes(&mut batch, &range, &self.growth.nodes);
            if let Some(signature) = signature {
                batch.write(
                    File::Signatures,
                    signature_offset(range.end),
                    Bytes::copy_from_slice(signature.as_bytes()),
                );
            }
            write_pages(&mut batch, &self.changes);
            events.push(Event::Append {
                length: range.end,
                blocks: range,
            });
        }
        Commit {
            batch,
            changes: self.changes,
            roots: self.growth.roots,
            kind: self.kind,
            learnt: Box::default(),
            notes: self.notes,
            events,
        }
    }
}

impl fmt::Debug for AppendPlan {
    // Without the blocks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppendPlan")
            .field("range", &self.range())
            .field("signable", &self.signable)
            .finish_non_exhaustive()
    }
}

/// Parents of older leaves one by one, all others in one run; where that has no node yet there are zeros.
fn write_nodes(batch: &mut Batch, blocks: &Range<u64>, nodes: &[Node]) {
    let first = Index::from_block(blocks.start);
    let slots = 2 * (blocks.end - blocks.start) as usize - 1;
    let mut run = vec![0; slots * Node::LEN];
    for node in nodes {
        let slot = node.index.get().checked_sub(first.get());
        let place = slot
            .and_then(|slot| run.get_mut(slot as usize * Node::LEN..))
            .and_then(|rest| rest.get_mut(..Node::LEN));
        match place {
            Some(place) => place.copy_from_slice(&node.to_bytes()),
            None => batch.write(
                File::Tree,
                node_offset(node.index),
                Bytes::copy_from_slice(&node.to_bytes()),
            ),
        }
    }
    batch.write(File::Tree, node_offset(first), run.into());
}
