//! The randomness of one replicator: wholly determined by [`Config::seed`](crate::Config::seed), so that a run can be repeated.

/// SplitMix64. It spreads requests; nothing secret may depend on it.
#[derive(Clone, Debug)]
pub(crate) struct Rng {
    state: u64,
    place: u64,
}

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        let mut rng = Rng {
            state: seed,
            place: 0,
        };
        rng.place = rng.below(u64::MAX);
        rng
    }

    /// A place below `bound` that is far from those that were drawn last, or zero if `bound` is zero: the fractions of the
    /// multiples of the golden ratio, of which any number in a row lie apart from one another.
    pub(crate) const fn apart(&mut self, bound: u64) -> u64 {
        self.place = self.place.wrapping_add(GOLDEN);
        ((self.place as u128 * bound as u128) >> 64) as u64
    }

    /// A number below `bound`, or zero if `bound` is zero.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((z as u128 * bound as u128) >> 64) as u64
    }
}

/// The golden ratio's fraction of 2^64.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn stays_below_the_bound_and_repeats_by_seed() {
        let (mut a, mut b) = (Rng::new(7), Rng::new(7));
        let drawn: alloc::vec::Vec<u64> = (0..100).map(|_| a.below(10)).collect();
        assert!(drawn.iter().all(|&n| n < 10));
        assert!((0..10).all(|n| drawn.contains(&n)));
        assert!(drawn.iter().all(|&n| n == b.below(10)));
        assert_eq!(a.below(0), 0);
    }

    #[test]
    fn places_in_a_row_lie_apart() {
        let mut rng = Rng::new(3);
        let places: alloc::vec::Vec<u64> = (0..1000).map(|_| rng.apart(1 << 20)).collect();
        for some in places.windows(32) {
            let mut some = some.to_vec();
            some.sort_unstable();
            let gaps = some.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(gaps.min() > Some((1 << 20) / 100));
        }
        assert_eq!(rng.apart(0), 0);
    }
}
