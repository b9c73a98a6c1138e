//! What a reader may ask for: blocks, ranges, bytes, a longer feed.

use serde_json::json;

use super::{FEED, LINK, Named, Scene, blocks, expect, expect_eq, picks};
use crate::{
    Result,
    interop::large::{self, LENGTH, SIZE},
};

pub(super) const SCENES: &[Named] = &[
    ("sparse gets", sparse_gets),
    ("linear range", |scene| range(scene, true)),
    ("random range", |scene| range(scene, false)),
    ("list of blocks", list_of_blocks),
    ("empty blocks", empty_blocks),
    ("seek", seek),
    ("update", update),
    ("update with the block", update_with_block),
    ("eager update", eager_update),
    ("if available", if_available),
    ("cancelled downloads", cancelled),
    ("cancelled range", cancelled_range),
    ("static feed", static_feed),
    ("beyond the first window", beyond_the_first_window),
];

const SPARSE: fn() -> serde_json::Value = || json!({ "sparse": true });

/// Blocks here and there come, once each, and no others.
fn sparse_gets(scene: &mut Scene<'_>) -> Result {
    let all = blocks(0..1000);
    scene.open(&all, SPARSE())?;
    scene.link()?;
    let wanted = picks(40, 1000, 1);
    let got = scene.reader.get(FEED, &wanted)?;
    let expected: Vec<_> = wanted
        .iter()
        .map(|block| all[*block as usize].clone())
        .collect();
    expect("each get gives its block", got == expected)?;
    let info = scene.reader.info(FEED)?;
    expect_eq("blocks that are there", &info["have"], &json!(40))?;
    let uploads = scene.writer.wait(FEED, "uploads", 40)?;
    expect_eq("blocks that were sent", &uploads["uploads"], &json!(40))?;
    expect_eq("length", &info["length"], &json!(1000))?;
    // And the last one, which is asked for when everything else is over.
    expect(
        "the last comes",
        scene.reader.get(FEED, &[999])? == [all[999].clone()],
    )
}

/// A part of a feed comes, and nothing besides; a linear one in order.
fn range(scene: &mut Scene<'_>, linear: bool) -> Result {
    let all = blocks(0..2000);
    scene.open(&all, SPARSE())?;
    let order = json!({ "feed": FEED, "as": "it", "start": 300, "end": 900, "linear": linear });
    scene.reader.call("download", order)?;
    scene.link()?;
    scene.reader.call("done", json!({ "as": "it" }))?;
    let info = scene.reader.wait(FEED, "downloads", 600)?;
    expect_eq("blocks that are there", &info["have"], &json!(600))?;
    let wanted: Vec<u64> = (300..900).collect();
    let got = scene.reader.get(FEED, &wanted)?;
    expect("the blocks are right", got == all[300..900])?;
    let came: Vec<u64> = serde_json::from_value(info["downloads"].clone())?;
    // Answers may overtake one another, but only as far as there were requests. Ours asks for stretches from random places on.
    let near = |(place, block): (usize, &u64)| block.abs_diff(300 + place as u64) < 200;
    expect(
        "they come in order",
        !linear || came.iter().enumerate().all(near),
    )?;
    scene.sent(600)
}

/// So do blocks by their numbers, one of which is appended only later.
fn list_of_blocks(scene: &mut Scene<'_>) -> Result {
    scene.open(&blocks(0..500), SPARSE())?;
    scene.link()?;
    let list = [3, 499, 77, 250, 503];
    scene.reader.call(
        "download",
        json!({ "feed": FEED, "as": "it", "blocks": list }),
    )?;
    scene.reader.wait(FEED, "have", 4)?;
    scene.writer.append(FEED, &blocks(500..510))?;
    scene.reader.call("done", json!({ "as": "it" }))?;
    scene.has(5)
}

/// Blocks of no bytes come like others. Not as the first, though: JavaScript can't read one before it has written anything to
/// the file of data.
fn empty_blocks(scene: &mut Scene<'_>) -> Result {
    let all: Vec<Vec<u8>> = (0..40).map(|block| vec![1; block % 3]).collect();
    scene.open(&all, SPARSE())?;
    scene.link()?;
    scene.reader.get(FEED, &[1])?;
    let wanted = [3, 0, 2, 39, 36];
    let expected: Vec<_> = wanted
        .iter()
        .map(|block| all[*block as usize].clone())
        .collect();
    expect(
        "each get gives its block",
        scene.reader.get(FEED, &wanted)? == expected,
    )
}

