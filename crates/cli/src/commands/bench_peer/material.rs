//! What is appended and what is asked for: the same in every program that takes part.

use bytes::Bytes;

/// Marsaglia's xorshift of 32 bits.
pub(super) struct Xorshift(u32);

impl Xorshift {
    /// Zero, which would stay zero, stands for another seed.
    pub(super) fn new(seed: u32) -> Self {
        match seed {
            0 => Xorshift(0x9e37_79b9),
            seed => Xorshift(seed),
        }
    }

    pub(super) fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// A block of a feed.
    pub(super) fn block(&mut self, length: u64) -> u64 {
        u64::from(self.next()) % length.max(1)
    }

    /// A byte of a feed, computed as floating-point numbers are in JavaScript.
    pub(super) fn byte(&mut self, bytes: u64) -> u64 {
        (f64::from(self.next()) / 4_294_967_296.0 * bytes as f64) as u64
    }
}

/// Blocks of one size, cut out of one pool: copies cost nothing.
#[derive(Clone)]
pub(super) struct Blocks {
    pool: Bytes,
    size: usize,
}

impl Blocks {
    pub(super) fn new(size: usize) -> Self {
        let mut words = Xorshift::new(0);
        let mut pool = Vec::with_capacity(POOL + size + 4);
        while pool.len() < POOL + size {
            pool.extend(words.next().to_le_bytes());
        }
        Blocks {
            pool: pool.into(),
            size,
        }
    }

    pub(super) fn get(&self, nth: u64) -> Bytes {
        let start = (nth * 4099 % POOL as u64) as usize;
        self.pool.slice(start..start + self.size)
    }
}

const POOL: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::{Blocks, Xorshift};

    #[test]
    fn numbers_and_blocks_are_those_of_the_contract() {
        let mut numbers = Xorshift::new(1);
        assert_eq!(
            [(); 3].map(|()| numbers.next()),
            [270_369, 67_634_689, 2_647_435_461]
        );
        let blocks = Blocks::new(8);
        let first = Xorshift::new(0).next().to_le_bytes();
        assert_eq!(blocks.get(0)[..4], first);
        assert_eq!(blocks.get(1 << 20), blocks.get(0));
        assert_eq!(blocks.get(1)[..7], blocks.pool[4099..4106]);
    }
}
