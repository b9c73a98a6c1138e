//! Proofs from liars and from partial copies. What is accepted is true, and what is honest is accepted.

use std::{collections::BTreeMap, sync::LazyLock};

use crypto::{KeyPair, PublicKey, Signature, leaf_hash};
use flat_tree::{Index, full_roots};
use merkle::{
    Accepted, Check, Checked, Node, NodeBits, PortableProof, Proof, ProofError, ProofRequest,
    RemoteTree, Roots, digest, insert, plan_proof,
};

/// How many blocks the feeds here have: enough for every shape of the right edge.
const LENGTH: u64 = 21;

/// What somebody has of a feed. The blocks themselves follow from their numbers.
#[derive(Default)]
struct Copy {
    tree: NodeBits,
    nodes: BTreeMap<Index, Node>,
    roots: Roots,
    has: [bool; LENGTH as usize],
    signatures: BTreeMap<u64, Signature>,
}

/// A feed, the one that all is about, and another of the same shape with another key.
struct World {
    key: PublicKey,
    author: Copy,
    foreign: Copy,
}

static WORLD: LazyLock<World> = LazyLock::new(|| World {
    key: KeyPair::from_seed([1; 32]).public(),
    author: whole(1),
    foreign: whole(2),
});

/// The block of an author.
fn block(seed: u8, block: u64) -> Vec<u8> {
    vec![seed; (7 * block as usize + usize::from(seed)) % 11]
}

fn whole(seed: u8) -> Copy {
    let pair = KeyPair::from_seed([seed; 32]);
    let mut copy = Copy::default();
    for number in 0..LENGTH {
        let growth = copy
            .roots
            .append(&[block(seed, number).into()])
            .expect("it is short");
        for node in growth.nodes {
            insert(&mut copy.tree, node.index);
            copy.nodes.insert(node.index, node);
        }
        copy.roots = growth.roots;
        let signature = pair.sign(&copy.roots.signable(), crypto::Dialect::V9);
        copy.signatures.insert(number + 1, signature);
    }
    copy.has = [true; LENGTH as usize];
    copy
}

impl Copy {
    fn answer(&self, remote: &mut RemoteTree, request: &ProofRequest) -> Option<Proof> {
        let plan = plan_proof(&self.tree, remote, request)?;
        Some(Proof {
            block: request.block,
            nodes: plan.nodes.iter().map(|index| self.nodes[index]).collect(),
            signature: plan.signed_length.map(|length| self.signatures[&length]),
        })
    }

    fn check(&self, proof: Proof, value: Option<&[u8]>) -> Result<Accepted, ProofError> {
        let signed = self.roots.length() > 0;
        let check = Check::plan(
            &self.tree,
            &self.roots,
            signed,
            proof,
            value.is_some(),
            1 << 20,
        )?;
        assert!(check.reads().len() <= 256, "work follows the proof");
        let stored: Vec<Node> = check
            .reads()
            .iter()
            .map(|index| self.nodes[index])
            .collect();
        let leaf = value.map(|bytes| (leaf_hash(bytes), bytes.len() as u64));
        match check.finish(&stored, leaf)? {
            Checked::Anchored(accepted) => Ok(accepted),
            Checked::Unsigned(unsigned) => {
                let signature = unsigned.signature().ok_or(ProofError::NoSignature)?;
                let witness = WORLD.key.verify(unsigned.signable(), signature)?;
                unsigned.accept(&witness)
            }
        }
    }

    fn store(&mut self, accepted: &Accepted, has_value: bool) {
        for node in accepted.new_nodes() {
            insert(&mut self.tree, node.index);
            self.nodes.insert(node.index, *node);
        }
        if let Some(roots) = accepted.growth() {
            self.roots = roots.clone();
        }
        self.signatures.extend(accepted.signature());
        self.has[accepted.block() as usize] |= has_value;
    }
}

/// An honest exchange that must succeed.
fn copy(from: &Copy, to: &mut Copy, remote: &mut RemoteTree, number: u64, hash: bool) {
    let request = ProofRequest {
        block: number,
        hash,
        digest: digest(&to.tree, number),
    };
    let proof = from.answer(remote, &request).expect("it has the hash");
    let value = block(1, number);
    let accepted = to
        .check(proof, (!hash).then_some(&value))
        .expect("it is honest");
    assert_true(&accepted);
    to.store(&accepted, !hash);
}

