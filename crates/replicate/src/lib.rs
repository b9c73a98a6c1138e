//! One feed among its peers as a state machine: who asks whom for what.
//!
//! Messages and wishes go in, [`Action`]s come out. The machine has never heard of cryptography, sockets or clocks: an answer
//! that was asked for goes to the owner to be verified and stored, a request goes to the owner to be read and answered, and
//! time and randomness are arguments.
//!
//! ```text
//!        wishes: want, cancel           local: what is stored
//!                    │                            │ (by reference, in each call)
//!                    ▼                            ▼
//!   Message ──▶ Replicator { peers, wishes, blocks on their way } ──▶ Action
//!   stored, refused, appended,                                        Send, Serve, Store,
//!   served, timeout                                                   Close, Disconnect, Resolved
//! ```
//!
//! Three promises hold whatever the peers do:
//!
//! - A block that is stored, or that another peer was asked for and may still deliver, is never asked for.
//! - No message costs more than O(log n) for each run that it names, and nothing is allocated in proportion to a
//!   number that a peer merely claims.
//! - A peer that breaks the protocol or lets us wait loses its place; the feed and the other peers go on.
//!
//! The rules of the messages are those of `docs/protocol.md`.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod action;
mod answers;
mod choose;
mod claims;
mod config;
mod error;
mod finish;
mod flight;
mod lanes;
mod late;
mod local;
mod peer;
mod reach;
mod receive;
mod replicator;
mod rng;
mod serving;
mod stored;
mod switches;
mod wants;
mod window;
mod wishes;

pub use action::{Action, Outcome, PeerId, WishId};
pub use config::{Config, Limits, PeerConfig};
pub use error::Error;
pub use local::Local;
pub use peer::PeerStatus;
pub use replicator::Replicator;
pub use wishes::{Order, Wish};
