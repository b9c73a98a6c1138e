//! Nodes of the tree that were read lately.
//!
//! A node that is there never changes, and one that isn't there is never kept. Only when damage is mended is everything forgotten.

use bytes::Bytes;
use feed::node_read;
use flat_tree::Index;
use merkle::Node;
use quick_cache::sync::Cache;
use storage::{File, FileSet, Read};

use crate::Result;

/// How many nodes of the tree are kept in memory. Each takes about 100 bytes.
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
pub(crate) struct NodeCache(Option<Cache<u64, [u8; Node::LEN]>>);

impl NodeCache {
    pub(crate) fn new(config: CacheConfig) -> Self {
        NodeCache(match config {
            CacheConfig::Disabled | CacheConfig::Entries(0) => None,
            CacheConfig::Entries(entries) => Some(Cache::new(entries)),
        })
    }

    pub(crate) fn clear(&self) {
        if let Some(cache) = &self.0 {
            cache.clear();
        }
    }

    /// A node, if it is kept here.
    pub(crate) fn get(&self, index: Index) -> Option<Node> {
        let bytes = self.0.as_ref()?.get(&node_read(index).offset)?;
        Node::from_bytes(index, &bytes)
    }

    /// The answers to a read list, as [`FileSet::read`] gives them.
    pub(crate) fn read(&self, files: &FileSet, reads: &[Read]) -> Result<Vec<Bytes>> {
        let Some(cache) = &self.0 else {
            return Ok(files.read(reads)?);
        };
        let mut replies: Vec<Bytes> = Vec::with_capacity(reads.len());
        let mut missing = Vec::new();
        for read in reads {
            let known = is_node(read).then(|| cache.get(&read.offset)).flatten();
            if known.is_none() {
                missing.push(*read);
            }
            // An empty reply keeps the place of one that has to be read.
            replies.push(known.map_or(Bytes::new(), |node| Bytes::copy_from_slice(&node)));
        }
        if missing.is_empty() {
            return Ok(replies);
        }
        let mut found = missing.iter().zip(files.read(&missing)?);
        for reply in replies.iter_mut().filter(|reply| reply.is_empty()) {
            let Some((read, bytes)) = found.next() else {
                break;
            };
            if is_node(read)
                && let Ok(node) = <[u8; Node::LEN]>::try_from(&bytes[..])
                && node != [0; Node::LEN]
            {
                cache.insert(read.offset, node);
            }
            *reply = bytes;
        }
        Ok(replies)
    }
}

fn is_node(read: &Read) -> bool {
    read.file == File::Tree && read.len == Node::LEN
}
