//! The log over files that anybody may have written, over messages that anybody may have sent, and cut off anywhere.

mod damaged;

use std::{collections::BTreeSet, sync::LazyLock};

use bytes::Bytes;
use crypto::{Dialect, Hash, PublicKey, Verified};
use feed::{Commit, Error, Feed, OpenOptions, Opening, Put, PutError, Step};
use flat_tree::{Index, full_roots};
use merkle::{Node, Proof, ProofRequest, RemoteTree, Roots, digest};
use storage::{Batch, File, FileSet, MemoryFiles, Op, RandomAccess};

pub use damaged::feed_damaged;

/// How many blocks the authors here have.
const LENGTH: u64 = 21;

/// The longest feed that is opened: eight pages of the bitfield.
const MAX_LENGTH: u64 = 1 << 16;

/// A log with its files.
struct Log {
    files: FileSet,
    feed: Feed,
}

impl Log {
    fn open(files: &MemoryFiles, key: Option<PublicKey>, seed: u8) -> Result<Self, Error> {
        let files = FileSet::open(Box::new(files.clone())).expect("memory opens");
        let options = OpenOptions {
            key,
            dialect: if seed.is_multiple_of(2) {
                Dialect::V8
            } else {
                Dialect::V9
            },
            seed: [seed; 32],
            max_length: MAX_LENGTH,
            ..OpenOptions::default()
        };
        let mut step = Opening::new(options).step(vec![])?;
        // What a crash has left is looked through in pieces.
        for _ in 0..2000 {
            step = match step {
                Step::Read { opening, reads } => {
                    opening.step(files.read(&reads).expect("memory can be read"))?
                }
                Step::Commit { opening, batch } => {
                    files.commit(&batch).expect("memory doesn't fail");
                    opening.step(vec![])?
                }
                Step::Done(feed) => return Ok(Log { files, feed: *feed }),
            };
        }
        panic!("opening doesn't end");
    }

    fn plan_append(&self, blocks: Vec<Bytes>) -> Commit {
        let plan = self.feed.plan_append(blocks).expect("it is live");
        plan.sign(&self.feed).expect("the key is here")
    }

    fn commit(&mut self, commit: Commit) {
        self.files
            .commit(commit.batch())
            .expect("memory doesn't fail");
        self.feed.apply(commit);
    }

    fn get(&self, block: u64) -> Result<Bytes, Error> {
        let plan = self.feed.plan_get(block)?;
        let nodes = self.files.read(plan.reads()).expect("memory can be read");
        let place = plan.locate(&nodes)?;
        let mut bytes = self
            .files
            .read(&[place.read()])
            .expect("memory can be read");
        place.finish(bytes.remove(0))
    }

    fn answer(&self, remote: &mut RemoteTree, request: &ProofRequest) -> Result<Proof, Error> {
        let plan = self.feed.plan_proof(request, remote)?;
        plan.finish(&self.files.read(plan.reads()).expect("memory can be read"))
    }

    fn accept(&self, proof: Proof, value: Option<Bytes>) -> Result<Put, PutError> {
        let plan = self.feed.plan_put(proof, value)?;
        assert!(plan.reads().len() <= 512, "work follows the proof");
        let replies = self.files.read(plan.reads()).expect("memory can be read");
        let check = plan.check(&replies)?;
        let witness = match check.signable() {
            None => None,
            Some((signable, Some(signature))) => Some(self.feed.key().verify(signable, signature)?),
            Some((signable, None)) => Some(Verified::matching_key(&self.feed.key(), signable)?),
        };
        check.accept(witness.as_ref())
    }

    fn has(&self) -> Vec<u64> {
        let runs = self.feed.bitfield().block_runs(0..u64::MAX);
        runs.flatten().collect()
    }
}

/// Block of an author: none is empty, so that nobody knows the hash of an empty one.
fn block(seed: u8, number: u64) -> Bytes {
    vec![seed ^ number as u8; 1 + (7 * number as usize + usize::from(seed)) % 11].into()
}

struct Author {
    log: Log,
    files: MemoryFiles,
    /// The roots of each length.
    roots: Vec<Roots>,
}

fn author(seed: u8) -> Author {
    let files = MemoryFiles::default();
    let mut log = Log::open(&files, None, seed).expect("nothing is there");
    let mut roots = vec![Roots::new()];
    for number in 0..LENGTH {
        let commit = log.plan_append(vec![block(seed, number)]);
        log.commit(commit);
        roots.push(log.feed.roots().clone());
    }
    Author { log, files, roots }
}

static AUTHOR: LazyLock<Author> = LazyLock::new(|| author(1));
static FOREIGN: LazyLock<Author> = LazyLock::new(|| author(2));

