//! Which lives are lived, and how often they end.

use std::fmt;

use storage::File;
use testkit::{Loss, Rng, SimDisk};

use crate::{
    life::{Level, Life},
    story::{Deed, Past, Record, State, Wrong, content},
};

/// What was tried, and what came out.
#[derive(Default)]
pub(crate) struct Tally {
    states: u64,
    lost: u64,
    inconsistent: u64,
    /// The first few.
    pub(crate) failures: Vec<String>,
}

impl Tally {
    fn count(&mut self, outcome: &Result<(SimDisk, State), Wrong>, what: impl FnOnce() -> String) {
        self.states += 1;
        match outcome {
            Ok(_) => return,
            Err(Wrong::Lost(_)) => self.lost += 1,
            Err(Wrong::Inconsistent(_)) => self.inconsistent += 1,
        }
        if self.failures.len() < 5
            && let Err(wrong) = outcome
        {
            self.failures.push(format!("{}: {wrong:?}", what()));
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            states,
            lost,
            inconsistent,
            ..
        } = self;
        write!(
            f,
            "{states} states, {lost} lost, {inconsistent} inconsistent"
        )
    }
}

/// Where a life begins, and what is done in it.
pub(crate) struct Story {
    name: &'static str,
    /// Blocks that are there already.
    length: u64,
    /// Whether it is a copy of a feed of so many blocks.
    copy: bool,
    /// A block whose bytes are bad from the beginning.
    bad: Option<u64>,
    deeds: Vec<Deed>,
}

const SEED: u64 = 1;

pub(crate) fn small_lives() -> Vec<Story> {
    use Deed::{Append, Audit, Clear, Fetch, Sync};
    let story = |name, length, deeds: &[Deed]| Story {
        name,
        length,
        copy: false,
        bad: None,
        deeds: deeds.to_vec(),
    };
    let one = |size| Append(vec![size]);
    let mut stories = vec![
        story(
            "created, one by one",
            0,
            &[one(10), one(0), one(700), one(5), Sync, one(9)],
        ),
        story(
            "batches",
            0,
            &[Append(vec![3, 900, 0, 8]), Append(vec![1; 9]), Sync, one(2)],
        ),
        story(
            "goes on",
            5,
            &[one(600), Append(vec![20, 30]), Sync, one(1), one(2)],
        ),
        story(
            "over a page",
            8190,
            &[one(3), Append(vec![4, 5, 6]), Sync, one(7)],
        ),
        story(
            "clears",
            9,
            &[Clear(2..4), one(8), Sync, Clear(0..1), Clear(5..8)],
        ),
        story(
            "clears its end",
            6,
            &[
                Append(vec![800, 900]),
                Clear(5..8),
                one(4),
                Clear(0..9),
                one(5),
            ],
        ),
    ];
    stories.push(Story {
        bad: Some(3),
        ..story("audits", 8, &[one(4), Audit, Sync, one(5)])
    });
    stories.push(Story {
        copy: true,
        ..story(
            "copies",
            40,
            &[
                Fetch(vec![7]),
                Fetch(vec![0, 1, 39]),
                Sync,
                Fetch(vec![6, 20, 21]),
                Clear(0..3),
                Fetch(vec![2]),
            ],
        )
    });
    stories
}

/// The author of a story, or of what is copied in it, on a disk without faults.
fn author(length: u64) -> Life {
    let disk = SimDisk::default();
    let mut life = Life::open(&disk, Level::None, None).unwrap();
    let sizes = |block: u64| (block * 37 % 61) as usize;
    if length > 1000 {
        let blocks = (0..length).map(|block| content(SEED, block, 1));
        life.append(blocks.collect()).unwrap();
    } else {
        for block in 0..length {
            life.append(vec![content(SEED, block, sizes(block))])
                .unwrap();
        }
    }
    life
}

fn state(life: &Life) -> State {
    let blocks = life.has().into_iter();
    State {
        length: life.feed.length(),
        blocks: blocks
            .map(|block| (block, life.get(block).unwrap()))
            .collect(),
    }
}

/// Ends a life behind each of its operations, in every way, and lets some of what is left live on.
pub(crate) fn explore(story: &Story, level: Level, dice: usize, share: u64, tally: &mut Tally) {
    let whole = author(story.length);
    let (disk, before) = match story.copy || story.length == 0 {
        true => (SimDisk::default(), State::default()),
        false => {
            let mut image = whole.disk.image();
            let mut before = state(&whole);
            if let Some(bad) = story.bad {
                let start: usize = (0..bad).map(|block| before.blocks[&block].len()).sum();
                image[File::Data as usize][start] ^= 1;
                before.blocks.remove(&bad);
            }
            // What the author's own bits say is on the disk.
            (SimDisk::holding(image), before)
        }
    };
    let from = story.copy.then_some(&whole);
    let mut rng = Rng::new(testkit::seed(SEED));
    let mut record = Record::live(&disk, level, &story.deeds, before, &Past::new(), from, SEED);
    record.bad = story.bad;
    for at in 0..=record.end {
        for loss in record.disk.losses(at, dice, &mut rng) {
            if !rng.one_in(share) {
                continue;
            }
            let outcome = record.judge(at, loss, &mut rng, from);
            tally.count(&outcome, || {
                format!("{}, cut at {at}, {loss:?}", story.name)
            });
            if let Ok((left, state)) = outcome
                && state.length > 0
                && story.bad.is_none()
                && rng.one_in(100)
            {
                live_on(
                    &left,
                    state,
                    &record.past,
                    level,
                    from,
                    2,
                    &mut rng,
                    tally,
                    story.name,
                );
            }
        }
    }
}

