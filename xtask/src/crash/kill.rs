//! Processes that are killed at any moment, and what the next one finds: nothing that was acknowledged is gone.
//!
//! A feed has some lives, each in a process of its own (`crates/hypercore/examples/victim.rs`) that is killed after a time that a seed
//! says: some before they have opened anything, most while they append or clone. Each begins by reading and verifying all that
//! the ones before have left. At last one is let be, which must come to its end, and everything is audited.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Result, process::Running, workspace};

/// How many lives a feed has before the last one.
const LIVES: u64 = 10;

/// How many feeds live at a time.
const WORKERS: usize = 2;

/// How long any process may run: many times what it needs.
const TIME: Duration = Duration::from_secs(60);

/// How many blocks are cloned.
const BLOCKS: u64 = 4000;

/// How long the longest life goes on once the feed is open: less than a clone takes.
const LONGEST: u64 = 60;

/// How long it takes to open a feed, at most, in the lives that are to end meanwhile.
const OPENING: u64 = 12;

const LEVELS: [&str; 3] = ["always", "timely", "none"];

/// `[COUNT]`
pub(super) fn run(arguments: &[&str]) -> Result {
    let count = match *arguments {
        [] => 1000,
        [count] => count.parse()?,
        _ => return Err("cargo xtask crash kill [COUNT]".into()),
    };
    let folder = workspace::target()?.join(format!("kill/{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let seed = std::env::var("SEED").map_or(Ok(1), |text| text.parse())?;
    let world = World {
        victim: workspace::example("victim")?,
        folder,
        seed,
    };
    let start = Instant::now();
    let tally = world.play(count)?;
    println!(
        "{tally}\n{:.0} s, SEED={seed}",
        start.elapsed().as_secs_f64()
    );
    if !tally.failures.is_empty() {
        return Err(format!("the files are in {}", world.folder.display()).into());
    }
    Ok(fs::remove_dir_all(&world.folder)?)
}

/// What every feed needs.
struct World {
    victim: PathBuf,
    folder: PathBuf,
    seed: u64,
}

/// Whom to clone from.
struct Origin {
    key: String,
    port: String,
}

/// What was tried, and what came out.
#[derive(Default)]
struct Tally {
    appending: u64,
    cloning: u64,
    /// Of all of them, those that came before the feed was open.
    early: u64,
    feeds: u64,
    /// Openings that had something to recover.
    recovered: u64,
    acknowledged: u64,
    /// Blocks that were there without having been acknowledged.
    surplus: u64,
    stored: u64,
    /// Blocks of clones that were told to be stored and had to be fetched again.
    forgotten: u64,
    failures: Vec<String>,
}

impl World {
    fn play(&self, count: u64) -> Result<Tally> {
        let origin = self.folder.join("origin");
        let blocks = BLOCKS.to_string();
        let mut serving = self.start(&["serve", &show(&origin), &self.word(), &blocks])?;
        let listening = serving.wait_for("listening")?;
        let origin = Origin {
            key: listening["key"].as_str().unwrap_or_default().into(),
            port: listening["port"].to_string(),
        };
        let (next, tally) = (AtomicU64::new(0), Mutex::new(Tally::default()));
        thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let lives = count.saturating_sub(number * LIVES).min(LIVES);
                        if lives == 0 {
                            break;
                        }
                        let feed = Feed::new(self, &origin, number);
                        let mut own = Tally::default();
                        let outcome = feed.live(lives, &mut own);
                        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                        tally.add(own);
                        if let Err(failure) = outcome {
                            tally.failures.push(format!("{feed}: {failure}"));
                        }
                    }
                });
            }
        });
        serving.finish()?.ok()?;
        Ok(tally.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn start(&self, words: &[&str]) -> Result<Running> {
        // The server outlives all others.
        let time = if words[0] == "serve" { TIME * 60 } else { TIME };
        Running::start(words[0], Command::new(&self.victim).args(words), time)
    }

    fn word(&self) -> String {
        self.seed.to_string()
    }
}

