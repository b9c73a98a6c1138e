//! What was accepted, made into one commit.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use bytes::{Bytes, BytesMut};
use crypto::Signature;
use merkle::{Node, Roots, insert};
use storage::{Batch, File};

use crate::{
    Commit, Event, Feed, ForkPolicy, Put,
    feed::{Kind, Learnt},
    layout::{node_offset, signature_offset},
    pages::write_pages,
};

impl Feed {
    /// Makes one commit of everything that was accepted. A put that contradicts one before it in the list is left out; the
    /// blocks that this happened to are returned. Two that [grow](Put::growth) to different lengths aren't shown to be of one
    /// history, and count as contradicting under [`ForkPolicy::Strict`].
    pub fn commit_puts(&self, puts: Vec<Put>) -> (Commit, Vec<u64>) {
        let (puts, refused) = self.agreeing(puts);
        let mut merged = Merged::new(self);
        for put in puts {
            merged.add(put);
        }
        (merged.finish(), refused)
    }

    /// Those puts that don't contradict one before them, and the blocks of the others.
    fn agreeing(&self, puts: Vec<Put>) -> (Vec<Put>, Vec<u64>) {
        let strict = self.fork_policy == ForkPolicy::Strict;
        let mut nodes: Vec<&Node> = puts
            .iter()
            .flat_map(|put| put.accepted.new_nodes())
            .collect();
        nodes.sort_unstable_by_key(|node| node.index);
        let mut side_by_side = nodes.iter().zip(nodes.iter().skip(1));
        let contradicts = side_by_side.any(|(one, other)| one.index == other.index && one != other);
        let mut growths = puts.iter().filter_map(Put::growth);
        let growth = growths.next();
        let grow_apart = strict && growths.any(|other| Some(other) != growth);
        if !contradicts && !grow_apart {
            return (puts, Vec::new());
        }
        let (mut nodes, mut growth) = (BTreeMap::new(), None);
        let (agreeing, others): (Vec<Put>, Vec<Put>) = puts.into_iter().partition(|put| {
            let new = put.accepted.new_nodes().iter();
            let differs = |node: &Node| nodes.get(&node.index).is_some_and(|other| *other != *node);
            let grows_otherwise =
                growth.is_some() && put.growth().is_some_and(|length| Some(length) != growth);
            if new.clone().any(differs) || strict && grows_otherwise {
                return false;
            }
            nodes.extend(new.map(|node| (node.index, *node)));
            growth = growth.or(put.growth());
            true
        });
        (
            agreeing,
            others.iter().map(|put| put.accepted.block()).collect(),
        )
    }
}

/// Everything that goes into one commit.
struct Merged<'a> {
    feed: &'a Feed,
    nodes: Vec<Node>,
    /// Their numbers, and where they begin.
    blocks: Vec<(u64, u64, Bytes)>,
    signatures: BTreeMap<u64, Signature>,
    growth: Option<Roots>,
    kind: Kind,
    learnt: Box<Learnt>,
}

impl<'a> Merged<'a> {
    fn new(feed: &'a Feed) -> Self {
        Merged {
            feed,
            nodes: Vec::new(),
            blocks: Vec::new(),
            signatures: BTreeMap::new(),
            growth: None,
            kind: feed.kind,
            learnt: Box::default(),
        }
    }

    fn add(&mut self, put: Put) {
        self.nodes.extend_from_slice(put.accepted.new_nodes());
        if let [leaf, beside, parent, ..] = put.accepted.verified()
            && parent.index == leaf.index.parent()
            && parent.index == beside.index.parent()
        {
            // Though it may be stored: with it the two leaves are one write.
            self.nodes.push(*parent);
        }
        self.learnt.pairs.extend(put.accepted.pair());
        self.learnt.places.extend(put.place());
        if let Some((length, signature)) = put.accepted.signature() {
            self.signatures.insert(length, signature);
        }
        if let Some(roots) = put.accepted.growth() {
            let longest = self.growth.as_ref().map_or(0, Roots::length);
            if roots.length() > longest {
                self.kind = match put.accepted.signature() {
                    Some(_) => Kind::Live,
                    None => Kind::Static,
                };
                self.growth = Some(roots.clone());
            }
        }
        let (block, start) = (put.accepted.block(), put.start);
        if let Some(value) = put.value
            && !self.feed.bitfield.has_block(block)
        {
            self.blocks.push((block, start, value));
        }
    }

