//! The cases: who serves, who clones, what, and how; directories handed over; and the lock.

use std::{fmt, path::Path};

use super::{
    Case, World,
    content::{Content, FEEDS},
    peers::{Feed, Side, Version},
};
use crate::Result;

/// Our exit code for a feed that somebody else holds.
const LOCKED: i32 = 7;

/// Places in the list of feeds: a small one, and one of every kind of block.
const FIVE: usize = 2;
const MIXED: usize = 3;

/// How an ending case is told from one that goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    NotLive,
    Live,
}

/// Who serves a feed to whom, and how.
#[derive(Clone, Copy)]
struct Meeting {
    server: Side,
    client: Side,
    /// What JavaScript is, and we must be as servers.
    version: Version,
    /// What we are asked to speak as clients.
    dialect: &'static str,
    mode: Mode,
}

/// Every case there is.
pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for version in Version::ALL {
        let javascript = Side::JavaScript(version);
        for (number, feed) in FEEDS.into_iter().enumerate() {
            for mode in [Mode::NotLive, Mode::Live] {
                for (server, client) in [(Side::Ours, javascript), (javascript, Side::Ours)] {
                    let meeting = Meeting {
                        server,
                        client,
                        version,
                        dialect: version.number(),
                        mode,
                    };
                    let name = format!("{server} serves, {client} clones, {mode}, feed {feed}");
                    cases.push(meeting.case(name, number));
                }
            }
            for (first, second) in [(javascript, Side::Ours), (Side::Ours, javascript)] {
                let name = format!("directory: {first} writes, {second} appends, feed {feed}");
                cases.push(Case::new(name, move |world, folder| {
                    hand_over(world, folder, first, second, &world.contents.feeds[number])
                }));
            }
        }
        for mode in [Mode::NotLive, Mode::Live] {
            let (server, client) = (javascript, Side::Ours);
            let meeting = Meeting {
                server,
                client,
                version,
                dialect: "auto",
                mode,
            };
            let name = format!("{server} serves, {client} clones with dialect auto, {mode}");
            cases.push(meeting.case(name, FIVE));
        }
        let name = format!("copies: ours and {javascript} clone and serve again");
        cases.push(Case::new(name, move |world, folder| {
            chain(world, folder, version)
        }));
        let name = format!("lock: {javascript} holds it");
        cases.push(Case::new(name, move |world, folder| {
            lock_of_theirs(world, folder, version)
        }));
        let name = format!("lock: ours holds it against {javascript}");
        cases.push(Case::new(name, move |world, folder| {
            lock_of_ours(world, folder, version)
        }));
    }
    cases
}

impl Case {
    pub(super) fn new(
        name: String,
        run: impl Fn(&World, &Path) -> Result + Send + Sync + 'static,
    ) -> Self {
        Case {
            name,
            run: Box::new(run),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::NotLive => "not live",
            Mode::Live => "live",
        })
    }
}

impl Meeting {
    /// One side makes a feed and serves it, the other clones it, and then both must have the same.
    fn case(self, name: String, feed: usize) -> Case {
        Case::new(name, move |world, folder| {
            let content = &world.contents.feeds[feed];
            let origin = Feed::new(world, self.server, &folder.join("origin"));
            let copy = Feed::new(world, self.client, &folder.join("copy"));
            origin.create(content)?;
            let blocks = self.transfer(&origin, &copy, blocks(content))?;
            origin.state()?.check(&copy.state()?, &blocks)
        })
    }

