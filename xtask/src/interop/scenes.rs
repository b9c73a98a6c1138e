//! Scenes that two peers play, ours and JavaScript's, told order by order: each in both dialects, with ours as writer and as
//! reader, and with either of them connecting. One file for each group of scenes.

mod extensions;
mod fetching;
mod live;
mod many;
mod switches;
mod together;

use std::path::Path;

use serde_json::{Value, json};

use super::{
    Case, World,
    peers::{Side, Version},
    puppet::{Pending, Puppet},
};
use crate::Result;

/// A scene by its name.
pub(super) type Named = (&'static str, fn(&mut Scene<'_>) -> Result);

/// The name of the feed that most scenes are about.
pub(super) const FEED: &str = "feed";

/// The name of the connection that most scenes are about.
pub(super) const LINK: &str = "link";

/// Two peers: one has written something, the other wants it.
pub(super) struct Scene<'a> {
    pub(super) world: &'a World,
    pub(super) folder: &'a Path,
    pub(super) version: Version,
    pub(super) writer: Puppet,
    pub(super) reader: Puppet,
    /// Whether the reader connects, and so is the initiator.
    pub(super) reader_connects: bool,
}

/// All of them.
pub(super) fn all() -> Vec<Case> {
    let groups: [&[Named]; 6] = [
        fetching::SCENES,
        live::SCENES,
        switches::SCENES,
        extensions::SCENES,
        many::SCENES,
        together::SCENES,
    ];
    let mut cases = Vec::new();
    for (name, play) in groups.into_iter().flatten() {
        for version in Version::ALL {
            let theirs = Side::JavaScript(version);
            for (writer, reader) in [(Side::Ours, theirs), (theirs, Side::Ours)] {
                for reader_connects in [true, false] {
                    let connects = if reader_connects { reader } else { writer };
                    let name =
                        format!("{name}: {writer} writes, {reader} reads, {connects} connects");
                    cases.push(Case::new(name, move |world, folder| {
                        let mut scene = Scene {
                            world,
                            folder,
                            version,
                            writer: Puppet::start(world, writer, "writer", folder)?,
                            reader: Puppet::start(world, reader, "reader", folder)?,
                            reader_connects,
                        };
                        play(&mut scene)
                    }));
                }
            }
        }
    }
    cases
}

impl Scene<'_> {
    /// The writer makes a feed with these blocks and the reader opens a copy of it, with these options.
    pub(super) fn open(&mut self, blocks: &[Vec<u8>], mut copy: Value) -> Result {
        let dialect = json!({ "dialect": self.version.number() });
        let made = self.writer.open(FEED, dialect)?;
        if !blocks.is_empty() {
            self.writer.append(FEED, blocks)?;
        }
        copy["key"] = made["key"].clone();
        self.reader.open(FEED, copy)?;
        Ok(())
    }

    /// Connects the two, live, with the feed on it.
    pub(super) fn link(&mut self) -> Result {
        let both = json!({ "live": true, "feeds": [{ "feed": FEED }] });
        self.link_with(both.clone(), both)
    }

    /// Connects the two: how the writer and how the reader is told to be.
    pub(super) fn link_with(&mut self, writer: Value, reader: Value) -> Result {
        let Scene {
            version,
            reader_connects,
            ..
        } = *self;
        let (writer, reader) = ((&mut self.writer, writer), (&mut self.reader, reader));
        let (listens, connects) = match reader_connects {
            true => (writer, reader),
            false => (reader, writer),
        };
        let auto = listens.1["noise"].is_null() && listens.1["encrypted"].is_null();
        connect(version, listens, connects, auto)
    }

    /// Waits until the connection has ended for both, without an error.
    pub(super) fn both_end(&mut self) -> Result {
        for peer in [&mut self.writer, &mut self.reader] {
            peer.call("ended", json!({ "link": LINK }))?;
        }
        Ok(())
    }

    /// The one of the two that is ours.
    pub(super) fn ours(&mut self) -> &mut Puppet {
        match self.writer.side {
            Side::Ours => &mut self.writer,
            Side::JavaScript(_) => &mut self.reader,
        }
    }

    /// The one of the two that isn't.
    pub(super) fn theirs(&mut self) -> &mut Puppet {
        match self.writer.side {
            Side::Ours => &mut self.reader,
            Side::JavaScript(_) => &mut self.writer,
        }
    }

    /// That the reader has so many blocks.
    pub(super) fn has(&mut self, blocks: u64) -> Result {
        let have = self.reader.info(FEED)?["have"].clone();
        expect_eq("blocks that are there", have, json!(blocks))
    }

    /// That the writer has sent so many blocks.
    pub(super) fn sent(&mut self, blocks: u64) -> Result {
        let sent = self.writer.info(FEED)?["uploads"].clone();
        expect_eq("blocks that were sent", sent, json!(blocks))
    }

    /// Has the reader wait for so many blocks, and compares all that it has with what it should.
    pub(super) fn arrives(&mut self, blocks: &[Vec<u8>]) -> Result {
        self.reader.wait(FEED, "have", blocks.len() as u64)?;
        same_blocks(&mut self.reader, FEED, blocks)
    }
}

/// Connects two peers: with whom and how each is told to be. Ours finds out the dialect if it may and connects.
pub(super) fn connect(
    version: Version,
    (listens, mut how): (&mut Puppet, Value),
    (connects, mut and_how): (&mut Puppet, Value),
    auto: bool,
) -> Result {
    for order in [&mut how, &mut and_how] {
        if order["as"].is_null() {
            order["as"] = LINK.into();
        }
        order["dialect"] = version.number().into();
    }
    if auto {
        and_how["dialect"] = "auto".into();
    }
    and_how["port"] = listens.call("listen", how)?["port"].clone();
    connects.call("connect", and_how).map(drop)
}

/// That a peer has exactly these blocks, when it reads and checks them.
pub(super) fn same_blocks(peer: &mut Puppet, feed: &str, blocks: &[Vec<u8>]) -> Result {
    let all: Vec<u64> = (0..blocks.len() as u64).collect();
    expect(
        &format!("{peer} has the blocks"),
        peer.get(feed, &all)? == blocks,
    )
}

/// An error unless something holds.
pub(super) fn expect(what: &str, holds: bool) -> Result {
    match holds {
        true => Ok(()),
        false => Err(format!("it doesn't hold that {what}").into()),
    }
}

/// An error unless two things are the same.
pub(super) fn expect_eq<T: PartialEq + std::fmt::Debug>(what: &str, left: T, right: T) -> Result {
    match left == right {
        true => Ok(()),
        false => Err(format!("{what}: {left:?}, and not {right:?}").into()),
    }
}

/// Waits for several replies of one peer.
pub(super) fn end_all(peer: &mut Puppet, pending: Vec<Pending>) -> Result {
    for one in pending {
        peer.end(one)?;
    }
    Ok(())
}

/// Blocks of many sizes.
pub(super) fn blocks(range: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    range
        .map(|number| {
            let times = number % 9 * 3 + 1;
            format!("block {number} ")
                .repeat(times as usize)
                .into_bytes()
        })
        .collect()
}

/// The same numbers in every run.
pub(super) fn picks(count: usize, below: u64, seed: u64) -> Vec<u64> {
    let mut state = seed;
    let mut picked = std::collections::BTreeSet::new();
    let mut order = Vec::new();
    while order.len() < count {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let block = (state >> 33) % below;
        if picked.insert(block) {
            order.push(block);
        }
    }
    order
}
