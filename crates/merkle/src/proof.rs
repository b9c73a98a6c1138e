//! Choosing what to send: the nodes that a peer needs to verify a block, and whose signature covers them.
//!
//! Source: `docs/protocol.md`, "Have, want, request".

use alloc::vec::Vec;

use flat_tree::{Index, full_roots};

use crate::{
    roots::MAX_BLOCKS,
    tree::{MAX_DEPTH, NodeBits, NodeSet, insert, verified_by},
};

/// How many nodes are remembered of what a peer has. Beyond it all are forgotten, which only costs bytes.
const MAX_REMEMBERED: usize = 16_384;

/// What a peer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofRequest {
    /// The block.
    pub block: u64,
    /// Whether only its hash is wanted, not the block.
    pub hash: bool,
    /// What the peer has around the block, see [`digest`](crate::digest).
    pub digest: u64,
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofPlan {
    /// The nodes, in the order of the wire: the block's own if its hash was asked for, siblings upwards, roots.
    pub nodes: Vec<Index>,
    /// The length whose signature belongs to the roots; none if the chain ends at something the peer has.
    pub signed_length: Option<u64>,
}

/// What a peer is known to have of the tree, from the digests of its requests.
#[derive(Clone, Debug, Default)]
pub struct RemoteTree(NodeBits);

impl RemoteTree {
    /// Nothing is known yet.
    pub fn new() -> Self {
        RemoteTree::default()
    }

    /// The nodes that it is known to have.
    pub fn iter(&self) -> impl Iterator<Item = Index> + '_ {
        self.0.iter()
    }

    fn has(&self, index: Index) -> bool {
        self.0.has(index)
    }

    /// Learns from a digest. Only nodes that are stored here count, so a peer can't fill this with inventions.
    fn learn(&mut self, tree: &impl NodeSet, leaf: Index, digest: u64) {
        if self.0.len() > MAX_REMEMBERED {
            self.0.clear();
        }
        let knows_ancestor = digest & 1 == 1;
        let mut digest = digest >> 1;
        let mut next = leaf;
        while digest > 0 && next.depth() < MAX_DEPTH {
            if knows_ancestor && digest == 1 {
                self.learn_ancestor(tree, next);
                return;
            }
            if digest & 1 == 1 {
                self.mark(tree, next.sibling());
            }
            next = next.parent();
            digest >>= 1;
        }
    }

    /// Who knows a node knows the roots of the tree that it was the end of.
    fn learn_ancestor(&mut self, tree: &impl NodeSet, ancestor: Index) {
        self.mark(tree, ancestor);
        let last = match ancestor.is_left() {
            true => ancestor,
            false => ancestor.sibling(),
        };
        for root in full_roots(last.end_block()) {
            self.mark(tree, root);
        }
    }

    fn mark(&mut self, tree: &impl NodeSet, index: Index) {
        if tree.has(index) {
            insert(&mut self.0, index);
        }
    }
}

/// Plans the proof of a block. None if its hash isn't stored, if no feed has so many blocks, or if a node between the block
/// and its root is missing, as it may be in a damaged feed.
///
/// `remote` remembers what earlier requests of the same peer told.
pub fn plan_proof(
    tree: &impl NodeSet,
    remote: &mut RemoteTree,
    request: &ProofRequest,
) -> Option<ProofPlan> {
    let leaf = Index::from_block(request.block);
    // Beyond that the arithmetic of positions would wrap and mean another block.
    if request.block >= MAX_BLOCKS || !tree.has(leaf) {
        return None;
    }
    let mut nodes = Vec::new();
    if request.hash {
        nodes.push(leaf);
    }
    let done = |nodes| ProofPlan {
        nodes,
        signed_length: None,
    };
    if request.digest == 1 {
        return Some(done(nodes));
    }
    remote.learn(tree, leaf, request.digest);
    let mut next = leaf;
    while !remote.has(next) {
        let sibling = next.sibling();
        if !tree.has(sibling) || next.depth() >= MAX_DEPTH {
            // A root of what is stored here.
            let length = verified_by(tree, next);
            if length <= request.block {
                return None;
            }
            let others = full_roots(length).filter(|root| *root != next && !remote.has(*root));
            nodes.extend(others);
            return Some(ProofPlan {
                nodes,
                signed_length: Some(length),
            });
        }
        if !remote.has(sibling) {
            nodes.push(sibling);
        }
        next = next.parent();
    }
    Some(done(nodes))
}