/// Bytes that are used up one by one, and zeros after that.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    fn below(&mut self, bound: u64) -> u64 {
        u64::from(self.byte()) % bound
    }

    fn wide(&mut self) -> u64 {
        u64::from(self.byte()) << 8 | u64::from(self.byte())
    }
}

/// The first bytes of a file; what lies further out is far away from all else.
fn front(files: &MemoryFiles, file: File) -> Vec<u8> {
    let file = files.file(file);
    let len = file.len().expect("memory has a length").min(1 << 17);
    let mut bytes = vec![0; len as usize];
    file.read(0, &mut bytes).expect("memory can be read");
    bytes
}

fn write(files: &MemoryFiles, file: File, offset: u64, bytes: &[u8]) {
    let file = files.file(file);
    file.write(offset, &[bytes]).expect("memory doesn't fail");
}

fn copy(from: &MemoryFiles) -> MemoryFiles {
    let copy = MemoryFiles::default();
    for file in File::ALL {
        write(&copy, file, 0, &front(from, file));
    }
    copy
}

/// Six files: either the bytes of the author's with records of changes, or six strings, each behind its length. What opens
/// has roots that were signed and blocks that are the author's; a refusal changes nothing; memory follows what is there.
pub fn feed_open(data: &[u8]) {
    let mut choices = Choices(data);
    let mode = choices.byte();
    let files = match mode % 4 {
        0 => strings(&mut choices),
        _ => changed(&mut choices),
    };
    if mode & 4 != 0 {
        files
            .file(File::SecretKey)
            .truncate(0)
            .expect("memory doesn't fail");
    }
    let key = (mode & 8 != 0).then(|| AUTHOR.log.feed.key());
    let before = File::ALL.map(|file| front(&files, file));
    let opened = Log::open(&files, key, 7);
    let Ok(log) = opened else {
        assert!(before == File::ALL.map(|file| front(&files, file)));
        return;
    };
    assert!(log.feed.length() <= MAX_LENGTH);
    assert!(log.feed.bitfield().pages() <= MAX_LENGTH / 8192 + 1);
    assert!(log.feed.bitfield().blocks_end() <= log.feed.length());
    assert!(is_vouched_for(&log.feed, &files));
    if log.feed.key() != AUTHOR.log.feed.key() {
        for number in log.has() {
            let _ = log.get(number);
        }
        return;
    }
    assert_eq!(
        Some(log.feed.roots()),
        AUTHOR.roots.get(log.feed.length() as usize)
    );
    for number in 0..log.feed.length() {
        if let Ok(bytes) = log.get(number) {
            assert_eq!(bytes, block(1, number));
        }
        let request = ProofRequest {
            block: number,
            hash: number % 2 == 0,
            digest: 0,
        };
        // What comes out may be damaged, but it comes out.
        let _ = log.answer(&mut RemoteTree::new(), &request);
    }
}

/// Whether the key stands for the length: by the signature in the file, or because it is the tree hash itself.
fn is_vouched_for(feed: &Feed, files: &MemoryFiles) -> bool {
    let signable = feed.roots().signable();
    let Some(last) = feed.length().checked_sub(1) else {
        return true;
    };
    let mut signature = [0; 64];
    let entry = files.file(File::Signatures);
    entry
        .read(32 + 64 * last, &mut signature)
        .expect("memory can be read");
    match feed.is_live() {
        true => feed.key().verify(&signable, &signature.into()).is_ok(),
        false => feed.key().as_bytes() == signable.tree_hash.as_bytes(),
    }
}

fn strings(choices: &mut Choices<'_>) -> MemoryFiles {
    let files = MemoryFiles::default();
    for file in File::ALL {
        let len = (choices.wide() as usize).min(choices.0.len());
        let (bytes, rest) = choices.0.split_at(len);
        choices.0 = rest;
        write(&files, file, 0, bytes);
    }
    files
}

fn changed(choices: &mut Choices<'_>) -> MemoryFiles {
    let files = copy(&AUTHOR.files);
    for _ in 0..choices.below(6) {
        let file = File::ALL[choices.below(6) as usize];
        let (what, offset, value) = (choices.below(5), choices.wide() % 4096, choices.byte());
        let access = files.file(file);
        match what {
            0 => access.truncate(offset).expect("memory doesn't fail"),
            1 => write(&files, file, offset, &[value]),
            2 => write(
                &files,
                file,
                offset,
                &vec![value; 1 + offset as usize % 100],
            ),
            3 => write(&files, file, offset << (value % 40), &[value | 1]),
            _ => access
                .clear(offset..offset + u64::from(value))
                .expect("memory doesn't fail"),
        }
    }
    files
}

