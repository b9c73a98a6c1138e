//! Arithmetic of a binary tree laid on a line.
//!
//! The leaves of the tree are the blocks of a feed. All nodes are numbered in order, so that leaves are even and
//! everything above them is odd:
//!
//! ```text
//! depth 3                       7
//! depth 2           3                       11
//! depth 1     1           5           9           13
//! depth 0  0     2     4     6     8     10    12    14
//!
//! block    0     1     2     3     4     5     6     7
//! ```
//!
//! The number of a node depends on nothing but its place: a feed that grows never renumbers what it has. A feed whose
//! length is no power of two is a row of such trees, each smaller than the one before: its *full roots*
//! ([`full_roots`]). When it grows, some of them get parents ([`patch`]).
//!
//! A block number and a place in the tree are easy to mix up, both being integers, so a place has a type of its own:
//! [`Index`]. This crate knows numbers only; what a node holds (a hash and a size) belongs to `merkle`.
//!
//! # Domain
//!
//! Everything is exact for indexes below 2⁶² ([`Index::LIMIT`]), which is blocks below 2⁶¹; files and peers never get
//! beyond 2⁵³. Above that arithmetic wraps: nothing panics, but the results mean nothing.
//!
//! ```
//! use hypercore_flat_tree::{full_roots, Index};
//!
//! let leaf = Index::from_block(5);
//! assert_eq!(leaf, Index::new(10));
//! assert_eq!(leaf.parent(), Index::new(9));
//! assert_eq!(leaf.parent().sibling(), Index::new(13));
//!
//! // Ten blocks are a tree of eight and a tree of two.
//! assert!(full_roots(10).eq([Index::new(7), Index::new(17)]));
//! ```
#![no_std]
#![forbid(unsafe_code)]

mod cursor;
mod index;
mod patch;
mod roots;

pub use cursor::Cursor;
pub use index::Index;
pub use patch::{Patch, patch};
pub use roots::{FullRoots, full_roots};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
