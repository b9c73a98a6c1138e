//! The longest length that is signed and whose roots are in the tree.

use alloc::vec::Vec;

use bytes::Bytes;
use crypto::{PublicKey, Signature};
use flat_tree::full_roots;
use merkle::Roots;
use storage::Read;

use crate::layout::NodeReads;

/// So many signatures are tried. More that fail in a row are what is left of another feed.
const MAX_TRIES: usize = 256;

/// Tries signatures, longest length first.
#[derive(Debug)]
pub(super) struct Search {
    left: Vec<(u64, Signature)>,
    tries: usize,
    trying: Option<(u64, Signature, NodeReads)>,
    pub(super) found: Option<Roots>,
}

impl Search {
    /// Looks among these, which ascend.
    pub(super) fn among(candidates: &[(u64, Signature)], beyond: u64) -> Self {
        let left = candidates.iter().filter(|(length, _)| *length > beyond);
        Search {
            left: left.copied().collect(),
            tries: 0,
            trying: None,
            found: None,
        }
    }

    pub(super) fn next(&mut self) -> Option<Vec<Read>> {
        if self.found.is_some() || self.tries == MAX_TRIES {
            return None;
        }
        let (length, signature) = self.left.pop()?;
        self.tries += 1;
        let nodes = NodeReads::new(full_roots(length), &Roots::new());
        let reads = nodes.reads().to_vec();
        self.trying = Some((length, signature, nodes));
        Some(reads)
    }

    pub(super) fn check(&mut self, key: &PublicKey, replies: &[Bytes]) {
        if let Some((length, signature, nodes)) = self.trying.take()
            && let Ok(nodes) = nodes.parse(replies)
            && let Ok(roots) = nodes.roots(length)
            && key.verify(&roots.signable(), &signature).is_ok()
        {
            self.found = Some(roots);
        }
    }
}
