//! Who has to stay outside for a while: addresses from which something came that doesn't verify.
//!
//! Not the keys of those who sent it. A handshake shows whose key it is, but the bytes behind it have no tag, so whoever sits on
//! the line of an honest peer could have its key turned away everywhere.

use std::{collections::BTreeMap, time::Duration};

use super::Network;

/// How many are remembered. Beyond that, those are let in again whose time is over first.
const MOST: usize = 4096;

/// The bars that are up, each until its time is over.
#[derive(Default)]
pub(super) struct Bars(BTreeMap<Network, Duration>);

impl Bars {
    pub(super) fn put_up(&mut self, now: Duration, until: Duration, network: Network) {
        self.0.insert(network, until);
        if self.0.len() > MOST {
            self.0.retain(|_, until| *until > now);
        }
        if self.0.len() > MOST {
            let first = self.0.iter().min_by_key(|(_, until)| **until);
            if let Some(first) = first.map(|(network, _)| *network) {
                self.0.remove(&first);
            }
        }
    }

    pub(super) fn keep_out(&self, now: Duration, network: Network) -> bool {
        self.0.get(&network).is_some_and(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_up_for_its_time() {
        let mut bars = Bars::default();
        let at = Duration::from_secs;
        bars.put_up(at(1), at(11), Network(7));
        for (now, up) in [(1, true), (10, true), (11, false), (100, false)] {
            assert_eq!(bars.keep_out(at(now), Network(7)), up);
        }
        assert!(!bars.keep_out(at(1), Network(8)));
    }

    #[test]
    fn so_many_are_remembered_those_that_came_last() {
        let mut bars = Bars::default();
        let at = Duration::from_secs;
        for n in 0..3 * MOST as u64 {
            bars.put_up(at(n), at(n + 1_000_000), Network(n.into()));
        }
        assert_eq!(bars.0.len(), MOST);
        let up = |n: usize| bars.keep_out(at(20_000), Network(n as u128));
        assert!(!up(2 * MOST - 1) && up(2 * MOST) && up(3 * MOST - 1));
        // Those whose time is over make room first.
        bars.put_up(at(2_000_000), at(2_000_001), Network(0));
        assert_eq!(bars.0.len(), 1);
    }
}
