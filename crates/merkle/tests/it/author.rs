//! A whole feed with all its nodes, and readers that take from it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use crypto::{Dialect, KeyPair, Signature, leaf_hash};
use flat_tree::Index;
use hypercore_merkle::{
    Accepted, Check, Checked, Node, NodeBits, Proof, ProofError, ProofRequest, RemoteTree, Roots,
    insert, plan_proof,
};

/// The author of a feed, who has everything.
pub(crate) struct Author {
    pub(crate) pair: KeyPair,
    pub(crate) dialect: Dialect,
    pub(crate) blocks: Vec<Bytes>,
    pub(crate) tree: NodeBits,
    pub(crate) nodes: BTreeMap<Index, Node>,
    pub(crate) roots: Roots,
    pub(crate) signatures: BTreeMap<u64, Signature>,
}

impl Author {
    pub(crate) fn new(seed: u8, dialect: Dialect) -> Self {
        Author {
            pair: KeyPair::from_seed([seed; 32]),
            dialect,
            blocks: Vec::new(),
            tree: NodeBits::new(),
            nodes: BTreeMap::new(),
            roots: Roots::new(),
            signatures: BTreeMap::new(),
        }
    }

    /// An author of `length` blocks of different sizes, signed one by one.
    pub(crate) fn of(seed: u8, length: u64) -> Self {
        let mut author = Author::new(seed, Dialect::V8);
        for block in 0..length {
            let bytes = vec![seed ^ block as u8; (block as usize * 7) % 23];
            author.append(&[bytes.into()]);
        }
        author
    }

    pub(crate) fn append(&mut self, blocks: &[Bytes]) {
        let growth = self.roots.append(blocks).unwrap();
        for node in &growth.nodes {
            insert(&mut self.tree, node.index);
            self.nodes.insert(node.index, *node);
        }
        self.roots = growth.roots;
        self.blocks.extend_from_slice(blocks);
        let signature = self.pair.sign(&self.roots.signable(), self.dialect);
        self.signatures.insert(self.roots.length(), signature);
    }

    /// The answer to a request.
    pub(crate) fn answer(&self, remote: &mut RemoteTree, request: &ProofRequest) -> Proof {
        let plan = plan_proof(&self.tree, remote, request).unwrap();
        Proof {
            block: request.block,
            nodes: plan.nodes.iter().map(|index| self.nodes[index]).collect(),
            signature: plan.signed_length.map(|length| self.signatures[&length]),
        }
    }
}

/// A reader that stores what verifies.
#[derive(Clone)]
pub(crate) struct Reader {
    pub(crate) tree: NodeBits,
    pub(crate) nodes: BTreeMap<Index, Node>,
    pub(crate) roots: Roots,
    pub(crate) blocks: BTreeSet<u64>,
    pub(crate) live: bool,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Reader {
            tree: NodeBits::new(),
            nodes: BTreeMap::new(),
            roots: Roots::new(),
            blocks: BTreeSet::new(),
            live: true,
        }
    }

    /// Checks an answer without storing it.
    pub(crate) fn check(
        &self,
        key: &crypto::PublicKey,
        proof: Proof,
        value: Option<&[u8]>,
    ) -> Result<Accepted, ProofError> {
        let signed = self.live && self.roots.length() > 0;
        let check = Check::plan(
            &self.tree,
            &self.roots,
            signed,
            proof,
            value.is_some(),
            1 << 32,
        )?;
        let stored: Vec<Node> = check
            .reads()
            .iter()
            .map(|index| self.nodes[index])
            .collect();
        let leaf = value.map(|bytes| (leaf_hash(bytes), bytes.len() as u64));
        match check.finish(&stored, leaf)? {
            Checked::Anchored(accepted) => Ok(accepted),
            Checked::Unsigned(unsigned) => {
                let witness = match unsigned.signature() {
                    Some(signature) => key.verify(unsigned.signable(), signature)?,
                    None => crypto::Verified::matching_key(key, unsigned.signable())?,
                };
                unsigned.accept(&witness)
            }
        }
    }

    /// Checks an answer and stores it.
    pub(crate) fn put(
        &mut self,
        key: &crypto::PublicKey,
        proof: Proof,
        value: Option<&[u8]>,
    ) -> Result<(), ProofError> {
        let accepted = self.check(key, proof, value)?;
        for node in accepted.new_nodes() {
            insert(&mut self.tree, node.index);
            self.nodes.insert(node.index, *node);
        }
        if let Some(roots) = accepted.growth() {
            self.roots = roots.clone();
        }
        if value.is_some() {
            self.blocks.insert(accepted.block());
        }
        Ok(())
    }

    /// Every stored node is the author's.
    pub(crate) fn assert_true(&self, author: &Author) {
        for (index, node) in &self.nodes {
            assert_eq!(Some(node), author.nodes.get(index));
        }
    }
}