/// All that would be stored is the author's; of the two leaves of an answer without a block only the hashes are.
fn assert_true(accepted: &Accepted) {
    let author = &WORLD.author;
    for node in accepted.verified() {
        assert_eq!(*node, author.nodes[&node.index]);
    }
    if let Some(pair) = accepted.pair() {
        for leaf in [pair.left, pair.right] {
            assert_eq!(leaf.hash, author.nodes[&leaf.index].hash);
        }
        assert_eq!(
            pair.left.size + pair.right.size,
            author.nodes[&pair.parent()].size
        );
    }
    if let Some(roots) = accepted.growth() {
        let own: Vec<Node> = full_roots(roots.length())
            .map(|index| author.nodes[&index])
            .collect();
        assert_eq!(roots.nodes(), own);
    }
    assert_eq!(
        accepted.leaf().hash,
        author.nodes[&Index::from_block(accepted.block())].hash
    );
}

/// Bytes that are used up one by one, and zeros after that.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn below(&mut self, bound: u64) -> u64 {
        u64::from(self.0.next().copied().unwrap_or(0)) % bound
    }
}

/// First some honest answers, then a proof of any nodes at all.
pub fn merkle_proof(data: &[u8]) {
    let mut choices = Choices(data.iter());
    let mut reader = Copy::default();
    for _ in 0..choices.below(8) {
        let hash = choices.below(3) == 0;
        let number = choices.below(LENGTH);
        copy(
            &WORLD.author,
            &mut reader,
            &mut RemoteTree::new(),
            number,
            hash,
        );
    }

    let number = choices.below(LENGTH + 1);
    let hash = choices.below(3) == 0;
    let whose = choices.below(3) as u8;
    let mut proof = match choices.below(2) {
        0 => Proof {
            block: number,
            nodes: Vec::new(),
            signature: None,
        },
        _ => {
            let request = ProofRequest {
                block: number,
                hash,
                digest: choices.below(256),
            };
            let Some(proof) = WORLD.author.answer(&mut RemoteTree::new(), &request) else {
                return;
            };
            proof
        }
    };
    for _ in 0..choices.below(10) {
        change(&mut proof, &mut choices);
    }
    let value = match whose {
        0 => block(1, number),
        1 => block(2, number),
        _ => vec![9; block(1, number).len()],
    };
    let Ok(accepted) = reader.check(proof, (!hash).then_some(&value)) else {
        return;
    };
    assert_true(&accepted);
    assert!(hash || value == block(1, accepted.block()));
}

fn change(proof: &mut Proof, choices: &mut Choices<'_>) {
    let len = proof.nodes.len() as u64;
    let at = choices.below(len + 1) as usize;
    match choices.below(8) {
        0 | 1 => {
            let index = Index::new(choices.below(2 * LENGTH + 2));
            let whose = match choices.below(4) {
                0 => &WORLD.foreign,
                _ => &WORLD.author,
            };
            proof.nodes.insert(at, made_up(whose, index));
        }
        2 => {
            let length = choices.below(LENGTH + 1);
            proof
                .nodes
                .extend(full_roots(length).map(|index| WORLD.author.nodes[&index]));
            proof.signature = WORLD.author.signatures.get(&length).copied();
        }
        3 => proof.nodes.truncate(at),
        4 if at < proof.nodes.len() => drop(proof.nodes.remove(at)),
        5 => {
            let from = if choices.below(4) == 0 {
                &WORLD.foreign
            } else {
                &WORLD.author
            };
            proof.signature = from.signatures.get(&choices.below(LENGTH + 1)).copied();
        }
        6 if at < proof.nodes.len() => {
            let (other, by) = (choices.below(len) as usize, choices.below(9));
            proof.nodes[at].size = proof.nodes[at].size.wrapping_add(by);
            proof.nodes[other].size = proof.nodes[other].size.wrapping_sub(by);
        }
        7 if at < proof.nodes.len() => {
            let far = Index::new(u64::MAX >> (choices.below(64)));
            proof.nodes[at].index = far;
        }
        _ => proof.block = choices.below(LENGTH + 1),
    }
}

fn made_up(whose: &Copy, index: Index) -> Node {
    whose.nodes.get(&index).copied().unwrap_or(Node {
        index,
        size: 3,
        hash: crypto::Hash::new([3; 32]),
    })
}

