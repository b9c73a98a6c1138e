//! What our program does with several feeds, or with parts of one, beside JavaScript: several on one port, ranges of blocks and
//! bytes, the last blocks, and whatever is missing in the end.

use std::{path::Path, process::Command};

use data_encoding::BASE64;

use super::{
    Case, World,
    content::Content,
    peers::{Feed, Side, TIME, Version},
};
use crate::{
    Result,
    process::{Ended, Running},
};

/// Places in the list of feeds.
const FIVE: usize = 2;
const MIXED: usize = 3;

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for version in Version::ALL {
        let theirs = Side::JavaScript(version);
        let name = format!("several: ours serves two feeds on one port, {theirs} clones both");
        cases.push(Case::new(name, move |world, folder| {
            several(world, folder, version)
        }));
        let name = format!("parts: {theirs} serves, ours reads ranges and completes them");
        cases.push(Case::new(name, move |world, folder| {
            parts(world, folder, version)
        }));
    }
    cases
}

fn several(world: &World, folder: &Path, version: Version) -> Result {
    let contents = [FIVE, MIXED].map(|number| &world.contents.feeds[number]);
    let ours = ["one", "other"].map(|name| Feed::new(world, Side::Ours, &folder.join(name)));
    for (feed, content) in ours.iter().zip(contents) {
        feed.create(content)?;
    }
    let mut serve = Command::new(&world.program);
    serve.args(["--json", "serve", "--not-live", "--tcp", "127.0.0.1:0"]);
    serve.args(["--dialect", version.number()]);
    serve.args(ours.iter().map(|feed| &feed.dir));
    let mut serving = Running::start("ours serve", &mut serve, TIME)?;
    let mut copies = Vec::new();
    for (number, feed) in ours.iter().enumerate() {
        let listening = serving.wait_for("listening")?;
        let dir = folder.join(format!("copy of {number}"));
        let copy = Feed::new(world, Side::JavaScript(version), &dir);
        let cloning = copy.clone_from(&listening, version.number(), None)?;
        cloning.finish()?.ok()?;
        copies.push((feed, copy));
    }
    drop(serving);
    for ((feed, copy), content) in copies.iter().zip(contents) {
        let blocks: Vec<&[u8]> = content.blocks.iter().map(Vec::as_slice).collect();
        feed.state()?.check(&copy.state()?, &blocks)?;
    }
    Ok(())
}

/// JavaScript serves one connection at a time, so it is started for each.
fn parts(world: &World, folder: &Path, version: Version) -> Result {
    let content = &world.contents.feeds[MIXED];
    let origin = Feed::new(world, Side::JavaScript(version), &folder.join("origin"));
    origin.create(content)?;
    let copy = Feed::new(world, Side::Ours, &folder.join("copy"));
    let copy_dir = copy.dir.display().to_string();
    let with = |arguments: &dyn Fn(&str, &str) -> Vec<String>| -> Result<Ended> {
        let (serving, listening) = origin.serve(version, true)?;
        let address = format!("127.0.0.1:{}", listening["port"]);
        let key = listening["key"].as_str().unwrap_or_default();
        let link = format!("hyper://{key}?peer={address}");
        let mut ours = Command::new(&world.program);
        ours.arg("--json").args(arguments(&link, &address));
        let ended = Running::start("ours", &mut ours, TIME)?.finish()?.ok()?;
        serving.finish()?.ok()?;
        Ok(ended)
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();

    let ranges = ["--blocks", "10..20", "--blocks", "-5.."];
    let cloned = with(&|link, _| words(&[&["clone", link, &copy_dir][..], &ranges].concat()))?;
    let have = &cloned.line("summary")?["have"];
    if *have != 15 {
        return Err(format!("{have} blocks are here").into());
    }
    let all = content.blocks.concat();
    let got = with(&|link, _| words(&["cat", link, "--bytes", "100000..123456"]))?;
    same("bytes of a link", &got, &all[100_000..123_456])?;
    let peer = |peer: &str| {
        words(&[
            "cat",
            &copy_dir,
            "--bytes",
            "200000..200100",
            "--peer",
            peer,
        ])
    };
    same(
        "bytes of a copy",
        &with(&|_, address| peer(address))?,
        &all[200_000..200_100],
    )?;
    let got = with(&|link, _| words(&["tail", link, "-n", "3"]))?;
    same("the last blocks", &got, &last(content, 3))?;
    with(&|_, address| words(&["sync", &copy_dir, "--peer", address]))?;
    let blocks: Vec<&[u8]> = content.blocks.iter().map(Vec::as_slice).collect();
    copy.state()?.check(&origin.state()?, &blocks)
}

fn last(content: &Content, count: usize) -> Vec<u8> {
    content.blocks[content.blocks.len() - count..].concat()
}

/// That the blocks, or parts of blocks, which were printed are these bytes.
fn same(what: &str, printed: &Ended, expected: &[u8]) -> Result {
    let blocks = printed.lines.iter().filter(|line| line["type"] == "block");
    let mut bytes = Vec::new();
    for block in blocks {
        let data = block["data"].as_str().unwrap_or_default();
        bytes.extend(BASE64.decode(data.as_bytes())?);
    }
    match bytes == expected {
        true => Ok(()),
        false => Err(format!(
            "{what}: {} bytes, not the right {}",
            bytes.len(),
            expected.len()
        )
        .into()),
    }
}
