//! What a peer sent on its way into the feed: checked one by one, committed together.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::fmt;

use bytes::{Bytes, BytesMut};
use crypto::{
    Hash, PublicKey, Signable, Signature, SignatureError, Verified, leaf_hash, leaf_hashes,
};
use flat_tree::{Index, full_roots};
use merkle::{Accepted, Check, Checked, Node, Proof, Roots, insert};
use storage::{Batch, File, Read};

use crate::{
    Commit, Error, Event, Feed, ForkPolicy, PutError,
    feed::{Kind, Learnt},
    get::offset,
    layout::{NodeReads, Nodes, node_offset, signature_offset},
    pages::write_pages,
    places::Place,
};

/// Something from a peer that is to be checked.
#[derive(Debug)]
#[must_use]
pub struct PutPlan {
    claim: Claim,
    nodes: NodeReads,
}

/// Several things from a peer that are to be checked: what all of them need is read together, and their blocks are hashed
/// together, several at a time.
#[derive(Debug)]
#[must_use]
pub struct PutPlans {
    claims: Vec<Result<Claim, PutError>>,
    nodes: NodeReads,
}

/// What a peer says, with all that is known about it before anything is read.
struct Claim {
    key: PublicKey,
    strict: bool,
    /// The length known before.
    known: u64,
    check: Check,
    block: u64,
    value: Option<Bytes>,
    /// Where the block begins, if that is known.
    start: Option<u64>,
}

impl Feed {
    /// Plans to check a block, or hashes without it.
    ///
    /// # Errors
    /// [`PutError::Proof`] if it can't be right whatever is stored; [`PutError::Local`] with [`Error::ReadOnly`], or with
    /// [`Error::Unfinished`] if nothing can be right yet.
    pub fn plan_put(&self, proof: Proof, value: Option<Bytes>) -> Result<PutPlan, PutError> {
        let claim = self.claim(proof, value)?;
        let nodes = NodeReads::new(self.wanted(&claim), &self.roots);
        Ok(PutPlan { claim, nodes })
    }

    /// Plans to check several blocks, or hashes without them, each against what is stored and none against the others. What
    /// [`plan_put`](Self::plan_put) says to one of them [`PutPlans::check`] tells.
    pub fn plan_puts(&self, arrived: impl IntoIterator<Item = (Proof, Option<Bytes>)>) -> PutPlans {
        let claims = arrived.into_iter();
        let claims: Vec<_> = claims
            .map(|(proof, value)| self.claim(proof, value))
            .collect();
        let wanted = claims.iter().flatten().flat_map(|claim| self.wanted(claim));
        let nodes = NodeReads::new(wanted, &self.roots);
        PutPlans { claims, nodes }
    }

    fn claim(&self, proof: Proof, value: Option<Bytes>) -> Result<Claim, PutError> {
        self.check_changes()?;
        if self.kind == Kind::Unfinished {
            return Err(Error::Unfinished.into());
        }
        let block = proof.block;
        let signed = self.is_live() && self.length() > 0;
        let (tree, roots) = (&self.bitfield, &self.roots);
        let check = Check::plan(tree, roots, signed, proof, value.is_some(), self.max_length)?;
        Ok(Claim {
            key: self.key,
            strict: self.fork_policy == ForkPolicy::Strict,
            known: self.length(),
            check,
            block,
            value,
            start: self.places.start(block),
        })
    }

    /// The nodes that decide about a claim, and those that tell the place of its block if it isn't known: it follows from the
    /// roots before it, of which those that aren't stored are in the proof.
    fn wanted<'a>(&'a self, claim: &'a Claim) -> impl Iterator<Item = Index> + 'a {
        let before = full_roots(claim.block).take_while(|_| claim.is_to_be_placed());
        let before = before.filter(|root| self.bitfield.has_node(*root));
        claim.check.reads().iter().copied().chain(before)
    }

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
}

impl PutPlan {
    /// What has to be read.
    pub fn reads(&self) -> &[Read] {
        self.nodes.reads()
    }

    /// Checks the hashes.
    ///
    /// # Errors
    /// [`PutError::Proof`], or [`PutError::Local`] if a stored node isn't there.
    pub fn check(self, replies: &[Bytes]) -> Result<PutCheck, PutError> {
        let nodes = self.nodes.parse(replies).map_err(PutError::Local)?;
        let hash = self.claim.value.as_ref().map(|value| leaf_hash(value));
        self.claim.check(&nodes, hash)
    }
}

impl PutPlans {
    /// What has to be read.
    pub fn reads(&self) -> &[Read] {
        self.nodes.reads()
    }

    /// Checks the hashes of each, in their order, with the errors of [`plan_put`](Feed::plan_put) and
    /// [`PutPlan::check`].
    pub fn check(self, replies: &[Bytes]) -> Vec<Result<PutCheck, PutError>> {
        let nodes = self.nodes.parse_each(replies);
        let values = self.claims.iter().flatten();
        let values = values.filter_map(|claim| claim.value.as_deref());
        let mut hashes = leaf_hashes(values).into_iter();
        let checks = self.claims.into_iter().map(|claim| {
            let claim = claim?;
            let hash = claim.value.as_ref().and_then(|_| hashes.next());
            claim.check(&nodes, hash)
        });
        checks.collect()
    }
}

