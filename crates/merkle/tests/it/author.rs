//! A whole feed with all its nodes, and readers that take from it and from one another.

use std::collections::BTreeMap;

use bytes::Bytes;
use crypto::{Dialect, KeyPair, PublicKey, Signature, Verified, leaf_hash};
use flat_tree::Index;
use hypercore_merkle::{
    Accepted, Check, Checked, Node, NodeBits, Proof, ProofError, ProofRequest, RemoteTree, Roots,
    insert, plan_proof,
};

/// What a copy of a feed has, whole or in part.
#[derive(Clone)]
pub(crate) struct Reader {
    pub(crate) tree: NodeBits,
    pub(crate) nodes: BTreeMap<Index, Node>,
    pub(crate) roots: Roots,
    pub(crate) blocks: BTreeMap<u64, Bytes>,
    pub(crate) signatures: BTreeMap<u64, Signature>,
    pub(crate) live: bool,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Reader {
            tree: NodeBits::new(),
            nodes: BTreeMap::new(),
            roots: Roots::new(),
            blocks: BTreeMap::new(),
            signatures: BTreeMap::new(),
            live: true,
        }
    }

    /// The answer to a request, from whatever is here.
    pub(crate) fn answer(&self, remote: &mut RemoteTree, request: &ProofRequest) -> Proof {
        let plan = plan_proof(&self.tree, remote, request).unwrap();
        Proof {
            block: request.block,
            nodes: plan.nodes.iter().map(|index| self.nodes[index]).collect(),
            signature: plan.signed_length.map(|length| self.signatures[&length]),
        }
    }

    /// Checks an answer without storing it.
    pub(crate) fn check(
        &self,
        key: &PublicKey,
        proof: Proof,
        value: Option<&[u8]>,
    ) -> Result<Accepted, ProofError> {
        let signed = self.live && self.roots.length() > 0;
        let has_value = value.is_some();
        let check = Check::plan(
            &self.tree,
            &self.roots,
            signed,
            proof,
            has_value,
            MAX_LENGTH,
        )?;
        let reads = check.reads().iter();
        let stored: Vec<Node> = reads.map(|index| self.nodes[index]).collect();
        let leaf = value.map(|bytes| (leaf_hash(bytes), bytes.len() as u64));
        match check.finish(&stored, leaf)? {
            Checked::Anchored(accepted) => Ok(accepted),
            Checked::Unsigned(unsigned) => {
                let witness = match unsigned.signature() {
                    Some(signature) => key.verify(unsigned.signable(), signature)?,
                    None => Verified::matching_key(key, unsigned.signable())?,
                };
                unsigned.accept(&witness)
            }
        }
    }

    /// Checks an answer and stores it.
    pub(crate) fn put(
        &mut self,
        key: &PublicKey,
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
        self.signatures.extend(accepted.signature());
        if let Some(value) = value {
            let value = Bytes::copy_from_slice(value);
            self.blocks.insert(accepted.block(), value);
        }
        Ok(())
    }

    /// Every stored node is the author's.
    pub(crate) fn assert_true(&self, author: &Author) {
        for (index, node) in &self.nodes {
            assert_eq!(Some(node), author.copy.nodes.get(index));
        }
        for (block, bytes) in &self.blocks {
            assert_eq!(author.block(*block), bytes);
        }
    }
}

/// The longest feed that readers here accept.
pub(crate) const MAX_LENGTH: u64 = 1 << 32;

/// The author of a feed, who has everything.
pub(crate) struct Author {
    pub(crate) pair: KeyPair,
    pub(crate) dialect: Dialect,
    pub(crate) copy: Reader,
}

impl Author {
    pub(crate) fn new(seed: u8, dialect: Dialect) -> Self {
        Author {
            pair: KeyPair::from_seed([seed; 32]),
            dialect,
            copy: Reader::new(),
        }
    }

    /// An author of `length` blocks of different sizes, signed one by one, in either dialect.
    pub(crate) fn of(seed: u8, length: u64) -> Self {
        let dialect = match seed % 2 {
            0 => Dialect::V8,
            _ => Dialect::V9,
        };
        let mut author = Author::new(seed, dialect);
        for block in 0..length {
            author.append(&[made_up(seed, block)]);
        }
        author
    }

    pub(crate) fn append(&mut self, blocks: &[Bytes]) {
        let copy = &mut self.copy;
        let growth = copy.roots.append(blocks).unwrap();
        for node in &growth.nodes {
            insert(&mut copy.tree, node.index);
            copy.nodes.insert(node.index, *node);
        }
        copy.blocks
            .extend((copy.roots.length()..).zip(blocks.iter().cloned()));
        copy.roots = growth.roots;
        let signature = self.pair.sign(&copy.roots.signable(), self.dialect);
        copy.signatures.insert(copy.roots.length(), signature);
    }

    pub(crate) fn key(&self) -> PublicKey {
        self.pair.public()
    }

    pub(crate) fn length(&self) -> u64 {
        self.copy.roots.length()
    }

    pub(crate) fn block(&self, block: u64) -> &Bytes {
        &self.copy.blocks[&block]
    }

    /// The roots that the feed had at a length.
    pub(crate) fn roots_at(&self, length: u64) -> Roots {
        let roots = flat_tree::full_roots(length).map(|index| self.copy.nodes[&index]);
        Roots::from_nodes(length, roots.collect()).unwrap()
    }

    /// The answer to a peer of which nothing is known.
    pub(crate) fn answer(&self, request: &ProofRequest) -> Proof {
        self.copy.answer(&mut RemoteTree::new(), request)
    }
}

/// A block of an author: the sizes differ, some are empty, and no two authors have the same.
pub(crate) fn made_up(seed: u8, block: u64) -> Bytes {
    let len = (7 * block + u64::from(seed)) % 23;
    (0..len).map(|at| seed ^ (block + 3 * at) as u8).collect()
}

/// A request of a peer that has nothing.
pub(crate) fn ask(block: u64) -> ProofRequest {
    ProofRequest {
        block,
        hash: false,
        digest: 0,
    }
}

/// The same for the hash only.
pub(crate) fn ask_hash(block: u64) -> ProofRequest {
    ProofRequest {
        hash: true,
        ..ask(block)
    }
}
