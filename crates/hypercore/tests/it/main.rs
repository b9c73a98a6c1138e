//! The facade, through its public face: local feeds, pairs of peers over pipes in memory, and peers that lie.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails panics"
)]

mod behind;
mod cancelling;
mod connection_extensions;
mod connections;
mod copying;
mod duplex;
mod durability;
mod encodings;
mod ends;
mod extensions;
mod farewell;
mod fetching;
mod forks;
mod handles;
mod histories;
mod hooks;
mod hope;
mod hostile;
mod javascript;
mod limits;
mod local;
mod long;
mod many;
mod mending;
mod opening;
mod options;
mod pair;
mod patience;
mod peer_limits;
mod peers;
mod poison;
mod raw;
mod reading;
mod relay;
mod seeking;
mod space;
mod stage;
mod strangers;
mod streams;
mod trust;
mod updating;
mod watched;

// What whole feeds are simulated with. Not all of it is needed here.
#[path = "../sim/faults.rs"]
#[allow(dead_code, reason = "shared with the simulated worlds")]
mod faults;
#[path = "../sim/net.rs"]
#[allow(dead_code, reason = "shared with the simulated worlds")]
mod net;
#[path = "../sim/runtime.rs"]
mod runtime;
