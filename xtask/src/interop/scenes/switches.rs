//! What is turned off and on again, taken away and lost while a connection lasts; and acknowledgements.

use std::{thread, time::Duration};

use serde_json::json;

use super::{FEED, LINK, Named, Scene, blocks, expect, expect_eq};
use crate::{Result, interop::peers::Side};

pub(super) const SCENES: &[Named] = &[
    ("writer stops uploading for a while", |scene| {
        upload_switched(scene, false)
    }),
    ("writer doesn't upload at first", |scene| {
        upload_switched(scene, true)
    }),
    ("reader stops downloading for a while", |scene| {
        download_switched(scene, false)
    }),
    ("reader doesn't download at first", |scene| {
        download_switched(scene, true)
    }),
    ("directions of one connection", directions),
    ("writer clears", writer_clears),
    ("reader clears", reader_clears),
    ("lost block", lost_block),
    ("acknowledgements", acknowledgements),
];

/// Long enough for what shouldn't happen.
const A_WHILE: Duration = Duration::from_millis(150);

/// What isn't uploaded is waited for, and comes when it is.
fn upload_switched(scene: &mut Scene<'_>, at_first: bool) -> Result {
    let all = blocks(0..100);
    scene.open(&all, json!({ "sparse": true }))?;
    let off = json!({ "feed": FEED, "yes": false });
    if at_first {
        scene.writer.call("uploading", off.clone())?;
    }
    scene.link()?;
    if !at_first {
        scene.reader.get(FEED, &[1, 2, 3])?;
        scene.writer.call("uploading", off)?;
    }
    scene.reader.wait(FEED, "peers", 1)?;
    thread::sleep(A_WHILE);
    let get = scene
        .reader
        .begin("get", json!({ "feed": FEED, "blocks": [50, 51, 52] }))?;
    thread::sleep(A_WHILE);
    scene.sent(if at_first { 0 } else { 3 })?;
    scene.writer.append(FEED, &blocks(100..103))?;
    scene
        .writer
        .call("uploading", json!({ "feed": FEED, "yes": true }))?;
    scene.reader.end(get)?;
    let got = scene.reader.get(FEED, &[102])?;
    expect("what was appended meanwhile comes", got == blocks(102..103))
}

/// A reader that doesn't download gets nothing, and all when it does.
fn download_switched(scene: &mut Scene<'_>, at_first: bool) -> Result {
    let all = blocks(0..100);
    scene.open(&all[..50], json!({}))?;
    let off = json!({ "feed": FEED, "yes": false });
    if at_first {
        scene.reader.call("downloading", off.clone())?;
    }
    scene.link()?;
    scene.writer.wait(FEED, "peers", 1)?;
    if !at_first {
        scene.arrives(&all[..50])?;
        scene.reader.call("downloading", off)?;
    }
    thread::sleep(A_WHILE);
    scene.writer.append(FEED, &all[50..])?;
    thread::sleep(A_WHILE);
    scene.has(if at_first { 0 } else { 50 })?;
    scene
        .reader
        .call("downloading", json!({ "feed": FEED, "yes": true }))?;
    scene.arrives(&all)
}

/// One connection of two is only for one direction: what the reader doesn't fetch over it comes over the other.
fn directions(scene: &mut Scene<'_>) -> Result {
    let all = blocks(0..100);
    scene.open(&all, json!({}))?;
    let part = |name: &str, download: bool, upload: bool| {
        let feed = json!({ "feed": FEED, "download": download, "upload": upload });
        json!({ "live": true, "as": name, "feeds": [feed] })
    };
    scene.link_with(part("first", true, false), part("first", true, true))?;
    scene.link_with(part("second", true, true), part("second", false, true))?;
    scene.reader.wait(FEED, "peers", 2)?;
    thread::sleep(A_WHILE);
    scene.has(0)?;
    scene.link_with(part("third", false, true), part("third", true, false))?;
    scene.arrives(&all)
}