/// Another life on what was left, and after it another one.
#[allow(clippy::too_many_arguments, reason = "all of it is one life")]
fn live_on(
    disk: &SimDisk,
    before: State,
    past: &Past,
    level: Level,
    author: Option<&Life>,
    lives: usize,
    rng: &mut Rng,
    tally: &mut Tally,
    name: &str,
) {
    if lives == 0 {
        return;
    }
    let seed = rng.next_u64();
    let deeds = match author {
        None => deeds(before.length, 4, rng),
        Some(author) => copying(author, &before, 4, rng),
    };
    let record = Record::live(disk, level, &deeds, before, past, author, seed);
    for _ in 0..4 {
        let at = rng.below(record.end as u64 + 1) as usize;
        let losses = record.disk.losses(at, 1, rng);
        let loss = losses[rng.below(losses.len() as u64) as usize];
        let outcome = record.judge(at, loss, rng, author);
        tally.count(&outcome, || {
            format!("{name}, a later life ({deeds:?}), cut at {at}, {loss:?}")
        });
        if let Ok((left, state)) = outcome
            && state.length > 0
        {
            live_on(
                &left,
                state,
                &record.past,
                level,
                author,
                lives - 1,
                rng,
                tally,
                name,
            );
        }
    }
}

fn deeds(length: u64, count: usize, rng: &mut Rng) -> Vec<Deed> {
    let mut length = length;
    let mut some = Vec::new();
    for _ in 0..count {
        some.push(match rng.below(8) {
            0..=4 => {
                let sizes: Vec<usize> = (0..1 + rng.below(6))
                    .map(|_| match rng.below(4) {
                        0 => rng.below(5000) as usize,
                        _ => rng.below(60) as usize,
                    })
                    .collect();
                length += sizes.len() as u64;
                Deed::Append(sizes)
            }
            5 if length > 0 => {
                let start = rng.below(length);
                Deed::Clear(start..start + 1 + rng.below(5))
            }
            6 => Deed::Audit,
            _ => Deed::Sync,
        });
    }
    some
}

fn copying(author: &Life, before: &State, count: usize, rng: &mut Rng) -> Vec<Deed> {
    let length = author.feed.length();
    let mut there = before.blocks.clone();
    let mut some = Vec::new();
    for _ in 0..count {
        let wanted: Vec<u64> = (0..1 + rng.below(5))
            .map(|_| rng.below(length))
            .filter(|block| there.insert(*block, bytes::Bytes::new()).is_none())
            .collect();
        some.push(match rng.below(6) {
            0 => Deed::Sync,
            _ if wanted.is_empty() => Deed::Sync,
            _ => Deed::Fetch(wanted),
        });
    }
    some
}

/// A life of random deeds, and the author if it is that of a copy.
pub(crate) fn made_up_life(rng: &mut Rng, level: Level, seed: u64) -> (Record, Option<Life>) {
    let copy = rng.one_in(3);
    let length = match rng.below(4) {
        0 => 8150 + rng.below(60),
        _ => 1 + rng.below(200),
    };
    let whole = author(length);
    let (disk, before, from) = match copy {
        true => (SimDisk::default(), State::default(), Some(&whole)),
        false => (SimDisk::holding(whole.disk.image()), state(&whole), None),
    };
    let deeds = match from {
        None => deeds(length, 12, rng),
        Some(author) => copying(author, &before, 12, rng),
    };
    let record = Record::live(&disk, level, &deeds, before, &Past::new(), from, seed);
    (record, copy.then_some(whole))
}

/// Three such lives, cut at random.
pub(crate) fn made_up_lives(seed: u64, level: Level, tally: &mut Tally) {
    let mut rng = Rng::new(seed);
    let name = format!("SEED={seed}");
    let (record, author) = made_up_life(&mut rng, level, seed);
    let from = author.as_ref();
    for _ in 0..30 {
        let at = rng.below(record.end as u64 + 1) as usize;
        let mut losses = record.disk.losses(at, 1, &mut rng);
        losses.retain(|loss| *loss != Loss::Nothing || rng.one_in(3));
        if losses.is_empty() {
            continue;
        }
        let loss = losses[rng.below(losses.len() as u64) as usize];
        let outcome = record.judge(at, loss, &mut rng, from);
        tally.count(&outcome, || format!("{name}, cut at {at}, {loss:?}"));
        if let Ok((left, state)) = outcome
            && state.length > 0
        {
            live_on(
                &left,
                state,
                &record.past,
                level,
                from,
                2,
                &mut rng,
                tally,
                &name,
            );
        }
    }
}
