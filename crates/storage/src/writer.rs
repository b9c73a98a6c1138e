//! Carrying out a batch: in its order, waiting for the disk or not, and what is left for later.
//!
//! ```text
//! Skip    write ........ write pages
//! Defer   write ........ keep pages in memory                      until a sync:  sync, write pages, sync
//! Sync    write, sync ── write pages, sync
//! ```
//!
//! A write that fails in front of the first barrier has spoilt nothing: it went to places that nothing refers to, or that
//! hold what was to be written already, and the next batch writes to them again. A page of the bitfield that can't be
//! written stays in memory and is written later: what it stands for is stored, and the bits follow from that. Only a
//! failed sync leaves the set in doubt, because the system may then show bytes that the disk never got; and so does a
//! backend that panics.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    vec::Vec,
};

use bytes::Bytes;

use crate::{Batch, Error, File, Op, set::Files};

/// So many pages wait in memory at most.
const MAX_DEFERRED: usize = 1024;

/// The order in which files are synced: the bitfield promises what the others hold, so it comes behind them; the key says
/// that there is a feed.
const SYNC_ORDER: [File; 6] = [
    File::SecretKey,
    File::Data,
    File::Tree,
    File::Signatures,
    File::Bitfield,
    File::Key,
];

/// Whether a commit waits for the disk at its barriers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Barriers {
    /// The order of the writes is kept, but nothing waits: a power cut may take back what a commit wrote, in any order.
    #[default]
    Skip,
    /// Nothing waits, and what a barrier holds back stays in memory until the next [`sync`](crate::FileSet::sync): pages of
    /// the bitfield never reach the disk before what they promise. A batch that has other changes behind a barrier is
    /// carried out as with [`Sync`](Barriers::Sync).
    Defer,
    /// What comes before a barrier is synced before anything behind it is written, and the rest at the end.
    Sync,
}

#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// Whether the lock is known to be held.
    pub(crate) ready: bool,
    /// Whether nobody knows any longer what the files hold.
    pub(crate) latched: bool,
    /// Files with something in them that a power cut could take back.
    unsynced: BTreeSet<File>,
    /// Writes to the bitfield that wait for that, by their places.
    deferred: BTreeMap<u64, Vec<Bytes>>,
}

impl Writer {
    /// Nobody knows what is on the disk of files that others wrote.
    pub(crate) fn distrust(&mut self) {
        self.unsynced.extend(File::ALL);
    }

