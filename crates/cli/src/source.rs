//! A feed to read from: in a directory, or wherever a link leads.
//!
//! What isn't here is fetched while it is read, and nothing else: in a directory it stays, from a link it is kept in memory only
//! until it was read.

use std::{fmt, ops::Range, path::PathBuf, str::FromStr, time::Duration};

use bytes::Bytes;
use clap::Args;
use hypercore::{DialectChoice, DownloadRequest, Error, Hypercore, Peer, Storage};

use crate::{
    calls::{Calls, Terms, Way},
    commands::{close, open_sparse},
    failure::{Code, Failure},
    known_peers::KnownPeers,
    link::Link,
    output::Output,
    span::parse_time,
};

/// So many blocks are fetched ahead of the one that is read.
const AHEAD: u64 = 64;

/// Where a feed is, as the command line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In a directory.
    Directory(PathBuf),
    /// With the peers of a link.
    Link(Link),
}

impl FromStr for Origin {
    type Err = String;

    /// What begins like a link has to be one. A bare key is one unless there is a directory of that name.
    fn from_str(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        match text.parse::<Link>() {
            Ok(link) if !path.exists() => Ok(Origin::Link(link)),
            Err(error) if text.contains("://") => Err(error.to_string()),
            _ => Ok(Origin::Directory(path)),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Directory(dir) => write!(f, "{}", dir.display()),
            Origin::Link(link) => write!(f, "{link}"),
        }
    }
}

// A feed to read, and whom to ask for what isn't here. (Not in the form of documentation: clap would say that it is what the
// commands do which have it.)
#[derive(Clone, Debug, Args)]
pub(crate) struct ReadFrom {
    /// The feed's directory, or a link: hyper://KEY?peer=HOST:PORT
    #[arg(value_name = "FEED")]
    pub(crate) origin: Origin,

    /// A peer to ask for what isn't here, HOST:PORT, besides those of the link and those that the directory remembers.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) peer: Vec<String>,

    /// How long to wait for a block that isn't here: 30s, 5m, ...
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "30s")]
    pub(crate) timeout: Duration,
}

/// An open feed to read from.
pub(crate) struct Source {
    pub(crate) feed: Hypercore,
    /// Whether to stay connected, and to follow what is appended.
    live: bool,
    from: ReadFrom,
    calls: Option<Calls>,
    output: Output,
}

impl Source {
    /// Opens it. Of a link, and of what is to be followed, the length is asked for.
    pub(crate) async fn open(
        from: &ReadFrom,
        live: bool,
        output: &Output,
    ) -> Result<Self, Failure> {
        let feed = match &from.origin {
            Origin::Directory(dir) => open_sparse(dir).await?,
            Origin::Link(link) => {
                let builder = Hypercore::builder(Storage::memory()).key(link.key);
                builder.sparse(true).open().await?
            }
        };
        let mut source = Source {
            feed,
            live,
            from: from.clone(),
            calls: None,
            output: *output,
        };
        if live && source.feed.is_writable() {
            let message = format!("{}: this is where the feed is written", from.origin);
            return Err(Failure::new(Code::Other, message)
                .hint("serve it, and follow the link that `hypercore serve` prints"));
        }
        if live || !source.is_local() {
            source.update().await?;
        }
        Ok(source)
    }

