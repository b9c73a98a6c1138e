//! Reading a block: where it begins follows from the sizes of the roots before it, and what is read must match its hash. Who
//! reads many blocks keeps [groups](crate::Group) of them.

use bytes::Bytes;
use crypto::leaf_hash;
use flat_tree::{Index, full_roots};
use merkle::Node;
use storage::{File, Read};

use crate::{Damage, Error, Feed, layout::NodeReads};

/// A block that is to be read: the nodes that tell where it is.
#[derive(Debug)]
pub struct GetPlan {
    block: u64,
    nodes: NodeReads,
    byte_length: u64,
}

impl Feed {
    /// Plans to read a block.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::NotStored`].
    pub fn plan_get(&self, block: u64) -> Result<GetPlan, Error> {
        self.check_block(block)?;
        if !self.bitfield.has_block(block) {
            return Err(Error::NotStored { block });
        }
        let wanted = full_roots(block).chain([Index::from_block(block)]);
        Ok(GetPlan {
            block,
            nodes: NodeReads::new(wanted, &self.roots),
            byte_length: self.byte_length(),
        })
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
        let offset = offset(self.block, |index| nodes.get(index))?;
        let leaf = *nodes.must_get(Index::from_block(self.block))?;
        BlockRead::new(offset, leaf, self.byte_length)
    }
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
        if bytes.len() as u64 != self.leaf.size {
            return Err(Error::corrupt(File::Data, Damage::Short));
        }
        if leaf_hash(&bytes) != self.leaf.hash {
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
