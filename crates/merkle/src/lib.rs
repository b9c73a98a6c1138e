//! The Merkle tree of a feed: nodes, growing roots, proofs and their verification.
