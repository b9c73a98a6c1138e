//! What changes while somebody looks: blocks that come, and what goes over the connections. Told twice a second at most.

use std::{io, ops::Range, time::Duration};

use async_std::task;
use futures_lite::{FutureExt, StreamExt, stream};
use hypercore::{Event, Events, Hypercore, Peer};
use serde_json::{Value, json};

use crate::{
    calls::number,
    http::{self, Answer, Happening},
};

/// How often it is looked whether there is something to tell.
const PERIOD: Duration = Duration::from_millis(500);

/// So many runs of new blocks are told one by one. If there are more, the page had better look at all of them again.
const MOST_RUNS: usize = 5_000;

/// What one page is told.
struct Listener {
    feed: Hypercore,
    events: Events,
    told: Value,
}

/// What has happened between two looks.
#[derive(Default)]
struct News {
    got: Vec<Range<u64>>,
    /// Whether the page has to look at everything again.
    again: bool,
    closed: bool,
}

pub(super) fn events(feed: &Hypercore) -> Answer {
    let listener = Listener {
        feed: feed.clone(),
        events: feed.events(),
        told: Value::Null,
    };
    let happenings = stream::unfold(listener, |mut listener| async {
        let text = listener.next().await?.to_string();
        let happening = Happening {
            kind: "state",
            id: None,
            text,
        };
        Some((Ok::<_, io::Error>(happening), listener))
    });
    http::events(Box::pin(happenings))
}

impl Listener {
    /// Waits until there is something to tell; none once the feed is closed.
    async fn next(&mut self) -> Option<Value> {
        loop {
            let news = match self.told {
                // The first time at once. What has come since the page was loaded, it doesn't know.
                Value::Null => News {
                    again: true,
                    ..News::default()
                },
                _ => self.listen().await,
            };
            if news.closed {
                return None;
            }
            let state = self.state();
            if news.got.is_empty() && !news.again && state == self.told {
                continue;
            }
            self.told = state.clone();
            let mut state = state;
            let got = news.got.iter().map(|run| [run.start, run.end]);
            state["got"] = got.collect::<Vec<_>>().into();
            state["again"] = news.again.into();
            return Some(state);
        }
    }

    /// Collects what happens in a while.
    async fn listen(&mut self) -> News {
        let mut news = News::default();
        let over = task::sleep(PERIOD);
        let hear = async {
            while let Some(event) = self.events.next().await {
                news.hear(event);
            }
            news.closed = true;
        };
        hear.or(over).await;
        news
    }

    fn state(&self) -> Value {
        let feed = &self.feed;
        let length = feed.len();
        let peers = feed.peers();
        json!({
            "length": length,
            "byte_length": feed.byte_len(),
            "have": feed.downloaded(0..length),
            "peers": peers.iter().filter_map(describe).collect::<Vec<_>>(),
        })
    }
}

impl News {
    fn hear(&mut self, event: Event) {
        match event {
            Event::Download { block, .. } => {
                let room = self.got.len() < MOST_RUNS;
                match self.got.last_mut() {
                    Some(last) if last.end == block => last.end += 1,
                    _ if room => self.got.push(block..block + 1),
                    _ => self.again = true,
                }
            }
            // Blocks of our own, or the tree has grown.
            Event::Append { .. } | Event::Clear { .. } | Event::Lagged { .. } => self.again = true,
            Event::Close => self.closed = true,
            _ => {}
        }
    }
}

fn describe(peer: &Peer) -> Option<Value> {
    let info = peer.info()?;
    let connection = peer.connection();
    let address = connection
        .remote()
        .address
        .map(|address| address.to_string());
    Some(json!({
        "id": peer.id().0,
        "address": address,
        "dialect": connection.dialect().map(number),
        "open": info.is_open,
        "length": info.remote_length,
        "requested": info.requested,
        "sent": connection.bytes_sent(),
        "received": connection.bytes_received(),
        "blocks_down": info.stats.downloaded_blocks,
        "blocks_up": info.stats.uploaded_blocks,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(blocks: impl IntoIterator<Item = u64>) -> News {
        let mut news = News::default();
        let peer = hypercore::PeerId(1);
        for block in blocks {
            let len = 1;
            news.hear(Event::Download { block, len, peer });
        }
        news
    }

    #[test]
    fn blocks_that_follow_one_another_are_one_run() {
        assert_eq!(heard([3, 4, 5, 9, 10, 1]).got, [3..6, 9..11, 1..2]);
        assert!(!heard([3, 4]).again);
    }

    #[test]
    fn too_many_runs_are_not_told_one_by_one() {
        let news = heard((0..20_000).map(|nth| nth * 2));
        assert_eq!(news.got.len(), MOST_RUNS);
        assert!(news.again);
    }
}
