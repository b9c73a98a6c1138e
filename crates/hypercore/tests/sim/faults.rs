//! What one cable does to what goes through it.

use std::{ops::Range, time::Duration};

use testkit::Rng;

/// How a cable behaves, the same in both directions if nothing else is said.
#[derive(Clone, Debug)]
pub(crate) struct Quality {
    /// How long a piece is under way.
    pub(crate) delay: Range<Duration>,
    /// The largest piece, if what is sent is split.
    pub(crate) pieces: Option<usize>,
    /// How many bytes may be under way in a direction.
    pub(crate) capacity: usize,
    /// After how many bytes a direction ends.
    pub(crate) cut_at: [Option<u64>; 2],
    /// The byte of which a bit is flipped.
    pub(crate) flip_at: [Option<u64>; 2],
}

impl Quality {
    /// Nothing is lost, but it may be slow, small and in pieces.
    pub(crate) fn whole(rng: &mut Rng) -> Self {
        // Never none at all: a question that gets no useful answer may be asked again after each round trip.
        let delay = match rng.below(4) {
            0 => millis(1)..millis(1),
            1 => millis(1)..millis(20),
            2 => millis(20)..millis(60),
            _ => millis(10)..millis(200),
        };
        let pieces = match rng.below(4) {
            0 => Some(1 + rng.below(400) as usize),
            1 => Some(4000),
            _ => None,
        };
        let capacity = match rng.below(4) {
            0 => 2_000 + rng.below(4_000) as usize,
            1 => 16 * 1024,
            _ => 256 * 1024,
        };
        // A piece costs memory of ours, however small it is.
        let capacity = pieces.map_or(capacity, |max| capacity.min(max * 1024).max(2_000));
        Quality {
            delay,
            pieces,
            capacity,
            cut_at: [None; 2],
            flip_at: [None; 2],
        }
    }

    /// Quick and roomy.
    pub(crate) fn perfect(rng: &mut Rng) -> Self {
        Quality {
            delay: millis(1)..millis(1 + rng.below(10)),
            capacity: 1024 * 1024,
            pieces: None,
            ..Quality::whole(rng)
        }
    }

    /// Anything may happen.
    pub(crate) fn bad(rng: &mut Rng) -> Self {
        let mut quality = Quality::whole(rng);
        if rng.one_in(6) {
            quality.delay = millis(1)..millis(3_000);
        }
        if rng.one_in(6) {
            quality.capacity = 1 + rng.below(100) as usize;
        }
        let at = |rng: &mut Rng| {
            let most = [130, 700, 5_000, 40_000][rng.below(4) as usize];
            Some(rng.below(most))
        };
        let direction = rng.below(2) as usize;
        match rng.below(6) {
            0 | 1 => quality.cut_at[direction] = at(rng),
            2 => quality.flip_at[direction] = at(rng),
            _ => {}
        }
        quality
    }

    /// Whether it may be cut, or is worse than links between honest peers have to be borne.
    pub(crate) fn is_bad(&self) -> bool {
        self.cut_at != [None; 2] || self.capacity < 2_000 || self.delay.end > millis(200)
    }

    /// Whether every byte arrives as it was sent, up to a cut.
    pub(crate) fn is_true(&self) -> bool {
        self.flip_at == [None; 2]
    }
}

pub(crate) const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}
