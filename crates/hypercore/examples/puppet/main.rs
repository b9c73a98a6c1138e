//! A peer that does what it is told, for `cargo xtask interop`: one order a line of JSON on standard input, one reply a line on
//! standard output. `xtask/js/puppet.js` takes the same orders and carries them out with JavaScript.
//!
//! ```text
//! { "n": 1, "do": "get", "feed": "a", "blocks": [0, 7] }
//! { "type": "reply", "n": 1, "data": ["aGk=", ""] }
//! { "type": "reply", "n": 2, "error": "the feed is closed", "kind": "Closed" }
//! ```
//!
//! Orders are carried out side by side: whoever wants one after the other waits for the reply. It ends with its input.

#![allow(clippy::print_stdout, reason = "it is a test that runs as a program")]

mod feeds;
mod links;
mod order;

use std::{io, sync::Arc};

use async_std::task;
use serde_json::{Value, json};

use self::{feeds::Feeds, links::Links, order::Order};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Result<T = Value> = std::result::Result<T, Failure>;

/// Everything it holds, by the names that it was told.
#[derive(Default)]
struct Puppet {
    feeds: Feeds,
    links: Links,
}

fn main() -> Result<()> {
    let puppet = Arc::new(Puppet::default());
    for line in io::stdin().lines() {
        let order = Order::parse(&line?)?;
        let puppet = Arc::clone(&puppet);
        task::spawn(async move {
            let mut reply = match puppet.obey(&order).await {
                Ok(reply) => reply,
                Err(failure) => {
                    json!({ "error": chain(&*failure), "kind": format!("{failure:?}") })
                }
            };
            reply["type"] = "reply".into();
            reply["n"] = order.number();
            println!("{reply}");
        });
    }
    task::block_on(puppet.feeds.close_all())
}

impl Puppet {
    async fn obey(&self, order: &Order) -> Result {
        match order.verb()? {
            "listen" => self.links.listen(&self.feeds, order).await,
            "connect" => self.links.connect(&self.feeds, order).await,
            "add" => self.links.add(&self.feeds, order),
            "say" => self.links.say(order),
            "heard" => self.links.heard(order).await,
            "hang_up" => self.links.hang_up(order),
            "ended" => self.links.ended(order).await,
            _ => self.feeds.obey(order).await,
        }
    }
}

/// An error and what it comes from.
fn chain(failure: &(dyn std::error::Error + 'static)) -> String {
    let all = std::iter::successors(Some(failure), |error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
