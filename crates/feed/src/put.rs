//! What a peer sent on its way into the feed: checked one by one. `merge.rs` commits it together.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use crypto::{
    Hash, PublicKey, Signable, Signature, SignatureError, Verified, leaf_hash, leaf_hashes,
};
use flat_tree::{Index, full_roots};
use merkle::{Accepted, Check, Checked, Node, Proof, Roots};
use storage::Read;

use crate::{
    Error, Feed, ForkPolicy, PutError,
    feed::Kind,
    get::offset,
    layout::{NodeReads, Nodes},
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
    pub(crate) accepted: Accepted,
    pub(crate) value: Option<Bytes>,
    /// Where the block begins, if there is one.
    pub(crate) start: u64,
}

impl Put {
    /// The length to which it makes the feed grow, if it does.
    pub fn growth(&self) -> Option<u64> {
        self.accepted.growth().map(Roots::length)
    }

    /// What follows of it for the places of others, if there is a block.
    pub(crate) fn place(&self) -> Option<Place> {
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

impl From<Error> for PutError {
    fn from(error: Error) -> Self {
        PutError::Local(error)
    }
}
