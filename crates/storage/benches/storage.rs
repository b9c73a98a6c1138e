//! The trips a feed makes: the nodes of a proof, a block, and a batch of appended blocks; in memory and on disk. And the ways to
//! read bytes that the system has in its cache.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hypercore_storage::{Batch, Directory, File, FileSet, MemoryFiles, Read};
use tempfile::TempDir;

const BLOCKS: u64 = 4096;
const BLOCK: usize = 1024;

struct Worlds {
    memory: FileSet,
    disk: FileSet,
    _folder: TempDir,
}

impl Worlds {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room for a directory");
        let memory = FileSet::open(Box::new(MemoryFiles::default()));
        let disk = FileSet::open(Box::new(Directory::new(folder.path())));
        let worlds = Worlds {
            memory: memory.expect("memory opens"),
            disk: disk.expect("an empty directory opens"),
            _folder: folder,
        };
        for (_, set) in worlds.each() {
            let mut batch = Batch::new();
            batch.write(File::Tree, 32, Bytes::from(vec![7; 80 * BLOCKS as usize]));
            let blocks = vec![7; BLOCK * BLOCKS as usize];
            batch.write(File::Data, 0, Bytes::from(blocks));
            set.commit(&batch).expect("there is room");
        }
        worlds
    }

    fn each(&self) -> [(&'static str, &FileSet); 2] {
        [("memory", &self.memory), ("disk", &self.disk)]
    }
}

/// Siblings on the way up: pairs that lie close at the bottom, far apart further up.
fn nodes_of_a_proof() -> Vec<Read> {
    (0..12)
        .map(|depth| Read {
            file: File::Tree,
            offset: 32 + 40 * ((1 << depth) - 1),
            len: 40,
        })
        .collect()
}

fn reads(c: &mut Criterion) {
    let worlds = Worlds::new();
    let nodes = nodes_of_a_proof();
    let block = [Read {
        file: File::Data,
        offset: 2048 * BLOCK as u64,
        len: BLOCK,
    }];
    for (name, set) in worlds.each() {
        c.bench_function(&format!("read 12 nodes of a proof, {name}"), |b| {
            b.iter(|| set.read(black_box(&nodes)));
        });
        c.bench_function(&format!("read a block of 1 KiB, {name}"), |b| {
            b.iter(|| set.read(black_box(&block)));
        });
    }
}

fn writes(c: &mut Criterion) {
    let worlds = Worlds::new();
    let mut group = c.benchmark_group("append 100 blocks of 1 KiB");
    group.throughput(Throughput::Bytes(100 * BLOCK as u64));
    for (name, set) in worlds.each() {
        let mut batch = Batch::new();
        let block = Bytes::from(vec![7; BLOCK]);
        batch.write_parts(File::Data, 0, vec![block; 100]);
        batch.write(File::Tree, 32, Bytes::from(vec![7; 40 * 199]));
        batch.write(File::Signatures, 32, Bytes::from(vec![7; 64]));
        batch.barrier();
        batch.write(File::Bitfield, 32, Bytes::from(vec![7; 3584]));
        group.bench_function(name, |b| b.iter(|| set.commit(black_box(&batch))));
    }
}

/// One piece of a file that the system has in its cache, by each way to have it read.
#[cfg(target_os = "linux")]
fn cached(c: &mut Criterion) {
    use std::{fs, io::IoSliceMut};

    use hypercore_storage::{Disk, RandomAccess};
    use rustix::io::{ReadWriteFlags, preadv2};

    let folder = tempfile::tempdir().expect("there is room for a directory");
    let path = folder.path().join("data");
    let disk = Disk::new(&path);
    disk.write(0, &[&vec![7; 16 << 20]]).expect("there is room");
    let file = fs::File::open(&path).expect("it was made");
    let mut group = c.benchmark_group("cached");
    for len in [100, 4096, 64 * 1024] {
        group.throughput(Throughput::Bytes(len as u64));
        let mut at = 0;
        let mut next = move || {
            at = (at + 0x9e_3779) % ((16 << 20) - 64 * 1024);
            at
        };
        group.bench_function(format!("pread, {len} B"), |b| {
            b.iter(|| disk.read_vec(next(), len));
        });
        let mut out = vec![0; len];
        group.bench_function(format!("pread into the same buffer, {len} B"), |b| {
            b.iter(|| disk.read(next(), &mut out));
        });
        group.bench_function(format!("preadv2 with RWF_NOWAIT, the same, {len} B"), |b| {
            b.iter(|| {
                let parts = &mut [IoSliceMut::new(&mut out)];
                preadv2(&file, parts, next(), ReadWriteFlags::NOWAIT)
            });
        });
        #[cfg(feature = "mmap")]
        {
            let mapped = hypercore_storage::Mapped::new(Disk::new(&path));
            group.bench_function(format!("map, {len} B"), |b| {
                b.iter(|| mapped.read_vec(next(), len));
            });
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn cached(_: &mut Criterion) {}

criterion_group!(benches, reads, writes, cached);
criterion_main!(benches);
