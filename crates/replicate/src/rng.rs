//! The randomness of one replicator: wholly determined by [`Config::seed`](crate::Config::seed), so that a run can be repeated.

/// SplitMix64. It spreads requests; nothing secret may depend on it.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Rng(seed)
    }

    /// A number below `bound`, or zero if `bound` is zero.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((z as u128 * bound as u128) >> 64) as u64
    }
}

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
}
