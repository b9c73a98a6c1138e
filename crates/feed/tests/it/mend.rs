//! Blocks that can't be read while a feed is in use: what is made good, what is forgotten, and that it can be fetched again.

use bitfield::RangeSet;
use hypercore_feed::{Event, MendStep, OpenOptions};
use merkle::RemoteTree;
use storage::{File, MemoryFiles};

use crate::world::{Log, bytes, contents, key_of, made_up, replace};

impl Log {
    /// Mends some blocks. Which are lost, and how many nodes were made again.
    pub(crate) fn mend(&mut self, blocks: &[u64]) -> (Vec<u64>, u64) {
        let mut set = RangeSet::default();
        for block in blocks {
            set.insert(*block..block + 1);
        }
        let mut step = self.feed.mend(&set).unwrap();
        let mended = loop {
            step = match step {
                MendStep::Read { mending, reads } => {
                    mending.step(&self.feed, &self.files.read(&reads).unwrap())
                }
                MendStep::Done(mended) => break mended,
            };
        };
        let lost = mended.lost.iter().flatten().collect();
        let nodes = mended.nodes;
        let told: Vec<Event> = self.commit(mended.commit);
        let runs = mended.lost.iter().map(|blocks| Event::Clear { blocks });
        assert!(runs.eq(told));
        (lost, nodes)
    }
}

fn author(length: u64) -> (Log, MemoryFiles) {
    let (mut log, files) = Log::writer(50);
    (0..length).for_each(|block| log.append([made_up(50, block)]));
    (log, files)
}

/// Turns a bit of a file round.
fn flip(files: &MemoryFiles, file: File, at: u64) {
    let mut content = bytes(files, file);
    content[at as usize] ^= 1;
    replace(files, file, &content);
}

fn start(block: u64) -> u64 {
    (0..block)
        .map(|block| made_up(50, block).len() as u64)
        .sum()
}

/// Where in the tree a node begins, and its size in it.
const NODE: u64 = 40;
const SIZE: u64 = 32;

#[test]
fn any_one_damaged_leaf_is_made_again_from_its_block() {
    // In each place among the subtrees, hash and size, zeroed, and cut off.
    for length in [2, 4, 6, 20, 21, 600] {
        let (log, files) = author(length);
        drop(log);
        let whole = contents(&files);
        let last = length - 1;
        let blocks: Vec<u64> = (0..length.min(21)).chain([last / 2, last]).collect();
        for block in blocks {
            let leaf = 32 + NODE * 2 * block;
            for at in [0, SIZE + 7, NODE] {
                let log = Log::open(files.clone(), OpenOptions::default());
                let mut log = log.unwrap();
                match at {
                    NODE => {
                        let mut tree = bytes(&files, File::Tree);
                        tree[leaf as usize..][..NODE as usize].fill(0);
                        replace(&files, File::Tree, &tree);
                    }
                    at => flip(&files, File::Tree, leaf + at),
                }
                // A last block that is a root is known without its leaf in the file.
                let root = log
                    .feed
                    .roots()
                    .node(flat_tree::Index::from_block(block))
                    .is_some();
                assert!(root || log.get(block).is_err());
                assert_eq!(
                    log.mend(&[block]),
                    (vec![], u64::from(!root)),
                    "{length}: {block}"
                );
                assert_eq!(log.get(block).unwrap(), made_up(50, block));
                let commit = log.feed.commit_close();
                commit.map(|commit| log.commit(commit));
                if !root {
                    assert!(contents(&files) == whole, "{length}: {block}");
                }
                replace(&files, File::Tree, &whole[File::Tree as usize]);
            }
        }
    }
}

#[test]
fn a_block_whose_bytes_are_bad_is_forgotten_and_fetched_again() {
    let (whole, _) = author(20);
    let (mut log, files) = author(20);
    flip(&files, File::Data, start(5));
    assert_eq!(log.mend(&[4, 5, 6]), (vec![5], 0));
    assert!(!log.feed.bitfield().has_block(5) && log.get(4).is_ok() && log.get(6).is_ok());
    log.fetch(&whole, &mut RemoteTree::new(), 5, false);
    assert_eq!(log.get(5).unwrap(), made_up(50, 5));
    assert!(log.audit(true).is_clean());
    // What isn't marked isn't looked at.
    assert_eq!(log.mend(&[20, 21, 1 << 40]), (vec![], 0));
}

#[test]
fn a_leaf_that_nothing_bears_out_is_forgotten_with_its_block() {
    let (whole, _) = author(20);
    let (mut log, files) = author(20);
    flip(&files, File::Data, start(5));
    flip(&files, File::Tree, 32 + NODE * 10);
    assert_eq!(log.mend(&[5]), (vec![5], 0));
    // With the bad leaf in its place the good block would be refused.
    log.fetch(&whole, &mut RemoteTree::new(), 5, false);
    assert_eq!(log.get(5).unwrap(), made_up(50, 5));
    assert!(log.audit(true).is_clean());
}

#[test]
fn parents_that_are_wrong_are_made_again() {
    let (mut log, files) = author(20);
    for node in [1, 3, 11] {
        flip(&files, File::Tree, 32 + NODE * node);
    }
    flip(&files, File::Tree, 32 + NODE * 7 + SIZE + 7);
    assert!(log.get(12).is_err());
    assert!(log.mend(&[12]).0.is_empty());
    assert_eq!(log.get(12).unwrap(), made_up(50, 12));
    let report = log.audit(true);
    assert!(report.is_clean(), "{report:?}");
}

#[test]
fn a_copy_with_gaps_keeps_what_it_has() {
    let (whole, _) = author(700);
    let (mut copy, files) = Log::reader(key_of(50));
    let mut remote = RemoteTree::new();
    for block in [7, 8, 300, 699, 650] {
        copy.fetch(&whole, &mut remote, block, false);
    }
    assert_eq!(copy.mend(&[7, 8, 9, 300, 650, 699]), (vec![], 0));
    flip(&files, File::Tree, 32 + NODE * 600);
    assert!(copy.get(300).is_err());
    assert_eq!(copy.mend(&[300]), (vec![], 1));
    assert_eq!(copy.get(300).unwrap(), made_up(50, 300));
}

#[test]
fn opening_that_makes_everything_anew_makes_leaves_as_well() {
    let (log, files) = author(37);
    drop(log);
    let whole = contents(&files);
    for block in [0, 3, 17, 36] {
        flip(&files, File::Tree, 32 + NODE * 2 * block + 3);
    }
    // The last one is a root: the signature has nothing else to stand for.
    flip(&files, File::Tree, 32 + NODE * 72 + 3);
    let options = OpenOptions {
        rebuild: true,
        ..OpenOptions::default()
    };
    let log = Log::open(files.clone(), options).unwrap();
    assert_eq!(log.feed.recovery().unwrap().nodes, 3);
    assert!(log.audit(true).is_clean());
    drop(log);
    assert!(contents(&files) == whole);
}
