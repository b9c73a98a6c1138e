//! What joins two peers of a world: connections, one after the other.

use std::time::Duration;

use hypercore::{
    ConnectionHandle, Error, FeedOptions, PeerError, ProtocolError, ReplicationError, Result, Role,
    Security, Session,
};
use testkit::{Rng, Sim, Task};

use crate::{
    chat::Chat,
    ends::{End, Manner, Scene, copy_at},
    faults::Quality,
    liars::{Liar, Lie, Pushing},
    net::{self, Cable},
    node::{Node, dialect},
    plan::{Plan, Step, What},
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
    /// The one feed that it is for; none if it carries all that the two have in common.
    pub(crate) only: Option<usize>,
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
    /// Who is at the ends, a liar not counted.
    pub(crate) ends: Vec<End>,
    results: Vec<Result<Session>>,
    judged: bool,
    /// Who has closed his feed, and by when his end has to be over.
    left_by: Vec<(usize, Duration)>,
    liar: Option<Task<()>>,
    /// If the liar pushes.
    pub(crate) pushing: Option<Pushing>,
    /// What the ends say to one another beside their feeds, if both are for any number of feeds.
    chat: Option<Chat>,
    /// What the ends will do with feeds, by time.
    steps: Vec<Step>,
    /// Whether it was cut, clogged, or one of its feeds closed.
    pub(crate) disturbed: bool,
    /// Whether an end was told to hang up.
    hung_up: bool,
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
    pub(crate) plan: Plan,
}

/// How long somebody who has said all may wait for the other one to hang up.
const FAREWELL: Duration = Duration::from_secs(2);

/// After one end is over, the other one has so long to notice: the longest silence that is borne.
const NOTICE: Duration = Duration::from_secs(45);

impl Edge {
    pub(crate) fn new(one: usize, other: Other, only: Option<usize>) -> Self {
        Edge {
            one,
            other,
            only,
            fate: Fate::Kept,
            up: None,
            next: Duration::ZERO,
        }
    }

    /// The peers that it joins, without a liar.
    pub(crate) fn peers(&self) -> impl Iterator<Item = usize> {
        let other = match self.other {
            Other::Peer(other) => Some(other),
            Other::Liar => None,
        };
        [Some(self.one), other].into_iter().flatten()
    }

    /// Whether a feed can be exchanged over it.
    pub(crate) fn carries(&self, feed: usize) -> bool {
        self.only.is_none_or(|only| only == feed)
    }

    /// Which of its two ends have each feed; a liar has all.
    pub(crate) fn shares(&self, nodes: &[Node], feeds: usize) -> Vec<[bool; 2]> {
        let has = |peer, feed| copy_at(nodes, peer, feed).is_some();
        let shares = (0..feeds).map(|feed| match self.other {
            Other::Peer(other) => [has(self.one, feed), has(other, feed)],
            Other::Liar => [has(self.one, feed), true],
        });
        shares.collect()
    }

