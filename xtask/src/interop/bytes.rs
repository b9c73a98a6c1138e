//! How many bytes pass between two peers, counted on the wire: JavaScript from JavaScript, ours from ours, and each from the
//! other. Ours must need no more than JavaScript.

use std::{fmt, path::Path};

use serde_json::json;

use super::{
    Case, World,
    large::block,
    peers::{Side, Version},
    proxy::Proxy,
    puppet::Puppet,
    scenes::{expect, picks},
};
use crate::Result;

/// The size of the blocks.
const SIZE: usize = 100;

const FEED: &str = "feed";

/// What is fetched of a feed.
#[derive(Clone, Copy)]
enum Job {
    /// A thousand blocks here and there of a million, asked for all at once.
    Sparse,
    /// All of twenty thousand.
    Full,
}

/// Each job against each version.
pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for job in [Job::Sparse, Job::Full] {
        for version in Version::ALL {
            let name = format!("bytes: {job}, ours and js{}", version.number());
            cases.push(Case::new(name, move |world, folder| {
                Comparison {
                    world,
                    folder,
                    version,
                    job,
                }
                .compare()
            }));
        }
    }
    cases
}

/// One job of four pairs.
struct Comparison<'a> {
    world: &'a World,
    folder: &'a Path,
    version: Version,
    job: Job,
}

/// What one clone moved.
struct Moved {
    writer: Side,
    reader: Side,
    up: u64,
    down: u64,
}

impl Job {
    /// How many blocks the feed has.
    fn length(self) -> u64 {
        match self {
            Job::Sparse => 1_000_000,
            Job::Full => 20_000,
        }
    }

    /// By how many percent ours may exceed JavaScript. Its window grows, to several times as many requests as JavaScript ever has
    /// in flight, and each more of them costs some hashes; that is little, half a percent, but can't be made up for in a full
    /// clone. The rest is for machines that are busy, where answers come by the dozen.
    fn margin(self) -> u64 {
        match self {
            Job::Sparse => 0,
            Job::Full => 2,
        }
    }

    /// Which of them are fetched.
    fn wanted(self) -> Vec<u64> {
        match self {
            Job::Sparse => picks(1000, self.length(), 4),
            Job::Full => (0..self.length()).collect(),
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Job::Sparse => write!(f, "1000 blocks of {}", self.length()),
            Job::Full => write!(f, "all of {} blocks", self.length()),
        }
    }
}

impl Comparison<'_> {
    fn compare(&self) -> Result {
        let theirs = Side::JavaScript(self.version);
        let source = self.folder.join("source");
        let length = self.job.length();
        let key = self
            .world
            .large
            .copy(self.world, length, SIZE, &source)?
            .key;
        let mut all = Vec::new();
        for (writer, reader) in [
            (theirs, theirs),
            (Side::Ours, Side::Ours),
            (theirs, Side::Ours),
            (Side::Ours, theirs),
        ] {
            all.push(self.clone(&source, &key, writer, reader)?);
        }
        let table: String = all.iter().map(Moved::to_string).collect();
        println!("  {}:\n{table}", self.job);
        let theirs = all.first().map_or(0, Moved::total);
        let most = theirs + theirs / 100 * self.job.margin();
        let ours = all.iter().filter(|moved| moved.reader == Side::Ours);
        for moved in ours {
            let what = format!("ours moves no more bytes than JavaScript:\n{table}");
            expect(&what, moved.total() <= most)?;
        }
        Ok(())
    }

    /// One clone, through a proxy that counts.
    fn clone(&self, source: &Path, key: &str, writer: Side, reader: Side) -> Result<Moved> {
        let Comparison {
            world,
            folder,
            version,
            job,
        } = *self;
        let mut serving = Puppet::start(world, writer, "writer", folder)?;
        let copies = folder.join(format!("from {writer}"));
        let mut cloning = Puppet::start(world, reader, "reader", &copies)?;
        serving.open_at(FEED, source, json!({ "key": key }))?;
        let sparse = matches!(job, Job::Sparse);
        cloning.open(FEED, json!({ "key": key, "sparse": sparse }))?;
        let mut how = json!({
            "as": "link", "live": true, "feeds": [{ "feed": FEED }], "dialect": version.number(),
        });
        let port = serving.call("listen", how.clone())?["port"].clone();
        let proxy = Proxy::to(u16::try_from(port.as_u64().unwrap_or(0))?)?;
        how["port"] = proxy.port().into();
        cloning.call("connect", how)?;
        let wanted = job.wanted();
        if !sparse {
            cloning.wait(FEED, "have", job.length())?;
        }
        let got = cloning.get(FEED, &wanted)?;
        let mut both = wanted.iter().zip(&got);
        let right = both.all(|(number, bytes)| *bytes == block(*number, SIZE));
        expect("the blocks are right", right && got.len() == wanted.len())?;
        cloning.call("hang_up", json!({ "link": "link" }))?;
        let [up, down] = proxy.finish()?;
        serving.close(FEED)?;
        Ok(Moved {
            writer,
            reader,
            up,
            down,
        })
    }
}

impl Moved {
    fn total(&self) -> u64 {
        self.up + self.down
    }
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Moved {
            writer,
            reader,
            up,
            down,
        } = self;
        let total = self.total();
        writeln!(
            f,
            "    {writer:>4} to {reader:<4}  {up:>7} bytes there, {down:>8} back, {total:>8} in all"
        )
    }
}
