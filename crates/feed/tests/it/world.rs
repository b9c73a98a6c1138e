//! A log with its files, driven beat by beat, and what its files hold.

use std::{fs, ops::Range, path::Path};

use bytes::Bytes;
use crypto::{KeyPair, PublicKey, Signature, Verified};
use hypercore_feed::{
    AuditReport, AuditStep, Commit, Error, Event, Feed, OpenOptions, Opening, Put, PutCheck,
    PutError, SeekStep, SignatureStep, Step,
};
use merkle::{Proof, ProofRequest, RemoteTree, Roots, digest};
use storage::{Batch, File, FileSet, MemoryFiles, Op, Provider, RandomAccess};

pub(crate) struct Log {
    pub(crate) files: FileSet,
    pub(crate) feed: Feed,
    /// How many batches the opening has written.
    pub(crate) written: usize,
}

impl Log {
    pub(crate) fn open(
        place: impl Provider + 'static,
        options: OpenOptions,
    ) -> Result<Self, Error> {
        let files = FileSet::open(Box::new(place)).unwrap();
        let mut written = 0;
        let mut step = Opening::new(options).step(vec![])?;
        loop {
            step = match step {
                Step::Read { opening, reads } => opening.step(files.read(&reads).unwrap())?,
                Step::Commit { opening, batch } => {
                    written += 1;
                    files.commit(&batch).unwrap();
                    opening.step(vec![])?
                }
                Step::Done(feed) => {
                    return Ok(Log {
                        files,
                        feed: *feed,
                        written,
                    });
                }
            };
        }
    }

    /// A writer in memory whose key follows from a number.
    pub(crate) fn writer(seed: u8) -> (Log, MemoryFiles) {
        let files = MemoryFiles::default();
        let log = Log::open(files.clone(), seeded(seed)).unwrap();
        (log, files)
    }

    /// A reader in memory.
    pub(crate) fn reader(key: PublicKey) -> (Log, MemoryFiles) {
        let files = MemoryFiles::default();
        let log = Log::open(files.clone(), with_key(key)).unwrap();
        (log, files)
    }

    /// Whatever feed is there, opened again.
    pub(crate) fn reader_of(files: MemoryFiles) -> Log {
        Log::open(files, OpenOptions::default()).unwrap()
    }

    /// A writer of blocks of different sizes, some of them empty, signed one by one.
    pub(crate) fn author(seed: u8, length: u64) -> Log {
        let (mut log, _) = Log::writer(seed);
        for block in 0..length {
            log.append([made_up(seed, block)]);
        }
        log
    }

    pub(crate) fn append<B: Into<Bytes>>(&mut self, blocks: impl IntoIterator<Item = B>) {
        let blocks = blocks.into_iter().map(Into::into).collect();
        let plan = self.feed.plan_append(blocks).unwrap();
        let commit = plan.sign(&self.feed).unwrap();
        self.commit(commit);
    }

    pub(crate) fn commit(&mut self, commit: Commit) -> Vec<Event> {
        self.files.commit(commit.batch()).unwrap();
        self.feed.apply(commit)
    }

    pub(crate) fn get(&self, block: u64) -> Result<Bytes, Error> {
        let plan = self.feed.plan_get(block)?;
        let place = plan.locate(&self.files.read(plan.reads()).unwrap())?;
        place.finish(self.files.read(&[place.read()]).unwrap().remove(0))
    }

    /// All blocks of a range, piece by piece, and how many pieces there were.
    pub(crate) fn get_range(&self, blocks: Range<u64>) -> Result<(Vec<Bytes>, usize), Error> {
        let (mut all, mut next, mut pieces) = (vec![], blocks.start, 0);
        while next < blocks.end {
            let plan = self.feed.plan_get_range(next..blocks.end)?;
            let place = plan.locate(&self.files.read(plan.reads()).unwrap())?;
            assert!(place.blocks().start == next && !place.blocks().is_empty());
            let bytes = self.files.read(&[place.read()]).unwrap().remove(0);
            all.extend(place.finish(bytes)?);
            next = place.blocks().end;
            pieces += 1;
        }
        Ok((all, pieces))
    }

    /// Where a byte is, or the blocks that can hold it.
    pub(crate) fn seek(&self, byte: u64) -> Result<Result<(u64, u64), Range<u64>>, Error> {
        let mut step = self.feed.seek(byte)?;
        for _ in 0..30 {
            step = match step {
                SeekStep::Read { seeking, reads } => {
                    seeking.step(&self.feed, &self.files.read(&reads).unwrap())?
                }
                SeekStep::Found { block, offset } => return Ok(Ok((block, offset))),
                SeekStep::Unknown { within } => return Ok(Err(within)),
            };
        }
        panic!("it doesn't end");
    }

    /// The signature that covers a block, and the last block that it covers.
    pub(crate) fn signature(&self, block: u64) -> Result<(u64, Signature), Error> {
        let mut step = self.feed.find_signature(block)?;
        loop {
            step = match step {
                SignatureStep::Read { search, reads } => {
                    search.step(&self.files.read(&reads).unwrap())?
                }
                SignatureStep::Found { block, signature } => return Ok((block, signature)),
            };
        }
    }

    /// The roots of when a block was the last one.
    pub(crate) fn roots(&self, block: u64) -> Result<Roots, Error> {
        let plan = self.feed.plan_roots(block)?;
        plan.finish(&self.files.read(plan.reads()).unwrap())
    }

    pub(crate) fn clear(&mut self, blocks: Range<u64>) -> Result<Vec<Event>, Error> {
        let plan = self.feed.plan_clear(blocks)?;
        let replies = self.files.read(plan.reads()).unwrap();
        let commit = plan.finish(&replies)?;
        Ok(self.commit(commit))
    }

