//! A peer that does what it is told, ours or JavaScript's: both take the same orders.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::{World, peers::Side};
use crate::{Result, process::Running};

/// How long a scene may take: many times what it needs, on a machine that is busy.
pub(super) const TIME: Duration = Duration::from_secs(60);

/// One such peer.
pub(super) struct Puppet {
    pub(super) side: Side,
    name: String,
    folder: PathBuf,
    running: Running,
    next: u64,
    /// Replies that came while another one was waited for.
    replies: BTreeMap<u64, Value>,
}

/// An order whose reply is still to come.
#[must_use = "its reply may be an error"]
pub(super) struct Pending(u64, String);

impl Puppet {
    /// Starts one, with a name to call it by, that keeps its feeds below a folder. `dialect` is what ours signs in.
    pub(super) fn start(world: &World, side: Side, name: &str, folder: &Path) -> Result<Self> {
        let mut command = match side {
            Side::Ours => Command::new(&world.puppet),
            Side::JavaScript(version) => {
                let mut node = Command::new("node");
                node.arg(world.scripts.join("puppet.js"));
                node.arg(version.number());
                node
            }
        };
        let name = format!("{name} ({side})");
        Ok(Puppet {
            side,
            running: Running::start(&name, &mut command, TIME)?,
            folder: folder.join(name.replace(['(', ')', ' '], "")),
            name,
            next: 0,
            replies: BTreeMap::new(),
        })
    }

    /// Gives an order, and doesn't wait for the reply.
    pub(super) fn begin(&mut self, verb: &str, mut order: Value) -> Result<Pending> {
        self.next += 1;
        order["n"] = self.next.into();
        order["do"] = verb.into();
        let line = order.to_string();
        self.running.say(line.as_bytes())?;
        Ok(Pending(self.next, line))
    }

    /// Waits for a reply: the error is what the peer says, or that it says nothing.
    fn reply(&mut self, pending: &Pending) -> Result<std::result::Result<Value, Value>> {
        let Pending(number, order) = pending;
        while !self.replies.contains_key(number) {
            let line = self.running.wait_for("reply").map_err(|failure| {
                let order: String = order.chars().take(200).collect();
                format!("told to {order}\n{failure}")
            })?;
            self.replies.insert(line["n"].as_u64().unwrap_or(0), line);
        }
        let reply = self.replies.remove(number).unwrap_or_default();
        Ok(match reply["error"].is_null() {
            true => Ok(reply),
            false => Err(reply),
        })
    }

    /// Waits for what was ordered.
    pub(super) fn end(&mut self, pending: Pending) -> Result<Value> {
        self.reply(&pending)?.map_err(|reply| {
            let order: String = pending.1.chars().take(200).collect();
            format!("{}: told to {order}: {}", self.name, reply["error"]).into()
        })
    }

    /// Waits for what was ordered to fail, and says how: what kind of failure, in the words of the side.
    pub(super) fn fails(&mut self, pending: Pending) -> Result<String> {
        match self.reply(&pending)? {
            Err(reply) => Ok(reply["kind"].as_str().unwrap_or_default().into()),
            Ok(reply) => Err(format!("{}: {} gave {reply}", self.name, pending.1).into()),
        }
    }

    /// Orders something and waits for it.
    pub(super) fn call(&mut self, verb: &str, order: Value) -> Result<Value> {
        let pending = self.begin(verb, order)?;
        self.end(pending)
    }

    /// Makes a feed, or opens a copy if `order` has a key. What it is said to be; its name is its folder.
    pub(super) fn open(&mut self, feed: &str, order: Value) -> Result<Value> {
        self.open_at(feed, &self.dir(feed), order)
    }

    /// The same with a folder of its own.
    pub(super) fn open_at(&mut self, feed: &str, dir: &Path, mut order: Value) -> Result<Value> {
        order["feed"] = feed.into();
        order["dir"] = dir.display().to_string().into();
        if order["dialect"].is_null() {
            order["dialect"] = "8".into();
        }
        self.call("open", order)
    }

    /// Where a feed is.
    pub(super) fn dir(&self, feed: &str) -> PathBuf {
        self.folder.join(feed)
    }

    pub(super) fn append(&mut self, feed: &str, blocks: &[Vec<u8>]) -> Result {
        let blocks: Vec<String> = blocks.iter().map(|block| BASE64.encode(block)).collect();
        self.call("append", json!({ "feed": feed, "blocks": blocks }))
            .map(drop)
    }

    pub(super) fn info(&mut self, feed: &str) -> Result<Value> {
        self.call("info", json!({ "feed": feed }))
    }

    /// Waits until a number of `info` is as large.
    pub(super) fn wait(&mut self, feed: &str, what: &str, least: u64) -> Result<Value> {
        self.call(
            "wait",
            json!({ "feed": feed, "what": what, "least": least }),
        )
    }

    /// Reads blocks, all asked for at once.
    pub(super) fn get(&mut self, feed: &str, blocks: &[u64]) -> Result<Vec<Vec<u8>>> {
        let pending = self.begin("get", json!({ "feed": feed, "blocks": blocks }))?;
        let reply = self.end(pending)?;
        decode(&reply)
    }

    /// The last block once the feed is so long.
    pub(super) fn head(&mut self, feed: &str, length: u64) -> Result<Vec<Vec<u8>>> {
        decode(&self.call("head", json!({ "feed": feed, "length": length }))?)
    }

    /// The messages of an extension once there are so many.
    pub(super) fn messages(&mut self, feed: &str, name: &str, least: u64) -> Result<Vec<Vec<u8>>> {
        let order = json!({ "feed": feed, "name": name, "least": least });
        decode(&self.call("messages", order)?)
    }

    pub(super) fn broadcast(&mut self, feed: &str, name: &str, data: &[u8]) -> Result {
        let data = BASE64.encode(data);
        self.call(
            "broadcast",
            json!({ "feed": feed, "name": name, "data": data }),
        )
        .map(drop)
    }

    /// Closes a feed, so that another program may open its folder.
    pub(super) fn close(&mut self, feed: &str) -> Result {
        self.call("close", json!({ "feed": feed })).map(drop)
    }
}

impl fmt::Display for Puppet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn decode(reply: &Value) -> Result<Vec<Vec<u8>>> {
    let list = reply["data"].as_array().ok_or("no data in a reply")?;
    let texts = list.iter().filter_map(Value::as_str);
    Ok(texts
        .map(|text| BASE64.decode(text.as_bytes()))
        .collect::<std::result::Result<_, _>>()?)
}