/// A reader between an author and liars: whatever it takes is true, a refusal changes nothing, and it can be opened again.
pub fn feed_put(data: &[u8]) {
    let mut choices = Choices(data);
    let files = MemoryFiles::default();
    let key = AUTHOR.log.feed.key();
    let mut reader = Log::open(&files, Some(key), 3).expect("nothing is there");
    let mut remote = RemoteTree::new();
    for _ in 0..40 {
        if choices.0.is_empty() {
            break;
        }
        let before = File::ALL.map(|file| front(&files, file));
        let (roots, has) = (reader.feed.roots().clone(), reader.has());
        match choices.below(8) {
            0 => {
                drop(reader);
                reader = Log::open(&files, None, 3).expect("it was whole");
                assert_eq!((reader.feed.roots(), reader.has()), (&roots, has));
                remote = RemoteTree::new();
                assert!(before == File::ALL.map(|file| front(&files, file)));
            }
            1..=3 => {
                let number = choices.below(LENGTH);
                let request = ProofRequest {
                    block: number,
                    hash: choices.below(3) == 0,
                    digest: digest(reader.feed.bitfield(), number),
                };
                let proof = AUTHOR.log.answer(&mut remote, &request);
                let value = (!request.hash).then(|| block(1, number));
                // Whatever liars have said before, who is honest is believed.
                let put = reader.accept(proof.expect("the author has all"), value);
                let put = put.expect("it is honest");
                let (commit, conflicts) = reader.feed.commit_puts(vec![put]);
                assert!(conflicts.is_empty());
                reader.commit(commit);
                assert_eq!(
                    reader.feed.bitfield().has_block(number),
                    !request.hash || has.contains(&number)
                );
            }
            _ => {
                let puts = (0..1 + choices.below(4)).filter_map(|_| {
                    let (proof, value) = hostile(&mut choices);
                    reader.accept(proof, value).ok()
                });
                let puts: Vec<Put> = puts.collect();
                if puts.is_empty() {
                    assert!(before == File::ALL.map(|file| front(&files, file)));
                    continue;
                }
                let (commit, _) = reader.feed.commit_puts(puts);
                reader.commit(commit);
            }
        }
        assert_true(&reader);
        assert!(reader.feed.length() >= roots.length());
    }
}

/// All that the reader has is the author's.
fn assert_true(reader: &Log) {
    let length = reader.feed.length();
    assert_eq!(Some(reader.feed.roots()), AUTHOR.roots.get(length as usize));
    for number in reader.has() {
        assert_eq!(reader.get(number), Ok(block(1, number)));
    }
}

/// A proof of true nodes, nodes of another feed and made-up ones.
fn hostile(choices: &mut Choices<'_>) -> (Proof, Option<Bytes>) {
    let request = ProofRequest {
        block: choices.below(LENGTH),
        hash: choices.below(3) == 0,
        digest: choices.below(64),
    };
    let from = if choices.below(5) == 0 {
        &FOREIGN
    } else {
        &AUTHOR
    };
    let mut proof = from
        .log
        .answer(&mut RemoteTree::new(), &request)
        .expect("the author has all");
    for _ in 0..choices.below(5) {
        let at = choices.below(proof.nodes.len() as u64 + 1) as usize;
        match choices.below(7) {
            0 if at < proof.nodes.len() => drop(proof.nodes.remove(at)),
            1 => {
                let index = Index::new(choices.below(2 * LENGTH + 2));
                proof.nodes.insert(
                    at,
                    Node {
                        index,
                        size: choices.below(20),
                        hash: Hash::new([choices.byte(); 32]),
                    },
                );
            }
            2 if at < proof.nodes.len() => {
                let other = choices.below(proof.nodes.len() as u64) as usize;
                let by = choices.below(9);
                proof.nodes[at].size = proof.nodes[at].size.wrapping_add(by);
                proof.nodes[other].size = proof.nodes[other].size.wrapping_sub(by);
            }
            3 if at < proof.nodes.len() => {
                proof.nodes[at].index = Index::new(u64::MAX >> choices.below(64));
            }
            4 => {
                // The genuine roots and the genuine signature over them, whatever the block.
                let last = ProofRequest {
                    block: LENGTH - 1,
                    hash: true,
                    digest: 0,
                };
                let signed = AUTHOR.log.answer(&mut RemoteTree::new(), &last);
                proof.signature = signed.expect("the author has all").signature;
                proof
                    .nodes
                    .retain(|node| !full_roots(LENGTH).any(|root| root == node.index));
                proof.nodes.extend(AUTHOR.log.feed.roots().nodes());
            }
            5 => proof.signature = None,
            _ => proof.block = choices.wide() >> choices.below(16),
        }
    }
    let value = match choices.below(4) {
        _ if request.hash => None,
        0 => Some(vec![9; block(1, proof.block).len()].into()),
        1 => Some(block(2, proof.block)),
        2 => proof
            .nodes
            .first()
            .map(|node| Bytes::copy_from_slice(&node.to_bytes())),
        _ => Some(block(1, proof.block)),
    };
    (proof, value)
}

