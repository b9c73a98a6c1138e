//! What is done in a life, what the feed holds after each step, and what must be found after a power cut in the middle of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use bytes::Bytes;
use merkle::Roots;
use storage::File;
use testkit::{Loss, Rng, SimDisk};

use crate::life::{Level, Life};

/// Something that is done.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// Blocks of these sizes.
    Append(Vec<usize>),
    Clear(Range<u64>),
    /// Blocks from the author.
    Fetch(Vec<u64>),
    Sync,
    Audit,
}

/// What a feed holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) length: u64,
    pub(crate) blocks: BTreeMap<u64, Bytes>,
}

/// What was ever signed in each place, in the lives before and in this one, though a power cut may have taken it.
pub(crate) type Past = BTreeSet<(u64, Bytes)>;

/// A moment at which a call had returned.
#[derive(Clone, Debug)]
struct Mark {
    /// How many operations were done by then.
    done: usize,
    state: State,
    /// The roots then.
    roots: Option<Roots>,
    /// Whether everything up to here was promised to survive a power cut.
    promised: bool,
}

/// One life of a feed, recorded.
pub(crate) struct Record {
    pub(crate) disk: SimDisk,
    level: Level,
    marks: Vec<Mark>,
    /// Noted only where nothing is promised.
    pub(crate) past: Past,
    copy: bool,
    /// A block whose bytes are bad, which may be marked until an audit sees it.
    pub(crate) bad: Option<u64>,
    /// How many operations were done in it. What comes behind is its tidying up when it is dropped.
    pub(crate) end: usize,
}

/// What is wrong with what a power cut left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Something that was promised to survive is gone.
    Lost(String),
    /// What is there contradicts itself.
    Inconsistent(String),
}

/// The content of a block: it depends on the number, so that two lives write the same at one place or something else, as told.
pub(crate) fn content(seed: u64, block: u64, size: usize) -> Bytes {
    Rng::new(seed ^ block << 20).bytes(size).into()
}

impl Record {
    /// Lives a life on a disk: `before` is what it holds. It isn't closed.
    pub(crate) fn live(
        disk: &SimDisk,
        level: Level,
        deeds: &[Deed],
        before: State,
        past: &Past,
        author: Option<&Life>,
        seed: u64,
    ) -> Record {
        let mut record = Record {
            disk: disk.clone(),
            level,
            marks: Vec::new(),
            past: past.clone(),
            copy: author.is_some(),
            bad: None,
            end: 0,
        };
        let mut state = before;
        if level == Level::None {
            let blocks = state.blocks.iter();
            record
                .past
                .extend(blocks.map(|(block, bytes)| (*block, bytes.clone())));
        }
        // Before it is open nothing new is promised.
        record.marks.push(Mark {
            done: 0,
            state: state.clone(),
            roots: None,
            promised: true,
        });
        let key = author.map(|author| author.feed.key());
        let mut life = Life::open(disk, level, key).unwrap();
        record.mark(&life, &state, level != Level::None);
        for deed in deeds {
            if level == Level::None && life.complaint().is_some() {
                // Nothing is promised of what a power cut left.
                break;
            }
            let length = life.feed.length();
            match deed {
                Deed::Append(sizes) => {
                    let blocks: Vec<Bytes> = (length..)
                        .zip(sizes)
                        .map(|(block, size)| content(seed, block, *size))
                        .collect();
                    let placed = (length..).zip(blocks.iter().cloned());
                    if level == Level::None {
                        record.past.extend(placed.clone());
                    }
                    state.blocks.extend(placed);
                    life.append(blocks).unwrap();
                }
                Deed::Clear(range) => {
                    state.blocks.retain(|block, _| !range.contains(block));
                    life.clear(range.clone()).unwrap();
                }
                Deed::Fetch(blocks) => {
                    let author = author.unwrap();
                    for block in blocks {
                        state.blocks.insert(*block, author.get(*block).unwrap());
                    }
                    life.fetch(author, blocks).unwrap();
                }
                Deed::Sync => life.files.sync().unwrap(),
                Deed::Audit => {
                    life.audit().unwrap();
                    let has = life.has();
                    state.blocks.retain(|block, _| has.contains(block));
                }
            }
            state.length = life.feed.length();
            let promised = match level {
                Level::Always => true,
                Level::Timely => life.files.unsynced() == 0,
                Level::None => *matches!(deed, Deed::Sync)
                    .then_some(&true)
                    .unwrap_or(&false),
            };
            record.mark(&life, &state, promised);
        }
        record.end = disk.done();
        record
    }

