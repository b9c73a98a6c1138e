//! How long connections last: while a feed grows, over silence, and to their end.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use super::{FEED, LINK, Named, Scene, blocks, expect};
use crate::{Result, interop::peers::Side};

pub(super) const SCENES: &[Named] = &[
    ("live tail", live_tail),
    ("a get before its append", get_before_append),
    ("slow reader", slow_reader),
    ("ending, reader live", |scene| {
        hung_up(scene, false, true, false)
    }),
    ("ending, sparse, both live", |scene| {
        hung_up(scene, true, true, true)
    }),
    ("ending, sparse, none live", |scene| {
        hung_up(scene, false, false, true)
    }),
    ("ending, sparse, writer live", |scene| {
        hung_up(scene, true, false, true)
    }),
    ("ending, writer live", writer_live),
    ("ending, writer lacks blocks", writer_lacks),
    ("ending, each has half", each_has_half),
    ("ending, empty feed", empty_feed),
];

/// A timeout that stands for the usual twenty seconds.
const SILENCE: u64 = 1500;

/// Hundreds of appends one by one and in batches, with silence between them that only signs of life bridge.
fn live_tail(scene: &mut Scene<'_>) -> Result {
    let all = blocks(0..420);
    scene.open(&all[..20], json!({}))?;
    let both = json!({ "live": true, "timeout": SILENCE, "feeds": [{ "feed": FEED }] });
    scene.link_with(both.clone(), both)?;
    scene.arrives(&all[..20])?;
    let mut next = 20;
    for burst in [150, 150, 100] {
        for turn in 0.. {
            let count = if turn % 10 == 9 { 7 } else { 1 };
            let end = all.len().min(next + count);
            scene.writer.append(FEED, &all[next..end])?;
            next = end;
            if turn * 2 > burst || next == all.len() {
                break;
            }
        }
        scene.reader.wait(FEED, "have", next as u64)?;
        thread::sleep(Duration::from_millis(SILENCE * 5 / 4));
    }
    scene.writer.append(FEED, &all[next..])?;
    scene.arrives(&all)?;
    scene.writer.call("hang_up", json!({ "link": LINK }))?;
    scene.both_end()
}

/// A block can be waited for that isn't there yet.
fn get_before_append(scene: &mut Scene<'_>) -> Result {
    let all = blocks(0..12);
    scene.open(&all[..4], json!({ "sparse": true }))?;
    scene.link()?;
    let order = json!({ "feed": FEED, "blocks": [10] });
    let get = scene.reader.begin("get", order)?;
    scene.reader.wait(FEED, "remote_length", 4)?;
    scene.writer.append(FEED, &all[4..])?;
    scene.reader.end(get)?;
    scene.has(1)
}

/// A reader that takes nothing for a while, though it has asked for a lot, gets it afterwards. (Of ours nobody can be told
/// to stop reading; there the other side is slow to take the requests.)
fn slow_reader(scene: &mut Scene<'_>) -> Result {
    let all: Vec<Vec<u8>> = (0..200).map(|block| vec![block as u8; 60_000]).collect();
    scene.open(&all, json!({}))?;
    scene.link()?;
    scene.reader.wait(FEED, "have", 1)?;
    for _ in 0..3 {
        scene.theirs().call("pause", json!({ "link": LINK }))?;
        thread::sleep(Duration::from_millis(200));
        scene.theirs().call("resume", json!({ "link": LINK }))?;
        thread::sleep(Duration::from_millis(5));
    }
    scene.arrives(&all)
}

/// Connections of which one side is live, or whose reader may want more, go on until somebody hangs up.
fn hung_up(scene: &mut Scene<'_>, writer_live: bool, reader_live: bool, sparse: bool) -> Result {
    let all = blocks(0..60);
    scene.open(&all, json!({ "sparse": sparse }))?;
    scene.link_with(how(writer_live), how(reader_live))?;
    if sparse {
        scene.reader.get(FEED, &[7])?;
        // Long enough for an end that shouldn't come.
        thread::sleep(Duration::from_millis(100));
        expect("more comes", scene.reader.get(FEED, &[8, 9])? == all[8..10])?;
    } else {
        scene.arrives(&all)?;
    }
    let hangs_up = if writer_live {
        &mut scene.reader
    } else {
        &mut scene.writer
    };
    hangs_up.call("hang_up", json!({ "link": LINK }))?;
    scene.both_end()
}

