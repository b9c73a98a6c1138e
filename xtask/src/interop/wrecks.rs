//! Directories that a power cut left and that opening has recovered: JavaScript opens them, verifies every block and signature,
//! finds what we find, and goes on. `WRECKS=` takes another number of them.

use std::{path::Path, process::Command};

use super::{
    Case, World,
    histories::{agree, number},
    peers::{Feed, Side, TIME, Version},
};
use crate::{Result, process::Running};

/// How many directories, unless `WRECKS` says otherwise.
const COUNT: u64 = 10;

pub(super) fn all() -> Result<Vec<Case>> {
    let count = number("WRECKS", COUNT)?;
    let both = |seed| Version::ALL.map(|version| (seed, Side::JavaScript(version)));
    let case = |(seed, theirs)| {
        let name = format!("wreck: seed {seed}, recovered, {theirs} looks and goes on");
        Case::new(name, move |world, folder| {
            wreck(world, folder, seed, theirs)
        })
    };
    Ok((0..count).flat_map(both).map(case).collect())
}

fn wreck(world: &World, folder: &Path, seed: u64, theirs: Side) -> Result {
    let dir = folder.join("feed");
    let mut command = Command::new(&world.wreck);
    command.arg(seed.to_string()).arg(&dir);
    Running::start("wreck", &mut command, TIME)?
        .finish()?
        .ok()?;

    // Theirs comes first: nothing has touched the files since they were recovered.
    let feed = Feed::new(world, theirs, &dir);
    let seen = feed.state()?;
    let before = agree(&feed)?;
    before.check_same(&seen)?;
    if std::fs::metadata(dir.join("secret_key")).is_ok_and(|file| file.len() > 0) {
        let more = &world.contents.more;
        feed.append(more)?;
        agree(&feed)?.check_grown(&before, &more.blocks)?;
    }
    Ok(())
}