    pub(crate) fn connect(&mut self, scene: &Scene<'_>, rng: &mut Rng, terms: Terms) {
        let Terms {
            quality,
            live,
            plan,
        } = terms;
        let sim = scene.sim;
        let (left, right, cable) = net::connect(sim, rng, &quality);
        let mut roles = [Role::Initiator, Role::Responder];
        if rng.one_in(2) {
            roles.reverse();
        }
        let manner = Manner {
            spoken: dialect(rng),
            auto: rng.one_in(4),
            security: match rng.below(8) {
                0 if self.other != Other::Liar => Security::Authenticated,
                1 if self.other != Other::Liar => Security::Plain,
                _ => Security::Encrypted,
            },
            live,
            roles,
        };
        let mut what = format!(
            "{} to {:?}, feed {:?}, live: {live:?}, {quality:?}",
            self.one, self.other, self.only
        );
        let mut ends = Vec::new();
        let (mut liar, mut pushing, mut sockets) = (None, None, vec![left]);
        match self.other {
            Other::Peer(_) => sockets.push(right),
            Other::Liar => {
                let lie = Lie::any(rng);
                what = format!("{what}, {lie:?}");
                let here = scene.nodes.iter().filter(|node| node.peer == self.one);
                let here: Vec<usize> = here.map(|node| node.copy_of).collect();
                let any = here[rng.below(here.len() as u64) as usize];
                let truth = scene.source(rng, lie, self.only.unwrap_or(any), self.one);
                let liar_of = Liar::new(sim, rng, lie, &truth, roles[1], manner.spoken);
                pushing = liar_of.pushes();
                liar = Some(sim.spawn(format!("a liar: {lie:?}"), liar_of.run(right)));
            }
        }
        for ((n, peer), socket) in self.peers().enumerate().zip(sockets) {
            ends.push(match self.only {
                Some(feed) => scene.one(rng, &manner, (n, peer), feed, &plan, socket),
                None => scene.many(rng, &manner, (n, peer), &plan, socket),
            });
        }
        let mut steps = plan.steps.clone();
        let hung_up = steps
            .iter()
            .any(|step| step.at.is_zero() && step.what.hangs_up());
        steps.retain(|step| {
            self.only.is_none() && step.at > Duration::ZERO && step.end < ends.len()
        });
        steps.iter_mut().for_each(|step| step.at += sim.now());
        what = format!("{what}, asked: {:?}", plan.on_demand);
        let chat = handles(&ends).map(|handles| Chat::new(sim, rng, handles));
        self.up = Some(Up {
            cable,
            what,
            quality,
            ends,
            results: Vec::new(),
            judged: false,
            left_by: Vec::new(),
            liar,
            pushing,
            chat,
            steps,
            disturbed: false,
            hung_up,
            cut_at: None,
            clog_at: None,
            over_by: None,
        });
    }
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
        self.ends[nth].task.cancel();
    }

    /// Drops the futures of all ends.
    pub(crate) fn abandon_all(&mut self) {
        self.disturbed = true;
        self.ends.iter().for_each(|end| end.task.cancel());
    }

    /// Ends it at all ends that are for any number of feeds.
    pub(crate) fn hang_up_all(&mut self) {
        self.hung_up = true;
        let handles = self.ends.iter().filter_map(|end| end.handle.as_ref());
        handles.for_each(|handle| handle.hang_up());
    }

    /// Ends it at one end, if that is for any number of feeds.
    pub(crate) fn hang_up(&mut self, rng: &mut Rng) {
        let nth = rng.below(self.ends.len() as u64) as usize;
        if let Some(handle) = &self.ends[nth].handle {
            self.hung_up = true;
            handle.hang_up();
        }
    }

    /// Takes the steps that are due. Says whether there were any.
    pub(crate) fn go_on(&mut self, nodes: &[Node], now: Duration) -> bool {
        let due = self.steps.iter().take_while(|step| step.at <= now).count();
        for step in self.steps.drain(..due) {
            self.hung_up |= step.what.hangs_up();
            self.ends[step.end].obey(step.what, nodes);
        }
        due > 0
    }

    /// The ends say something to one another beside their feeds.
    pub(crate) fn chat(&mut self, sim: &Sim, rng: &mut Rng) {
        if let (Some(chat), Some(handles)) = (&mut self.chat, handles(&self.ends)) {
            chat.go_on(sim, rng, handles);
        }
    }

    /// The same, under every name that they have.
    pub(crate) fn last_words(&mut self) {
        self.chat.iter_mut().for_each(Chat::last_words);
    }

    /// # Panics
    /// If what the ends have heard from one another isn't what they said.
    pub(crate) fn judge_chat(&self) {
        if let Some(chat) = self.chat.as_ref().filter(|_| self.quality.is_true()) {
            chat.judge(self.is_untouched(), &self.what);
        }
    }

    /// When the next step is due.
    pub(crate) fn next_step(&self) -> Option<Duration> {
        self.steps.first().map(|step| step.at)
    }

    /// A peer adds a feed, at a time.
    pub(crate) fn add_later(&mut self, peer: usize, feed: usize, at: Duration) {
        for end in (0..self.ends.len()).filter(|end| self.ends[*end].peer == peer) {
            let what = What::Add(feed, FeedOptions::default());
            self.steps.push(Step { at, end, what });
        }
        self.steps.sort_by_key(|step| step.at);
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
            let mut ends = self.ends.iter().filter(|end| end.peer == node);
            let left = ends.all(|end| end.task.is_done());
            assert!(
                left,
                "goes on after the feed was closed, by {by:?}: {}",
                self.what
            );
        }
        let over = self.ends.iter().filter(|end| end.task.is_done()).count();
        if over > 0 && self.over_by.is_none() {
            self.over_by = Some(now + NOTICE);
        }
        if over < self.ends.len() {
            let late = self.over_by.is_some_and(|by| by < now);
            assert!(!late, "one end doesn't end, at {now:?}: {}", self.what);
            return false;
        }
        if !std::mem::replace(&mut self.judged, true) {
            self.results = self.ends.iter().filter_map(|end| end.task.take()).collect();
            self.judge(now);
            self.judge_chat();
        }
        self.liar.as_ref().is_none_or(Task::is_done)
    }

    /// A peer has closed a feed. If the connection is for that one, its end is over, whatever the other one does; only one that
    /// has said all may wait for the other to hang up. If it is for many, it goes on.
    pub(crate) fn must_be_left_by(&mut self, peer: usize, now: Duration) {
        for end in self.ends.iter().filter(|end| end.peer == peer) {
            if end.handle.is_some() {
                continue;
            }
            self.disturbed = true;
            if !end.task.is_done() {
                self.left_by.push((peer, now + FAREWELL));
            }
        }
    }

    /// Whether nothing has happened to it since it was made.
    pub(crate) fn is_untouched(&self) -> bool {
        let up = self.ends.iter().all(|end| !end.task.is_done());
        up && !self.disturbed && !self.hung_up
    }

    /// The results, once it is over.
    pub(crate) fn results(&self) -> &[Result<Session>] {
        &self.results
    }

    fn judge(&self, now: Duration) {
        let honest = self.liar.is_none();
        for result in &self.results {
            let fine = match result {
                Ok(_) => true,
                // The feed that it was for.
                Err(Error::Closed) => self.is_for_one(),
                Err(Error::Peer(_)) if !honest || !self.quality.is_true() => true,
                Err(Error::Connection(_)) => self.was_disturbed() || !honest || self.failed(),
                // During the handshake that is no way to part.
                Err(Error::Peer(PeerError::Protocol(ProtocolError::HungUp))) if self.hung_up => {
                    true
                }
                Err(Error::Peer(error)) => self.was_disturbed() && is_loss(error),
                Err(_) => false,
            };
            assert!(fine, "{:?} at {now:?}: {}", self.results, self.what);
        }
    }

    fn is_for_one(&self) -> bool {
        self.ends.iter().all(|end| end.handle.is_none())
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

/// The handles of both ends, if they have some.
fn handles(ends: &[End]) -> Option<[&ConnectionHandle; 2]> {
    match ends {
        [one, other] => Some([one.handle.as_ref()?, other.handle.as_ref()?]),
        _ => None,
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
        PeerError::Replication(error) => matches!(
            error,
            ReplicationError::RequestTimeout { .. } | ReplicationError::WantTimeout
        ),
        _ => false,
    }
}