/// A feed that has several lives.
struct Feed<'a> {
    world: &'a World,
    /// Whom it is a copy of, if it is one.
    origin: Option<&'a Origin>,
    level: &'static str,
    number: u64,
    dir: String,
}

impl<'a> Feed<'a> {
    /// Every other one is a copy, and both come at each level.
    fn new(world: &'a World, origin: &'a Origin, number: u64) -> Self {
        Feed {
            world,
            origin: (number % 2 == 1).then_some(origin),
            level: LEVELS[(number / 2) as usize % LEVELS.len()],
            number,
            dir: show(&world.folder.join(number.to_string())),
        }
    }

    fn live(&self, lives: u64, tally: &mut Tally) -> Result {
        let mut dice = Dice(self.world.seed ^ self.number << 32);
        tally.feeds += 1;
        match self.origin {
            None => self.append(lives, &mut dice, tally)?,
            Some(origin) => self.clone(origin, lives, &mut dice, tally)?,
        }
        let check = ["check", &self.dir, &self.world.word()];
        self.world.start(&check)?.finish()?.ok()?;
        Ok(fs::remove_dir_all(&self.dir)?)
    }

    /// Lives that append. What each has acknowledged, and all that any has found, must be found by the next.
    fn append(&self, lives: u64, dice: &mut Dice, tally: &mut Tally) -> Result {
        let mut known = Known::default();
        for life in 0..lives {
            let seed = self.world.word();
            let words = ["append", &self.dir, self.level, &seed, &life.to_string()];
            let (opened, lines) = self.one_life(&words, dice, tally)?;
            tally.appending += 1;
            if let Some(opened) = &opened {
                tally.surplus += known.meet(opened)?;
            }
            let lengths = lines.iter().filter_map(|line| line["length"].as_u64());
            let had = known.length();
            if let Some(length) = lengths.max() {
                known.runs.push((life, length));
                tally.acknowledged += length - had;
            }
        }
        let check = ["check", &self.dir, &self.world.word()];
        let left = self.world.start(&check)?.finish()?.ok()?;
        tally.surplus += known.meet(left.line("opened")?)?;
        Ok(())
    }

    /// Lives that clone. What a copy says that it has is right, and in the end it has everything.
    fn clone(&self, origin: &Origin, lives: u64, dice: &mut Dice, tally: &mut Tally) -> Result {
        let seed = self.world.word();
        let Origin { key, port } = origin;
        let words = ["clone", &self.dir, self.level, &seed, key, port];
        let mut told = 0;
        for _ in 0..lives {
            let (opened, lines) = self.one_life(&words, dice, tally)?;
            tally.cloning += 1;
            if let Some(opened) = &opened {
                let have = opened["have"].as_u64().unwrap_or(0);
                let forgotten = u64::saturating_sub(told, have);
                if forgotten > 0 && self.level != "timely" {
                    return Err(format!("{told} blocks were told of, {have} are there").into());
                }
                tally.forgotten += forgotten;
                let counts = lines.iter().filter_map(|line| line["count"].as_u64());
                let count = counts.max().unwrap_or(0);
                tally.stored += count;
                told = have + count;
            }
            if let Some(done) = lines.iter().find(|line| line["type"] == "done") {
                // It was quicker. Another copy for the lives that are left.
                whole(done)?;
                fs::remove_dir_all(&self.dir)?;
                told = 0;
            }
        }
        whole(self.world.start(&words)?.finish()?.ok()?.line("done")?)
    }

