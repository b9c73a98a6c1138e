//! A feed on a disk whose power may fail, driven beat by beat at one of the levels of durability.

use bytes::Bytes;
use crypto::{PublicKey, Verified};
use hypercore_feed::{AuditStep, Commit, Error, Feed, OpenOptions, Opening, Step};
use merkle::{ProofRequest, RemoteTree, digest};
use storage::{Barriers, FileSet};
use testkit::SimDisk;

/// How a feed is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Each commit waits for the disk.
    Always,
    /// Bits wait in memory until a sync by hand, which stands for the timer's.
    Timely,
    /// Nothing waits.
    None,
}

pub(crate) const LEVELS: [Level; 3] = [Level::Always, Level::Timely, Level::None];

impl Level {
    pub(crate) fn barriers(self) -> Barriers {
        match self {
            Level::Always => Barriers::Sync,
            Level::Timely => Barriers::Defer,
            Level::None => Barriers::Skip,
        }
    }
}

/// A feed that is open.
pub(crate) struct Life {
    pub(crate) feed: Feed,
    pub(crate) files: FileSet,
    pub(crate) disk: SimDisk,
    level: Level,
}

impl Life {
    pub(crate) fn open(
        disk: &SimDisk,
        level: Level,
        key: Option<PublicKey>,
    ) -> Result<Self, Error> {
        let files = FileSet::open(Box::new(disk.clone())).unwrap();
        let barriers = match level {
            Level::None => Barriers::Skip,
            _ => Barriers::Sync,
        };
        let mut step = Opening::new(OpenOptions {
            key,
            seed: [7; 32],
            ordered: level != Level::None,
            ..OpenOptions::default()
        })
        .step(vec![])?;
        loop {
            step = match step {
                Step::Read { opening, reads } => opening.step(files.read(&reads).unwrap())?,
                Step::Commit { opening, batch } => {
                    files.commit_with(&batch, barriers).unwrap();
                    opening.step(vec![])?
                }
                Step::Done(feed) => {
                    return Ok(Life {
                        feed: *feed,
                        files,
                        disk: disk.clone(),
                        level,
                    });
                }
            };
        }
    }

    pub(crate) fn commit(&mut self, commit: Commit) -> Result<(), storage::Error> {
        self.files
            .commit_with(commit.batch(), self.level.barriers())?;
        self.feed.apply(commit);
        Ok(())
    }

    pub(crate) fn append(&mut self, blocks: Vec<Bytes>) -> Result<(), storage::Error> {
        let plan = self.feed.plan_append(blocks).unwrap();
        let commit = plan.sign(&self.feed).unwrap();
        self.commit(commit)
    }

    pub(crate) fn clear(&mut self, blocks: std::ops::Range<u64>) -> Result<(), storage::Error> {
        let plan = self.feed.plan_clear(blocks).unwrap();
        let replies = self.files.read(plan.reads())?;
        match plan.finish(&replies) {
            Ok(commit) => self.commit(commit),
            // Where nothing is promised the tree may lack what tells where the blocks are.
            Err(error) if self.level == Level::None && error.is_damage() => Ok(()),
            Err(error) => panic!("{error}"),
        }
    }

    /// An audit, and what follows from it. How many blocks were bad.
    pub(crate) fn audit(&mut self) -> Result<u64, storage::Error> {
        let mut step = self.feed.audit();
        let report = loop {
            step = match step {
                AuditStep::Read { auditing, reads } => {
                    auditing.step(&self.feed, &self.files.read(&reads)?)
                }
                AuditStep::Done(report) => break report,
            };
        };
        let commit = self.feed.commit_audit(&report).unwrap();
        self.commit(commit)?;
        Ok(report.invalid)
    }

    /// What a deep audit says, if anything.
    pub(crate) fn complaint(&self) -> Option<String> {
        let mut step = self.feed.deep_audit();
        loop {
            step = match step {
                AuditStep::Read { auditing, reads } => {
                    auditing.step(&self.feed, &self.files.read(&reads).unwrap())
                }
                AuditStep::Done(report) => {
                    return (!report.is_clean()).then(|| format!("{report:?}"));
                }
            };
        }
    }

    pub(crate) fn get(&self, block: u64) -> Result<Bytes, Error> {
        let plan = self.feed.plan_get(block)?;
        let place = plan.locate(&self.files.read(plan.reads()).unwrap())?;
        place.finish(self.files.read(&[place.read()]).unwrap().remove(0))
    }

    pub(crate) fn has(&self) -> Vec<u64> {
        let runs = self.feed.bitfield().block_runs(0..u64::MAX);
        runs.flatten().collect()
    }

    /// Fetches blocks from a whole feed, and stores them in one commit.
    pub(crate) fn fetch(&mut self, from: &Life, blocks: &[u64]) -> Result<(), storage::Error> {
        let mut puts = Vec::new();
        for block in blocks {
            let request = ProofRequest {
                block: *block,
                hash: false,
                digest: digest(self.feed.bitfield(), *block),
            };
            let plan = from
                .feed
                .plan_proof(&request, &mut RemoteTree::new())
                .unwrap();
            let proof = plan.finish(&from.files.read(plan.reads())?).unwrap();
            let plan = self
                .feed
                .plan_put(proof, Some(from.get(*block).unwrap()))
                .unwrap();
            let replies = self.files.read(plan.reads())?;
            let check = plan.check(&replies).unwrap();
            let witness = match check.signable() {
                None => None,
                Some((signable, Some(signature))) => {
                    Some(self.feed.key().verify(signable, signature).unwrap())
                }
                Some((signable, None)) => {
                    Some(Verified::matching_key(&self.feed.key(), signable).unwrap())
                }
            };
            puts.push(check.accept(witness.as_ref()).unwrap());
        }
        let (commit, conflicts) = self.feed.commit_puts(puts);
        assert!(conflicts.is_empty());
        self.commit(commit)
    }

    /// Whether the last block can be proved to somebody who has nothing.
    pub(crate) fn proves(&self, block: u64) -> bool {
        let request = ProofRequest {
            block,
            hash: true,
            digest: 0,
        };
        let plan = self.feed.plan_proof(&request, &mut RemoteTree::new());
        let Ok(plan) = plan else { return false };
        plan.finish(&self.files.read(plan.reads()).unwrap()).is_ok()
    }
}
