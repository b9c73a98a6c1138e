//! How a world ends: the calm, in which everything arrives, the farewell, and the end of everything.

use std::time::Duration;

use hypercore::{Result, Session};

use crate::{
    agree, check,
    edge::{Edge, Fate, Other, Terms, Up},
    faults::{Quality, millis},
    node::Role,
    plan::{Plan, willing},
    probe,
    talk::Talk,
    world::{Played, World},
};

/// By when everything that is offered must have arrived, once the storm is over.
const CALM: Duration = Duration::from_secs(600);

/// How long the last bytes may be under way.
const HUSH: Duration = Duration::from_secs(20);

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
        // Connections stay from now on, but nobody rests yet.
        for _ in 0..self.rng.below(30) {
            let pause = [3, 40, 1_000][self.rng.below(3) as usize];
            let next = self.sim.now() + millis(self.rng.below(pause));
            self.run_until(next);
            self.stir();
        }
        for node in &mut self.nodes {
            node.exchange_with_all();
            // Some stay as they are: then nothing has to be fetched there, or from there.
            if !self.rng.one_in(4) {
                node.set_uploading(true);
                node.set_downloading(node.role != Role::Writer);
            }
        }
        self.wait_for_all(now + CALM);
        check::stored(self);
        if self.peaceful {
            check::nothing_twice(self);
        }
        self.hush();
    }

    /// Lets time pass until everything is there that is offered.
    fn wait_for_all(&mut self, limit: Duration) {
        loop {
            let next = self.sim.now() + SECOND;
            self.run_until(next);
            let unmet = check::unmet(self);
            if unmet.is_empty() {
                return;
            }
            if self.sim.now() >= limit {
                self.describe();
            }
            assert!(self.sim.now() < limit, "not granted: {unmet:#?}");
        }
    }

    /// Tells how everybody is.
    pub(crate) fn describe(&self) {
        if !self.aloud {
            return;
        }
        for (n, node) in self.nodes.iter().enumerate() {
            let (feed, role, peer) = (node.copy_of, node.role, node.peer);
            let (gives, takes) = (node.uploading, node.downloading);
            eprintln!("{n} is feed {feed} at {peer}, {role:?}, gives: {gives}, takes: {takes}");
            eprintln!("    lacks {:?}", node.feed.missing(..));
            eprintln!("    {:?}", node.feed.stats());
            for other in node.feed.peers() {
                eprintln!("    {other:?} {:?}", other.info());
            }
        }
    }

    /// Nothing is under way any more: everybody knows what there is to know.
    fn hush(&mut self) {
        let hush = self.sim.now() + HUSH;
        self.run_until(hush);
        if let Some(talk) = &mut self.talk {
            talk.last_words(&self.nodes, &self.edges);
        }
        let ups = self.edges.iter_mut().filter_map(|edge| edge.up.as_mut());
        ups.for_each(Up::last_words);
        let hush = self.sim.now() + HUSH;
        self.run_until(hush);
        if let Some(talk) = &self.talk {
            talk.judge(&self.nodes, &self.edges);
        }
        let ups = self.edges.iter().filter_map(|edge| edge.up.as_ref());
        ups.for_each(Up::judge_chat);
        agree::ends(self);
        check::acknowledged(self);
        check::pushed(self);
        for _ in 0..self.rng.below(12) {
            self.probe();
        }
        let limit = self.sim.now() + CALM;
        self.wait_for_all(limit);
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
        self.tell(|| format!("{results:?}: {}", up.what));
        for feed in feeds {
            check::is_complete(self, one, other, *feed);
        }
    }

    /// Everything is closed, in one way or another, and nothing is left.
    pub(crate) fn end(mut self) -> Played {
        match self.rng.below(4) {
            0 => self.lose_all_connections(),
            1 => return self.stop(),
            _ => {}
        }
        self.close_all();
        let now = self.sim.now();
        for edge in &mut self.edges {
            edge.fate = Fate::Gone;
            let peers: Vec<usize> = edge.peers().collect();
            if let Some(up) = &mut edge.up {
                up.hang_up_all();
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
        self.played()
    }

    /// All feeds are closed: whoever waits is told so before time passes.
    fn close_all(&mut self) {
        for node in &self.nodes {
            node.close();
        }
        self.sim.run_ready();
        self.look_after_wishes();
        assert!(self.wishes.is_empty(), "waits for a closed feed");
        for n in 0..self.nodes.len() {
            probe::closed(&self.nodes[n].feed);
            if let Some(talk) = &mut self.talk {
                talk.closed(n);
            }
        }
    }

    /// All futures of connections are dropped at once: whoever waits only as long as there is hope is told that there is none.
    fn lose_all_connections(&mut self) {
        for edge in &mut self.edges {
            edge.fate = Fate::Gone;
            if let Some(up) = &mut edge.up {
                up.abandon_all();
            }
        }
        self.sim.run_ready();
        self.look_after_wishes();
        for node in &self.nodes {
            assert_eq!(node.feed.peers(), [], "a peer without a connection");
        }
        let mut wishes = self.wishes.iter();
        let hopes = wishes.find(|wished| wished.gives_up());
        assert!(hopes.is_none(), "hopes: {:?}", hopes.map(|w| &w.wish));
    }

    /// The runtime stops: all that was running is dropped where it stands.
    fn stop(self) -> Played {
        self.sim.stop();
        assert_eq!(self.sim.next_timer(), None, "a timer without a task");
        for node in &self.nodes {
            assert_eq!(node.feed.peers(), [], "a peer without a connection");
            node.close();
            probe::closed(&node.feed);
        }
        self.played()
    }

    fn played(self) -> Played {
        let played = Played {
            feeds: self.feeds.len(),
            copies: self.nodes.len(),
            blocks: self.feeds.iter().map(|feed| feed.blocks.len()).sum(),
            heard: self.talk.as_ref().map_or(0, Talk::heard),
            time: self.sim.now(),
            trace: self.sim.trace(),
            most_memory: self.watch.peak(),
            least_left: self.watch.least_left(),
            most_for_each: self.watch.most_for_each(),
        };
        let watch = self.watch;
        drop(self);
        watch.nothing_is_left();
        played
    }
}
