//! Checking what a peer sent.
//!
//! The chain of hashes that begins at the block must end at something that is known to be true:
//!
//! ```text
//!   anchored: a node that is stored             rooted: one of the roots that the author signed
//!
//!          (5)  stored                                 3 ----------- 8   signature
//!         /   \                                      /   \
//!       4 ?    6  supplied                          1 ?   5  supplied
//!                                                  / \
//!                                                 0 ? 2  supplied
//! ```
//!
//! A stored node has been verified once, so what contradicts it is wrong, whatever else it comes with. Nothing here
//! changes anything: the result says which nodes are new, and only [`Unsigned::accept`] turns a rooted proof into an
//! [`Accepted`], given a witness for exactly those roots.
//!
//! The rules are those of `docs/architecture.md`, "Verification".

use alloc::{boxed::Box, vec::Vec};

use crypto::{Hash, Signable, Signature, SignatureError, Verified};
use flat_tree::{Index, full_roots};

use crate::{
    Node, NodeSet, Roots, RootsError,
    growth::proving_blocks,
    node::{MAX_BYTES, SizeOverflow},
    roots::MAX_BLOCKS,
    tree::MAX_DEPTH,
};

/// The most nodes a proof may have. An honest one has at most two for each level of the tree.
pub const MAX_PROOF_NODES: usize = 128;

/// What a peer sent besides the block itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The block it is about.
    pub block: u64,
    /// The nodes, in the order of the wire.
    pub nodes: Vec<Node>,
    /// The signature over the roots, if the proof reaches them.
    pub signature: Option<Signature>,
}

/// Why a proof was refused. All of these are the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// There is neither a block nor a node.
    #[error("neither a block nor a hash")]
    Empty,
    /// More nodes than any honest proof has.
    #[error("{len} nodes, at most {max} are allowed")]
    TooManyNodes {
        /// How many there are.
        len: usize,
        /// How many there may be.
        max: usize,
    },
    /// The block, or a node, lies beyond the longest feed that is accepted.
    #[error("beyond the longest feed allowed, {max} blocks")]
    TooLong {
        /// The longest length allowed.
        max: u64,
    },
    /// A size, or a sum of sizes, is more than a feed can have.
    #[error("sizes of more than 2^53 - 1 bytes")]
    Size,
    /// The first node of an answer without a block is not the block's own.
    #[error("the first node is not that of the block")]
    WrongLeaf,
    /// A node differs from the one that is stored, which was verified before.
    #[error("node {index} differs from the verified one")]
    Mismatch {
        /// Its position.
        index: Index,
    },
    /// The chain of the block doesn't end at one of the roots.
    #[error("the block is not linked to the roots: its chain ends at node {index}")]
    NotLinked {
        /// Where it ends.
        index: Index,
    },
    /// A root that the signature covers is neither here nor in the proof.
    #[error("root {index} is missing")]
    MissingRoot {
        /// Its position.
        index: Index,
    },
    /// A node has no place in the proof.
    #[error("node {index} has no place in the proof")]
    Surplus {
        /// Its position.
        index: Index,
    },
    /// The proof reaches the roots but isn't signed.
    #[error("no signature")]
    NoSignature,
    /// The signature is not the author's.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl From<SizeOverflow> for ProofError {
    fn from(_: SizeOverflow) -> Self {
        ProofError::Size
    }
}

/// A proof that is being checked: what has to be read before it can be decided.
#[derive(Clone, Debug)]
#[must_use]
pub struct Check {
    proof: Proof,
    has_value: bool,
    steps: Vec<Step>,
    end: End,
    reads: Vec<Index>,
    length: u64,
}

/// How the chain climbs a level.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Over the sibling at this place in the proof.
    Supplied(usize),
    /// Over a sibling that is stored.
    Stored(Index),
}

#[derive(Clone, Debug)]
enum End {
    /// The chain meets a stored node.
    Anchor(Index),
    /// The chain ends at a root of a feed of this length, whose roots come from these places.
    Roots { length: u64, roots: Vec<Root> },
}

