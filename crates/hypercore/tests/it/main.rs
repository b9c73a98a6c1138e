//! The facade, through its public face: local feeds, pairs of peers over pipes in memory, and peers that lie.

mod duplex;
mod hostile;
mod local;
mod pair;
mod relay;