/// A reader that isn't live has all of a writer that is. Two of JavaScript's stay connected then, since the live one doesn't
/// answer that the other is done; one of ours ends it, whichever it is.
fn writer_live(scene: &mut Scene<'_>) -> Result {
    let all = blocks(0..60);
    scene.open(&all, json!({}))?;
    scene.link_with(how(true), how(false))?;
    scene.arrives(&all)?;
    if scene.reader.side != Side::Ours {
        scene.reader.call("hang_up", json!({ "link": LINK }))?;
    }
    scene.both_end()
}

/// What the writer lacks isn't waited for by a reader of ours. One of JavaScript's waits until somebody hangs up.
fn writer_lacks(scene: &mut Scene<'_>) -> Result {
    scene.open(&blocks(0..60), json!({}))?;
    scene
        .writer
        .call("clear", json!({ "feed": FEED, "start": 10, "end": 20 }))?;
    scene.link_with(how(false), how(false))?;
    scene.reader.wait(FEED, "have", 50)?;
    if scene.reader.side != Side::Ours {
        // Not by itself: one of 9 may write once more after it has ended.
        scene.writer.call("hang_up", json!({ "link": LINK }))?;
    }
    scene.both_end()
}

/// Two copies of which neither has all, and which aren't live, give one another the rest and end.
fn each_has_half(scene: &mut Scene<'_>) -> Result {
    let all = blocks(0..80);
    scene.open(&all, json!({}))?;
    let key = scene.writer.info(FEED)?["key"].clone();
    let (left, right) = (scene.writer.dir("half"), scene.reader.dir(FEED));
    expect("they are two", left != right)?;
    // The writer serves both, and keeps a copy of its own beside.
    scene
        .writer
        .open("half", json!({ "key": key, "sparse": true }))?;
    let serving =
        json!({ "live": true, "as": "self", "feeds": [{ "feed": FEED }], "dialect": "8" });
    let serving = with_dialect(serving, scene);
    let port = scene.writer.call("listen", serving)?["port"].clone();
    let copying = json!({
        "live": true, "as": "half", "port": port, "feeds": [{ "feed": "half" }], "dialect": "8",
    });
    let copying = with_dialect(copying, scene);
    scene.writer.call("connect", copying)?;
    let evens: Vec<u64> = (0..80).filter(|block| block % 2 == 0).collect();
    scene.writer.get("half", &evens)?;
    scene.writer.call("hang_up", json!({ "link": "half" }))?;
    scene.writer.call("ended", json!({ "link": "half" }))?;
    // The reader gets the odd ones from the writer.
    scene.reader.close(FEED)?;
    scene
        .reader
        .open(FEED, json!({ "key": key, "sparse": true }))?;
    scene.link()?;
    let odds: Vec<u64> = (0..80).filter(|block| block % 2 == 1).collect();
    scene.reader.get(FEED, &odds)?;
    scene.reader.call("hang_up", json!({ "link": LINK }))?;
    scene.both_end()?;
    // Both open their halves again, to have all now.
    for (peer, feed) in [(&mut scene.reader, FEED), (&mut scene.writer, "half")] {
        peer.close(feed)?;
        peer.open(feed, json!({ "key": key }))?;
    }
    let of = |feed: &str| json!({ "as": "last", "feeds": [{ "feed": feed }] });
    scene.link_with(of("half"), of(FEED))?;
    for (peer, feed) in [(&mut scene.reader, FEED), (&mut scene.writer, "half")] {
        peer.wait(feed, "have", 80)?;
        super::same_blocks(peer, feed, &all)?;
        peer.call("ended", json!({ "link": "last" }))?;
    }
    Ok(())
}

/// Nothing to exchange is exchanged soon.
fn empty_feed(scene: &mut Scene<'_>) -> Result {
    scene.open(&[], json!({}))?;
    scene.link_with(how(false), how(false))?;
    scene.both_end()
}

fn how(live: bool) -> Value {
    json!({ "live": live, "feeds": [{ "feed": FEED }] })
}

fn with_dialect(mut order: Value, scene: &Scene<'_>) -> Value {
    order["dialect"] = scene.version.number().into();
    order
}
