//! The cases: who serves, who clones, what, and how; directories handed over; and the lock.

use std::path::Path;

use super::{
    Case, World,
    content::{Content, FEEDS},
    peers::{Feed, Side, Version},
};
use crate::Result;

/// Our exit code for a feed that somebody else holds.
const LOCKED: i32 = 7;

/// How an ending case is told from one that goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    NotLive,
    Live,
}

/// Every case there is.
pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for version in Version::ALL {
        let javascript = Side::JavaScript(version);
        for (number, feed) in FEEDS.into_iter().enumerate() {
            for mode in [Mode::NotLive, Mode::Live] {
                for (server, client) in [(Side::Ours, javascript), (javascript, Side::Ours)] {
                    let name = format!("{server} serves, {client} clones, {mode}, feed {feed}");
                    cases.push(Case::new(name, move |world, folder| {
                        let dialect = version.number();
                        replicate(
                            world,
                            folder,
                            server,
                            client,
                            version,
                            dialect,
                            mode,
                            &world.contents.feeds[number],
                        )
                    }));
                }
            }
            let name = format!("directory: {javascript} writes, ours appends, feed {feed}");
            cases.push(Case::new(name, move |world, folder| {
                hand_over(
                    world,
                    folder,
                    javascript,
                    Side::Ours,
                    &world.contents.feeds[number],
                )
            }));
            let name = format!("directory: ours writes, {javascript} appends, feed {feed}");
            cases.push(Case::new(name, move |world, folder| {
                hand_over(
                    world,
                    folder,
                    Side::Ours,
                    javascript,
                    &world.contents.feeds[number],
                )
            }));
        }
        let auto = move |mode| {
            Case::new(
                format!("{javascript} serves, ours clones with dialect auto, {mode}"),
                move |world, folder| {
                    replicate(
                        world,
                        folder,
                        javascript,
                        Side::Ours,
                        version,
                        "auto",
                        mode,
                        &world.contents.feeds[2],
                    )
                },
            )
        };
        cases.extend([auto(Mode::NotLive), auto(Mode::Live)]);
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
    fn new(name: String, run: impl Fn(&World, &Path) -> Result + Send + Sync + 'static) -> Self {
        Case {
            name,
            run: Box::new(run),
        }
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Mode::NotLive => "not live",
            Mode::Live => "live",
        })
    }
}

/// One side makes a feed and serves it, the other clones it. Live, more is appended once the clone has everything; not live,
/// both ends end by themselves.
#[expect(clippy::too_many_arguments, reason = "they are the axes of the matrix")]
fn replicate(
    world: &World,
    folder: &Path,
    server: Side,
    client: Side,
    version: Version,
    dialect: &str,
    mode: Mode,
    content: &Content,
) -> Result {
    let origin = Feed::new(world, server, &folder.join("origin"));
    let copy = Feed::new(world, client, &folder.join("copy"));
    origin.create(content)?;
    let blocks = transfer(&origin, &copy, version, dialect, mode, blocks(content))?;
    origin.state()?.check(&copy.state()?, &blocks)
}

/// Serves one and clones the other, and says which blocks both must have then.
fn transfer<'a>(
    origin: &Feed<'a>,
    copy: &Feed<'a>,
    version: Version,
    dialect: &str,
    mode: Mode,
    mut blocks: Vec<&'a [u8]>,
) -> Result<Vec<&'a [u8]>> {
    let (mut serving, listening) = origin.serve(version, mode == Mode::Live)?;
    match mode {
        Mode::NotLive => {
            let cloning = copy.clone_from(&listening, dialect, None)?;
            cloning.finish()?.ok()?;
        }
        Mode::Live => {
            let more = &origin.world.contents.more.blocks;
            let (had, until) = (blocks.len() as u64, (blocks.len() + more.len()) as u64);
            let mut cloning = copy.clone_from(&listening, dialect, Some(until))?;
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
    let content = &world.contents.feeds[3];
    let feeds: Vec<Feed<'_>> = sides
        .take(4)
        .enumerate()
        .map(|(number, side)| Feed::new(world, side, &folder.join(number.to_string())))
        .collect();
    feeds[0].create(content)?;
    for pair in feeds.windows(2) {
        transfer(
            &pair[0],
            &pair[1],
            version,
            version.number(),
            Mode::NotLive,
            blocks(content),
        )?;
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
    theirs.create(&world.contents.feeds[2])?;
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
        .check(&theirs.state()?, &blocks(&world.contents.feeds[2]))
}

/// While we serve a feed JavaScript can't open it.
fn lock_of_ours(world: &World, folder: &Path, version: Version) -> Result {
    let ours = Feed::new(world, Side::Ours, &folder.join("feed"));
    let theirs = ours.handed_to(Side::JavaScript(version));
    ours.create(&world.contents.feeds[2])?;
    let (serving, _) = ours.serve(version, true)?;
    let refused = theirs.start(["hold"], &[])?.finish()?;
    let error = refused.line("error")?;
    if error["code"] != "ELOCKED"
        && !error["message"]
            .as_str()
            .unwrap_or_default()
            .contains("lock")
    {
        return Err(format!("not refused for the lock: {error}").into());
    }
    drop(serving);
    ours.state()?
        .check(&theirs.state()?, &blocks(&world.contents.feeds[2]))
}

fn blocks(content: &Content) -> Vec<&[u8]> {
    content.blocks.iter().map(Vec::as_slice).collect()
}
