//! Appending, putting, getting and proving over files in memory: all that a block costs besides the disk and the wire.

#![allow(clippy::unwrap_used)]

use std::{hint::black_box, ops::Range};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use crypto::{PublicKey, Verified};
use hypercore_feed::{AuditReport, AuditStep, Feed, OpenOptions, Opening, Put, SeekStep, Step};
use merkle::{Proof, ProofRequest, RemoteTree};
use storage::{FileSet, MemoryFiles};

/// How many blocks a batch has.
const BATCH: u64 = 1000;

/// How many puts are committed together, about what arrives in one turn of a connection.
const TURN: usize = 50;

struct Log {
    files: FileSet,
    feed: Feed,
}

impl Log {
    fn open(key: Option<PublicKey>) -> Self {
        let files = FileSet::open(Box::new(MemoryFiles::default())).unwrap();
        let options = OpenOptions {
            key,
            seed: [7; 32],
            ..OpenOptions::default()
        };
        let mut step = Opening::new(options).step(vec![]).unwrap();
        loop {
            step = match step {
                Step::Read { opening, reads } => opening.step(files.read(&reads).unwrap()),
                Step::Commit { opening, batch } => {
                    files.commit(&batch).unwrap();
                    opening.step(vec![])
                }
                Step::Done(feed) => return Log { files, feed: *feed },
            }
            .unwrap();
        }
    }

    /// A writer that has a batch of blocks already.
    fn writer() -> Self {
        let mut log = Log::open(None);
        log.append(blocks(BATCH));
        log
    }

    fn append(&mut self, blocks: Vec<Bytes>) {
        let plan = self.feed.plan_append(blocks).unwrap();
        let commit = plan.sign(&self.feed).unwrap();
        self.files.commit(commit.batch()).unwrap();
        self.feed.apply(commit);
    }

    fn get(&self, block: u64) -> Bytes {
        let plan = self.feed.plan_get(block).unwrap();
        let place = plan
            .locate(&self.files.read(plan.reads()).unwrap())
            .unwrap();
        let bytes = self.files.read(&[place.read()]).unwrap().remove(0);
        place.finish(bytes).unwrap()
    }

    fn get_range(&self, blocks: Range<u64>) -> Vec<Bytes> {
        let plan = self.feed.plan_get_range(blocks).unwrap();
        let place = plan
            .locate(&self.files.read(plan.reads()).unwrap())
            .unwrap();
        let bytes = self.files.read(&[place.read()]).unwrap().remove(0);
        place.finish(bytes).unwrap()
    }

    fn seek(&self, byte: u64) -> (u64, u64) {
        let mut step = self.feed.seek(byte).unwrap();
        loop {
            step = match step {
                SeekStep::Read { seeking, reads } => seeking
                    .step(&self.feed, &self.files.read(&reads).unwrap())
                    .unwrap(),
                SeekStep::Found { block, offset } => return (block, offset),
                SeekStep::Unknown { .. } => unreachable!("all hashes are stored"),
            };
        }
    }

    fn audit(&self, deep: bool) -> AuditReport {
        let mut step = match deep {
            true => self.feed.deep_audit(),
            false => self.feed.audit(),
        };
        loop {
            step = match step {
                AuditStep::Read { auditing, reads } => {
                    auditing.step(&self.feed, &self.files.read(&reads).unwrap())
                }
                AuditStep::Done(report) => return report,
            };
        }
    }

    fn prove(&self, remote: &mut RemoteTree, block: u64, digest: u64) -> Proof {
        let request = ProofRequest {
            block,
            hash: false,
            digest,
        };
        let plan = self.feed.plan_proof(&request, remote).unwrap();
        plan.finish(&self.files.read(plan.reads()).unwrap())
            .unwrap()
    }

    /// Checks a block; the signature is verified once, as the facade does.
    fn accept(&self, proof: Proof, value: Bytes, known: &mut Option<Verified>) -> Put {
        let plan = self.feed.plan_put(proof, Some(value)).unwrap();
        let replies = self.files.read(plan.reads()).unwrap();
        let check = plan.check(&replies).unwrap();
        if let (Some((signable, Some(signature))), None) = (check.signable(), &known) {
            *known = Some(self.feed.key().verify(signable, signature).unwrap());
        }
        check.accept(known.as_ref()).unwrap()
    }
}