    pub(crate) fn has_deferred(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// Carries out a batch. Says whether everything of it is on the disk.
    pub(crate) fn commit(
        &mut self,
        files: &Files,
        batch: &Batch,
        barriers: Barriers,
    ) -> Result<bool, Error> {
        let ops = batch.ops();
        let mut behind = false;
        for (at, op) in ops.iter().enumerate() {
            let rest = ops.get(at..).unwrap_or_default();
            if *op != Op::Barrier {
                if let Err(error) = self.apply(files, op) {
                    if behind && self.defer(rest) {
                        return Ok(false);
                    }
                    return Err(error);
                }
                continue;
            }
            behind = true;
            match barriers {
                Barriers::Skip => {}
                Barriers::Defer if self.defer(rest) => return Ok(false),
                Barriers::Defer | Barriers::Sync => self.settle(files)?,
            }
        }
        if barriers != Barriers::Skip {
            self.settle(files)?;
        }
        Ok(barriers != Barriers::Skip && !self.has_deferred())
    }

    /// Brings everything to the disk, and then the pages that waited for that.
    pub(crate) fn sync(&mut self, files: &Files) -> Result<(), Error> {
        self.sync_files(files)?;
        self.write_deferred(files)?;
        self.sync_files(files)
    }

    /// As far as that can be done now. Pages for which there is no room wait on.
    fn settle(&mut self, files: &Files) -> Result<(), Error> {
        self.sync_files(files)?;
        let _ = self.write_deferred(files);
        Ok(())
    }

    /// Keeps changes for later if they are to the bitfield only, and not too many.
    fn defer(&mut self, ops: &[Op]) -> bool {
        let pages = ops.iter().filter(|op| **op != Op::Barrier);
        // One of no bytes is about the file itself, and would take the place of what waits there.
        let fits =
            |op: &Op| matches!(op, Op::Write { file: File::Bitfield, parts, .. } if len(parts) > 0);
        if self.deferred.len() + ops.len() > MAX_DEFERRED || !pages.clone().all(fits) {
            return false;
        }
        let ranges: Vec<_> = pages.clone().filter_map(bitfield_range).collect();
        let cut = |(at, page)| ranges.iter().take(at).any(|earlier| cuts(earlier, page));
        if ranges.iter().enumerate().any(cut) || pages.clone().any(|page| self.cuts_across(page)) {
            return false;
        }
        for page in pages {
            if let Op::Write { offset, parts, .. } = page {
                self.deferred.insert(*offset, parts.clone());
            }
        }
        true
    }

    /// Whether a change touches a part of something that waits, so that one can't just take the place of the other.
    fn cuts_across(&self, op: &Op) -> bool {
        let Some(range) = bitfield_range(op) else {
            return false;
        };
        let mut waiting = self
            .deferred
            .iter()
            .map(|(start, parts)| *start..start.saturating_add(len(parts)));
        waiting.any(|other| cuts(&other, &range))
    }

    fn write_deferred(&mut self, files: &Files) -> Result<(), Error> {
        while let Some((offset, parts)) = self.deferred.pop_first() {
            if let Err(error) = self.write(files, File::Bitfield, offset, &parts) {
                self.deferred.insert(offset, parts);
                return Err(error);
            }
        }
        Ok(())
    }

    fn apply(&mut self, files: &Files, op: &Op) -> Result<(), Error> {
        if self.cuts_across(op) {
            self.sync_files(files)?;
            self.write_deferred(files)?;
        }
        let (file, done) = match op {
            Op::Write {
                file,
                offset,
                parts,
            } => {
                let is_page = *file == File::Bitfield && len(parts) > 0;
                if is_page && self.deferred.contains_key(offset) {
                    // What waits there is older, and what it waits for has to be there before anything takes its place.
                    self.sync_files(files)?;
                }
                self.write(files, *file, *offset, parts)?;
                if is_page {
                    self.deferred.remove(offset);
                }
                return Ok(());
            }
            Op::Truncate { file, len } => (*file, files.access(*file)?.truncate(*len)),
            Op::Clear { file, range } => (*file, files.access(*file)?.clear(range.clone())),
            Op::Barrier => return Ok(()),
        };
        self.unsynced.insert(file);
        done.map_err(|error| error.of(file))
    }

    fn write(
        &mut self,
        files: &Files,
        file: File,
        offset: u64,
        parts: &[Bytes],
    ) -> Result<(), Error> {
        self.unsynced.insert(file);
        let access = files.access(file)?;
        let written = match parts {
            [part] => access.write(offset, &[part]),
            parts => {
                let parts: Vec<&[u8]> = parts.iter().map(|part| &part[..]).collect();
                access.write(offset, &parts)
            }
        };
        written.map_err(|error| error.of(file))
    }

    fn sync_files(&mut self, files: &Files) -> Result<(), Error> {
        for file in SYNC_ORDER {
            if self.unsynced.contains(&file) {
                if let Err(error) = files.access(file)?.sync() {
                    self.latched = true;
                    return Err(error.of(file));
                }
                self.unsynced.remove(&file);
            }
        }
        Ok(())
    }
}

/// What a change touches of the bitfield, if anything.
fn bitfield_range(op: &Op) -> Option<Range<u64>> {
    match op {
        Op::Write {
            file: File::Bitfield,
            offset,
            parts,
        } => Some(*offset..offset.saturating_add(len(parts))),
        Op::Truncate {
            file: File::Bitfield,
            len,
        } => Some(*len..u64::MAX),
        Op::Clear {
            file: File::Bitfield,
            range,
        } => Some(range.clone()),
        _ => None,
    }
}

/// Whether they share a part, and aren't the same.
fn cuts(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end && one != other
}

fn len(parts: &[Bytes]) -> u64 {
    parts.iter().map(|part| part.len() as u64).sum()
}
