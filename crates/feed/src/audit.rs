//! Looking through what is stored: every block against its hash, and on demand everything else.
//!
//! ```text
//! blocks -> (nodes -> signatures -> pages of the bitfield) -> report
//! ```
//!
//! An audit is a stepper that reads in bounded pieces. It changes nothing: what it finds is in the report, and the blocks that
//! are bad can then be cleared, so that they are fetched again.

mod blocks;
mod nodes;
mod pages;
mod signatures;

use alloc::{boxed::Box, vec::Vec};

use bitfield::RangeSet;
use bytes::Bytes;
use flat_tree::Index;
use storage::{Batch, Read};

use crate::{Commit, Error, Event, Feed, pages::write_pages};

/// How many findings are listed. The others are counted.
pub const MAX_FINDINGS: usize = 1024;

/// What an audit has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditReport {
    /// How many blocks match their hashes.
    pub valid: u64,
    /// How many don't, or can't be read.
    pub invalid: u64,
    /// Which these are. Its memory follows how scattered they are.
    pub bad: RangeSet,
    /// What a deep audit has found besides, [`MAX_FINDINGS`] at most.
    pub findings: Vec<Finding>,
    /// How many findings aren't listed any more.
    pub more: u64,
}

/// Something besides the blocks that isn't as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// A node is marked as stored and isn't there.
    MissingNode {
        /// Its position.
        index: Index,
    },
    /// A node doesn't match its children, or isn't the root that it should be.
    WrongNode {
        /// Its position.
        index: Index,
    },
    /// A node isn't marked as stored, although its block or both its children are.
    UnmarkedNode {
        /// Its position.
        index: Index,
    },
    /// There is no signature of the feed's length.
    MissingSignature {
        /// The length.
        length: u64,
    },
    /// A signature isn't the author's for the roots of its length.
    WrongSignature {
        /// The length.
        length: u64,
    },
    /// A page of the file doesn't say what is known to be stored.
    WrongBits {
        /// The number of the page.
        page: u64,
    },
    /// A page has an index that doesn't match its blocks, by which JavaScript overlooks gaps.
    WrongIndex {
        /// The number of the page.
        page: u64,
    },
}

/// An audit that is going on.
#[derive(Debug)]
#[must_use]
pub struct Auditing {
    report: AuditReport,
    deep: bool,
    /// The length at the beginning. What is appended meanwhile isn't looked at.
    length: u64,
    stage: Box<Stage>,
}

/// How far an audit has come.
#[derive(Debug)]
#[must_use]
pub enum AuditStep {
    /// Read these pieces and give them to [`Auditing::step`].
    Read {
        /// What goes on with the answers.
        auditing: Auditing,
        /// What to read.
        reads: Vec<Read>,
    },
    /// That is all.
    Done(AuditReport),
}

#[derive(Debug)]
enum Stage {
    Blocks(blocks::Sweep),
    Nodes(nodes::Sweep),
    Signatures(signatures::Sweep),
    Pages(pages::Sweep),
}

impl Feed {
    /// Begins to check each stored block against its hash. A block that can't be read because a node above it is damaged may
    /// be found good: storing it again wouldn't help. A deep audit finds such nodes.
    pub fn audit(&self) -> AuditStep {
        self.begin_audit(false)
    }

    /// Begins to check each stored block, then the nodes against one another, the signatures against the roots, and the bitfield
    /// in the file against what is known. What is committed meanwhile may be reported as [`Finding::WrongBits`].
    pub fn deep_audit(&self) -> AuditStep {
        self.begin_audit(true)
    }

    fn begin_audit(&self, deep: bool) -> AuditStep {
        let auditing = Auditing {
            report: AuditReport::default(),
            deep,
            length: self.length(),
            stage: Box::new(Stage::Blocks(blocks::Sweep::default())),
        };
        auditing.advance(self)
    }

    /// Makes the commit that clears the blocks which an audit has found bad, as far as they are still there. Their bytes stay
    /// until others are stored in their place.
    ///
    /// # Errors
    /// [`Error::ReadOnly`].
    pub fn commit_audit(&self, report: &AuditReport) -> Result<Commit, Error> {
        self.check_changes()?;
        let mut draft = self.bitfield.draft();
        let mut events = Vec::new();
        for blocks in report.bad.iter() {
            if draft.set_blocks(blocks.clone(), false) > 0 {
                events.push(Event::Clear { blocks });
            }
        }
        let changes = draft.finish();
        let mut batch = Batch::new();
        let mut notes = self.notes.clone();
        if !changes.is_empty() {
            notes = self.begin(&mut batch);
            write_pages(&mut batch, &changes);
        }
        Ok(Commit {
            batch,
            changes,
            roots: self.roots.clone(),
            kind: self.kind,
            learnt: Box::default(),
            notes,
            events,
        })
    }
}

impl Auditing {
    /// Takes the answers to the last step and says what is next. Damage of any kind is no error here.
    pub fn step(mut self, feed: &Feed, replies: &[Bytes]) -> AuditStep {
        let report = &mut self.report;
        match &mut *self.stage {
            Stage::Blocks(sweep) => sweep.check(feed, replies, report),
            Stage::Nodes(sweep) => sweep.check(feed, replies, report),
            Stage::Signatures(sweep) => sweep.check(feed, replies, report),
            Stage::Pages(sweep) => sweep.check(feed, replies, report),
        }
        self.advance(feed)
    }

    /// What has been seen so far.
    pub fn report(&self) -> &AuditReport {
        &self.report
    }

    /// The next piece, of this stage or of one behind it.
    fn advance(mut self, feed: &Feed) -> AuditStep {
        loop {
            let length = self.length;
            let reads = match &mut *self.stage {
                Stage::Blocks(sweep) => sweep.next(feed, length),
                Stage::Nodes(sweep) => sweep.next(feed, length),
                Stage::Signatures(sweep) => sweep.next(feed, length, &mut self.report),
                Stage::Pages(sweep) => sweep.next(feed),
            };
            if let Some(reads) = reads {
                return AuditStep::Read {
                    auditing: self,
                    reads,
                };
            }
            *self.stage = match *self.stage {
                Stage::Blocks(_) if self.deep => Stage::Nodes(nodes::Sweep::default()),
                Stage::Nodes(_) => Stage::Signatures(signatures::Sweep::default()),
                Stage::Signatures(_) => Stage::Pages(pages::Sweep::default()),
                Stage::Blocks(_) | Stage::Pages(_) => return AuditStep::Done(self.report),
            };
        }
    }
}

impl AuditReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.invalid == 0 && self.findings.is_empty()
    }

    fn found(&mut self, finding: Finding) {
        match self.findings.len() < MAX_FINDINGS {
            true => self.findings.push(finding),
            false => self.more += 1,
        }
    }
}
