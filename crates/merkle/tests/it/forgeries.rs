//! Proofs put together at random from true nodes, nodes of another feed and made-up ones, sent to readers that have
//! some of the feed: what is accepted is true.

use flat_tree::{Index, full_roots};
use hypercore_merkle::{Node, Proof, ProofRequest, digest};
use testkit::{Rng, seed};

use crate::{
    author::{Author, Reader, ask, ask_hash},
    mutations::assert_harmless,
};

/// A liar who knows the whole feed and another one, but not the key of the first.
struct Liar<'a> {
    rng: Rng,
    author: &'a Author,
    foreign: &'a Author,
}

impl Liar<'_> {
    fn node(&mut self) -> Node {
        let end = 2 * self.author.length() + 2;
        let index = Index::new(self.rng.below(end));
        let foreign = self.rng.one_in(4);
        let whose = if foreign { self.foreign } else { self.author };
        whose.copy.nodes.get(&index).copied().unwrap_or(Node {
            index,
            size: self.rng.below(30),
            hash: crypto::Hash::new([5; 32]),
        })
    }

    fn length(&mut self) -> u64 {
        1 + self.rng.below(self.author.length())
    }

    /// An honest proof, in one case of four one for a reader that has other nodes.
    fn honest(&mut self, reader: &Reader) -> (Proof, bool) {
        let block = self.rng.below(self.author.length());
        let hash = self.rng.one_in(3);
        let digest = match self.rng.below(4) {
            0 => 0,
            1 => self.rng.below(64),
            _ => digest(&reader.tree, block),
        };
        let request = ProofRequest {
            block,
            hash,
            digest,
        };
        (self.author.answer(&request), hash)
    }

    fn change(&mut self, proof: &mut Proof) {
        let count = proof.nodes.len();
        let at = self.rng.below(count as u64 + 1) as usize;
        match self.rng.below(12) {
            0 => proof.nodes.insert(at, self.node()),
            1 => proof.nodes.push(self.node()),
            2 if at < count => drop(proof.nodes.remove(at)),
            3 if at < count => proof.nodes[at] = self.node(),
            4 if at < count => {
                let other = self.rng.below(count as u64) as usize;
                proof.nodes.swap(at, other);
            }
            5 if at < count => {
                let (other, by) = (self.rng.below(count as u64) as usize, self.rng.below(5));
                proof.nodes[at].size = proof.nodes[at].size.wrapping_add(by);
                proof.nodes[other].size = proof.nodes[other].size.wrapping_sub(by);
            }
            6 => {
                // The genuine roots of some length and the genuine signature over them.
                let length = self.length();
                let roots: Vec<Index> = full_roots(length).collect();
                proof.nodes.retain(|node| !roots.contains(&node.index));
                let roots = roots.iter().map(|index| self.author.copy.nodes[index]);
                proof.nodes.extend(roots);
                proof.signature = Some(self.author.copy.signatures[&length]);
            }
            7 => proof.nodes.truncate(at),
            8 => proof.signature = Some(self.author.copy.signatures[&self.length()]),
            9 => proof.signature = None,
            10 => proof.block = self.rng.below(self.author.length()),
            _ => proof.nodes.sort_by_key(|node| node.index),
        }
    }

    fn value(&mut self, block: u64) -> Vec<u8> {
        let true_block = self.author.block(block);
        match self.rng.below(5) {
            0 => vec![0x66; true_block.len()],
            1 => self.foreign.block(block).to_vec(),
            2 => true_block[..true_block.len() / 2].to_vec(),
            _ => true_block.to_vec(),
        }
    }
}

#[test]
fn whatever_is_accepted_is_true() {
    let mut rng = Rng::new(seed(1));
    let mut accepted = [0, 0];
    for round in 0..60 {
        let length = 1 + rng.below(34);
        let (author, foreign) = (Author::of(1, length), Author::of(2, length));
        let mut reader = Reader::new();
        // In the second half of the rounds the reader has some of the feed.
        for _ in 0..(round / 30) * (1 + round % 8) {
            let block = rng.below(length);
            let result = if rng.one_in(3) {
                reader.put(&author.key(), author.answer(&ask_hash(block)), None)
            } else {
                let value = Some(&author.block(block)[..]);
                reader.put(&author.key(), author.answer(&ask(block)), value)
            };
            result.unwrap();
        }
        let mut liar = Liar {
            rng: Rng::new(rng.next_u64()),
            author: &author,
            foreign: &foreign,
        };
        for _ in 0..400 {
            let (mut proof, hash) = liar.honest(&reader);
            let changes = liar.rng.below(4);
            (0..changes).for_each(|_| liar.change(&mut proof));
            let value = (!hash).then(|| liar.value(proof.block));
            let result = reader.check(&author.key(), proof, value.as_deref());
            let Ok(checked) = result else { continue };
            assert_harmless(&author, &checked, hash, &format!("round {round}"));
            if let Some(value) = &value {
                assert_eq!(value, author.block(checked.block()), "round {round}");
            }
            accepted[usize::from(changes > 0)] += 1;
        }
    }
    // The test means something only if some proofs get through, changed or not.
    assert!(accepted.iter().all(|count| *count > 500), "{accepted:?}");
}