    /// An audit, deep or not, to its end.
    pub(crate) fn audit(&self, deep: bool) -> AuditReport {
        let mut step = match deep {
            true => self.feed.deep_audit(),
            false => self.feed.audit(),
        };
        loop {
            step = match step {
                AuditStep::Read { auditing, reads } => {
                    let bytes: usize = reads.iter().map(|read| read.len).sum();
                    assert!(bytes <= 10 << 20, "a piece is bounded");
                    auditing.step(&self.feed, &self.files.read(&reads).unwrap())
                }
                AuditStep::Done(report) => return report,
            };
        }
    }

    pub(crate) fn length(&self) -> u64 {
        self.feed.length()
    }

    /// Which blocks are stored.
    pub(crate) fn has(&self) -> Vec<u64> {
        let runs = self.feed.bitfield().block_runs(0..u64::MAX);
        runs.flatten().collect()
    }

    /// The answer to a request, with the block unless only its hash is wanted.
    pub(crate) fn answer(
        &self,
        request: &ProofRequest,
        remote: &mut RemoteTree,
    ) -> Result<(Proof, Option<Bytes>), Error> {
        let plan = self.feed.plan_proof(request, remote)?;
        let proof = plan.finish(&self.files.read(plan.reads()).unwrap())?;
        let value = match request.hash {
            true => None,
            false => Some(self.get(request.block)?),
        };
        Ok((proof, value))
    }

    /// The proof for a peer that has nothing.
    pub(crate) fn prove(&self, block: u64, hash: bool) -> Proof {
        let request = ProofRequest {
            block,
            hash,
            digest: 0,
        };
        self.answer(&request, &mut RemoteTree::new()).unwrap().0
    }

    pub(crate) fn check(&self, proof: Proof, value: Option<Bytes>) -> Result<PutCheck, PutError> {
        let plan = self.feed.plan_put(proof, value)?;
        let replies = self.files.read(plan.reads()).unwrap();
        plan.check(&replies)
    }

    /// Everything up to the commit.
    pub(crate) fn accept(&self, proof: Proof, value: Option<Bytes>) -> Result<Put, PutError> {
        let check = self.check(proof, value)?;
        let witness = match check.signable() {
            None => None,
            Some((signable, Some(signature))) => Some(self.feed.key().verify(signable, signature)?),
            Some((signable, None)) => Some(Verified::matching_key(&self.feed.key(), signable)?),
        };
        check.accept(witness.as_ref())
    }

    pub(crate) fn put(
        &mut self,
        proof: Proof,
        value: Option<Bytes>,
    ) -> Result<Vec<Event>, PutError> {
        let put = self.accept(proof, value)?;
        let (commit, conflicts) = self.feed.commit_puts(vec![put]);
        assert!(conflicts.is_empty());
        Ok(self.commit(commit))
    }

    /// Asks another one for a block or its hash, and stores what it says.
    pub(crate) fn fetch(&mut self, from: &Log, remote: &mut RemoteTree, block: u64, hash: bool) {
        let request = ProofRequest {
            block,
            hash,
            digest: digest(self.feed.bitfield(), block),
        };
        let (proof, value) = from.answer(&request, remote).unwrap();
        self.put(proof, value).unwrap();
    }
}

/// What opens or creates the writer of a number.
pub(crate) fn seeded(seed: u8) -> OpenOptions {
    OpenOptions {
        seed: [seed; 32],
        ..OpenOptions::default()
    }
}

pub(crate) fn with_key(key: PublicKey) -> OpenOptions {
    OpenOptions {
        key: Some(key),
        seed: [0xee; 32],
        ..OpenOptions::default()
    }
}

pub(crate) fn key_of(seed: u8) -> PublicKey {
    KeyPair::from_seed([seed; 32]).public()
}

/// A block of an author: the sizes differ, some are empty, and no two authors have the same.
pub(crate) fn made_up(seed: u8, block: u64) -> Bytes {
    let len = (7 * block + u64::from(seed)) % 23;
    (0..len).map(|at| seed ^ (block + 3 * at) as u8).collect()
}

/// The bytes of all files.
pub(crate) fn contents(files: &MemoryFiles) -> [Vec<u8>; 6] {
    File::ALL.map(|file| bytes(files, file))
}

pub(crate) fn bytes(files: &MemoryFiles, file: File) -> Vec<u8> {
    let file = files.file(file);
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read(0, &mut bytes).unwrap();
    bytes
}

/// Puts bytes in the place of what a file holds.
pub(crate) fn replace(files: &MemoryFiles, file: File, bytes: &[u8]) {
    let file = files.file(file);
    file.truncate(0).unwrap();
    file.write(0, &[bytes]).unwrap();
}

/// The files of a directory, in memory.
pub(crate) fn load(folder: &Path) -> MemoryFiles {
    let files = MemoryFiles::default();
    for file in File::ALL {
        if let Ok(bytes) = fs::read(folder.join(file.name())) {
            replace(&files, file, &bytes);
        }
    }
    files
}

/// The first changes of a batch: what is done when the program is killed there.
pub(crate) fn beginning(batch: &Batch, ops: usize) -> Batch {
    let mut part = Batch::new();
    for op in &batch.ops()[..ops] {
        match op.clone() {
            Op::Write {
                file,
                offset,
                parts,
            } => part.write_parts(file, offset, parts),
            Op::Truncate { file, len } => part.truncate(file, len),
            Op::Clear { file, range } => part.clear(file, range),
            Op::Barrier => part.barrier(),
        }
    }
    part
}
