//! What the page asks for.
//!
//! | path | answer |
//! | --- | --- |
//! | `/` | the page |
//! | `/api/info` | the feed, the roots of its tree, and the signature over them |
//! | `/api/bitfield` | which blocks are here: lengths of runs, of missing and stored blocks by turns |
//! | `/api/node/N` | a node of the tree |
//! | `/api/proof/N` | the way from a block up to its root, with the siblings that prove it |
//! | `/api/block/N` | a block, fetched if it isn't here |
//! | `/api/events` | what changes, as server-sent events |

use std::{ops::Range, time::Duration};

use data_encoding::HEXLOWER;
use hyper::{
    StatusCode,
    header::{CONTENT_SECURITY_POLICY, HeaderValue},
};
use hypercore::{Error, Hypercore, Index, Node};
use serde_json::{Value, json};

use super::live;
use crate::{
    http::{Answer, Question, bytes, refusal},
    source::Origin,
};

/// Everything is in it: it asks for nothing but the paths above.
const PAGE: &str = include_str!("page.html");

/// What the browser may do with the page: run what is in it, and ask us.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
    connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// How long a block that isn't here may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// How much of a block is shown.
const SHOWN: usize = 16 * 1024;

/// The most runs that are told.
const MOST_RUNS: usize = 4_000_000;

#[derive(Clone)]
pub(super) struct Api {
    feed: Hypercore,
    place: String,
}

impl Api {
    pub(super) fn new(feed: &Hypercore, origin: &Origin) -> Self {
        let place = match origin {
            Origin::Directory(dir) => dir.display().to_string(),
            Origin::Link(_) => "in memory, from its peers".to_owned(),
        };
        Api {
            feed: feed.clone(),
            place,
        }
    }

    pub(super) async fn answer(self, question: Question) -> Answer {
        let path = question.uri().path();
        let Some(path) = path.strip_prefix("/api/") else {
            return match path {
                "/" => page(),
                _ => refusal(StatusCode::NOT_FOUND, "there is no such page"),
            };
        };
        if path == "events" {
            return live::events(&self.feed);
        }
        let (what, number) = path.split_once('/').unwrap_or((path, ""));
        let answer = match (what, number.parse::<u64>()) {
            ("info", _) if number.is_empty() => self.info(),
            ("bitfield", _) if number.is_empty() => Ok(bitfield(&self.feed)),
            ("node", Ok(index)) => self.node(index),
            ("proof", Ok(block)) => self.proof(block).await,
            ("block", Ok(block)) => self.block(block).await,
            _ => return refusal(StatusCode::NOT_FOUND, "there is no such path"),
        };
        match answer {
            Ok(Value::Null) => refusal(StatusCode::NOT_FOUND, "it is not here"),
            Ok(value) => bytes("application/json", value.to_string()),
            Err(error) => failed(&error),
        }
    }

    fn info(&self) -> Result<Value, Error> {
        let feed = &self.feed;
        let length = feed.len();
        let roots = match length.checked_sub(1) {
            Some(last) => feed.root_hashes(last)?,
            None => Vec::new(),
        };
        Ok(json!({
            "place": self.place,
            "key": feed.key().to_string(),
            "discovery_key": feed.discovery_key().to_string(),
            "length": length,
            "byte_length": feed.byte_len(),
            "have": feed.downloaded(0..length),
            "writable": feed.is_writable(),
            "tree_hash": feed.tree_hash().to_string(),
            "roots": roots.iter().map(describe).collect::<Vec<_>>(),
            "signature": length.checked_sub(1).and_then(|last| self.signature(last)),
        }))
    }

    /// The signature that covers a block, and whether it holds. None for a static feed, or if it isn't stored.
    fn signature(&self, block: u64) -> Option<Value> {
        let found = self.feed.signature(block).ok()?;
        let holds = self
            .feed
            .verify(found.block, &found.signature)
            .unwrap_or(false);
        Some(json!({
            "length": found.block + 1,
            "bytes": HEXLOWER.encode(&found.signature.to_bytes()),
            "holds": holds,
        }))
    }

    fn node(&self, index: u64) -> Result<Value, Error> {
        if index >= MOST_INDEX {
            return Ok(Value::Null);
        }
        let node = self.feed.node(Index::new(index))?;
        Ok(node.as_ref().map_or(Value::Null, describe))
    }

