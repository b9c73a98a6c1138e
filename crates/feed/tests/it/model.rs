//! A writer and its reader against a plain list of blocks, through random histories.

use std::collections::BTreeSet;

use bytes::Bytes;
use hypercore_feed::Error;
use merkle::{ProofRequest, RemoteTree, digest};
use proptest::prelude::*;
use storage::MemoryFiles;

use crate::world::{Log, key_of, seeded, with_key};

#[derive(Clone, Debug)]
enum Op {
    /// Appends blocks of these sizes in one go.
    Append(Vec<usize>),
    Get(u64),
    /// Reads a range of the writer's, from a place on and so many blocks.
    GetRange(u64, u64),
    /// Finds a byte, in both.
    Seek(u64),
    /// Clears a range, of the writer or of the reader.
    Clear(bool, u64, u64),
    /// The reader fetches a block, or its hash.
    Fetch(u64, bool),
    /// The reader fetches several blocks and stores them together.
    FetchMany(Vec<u64>),
    /// The connection breaks: the writer forgets what it knows of the reader.
    Disconnect,
    ReopenWriter,
    ReopenReader,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => prop::collection::vec(0..40usize, 0..12).prop_map(Op::Append),
        2 => any::<u64>().prop_map(Op::Get),
        1 => (any::<u64>(), 0..20u64).prop_map(|(start, count)| Op::GetRange(start, count)),
        1 => any::<u64>().prop_map(Op::Seek),
        1 => (any::<bool>(), any::<u64>(), 0..9u64)
            .prop_map(|(writer, start, count)| Op::Clear(writer, start, count)),
        4 => (any::<u64>(), any::<bool>()).prop_map(|(block, hash)| Op::Fetch(block, hash)),
        2 => prop::collection::vec(any::<u64>(), 1..10).prop_map(Op::FetchMany),
        1 => Just(Op::Disconnect),
        1 => Just(Op::ReopenWriter),
        1 => Just(Op::ReopenReader),
    ]
}

struct World {
    blocks: Vec<Bytes>,
    /// Which of them the writer has cleared.
    cleared: BTreeSet<u64>,
    /// How many of them the reader knows of, and which it has.
    known: u64,
    fetched: Vec<bool>,
    writer: Log,
    reader: Log,
    remote: RemoteTree,
    files: [MemoryFiles; 2],
}

impl World {
    fn new() -> Self {
        let (writer, written) = Log::writer(1);
        let (reader, read) = Log::reader(key_of(1));
        World {
            blocks: vec![],
            cleared: BTreeSet::new(),
            known: 0,
            fetched: vec![],
            writer,
            reader,
            remote: RemoteTree::new(),
            files: [written, read],
        }
    }

    fn play(&mut self, op: Op) {
        let length = self.blocks.len() as u64;
        match op {
            Op::Append(sizes) => {
                let new = (length..)
                    .zip(sizes)
                    .map(|(block, size)| vec![block as u8; size]);
                let new: Vec<Bytes> = new.map(Bytes::from).collect();
                self.fetched.resize(self.blocks.len() + new.len(), false);
                self.blocks.extend(new.iter().cloned());
                self.writer.append(new);
            }
            Op::Get(block) => {
                // Now and then beyond the end.
                let block = block % (length + 2);
                self.check_writer(block);
                self.check_reader(block);
            }
            Op::GetRange(start, count) => {
                let start = start % (length + 1);
                let range = start..(start + count).min(length);
                let expected = match range.clone().find(|block| self.cleared.contains(block)) {
                    Some(block) => Err(Error::NotStored { block }),
                    None => Ok(self.blocks[start as usize..range.end as usize].to_vec()),
                };
                let blocks = self.writer.get_range(range).map(|(blocks, _)| blocks);
                assert_eq!(blocks, expected);
            }
            Op::Seek(byte) => self.check_seek(byte),
            Op::Clear(of_writer, start, count) => {
                let start = start % (length + 1);
                match of_writer {
                    true => {
                        self.writer.clear(start..start + count).unwrap();
                        self.cleared.extend(start..(start + count).min(length));
                    }
                    false => {
                        self.reader.clear(start..start + count).unwrap();
                        let end = (start + count).min(length);
                        self.fetched[start as usize..end as usize].fill(false);
                    }
                }
            }
            Op::Fetch(block, hash) if length > 0 => {
                let block = block % length;
                if self.cleared.contains(&block) && !hash {
                    return;
                }
                self.catch_up(block);
                let known = self
                    .reader
                    .feed
                    .bitfield()
                    .has_node(flat_tree::Index::from_block(block));
                self.reader
                    .fetch(&self.writer, &mut self.remote, block, hash);
                // What hangs off a known node says nothing of the length.
                if !known {
                    self.known = self.reader.length().max(self.known);
                    assert!(self.known > block);
                }
                self.fetched[block as usize] |= !hash;
            }
            Op::FetchMany(mut blocks) if length > 0 => {
                blocks.retain(|block| !self.cleared.contains(&(block % length)));
                if let Some(furthest) = blocks.iter().map(|block| block % length).max() {
                    self.catch_up(furthest);
                }
                let puts = blocks.iter().map(|block| {
                    let request = ProofRequest {
                        block: block % length,
                        hash: false,
                        digest: digest(self.reader.feed.bitfield(), block % length),
                    };
                    // Asked all at once: none of the answers is known to have arrived when the next is made.
                    let answer = self.writer.answer(&request, &mut RemoteTree::new());
                    let (proof, value) = answer.unwrap();
                    self.reader.accept(proof, value).unwrap()
                });
                let (commit, conflicts) = self.reader.feed.commit_puts(puts.collect());
                assert!(conflicts.is_empty());
                self.reader.commit(commit);
                self.known = self.reader.length().max(self.known);
                for block in blocks {
                    self.fetched[(block % length) as usize] = true;
                }
            }
            Op::Fetch(..) | Op::FetchMany(_) => {}
            Op::Disconnect => self.remote = RemoteTree::new(),
            Op::ReopenWriter => {
                let (closed, _) = Log::writer(2);
                drop(std::mem::replace(&mut self.writer, closed));
                self.writer = Log::open(self.files[0].clone(), seeded(9)).unwrap();
                assert_eq!(self.writer.written, 0);
            }
            Op::ReopenReader => {
                let (closed, _) = Log::writer(2);
                drop(std::mem::replace(&mut self.reader, closed));
                self.reader = Log::open(self.files[1].clone(), with_key(key_of(1))).unwrap();
                assert_eq!(self.reader.written, 0);
            }
        }
        self.check();
    }

