//! Who has to stay outside for a while: those that sent what doesn't verify, by where they came from and by their key.

use std::{collections::BTreeMap, time::Duration};

use super::Network;

/// How many are remembered of each kind. Beyond that, those are let in again whose time is over first.
const MOST: usize = 4096;

/// The bars that are up, each until its time is over.
#[derive(Default)]
pub(super) struct Bars {
    networks: Bar<Network>,
    keys: Bar<[u8; 32]>,
}

struct Bar<K>(BTreeMap<K, Duration>);

impl Bars {
    pub(super) fn put_up(
        &mut self,
        now: Duration,
        until: Duration,
        network: Option<Network>,
        key: Option<[u8; 32]>,
    ) {
        if let Some(network) = network {
            self.networks.insert(now, until, network);
        }
        if let Some(key) = key {
            self.keys.insert(now, until, key);
        }
    }

    pub(super) fn keep_out(&self, now: Duration, network: Network) -> bool {
        self.networks.contains(now, &network)
    }

    pub(super) fn know(&self, now: Duration, key: &[u8; 32]) -> bool {
        self.keys.contains(now, key)
    }
}

impl<K: Ord + Copy> Bar<K> {
    fn insert(&mut self, now: Duration, until: Duration, who: K) {
        self.0.insert(who, until);
        if self.0.len() > MOST {
            self.0.retain(|_, until| *until > now);
        }
        if self.0.len() > MOST {
            let first = self.0.iter().min_by_key(|(_, until)| **until);
            if let Some(first) = first.map(|(who, _)| *who) {
                self.0.remove(&first);
            }
        }
    }

    fn contains(&self, now: Duration, who: &K) -> bool {
        self.0.get(who).is_some_and(|until| now < *until)
    }
}

impl<K> Default for Bar<K> {
    fn default() -> Self {
        Bar(BTreeMap::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_up_for_its_time() {
        let mut bars = Bars::default();
        let at = Duration::from_secs;
        bars.put_up(at(1), at(11), Some(Network(7)), Some([7; 32]));
        for (now, up) in [(1, true), (10, true), (11, false), (100, false)] {
            assert_eq!(bars.keep_out(at(now), Network(7)), up);
            assert_eq!(bars.know(at(now), &[7; 32]), up);
        }
        assert!(!bars.keep_out(at(1), Network(8)) && !bars.know(at(1), &[8; 32]));
    }

    #[test]
    fn so_many_are_remembered_those_that_came_last() {
        let mut bars = Bars::default();
        let at = Duration::from_secs;
        for n in 0..3 * MOST as u64 {
            bars.put_up(at(n), at(n + 1_000_000), Some(Network(n.into())), None);
        }
        assert_eq!(bars.networks.0.len(), MOST);
        let up = |n: usize| bars.keep_out(at(20_000), Network(n as u128));
        assert!(!up(2 * MOST - 1) && up(2 * MOST) && up(3 * MOST - 1));
        // Those whose time is over make room first.
        bars.put_up(at(2_000_000), at(2_000_001), Some(Network(0)), None);
        assert_eq!(bars.networks.0.len(), 1);
    }
}
