//! Feeds over HTTP, for whoever has no program for them: blocks, bytes, what is appended, and numbers for Prometheus.
//!
//! | path | answer |
//! | --- | --- |
//! | `/blocks/N` | a block |
//! | `/data` | all bytes, or the range of a `Range` header; of what isn't here just that is fetched |
//! | `/tail` | blocks that are appended, as server-sent events; `?from=N` or `Last-Event-ID` for where to begin |
//! | `/metrics` | numbers of all feeds |
//!
//! Of several feeds each has its key before these: `/KEY/data`. If there is only one, it can do without.

use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use data_encoding::BASE64;
use futures_lite::StreamExt;
use hyper::{
    HeaderMap, StatusCode,
    header::{
        ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderValue,
        IF_NONE_MATCH,
    },
};
use hypercore::{Error, Hypercore};
use serde_json::{Value, json};

use super::{Guests, metrics::Metrics, pieces::pieces};
use crate::http::{
    self, Answer, Happening, Question, Requested, Server, empty, events, refusal, requested, text,
};

/// How long a block that isn't here may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

const BINARY: &str = "application/octet-stream";

const HELP: &str = "\
/blocks/N   a block
/data       all bytes, or a range of them (Range: bytes=A-B)
/tail       what is appended, as server-sent events (?from=N)
/metrics    numbers for Prometheus
";

/// What answers.
#[derive(Clone)]
pub(super) struct Gateway(Arc<Inside>);

struct Inside {
    /// By their keys, in hex.
    feeds: BTreeMap<String, Hypercore>,
    guests: Guests,
    metrics: Metrics,
}

impl Gateway {
    pub(super) fn new(guests: &Guests) -> Self {
        let feeds = guests
            .feeds()
            .map(|feed| (feed.key().to_string(), feed.clone()));
        Gateway(Arc::new(Inside {
            feeds: feeds.collect(),
            guests: guests.clone(),
            metrics: Metrics::default(),
        }))
    }

    pub(super) async fn run(self, server: Server) -> Result<(), crate::failure::Failure> {
        server
            .run(move |question| {
                let gateway = self.clone();
                async move {
                    let start = Instant::now();
                    let answer = gateway.answer(&question).await;
                    gateway.0.metrics.answered(start.elapsed(), answer.status());
                    answer
                }
            })
            .await
    }

    async fn answer(&self, question: &Question) -> Answer {
        let path = question.uri().path().trim_matches('/');
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        let only = self
            .0
            .feeds
            .values()
            .next()
            .filter(|_| self.0.feeds.len() == 1);
        let (feed, path) = match self.0.feeds.get(&first.to_ascii_lowercase()) {
            Some(feed) => (Some(feed), rest),
            None => (only, path),
        };
        match (path.split_once('/').unwrap_or((path, "")), feed) {
            (("", ""), _) => text(HELP),
            (("metrics", ""), _) => self.metrics(),
            (("blocks", index), Some(feed)) => block(feed, index).await,
            (("data", ""), Some(feed)) => data(feed, question.headers()).await,
            (("tail", ""), Some(feed)) => tail(feed, question),
            (("blocks" | "data" | "tail", _), None) => {
                let why = "there are several feeds: begin the path with the key of one";
                refusal(StatusCode::NOT_FOUND, why)
            }
            _ => refusal(StatusCode::NOT_FOUND, "there is no such page; / lists them"),
        }
    }

    fn metrics(&self) -> Answer {
        let text = self.0.metrics.text(&self.0.guests);
        http::bytes("text/plain; version=0.0.4; charset=utf-8", text)
    }
}

async fn block(feed: &Hypercore, index: &str) -> Answer {
    let Ok(index) = index.parse::<u64>() else {
        return refusal(StatusCode::BAD_REQUEST, "a block has a number: /blocks/0");
    };
    if index >= feed.len() {
        let why = format!("there is no block {index}, the length is {}", feed.len());
        return refusal(StatusCode::NOT_FOUND, why);
    }
    let block = match feed.get(index).if_available().timeout(PATIENCE).await {
        Ok(block) => block,
        Err(error) => return failed(&error),
    };
    let mut answer = http::bytes(BINARY, block);
    let headers = answer.headers_mut();
    if let Ok(node) = feed.block_info(index) {
        set(headers, ETAG, format!("\"{}\"", node.hash));
        // A block never becomes another one.
        let forever = HeaderValue::from_static("max-age=31536000, immutable");
        headers.insert(CACHE_CONTROL, forever);
    }
    answer
}

async fn data(feed: &Hypercore, headers: &HeaderMap) -> Answer {
    let (length, tag) = version(feed);
    let known = headers
        .get(IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok());
    if known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag)) {
        let mut answer = empty(BINARY);
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        set(answer.headers_mut(), ETAG, tag);
        return answer;
    }
    let (status, range) = match requested(headers, length, &tag) {
        Requested::Whole => (StatusCode::OK, 0..length),
        Requested::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Requested::Outside => {
            let why = format!("the feed has {length} bytes");
            let mut answer = refusal(StatusCode::RANGE_NOT_SATISFIABLE, why);
            set(
                answer.headers_mut(),
                CONTENT_RANGE,
                format!("bytes */{length}"),
            );
            return answer;
        }
    };
    let mut answer = match pieces(feed, range.clone()).await {
        Ok(pieces) => http::stream(BINARY, pieces),
        Err(error) => return failed(&error),
    };
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    set(headers, ETAG, tag);
    set(
        headers,
        CONTENT_LENGTH,
        (range.end - range.start).to_string(),
    );
    set(headers, ACCEPT_RANGES, "bytes".to_owned());
    if status == StatusCode::PARTIAL_CONTENT {
        let part = format!("bytes {}-{}/{length}", range.start, range.end - 1);
        set(headers, CONTENT_RANGE, part);
    }
    answer
}

/// How many bytes the feed has, and a tag that changes with them.
fn version(feed: &Hypercore) -> (u64, String) {
    loop {
        let before = feed.byte_len();
        let tag = format!("\"{}\"", feed.tree_hash());
        // It may grow between the two.
        if feed.byte_len() == before {
            return (before, tag);
        }
    }
}

fn tail(feed: &Hypercore, question: &Question) -> Answer {
    let heard = question.headers().get("last-event-id");
    let heard = heard.and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    let query = question.uri().query().unwrap_or_default();
    let from = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("from=")?.parse().ok());
    let from = heard.map(|id| id.saturating_add(1)).or(from);
    let from: u64 = from.unwrap_or_else(|| feed.len());
    let blocks = feed.read(from..).live(true);
    let happenings = blocks
        .zip(futures_lite::stream::iter(from..))
        .map(|(block, index)| {
            let block = block.map_err(io::Error::other)?;
            let mut fields = json!({ "index": index, "len": block.len() });
            match std::str::from_utf8(&block) {
                Ok(text) => fields["text"] = Value::from(text),
                Err(_) => fields["data"] = Value::from(BASE64.encode(&block)),
            }
            Ok(Happening {
                kind: "block",
                id: Some(index),
                text: fields.to_string(),
            })
        });
    events(happenings)
}

/// Why there is nothing to give.
fn failed(error: &Error) -> Answer {
    let status = match error {
        Error::NotAvailable { .. } | Error::ByteNotLocal { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Error::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    refusal(status, error)
}

fn set(headers: &mut HeaderMap, name: hyper::header::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::from_str(&value) {
        headers.insert(name, value);
    }
}