/// The block of a byte is found without any block being sent.
fn seek(scene: &mut Scene<'_>) -> Result {
    let all = blocks(0..3000);
    scene.open(&all, SPARSE())?;
    scene.link()?;
    scene.reader.wait(FEED, "remote_length", 3000)?;
    let total: u64 = all.iter().map(|block| block.len() as u64).sum();
    let mut pending = Vec::new();
    for byte in [
        0,
        1,
        total / 3,
        total / 2,
        total / 2 + 1,
        total - 2,
        total - 1,
    ] {
        pending.push((
            byte,
            scene
                .reader
                .begin("seek", json!({ "feed": FEED, "byte": byte }))?,
        ));
    }
    for (byte, order) in pending {
        let reply = scene.reader.end(order)?;
        let (mut block, mut offset) = (0, byte);
        while offset >= all[block].len() as u64 {
            offset -= all[block].len() as u64;
            block += 1;
        }
        let expected = [json!(block), json!(offset)];
        let place = [reply["block"].clone(), reply["offset"].clone()];
        expect_eq(&format!("the place of byte {byte}"), place, expected)?;
    }
    scene.has(0)?;
    scene.sent(0)
}

/// The length becomes known by its proof alone: what there is, and what is appended later.
fn update(scene: &mut Scene<'_>) -> Result {
    scene.open(&blocks(0..100), SPARSE())?;
    scene.link()?;
    let found = scene
        .reader
        .call("update", json!({ "feed": FEED, "if_available": true }))?;
    expect_eq("length", &found["length"], &json!(100))?;
    let later = scene.reader.begin("update", json!({ "feed": FEED }))?;
    scene.writer.append(FEED, &blocks(100..107))?;
    expect_eq("length", &scene.reader.end(later)?["length"], &json!(107))?;
    let far = scene
        .reader
        .begin("update", json!({ "feed": FEED, "length": 120 }))?;
    scene.writer.append(FEED, &blocks(107..110))?;
    scene.writer.append(FEED, &blocks(110..125))?;
    expect_eq("length", &scene.reader.end(far)?["length"], &json!(125))?;
    scene.has(0)?;
    scene.sent(0)
}

/// Or with the last block, which is the only one that comes.
fn update_with_block(scene: &mut Scene<'_>) -> Result {
    let all = blocks(0..130);
    scene.open(&all[..100], SPARSE())?;
    scene.link()?;
    let order = |length: u64| json!({ "feed": FEED, "block": true, "length": length });
    let found = scene.reader.call("update", order(1))?;
    expect_eq("length", &found["length"], &json!(100))?;
    let info = scene.reader.wait(FEED, "have", 1)?;
    expect_eq("blocks that are there", &info["have"], &json!(1))?;
    let later = scene.reader.begin("update", order(101))?;
    scene.writer.append(FEED, &all[100..107])?;
    expect_eq("length", &scene.reader.end(later)?["length"], &json!(107))?;
    let info = scene.reader.wait(FEED, "have", 2)?;
    expect_eq("blocks that are there", &info["have"], &json!(2))?;
    scene.sent(2)?;
    scene.writer.append(FEED, &all[107..])?;
    let head = scene.reader.head(FEED, 130)?;
    expect("the head is the last block", head == [all[129].clone()])
}

/// A sparse reader may follow the length by itself.
fn eager_update(scene: &mut Scene<'_>) -> Result {
    scene.open(&blocks(0..10), json!({ "sparse": true, "eager": true }))?;
    scene.link()?;
    scene.reader.wait(FEED, "length", 10)?;
    for start in [10, 20, 30] {
        scene.writer.append(FEED, &blocks(start..start + 10))?;
        scene.reader.wait(FEED, "length", start + 10)?;
    }
    scene.has(0)
}

/// What nobody has isn't waited for, if the reader says so.
fn if_available(scene: &mut Scene<'_>) -> Result {
    let all = blocks(0..30);
    scene.open(&all, SPARSE())?;
    scene.link()?;
    // The link counts at once, though nothing has been said over it.
    let order = |block: u64| json!({ "feed": FEED, "blocks": [block], "if_available": true });
    scene.reader.call("get", order(7))?;
    let beyond = scene.reader.begin("get", order(30))?;
    let kind = scene.reader.fails(beyond)?;
    expect(
        &kind,
        kind.contains("NotAvailable") || kind.contains("not available"),
    )?;
    let nothing_new = json!({ "feed": FEED, "if_available": true });
    scene
        .reader
        .call("update", json!({ "feed": FEED, "length": 30 }))?;
    let update = scene.reader.begin("update", nothing_new)?;
    let kind = scene.reader.fails(update)?;
    expect(
        &kind,
        kind.contains("NoUpdate") || kind.contains("No update"),
    )
}

