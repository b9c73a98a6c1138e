//! A range of a feed's bytes, block by block, fetched a little ahead of whoever reads them.

use std::{io, ops::Range};

use bytes::Bytes;
use futures_lite::{Stream, StreamExt, stream};
use hypercore::{Download, DownloadRequest, Error, Hypercore};

use super::gateway::PATIENCE;

/// So many blocks are fetched ahead.
const AHEAD: u64 = 32;

/// What is still to come.
struct Rest {
    feed: Hypercore,
    /// The next block, and where in it the next byte is.
    block: u64,
    skip: usize,
    /// How many bytes are still to come.
    left: u64,
    ahead: Option<(Range<u64>, Download)>,
}

/// The bytes of a range. The first piece is there when this returns, so that what can't be had is known before.
///
/// # Errors
/// Those of getting the first piece. Later ones end the stream.
pub(super) async fn pieces(
    feed: &Hypercore,
    bytes: Range<u64>,
) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + 'static, Error> {
    let left = bytes.end - bytes.start;
    let (block, skip) = match left {
        0 => (0, 0),
        _ => {
            let seek = feed.seek(bytes.start).if_available();
            seek.timeout(PATIENCE).await?
        }
    };
    let mut rest = Rest {
        feed: feed.clone(),
        block,
        skip: usize::try_from(skip).unwrap_or(usize::MAX),
        left,
        ahead: None,
    };
    let first = rest.next().await?;
    let more = stream::try_unfold(rest, |mut rest| async {
        let piece = rest.next().await.map_err(io::Error::other)?;
        Ok(piece.map(|piece| (piece, rest)))
    });
    Ok(stream::iter(first.map(Ok)).chain(more))
}

impl Rest {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while self.left > 0 {
            self.look_ahead();
            let get = self.feed.get(self.block).if_available();
            let block = get.timeout(PATIENCE).await?;
            let start = self.skip.min(block.len());
            let left = usize::try_from(self.left).unwrap_or(usize::MAX);
            let end = block.len().min(start.saturating_add(left));
            self.block += 1;
            self.skip = 0;
            // Blocks may be empty.
            if start < end {
                self.left -= (end - start) as u64;
                return Ok(Some(block.slice(start..end)));
            }
        }
        Ok(None)
    }

    /// Asks for the blocks behind the next one. No block but the first is asked for that may lie behind the range: how many there
    /// are in it is known only when they are here, but each has a byte at least, mostly.
    fn look_ahead(&mut self) {
        let asked = self.ahead.as_ref().map_or(0, |(blocks, _)| blocks.end);
        if self.feed.has(self.block) || self.block < asked {
            return;
        }
        let average = self.feed.byte_len().div_ceil(self.feed.len().max(1)).max(1);
        let count = (self.left / average).clamp(1, AHEAD);
        let blocks = self.block..self.feed.len().min(self.block.saturating_add(count));
        let download = self.feed.download(DownloadRequest::linear(blocks.clone()));
        self.ahead = Some((blocks, download));
    }
}
