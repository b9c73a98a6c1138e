//! Hostile peers: a table of attacks, each in both dialects, each beside honest peers that have to be served meanwhile.
//!
//! `cargo test -p hypercore --test hostile -- --nocapture` tells the figures of each; `ATTACK=fr-varint` plays that one only.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod arena;
mod attack;
mod attacks;
mod bent;
mod bits;
mod crowd;
mod honest;
mod hostile;
mod memory;
mod report;

// What whole feeds are simulated with. Not all of it is needed here.
#[path = "../sim/faults.rs"]
#[allow(dead_code, reason = "shared with the simulated worlds")]
mod faults;
#[path = "../sim/net.rs"]
#[allow(dead_code, reason = "shared with the simulated worlds")]
mod net;
#[path = "../sim/runtime.rs"]
mod runtime;

use std::sync::Mutex;

use arena::Arena;
use attack::Attack;
use hypercore::Dialect;
use testkit::lock;

#[test]
fn strangers_get_no_further_than_the_handshake_lets_them() {
    play(&attacks::handshake::attacks());
}

#[test]
fn frames_that_are_none_end_their_connection_only() {
    play(&attacks::frames::attacks());
}

#[test]
fn channels_cost_little_and_show_nothing_to_those_who_dont_know_the_key() {
    play(&attacks::channels::attacks());
}

#[test]
fn whoever_asks_without_measure_is_served_within_measure() {
    play(&attacks::asking::attacks());
}

#[test]
fn claims_cost_what_they_say_and_not_what_they_mean() {
    play(&attacks::claiming::attacks());
}

#[test]
fn nothing_is_stored_that_isnt_the_authors() {
    play(&attacks::seeding::attacks());
}

#[test]
fn what_is_changed_on_the_way_isnt_stored() {
    play(&attacks::middle::attacks());
}

#[test]
fn many_connections_hold_no_more_than_all_of_them_may() {
    play(&attacks::accepting::attacks());
}

/// One at a time, since memory is counted.
static ARENA: Mutex<()> = Mutex::new(());

/// Plays attacks one after the other.
fn play(attacks: &[Attack]) {
    let _arena = lock(&ARENA);
    let only = std::env::var("ATTACK").ok();
    let chosen = |attack: &&Attack| only.as_ref().is_none_or(|name| attack.name == name);
    for attack in attacks.iter().filter(chosen) {
        for dialect in [Dialect::V8, Dialect::V9] {
            Arena::play(attack, dialect);
        }
    }
}
