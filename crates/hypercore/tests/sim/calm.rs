//! How a world ends: the calm, in which everything arrives, the farewell, and the end of everything.

use std::time::Duration;

use hypercore::{Result, Session};

use crate::{
    check,
    edge::{Edge, Fate, Other, Terms},
    faults::Quality,
    node::Role,
    plan::{Plan, willing},
    world::{Played, World},
};

/// By when everything that is offered must have arrived, once the storm is over.
const CALM: Duration = Duration::from_secs(600);

const SECOND: Duration = Duration::from_secs(1);

impl World {
    /// The storm is over: what is kept is made anew, and everything that is offered arrives.
    pub(crate) fn settle(&mut self) {
        self.calm = true;
        let now = self.sim.now();
        self.tell(|| "calm".to_owned());
        for edge in &mut self.edges {
            let kept = edge.other == Other::Liar || self.peaceful || !self.rng.one_in(5);
            edge.fate = match kept {
                true => Fate::Kept,
                false if self.rng.one_in(2) => Fate::Stuck,
                false => Fate::Gone,
            };
            if let Some(up) = &mut edge.up
                && edge.other != Other::Liar
                && !self.peaceful
            {
                up.cut();
            }
        }
        for node in &mut self.nodes {
            // Some stay as they are: then nothing has to be fetched there, or from there.
            if !self.rng.one_in(4) {
                node.set_uploading(true);
                node.set_downloading(node.role != Role::Writer);
            }
        }
        loop {
            let next = self.sim.now() + SECOND;
            self.run_until(next);
            let unmet = check::unmet(self);
            if unmet.is_empty() {
                break;
            }
            assert!(self.sim.now() < now + CALM, "not granted: {unmet:#?}");
        }
        check::stored(self);
        check::acknowledged(self);
        if self.peaceful {
            check::nothing_twice(self);
        }
    }

    /// Two peers with all there is part by themselves.
    pub(crate) fn farewell(&mut self) {
        for edge in &mut self.edges {
            edge.fate = Fate::Gone;
            if let Some(up) = &mut edge.up {
                up.cut();
            }
        }
        for node in &mut self.nodes {
            node.set_uploading(true);
            node.set_downloading(node.role != Role::Writer);
        }
        let gone = self.sim.now() + Duration::from_secs(40);
        self.run_until(gone);
        let up = self.edges.iter().filter_map(|edge| edge.up.as_ref());
        let up: Vec<&String> = up.map(|up| &up.what).collect();
        assert!(up.is_empty(), "goes on after it was cut: {up:#?}");
        for (one, other, feeds) in check::pairs_that_finish(self) {
            self.part(one, other, &feeds);
        }
    }

    /// Connects two peers for these feeds, which one of them has whole, until both have said all.
    fn part(&mut self, one: usize, other: usize, feeds: &[usize]) {
        let rng = &mut self.rng;
        let writes = |peer: usize| {
            let writer = |feed: &usize| self.nodes[self.feeds[*feed].writer].peer == peer;
            feeds.iter().all(writer)
        };
        // A writer that is live takes nothing, so there is nothing to stay for either.
        let live = [one, other].map(|peer| writes(peer) && rng.one_in(3));
        let quality = Quality::whole(rng);
        let only = match feeds {
            [feed] if rng.one_in(2) => Some(*feed),
            _ => None,
        };
        let plan = match only {
            Some(feed) => Plan::of_one(feed, [willing(rng), willing(rng)]),
            None => Plan::farewell(rng, feeds),
        };
        self.edges.push(Edge::new(one, Other::Peer(other), only));
        let terms = Terms {
            quality,
            live,
            plan,
        };
        let nth = self.edges.len() - 1;
        self.make(nth, terms);
        let mut edge = self.edges.remove(nth);
        let Some(up) = &mut edge.up else { return };
        let limit = self.sim.now() + Duration::from_secs(600);
        loop {
            up.go_on(&self.nodes, self.sim.now());
            if up.is_over(self.sim.now()) {
                break;
            }
            assert!(self.sim.now() < limit, "doesn't finish: {}", up.what);
            let next = up.next_step().unwrap_or(limit);
            let next = next.min(self.sim.now() + SECOND);
            self.run_until(next);
        }
        let finished = |result: &Result<Session>| result.as_ref().is_ok_and(|end| end.finished);
        let results = up.results();
        assert!(results.iter().all(finished), "{results:?}: {}", up.what);
        for feed in feeds {
            check::is_complete(self, one, other, *feed);
        }
    }

    /// All feeds are closed.
    pub(crate) fn end(mut self) -> Played {
        for node in &self.nodes {
            node.close();
        }
        self.sim.run_ready();
        self.look_after_wishes();
        assert!(self.wishes.is_empty(), "waits for a closed feed");
        let now = self.sim.now();
        for edge in &mut self.edges {
            edge.fate = Fate::Gone;
            let peers: Vec<usize> = edge.peers().collect();
            if let Some(up) = &mut edge.up {
                up.hang_up(&mut self.rng);
                for peer in peers {
                    up.must_be_left_by(peer, now);
                }
            }
        }
        self.run_until(now + Duration::from_secs(3));
        // Liars aren't told where a cable is clogged.
        for up in self.edges.iter_mut().filter_map(|edge| edge.up.as_mut()) {
            up.cut();
        }
        self.run_until(now + Duration::from_secs(4));
        let left = self.sim.tasks();
        assert!(
            left.is_empty(),
            "goes on after all feeds are closed: {left:#?}"
        );
        assert_eq!(self.sim.next_timer(), None, "a timer without a task");
        Played {
            feeds: self.feeds.len(),
            copies: self.nodes.len(),
            blocks: self.feeds.iter().map(|feed| feed.blocks.len()).sum(),
            time: self.sim.now(),
            trace: self.sim.trace(),
            most_memory: self.watch.peak(),
            least_left: self.watch.least_left(),
            most_for_each: self.watch.most_for_each(),
        }
    }
}
