//! What an attack is: a row of a table.

use std::{future::Future, pin::Pin};

use crate::arena::Arena;

/// What a hostile peer does, from its first connection to the end of its last one.
pub(crate) type Play = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One attack.
#[derive(Clone)]
pub(crate) struct Attack {
    /// As in the table of `docs/security.md`.
    pub(crate) name: &'static str,
    pub(crate) victim: Victim,
    pub(crate) play: fn(Arena) -> Play,
    pub(crate) must: Must,
    /// By how many bytes the memory in use may grow, with what the attackers need for themselves.
    pub(crate) memory: usize,
}

/// Who is attacked. Each has honest peers besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    /// The author of small blocks.
    Writer,
    /// The author of a few small blocks.
    Few,
    /// The author of blocks of 64 KiB.
    Large,
    /// A sparse copy that has every other one of 8192 blocks.
    Comb,
    /// A copy that fetches everything. It begins with some of it.
    Copy,
}

/// What the victim has to do about it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Must {
    /// End each of the attacker's connections with an error that says one of these.
    End(&'static [&'static str]),
    /// Bear it: no connection ends before the attacker leaves.
    Bear,
    /// The one or the other.
    Either,
}

pub(crate) const KIB: usize = 1024;
pub(crate) const MIB: usize = 1024 * KIB;

impl Attack {
    /// An attack on a writer.
    pub(crate) const fn new(name: &'static str, must: Must, play: fn(Arena) -> Play) -> Self {
        Attack {
            name,
            victim: Victim::Writer,
            play,
            must,
            memory: MIB,
        }
    }

    pub(crate) const fn on(mut self, victim: Victim) -> Self {
        self.victim = victim;
        self
    }

    pub(crate) const fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }
}
