//! Three peers at once. JavaScript 8 and 9 can't talk with one another; ours is in the middle and speaks to each in its own
//! dialect. Feeds are signed in form 8, which both accept.

use serde_json::{Value, json};

use super::{FEED, Named, Scene, blocks, connect, expect, expect_eq, same_blocks};
use crate::{
    Result,
    interop::{
        peers::{Side, Version},
        puppet::Puppet,
    },
};

pub(super) const SCENES: &[Named] = &[
    ("three: one writes for two", one_for_two),
    ("three: ours in the middle", in_the_middle),
    ("three: two have half each", half_each),
    ("three: one has lost a block", one_has_lost),
];

/// The JavaScript version that isn't the one of the scene.
fn other(version: Version) -> Version {
    match version {
        Version::V8 => Version::V9,
        Version::V9 => Version::V8,
    }
}

/// A third peer, of the JavaScript that isn't there yet.
fn third(scene: &Scene<'_>) -> Result<(Version, Puppet)> {
    let version = other(scene.version);
    let side = Side::JavaScript(version);
    let peer = Puppet::start(scene.world, side, "third", scene.folder)?;
    Ok((version, peer))
}

fn live(name: &str) -> Value {
    json!({ "live": true, "as": name, "feeds": [{ "feed": FEED }] })
}

/// Ours and a JavaScript have the same feed and the other one follows it, while both connections last. Which of the two
/// JavaScripts writes, or whether ours does, depends on the scene.
fn one_for_two(scene: &mut Scene<'_>) -> Result {
    let (version, mut third) = third(scene)?;
    let all = blocks(0..300);
    // JavaScript 9 signs in form 9, which 8 can't read: then the feed is written by the one that is third.
    let by_third = scene.writer.side == Side::JavaScript(Version::V9);
    let first = scene.version;
    let Scene { writer, reader, .. } = scene;
    let (author, ours, copier) = match (writer.side, by_third) {
        (_, true) => (&mut third, reader, writer),
        (Side::Ours, _) => {
            let key = writer.open(FEED, json!({}))?["key"].clone();
            writer.append(FEED, &all[..100])?;
            for copy in [&mut *reader, &mut third] {
                copy.open(FEED, json!({ "key": key }))?;
            }
            connect(
                version,
                (writer, live("third")),
                (&mut third, live("third")),
                false,
            )?;
            connect(first, (writer, live("link")), (reader, live("link")), false)?;
            writer.append(FEED, &all[100..])?;
            for copy in [reader, &mut third] {
                copy.wait(FEED, "have", 300)?;
                same_blocks(copy, FEED, &all)?;
            }
            return Ok(());
        }
        _ => (writer, reader, &mut third),
    };
    let key = author.open(FEED, json!({}))?["key"].clone();
    author.append(FEED, &all[..100])?;
    for copy in [&mut *ours, &mut *copier] {
        copy.open(FEED, json!({ "key": key }))?;
    }
    let dialect = |peer: &Puppet| match peer.side {
        Side::JavaScript(version) => version,
        Side::Ours => Version::V8,
    };
    connect(
        dialect(author),
        (author, live("a")),
        (ours, live("a")),
        true,
    )?;
    connect(
        dialect(copier),
        (ours, live("b")),
        (copier, live("b")),
        false,
    )?;
    copier.wait(FEED, "have", 100)?;
    author.append(FEED, &all[100..])?;
    for copy in [ours, copier] {
        copy.wait(FEED, "have", 300)?;
        same_blocks(copy, FEED, &all)?;
    }
    Ok(())
}

/// A sparse peer of ours passes on what it has, and fetches nothing on behalf of others.
fn in_the_middle(scene: &mut Scene<'_>) -> Result {
    let (version, mut third) = third(scene)?;
    if scene.writer.side != Side::JavaScript(Version::V8) {
        return in_the_middle_of(Version::V9, &mut third, version, scene);
    }
    let all = blocks(0..100);
    scene.open(&all, json!({ "sparse": true }))?;
    scene.link()?;
    let key = scene.writer.info(FEED)?["key"].clone();
    third.open(FEED, json!({ "key": key }))?;
    connect(
        version,
        (&mut scene.reader, live("b")),
        (&mut third, live("b")),
        false,
    )?;
    relay(&mut scene.reader, &mut third, &all)
}

/// The same where ours writes, or the third does because JavaScript 9 mustn't.
fn in_the_middle_of(
    _form: Version,
    third: &mut Puppet,
    version: Version,
    scene: &mut Scene<'_>,
) -> Result {
    let all = blocks(0..100);
    let first = scene.version;
    let middle_name = "middle";
    let mut middle = Puppet::start(scene.world, Side::Ours, middle_name, scene.folder)?;
    let theirs = scene.theirs();
    // The one of version 8 writes, the one of version 9 copies.
    let (author, copier, author_version, copier_version) = match first {
        Version::V8 => (theirs, third, first, version),
        Version::V9 => (third, theirs, version, first),
    };
    let key = author.open(FEED, json!({}))?["key"].clone();
    author.append(FEED, &all)?;
    middle.open(FEED, json!({ "key": key, "sparse": true }))?;
    copier.open(FEED, json!({ "key": key }))?;
    connect(
        author_version,
        (&mut middle, live("a")),
        (author, live("a")),
        false,
    )?;
    connect(
        copier_version,
        (copier, live("b")),
        (&mut middle, live("b")),
        true,
    )?;
    relay(&mut middle, copier, &all)
}

