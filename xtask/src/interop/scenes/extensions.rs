//! Messages of the program's own.

use data_encoding::BASE64;
use serde_json::json;

use super::{FEED, LINK, Named, Scene, blocks, expect, expect_eq};
use crate::{
    Result,
    interop::{peers::Side, puppet::Puppet},
};

pub(super) const SCENES: &[Named] = &[
    ("extensions both ways", both_ways),
    ("extensions of different sets", different_sets),
    ("extensions in UTF-16 order", utf16_order),
    ("extension messages sent early", sent_early),
    ("extensions registered later", registered_later),
    ("extensions of the connection", of_the_connection),
    (
        "extensions of the connection, a remote that only listens",
        only_listens,
    ),
];

/// What is sent arrives as it was: small, empty, large.
fn both_ways(scene: &mut Scene<'_>) -> Result {
    scene.open(&blocks(0..5), json!({}))?;
    register(&mut scene.writer, &["one"])?;
    register(&mut scene.reader, &["one"])?;
    scene.link()?;
    meet(scene)?;
    let large: Vec<u8> = (0..200_000_u32).map(|byte| byte as u8).collect();
    let messages = [b"hello".to_vec(), Vec::new(), large, b"the last".to_vec()];
    for message in &messages {
        scene.writer.broadcast(FEED, "one", message)?;
        scene.reader.broadcast(FEED, "one", message)?;
    }
    for peer in [&mut scene.writer, &mut scene.reader] {
        expect(
            "they come as they were",
            peer.messages(FEED, "one", 4)? == messages,
        )?;
    }
    Ok(())
}

/// Each side numbers its own, and they are matched by name.
fn different_sets(scene: &mut Scene<'_>) -> Result {
    scene.open(&blocks(0..5), json!({}))?;
    register(
        &mut scene.writer,
        &["delta", "alpha", "gamma", "only of the writer"],
    )?;
    register(
        &mut scene.reader,
        &["gamma", "a", "omega", "delta", "before all"],
    )?;
    scene.link()?;
    meet(scene)?;
    for name in ["delta", "gamma"] {
        scene
            .writer
            .broadcast(FEED, name, format!("to {name}").as_bytes())?;
        scene
            .reader
            .broadcast(FEED, name, format!("for {name}").as_bytes())?;
    }
    // Those that the other side doesn't have go nowhere.
    scene.writer.broadcast(FEED, "alpha", b"lost")?;
    scene.reader.broadcast(FEED, "omega", b"lost")?;
    for name in ["delta", "gamma"] {
        let to = scene.reader.messages(FEED, name, 1)?;
        expect_eq("what came", to, vec![format!("to {name}").into_bytes()])?;
        let back = scene.writer.messages(FEED, name, 1)?;
        expect_eq("what came", back, vec![format!("for {name}").into_bytes()])?;
    }
    for name in ["a", "omega", "before all"] {
        let nothing = scene.reader.messages(FEED, name, 0)?;
        expect_eq("what came", nothing, Vec::new())?;
    }
    Ok(())
}

/// Names are ordered as JavaScript compares strings, which is not the order of their bytes or code points.
fn utf16_order(scene: &mut Scene<'_>) -> Result {
    let names = ["\u{fb00}", "\u{1d49c}", "z", "\u{e9}"];
    scene.open(&blocks(0..5), json!({}))?;
    register(&mut scene.writer, &names)?;
    register(&mut scene.reader, &names)?;
    scene.link()?;
    meet(scene)?;
    for name in names {
        scene.writer.broadcast(FEED, name, name.as_bytes())?;
        scene.reader.broadcast(FEED, name, name.as_bytes())?;
    }
    for name in names {
        for peer in [&mut scene.writer, &mut scene.reader] {
            let came = peer.messages(FEED, name, 1)?;
            expect_eq("what came", came, vec![name.as_bytes().to_vec()])?;
        }
    }
    Ok(())
}

/// What ours sends as soon as a peer is there waits until it is known which number it has. JavaScript's can be sent
/// before its own names are known to the remote, and then goes nowhere: nothing to be done on our side.
fn sent_early(scene: &mut Scene<'_>) -> Result {
    scene.open(&blocks(0..5), json!({}))?;
    register(&mut scene.writer, &["a", "early"])?;
    register(&mut scene.reader, &["b", "early", "z"])?;
    scene.link()?;
    let ours = scene.ours();
    ours.wait(FEED, "peers", 1)?;
    for number in 0..20_u8 {
        ours.broadcast(FEED, "early", &[number])?;
    }
    let came = scene.theirs().messages(FEED, "early", 20)?;
    expect_eq(
        "what came",
        came,
        (0..20).map(|number| vec![number]).collect(),
    )
}

