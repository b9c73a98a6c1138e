//! The program as a person or a script meets it: real processes, real files, sockets on the loopback.

#![allow(clippy::unwrap_used, clippy::panic)]

mod append;
mod bench_peer;
mod clone;
mod crowd;
mod exchange;
mod exit;
mod guides;
mod http;
mod inspect;
mod json;
mod keys;
mod local;
mod look;
mod network;
mod program;
mod proxy;
mod reading;
#[cfg(unix)]
mod schema;
mod session;
mod shells;
mod trust;
#[cfg(unix)]
mod wrong;