    /// From the block to its root: at each level the node and its sibling, as far as they are stored. What isn't can be computed
    /// from what is.
    async fn proof(&self, block: u64) -> Result<Value, Error> {
        let length = self.feed.len();
        if block >= length {
            return Ok(Value::Null);
        }
        self.fetch(block).await?;
        let mut levels = Vec::new();
        let mut index = Index::from_block(block);
        loop {
            let node = self.feed.node(index)?;
            // Above a root there is nothing yet.
            let is_root = index.parent().end_block() > length;
            let mut level = json!({ "index": index.get(), "height": index.depth() });
            level["first"] = json!(index.first_block());
            level["end"] = json!(index.end_block());
            level["node"] = node.as_ref().map_or(Value::Null, describe);
            if !is_root {
                let sibling = index.sibling();
                let node = self.feed.node(sibling)?;
                level["sibling_index"] = json!(sibling.get());
                level["sibling"] = node.as_ref().map_or(Value::Null, describe);
            }
            levels.push(level);
            if is_root {
                break;
            }
            index = index.parent();
        }
        let proof = self.feed.portable_proof(block)?;
        let content = self.feed.get(block).wait(false).await?;
        let verified = proof.verify(&self.feed.key(), &content).is_ok();
        Ok(json!({
            "block": block,
            "levels": levels,
            "bytes": proof.to_bytes().len(),
            "nodes": proof.proof().nodes.len(),
            "verified": verified,
        }))
    }

    async fn block(&self, block: u64) -> Result<Value, Error> {
        if block >= self.feed.len() {
            return Ok(Value::Null);
        }
        self.fetch(block).await?;
        let content = self.feed.get(block).wait(false).await?;
        let shown = content.get(..SHOWN).unwrap_or(&content);
        Ok(json!({
            "block": block,
            "len": content.len(),
            "shown": shown.len(),
            "hex": HEXLOWER.encode(shown),
            "text": std::str::from_utf8(&content).ok().map(|_| String::from_utf8_lossy(shown)),
            "hash": self.feed.block_info(block)?.hash.to_string(),
        }))
    }

    /// Gets a block that isn't here.
    async fn fetch(&self, block: u64) -> Result<(), Error> {
        if !self.feed.has(block) {
            self.feed
                .get(block)
                .if_available()
                .timeout(PATIENCE)
                .await?;
        }
        Ok(())
    }
}

/// Positions beyond are of no tree.
const MOST_INDEX: u64 = 1 << 54;

fn page() -> Answer {
    let mut page = bytes("text/html; charset=utf-8", PAGE);
    let policy = HeaderValue::from_static(POLICY);
    page.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    page
}

fn describe(node: &Node) -> Value {
    json!({
        "index": node.index.get(),
        "height": node.index.depth(),
        "first": node.index.first_block(),
        "end": node.index.end_block(),
        "size": node.size,
        "hash": node.hash.to_string(),
    })
}

/// The lengths of the runs, beginning with blocks that are missing.
fn bitfield(feed: &Hypercore) -> Value {
    let length = feed.len();
    let (runs, truncated) = runs(&feed.missing(0..length), length);
    json!({ "length": length, "runs": runs, "truncated": truncated })
}

fn runs(gaps: &[Range<u64>], length: u64) -> (Vec<u64>, bool) {
    let mut runs = Vec::new();
    // The first run is of missing blocks, though there may be none.
    if gaps.first().is_none_or(|gap| gap.start > 0) {
        runs.push(0);
    }
    let mut next = 0;
    for gap in gaps {
        if runs.len() >= MOST_RUNS {
            return (runs, true);
        }
        if gap.start > next {
            runs.push(gap.start - next);
        }
        runs.push(gap.end - gap.start);
        next = gap.end;
    }
    if next < length {
        runs.push(length - next);
    }
    (runs, false)
}

fn failed(error: &Error) -> Answer {
    let status = match error {
        Error::NotAvailable { .. } | Error::NotLocal { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Error::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    refusal(status, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_begin_with_missing_blocks() {
        let all = |gaps: &[Range<u64>]| runs(gaps, 10).0;
        let one = 0..10;
        assert_eq!(all(&[]), [0, 10]);
        assert_eq!(all(std::slice::from_ref(&one)), [10]);
        assert_eq!(all(&[0..3, 7..8]), [3, 4, 1, 2]);
        assert_eq!(all(&[2..3, 7..10]), [0, 2, 1, 4, 3]);
    }
}
