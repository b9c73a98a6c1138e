//! What joins two peers of a world: connections, one after the other.

use std::{future::IntoFuture, time::Duration};

use hypercore::{
    Dialect, DialectChoice, Error, PeerError, ProtocolError, ReplicationError, Result, Role,
    Security, Session,
};
use testkit::Rng;

use crate::{
    executor::{Sim, Task},
    faults::Quality,
    liars::{Liar, Lie},
    net::{self, Cable},
    node::{Node, dialect},
};

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Other {
    Peer(usize),
    Liar,
}

/// What becomes of an edge once the storm is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It stays, and everything arrives.
    Kept,
    /// It comes back again and again, and stops answering each time.
    Stuck,
    /// It is gone.
    Gone,
}

pub(crate) struct Edge {
    pub(crate) one: usize,
    pub(crate) other: Other,
    pub(crate) fate: Fate,
    pub(crate) up: Option<Up>,
    /// When it is made again.
    pub(crate) next: Duration,
}

/// A connection.
pub(crate) struct Up {
    pub(crate) cable: Cable,
    pub(crate) what: String,
    pub(crate) quality: Quality,
    /// Each with the peer that it is of.
    ends: Vec<(usize, Task<Result<Session>>)>,
    results: Vec<Result<Session>>,
    judged: bool,
    /// Who has closed his feed, and by when his end has to be over.
    left_by: Vec<(usize, Duration)>,
    liar: Option<Task<()>>,
    /// Whether it was cut, clogged, or one of its feeds closed.
    pub(crate) disturbed: bool,
    pub(crate) cut_at: Option<Duration>,
    pub(crate) clog_at: Option<Duration>,
    /// By when it has to be over, at both ends.
    pub(crate) over_by: Option<Duration>,
}

/// How a connection is made.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) quality: Quality,
    pub(crate) live: [bool; 2],
    /// Whether an end may refuse to give or to take.
    pub(crate) one_sided: bool,
}

/// How long somebody who has said all may wait for the other one to hang up.
const FAREWELL: Duration = Duration::from_secs(2);

/// After one end is over, the other one has so long to notice: the longest silence that is borne.
const NOTICE: Duration = Duration::from_secs(45);

impl Edge {
    pub(crate) fn connect(&mut self, sim: &Sim, rng: &mut Rng, nodes: &[Node], terms: Terms) {
        let Terms {
            quality,
            live,
            one_sided,
        } = terms;
        let (left, right, cable) = net::connect(sim, rng, &quality);
        let spoken = dialect(rng);
        let auto = rng.one_in(4);
        let mut roles = [Role::Initiator, Role::Responder];
        if rng.one_in(2) {
            roles.reverse();
        }
        let security = match rng.below(8) {
            0 if self.other != Other::Liar => Security::Authenticated,
            1 if self.other != Other::Liar => Security::Plain,
            _ => Security::Encrypted,
        };
        let choice = |role| match role {
            Role::Initiator if auto => DialectChoice::Auto,
            _ => DialectChoice::Fixed(spoken),
        };
        let mut ends = Vec::new();
        let mut end = |node: usize, socket, n: usize| {
            let replicate = nodes[node].feed.replicate(roles[n], socket);
            let mut replicate = replicate
                .live(live[n])
                .dialect(choice(roles[n]))
                .security(security)
                .ack(rng.one_in(4));
            if one_sided && rng.one_in(8) {
                replicate = replicate.upload(false);
            }
            if one_sided && rng.one_in(8) {
                replicate = replicate.download(false);
            }
            let task = sim.spawn(format!("a connection of {node}"), replicate.into_future());
            ends.push((node, task));
        };
        end(self.one, left, 0);
        let mut what = format!(
            "{} to {:?}, live: {live:?}, {quality:?}",
            self.one, self.other
        );
        let liar = match self.other {
            Other::Peer(other) => {
                end(other, right, 1);
                None
            }
            Other::Liar => {
                let lie = Lie::any(rng);
                what = format!("{what}, {lie:?}");
                Some(lying(sim, rng, lie, nodes, roles[1], spoken, right))
            }
        };
        self.up = Some(Up {
            cable,
            what,
            quality,
            ends,
            results: Vec::new(),
            judged: false,
            left_by: Vec::new(),
            liar,
            disturbed: false,
            cut_at: None,
            clog_at: None,
            over_by: None,
        });
    }
}