    fn finish(mut self) -> Commit {
        self.nodes.sort_unstable_by_key(|node| node.index);
        self.nodes.dedup_by_key(|node| node.index);
        let mut events = Vec::with_capacity(self.blocks.len() + 1);
        if let Some(roots) = &self.growth {
            let length = roots.length();
            events.push(Event::Grown { length });
        }
        let mut stored = BTreeSet::new();
        self.blocks.retain(|(block, ..)| stored.insert(*block));
        events.extend(self.blocks.iter().map(|(block, _, value)| Event::Download {
            block: *block,
            len: value.len(),
        }));
        let mut batch = Batch::new();
        let notes = self.feed.begin(&mut batch);
        self.blocks.retain(|(.., value)| !value.is_empty());
        if self.blocks.is_empty() && !stored.is_empty() {
            // JavaScript finds an empty block bad where there is no file to read it from.
            batch.write(File::Data, 0, Bytes::new());
        }
        for (offset, parts) in block_runs(self.blocks) {
            batch.write_parts(File::Data, offset, parts);
        }
        for (offset, bytes) in node_runs(&self.nodes) {
            batch.write(File::Tree, offset, bytes);
        }
        for (length, signature) in &self.signatures {
            let bytes = Bytes::copy_from_slice(signature.as_bytes());
            batch.write(File::Signatures, signature_offset(*length), bytes);
        }
        let mut draft = self.feed.bitfield.draft();
        for node in &self.nodes {
            insert(&mut draft, node.index);
        }
        for block in &stored {
            draft.set_block(*block, true);
        }
        let changes = draft.finish();
        write_pages(&mut batch, &changes);
        let its_own = |node: &Node| {
            let leaf = node.index.depth() == 0;
            leaf && stored.contains(&node.index.first_block())
        };
        self.nodes.retain(|node| !its_own(node));
        self.learnt.nodes = self.nodes;
        Commit {
            batch,
            changes,
            roots: self.growth.unwrap_or_else(|| self.feed.roots.clone()),
            kind: self.kind,
            learnt: self.learnt,
            notes,
            events,
        }
    }
}

/// Joins blocks that touch, so that each run is one write.
fn block_runs(mut blocks: Vec<(u64, u64, Bytes)>) -> Vec<(u64, Vec<Bytes>)> {
    blocks.sort_unstable_by_key(|(_, start, _)| *start);
    let mut runs: Vec<(u64, Vec<Bytes>)> = Vec::new();
    let mut end = None;
    for (_, start, block) in blocks {
        let next = start + block.len() as u64;
        match runs.last_mut() {
            Some((_, parts)) if end == Some(start) => parts.push(block),
            _ => runs.push((start, Vec::from([block]))),
        }
        end = Some(next);
    }
    runs
}

/// The same for nodes, which come in order. All runs share one piece of memory.
fn node_runs(nodes: &[Node]) -> Vec<(u64, Bytes)> {
    let mut bytes = BytesMut::with_capacity(nodes.len() * Node::LEN);
    for node in nodes {
        bytes.extend_from_slice(&node.to_bytes());
    }
    let mut bytes = bytes.freeze();
    let touch = |one: &Node, other: &Node| {
        node_offset(one.index) + Node::LEN as u64 == node_offset(other.index)
    };
    let runs = nodes.chunk_by(touch).filter_map(|run| {
        let first = run.first()?;
        Some((
            node_offset(first.index),
            bytes.split_to(run.len() * Node::LEN),
        ))
    });
    runs.collect()
}
