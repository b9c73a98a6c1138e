//! Everything that reads, over files that were damaged under an open feed.

use std::collections::BTreeSet;

use bytes::Bytes;
use feed::{AuditReport, AuditStep, Error, SeekStep, SignatureStep};
use storage::{File, MemoryFiles, RandomAccess};

use super::{AUTHOR, Choices, LENGTH, Log, block, copy, front, write};

/// A feed is opened, then its files are changed. Nothing panics or goes on for ever, no wrong byte is returned, an audit finds
/// what can't be read, and clearing clears.
pub fn feed_damaged(data: &[u8]) {
    let mut choices = Choices(data);
    let files = copy(&AUTHOR.files);
    let mut log = Log::open(&files, None, 1).expect("it is whole");
    damage(&mut choices, &files);
    let tree = front(&files, File::Tree) == front(&AUTHOR.files, File::Tree);

    for _ in 0..4 {
        log.check_seek(choices.wide() % (log.feed.byte_length() + 2), tree);
        let start = choices.below(LENGTH + 1);
        log.check_range(start, start + choices.below(LENGTH));
        log.check_signature(choices.below(LENGTH));
        log.check_portable(choices.below(LENGTH));
    }
    let readable = log.readable();
    log.check_audit(&readable, tree);
    let start = choices.below(LENGTH + 1);
    let cleared = start..start + choices.below(9);
    if log.clear(cleared.clone()).is_ok() {
        assert!(log.has().iter().all(|number| !cleared.contains(number)));
        if tree {
            let kept = readable.iter().copied();
            let kept: BTreeSet<u64> = kept.filter(|number| !cleared.contains(number)).collect();
            assert_eq!(log.readable(), kept);
        }
    }
    let report = log.audit(false);
    let commit = log.feed.commit_audit(&report).expect("it may be changed");
    log.commit(commit);
    let again = log.audit(false);
    assert_eq!(again.valid + again.invalid, report.valid);
    // Below a damaged node a block is found good only if it is told where it is by the block before it, and not by that node. Where
    // pieces of an audit begin depends on what is stored.
    assert!(!tree || again.invalid == 0);
}

fn damage(choices: &mut Choices<'_>, files: &MemoryFiles) {
    for _ in 0..choices.below(5) {
        let file = [File::Tree, File::Data, File::Signatures, File::Bitfield];
        let file = file[choices.below(4) as usize];
        let (what, value) = (choices.below(4), choices.byte());
        let offset = choices.wide() % (front(files, file).len() as u64 + 1);
        let access = files.file(file);
        match what {
            0 => access.truncate(offset).expect("memory doesn't fail"),
            1 => write(files, file, offset, &[value]),
            2 => write(files, file, offset, &[value; 40]),
            _ => {
                let range = offset..offset + u64::from(value);
                access.clear(range).expect("memory doesn't fail");
            }
        }
    }
}

impl Log {
    fn check_seek(&self, byte: u64, tree: bool) {
        let mut step = match self.feed.seek(byte) {
            Ok(step) => step,
            Err(error) => {
                let byte_length = self.feed.byte_length();
                assert_eq!(error, Error::BeyondEnd { byte, byte_length });
                return;
            }
        };
        for _ in 0..8 {
            step = match step {
                SeekStep::Read { seeking, reads } => {
                    assert!(reads.len() <= 64);
                    let replies = self.files.read(&reads).expect("memory can be read");
                    match seeking.step(&self.feed, &replies) {
                        Ok(step) => step,
                        Err(error) => {
                            assert!(error.is_damage() && !tree);
                            return;
                        }
                    }
                }
                SeekStep::Found {
                    block: number,
                    offset,
                } => {
                    let before: u64 = (0..number)
                        .map(|number| block(1, number).len() as u64)
                        .sum();
                    // Sizes of neighbours could have been exchanged; then nobody can tell.
                    assert!(!tree || before + offset == byte);
                    return;
                }
                SeekStep::Unknown { within } => panic!("{within:?}: all hashes are marked"),
            };
        }
        panic!("it doesn't end");
    }

