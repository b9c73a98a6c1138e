//! What the two ends of a connection say to one another beside their feeds.
//!
//! Names that both ends have before the connection begins can't be missed: over a connection that stays up and changes nothing, all
//! that is said under them arrives. Under other names, which come and go, it may be lost. But nothing ever comes twice, out of
//! order, or under another name than it was said.

use std::sync::{Arc, Mutex};

use futures_lite::StreamExt;
use hypercore::{ConnectionExtension, ConnectionHandle, ConnectionMessages, Error, Result, Utf8};
use testkit::{Rng, Sim, Task, lock};

/// In no order, and other ones than feeds have.
const NAMES: [&str; 5] = ["talk", "", "\u{ffee}", "😀", "a"];

/// All that is said over one connection.
pub(crate) struct Chat {
    ends: [Vec<Line>; 2],
    /// By each end: the name, and whether it has to arrive if the connection stays up. A message is its number.
    said: [Vec<(&'static str, bool)>; 2],
}

/// A name at one end.
struct Line {
    name: &'static str,
    /// Whether it was there before the connection began. Such a one stays.
    is_first: bool,
    extension: ConnectionExtension<Utf8>,
    heard: Arc<Mutex<Vec<String>>>,
    _listener: Task<()>,
}

impl Chat {
    /// Before the connection begins.
    pub(crate) fn new(sim: &Sim, rng: &mut Rng, handles: [&ConnectionHandle; 2]) -> Self {
        let mut chat = Chat {
            ends: [Vec::new(), Vec::new()],
            said: [Vec::new(), Vec::new()],
        };
        for (end, handle) in handles.into_iter().enumerate() {
            for _ in 0..rng.below(5) {
                chat.register(sim, rng, end, handle, true);
            }
        }
        chat
    }

    /// Somebody registers a name, drops one, or says something.
    pub(crate) fn go_on(&mut self, sim: &Sim, rng: &mut Rng, handles: [&ConnectionHandle; 2]) {
        let end = rng.below(2) as usize;
        match rng.below(6) {
            0 => self.register(sim, rng, end, handles[end], false),
            1 => self.ends[end].retain(|line| line.is_first || rng.one_in(2)),
            _ if self.ends[end].is_empty() => {}
            _ => {
                let line = rng.below(self.ends[end].len() as u64) as usize;
                self.say(end, line);
            }
        }
    }

    /// Everybody says something under each name.
    pub(crate) fn last_words(&mut self) {
        for end in 0..2 {
            for line in 0..self.ends[end].len() {
                self.say(end, line);
            }
        }
    }

    /// # Panics
    /// If something came that shouldn't have, or, if the connection is still `whole`, didn't although it should.
    pub(crate) fn judge(&self, whole: bool, what: &str) {
        for end in 0..2 {
            let said = &self.said[1 - end];
            for line in &self.ends[end] {
                let heard = lock(&line.heard);
                let heard = heard.iter().map(|text| text.parse::<usize>().unwrap());
                let heard: Vec<usize> = heard.collect();
                assert!(heard.is_sorted_by(|a, b| a < b), "{heard:?}: {what}");
                for number in &heard {
                    assert_eq!(said[*number].0, line.name, "{number}: {what}");
                }
                for (number, (name, counts)) in said.iter().enumerate() {
                    let missed = line.is_first && *name == line.name && *counts;
                    let missed = missed && !heard.contains(&number);
                    assert!(!whole || !missed, "{number} under {name:?}: {what}");
                }
            }
        }
    }

    fn register(
        &mut self,
        sim: &Sim,
        rng: &mut Rng,
        end: usize,
        handle: &ConnectionHandle,
        is_first: bool,
    ) {
        let name = NAMES[rng.below(NAMES.len() as u64) as usize];
        let taken = self.line(end, name).is_some();
        match handle.extension(name, Utf8) {
            Ok(extension) => {
                assert!(!taken, "{name:?} is registered twice");
                let heard = Arc::default();
                let listening = listen(extension.messages(), Arc::clone(&heard));
                self.ends[end].push(Line {
                    name,
                    is_first,
                    extension,
                    heard,
                    _listener: sim.spawn("a listener of a connection", listening),
                });
            }
            Err(Error::DuplicateExtension { .. }) => assert!(taken),
            // The connection has ended.
            Err(Error::Closed) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn say(&mut self, end: usize, line: usize) {
        let Line {
            name,
            is_first,
            extension,
            ..
        } = &self.ends[end][line];
        let there = self.line(1 - end, name);
        let both_first = *is_first && there.is_some_and(|line| line.is_first);
        let sent: Result<bool> = extension.send(self.said[end].len().to_string());
        match sent {
            Ok(_) | Err(Error::Closed) => {}
            Err(error) => panic!("{error}"),
        }
        self.said[end].push((name, both_first && sent.is_ok()));
    }

    fn line(&self, end: usize, name: &str) -> Option<&Line> {
        self.ends[end].iter().find(|line| line.name == name)
    }
}

async fn listen(mut messages: ConnectionMessages<Utf8>, heard: Arc<Mutex<Vec<String>>>) {
    while let Some(message) = messages.next().await {
        // Over a cable that flips bits anything may come.
        lock(&heard).push(message.unwrap_or_default());
    }
}