/// A writer and its reader against a list of blocks; now and then a commit is dropped, or cut off in the middle by the death
/// of the program.
pub fn feed_model(data: &[u8]) {
    let mut choices = Choices(data);
    let places = [MemoryFiles::default(), MemoryFiles::default()];
    let mut writer = Log::open(&places[0], None, 4).expect("nothing is there");
    let key = writer.feed.key();
    let mut reader = Log::open(&places[1], Some(key), 5).expect("nothing is there");
    let mut blocks: Vec<Bytes> = Vec::new();
    let mut fetched = BTreeSet::new();
    for _ in 0..60 {
        if choices.0.is_empty() {
            break;
        }
        let length = blocks.len() as u64;
        match choices.below(6) {
            0 | 1 => {
                let new: Vec<Bytes> = (0..choices.below(9))
                    .map(|_| vec![choices.byte(); choices.below(40) as usize].into())
                    .collect();
                let commit = writer.plan_append(new.clone());
                let ops = commit.batch().ops().len() as u64;
                match choices.below(4) {
                    // A first append that is cut off twice looks like a lost bitfield.
                    0 if length > 0 => {
                        let at = choices.below(ops + 1);
                        writer
                            .files
                            .commit(&cut(commit.batch(), at))
                            .expect("memory doesn't fail");
                        drop(writer);
                        writer = Log::open(&places[0], None, 4).expect("it was only cut off");
                        if writer.feed.length() > length {
                            // Blocks, tree and signature were there; the bits are made again from them.
                            blocks.extend(new);
                            assert_eq!(writer.feed.length(), blocks.len() as u64);
                            assert!(
                                writer.feed.bitfield().next_missing(length) >= blocks.len() as u64
                            );
                        }
                    }
                    1 => drop(commit),
                    _ => {
                        writer.commit(commit);
                        blocks.extend(new);
                    }
                }
            }
            2 | 3 if length > 0 => {
                let puts = (0..1 + choices.below(5)).map(|_| {
                    let (number, hash) = (choices.below(length), choices.below(4) == 0);
                    let request = ProofRequest {
                        block: number,
                        hash,
                        digest: digest(reader.feed.bitfield(), number),
                    };
                    let proof = writer
                        .answer(&mut RemoteTree::new(), &request)
                        .expect("it has all");
                    let value = (!hash).then(|| blocks[number as usize].clone());
                    match reader.accept(proof, value) {
                        Ok(put) => {
                            if !hash {
                                fetched.insert(number);
                            }
                            Some(put)
                        }
                        // The reader would have to ask for another hash first.
                        Err(PutError::Unproven { .. }) => {
                            assert!(number >= reader.feed.proving_blocks().end);
                            None
                        }
                        Err(error) => panic!("it is honest: {error}"),
                    }
                });
                let (commit, conflicts) = reader.feed.commit_puts(puts.flatten().collect());
                assert!(conflicts.is_empty());
                if choices.below(4) == 0 {
                    let at = choices.below(commit.batch().ops().len() as u64 + 1);
                    reader
                        .files
                        .commit(&cut(commit.batch(), at))
                        .expect("memory doesn't fail");
                    drop(reader);
                    reader = Log::open(&places[1], None, 5).expect("it was only cut off");
                    fetched = reader.has().into_iter().collect();
                } else {
                    reader.commit(commit);
                }
            }
            4 => {
                let number = choices.below(length + 2);
                assert_eq!(
                    writer.get(number).ok(),
                    blocks.get(number as usize).cloned()
                );
                let stored = fetched
                    .contains(&number)
                    .then(|| blocks[number as usize].clone());
                assert_eq!(reader.get(number).ok(), stored);
            }
            _ => {
                drop((writer, reader));
                writer = Log::open(&places[0], Some(key), 6).expect("it was whole");
                reader = Log::open(&places[1], Some(key), 6).expect("it was whole");
                // More may be found: blocks whose bits were cut off, or that match what was there before them.
                let has: BTreeSet<u64> = reader.has().into_iter().collect();
                assert!(has.is_superset(&fetched));
                fetched = has;
            }
        }
        assert_eq!(writer.feed.length(), blocks.len() as u64);
        let bytes: u64 = blocks.iter().map(|block| block.len() as u64).sum();
        assert_eq!(writer.feed.byte_length(), bytes);
        assert!(reader.has().iter().eq(&fetched));
    }
    for (number, block) in (0..).zip(&blocks) {
        assert_eq!(writer.get(number).as_ref(), Ok(block));
        let stored = fetched.contains(&number).then_some(block);
        assert_eq!(reader.get(number).as_ref().ok(), stored);
    }
}

/// The first changes of a batch.
fn cut(batch: &Batch, ops: u64) -> Batch {
    let mut part = Batch::new();
    for op in batch.ops().iter().take(ops as usize) {
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
