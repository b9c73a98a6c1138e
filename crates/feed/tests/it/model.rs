//! A writer and its reader against a plain list of blocks, through random histories.

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
        4 => (any::<u64>(), any::<bool>()).prop_map(|(block, hash)| Op::Fetch(block, hash)),
        2 => prop::collection::vec(any::<u64>(), 1..10).prop_map(Op::FetchMany),
        1 => Just(Op::Disconnect),
        1 => Just(Op::ReopenWriter),
        1 => Just(Op::ReopenReader),
    ]
}

struct World {
    blocks: Vec<Bytes>,
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
                let expected = self.blocks.get(block as usize).cloned();
                let missing = Error::OutOfRange { block, length };
                assert_eq!(self.writer.get(block), expected.ok_or(missing));
                self.check_reader(block);
            }
            Op::Fetch(block, hash) if length > 0 => {
                let block = block % length;
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
            Op::FetchMany(blocks) if length > 0 => {
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

    fn check(&self) {
        let bytes = |blocks: &[Bytes]| blocks.iter().map(|block| block.len() as u64).sum::<u64>();
        let (writer, reader) = (&self.writer.feed, &self.reader.feed);
        assert_eq!(writer.length(), self.blocks.len() as u64);
        assert_eq!(writer.byte_length(), bytes(&self.blocks));
        assert!(writer.bitfield().has_blocks(0..writer.length()));
        assert_eq!(reader.length(), self.known);
        assert_eq!(
            reader.byte_length(),
            bytes(&self.blocks[..self.known as usize])
        );
        let fetched = (0..).zip(&self.fetched).filter(|(_, fetched)| **fetched);
        assert!(fetched.map(|(block, _)| block).eq(self.reader.has()));
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
            assert_eq!(world.writer.get(block), Ok(world.blocks[block as usize].clone()));
            world.check_reader(block);
        }
    }
}
