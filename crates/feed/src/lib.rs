//! The log of a hypercore feed as plans and commits: open, append, get, seek, prove, put, clear, audit.
//!
//! Nothing here does I/O. Whatever touches storage is five beats, of which only the last changes the feed: *plan* (what must
//! be read?), *read*, *check* (hashes, then the signature), *commit* (an ordered batch), *apply*. See [`Feed`] for an
//! example, and `docs/architecture.md`.
//!
//! ```
//! use bytes::Bytes;
//! use hypercore_feed::{OpenOptions, Opening, Step};
//! use storage::{FileSet, MemoryFiles}; // hypercore-storage
//!
//! let files = FileSet::open(Box::new(MemoryFiles::default()))?;
//! let mut step = Opening::new(OpenOptions { seed: [7; 32], ..OpenOptions::default() }).step(vec![])?;
//! let mut feed = loop {
//!     step = match step {
//!         Step::Read { opening, reads } => opening.step(files.read(&reads)?)?,
//!         Step::Commit { opening, batch } => {
//!             files.commit(&batch)?;
//!             opening.step(vec![])?
//!         }
//!         Step::Done(feed) => break feed,
//!     };
//! };
//! let commit = feed.plan_append(vec![Bytes::from("hello")])?.sign(&feed)?;
//! files.commit(commit.batch())?;
//! feed.apply(commit);
//! assert_eq!(feed.length(), 1);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! **Who needs it:** whoever drives feeds from an event loop, a database, a simulator or a fuzzer of their own.
//!
//! **What it doesn't do:** read or write (`hypercore-storage` takes the batches), ask peers (`hypercore-replicate`), or wait
//! (`hypercore` is the asynchronous face).

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod append;
mod audit;
mod behind;
mod clear;
mod create;
mod error;
mod feed;
mod finalize;
mod fork;
mod get;
mod group;
mod header;
mod hints;
mod layout;
mod loading;
mod mend;
mod merge;
mod notes;
mod open;
mod options;
mod pages;
mod places;
mod prove;
mod put;
mod range;
mod recover;
mod seek;
mod signature;

pub use append::{AppendPlan, MAX_BLOCK};
pub use audit::{AuditReport, AuditStep, Auditing, Finding, MAX_FINDINGS};
pub use clear::ClearPlan;
pub use error::{Damage, Error, PutError};
pub use feed::{Commit, Event, Feed};
pub use fork::{Candidates, ForkPlan, MAX_FORKS, Suspicion};
pub use get::{BlockRead, GetPlan, GetPlans};
pub use group::{GROUP, Group, GroupPlan};
pub use header::Header;
pub use mend::{MendStep, Mended, Mending};
pub use open::{Opening, Step};
pub use options::{ForkPolicy, MAX_LENGTH, OpenOptions};
pub use prove::{PortablePlan, ProofPlan, ProofPlans};
pub use put::{Put, PutCheck, PutPlan, PutPlans};
pub use range::{MAX_RANGE, MAX_RANGE_BYTES, Portion, RangePlan, RangeRead};
pub use recover::Recovery;
pub use seek::{SeekStep, Seeking};
pub use signature::{InfoPlan, RootsPlan, SignatureSearch, SignatureStep};

use feed::Kind;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