    fn mark(&mut self, life: &Life, state: &State, promised: bool) {
        self.marks.push(Mark {
            done: self.disk.done(),
            state: state.clone(),
            roots: Some(life.feed.roots().clone()),
            promised,
        });
    }

    /// Opens what a power cut behind the first `at` operations leaves, and looks at it. Gives the disk back, with what is on it.
    pub(crate) fn judge(
        &self,
        at: usize,
        loss: Loss,
        rng: &mut Rng,
        author: Option<&Life>,
    ) -> Result<(SimDisk, State), Wrong> {
        let disk = self.disk.crash(at, loss, rng);
        let key = author.map(|author| author.feed.key());
        let life = match Life::open(&disk, self.level, key) {
            Ok(life) => life,
            // A level that promises nothing may leave what can't be opened: it is said, and nothing was touched.
            Err(error)
                if self.level == Level::None && error.is_damage() && loss != Loss::Nothing =>
            {
                return Ok((SimDisk::default(), State::default()));
            }
            Err(error) => return Err(Wrong::Inconsistent(format!("not opened: {error}"))),
        };
        let (least, possible) = self.expected(at, loss);
        let state = match (self.level, loss) {
            (Level::None, loss) if loss != Loss::Nothing => {
                self.glance(&life, least, possible, author)?
            }
            _ => self.look(&life, least, possible, author)?,
        };
        // Of a long feed not every time.
        let deep = self.level != Level::None
            && self.bad.is_none()
            && (state.length < 1000 || rng.one_in(20));
        if let Some(complaint) = deep.then(|| life.complaint()).flatten() {
            return Err(Wrong::Inconsistent(complaint));
        }
        self.look_at_space(&life)?;
        let has = life.has();
        drop(life);
        let again = Life::open(&disk, self.level, key);
        let again = again.map_err(|error| Wrong::Inconsistent(format!("then: {error}")))?;
        if again.feed.length() != state.length || again.has() != has {
            return Err(Wrong::Inconsistent(
                "another opening finds something else".into(),
            ));
        }
        if again.feed.recovery().is_some() && self.level != Level::None {
            let report = again.feed.recovery();
            return Err(Wrong::Inconsistent(format!("recovered twice: {report:?}")));
        }
        drop(again);
        Ok((SimDisk::holding(disk.image()), state))
    }

    /// The least that must be there, and all states that may be: everything since then, and what was under way.
    fn expected(&self, at: usize, loss: Loss) -> (&State, &[Mark]) {
        let returned = self.marks.iter().rposition(|mark| mark.done <= at);
        let returned = returned.unwrap_or(0);
        let upto = (returned + 2).min(self.marks.len());
        let least = match loss {
            // The process died, the system lives. What a copy has fetched may be forgotten until the bits are written.
            Loss::Nothing if !(self.copy && self.level == Level::Timely) => returned,
            _ => {
                let before = self.marks[..=returned].iter();
                before.clone().rposition(|mark| mark.promised).unwrap_or(0)
            }
        };
        (&self.marks[least].state, &self.marks[least..upto])
    }

    /// Where nothing is promised: what was synced is still the same, if it is there. What was appended since may have got lost,
    /// and its bits may have stayed: then what an earlier life had signed in its place, and a power cut had taken, can come
    /// back whole. Nothing else can.
    fn glance(
        &self,
        life: &Life,
        least: &State,
        possible: &[Mark],
        author: Option<&Life>,
    ) -> Result<State, Wrong> {
        let mut state = State {
            length: life.feed.length(),
            blocks: BTreeMap::new(),
        };
        for block in life.has() {
            let Ok(bytes) = life.get(block) else { continue };
            let fits = |known: &Bytes| *known == bytes;
            let known = |mark: &Mark| mark.state.blocks.get(&block).is_some_and(fits);
            let right = match (author, least.blocks.get(&block)) {
                (Some(author), _) => fits(&author.get(block).unwrap()),
                (None, Some(synced)) => fits(synced),
                (None, None) => {
                    possible.iter().any(known) || self.past.contains(&(block, bytes.clone()))
                }
            };
            // An empty block is there as soon as its leaf is.
            if !right && !bytes.is_empty() {
                return Err(Wrong::Inconsistent(format!("another block {block}")));
            }
            state.blocks.insert(block, bytes);
        }
        Ok(state)
    }

