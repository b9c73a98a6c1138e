//! The two ends of a connection that carries any feeds.

use async_std::task::{self, JoinHandle};
use hypercore::{Connection, Result, Role, Session};

use crate::duplex::duplex;

/// Two ends that are about to be given feeds; the first is the initiator.
pub(crate) fn ends() -> [Connection; 2] {
    [Role::Initiator, Role::Responder].map(Connection::new)
}

/// Runs two ends against one another.
pub(crate) fn run(ends: [Connection; 2]) -> [JoinHandle<Result<Session>>; 2] {
    let (left, right) = duplex(16 * 1024);
    let [a, b] = ends;
    [task::spawn(a.run(left)), task::spawn(b.run(right))]
}