    /// Starts a process and kills it. What it had found when it opened the feed, if it got there, and what it told then.
    fn one_life(
        &self,
        words: &[&str],
        dice: &mut Dice,
        tally: &mut Tally,
    ) -> Result<(Option<Value>, Vec<Value>)> {
        let mut running = self.world.start(words)?;
        let mut opened = None;
        match dice.below(4) {
            0 => thread::sleep(Duration::from_micros(dice.below(OPENING * 1000))),
            _ => {
                opened = Some(running.wait_for("opened")?);
                thread::sleep(Duration::from_micros(dice.below(LONGEST * 1000)));
            }
        }
        let ended = running.kill()?;
        let mut lines = ended.lines.into_iter();
        opened = opened.or_else(|| lines.next());
        match &opened {
            None => tally.early += 1,
            Some(opened) => tally.recovered += u64::from(opened["recovered"] == true),
        }
        // A process that ended by itself before it was killed has met something that it shouldn't.
        if ended.failed {
            return Err(format!("it ended by itself: {}", ended.complaints).into());
        }
        Ok((opened, lines.collect()))
    }
}

impl fmt::Display for Feed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.origin.is_some() {
            "copy"
        } else {
            "feed"
        };
        write!(f, "{kind} {} ({})", self.number, self.level)
    }
}

/// Which blocks of a feed are certain: runs of a life and the block behind its last one.
#[derive(Default)]
struct Known {
    runs: Vec<(u64, u64)>,
}

impl Known {
    fn length(&self) -> u64 {
        self.runs.last().map_or(0, |(_, end)| *end)
    }

    /// Compares with what is found, which is certain from now on. How many blocks there are beyond.
    fn meet(&mut self, opened: &Value) -> Result<u64> {
        let had = self.length();
        let lives = opened["lives"].as_array().map_or(&[][..], Vec::as_slice);
        let found: Vec<(u64, u64)> = lives
            .iter()
            .filter_map(|run| Some((run[0].as_u64()?, run[1].as_u64()?)))
            .collect();
        let length = found.last().map_or(0, |(_, end)| *end);
        let whole = length == opened["length"] && opened["have"] == length;
        // The last run may have become longer by what was about to be acknowledged.
        let fits = |(known, found): (&(u64, u64), &(u64, u64))| known.0 == found.0;
        let (last, before) = match self.runs.split_last() {
            Some((last, before)) => (Some(last), before),
            None => (None, &[][..]),
        };
        let same = found.starts_with(before)
            && self.runs.iter().zip(&found).all(fits)
            && found.len() >= self.runs.len()
            && last.is_none_or(|last| found[before.len()].1 >= last.1);
        if !whole || !same {
            let known = &self.runs;
            return Err(format!("{known:?} was certain, found is {opened}").into());
        }
        self.runs = found;
        Ok(length - had)
    }
}

impl Tally {
    fn add(&mut self, other: Tally) {
        for (own, more) in [
            (&mut self.appending, other.appending),
            (&mut self.cloning, other.cloning),
            (&mut self.early, other.early),
            (&mut self.feeds, other.feeds),
            (&mut self.recovered, other.recovered),
            (&mut self.acknowledged, other.acknowledged),
            (&mut self.surplus, other.surplus),
            (&mut self.stored, other.stored),
            (&mut self.forgotten, other.forgotten),
        ] {
            *own += more;
        }
        self.failures.extend(other.failures);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            appending,
            cloning,
            early,
            feeds,
            recovered,
            acknowledged,
            surplus,
            stored,
            forgotten,
            failures,
        } = self;
        let kills = appending + cloning;
        writeln!(
            f,
            "{kills} processes killed, {appending} while appending and {cloning} while cloning, {early} of them before the feed \
             was open; {recovered} openings of {feeds} feeds had something to recover"
        )?;
        writeln!(
            f,
            "{acknowledged} blocks acknowledged and found, {surplus} found besides; {stored} cloned blocks told of, \
             {forgotten} of them fetched again"
        )?;
        writeln!(f, "{} feeds lost something or didn't open", failures.len())?;
        failures
            .iter()
            .try_for_each(|failure| writeln!(f, "  {failure}"))
    }
}

/// Chance that a seed repeats.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }
}

/// That a clone has come to its end.
fn whole(done: &Value) -> Result {
    match done["have"] == BLOCKS {
        true => Ok(()),
        false => Err(format!("not everything came: {done}").into()),
    }
}

fn show(path: &Path) -> String {
    path.display().to_string()
}
