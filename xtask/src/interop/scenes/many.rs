//! Connections: many feeds on one of them, who is let in, and how much is protected.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use super::{FEED, LINK, Named, Scene, blocks, end_all, expect};
use crate::{
    Result,
    interop::peers::{Side, Version},
};

pub(super) const SCENES: &[Named] = &[
    ("2 feeds", |scene| feeds(scene, 2)),
    ("50 feeds", |scene| feeds(scene, 50)),
    ("2 feeds, not live", two_and_the_end),
    ("a feed that only one side has", one_sided),
    ("ours refuses the remote", |scene| refused(scene, true)),
    ("ours is refused", |scene| refused(scene, false)),
    ("not encrypted", |scene| protected(scene, true)),
    ("not encrypted, no handshake", |scene| {
        protected(scene, false)
    }),
];

/// Feeds of both sides: some on the connection from the start, the others added later, by either side first or by one because
/// the other has it.
fn feeds(scene: &mut Scene<'_>, count: usize) -> Result {
    let all: Vec<String> = (0..count).map(|number| format!("feed {number}")).collect();
    let content = |number: usize| blocks(number as u64..number as u64 + 12);
    let dialect = scene.version.number();
    for (number, name) in all.iter().enumerate() {
        let (author, copier) = sides(scene, number);
        let made = author.open(name, json!({ "dialect": dialect }))?;
        author.append(name, &content(number))?;
        copier.open(name, json!({ "key": made["key"] }))?;
    }
    let parts = |names: &[String]| -> Vec<Value> {
        names.iter().map(|name| json!({ "feed": name })).collect()
    };
    let (early, late) = all.split_at(count / 2);
    let shared = &late[..late.len() / 2];
    let writer = json!({ "live": true, "feeds": parts(early) });
    let reader = json!({ "live": true, "feeds": parts(early), "shares": shared });
    scene.link_with(writer, reader)?;
    for (number, name) in late.iter().enumerate() {
        let order = json!({ "link": LINK, "feed": name });
        // The reader answers those that it shares by itself.
        if shared.contains(name) {
            scene.writer.call("add", order)?;
        } else {
            let (first, second) = sides(scene, number / 2);
            first.call("add", order.clone())?;
            second.call("add", order)?;
        }
    }
    for (number, name) in all.iter().enumerate() {
        let (author, copier) = sides(scene, number);
        copier.wait(name, "have", 12)?;
        author.append(name, &blocks(0..1))?;
        copier.wait(name, "have", 13)?;
        super::same_blocks(copier, name, &content(number))?;
    }
    scene.writer.call("hang_up", json!({ "link": LINK }))?;
    scene.both_end()
}

/// Two feeds in opposite directions, and the end when both are exchanged.
fn two_and_the_end(scene: &mut Scene<'_>) -> Result {
    let dialect = scene.version.number();
    for (number, name) in ["there", "back"].into_iter().enumerate() {
        let (author, copier) = sides(scene, number);
        let made = author.open(name, json!({ "dialect": dialect }))?;
        author.append(name, &blocks(0..200))?;
        copier.open(name, json!({ "key": made["key"] }))?;
    }
    let both = json!({ "feeds": [{ "feed": "there" }, { "feed": "back" }] });
    scene.link_with(both.clone(), both)?;
    scene.both_end()?;
    super::same_blocks(&mut scene.reader, "there", &blocks(0..200))?;
    super::same_blocks(&mut scene.writer, "back", &blocks(0..200))
}

/// A feed that is opened by one side only does no harm to the others. JavaScript 8 would give up the whole connection after
/// four seconds; ours refuses the feed before.
fn one_sided(scene: &mut Scene<'_>) -> Result {
    let all = blocks(0..40);
    scene.open(&all[..20], json!({}))?;
    scene.writer.open("of the writer", json!({}))?;
    scene.reader.open("of the reader", json!({}))?;
    scene.link()?;
    scene.arrives(&all[..20])?;
    let others: [(bool, &str); 2] = [(true, "of the writer"), (false, "of the reader")];
    for (writers, name) in others {
        let peer = if writers {
            &mut scene.writer
        } else {
            &mut scene.reader
        };
        let ours = peer.side == Side::Ours;
        // JavaScript 8 only learns from an answer that nobody has it; with one of ours that isn't live it needn't wait.
        if ours || scene.version == Version::V8 || scene.reader_connects {
            peer.call("add", json!({ "link": LINK, "feed": name }))?;
        }
    }
    if scene.version == Version::V8 && scene.reader_connects {
        thread::sleep(Duration::from_millis(4300));
    }
    scene.writer.append(FEED, &all[20..])?;
    scene.arrives(&all)
}

/// A remote whose key isn't welcome is turned away before anything is exchanged, and ours knows why.
fn refused(scene: &mut Scene<'_>, by_ours: bool) -> Result {
    scene.open(&blocks(0..20), json!({}))?;
    let order =
        |refuse: bool| json!({ "refuse": refuse, "live": true, "feeds": [{ "feed": FEED }] });
    let writer_refuses = (scene.writer.side == Side::Ours) == by_ours;
    scene.link_with(order(writer_refuses), order(!writer_refuses))?;
    let ended = json!({ "link": LINK });
    let kind = {
        let ours = scene.ours();
        let pending = ours.begin("ended", ended.clone())?;
        ours.fails(pending)?
    };
    let expected = if by_ours { "TurnedDown" } else { "HungUp" };
    expect(
        &format!("ours says {expected}: {kind}"),
        kind.contains(expected),
    )?;
    let theirs = scene.theirs();
    let pending = theirs.begin("ended", ended)?;
    match by_ours {
        // Who is turned away only sees the connection end.
        true => end_all(theirs, Vec::from([pending])).or(Ok::<_, crate::Failure>(()))?,
        false => {
            let kind = theirs.fails(pending)?;
            expect(
                &kind,
                kind.contains("not welcome") || kind.contains("andshake"),
            )?;
        }
    }
    scene.has(0)
}

/// Less protection, agreed on beforehand, changes nothing else.
fn protected(scene: &mut Scene<'_>, noise: bool) -> Result {
    let all = blocks(0..300);
    scene.open(&all[..250], json!({}))?;
    let both = json!({
        "live": true, "noise": noise, "encrypted": false, "feeds": [{ "feed": FEED }],
    });
    scene.link_with(both.clone(), both)?;
    scene.arrives(&all[..250])?;
    scene.writer.append(FEED, &all[250..])?;
    scene.arrives(&all)?;
    scene.reader.call("hang_up", json!({ "link": LINK }))?;
    scene.both_end()
}

/// Who writes the feed of a number, and who copies it.
fn sides<'a>(
    scene: &'a mut Scene<'_>,
    number: usize,
) -> (
    &'a mut crate::interop::puppet::Puppet,
    &'a mut crate::interop::puppet::Puppet,
) {
    match number % 2 {
        0 => (&mut scene.writer, &mut scene.reader),
        _ => (&mut scene.reader, &mut scene.writer),
    }
}