fn lying(
    sim: &Sim,
    rng: &mut Rng,
    lie: Lie,
    nodes: &[Node],
    role: Role,
    dialect: Dialect,
    socket: net::Socket,
) -> Task<()> {
    let liar = Liar::new(sim, rng, lie, &nodes[0].feed, role, dialect);
    sim.spawn(format!("a liar: {lie:?}"), liar.run(socket))
}

impl Up {
    /// Takes it away from both ends.
    pub(crate) fn cut(&mut self) {
        self.disturbed = true;
        self.cable.cut();
    }

    /// Drops the future of one end: its feed is left by the connection as if that had never been.
    pub(crate) fn abandon(&mut self, rng: &mut Rng) {
        self.disturbed = true;
        let nth = rng.below(self.ends.len() as u64) as usize;
        self.ends[nth].1.cancel();
    }

    pub(crate) fn clog(&mut self, yes: bool) {
        self.disturbed = true;
        self.cable.clog(yes);
    }

    /// Whether it is over at both ends.
    ///
    /// # Panics
    /// If one end hangs, or ends as it must not.
    pub(crate) fn is_over(&mut self, now: Duration) -> bool {
        for (node, by) in self.left_by.extract_if(.., |(_, by)| *by < now) {
            let mut ends = self.ends.iter().filter(|(of, _)| *of == node);
            let left = ends.all(|(_, end)| end.is_done());
            assert!(
                left,
                "goes on after the feed was closed, by {by:?}: {}",
                self.what
            );
        }
        let over = self.ends.iter().filter(|(_, end)| end.is_done()).count();
        if over > 0 && self.over_by.is_none() {
            self.over_by = Some(now + NOTICE);
        }
        if over < self.ends.len() {
            let late = self.over_by.is_some_and(|by| by < now);
            assert!(!late, "one end doesn't end, at {now:?}: {}", self.what);
            return false;
        }
        if !std::mem::replace(&mut self.judged, true) {
            self.results = self.ends.iter().filter_map(|(_, end)| end.take()).collect();
            self.judge(now);
        }
        self.liar.as_ref().is_none_or(Task::is_done)
    }

    /// A peer has closed its feed: its end is over, whatever the other one does. Only one that has said all may wait for the
    /// other to hang up.
    pub(crate) fn must_be_left_by(&mut self, node: usize, now: Duration) {
        for (_, end) in self.ends.iter().filter(|(of, _)| *of == node) {
            self.disturbed = true;
            if !end.is_done() {
                self.left_by.push((node, now + FAREWELL));
            }
        }
    }

    /// The results, once it is over.
    pub(crate) fn results(&self) -> &[Result<Session>] {
        &self.results
    }

    fn judge(&self, now: Duration) {
        let honest = self.liar.is_none();
        for result in &self.results {
            let fine = match result {
                Ok(_) | Err(Error::Closed) => true,
                Err(Error::Peer(_)) if !honest || !self.quality.is_true() => true,
                Err(Error::Connection(_)) => self.was_disturbed() || !honest || self.failed(),
                Err(Error::Peer(error)) => self.was_disturbed() && is_loss(error),
                Err(_) => false,
            };
            assert!(fine, "{:?} at {now:?}: {}", self.results, self.what);
        }
    }

    fn was_disturbed(&self) -> bool {
        self.disturbed || self.quality.is_bad()
    }

    /// Whether an end has failed otherwise than by its socket, so that the other may find its own broken.
    fn failed(&self) -> bool {
        let mut results = self.results.iter();
        results.any(|result| matches!(result, Err(Error::Closed | Error::Peer(_))))
    }
}

/// Whether an honest peer may be given up for this, if bytes are lost or late.
fn is_loss(error: &PeerError) -> bool {
    match error {
        PeerError::Protocol(error) => matches!(
            error,
            ProtocolError::HandshakeTimeout
                | ProtocolError::OpenTimeout
                | ProtocolError::CloseTimeout
                | ProtocolError::IdleTimeout
                | ProtocolError::FrameTimeout
                | ProtocolError::SendTimeout
                | ProtocolError::HungUp
        ),
        PeerError::Replication(error) => matches!(error, ReplicationError::RequestTimeout { .. }),
        _ => false,
    }
}