/// What the writer clears it takes back; the rest comes.
fn writer_clears(scene: &mut Scene<'_>) -> Result {
    let all = blocks(0..100);
    scene.open(&all, json!({ "sparse": true }))?;
    scene.link()?;
    scene.reader.get(FEED, &[5])?;
    scene
        .writer
        .call("clear", json!({ "feed": FEED, "start": 10, "end": 20 }))?;
    // Comes behind the news of it on the wire.
    scene.reader.get(FEED, &[25])?;
    for block in [10, 15, 19] {
        let order = json!({ "feed": FEED, "blocks": [block], "if_available": true });
        let get = scene.reader.begin("get", order)?;
        let kind = scene.reader.fails(get)?;
        expect(
            &kind,
            kind.contains("NotAvailable") || kind.contains("not available"),
        )?;
    }
    expect(
        "the edges come",
        scene.reader.get(FEED, &[9, 20])? == [all[9].clone(), all[20].clone()],
    )
}

/// What the reader clears it can fetch again. JavaScript's has to connect again for it: it takes what was fetched from a
/// peer off the list of what that peer has.
fn reader_clears(scene: &mut Scene<'_>) -> Result {
    let all = blocks(0..60);
    scene.open(&all, json!({ "sparse": true }))?;
    scene.link()?;
    let everything: Vec<u64> = (0..60).collect();
    scene.reader.get(FEED, &everything)?;
    scene
        .reader
        .call("clear", json!({ "feed": FEED, "start": 30, "end": 40 }))?;
    scene.has(50)?;
    if scene.reader.side != Side::Ours {
        scene.reader.call("hang_up", json!({ "link": LINK }))?;
        scene.both_end()?;
        let both = json!({ "as": "again", "live": true, "feeds": [{ "feed": FEED }] });
        scene.link_with(both.clone(), both)?;
    }
    expect(
        "they come again",
        scene.reader.get(FEED, &everything)? == all,
    )?;
    scene.sent(70)
}

/// A block is lost without anybody having noticed. Ours says so when it is asked for it. JavaScript's stays silent, and its
/// readers give up a connection with an unanswered request even if they are told; so do ours, unless other answers come.
fn lost_block(scene: &mut Scene<'_>) -> Result {
    let all: Vec<Vec<u8>> = (0..50).map(|block| vec![block; 100]).collect();
    scene.open(&all, json!({ "sparse": true }))?;
    scene
        .writer
        .call("lose", json!({ "feed": FEED, "block": 20, "byte": 2050 }))?;
    scene.link()?;
    scene.reader.get(FEED, &[1])?;
    let order = json!({ "feed": FEED, "blocks": [20], "if_available": true, "timeout": 500 });
    let get = scene.reader.begin("get", order)?;
    expect(
        "the others come",
        scene.reader.get(FEED, &[19, 21])? == [all[19].clone(), all[21].clone()],
    )?;
    scene.reader.fails(get)?;
    if scene.writer.side == Side::Ours {
        let claims = scene
            .reader
            .call("claims", json!({ "feed": FEED, "block": 20 }))?;
        expect_eq("the block is claimed", &claims["yes"], &json!(false))?;
    }
    expect(
        "the others come",
        scene.reader.get(FEED, &[22])? == [all[22].clone()],
    )
}

/// Every block that the reader stores is confirmed to a writer that wants to know, and to no other.
fn acknowledgements(scene: &mut Scene<'_>) -> Result {
    let all = blocks(0..60);
    scene.open(&all[..40], json!({}))?;
    let wants = |ack: bool| json!({ "live": true, "feeds": [{ "feed": FEED, "ack": ack }] });
    scene.link_with(wants(true), wants(false))?;
    scene.arrives(&all[..40])?;
    scene.writer.append(FEED, &all[40..])?;
    scene.arrives(&all)?;
    let acks = scene.writer.wait(FEED, "acks", 60)?["acks"].clone();
    let mut acks: Vec<u64> = serde_json::from_value(acks)?;
    acks.sort_unstable();
    expect_eq("what was confirmed", acks, (0..60).collect())?;
    expect_eq(
        "what was confirmed to the reader",
        &scene.reader.info(FEED)?["acks"],
        &json!([]),
    )
}