#[derive(Clone, Copy, Debug)]
enum Root {
    Top,
    Supplied(usize),
    Stored(Index),
}

impl Check {
    /// Finds out what a proof claims, and which stored nodes decide about it.
    ///
    /// `tree` and `roots` are what is stored. `signed` tells whether the feed is known to have signatures: then a proof that
    /// reaches the roots needs one.
    ///
    /// # Errors
    /// [`ProofError`] if it can't be right whatever is stored.
    pub fn plan(
        tree: &impl NodeSet,
        roots: &Roots,
        signed: bool,
        proof: Proof,
        has_value: bool,
        max_length: u64,
    ) -> Result<Check, ProofError> {
        check_shape(&proof, has_value, max_length)?;
        let mut reads: Vec<Index> = proof.nodes.iter().map(|node| node.index).collect();
        reads.retain(|index| tree.has(*index));

        let mut steps = Vec::new();
        let mut next = Index::from_block(proof.block);
        let mut supplied = usize::from(!has_value);
        let anchor = loop {
            if tree.has(next) {
                break Some(next);
            }
            let sibling = next.sibling();
            if next.depth() >= MAX_DEPTH {
                break None;
            }
            if proof
                .nodes
                .get(supplied)
                .is_some_and(|node| node.index == sibling)
            {
                steps.push(Step::Supplied(supplied));
                supplied += 1;
            } else if tree.has(sibling) {
                steps.push(Step::Stored(sibling));
                reads.push(sibling);
            } else {
                break None;
            }
            next = next.parent();
        };
        let end = match anchor {
            Some(index) => {
                reads.push(index);
                End::Anchor(index)
            }
            None => find_roots(tree, &proof, next, supplied, max_length, &mut reads)?,
        };
        if signed && matches!(end, End::Roots { .. }) && proof.signature.is_none() {
            return Err(ProofError::NoSignature);
        }
        reads.sort_unstable();
        reads.dedup();
        Ok(Check {
            proof,
            has_value,
            steps,
            end,
            reads,
            length: roots.length(),
        })
    }

    /// The stored nodes that [`finish`](Self::finish) wants, by position.
    pub fn reads(&self) -> &[Index] {
        &self.reads
    }