fn relay(middle: &mut Puppet, copier: &mut Puppet, all: &[Vec<u8>]) -> Result {
    let wanted = [3, 99, 50, 51];
    let expected: Vec<_> = wanted
        .iter()
        .map(|block| all[*block as usize].clone())
        .collect();
    expect(
        "the one in the middle gets them",
        middle.get(FEED, &wanted)? == expected,
    )?;
    expect(
        "the last one gets them",
        copier.get(FEED, &wanted)? == expected,
    )?;
    expect_eq(
        "blocks in the middle",
        &middle.info(FEED)?["have"],
        &json!(4),
    )?;
    let more: Vec<u64> = (0..100).collect();
    middle.get(FEED, &more)?;
    copier.wait(FEED, "have", 100)?;
    same_blocks(copier, FEED, all)
}

/// Two copies in JavaScript, of both versions, have half each: ours gets all, and no block twice.
fn half_each(scene: &mut Scene<'_>) -> Result {
    let (version, mut third) = third(scene)?;
    let first = scene.version;
    let all = blocks(0..200);
    let mut author = Puppet::start(scene.world, Side::Ours, "author", scene.folder)?;
    let mut ours = Puppet::start(scene.world, Side::Ours, "ours", scene.folder)?;
    let key = author.open(FEED, json!({}))?["key"].clone();
    author.append(FEED, &all)?;
    let theirs = scene.theirs();
    let halves = [(first, theirs, 0..120), (version, &mut third, 80..200)];
    let mut copies = Vec::new();
    for (number, (version, copy, range)) in halves.into_iter().enumerate() {
        copy.open(FEED, json!({ "key": key, "sparse": true }))?;
        let name = format!("author {number}");
        connect(
            version,
            (&mut author, live(&name)),
            (copy, live(&name)),
            false,
        )?;
        copy.get(FEED, &range.collect::<Vec<_>>())?;
        copy.call("hang_up", json!({ "link": name }))?;
        copy.call("ended", json!({ "link": name }))?;
        copies.push((version, copy));
    }
    ours.open(FEED, json!({ "key": key, "sparse": true }))?;
    for (number, (version, copy)) in copies.iter_mut().enumerate() {
        let name = format!("ours {number}");
        connect(
            *version,
            (copy, live(&name)),
            (&mut ours, live(&name)),
            true,
        )?;
    }
    let everything: Vec<u64> = (0..200).collect();
    expect("all come", ours.get(FEED, &everything)? == all)?;
    let mut sent = 0;
    for (_, copy) in &mut copies {
        sent += copy.info(FEED)?["uploads"].as_u64().unwrap_or(0);
    }
    expect_eq("blocks that were sent", sent, 200)
}

/// One JavaScript claims a block that it has lost, and never answers: ours gets it from the other.
fn one_has_lost(scene: &mut Scene<'_>) -> Result {
    let (version, mut third) = third(scene)?;
    let first = scene.version;
    let all: Vec<Vec<u8>> = (0..40).map(|block| vec![block; 50]).collect();
    let mut author = Puppet::start(scene.world, Side::Ours, "author", scene.folder)?;
    let mut ours = Puppet::start(scene.world, Side::Ours, "ours", scene.folder)?;
    let key = author.open(FEED, json!({}))?["key"].clone();
    author.append(FEED, &all)?;
    let theirs = scene.theirs();
    ours.open(
        FEED,
        json!({ "key": key, "sparse": true, "request_timeout": 700 }),
    )?;
    for (name, version, copy) in [("a", first, theirs), ("b", version, &mut third)] {
        copy.open(FEED, json!({ "key": key }))?;
        connect(
            version,
            (&mut author, live(name)),
            (copy, live(name)),
            false,
        )?;
        copy.wait(FEED, "have", 40)?;
        connect(version, (copy, live("ours")), (&mut ours, live(name)), true)?;
        // So that its claims are known before it loses the block.
        ours.get(FEED, &[if name == "a" { 1 } else { 2 }])?;
        if name == "a" {
            copy.call("lose", json!({ "feed": FEED, "block": 20 }))?;
            let order = json!({ "feed": FEED, "blocks": [20] });
            let get = ours.begin("get", order)?;
            ours.get(FEED, &[3, 4])?;
            drop(get);
        }
    }
    expect("it comes", ours.get(FEED, &[20])? == [all[20].clone()])
}
