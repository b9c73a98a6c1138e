//! Hashes, keys and signatures of hypercore feeds: BLAKE2b with its type prefixes, Ed25519, and the two forms in which
//! JavaScript hypercore 8 and 9 sign.
//!
//! ```
//! use hypercore_crypto::{Dialect, KeyPair, Signable, leaf_hash, tree_hash};
//!
//! let pair = KeyPair::from_seed([1; 32]);
//! let block = b"hello";
//! let root = leaf_hash(block);
//! let signable = Signable { tree_hash: tree_hash([(0, 5, root)]), length: 1 };
//!
//! let signature = pair.sign(&signable, Dialect::V9);
//! let verified = pair.public().verify(&signable, &signature)?;
//! assert_eq!(verified.dialect(), Some(Dialect::V9));
//! # Ok::<_, hypercore_crypto::SignatureError>(())
//! ```
//!
//! **Who needs it:** whoever computes hashes or checks signatures of feeds without the rest. A [`Verified`] exists only for a
//! signature that holds, or for a static feed whose key is the hash of its tree.
//!
//! **What it doesn't do:** it knows nothing of trees, files or peers, shakes no hands, and has no randomness: seeds are arguments. Without the default feature `std` it is `no_std`, and BLAKE2b runs on
//! portable code because the machine's vector instructions can't be asked for.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod dialect;
mod fixed;
mod hash;
mod keys;
mod stack;

pub use dialect::{Dialect, UnknownDialect};
pub use fixed::{DiscoveryKey, Hash, HexError, LengthError, PublicKey, Signature};
pub use hash::{hash, keyed_hash, leaf_hash, leaf_hashes, parent_hash, parent_hashes, tree_hash};
pub use keys::{KeyError, KeyPair, SecretKey, Signable, SignableBytes, SignatureError, Verified};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