impl Claim {
    /// `hash` is that of the block, if there is one.
    fn check(self, nodes: &Nodes, hash: Option<Hash>) -> Result<PutCheck, PutError> {
        let stored = self.check.reads().iter();
        let stored = stored
            .map(|index| nodes.must_get(*index).copied())
            .collect::<Result<Vec<_>, _>>()
            .map_err(PutError::Local)?;
        let leaf = hash.zip(self.value.as_ref().map(|value| value.len() as u64));
        let before = match self.is_to_be_placed() {
            true => full_roots(self.block)
                .filter_map(|root| nodes.get(root).copied())
                .collect(),
            false => Vec::new(),
        };
        Ok(PutCheck {
            key: self.key,
            strict: self.strict,
            known: self.known,
            block: self.block,
            checked: self.check.finish(&stored, leaf)?,
            value: self.value,
            start: self.start,
            before,
        })
    }

    fn is_to_be_placed(&self) -> bool {
        self.value.is_some() && self.start.is_none()
    }
}

/// Something whose hashes fit.
#[must_use]
pub struct PutCheck {
    key: PublicKey,
    strict: bool,
    known: u64,
    block: u64,
    checked: Checked,
    value: Option<Bytes>,
    start: Option<u64>,
    /// The stored ones of the roots before the block, unless its place is known.
    before: Vec<Node>,
}

impl PutCheck {
    /// The state for which the author has to stand, and the signature that came along, if the proof reaches the roots.
    pub fn signable(&self) -> Option<(&Signable, Option<&Signature>)> {
        match &self.checked {
            Checked::Anchored(_) => None,
            Checked::Unsigned(unsigned) => Some((unsigned.signable(), unsigned.signature())),
        }
    }

    /// Accepts it, on the word of a witness if it reaches the roots.
    ///
    /// # Errors
    /// [`PutError::Proof`] if the witness is missing, or for another state or another feed; [`PutError::Unproven`] if it is signed
    /// but may be of another history; [`PutError::Local`] if the place of the block can't be told.
    pub fn accept(self, witness: Option<&Verified>) -> Result<Put, PutError> {
        let signed = self.signable().map(|(signable, _)| signable.length);
        let unproven =
            matches!(&self.checked, Checked::Unsigned(unsigned) if !unsigned.is_proven());
        let accepted = match (self.checked, witness) {
            (Checked::Anchored(accepted), _) => accepted,
            (Checked::Unsigned(unsigned), Some(witness)) if *witness.key() == self.key => {
                unsigned.accept(witness)?
            }
            (Checked::Unsigned(_), Some(_)) => return Err(SignatureError.into()),
            (Checked::Unsigned(_), None) => return Err(merkle::ProofError::NoSignature.into()),
        };
        if self.strict
            && unproven
            && let Some(signed) = signed
        {
            let stored = self.known;
            let by = stored.min(signed);
            return Err(PutError::Unproven { stored, signed, by });
        }
        let find = |index: Index| {
            let known = self.before.iter().chain(accepted.verified());
            known.into_iter().find(|node| node.index == index)
        };
        let start = match (&self.value, self.start) {
            (Some(_), Some(start)) => start,
            (Some(_), None) => offset(accepted.block(), find).map_err(PutError::Local)?,
            (None, _) => 0,
        };
        Ok(Put {
            accepted,
            value: self.value,
            start,
        })
    }
}

/// Something that was verified and isn't stored yet.
#[must_use = "nothing is stored until the commit is written and applied"]
pub struct Put {
    accepted: Accepted,
    value: Option<Bytes>,
    start: u64,
}

impl Put {
    /// The length to which it makes the feed grow, if it does.
    pub fn growth(&self) -> Option<u64> {
        self.accepted.growth().map(Roots::length)
    }

    /// What follows of it for the places of others, if there is a block.
    fn place(&self) -> Option<Place> {
        let (block, value) = (self.accepted.block(), self.value.as_ref()?);
        let beside = self.accepted.verified().get(1);
        let next = beside.filter(|node| node.index == Index::from_block(block + 1));
        Some(Place {
            block,
            end: self.start.checked_add(value.len() as u64)?,
            next_size: next.map(|leaf| leaf.size),
        })
    }
}

/// Shows what it is about, and of the block only how long it is.
macro_rules! debug {
    ($name:ident, $block:expr) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let block: fn(&Self) -> u64 = $block;
                f.debug_struct(stringify!($name))
                    .field("block", &block(self))
                    .field("len", &self.value.as_ref().map(Bytes::len))
                    .finish_non_exhaustive()
            }
        }
    };
}

debug!(Claim, |claim| claim.block);
debug!(PutCheck, |check| check.block);
debug!(Put, |put| put.accepted.block());

impl Feed {
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

impl From<Error> for PutError {
    fn from(error: Error) -> Self {
        PutError::Local(error)
    }
}