    /// Serves one and clones the other, and says which blocks both must have then. Live, more is appended once the clone has
    /// everything; not live, both ends end by themselves.
    fn transfer<'a>(
        self,
        origin: &Feed<'a>,
        copy: &Feed<'a>,
        mut blocks: Vec<&'a [u8]>,
    ) -> Result<Vec<&'a [u8]>> {
        let (mut serving, listening) = origin.serve(self.version, self.mode == Mode::Live)?;
        match self.mode {
            Mode::NotLive => {
                let cloning = copy.clone_from(&listening, self.dialect, None)?;
                cloning.finish()?.ok()?;
            }
            Mode::Live => {
                let more = &origin.world.contents.more.blocks;
                let had = blocks.len() as u64;
                let until = had + more.len() as u64;
                let mut cloning = copy.clone_from(&listening, self.dialect, Some(until))?;
                serving.wait_for("connected")?;
                if had > 0 {
                    let what = format!("{had} blocks are there");
                    cloning.wait_until(&what, |line| {
                        line["type"] == "progress" && line["have"] == had
                    })?;
                }
                for block in more {
                    serving.say(block)?;
                    blocks.push(block);
                }
                cloning.finish()?.ok()?;
            }
        }
        serving.finish()?.ok()?;
        Ok(blocks)
    }
}

/// One side writes a directory, the other appends to it, and the first reads all of it and appends again.
fn hand_over(world: &World, folder: &Path, first: Side, second: Side, content: &Content) -> Result {
    let one = Feed::new(world, first, &folder.join("feed"));
    let other = one.handed_to(second);
    let more = &world.contents.more;
    let mut all = blocks(content);
    one.create(content)?;
    one.state()?.check(&other.state()?, &all)?;
    for turn in [&other, &one] {
        turn.append(more)?;
        all.extend(blocks(more));
        one.state()?.check(&other.state()?, &all)?;
    }
    Ok(())
}

/// JavaScript writes, we clone, JavaScript clones our copy, and we clone that one: copies serve as well as the original.
fn chain(world: &World, folder: &Path, version: Version) -> Result {
    let sides = [Side::JavaScript(version), Side::Ours].into_iter().cycle();
    let content = &world.contents.feeds[MIXED];
    let feeds: Vec<Feed<'_>> = sides
        .take(4)
        .enumerate()
        .map(|(number, side)| Feed::new(world, side, &folder.join(number.to_string())))
        .collect();
    feeds[0].create(content)?;
    for pair in feeds.windows(2) {
        let (server, client) = (pair[0].side, pair[1].side);
        let (dialect, mode) = (version.number(), Mode::NotLive);
        let meeting = Meeting {
            server,
            client,
            version,
            dialect,
            mode,
        };
        meeting.transfer(&pair[0], &pair[1], blocks(content))?;
    }
    let origin = feeds[0].state()?;
    feeds[1..]
        .iter()
        .try_for_each(|feed| feed.state()?.check(&origin, &blocks(content)))
}

/// While JavaScript has a feed open we must not touch it, and say so by exit code.
fn lock_of_theirs(world: &World, folder: &Path, version: Version) -> Result {
    let theirs = Feed::new(world, Side::JavaScript(version), &folder.join("feed"));
    let ours = theirs.handed_to(Side::Ours);
    theirs.create(&world.contents.feeds[FIVE])?;
    let holding = theirs.hold()?;
    for command in ["info", "cat"] {
        let refused = ours.start([command], &[])?.finish()?;
        if refused.status.code() != Some(LOCKED) {
            return Err(
                format!("{command} ended with {} beside the holder", refused.status).into(),
            );
        }
    }
    holding.finish()?.ok()?;
    ours.state()?
        .check(&theirs.state()?, &blocks(&world.contents.feeds[FIVE]))
}

/// While we serve a feed JavaScript can't open it.
fn lock_of_ours(world: &World, folder: &Path, version: Version) -> Result {
    let ours = Feed::new(world, Side::Ours, &folder.join("feed"));
    let theirs = ours.handed_to(Side::JavaScript(version));
    ours.create(&world.contents.feeds[FIVE])?;
    let (serving, _) = ours.serve(version, true)?;
    let refused = theirs.start(["hold"], &[])?.finish()?;
    let error = refused.line("error")?;
    if error["code"] != "ELOCKED" {
        return Err(format!("not refused for the lock: {error}").into());
    }
    drop(serving);
    ours.state()?
        .check(&theirs.state()?, &blocks(&world.contents.feeds[FIVE]))
}

fn blocks(content: &Content) -> Vec<&[u8]> {
    content.blocks.iter().map(Vec::as_slice).collect()
}
