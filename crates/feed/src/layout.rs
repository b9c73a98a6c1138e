//! Where things stand in the files, and reading nodes from there.

use alloc::vec::Vec;

use bytes::Bytes;
use flat_tree::{Index, full_roots};
use merkle::{Node, Roots};
use storage::{File, Read};

use crate::{Damage, Error, header::HEADER};

pub(crate) const SIGNATURE: u64 = 64;

/// Where a node stands in the tree.
pub(crate) fn node_offset(index: Index) -> u64 {
    HEADER + Node::LEN as u64 * index.get()
}

/// Where the signature of a length stands. There is none for length 0.
pub(crate) fn signature_offset(length: u64) -> u64 {
    HEADER + SIGNATURE * length.saturating_sub(1)
}

pub(crate) fn signature_read(length: u64) -> Read {
    Read {
        file: File::Signatures,
        offset: signature_offset(length),
        len: SIGNATURE as usize,
    }
}

fn node_read(index: Index) -> Read {
    Read {
        file: File::Tree,
        offset: node_offset(index),
        len: Node::LEN,
    }
}

/// Nodes that have to be read. Roots are known and are not.
#[derive(Clone, Debug)]
pub(crate) struct NodeReads {
    indices: Vec<Index>,
    reads: Vec<Read>,
    known: Vec<Node>,
}

impl NodeReads {
    pub(crate) fn new(wanted: impl IntoIterator<Item = Index>, roots: &Roots) -> Self {
        let mut indices: Vec<Index> = wanted.into_iter().collect();
        indices.sort_unstable();
        indices.dedup();
        let mut known = Vec::new();
        indices.retain(|index| match roots.node(*index) {
            Some(node) => {
                known.push(*node);
                false
            }
            None => true,
        });
        let reads = indices.iter().map(|index| node_read(*index)).collect();
        NodeReads {
            indices,
            reads,
            known,
        }
    }

    pub(crate) fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// Those nodes that are there.
    pub(crate) fn parse_all(&self, replies: &[Bytes]) -> Nodes {
        let replies = self.indices.iter().zip(replies);
        let read = replies.filter_map(|(index, reply)| parse_node(*index, Some(reply)).ok());
        let mut nodes: Vec<Node> = self.known.iter().copied().chain(read).collect();
        nodes.sort_unstable_by_key(|node| node.index);
        Nodes::of(nodes)
    }

    /// The nodes that are there, and what is wrong with the others, which concerns only whoever [must](Nodes::must_get) have them.
    pub(crate) fn parse_each(&self, replies: &[Bytes]) -> Nodes {
        let mut nodes = Nodes::of(self.known.clone());
        let mut replies = replies.iter();
        for index in &self.indices {
            let reply = replies.next().map(|reply| &reply[..]);
            match parse_node(*index, reply) {
                Ok(node) => nodes.nodes.push(node),
                Err(error) => nodes.damaged.push((*index, error)),
            }
        }
        nodes.nodes.sort_unstable_by_key(|node| node.index);
        nodes
    }

    /// The nodes, from what was read. Other replies may follow.
    pub(crate) fn parse(&self, replies: &[Bytes]) -> Result<Nodes, Error> {
        let mut nodes = self.known.clone();
        let mut replies = replies.iter();
        for index in &self.indices {
            let reply = replies.next().map(|reply| &reply[..]);
            nodes.push(parse_node(*index, reply)?);
        }
        nodes.sort_unstable_by_key(|node| node.index);
        Ok(Nodes::of(nodes))
    }
}

/// Nodes that were read, by position.
#[derive(Clone, Debug)]
pub(crate) struct Nodes {
    nodes: Vec<Node>,
    damaged: Vec<(Index, Error)>,
}

impl Nodes {
    fn of(nodes: Vec<Node>) -> Self {
        Nodes {
            nodes,
            damaged: Vec::new(),
        }
    }

    pub(crate) fn get(&self, index: Index) -> Option<&Node> {
        let at = self.nodes.binary_search_by_key(&index, |node| node.index);
        at.ok().and_then(|at| self.nodes.get(at))
    }

    /// A node that was asked for.
    pub(crate) fn must_get(&self, index: Index) -> Result<&Node, Error> {
        self.get(index).ok_or_else(|| {
            let mut damaged = self.damaged.iter();
            match damaged.find(|(damaged, _)| *damaged == index) {
                Some((_, error)) => *error,
                None => Error::corrupt(File::Tree, Damage::MissingNode),
            }
        })
    }

    /// The roots of a length, all of which were asked for.
    pub(crate) fn roots(&self, length: u64) -> Result<Roots, Error> {
        let roots = full_roots(length).map(|index| self.must_get(index).copied());
        let roots = roots.collect::<Result<_, _>>()?;
        Roots::from_nodes(length, roots).map_err(|_| Error::corrupt(File::Tree, Damage::Size))
    }
}

pub(crate) fn parse_node(index: Index, reply: Option<&[u8]>) -> Result<Node, Error> {
    let bytes = reply.map(<&[u8; Node::LEN]>::try_from);
    match bytes {
        Some(Ok(bytes)) => {
            Node::from_bytes(index, bytes).ok_or(Error::corrupt(File::Tree, Damage::MissingNode))
        }
        _ => Err(Error::corrupt(File::Tree, Damage::Short)),
    }
}
