//! Reading a block: where it begins follows from the sizes of the roots before it, and what is read must match its hash. Who
//! reads many blocks keeps [groups](crate::Group) of them.

use alloc::vec::Vec;

use bytes::Bytes;
use crypto::{Hash, leaf_hash, leaf_hashes};
use flat_tree::{Index, full_roots};
use merkle::Node;
use storage::{File, Read};

use crate::{
    Damage, Error, Feed,
    layout::{NodeReads, Nodes},
};

/// A block that is to be read: the nodes that tell where it is.
#[derive(Debug)]
pub struct GetPlan {
    block: u64,
    nodes: NodeReads,
    byte_length: u64,
}

/// Several blocks that are to be read: the nodes that tell where they are.
#[derive(Debug)]
pub struct GetPlans {
    blocks: Vec<Result<u64, Error>>,
    nodes: NodeReads,
    byte_length: u64,
}

impl Feed {
    /// Plans to read a block.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::NotStored`].
    pub fn plan_get(&self, block: u64) -> Result<GetPlan, Error> {
        self.check_stored(block)?;
        Ok(GetPlan {
            block,
            nodes: NodeReads::new(placing(block), &self.roots),
            byte_length: self.byte_length(),
        })
    }

    /// Plans to read several blocks, wherever they are. What [`plan_get`](Self::plan_get) says to one of them
    /// [`GetPlans::locate`] tells.
    pub fn plan_gets(&self, blocks: impl IntoIterator<Item = u64>) -> GetPlans {
        let blocks = blocks.into_iter();
        let blocks: Vec<_> = blocks
            .map(|block| self.check_stored(block).map(|()| block))
            .collect();
        let wanted = blocks.iter().flatten().flat_map(|block| placing(*block));
        GetPlans {
            nodes: NodeReads::new(wanted, &self.roots),
            blocks,
            byte_length: self.byte_length(),
        }
    }

    fn check_stored(&self, block: u64) -> Result<(), Error> {
        self.check_block(block)?;
        match self.bitfield.has_block(block) {
            true => Ok(()),
            false => Err(Error::NotStored { block }),
        }
    }
}

impl GetPlan {
    /// What has to be read first.
    pub fn reads(&self) -> &[Read] {
        self.nodes.reads()
    }

    /// Finds the place of the block.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a node isn't there, or a size can't be right.
    pub fn locate(&self, replies: &[Bytes]) -> Result<BlockRead, Error> {
        let nodes = self.nodes.parse(replies)?;
        locate(self.block, &nodes, self.byte_length)
    }
}

impl GetPlans {
    /// What has to be read first.
    pub fn reads(&self) -> &[Read] {
        self.nodes.reads()
    }

    /// Finds the place of each block, in their order, with the errors of [`plan_get`](Feed::plan_get) and [`GetPlan::locate`].
    pub fn locate(&self, replies: &[Bytes]) -> Vec<Result<BlockRead, Error>> {
        let nodes = self.nodes.parse_each(replies);
        let blocks = self.blocks.iter();
        blocks
            .map(|block| locate((*block)?, &nodes, self.byte_length))
            .collect()
    }
}

/// The nodes that tell where a block is.
fn placing(block: u64) -> impl Iterator<Item = Index> {
    full_roots(block).chain([Index::from_block(block)])
}

fn locate(block: u64, nodes: &Nodes, byte_length: u64) -> Result<BlockRead, Error> {
    let offset = offset(block, |index| nodes.get(index))?;
    let leaf = *nodes.must_get(Index::from_block(block))?;
    BlockRead::new(offset, leaf, byte_length)
}

/// A block whose place is known.
#[derive(Clone, Copy, Debug)]
pub struct BlockRead {
    offset: u64,
    leaf: Node,
}

impl BlockRead {
    /// The roots are signed, a leaf in the file may be damaged: nothing is read, or allocated, beyond what was signed.
    pub(crate) fn new(offset: u64, leaf: Node, byte_length: u64) -> Result<Self, Error> {
        match add(offset, leaf.size)? <= byte_length {
            true => Ok(BlockRead { offset, leaf }),
            false => Err(Error::corrupt(File::Tree, Damage::Size)),
        }
    }

    /// Where the block is.
    pub fn read(&self) -> Read {
        Read {
            file: File::Data,
            offset: self.offset,
            // On a machine that can't hold it the read comes back short.
            len: usize::try_from(self.leaf.size).unwrap_or(usize::MAX),
        }
    }

    /// The block, if it is what the tree says.
    ///
    /// # Errors
    /// [`Error::Corrupt`]: wrong bytes are never returned.
    pub fn finish(&self, bytes: Bytes) -> Result<Bytes, Error> {
        let hash = leaf_hash(&bytes);
        self.compare(bytes, hash)
    }

    /// The blocks that were read at these places, in the same order, each if it is what the tree says, with the errors of
    /// [`finish`](Self::finish). They are hashed several at a time.
    pub fn finish_all(places: &[BlockRead], bytes: Vec<Bytes>) -> Vec<Result<Bytes, Error>> {
        let hashes = leaf_hashes(bytes.iter().map(|bytes| &bytes[..]));
        let read = places.iter().zip(bytes.into_iter().zip(hashes));
        read.map(|(place, (bytes, hash))| place.compare(bytes, hash))
            .collect()
    }

    fn compare(&self, bytes: Bytes, hash: Hash) -> Result<Bytes, Error> {
        if bytes.len() as u64 != self.leaf.size {
            return Err(Error::corrupt(File::Data, Damage::Short));
        }
        if hash != self.leaf.hash {
            return Err(Error::corrupt(File::Data, Damage::WrongBlock));
        }
        Ok(bytes)
    }
}

/// Where a block begins in the data: behind everything below the roots of its length.
pub(crate) fn offset<'a>(
    block: u64,
    find: impl Fn(Index) -> Option<&'a Node>,
) -> Result<u64, Error> {
    full_roots(block).try_fold(0u64, |offset, root| {
        let node = find(root).ok_or(Error::corrupt(File::Tree, Damage::MissingNode))?;
        add(offset, node.size)
    })
}

pub(crate) fn add(offset: u64, size: u64) -> Result<u64, Error> {
    let sum = offset.checked_add(size);
    sum.ok_or(Error::corrupt(File::Tree, Damage::Size))
}
