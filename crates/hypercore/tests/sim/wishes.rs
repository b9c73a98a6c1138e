//! What somebody waits for at a peer, and whether it was granted rightly.

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use futures_lite::StreamExt;
use hypercore::{DownloadRequest, Error, Hypercore, Result};
use testkit::{Rng, Sim, Task};

/// What is waited for.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    Get(u64),
    Range(Range<u64>),
    Stream(Range<u64>),
    Download(Vec<u64>),
    Linear(Range<u64>),
    Anyhow(Range<u64>),
    Length(Option<u64>),
    Byte(u64),
}

/// For how long.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    Forever,
    Until(Duration),
    WhileAvailable,
}

/// A call that is under way.
pub(crate) struct Wished {
    pub(crate) node: usize,
    pub(crate) wish: Wish,
    pub(crate) patience: Patience,
    /// The length of the feed when it was called.
    pub(crate) length: u64,
    pub(crate) task: Task<Result<Granted>>,
}

/// What a call returned.
#[derive(Debug)]
pub(crate) enum Granted {
    Blocks(u64, Vec<Bytes>),
    Fetched,
    Length(u64),
    Place(u64, u64),
}

impl Wish {
    /// Something around a feed of these blocks.
    pub(crate) fn any(rng: &mut Rng, blocks: &[Bytes]) -> Self {
        let length = blocks.len() as u64;
        // Somewhat beyond the end: it will grow.
        let somewhere = |rng: &mut Rng| rng.below(length + 4);
        let range = |rng: &mut Rng| {
            let start = somewhere(rng);
            start..start + rng.below(40)
        };
        match rng.below(10) {
            0 | 1 => Wish::Get(somewhere(rng)),
            2 => Wish::Range(range(rng)),
            3 => Wish::Download((0..rng.below(9)).map(|_| somewhere(rng)).collect()),
            4 => Wish::Linear(range(rng)),
            5 => Wish::Length(None),
            6 => Wish::Length(Some(somewhere(rng))),
            7 => Wish::Stream(range(rng)),
            8 => Wish::Anyhow(range(rng)),
            _ => {
                let bytes: usize = blocks.iter().map(Bytes::len).sum();
                Wish::Byte(rng.below(bytes as u64 + 20))
            }
        }
    }

    pub(crate) fn make(
        self,
        sim: &Sim,
        feed: &Hypercore,
        node: usize,
        patience: Patience,
    ) -> Wished {
        let length = feed.len();
        let call = call(feed.clone(), self.clone(), patience, sim.now());
        let task = sim.spawn(format!("{self:?} of {node}"), call);
        Wished {
            node,
            wish: self,
            patience,
            length,
            task,
        }
    }

    /// The blocks that it takes to grant it.
    pub(crate) fn blocks(&self) -> Vec<u64> {
        match self {
            Wish::Get(block) => vec![*block],
            Wish::Range(blocks) | Wish::Linear(blocks) | Wish::Anyhow(blocks) => {
                blocks.clone().collect()
            }
            Wish::Download(blocks) => blocks.clone(),
            // A stream may be past a block that was cleared since.
            Wish::Stream(_) | Wish::Length(_) | Wish::Byte(_) => Vec::new(),
        }
    }
}

async fn call(feed: Hypercore, wish: Wish, patience: Patience, now: Duration) -> Result<Granted> {
    let limit = match patience {
        Patience::Until(then) => Some(then.saturating_sub(now)),
        _ => None,
    };
    match wish {
        Wish::Get(block) => {
            let mut get = feed.get(block);
            if let Some(limit) = limit {
                get = get.timeout(limit);
            }
            if matches!(patience, Patience::WhileAvailable) {
                get = get.if_available();
            }
            Ok(Granted::Blocks(block, vec![get.await?]))
        }
        Wish::Range(blocks) => {
            let mut get = feed.get_range(blocks.clone());
            if let Some(limit) = limit {
                get = get.timeout(limit);
            }
            Ok(Granted::Blocks(blocks.start, get.await?))
        }
        Wish::Stream(blocks) => {
            let first = blocks.start;
            let blocks = feed.read(blocks).try_collect().await?;
            Ok(Granted::Blocks(first, blocks))
        }
        Wish::Download(blocks) => {
            feed.download(DownloadRequest::blocks(blocks)).await?;
            Ok(Granted::Fetched)
        }
        Wish::Linear(blocks) => {
            feed.download(DownloadRequest::linear(blocks)).await?;
            Ok(Granted::Fetched)
        }
        Wish::Anyhow(blocks) => {
            feed.download(blocks).await?;
            Ok(Granted::Fetched)
        }
        Wish::Length(min) => {
            let mut update = feed.update();
            if let Some(min) = min {
                update = update.min_length(min);
            }
            if let Some(limit) = limit {
                update = update.timeout(limit);
            }
            if matches!(patience, Patience::WhileAvailable) {
                update = update.if_available();
            }
            Ok(Granted::Length(update.await?))
        }
        Wish::Byte(byte) => {
            let mut seek = feed.seek(byte);
            if let Some(limit) = limit {
                seek = seek.timeout(limit);
            }
            let (block, offset) = seek.await?;
            Ok(Granted::Place(block, offset))
        }
    }
}

impl Wished {
    /// Whether a timeout is observed.
    pub(crate) fn has_timeout(&self) -> bool {
        !matches!(
            self.wish,
            Wish::Stream(_) | Wish::Download(_) | Wish::Linear(_) | Wish::Anyhow(_)
        )
    }

    /// Whether it gives up by itself once nobody has what it takes.
    pub(crate) fn gives_up(&self) -> bool {
        let able = matches!(self.wish, Wish::Get(_) | Wish::Length(_));
        able && matches!(self.patience, Patience::WhileAvailable)
    }

    /// What is wrong with the result, if the feed has these blocks.
    pub(crate) fn judge(&self, result: &Result<Granted>, blocks: &[Bytes]) -> Option<String> {
        let fine = match result {
            Ok(Granted::Blocks(first, got)) => got
                .iter()
                .zip(*first as usize..)
                .all(|(got, block)| blocks.get(block) == Some(got)),
            Ok(Granted::Fetched) => true,
            Ok(Granted::Length(length)) => {
                let min = match self.wish {
                    Wish::Length(Some(min)) => min,
                    _ => self.length + 1,
                };
                (min..=blocks.len() as u64).contains(length)
            }
            Ok(Granted::Place(block, offset)) => {
                let (before, rest) = blocks.split_at(*block as usize);
                let start: usize = before.iter().map(Bytes::len).sum();
                let len = rest.first().map_or(0, Bytes::len) as u64;
                matches!(self.wish, Wish::Byte(byte) if byte == start as u64 + offset)
                    && (*offset == 0 || *offset < len)
            }
            Err(Error::Closed) => true,
            Err(Error::TimedOut) => matches!(self.patience, Patience::Until(_)),
            Err(Error::NotAvailable { .. } | Error::NoUpdate) => self.gives_up(),
            Err(_) => false,
        };
        (!fine).then(|| format!("{:?} of peer {}: {result:?}", self.wish, self.node))
    }
}
