//! What an answer that was refused may be: the author's word for another history.
//!
//! An answer that has all it takes to stand alone, as one to a peer that knows nothing, is checked once more without what is
//! stored. If its roots are signed and a node of it differs from the stored one in its place, the author has signed two histories,
//! and both signatures together are evidence. The beats are those of a put, with two reads:
//!
//! ```text
//! plan_fork       does it stand alone?            Suspicion: has the author signed it?
//! candidates      which of its nodes are stored?  read them
//! path            the highest that differs        read the way from there to our roots, and our signature
//! finish          Fork
//! ```

use alloc::vec::Vec;

use bytes::Bytes;
use crypto::{Signable, Signature, Verified, leaf_hash};
use flat_tree::Index;
use merkle::{Branch, Check, Checked, Fork, Node, NodeBits, Proof, Roots, Unsigned};
use storage::Read;

use crate::{
    Feed,
    layout::{NodeReads, signature_read},
    prove::parse_signature,
};

/// How many forks a feed remembers.
pub const MAX_FORKS: usize = 16;

/// An answer that stands alone.
#[derive(Debug)]
#[must_use]
pub struct Suspicion {
    unsigned: Unsigned,
}

impl Feed {
    /// Looks at an answer that [`plan_put`](Feed::plan_put) or what follows from it refused. None if it can't be evidence of
    /// another history, whatever is stored.
    pub fn plan_fork(&self, proof: Proof, value: Option<&Bytes>) -> Option<Suspicion> {
        if !self.is_live() || self.length() == 0 {
            return None;
        }
        let (nothing, none) = (NodeBits::new(), Roots::new());
        let has_value = value.is_some();
        let check = Check::plan(&nothing, &none, true, proof, has_value, self.max_length);
        let leaf = value.map(|value| (leaf_hash(value), value.len() as u64));
        match check.ok()?.finish(&[], leaf).ok()? {
            Checked::Unsigned(unsigned) => Some(Suspicion { unsigned }),
            Checked::Anchored(_) => None,
        }
    }

    /// Remembers a fork. Says whether it is another one than those that are remembered; only the first [`MAX_FORKS`] are.
    pub fn note_fork(&mut self, fork: &Fork) -> bool {
        let same = |known: &Fork| known.theirs().roots() == fork.theirs().roots();
        if self.forks.iter().any(same) {
            return false;
        }
        if self.forks.len() < MAX_FORKS {
            self.forks.push(fork.clone());
        }
        true
    }

    /// The forks that were met since the feed was opened.
    pub fn forks(&self) -> &[Fork] {
        &self.forks
    }
}

impl Suspicion {
    /// The state that the author must have signed, and the signature.
    pub fn signable(&self) -> (&Signable, Option<&Signature>) {
        (self.unsigned.signable(), self.unsigned.signature())
    }

    /// What has to be read to see whether it contradicts what is stored. None if the witness is for something else.
    pub fn candidates(self, feed: &Feed, witness: &Verified) -> Option<Candidates> {
        if *witness.key() != feed.key {
            return None;
        }
        let accepted = self.unsigned.accept(witness).ok()?;
        let (_, signature) = accepted.signature()?;
        let roots = accepted.growth()?.clone();
        let mut nodes = accepted.verified().to_vec();
        if let Some(pair) = accepted.pair() {
            nodes.extend([pair.left, pair.right]);
        }
        nodes.sort_unstable_by_key(|node| node.index);
        nodes.dedup();
        let stored = nodes.iter().map(|node| node.index);
        let stored = stored.filter(|index| feed.bitfield.has_node(*index));
        Some(Candidates {
            reads: NodeReads::new(stored, &feed.roots),
            nodes,
            roots,
            signature,
        })
    }
}

/// The nodes of an answer that the author has signed, and those in the same places that are stored.
#[derive(Debug)]
#[must_use]
pub struct Candidates {
    nodes: Vec<Node>,
    roots: Roots,
    signature: Signature,
    reads: NodeReads,
}

impl Candidates {
    /// What has to be read.
    pub fn reads(&self) -> &[Read] {
        self.reads.reads()
    }

    /// Finds the contradiction, and what has to be read to prove our side of it. None if there is none, or if the nodes that link
    /// it to our roots aren't stored.
    pub fn path(self, feed: &Feed, replies: &[Bytes]) -> Option<ForkPlan> {
        let stored = self.reads.parse_all(replies);
        let differing = self.nodes.iter().filter_map(|theirs| {
            let ours = stored.get(theirs.index)?;
            (ours.hash != theirs.hash).then_some((*ours, *theirs))
        });
        // The highest one needs the shortest way.
        let (ours, theirs) = differing.max_by_key(|(ours, _)| ours.index.depth())?;
        let find = |index: Index| {
            let at = self.nodes.binary_search_by_key(&index, |node| node.index);
            at.ok().and_then(|at| self.nodes.get(at)).copied()
        };
        let theirs = Branch::new(theirs, self.roots.clone(), self.signature, find)?;
        let path = Branch::siblings(ours.index, feed.length())?;
        let path = NodeReads::new(path, &feed.roots);
        let mut reads = path.reads().to_vec();
        reads.push(signature_read(feed.length()));
        Some(ForkPlan {
            ours,
            roots: feed.roots.clone(),
            theirs,
            path,
            reads,
        })
    }
}

/// A contradiction whose other side is to be read.
#[derive(Debug)]
#[must_use]
pub struct ForkPlan {
    ours: Node,
    roots: Roots,
    theirs: Branch,
    path: NodeReads,
    reads: Vec<Read>,
}

impl ForkPlan {
    /// What has to be read.
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// The evidence. None if our own signature or a node of ours isn't there.
    pub fn finish(self, replies: &[Bytes]) -> Option<Fork> {
        let signature = parse_signature(replies.last()?).ok()?;
        let nodes = self.path.parse_all(replies);
        let find = |index: Index| nodes.get(index).copied();
        let ours = Branch::new(self.ours, self.roots, signature, find)?;
        Fork::new(ours, self.theirs).ok()
    }
}
