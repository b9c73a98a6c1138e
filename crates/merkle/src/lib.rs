//! The Merkle tree of a feed: its nodes, its roots and how they grow, what a peer needs to verify a block, and the check of
//! what a peer sent.
//!
//! ```
//! use bytes::Bytes;
//! use crypto::{Dialect, KeyPair, leaf_hash};
//! use hypercore_merkle::{
//!     Check, Checked, NodeBits, Proof, ProofRequest, RemoteTree, Roots, insert, plan_proof,
//! };
//!
//! // The author has two blocks and a signature over the root.
//! let author = KeyPair::from_seed([1; 32]);
//! let growth = Roots::new().append(&[Bytes::from("hello"), Bytes::from("world")])?;
//! let signature = author.sign(&growth.roots.signable(), Dialect::V8);
//! let mut tree = NodeBits::new();
//! growth.nodes.iter().for_each(|node| insert(&mut tree, node.index));
//!
//! // A reader that has nothing asks for block 1.
//! let request = ProofRequest { block: 1, hash: false, digest: 0 };
//! let plan = plan_proof(&tree, &mut RemoteTree::new(), &request).expect("the hash is stored");
//! let nodes = growth.nodes.iter().filter(|node| plan.nodes.contains(&node.index));
//! let proof = Proof { block: 1, nodes: nodes.copied().collect(), signature: Some(signature) };
//!
//! // It checks the answer: the hashes first, then the signature.
//! let (tree, roots) = (NodeBits::new(), Roots::new());
//! let check = Check::plan(&tree, &roots, false, proof, true, 1 << 32)?;
//! assert!(check.reads().is_empty());
//! let Checked::Unsigned(unsigned) = check.finish(&[], Some((leaf_hash(b"world"), 5)))? else { panic!() };
//! let witness = author.public().verify(unsigned.signable(), &signature)?;
//! let accepted = unsigned.accept(&witness)?;
//! assert_eq!(accepted.growth().map(Roots::length), Some(2));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! **Who needs it:** whoever verifies blocks without the rest: a light client, another transport, a proof in a file
//! ([`PortableProof`]). Only what hangs off a stored node, or off roots that are signed, becomes an [`Accepted`].
//!
//! **What it doesn't do:** it knows nothing of files or peers: it says which nodes it wants to see and which are new.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod check;
mod fork;
mod growth;
mod node;
mod portable;
mod proof;
mod roots;
mod tree;

pub use check::{Accepted, Check, Checked, MAX_PROOF_NODES, Pair, Proof, ProofError, Unsigned};
pub use fork::{Branch, Fork, ForkError};
pub use growth::{is_linked, proving_blocks};
pub use node::{MAX_BYTES, Node, SizeOverflow};
pub use portable::{PortableError, PortableProof};
pub use proof::{ProofPlan, ProofRequest, RemoteTree, plan_proof};
pub use roots::{Growth, MAX_BLOCKS, Roots, RootsError};
pub use tree::{NodeBits, NodeSet, NodeSetMut, blocks, digest, insert, verified_by};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