    fn look(
        &self,
        life: &Life,
        least: &State,
        possible: &[Mark],
        author: Option<&Life>,
    ) -> Result<State, Wrong> {
        let length = life.feed.length();
        if length < least.length {
            return Err(Wrong::Lost(format!("{length} of {} blocks", least.length)));
        }
        let Some(mark) = possible
            .iter()
            .rev()
            .find(|mark| mark.state.length == length)
        else {
            return Err(Wrong::Inconsistent(format!("a length of {length}")));
        };
        let mut state = State {
            length,
            blocks: BTreeMap::new(),
        };
        let known = |block: &u64| {
            possible
                .iter()
                .find_map(|mark| mark.state.blocks.get(block))
        };
        for block in life.has() {
            let Ok(bytes) = life.get(block) else {
                if self.bad == Some(block) {
                    continue;
                }
                if self.level == Level::None {
                    continue;
                }
                return Err(Wrong::Inconsistent(format!("block {block} can't be read")));
            };
            // A copy may find again what an earlier life had fetched, and whose bits were lost until their page was made anew.
            let found = author.is_some_and(|author| author.get(block).as_ref() == Ok(&bytes));
            // An empty block is there as soon as its leaf is, and however often it is cleared.
            if Some(&bytes) != known(&block) && !bytes.is_empty() && !found {
                return Err(Wrong::Inconsistent(format!("another block {block}")));
            }
            state.blocks.insert(block, bytes);
        }
        for block in least.blocks.keys() {
            let kept =
                |mark: &Mark| mark.state.length <= *block || mark.state.blocks.contains_key(block);
            if !state.blocks.contains_key(block) && possible.iter().all(kept) {
                return Err(Wrong::Lost(format!("block {block}")));
            }
        }
        // An author has all blocks that it hasn't cleared.
        for block in mark.state.blocks.keys() {
            let kept =
                |mark: &Mark| mark.state.length <= *block || mark.state.blocks.contains_key(block);
            let there = state.blocks.contains_key(block);
            if !there && !self.copy && self.level != Level::None && possible.iter().all(kept) {
                let report = life.feed.recovery();
                return Err(Wrong::Inconsistent(format!("no block {block}: {report:?}")));
            }
        }
        if self.level != Level::None && length > 0 {
            let last = life.has().last().copied();
            if let Some(last) = last
                && !life.proves(last)
            {
                return Err(Wrong::Inconsistent(format!("block {last} can't be proved")));
            }
        }
        if mark
            .roots
            .as_ref()
            .is_some_and(|roots| roots != life.feed.roots())
        {
            return Err(Wrong::Inconsistent("other roots".into()));
        }
        Ok(state)
    }

    /// Of what was cleared no bytes are left.
    fn look_at_space(&self, life: &Life) -> Result<(), Wrong> {
        if self.copy || self.bad.is_some() || self.level == Level::None {
            return Ok(());
        }
        let data = life.disk.bytes(File::Data);
        let mut sizes = BTreeMap::new();
        for mark in &self.marks {
            sizes.extend(
                mark.state
                    .blocks
                    .iter()
                    .map(|(block, bytes)| (*block, bytes.len())),
            );
        }
        let mut start = 0;
        for block in 0..life.feed.length() {
            let Some(size) = sizes.get(&block) else {
                return Ok(());
            };
            let there = data.get(start..(start + size).min(data.len()).max(start));
            let free = there.unwrap_or_default().iter().all(|byte| *byte == 0);
            if !life.feed.bitfield().has_block(block) && !free {
                return Err(Wrong::Inconsistent(format!("block {block} takes space")));
            }
            start += size;
        }
        Ok(())
    }
}