    fn check_range(&self, start: u64, end: u64) {
        let mut next = start;
        while next < end {
            let Ok(plan) = self.feed.plan_get_range(next..end) else {
                assert!(end > LENGTH);
                return;
            };
            let replies = self.files.read(plan.reads()).expect("memory can be read");
            let Ok(place) = plan.locate(&replies) else {
                return;
            };
            assert!(place.blocks().start == next && !place.blocks().is_empty());
            assert!(place.read().len as u64 <= self.feed.byte_length());
            let bytes = self
                .files
                .read(&[place.read()])
                .expect("memory can be read");
            let bytes: Bytes = bytes.into_iter().collect::<Vec<_>>().remove(0);
            if let Ok(blocks) = place.finish(bytes) {
                let expected = place.blocks().map(|number| block(1, number));
                assert!(expected.eq(blocks));
            }
            next = place.blocks().end;
        }
    }

    fn check_signature(&self, number: u64) {
        let mut step = self.feed.find_signature(number).expect("it is signed");
        while let SignatureStep::Read { search, reads } = step {
            let replies = self.files.read(&reads).expect("memory can be read");
            step = match search.step(&replies) {
                Ok(step) => step,
                Err(error) => {
                    assert!(error.is_damage());
                    return;
                }
            };
        }
        let SignatureStep::Found {
            block: last,
            signature,
        } = step
        else {
            return;
        };
        assert!((number..LENGTH).contains(&last));
        let plan = self.feed.plan_roots(last).expect("all hashes are marked");
        let replies = self.files.read(plan.reads()).expect("memory can be read");
        if let Ok(roots) = plan.finish(&replies)
            && self.feed.verify(&roots, &signature)
        {
            assert_eq!(Some(&roots), AUTHOR.roots.get(last as usize + 1));
        }
    }

    fn check_portable(&self, number: u64) {
        let plan = self.feed.plan_portable_proof(number);
        let plan = plan.expect("all hashes are marked");
        let replies = self.files.read(plan.reads()).expect("memory can be read");
        let Ok(proof) = plan.finish(&replies) else {
            return;
        };
        assert_eq!((proof.block(), proof.length()), (number, LENGTH));
        let other = block(1, (number + 1) % LENGTH);
        if other != block(1, number) {
            assert!(proof.verify(&self.feed.key(), &other).is_err());
        }
    }

    fn readable(&self) -> BTreeSet<u64> {
        let has = self.has().into_iter();
        has.filter(|number| self.get(*number).is_ok()).collect()
    }

    fn audit(&self, deep: bool) -> AuditReport {
        let mut step = match deep {
            true => self.feed.deep_audit(),
            false => self.feed.audit(),
        };
        // At worst each block makes a piece of its own.
        for _ in 0..4 * LENGTH + 20 {
            step = match step {
                AuditStep::Read { auditing, reads } => {
                    let replies = self.files.read(&reads).expect("memory can be read");
                    auditing.step(&self.feed, &replies)
                }
                AuditStep::Done(report) => return report,
            };
        }
        panic!("it doesn't end");
    }

    fn check_audit(&self, readable: &BTreeSet<u64>, tree: bool) {
        let report = self.audit(true);
        assert_eq!(report.valid + report.invalid, self.has().len() as u64);
        assert_eq!(report.invalid, report.bad.iter().flatten().count() as u64);
        for number in report.bad.iter().flatten() {
            assert!(!readable.contains(&number));
        }
        if report.is_clean() {
            assert_eq!(readable.len() as u64, self.feed.length());
            for number in 0..LENGTH {
                self.check_seek(block(1, number).len() as u64 * number % 8, tree);
            }
        }
        if tree {
            assert_eq!(report.valid, readable.len() as u64);
        }
    }

    fn clear(&mut self, blocks: std::ops::Range<u64>) -> Result<(), Error> {
        let plan = self.feed.plan_clear(blocks)?;
        let replies = self.files.read(plan.reads()).expect("memory can be read");
        let commit = plan.finish(&replies)?;
        self.commit(commit);
        Ok(())
    }
}