/// Cancelling downloads again and again, while answers are under way, harms nothing. Ours tells the remote of it, which
/// JavaScript passes over and answers nevertheless.
fn cancelled(scene: &mut Scene<'_>) -> Result {
    let all: Vec<Vec<u8>> = (0..600).map(|block| vec![block as u8; 2000]).collect();
    scene.open(&all, SPARSE())?;
    scene.link()?;
    scene.reader.wait(FEED, "remote_length", 600)?;
    for turn in 0..12 {
        let name = format!("it {turn}");
        let (start, end) = (turn * 50, turn * 50 + 50);
        let order = json!({ "feed": FEED, "as": name, "start": start, "end": end });
        scene.reader.call("download", order)?;
        scene.reader.call("undownload", json!({ "as": name }))?;
    }
    let everything: Vec<u64> = (0..600).collect();
    expect(
        "all come that are wanted",
        scene.reader.get(FEED, &everything)? == all,
    )?;
    scene.reader.call("hang_up", json!({ "link": LINK }))?;
    scene.both_end()
}

/// Whatever waits for blocks of a range ends at once, and nothing else does.
fn cancelled_range(scene: &mut Scene<'_>) -> Result {
    let all = blocks(0..300);
    scene.open(&all[..200], SPARSE())?;
    scene.link()?;
    scene.reader.wait(FEED, "remote_length", 200)?;
    let get = |block: u64| json!({ "feed": FEED, "blocks": [block] });
    let inside = scene.reader.begin("get", get(220))?;
    let outside = scene.reader.begin("get", get(230))?;
    scene.reader.wait(FEED, "waits", 2)?;
    let order = json!({ "feed": FEED, "as": "it", "start": 210, "end": 230 });
    scene.reader.call("download", order)?;
    let order = json!({ "feed": FEED, "start": 210, "end": 230 });
    scene.reader.call("cancel", order)?;
    let done = scene.reader.begin("done", json!({ "as": "it" }))?;
    for cancelled in [inside, done] {
        let kind = scene.reader.fails(cancelled)?;
        expect(&kind, kind.to_lowercase().contains("cancel"))?;
    }
    scene.writer.append(FEED, &all[200..])?;
    scene.reader.end(outside)?;
    expect(
        "it can be asked for again",
        scene.reader.get(FEED, &[220])? == [all[220].clone()],
    )?;
    scene.has(2)?;
    scene.sent(2)
}

/// A feed without signatures, whose key is the hash of what it holds.
fn static_feed(scene: &mut Scene<'_>) -> Result {
    let all = blocks(0..150);
    let made = json!({ "static": true });
    scene.writer.open(FEED, made)?;
    scene.writer.append(FEED, &all)?;
    let key = scene.writer.call("finalize", json!({ "feed": FEED }))?["key"].clone();
    scene.reader.open(FEED, json!({ "key": key }))?;
    let both = json!({ "feeds": [{ "feed": FEED }] });
    scene.link_with(both.clone(), both)?;
    scene.arrives(&all)?;
    scene.both_end()
}

/// A feed of more than 2^20 blocks: blocks on both sides of the edge, its end, and an append.
fn beyond_the_first_window(scene: &mut Scene<'_>) -> Result {
    const EDGE: u64 = 1 << 20;
    let (length, world) = (LENGTH, scene.world);
    let folder = scene.writer.dir(FEED);
    let made = world.large.copy(world, length, SIZE, &folder)?;
    let opened = scene.writer.open(FEED, json!({ "key": made.key }))?;
    expect_eq("length", &opened["length"], &json!(length))?;
    scene
        .reader
        .open(FEED, json!({ "sparse": true, "key": made.key }))?;
    scene.link()?;
    let wanted = [5, EDGE - 1, EDGE, EDGE + 1, length - 1];
    let expected: Vec<_> = wanted
        .iter()
        .map(|block| large::block(*block, SIZE))
        .collect();
    expect(
        "each get gives its block",
        scene.reader.get(FEED, &wanted)? == expected,
    )?;
    let start = EDGE - 30;
    let order = json!({ "feed": FEED, "as": "it", "start": start, "end": EDGE + 30 });
    scene.reader.call("download", order)?;
    scene.reader.call("done", json!({ "as": "it" }))?;
    let place = scene.reader.call(
        "seek",
        json!({ "feed": FEED, "byte": (EDGE + 500) * SIZE as u64 + 3 }),
    )?;
    expect_eq("the block of a byte", &place["block"], &json!(EDGE + 500))?;
    scene.writer.append(FEED, &[b"appended".to_vec()])?;
    let got = scene.reader.get(FEED, &[length])?;
    expect("what is appended comes", got == [b"appended".to_vec()])?;
    scene.has(5 + 57 + 1)
}
