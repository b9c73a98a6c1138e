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
//! ```
//! use core::{ops::Range, time::Duration};
//! use hypercore_replicate::{Action, Config, Local, PeerConfig, PeerId, Replicator};
//! use wire::{Have, Message}; // hypercore-wire
//!
//! /// A feed of which nothing is here yet.
//! struct Empty;
//!
//! impl Local for Empty {
//!     fn length(&self) -> u64 { 0 }
//!     fn has(&self, _: u64) -> bool { false }
//!     fn has_all(&self, blocks: Range<u64>) -> bool { blocks.is_empty() }
//!     fn next_missing(&self, from: u64) -> u64 { from }
//!     fn has_node_of(&self, _: u64) -> bool { false }
//!     fn digest(&self, _: u64) -> u64 { 0 }
//!     fn have_bits(&self, _: u64, out: &mut [u8]) { out.fill(0) }
//! }
//!
//! let (now, peer) = (Duration::ZERO, PeerId(1));
//! let mut replicator = Replicator::new(Config { sparse: true, ..Config::default() });
//! replicator.add_peer(now, peer, PeerConfig::default(), &Empty); // both sides opened the feed
//! replicator.want(now, 7, &Empty); // somebody waits for block 7
//! let have = Have { start: 0, length: Some(10), ..Have::default() };
//! replicator.handle_message(now, peer, Message::Have(have), &Empty);
//!
//! let mut asked = Vec::new();
//! while let Some(action) = replicator.poll_action() {
//!     match action {
//!         // On the peer's channel.
//!         Action::Send { message: Message::Request(request), .. } => asked.push(request.index),
//!         // Serve: send Data, then handle_served. Store: verify, commit, then handle_stored. And so on.
//!         _ => {}
//!     }
//! }
//! assert_eq!(asked, [7]);
//! // Then wait for a message or for `poll_timeout()`, whichever comes first.
//! ```
//!
//! **Who needs it:** whoever replicates over something else than the facade's connections. Otherwise `hypercore` drives it.
//!
//! **What it doesn't do:** verify, read, write, send. The owner looks the feed up for it ([`Local`]) and does what it says.
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

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