fn blocks(count: u64) -> Vec<Bytes> {
    let block = |n| Bytes::from(vec![n as u8; 100]);
    (0..count).map(block).collect()
}

fn append(c: &mut Criterion) {
    let mut group = c.benchmark_group("append");
    for count in [1, BATCH] {
        let blocks = blocks(count);
        group.throughput(Throughput::Elements(count));
        group.bench_function(format!("{count} of 100 bytes"), |b| {
            b.iter_batched_ref(
                Log::writer,
                |log| log.append(blocks.clone()),
                BatchSize::LargeInput,
            );
        });
    }
    // The signature apart, which costs more than all else.
    let log = Log::writer();
    let blocks = blocks(BATCH);
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function(format!("plan {BATCH} of 100 bytes"), |b| {
        b.iter(|| black_box(log.feed.plan_append(blocks.clone()).unwrap()));
    });
    group.finish();
}

fn put(c: &mut Criterion) {
    let writer = Log::writer();
    let mut remote = RemoteTree::new();
    // The proofs that a reader gets who fetches everything in order.
    let mut reader = Log::open(Some(writer.feed.key()));
    let mut known = None;
    let answers: Vec<(Proof, Bytes)> = (0..BATCH)
        .map(|block| {
            let digest = merkle::digest(reader.feed.bitfield(), block);
            let answer = (writer.prove(&mut remote, block, digest), writer.get(block));
            let put = reader.accept(answer.0.clone(), answer.1.clone(), &mut known);
            let (commit, _) = reader.feed.commit_puts(vec![put]);
            reader.files.commit(commit.batch()).unwrap();
            reader.feed.apply(commit);
            answer
        })
        .collect();
    // The same of a reader that asks for a turn's worth at once, so that nothing is left out for what is on its way.
    let wide: Vec<(Proof, Bytes)> = (0..BATCH)
        .map(|block| {
            (
                writer.prove(&mut RemoteTree::new(), block, 0),
                writer.get(block),
            )
        })
        .collect();

    let mut group = c.benchmark_group("put");
    group.throughput(Throughput::Elements(BATCH));
    for (name, answers, turn) in [("one by one", &answers, 1), ("many together", &wide, TURN)] {
        group.bench_function(format!("{BATCH} in order, {name}"), |b| {
            b.iter_batched_ref(
                || Log::open(Some(writer.feed.key())),
                |reader| {
                    let mut known = None;
                    for turn in answers.chunks(turn) {
                        let puts = turn.iter().map(|(proof, value)| {
                            reader.accept(proof.clone(), value.clone(), &mut known)
                        });
                        let puts = puts.collect();
                        let (commit, _) = reader.feed.commit_puts(puts);
                        reader.files.commit(commit.batch()).unwrap();
                        reader.feed.apply(commit);
                    }
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn read(c: &mut Criterion) {
    let log = Log::writer();
    let mut block = 0;
    let mut next = move || {
        block = (block + 377) % BATCH;
        block
    };
    c.bench_function("get", |b| b.iter(|| black_box(log.get(next()))));
    c.bench_function("prove to one that has nothing", |b| {
        b.iter(|| black_box(log.prove(&mut RemoteTree::new(), next(), 0)));
    });
}

fn many(c: &mut Criterion) {
    let log = Log::writer();
    let mut group = c.benchmark_group("blocks of 100 bytes");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function(format!("get {BATCH} one by one"), |b| {
        b.iter(|| (0..BATCH).for_each(|block| drop(black_box(log.get(block)))));
    });
    group.bench_function(format!("get {BATCH} as a range"), |b| {
        b.iter(|| black_box(log.get_range(0..BATCH)));
    });
    group.bench_function(format!("audit {BATCH}"), |b| {
        b.iter(|| black_box(log.audit(false)));
    });
    group.bench_function(format!("audit {BATCH} deeply"), |b| {
        b.iter(|| black_box(log.audit(true)));
    });
    group.finish();
}

fn seek(c: &mut Criterion) {
    let mut group = c.benchmark_group("seek among blocks");
    for length in [1u64 << 10, 1 << 17] {
        let mut log = Log::open(None);
        log.append(vec![Bytes::from_static(&[7; 10]); length as usize]);
        let mut byte = 0;
        group.bench_function(length.to_string(), |b| {
            b.iter(|| {
                byte = (byte + 7_654_321) % (10 * length);
                black_box(log.seek(byte))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, append, put, read, many, seek);
criterion_main!(benches);
