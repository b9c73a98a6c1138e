//! Random histories that we play on disk: JavaScript opens what is left, must see the same, and goes on with it.
//!
//! `HISTORIES=` plays another number of them, `SEED=` begins elsewhere. Which history a seed stands for is said in
//! `crates/hypercore/tests/it/histories`, whose tests compare each step with a model.

use std::{env, path::Path, process::Command, str::FromStr};

use super::{
    Case, World,
    peers::{Feed, Side, State, TIME, Version},
};
use crate::{Result, process::Running};

/// How many are played, unless `HISTORIES` says otherwise.
const COUNT: u64 = 12;

/// The forms of signatures that a history may have, and who can check them: JavaScript 8 knows only its own.
const FORMS: [(&str, &[Version]); 3] = [
    ("8", &Version::ALL),
    ("9", &[Version::V9]),
    ("both", &[Version::V9]),
];

/// All cases, each with a seed of its own.
pub(super) fn all() -> Result<Vec<Case>> {
    let (first, count) = (number("SEED", 0)?, number("HISTORIES", COUNT)?);
    let mut cases = Vec::new();
    for (seed, (form, versions)) in (first..)
        .zip(FORMS.into_iter().cycle())
        .take(count as usize)
    {
        for version in versions {
            let theirs = Side::JavaScript(*version);
            let name = format!("history: seed {seed}, signatures {form}, {theirs} looks");
            cases.push(Case::new(name, move |world, folder| {
                history(world, folder, seed, form, theirs)
            }));
        }
    }
    Ok(cases)
}

/// Plays one; then both sides must agree on both of its feeds, also when JavaScript has appended and cleared and when we
/// have appended again.
fn history(world: &World, folder: &Path, seed: u64, form: &str, theirs: Side) -> Result {
    let words = ["play", &seed.to_string(), form];
    start(world, &words, folder)?.finish()?.ok()?;

    let copy = Feed::new(world, theirs, &folder.join("copy"));
    agree(&copy)?;
    let writer = Feed::new(world, theirs, &folder.join("writer"));
    let before = agree(&writer)?;

    let more = &world.contents.more;
    writer.append(more)?;
    let mut now = agree(&writer)?;
    now.check_grown(&before, &more.blocks)?;

    // Some from the middle, and what was just appended: the end of the file.
    let length = now.length();
    for blocks in [length / 3..length / 2, length - 2..length] {
        writer.clear(blocks.clone())?;
        let cleared = agree(&writer)?;
        cleared.check_cleared(&now, blocks)?;
        now = cleared;
    }

    writer.handed_to(Side::Ours).append(more)?;
    agree(&writer)?.check_grown(&now, &more.blocks)
}

/// What is in a feed, if both sides say the same.
pub(super) fn agree(theirs: &Feed<'_>) -> Result<State> {
    let looked = start(theirs.world, &["look"], &theirs.dir)?
        .finish()?
        .ok()?;
    let ours = State::of_audit(&looked)?;
    ours.check_same(&theirs.state()?)?;
    // JavaScript's audit writes; it must have left everything as it was.
    let again = start(theirs.world, &["look"], &theirs.dir)?
        .finish()?
        .ok()?;
    ours.check_same(&State::of_audit(&again)?)?;
    Ok(ours)
}

fn start(world: &World, words: &[&str], dir: &Path) -> Result<Running> {
    let mut command = Command::new(&world.history);
    command.args(words).arg(dir);
    Running::start(&format!("history {}", words.join(" ")), &mut command, TIME)
}

pub(super) fn number(name: &str, default: u64) -> Result<u64> {
    match env::var(name) {
        Ok(text) => u64::from_str(&text).map_err(|_| format!("{name} is no number").into()),
        Err(_) => Ok(default),
    }
}