/// Three copies take blocks and hashes from the author and from one another: every exchange succeeds.
pub fn merkle_copies(data: &[u8]) {
    let mut copies: [Copy; 3] = Default::default();
    let mut remotes: BTreeMap<(u64, u64), RemoteTree> = BTreeMap::new();
    // Three bytes each; more would only repeat what is there.
    for step in data.chunks_exact(3).take(200) {
        let mut choices = Choices(step.iter());
        let pair = choices.below(16);
        let (to, from) = (pair % 4, pair / 4);
        let number = choices.below(LENGTH);
        let hash = choices.below(3) == 0;
        if to == from || to == 3 {
            continue;
        }
        let mut reader = std::mem::take(&mut copies[to as usize]);
        let source = copies.get(from as usize).unwrap_or(&WORLD.author);
        if source.has[number as usize] && !reader.has[number as usize] {
            let remote = remotes.entry((to, from)).or_default();
            copy(source, &mut reader, remote, number, hash);
        }
        copies[to as usize] = reader;
    }
}

/// Any set of nodes, any request: an answer is short, and a digest claims only what is there.
pub fn merkle_index(data: &[u8]) {
    let (requests, set) = data.split_at(data.len().min(17));
    let mut tree = NodeBits::new();
    for bytes in set.chunks(2).take(2000) {
        let n = bytes.iter().fold(0, |n, byte| 256 * n + u64::from(*byte));
        // Some far out: the shift makes positions of up to 62 bits.
        insert(&mut tree, Index::new((n & 0x3ff) << (n >> 10 & 0x33)));
    }
    merkle::blocks(&tree);
    let Some((digest_bytes, rest)) = requests.split_first_chunk::<8>() else {
        return;
    };
    let number = rest.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)) >> (digest_bytes[0] & 63);
    let request = ProofRequest {
        block: number,
        hash: digest_bytes[1] & 1 == 1,
        digest: u64::from_be_bytes(*digest_bytes),
    };
    let mut remote = RemoteTree::new();
    if let Some(plan) = plan_proof(&tree, &mut remote, &request) {
        assert!(plan.nodes.len() <= merkle::MAX_PROOF_NODES);
        assert!(plan.signed_length.is_none_or(|length| length > number));
    }
    assert!(
        remote
            .iter()
            .all(|index| merkle::NodeSet::has(&tree, index))
    );
    let number = number % merkle::MAX_BLOCKS;
    let claimed = digest(&tree, number);
    // The lowest bit says that an ancestor, or the block's hash itself, is there.
    if claimed & 1 == 1 && claimed > 1 {
        let level = claimed.ilog2() - 1;
        let ancestor = (0..level).fold(Index::from_block(number), |index, _| index.parent());
        assert!(merkle::NodeSet::has(&tree, ancestor));
    }
}

/// Bytes that may be a portable proof, or one that is changed. What is read is written again as it was, and it is believed
/// only of a block that is the author's.
pub fn merkle_portable(data: &[u8]) {
    let Some((number, rest)) = data.split_first() else {
        return;
    };
    let number = u64::from(*number) % LENGTH;
    let request = ProofRequest {
        block: number,
        hash: false,
        digest: 0,
    };
    let honest = WORLD.author.answer(&mut RemoteTree::new(), &request);
    let honest = PortableProof::new(LENGTH, honest.expect("the author has all"));
    let honest = honest.expect("it reaches the roots").to_bytes();
    judge(rest, None);

    // Each change is a place and what is added to it; what is left over comes behind.
    let mut changed = honest.clone();
    let mut choices = Choices(rest.iter());
    for _ in 0..choices.below(4) {
        let at = choices.below(256) as usize + choices.below(4) as usize * 256;
        let by = choices.below(256) as u8;
        let len = changed.len();
        changed[at % len] = changed[at % len].wrapping_add(by);
    }
    let cut = choices.below(8) as usize;
    changed.truncate(changed.len() - cut);
    changed.extend(choices.0.as_slice());
    judge(&changed, (changed == honest).then_some(number));
}

/// Reads what may be a proof. If it is the honest one of a block it has to be believed of that.
fn judge(bytes: &[u8], honest: Option<u64>) {
    let Ok(proof) = PortableProof::from_bytes(bytes) else {
        assert_eq!(honest, None);
        return;
    };
    assert_eq!(proof.to_bytes(), bytes);
    assert!(proof.proof().nodes.len() <= merkle::MAX_PROOF_NODES);
    for number in 0..LENGTH {
        let value = block(1, number);
        let believed = proof.verify(&WORLD.key, &value);
        if honest == Some(number) {
            assert!(believed.is_ok());
        }
        if let Ok(witness) = believed {
            // Some blocks have the same bytes.
            assert_eq!(value, block(1, proof.block()));
            let length = witness.signable().length;
            assert!(proof.block() < length && length == proof.length());
        }
    }
    assert!(proof.verify(&WORLD.key, &[9; 12]).is_err());
}
