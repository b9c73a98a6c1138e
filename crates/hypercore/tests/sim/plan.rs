//! When the two ends of a connection add and remove feeds.
//!
//! In the storm anything goes. In the calm each feed that both peers have is to be on the connection in the end, although they
//! come to that in different ways: both before the start, one after the other in time, one of them only when asked. Feeds that one
//! of them doesn't have are tried all the same.

use std::time::Duration;

use hypercore::FeedOptions;
use testkit::Rng;

use crate::faults::millis;

/// What an end of a connection does, and when after the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) at: Duration,
    pub(crate) end: usize,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Add(usize, FeedOptions),
    Remove(usize),
    /// By its name, whoever has it.
    Close(usize),
    Ping,
    /// The silence that is borne, in seconds: more than the other end is ever silent.
    SetTimeout(u64),
    /// Keeps it from ending, and no longer.
    Hold,
    LetGo,
    Finish,
    HangUp,
}

impl What {
    /// Whether it may end the connection, even while that begins.
    pub(crate) fn hangs_up(self) -> bool {
        matches!(self, What::HangUp | What::Finish)
    }
}

/// The steps of both ends, and which of them open feeds when asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Those at no time at all come before the start.
    pub(crate) steps: Vec<Step>,
    pub(crate) on_demand: [bool; 2],
}

/// By when feeds that both ends add have to be there on either, so that neither is told that it isn't shared: somewhat less than
/// the facade waits.
const TOGETHER: u64 = 1_900;

impl Plan {
    /// One feed from the beginning to the end.
    pub(crate) fn of_one(feed: usize, options: [FeedOptions; 2]) -> Self {
        let mut plan = Plan::default();
        for (end, options) in options.into_iter().enumerate() {
            plan.push(0, end, What::Add(feed, options));
        }
        plan
    }

    /// Brings all feeds that both ends have onto the connection. `has` says who has which, and `peaceful` that nothing is taken
    /// off again, which may cost a block that is under way.
    pub(crate) fn calm(rng: &mut Rng, has: &[[bool; 2]], peaceful: bool) -> Self {
        let on_demand = [rng.one_in(2), rng.one_in(2)];
        let mut plan = Plan {
            on_demand,
            ..Plan::default()
        };
        for (feed, has) in has.iter().enumerate() {
            let late = rng.below(6_000);
            match has {
                [true, true] => {
                    plan.meet(rng, feed, late);
                    // Removed by one, who adds it again: the other one has to be asked.
                    if !peaceful && plan.on_demand == [true, true] && rng.one_in(3) {
                        plan.part(rng, feed, late);
                    }
                }
                [false, false] => {}
                _ if rng.one_in(2) => {
                    let at = if rng.one_in(2) { 0 } else { late };
                    plan.add(rng, at, usize::from(has[1]), feed);
                }
                _ => {}
            }
        }
        for end in 0..2 {
            plan.push(rng.below(6_000), end, What::Ping);
        }
        plan
    }

    /// All feeds from the beginning on, except some that come while both ends hold the connection.
    pub(crate) fn farewell(rng: &mut Rng, feeds: &[usize]) -> Self {
        let mut plan = Plan::default();
        let mut last = 0;
        for &feed in feeds {
            let late = if rng.one_in(3) { rng.below(9_000) } else { 0 };
            last = last.max(late);
            for end in 0..2 {
                plan.add(rng, late, end, feed);
            }
        }
        for end in (0..2).filter(|_| last > 0) {
            plan.push(0, end, What::Hold);
            plan.push(last, end, What::LetGo);
        }
        plan
    }

    /// Adds and removes at random.
    pub(crate) fn storm(rng: &mut Rng, has: &[[bool; 2]]) -> Self {
        let on_demand = [rng.one_in(2), rng.one_in(2)];
        let mut plan = Plan {
            on_demand,
            ..Plan::default()
        };
        for (feed, has) in has.iter().enumerate() {
            for end in (0..2).filter(|end| has[*end]) {
                for _ in 0..rng.below(4) {
                    let at = if rng.one_in(2) { 0 } else { rng.below(20_000) };
                    let what = match rng.below(4) {
                        0 => What::Remove(feed),
                        _ => What::Add(feed, any_options(rng)),
                    };
                    plan.push(at, end, what);
                }
            }
        }
        for end in 0..2 {
            if rng.one_in(3) {
                plan.push(rng.below(100), end, What::Hold);
                plan.push(rng.below(20_000), end, What::LetGo);
            }
            for what in [What::Ping, What::SetTimeout(15 + rng.below(20))] {
                if rng.one_in(3) {
                    plan.push(rng.below(20_000), end, what);
                }
            }
            let feed = rng.below(has.len() as u64) as usize;
            for what in [What::HangUp, What::Finish, What::Close(feed)] {
                if rng.one_in(6) {
                    plan.push(rng.below(30_000), end, what);
                }
            }
        }
        plan
    }

    /// Both have a feed, and are to have it on the connection.
    fn meet(&mut self, rng: &mut Rng, feed: usize, late: u64) {
        let asked = match self.on_demand {
            [true, true] => Some(rng.below(2) as usize),
            [true, false] => Some(0),
            [false, true] => Some(1),
            _ => None,
        };
        match asked.filter(|_| rng.one_in(2)) {
            Some(asked) => self.add(rng, late, 1 - asked, feed),
            None => {
                let start = if rng.one_in(2) { 0 } else { late };
                for end in 0..2 {
                    let at = start + rng.below(TOGETHER);
                    self.add(rng, if start == 0 { 0 } else { at }, end, feed);
                }
            }
        }
    }

    /// One removes a feed and adds it again.
    fn part(&mut self, rng: &mut Rng, feed: usize, late: u64) {
        let end = rng.below(2) as usize;
        let gone = late + 2_000 + rng.below(4_000);
        self.push(gone, end, What::Remove(feed));
        let again = gone + if rng.one_in(2) { 0 } else { rng.below(3_000) };
        self.add(rng, again, end, feed);
    }

    fn add(&mut self, rng: &mut Rng, at: u64, end: usize, feed: usize) {
        let options = willing(rng);
        self.push(at, end, What::Add(feed, options));
    }

    fn push(&mut self, at: u64, end: usize, what: What) {
        let at = millis(at);
        self.steps.push(Step { at, end, what });
        // Those of one moment in the order in which they were thought of.
        self.steps.sort_by_key(|step| step.at);
    }
}

/// Options of an end that gives and takes.
pub(crate) fn willing(rng: &mut Rng) -> FeedOptions {
    let mut options = FeedOptions::default();
    options.ack = rng.one_in(4);
    options.max_requests = rng.one_in(4).then(|| 1 + rng.below(40) as usize);
    options
}

/// Options of an end that may refuse to.
pub(crate) fn any_options(rng: &mut Rng) -> FeedOptions {
    let mut options = willing(rng);
    options.upload = !rng.one_in(8);
    options.download = !rng.one_in(8);
    options
}
