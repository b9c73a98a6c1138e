//! The steps of a history, and how they are drawn: ranges like to end where pages and trees do, and to reach too far.

use std::ops::Range;

use testkit::Rng;

/// Which of the two feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Writer,
    Copy,
}

/// How a feed is left before it is opened again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leaving {
    Close,
    /// As by a process that ends: nothing is synced.
    Drop,
}

/// One call, or a few that belong together.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Append {
        max_size: u64,
    },
    Batch {
        count: u64,
        max_size: u64,
    },
    Clear {
        who: Who,
        blocks: Range<u64>,
    },
    /// All blocks of the range that are there, each alone, as a range and as a stream.
    Read {
        who: Who,
        blocks: Range<u64>,
    },
    Seek {
        who: Who,
        byte: u64,
    },
    Bytes {
        range: Range<u64>,
    },
    Audit {
        who: Who,
        deep: bool,
    },
    /// Signature, roots and hash at a block.
    Trust {
        block: u64,
    },
    /// Carries a block, or only its hashes, to the other feed.
    Carry {
        from: Who,
        block: u64,
        hash: bool,
        digest: bool,
    },
    Reopen {
        who: Who,
        leaving: Leaving,
        read_only: bool,
    },
}

/// As far as the lengths decide what makes sense.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lengths {
    pub(crate) writer: u64,
    pub(crate) copy: u64,
    pub(crate) bytes: u64,
}

impl Step {
    /// A step that can be taken. Long histories have batches that fill pages of the bitfield.
    pub(crate) fn draw(rng: &mut Rng, now: Lengths, long: bool) -> Self {
        let who = match rng.one_in(3) {
            true => Who::Copy,
            false => Who::Writer,
        };
        let length = match who {
            Who::Writer => now.writer,
            Who::Copy => now.copy,
        };
        match rng.below(20) {
            0..=2 => Step::Append {
                max_size: size(rng),
            },
            3..=5 => Step::Batch {
                count: match (long, rng.below(3)) {
                    (true, _) => rng.below(4000),
                    (_, 0) => rng.below(200),
                    _ => rng.below(9),
                },
                max_size: if long { 9 } else { size(rng) },
            },
            6 | 7 => Step::Clear {
                who,
                blocks: range(rng, length),
            },
            8 => Step::Read {
                who,
                blocks: range(rng, length),
            },
            9 | 10 => Step::Seek {
                who,
                byte: near(rng, now.bytes),
            },
            11 => {
                let end = rng.below(now.bytes + 1);
                Step::Bytes {
                    range: rng.below(end + 1)..end,
                }
            }
            12 => Step::Audit {
                who,
                deep: rng.one_in(2),
            },
            13 if now.writer > 0 => Step::Trust {
                block: rng.below(now.writer),
            },
            14..=16 if now.writer > 0 => Step::Carry {
                from: Who::Writer,
                block: rng.below(now.writer),
                hash: rng.one_in(4),
                digest: !rng.one_in(4),
            },
            17 if now.copy > 0 => Step::Carry {
                from: Who::Copy,
                block: rng.below(now.copy),
                hash: rng.one_in(4),
                digest: !rng.one_in(4),
            },
            _ => Step::Reopen {
                who,
                leaving: match rng.one_in(2) {
                    true => Leaving::Close,
                    false => Leaving::Drop,
                },
                read_only: rng.one_in(4),
            },
        }
    }
}

fn size(rng: &mut Rng) -> u64 {
    match rng.below(10) {
        0 => 1,
        1 => 70_000,
        2..=5 => 20,
        _ => 2000,
    }
}

/// A range of blocks: anything, one block, from or to an edge, and at times beyond the end or empty.
fn range(rng: &mut Rng, length: u64) -> Range<u64> {
    let (a, b) = (near(rng, length), near(rng, length));
    match rng.below(4) {
        0 => a..a + 1,
        1 => a..a + rng.below(20),
        _ => a.min(b)..a.max(b),
    }
}

/// A number up to a bit more than `end`, often at the edge of something.
fn near(rng: &mut Rng, end: u64) -> u64 {
    match rng.below(6) {
        0 => 0,
        1 => end,
        2 => end + rng.below(10),
        3 => {
            let edge = 1 << rng.below(15);
            (rng.below(end + 1) / edge * edge + rng.below(3)).saturating_sub(1)
        }
        _ => rng.below(end + 1),
    }
}
