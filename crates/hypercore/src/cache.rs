//! Nodes of the tree that were read lately.
//!
//! A node that is there never changes, and one that isn't there is never kept. Only when damage is mended is everything forgotten.

use bytes::{Bytes, BytesMut};
use feed::{GROUP, Group};
use merkle::Node;
use quick_cache::sync::Cache;
use storage::{File, FileSet, Read};

use crate::Result;

/// How many nodes of the tree are kept in memory. Each takes about 150 bytes, with what is kept of the places of blocks.
///
/// ```
/// # async_std::task::block_on(async {
/// use hypercore::{CacheConfig, Hypercore, Storage};
///
/// let small = Hypercore::builder(Storage::memory()).cache(CacheConfig::Entries(1000)).open().await?;
/// let none = Hypercore::builder(Storage::memory()).cache(CacheConfig::Disabled).open().await?;
/// # Ok::<_, hypercore::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheConfig {
    /// None.
    Disabled,
    /// So many, the ones used most. 65,536 by default, like JavaScript's `storageCacheSize`; zero is the same as
    /// [`Disabled`](Self::Disabled).
    Entries(usize),
}

impl Default for CacheConfig {
    fn default() -> Self {
        CacheConfig::Entries(65_536)
    }
}

/// Stands before the files when nodes are read.
pub(crate) struct NodeCache(Option<Caches>);

struct Caches {
    /// By their place in the file.
    nodes: Nodes,
    /// By their first block.
    groups: Cache<u64, Group>,
    /// Where groups begin in the data, of many more than are kept: then the nodes of a group are had in one read.
    starts: Cache<u64, u64>,
}

/// Nodes as they stand in the file, by their offset.
type Nodes = Cache<u64, [u8; Node::LEN]>;

impl NodeCache {
    pub(crate) fn new(config: CacheConfig) -> Self {
        NodeCache(match config {
            CacheConfig::Disabled | CacheConfig::Entries(0) => None,
            CacheConfig::Entries(entries) => Some(Caches {
                nodes: Cache::new(entries),
                // Half as many nodes.
                groups: Cache::new(entries.div_ceil(4 * GROUP as usize)),
                starts: Cache::new(entries.div_ceil(2)),
            }),
        })
    }

    pub(crate) fn clear(&self) {
        if let Some(caches) = &self.0 {
            caches.nodes.clear();
            caches.groups.clear();
            caches.starts.clear();
        }
    }

    /// The group of a block, if it is kept. It may lack what was stored since.
    pub(crate) fn group(&self, block: u64) -> Option<Group> {
        self.0.as_ref()?.groups.get(&(block - block % GROUP))
    }

    /// Where the group of a block begins, if that is kept.
    pub(crate) fn start(&self, block: u64) -> Option<u64> {
        self.0.as_ref()?.starts.get(&(block - block % GROUP))
    }

    pub(crate) fn keep(&self, group: Group) {
        if let Some(caches) = &self.0 {
            caches.starts.insert(group.first(), group.start());
            caches.groups.insert(group.first(), group);
        }
    }

    /// The answers to a read list, as [`FileSet::read`] gives them.
    pub(crate) fn read(&self, files: &FileSet, reads: &[Read]) -> Result<Vec<Bytes>> {
        let Some(Caches { nodes: cache, .. }) = &self.0 else {
            return Ok(files.read(reads)?);
        };
        // All that is known in one piece of memory.
        let mut known = BytesMut::new();
        let mut missing = Vec::new();
        let mut is_known = Vec::with_capacity(reads.len());
        for read in reads {
            let node = is_node(read).then(|| cache.get(&read.offset)).flatten();
            is_known.push(node.is_some());
            match node {
                Some(node) => known.extend_from_slice(&node),
                None => missing.push(*read),
            }
        }
        let mut known = known.freeze();
        let mut found = match missing.is_empty() {
            true => Vec::new(),
            false => files.read(&missing)?,
        }
        .into_iter();
        let replies = reads.iter().zip(is_known).map(|(read, is_known)| {
            if is_known {
                return known.split_to(Node::LEN);
            }
            let bytes = found.next().unwrap_or_default();
            if is_node(read) {
                learn(cache, read.offset, &bytes);
            }
            bytes
        });
        Ok(replies.collect())
    }

    /// Keeps nodes that were just written, by their offset: those that peers send are needed for the next proofs.
    pub(crate) fn learn(&self, nodes: impl Iterator<Item = (u64, [u8; Node::LEN])>) {
        if let Some(Caches { nodes: cache, .. }) = &self.0 {
            nodes.for_each(|(offset, node)| cache.insert(offset, node));
        }
    }
}

/// Keeps a node, if that is what these bytes are.
fn learn(cache: &Nodes, offset: u64, bytes: &[u8]) {
    if let Ok(node) = <[u8; Node::LEN]>::try_from(bytes)
        && node != [0; Node::LEN]
    {
        cache.insert(offset, node);
    }
}

fn is_node(read: &Read) -> bool {
    read.file == File::Tree && read.len == Node::LEN
}