    /// Whether the feed is in a directory.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.from.origin, Origin::Directory(_))
    }

    /// Calls those who may have what isn't here, unless that was done.
    ///
    /// # Errors
    /// If nobody is known whom to call.
    pub(crate) fn call(&mut self) -> Result<(), Failure> {
        if self.calls.is_some() {
            return Ok(());
        }
        let ways = self.ways();
        if ways.is_empty() {
            let message = format!("{}: no peer is known", self.from.origin);
            return Err(Failure::new(Code::Unreachable, message)
                .hint("name one: --peer HOST:PORT, or hyper://KEY?peer=HOST:PORT"));
        }
        let terms = Terms {
            dialect: DialectChoice::Auto,
            live: self.live,
            upload: false,
            remember: self.known_peers(),
        };
        let calls = Calls::begin(&self.feed, &ways, &terms, true, &self.output);
        self.calls = Some(calls);
        Ok(())
    }

    /// Calls those who are known, if there are any and that wasn't done, and stays connected with them.
    pub(crate) fn stay_connected(&mut self) {
        self.live = true;
        // Without anybody to call there is nothing to be done.
        let _ = self.call();
    }

    fn known_peers(&self) -> Option<KnownPeers> {
        match &self.from.origin {
            Origin::Directory(dir) => Some(KnownPeers::of(dir)),
            Origin::Link(_) => None,
        }
    }

    fn ways(&self) -> Vec<Way> {
        let known = match &self.from.origin {
            Origin::Directory(dir) => KnownPeers::of(dir).read(),
            Origin::Link(link) => link.peers.clone(),
        };
        let all = self.from.peer.iter().cloned().chain(known);
        let mut ways: Vec<Way> = Vec::new();
        for way in all.map(Way::Address) {
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        ways
    }

    /// Takes over the longest length that anybody has who can be reached.
    ///
    /// # Errors
    /// If nobody was reached.
    pub(crate) async fn update(&mut self) -> Result<(), Failure> {
        self.call()?;
        let timeout = self.from.timeout;
        while self
            .feed
            .update()
            .if_available()
            .timeout(timeout)
            .await
            .is_ok()
        {}
        self.check_reached().await
    }

    async fn check_reached(&mut self) -> Result<(), Failure> {
        let here = self.feed.peers().iter().any(Peer::is_open);
        match &self.calls {
            Some(calls) if !calls.reached() && !here => {}
            _ => return Ok(()),
        }
        let ended = match self.calls.take() {
            Some(calls) => calls.hang_up().await,
            None => Vec::new(),
        };
        let failed = ended.into_iter().find_map(Result::err);
        let nobody = || Failure::new(Code::Unreachable, "nobody has answered who has the feed");
        Err(failed.unwrap_or_else(nobody))
    }

    /// A block, from the files or from a peer.
    pub(crate) async fn block(&mut self, index: u64) -> Result<Bytes, Failure> {
        if index >= self.feed.len() && !self.ways().is_empty() {
            self.update().await?;
        }
        let (length, origin) = (self.feed.len(), &self.from.origin);
        if index >= length {
            let message = format!("{origin}: no block {index}, the length is {length}");
            return Err(Failure::new(Code::NotFound, message));
        }
        if !self.feed.has(index) {
            self.call_for(index)?;
        }
        let timeout = self.from.timeout;
        match self.feed.get(index).if_available().timeout(timeout).await {
            Ok(block) => Ok(block),
            Err(Error::NotAvailable { .. }) => {
                self.check_reached().await?;
                Err(self.not_here(index, "and nobody who is connected has it"))
            }
            Err(Error::TimedOut) => Err(self.not_here(index, "and didn't come in time")),
            Err(error) => Err(Failure::from(error).of(&self.from.origin)),
        }
    }

    /// Calls for a block that isn't here.
    fn call_for(&mut self, index: u64) -> Result<(), Failure> {
        if self.calls.is_none() && self.ways().is_empty() {
            let message = format!("{}: block {index} is not here", self.from.origin);
            return Err(Failure::new(Code::Incomplete, message)
                .hint("fetch it with: hypercore clone LINK DIR, or name a --peer HOST:PORT"));
        }
        self.call()
    }

    fn not_here(&self, index: u64, why: &str) -> Failure {
        let message = format!("{}: block {index} is not here, {why}", self.from.origin);
        Failure::new(Code::Incomplete, message).hint("ask another peer: --peer HOST:PORT")
    }

    /// Hands over the blocks of a range, one after the other.
    pub(crate) async fn each(
        &mut self,
        blocks: Range<u64>,
        mut take: impl FnMut(u64, Bytes) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut ahead = None;
        let mut fetched = blocks.start;
        for index in blocks.clone() {
            if !self.feed.has(index) {
                self.call_for(index)?;
                if index >= fetched || ahead.is_none() {
                    fetched = blocks.end.min(index.saturating_add(AHEAD));
                    let request = DownloadRequest::linear(index..fetched);
                    ahead = Some(self.feed.download(request));
                }
            }
            take(index, self.block(index).await?)?;
            self.forget(index).await?;
        }
        Ok(())
    }

    /// Hands over the bytes of a range. Only the blocks that hold them are fetched.
    pub(crate) async fn each_bytes(
        &mut self,
        bytes: Range<u64>,
        mut take: impl FnMut(u64, Bytes) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if bytes.is_empty() {
            return Ok(());
        }
        let (first, skip) = self.seek(bytes.start).await?;
        let (last, keep) = self.seek(bytes.end - 1).await?;
        let end = last.saturating_add(1);
        self.each(first..end, |index, block| {
            let from = if index == first { skip } else { 0 };
            let to = if index == last {
                keep + 1
            } else {
                block.len() as u64
            };
            // Both are within the block: sizes are proved by the tree.
            let [from, to] = [from, to].map(|at| block.len().min(at as usize));
            take(index, block.slice(from.min(to)..to))
        })
        .await
    }

    /// The block that holds a byte, and where the byte is in it.
    pub(crate) async fn seek(&mut self, byte: u64) -> Result<(u64, u64), Failure> {
        if let Ok(found) = self.feed.seek(byte).wait(false).await {
            return Ok(found);
        }
        if byte >= self.feed.byte_len() && !self.ways().is_empty() {
            self.update().await?;
        }
        if byte >= self.feed.byte_len() {
            let message = format!("no byte {byte}, the feed has {}", self.feed.byte_len());
            return Err(Failure::new(Code::NotFound, message).of(&self.from.origin));
        }
        if self.calls.is_none() && self.ways().is_empty() {
            let error = Error::ByteNotLocal { byte };
            return Err(Failure::from(error).of(&self.from.origin));
        }
        self.call()?;
        let seeking = self.feed.seek(byte).if_available();
        match seeking.timeout(self.from.timeout).await {
            Ok(found) => Ok(found),
            Err(Error::ByteNotLocal { .. } | Error::TimedOut) => {
                self.check_reached().await?;
                let message = format!("{}: byte {byte} can't be found", self.from.origin);
                Err(Failure::new(Code::Incomplete, message)
                    .hint("ask another peer: --peer HOST:PORT"))
            }
            Err(error) => Err(Failure::from(error).of(&self.from.origin)),
        }
    }

    /// A block that was read is no longer needed. A directory keeps it.
    pub(crate) async fn forget(&self, index: u64) -> Result<(), Failure> {
        if !self.is_local() {
            self.feed.clear(index..index.saturating_add(1)).await?;
        }
        Ok(())
    }

    /// Completes when no connection is left, with the reason if there is one.
    pub(crate) async fn lost(&mut self) -> Failure {
        let ended = match &mut self.calls {
            Some(calls) => calls.ended().await,
            None => Vec::new(),
        };
        let failed = ended.into_iter().find_map(Result::err);
        failed.unwrap_or_else(|| Failure::new(Code::Unreachable, "no peer is left"))
    }

    /// Ends connections, and closes the feed.
    pub(crate) async fn close(mut self) -> Result<(), Failure> {
        if let Some(calls) = self.calls.take() {
            calls.hang_up().await;
        }
        match &self.from.origin {
            Origin::Directory(dir) => close(dir, &self.feed).await,
            Origin::Link(_) => Ok(self.feed.close().await?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "6b7ecf9ce456d56e5145ec4c00112233445566778899aabbccddeeff01020304";

    #[test]
    fn links_and_directories_are_told_apart() {
        for link in [
            KEY.to_owned(),
            format!("hyper://{KEY}"),
            format!("dat://{KEY}?peer=a:1"),
        ] {
            assert!(matches!(link.parse(), Ok(Origin::Link(_))), "{link}");
        }
        for dir in ["weather", "./weather", "/a/b", "6b7e"] {
            assert_eq!(dir.parse(), Ok(Origin::Directory(dir.into())));
        }
        for wrong in ["hyper://6b7e", "dat://", "http://host/"] {
            assert!(wrong.parse::<Origin>().is_err(), "{wrong}");
        }
    }
}