    /// Computes the chain. `stored` are the nodes that were asked for, in the same order; `leaf` is the hash and the size
    /// of the block, if there is one.
    ///
    /// # Errors
    /// [`ProofError`]. A stored node that wasn't given counts as one that differs.
    pub fn finish(self, stored: &[Node], leaf: Option<(Hash, u64)>) -> Result<Checked, ProofError> {
        let find = |index: Index| {
            let at = stored.binary_search_by_key(&index, |node| node.index);
            let node = at.ok().and_then(|at| stored.get(at)).copied();
            node.ok_or(ProofError::Mismatch { index })
        };
        for node in &self.proof.nodes {
            let index = node.index;
            if self.reads.binary_search(&index).is_ok() && find(index)? != *node {
                return Err(ProofError::Mismatch { index });
            }
        }
        let supplied = |at: usize| self.proof.nodes.get(at).copied().ok_or(ProofError::Empty);
        let leaf = match (leaf, self.has_value) {
            (Some((hash, size)), true) => Node {
                index: Index::from_block(self.proof.block),
                size,
                hash,
            },
            (None, false) => supplied(0)?,
            _ => return Err(ProofError::Empty),
        };

        let is_new = |node: &Node| self.reads.binary_search(&node.index).is_err();
        let mut chain = Vec::with_capacity(2 * self.steps.len() + 2);
        let mut pair = None;
        let mut top = leaf;
        for step in &self.steps {
            let sibling = match *step {
                Step::Supplied(at) => supplied(at)?,
                Step::Stored(index) => find(index)?,
            };
            let parent = Node::parent(&top, &sibling)?;
            // The parent covers only the sum of the two sizes. One of them is known of a block that is here or from a
            // sibling that is stored; further up each follows from what lies below it.
            if !self.has_value && top.index == leaf.index && is_new(&sibling) {
                pair = Some(Box::new(Pair::of(top, sibling)));
            } else {
                chain.extend([top, sibling]);
            }
            top = parent;
        }
        let mut accepted = Accepted {
            block: self.proof.block,
            leaf,
            verified: chain,
            new: Vec::new(),
            pair,
            growth: None,
            signature: None,
        };
        match &self.end {
            End::Anchor(index) => {
                if find(*index)? != top {
                    return Err(ProofError::Mismatch { index: *index });
                }
                accepted.verified.push(top);
                accepted.new = keep(&accepted.verified, is_new);
                Ok(Checked::Anchored(accepted))
            }
            End::Roots { length, roots } => {
                let roots = roots
                    .iter()
                    .map(|root| match *root {
                        Root::Top => Ok(top),
                        Root::Supplied(at) => supplied(at),
                        Root::Stored(index) => find(index),
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                accepted.verified.extend(&roots);
                accepted.new = keep(&accepted.verified, is_new);
                let roots = Roots::from_nodes(*length, roots).map_err(|error| match error {
                    RootsError::Size(_) => ProofError::Size,
                    _ => ProofError::NotLinked { index: top.index },
                })?;
                Ok(Checked::Unsigned(Unsigned(Box::new(Claimed {
                    signable: roots.signable(),
                    signature: self.proof.signature,
                    grows: *length > self.length,
                    // Whatever of it is stored was compared above.
                    proven: proving_blocks(self.length).contains(&self.proof.block),
                    roots,
                    accepted,
                }))))
            }
        }
    }
}

/// What can be refused without looking at what is stored.
fn check_shape(proof: &Proof, has_value: bool, max_length: u64) -> Result<(), ProofError> {
    let max = max_length.min(MAX_BLOCKS);
    if proof.nodes.len() > MAX_PROOF_NODES {
        return Err(ProofError::TooManyNodes {
            len: proof.nodes.len(),
            max: MAX_PROOF_NODES,
        });
    }
    if proof.block >= max {
        return Err(ProofError::TooLong { max });
    }
    for node in &proof.nodes {
        // Index arithmetic is exact far beyond this; a position up there is a lie all the same.
        if node.index >= Index::from_block(MAX_BLOCKS) {
            return Err(ProofError::TooLong { max });
        }
        if node.size > MAX_BYTES {
            return Err(ProofError::Size);
        }
    }
    match proof.nodes.first() {
        None if !has_value => Err(ProofError::Empty),
        Some(first) if !has_value && first.index != Index::from_block(proof.block) => {
            Err(ProofError::WrongLeaf)
        }
        _ => Ok(()),
    }
}

/// Where each root of the length that the proof speaks of comes from.
fn find_roots(
    tree: &impl NodeSet,
    proof: &Proof,
    top: Index,
    mut supplied: usize,
    max_length: u64,
    reads: &mut Vec<Index>,
) -> Result<End, ProofError> {
    let rest = proof.nodes.get(supplied..).unwrap_or_default();
    let last = rest.last().map_or(top, |node| node.index);
    let length = top.end_block().max(last.end_block());
    if length > max_length.min(MAX_BLOCKS) {
        return Err(ProofError::TooLong {
            max: max_length.min(MAX_BLOCKS),
        });
    }
    let mut linked = false;
    let mut roots = Vec::new();
    for root in full_roots(length) {
        let here = |node: &Node| node.index == root;
        if root == top {
            linked = true;
            roots.push(Root::Top);
        } else if proof.nodes.get(supplied).is_some_and(here) {
            roots.push(Root::Supplied(supplied));
            supplied += 1;
        } else if tree.has(root) {
            reads.push(root);
            roots.push(Root::Stored(root));
        } else {
            return Err(ProofError::MissingRoot { index: root });
        }
    }
    if !linked {
        return Err(ProofError::NotLinked { index: top });
    }
    match proof.nodes.get(supplied) {
        Some(node) => Err(ProofError::Surplus { index: node.index }),
        None => Ok(End::Roots { length, roots }),
    }
}

/// The nodes for which `is_new` holds, by position, each once.
fn keep(nodes: &[Node], is_new: impl Fn(&Node) -> bool) -> Vec<Node> {
    let mut new: Vec<Node> = nodes.iter().filter(|node| is_new(node)).copied().collect();
    new.sort_unstable_by_key(|node| node.index);
    new.dedup();
    new
}

/// A proof whose hashes fit.
#[derive(Clone, Debug)]
#[must_use]
pub enum Checked {
    /// It ends at a stored node: nothing else is needed.
    Anchored(Accepted),
    /// It ends at roots for which the author has to stand.
    Unsigned(Unsigned),
}

/// A proof that is right if its roots are the author's.
#[derive(Clone, Debug)]
#[must_use]
pub struct Unsigned(Box<Claimed>);

/// Apart, since few proofs reach the roots and all of them are handed on.
#[derive(Clone, Debug)]
struct Claimed {
    signable: Signable,
    signature: Option<Signature>,
    roots: Roots,
    grows: bool,
    proven: bool,
    accepted: Accepted,
}

impl Unsigned {
    /// Whether it shows that its feed and the stored one are one history, besides being signed. Anything does if nothing is
    /// stored; otherwise only a proof of one of the [`proving_blocks`] of the stored length.
    pub fn is_proven(&self) -> bool {
        self.0.proven
    }

    /// The state that the author must have signed.
    pub fn signable(&self) -> &Signable {
        &self.0.signable
    }

    /// The signature that came along; none if the feed is said to be static.
    pub fn signature(&self) -> Option<&Signature> {
        self.0.signature.as_ref()
    }

    /// Accepts the proof on the word of a witness.
    ///
    /// # Errors
    /// [`ProofError::Signature`] if the witness is for another state.
    pub fn accept(self, witness: &Verified) -> Result<Accepted, ProofError> {
        let claimed = *self.0;
        if *witness.signable() != claimed.signable {
            return Err(SignatureError.into());
        }
        let length = claimed.signable.length;
        // A static feed has none to keep.
        let signature = claimed.signature.filter(|_| witness.dialect().is_some());
        Ok(Accepted {
            growth: claimed.grows.then_some(claimed.roots),
            signature: signature.map(|signature| Box::new((length, signature))),
            ..claimed.accepted
        })
    }
}

/// What was verified and may be stored. Made by the checks of this file only.
#[derive(Clone, Debug)]
#[must_use]
pub struct Accepted {
    block: u64,
    leaf: Node,
    verified: Vec<Node>,
    new: Vec<Node>,
    pair: Option<Box<Pair>>,
    growth: Option<Roots>,
    signature: Option<Box<(u64, Signature)>>,
}

/// Two leaves side by side, of which only the sum of the sizes is verified. The hashes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The left one.
    pub left: Node,
    /// The right one.
    pub right: Node,
}

impl Pair {
    fn of(one: Node, other: Node) -> Self {
        let (left, right) = match one.index < other.index {
            true => (one, other),
            false => (other, one),
        };
        Pair { left, right }
    }

    /// The node above the two.
    pub fn parent(&self) -> Index {
        self.left.index.parent()
    }
}

impl Accepted {
    /// The block.
    pub fn block(&self) -> u64 {
        self.block
    }

    /// The block's own node.
    pub fn leaf(&self) -> &Node {
        &self.leaf
    }

    /// Every node that took part and is verified as a whole, stored before or not.
    pub fn verified(&self) -> &[Node] {
        &self.verified
    }

    /// The nodes that weren't stored before, by position.
    pub fn new_nodes(&self) -> &[Node] {
        &self.new
    }

    /// The lowest nodes of an answer without a block, if nothing tells how their sizes are shared out between them. They are
    /// not among the others, and must not be stored.
    pub fn pair(&self) -> Option<&Pair> {
        self.pair.as_deref()
    }

    /// The new roots, if the proof is about a longer feed than ours.
    pub fn growth(&self) -> Option<&Roots> {
        self.growth.as_ref()
    }

    /// The signature, and the length that it is for.
    pub fn signature(&self) -> Option<(u64, Signature)> {
        self.signature.as_deref().copied()
    }
}