/// A name that is added moves the numbers of others; what is under way still reaches whom it is for.
fn registered_later(scene: &mut Scene<'_>) -> Result {
    scene.open(&blocks(0..5), json!({}))?;
    register(&mut scene.writer, &["m"])?;
    register(&mut scene.reader, &["m"])?;
    scene.link()?;
    meet(scene)?;
    for (turn, name) in ["c", "b", "x", "a"].into_iter().enumerate() {
        register(&mut scene.writer, &[name])?;
        scene.writer.broadcast(FEED, "m", &[turn as u8])?;
        register(&mut scene.reader, &[name])?;
        scene.reader.broadcast(FEED, "m", &[turn as u8])?;
        // Once each has heard that the other has it too.
        scene.writer.messages(FEED, "m", turn as u64 + 1)?;
        scene.reader.messages(FEED, "m", turn as u64 + 1)?;
        scene.writer.broadcast(FEED, name, name.as_bytes())?;
        let came = scene.reader.messages(FEED, name, 1)?;
        expect_eq("what came", came, vec![name.as_bytes().to_vec()])?;
        scene.reader.broadcast(FEED, name, name.as_bytes())?;
        let came = scene.writer.messages(FEED, name, 1)?;
        expect_eq("what came", came, vec![name.as_bytes().to_vec()])?;
    }
    let turns: Vec<Vec<u8>> = (0..4).map(|turn| vec![turn]).collect();
    expect_eq(
        "what came",
        scene.reader.messages(FEED, "m", 4)?,
        turns.clone(),
    )?;
    expect_eq("what came", scene.writer.messages(FEED, "m", 4)?, turns)
}

/// Messages about the connection as a whole, on a connection without a feed: different sets, in UTF-16 order, both ways.
fn of_the_connection(scene: &mut Scene<'_>) -> Result {
    let names = ["\u{fb00}", "both", "\u{1d49c}"];
    let with =
        |own: &str| json!({ "live": true, "extensions": [own, names[0], names[1], names[2]] });
    scene.link_with(with("a"), with("z"))?;
    // Before the handshake is done it waits.
    say(&mut scene.writer, names[0], b"early")?;
    expect_eq(
        "what came",
        heard(&mut scene.reader, names[0], 1)?,
        vec![b"early".to_vec()],
    )?;
    let large: Vec<u8> = (0..200_000_u32).map(|byte| byte as u8).collect();
    let messages = [b"hello".to_vec(), Vec::new(), large, b"the last".to_vec()];
    for message in &messages {
        for name in [names[1], names[2]] {
            say(&mut scene.writer, name, message)?;
            say(&mut scene.reader, name, message)?;
        }
    }
    // Those that the other side doesn't have go nowhere.
    say(&mut scene.writer, "a", b"lost")?;
    say(&mut scene.reader, "z", b"lost")?;
    for name in [names[1], names[2]] {
        for peer in [&mut scene.writer, &mut scene.reader] {
            expect("they come as they were", heard(peer, name, 4)? == messages)?;
        }
    }
    expect_eq("what came", heard(&mut scene.reader, names[0], 1)?.len(), 1)
}

/// JavaScript tells which extensions of the connection it has only before a message of its own, so ours doesn't wait for it.
fn only_listens(scene: &mut Scene<'_>) -> Result {
    let with = |names: &[&str]| json!({ "live": true, "extensions": names });
    let (ours, theirs) = (with(&["a", "talk"]), with(&["talk", "z"]));
    match scene.writer.side {
        Side::Ours => scene.link_with(ours, theirs)?,
        Side::JavaScript(_) => scene.link_with(theirs, ours)?,
    }
    for number in 0..20_u8 {
        say(scene.ours(), "talk", &[number])?;
    }
    let came = heard(scene.theirs(), "talk", 20)?;
    expect_eq(
        "what came",
        came,
        (0..20).map(|number| vec![number]).collect(),
    )
}

fn say(peer: &mut Puppet, name: &str, data: &[u8]) -> Result {
    let data = BASE64.encode(data);
    let order = json!({ "link": LINK, "name": name, "data": data });
    peer.call("say", order).map(drop)
}

fn heard(peer: &mut Puppet, name: &str, least: u64) -> Result<Vec<Vec<u8>>> {
    let order = json!({ "link": LINK, "name": name, "least": least });
    let reply = peer.call("heard", order)?;
    let texts = reply["data"].as_array().into_iter().flatten();
    let decoded = texts.map(|text| BASE64.decode(text.as_str().unwrap_or_default().as_bytes()));
    Ok(decoded.collect::<std::result::Result<_, _>>()?)
}

fn register(peer: &mut Puppet, names: &[&str]) -> Result {
    for name in names {
        peer.call("extension", json!({ "feed": FEED, "name": name }))?;
    }
    Ok(())
}

/// Waits until both have the other as a peer.
fn meet(scene: &mut Scene<'_>) -> Result {
    scene.writer.wait(FEED, "peers", 1)?;
    scene.reader.wait(FEED, "peers", 1)?;
    Ok(())
}