    /// Makes the reader know a feed that has a block, if that takes a proof that it has grown.
    fn catch_up(&mut self, block: u64) {
        let reader = &mut self.reader;
        if block >= reader.feed.proving_blocks().end {
            reader.fetch(&self.writer, &mut self.remote, reader.length(), true);
            assert!(reader.length() > block);
            self.known = reader.length();
        }
    }

    fn check(&self) {
        let bytes = |blocks: &[Bytes]| blocks.iter().map(|block| block.len() as u64).sum::<u64>();
        let (writer, reader) = (&self.writer.feed, &self.reader.feed);
        assert_eq!(writer.length(), self.blocks.len() as u64);
        assert_eq!(writer.byte_length(), bytes(&self.blocks));
        let cleared = |block: &u64| !self.cleared.contains(block);
        assert!((0..writer.length()).filter(cleared).eq(self.writer.has()));
        assert_eq!(reader.length(), self.known);
        assert_eq!(
            reader.byte_length(),
            bytes(&self.blocks[..self.known as usize])
        );
        let fetched = (0..).zip(&self.fetched).filter(|(_, fetched)| **fetched);
        assert!(fetched.map(|(block, _)| block).eq(self.reader.has()));
    }

    fn check_writer(&self, block: u64) {
        let length = self.blocks.len() as u64;
        let expected = match self.blocks.get(block as usize) {
            Some(_) if self.cleared.contains(&block) => Err(Error::NotStored { block }),
            Some(bytes) => Ok(bytes.clone()),
            None => Err(Error::OutOfRange { block, length }),
        };
        assert_eq!(self.writer.get(block), expected);
    }

    fn check_seek(&self, byte: u64) {
        let byte = byte % (self.writer.feed.byte_length() + 1);
        let mut rest = byte as usize;
        let mut expected = (self.blocks.len() as u64, 0);
        for (number, block) in (0..).zip(&self.blocks) {
            if rest < block.len() || byte == 0 {
                expected = (number, rest as u64);
                break;
            }
            rest -= block.len();
        }
        assert_eq!(self.writer.seek(byte), Ok(Ok(expected)));
        let byte_length = self.reader.feed.byte_length();
        match self.reader.seek(byte) {
            Ok(Ok(found)) if byte < byte_length || byte == 0 => assert_eq!(found, expected),
            Ok(Ok(found)) => assert_eq!((byte, found), (byte_length, (self.known, 0))),
            Ok(Err(within)) => assert!(within.contains(&expected.0) && within.end <= self.known),
            Err(error) => assert_eq!(error, Error::BeyondEnd { byte, byte_length }),
        }
    }

    fn check_reader(&self, block: u64) {
        let expected = match self.fetched.get(block as usize) {
            Some(true) => Ok(self.blocks[block as usize].clone()),
            _ if block < self.known => Err(Error::NotStored { block }),
            _ => Err(Error::OutOfRange {
                block,
                length: self.known,
            }),
        };
        assert_eq!(self.reader.get(block), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn behaves_like_a_list_of_blocks(ops in prop::collection::vec(op(), 1..40)) {
        let mut world = World::new();
        for op in ops {
            world.play(op);
        }
        for block in 0..world.blocks.len() as u64 {
            world.check_writer(block);
            world.check_reader(block);
        }
    }
}
