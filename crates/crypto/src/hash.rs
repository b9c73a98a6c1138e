//! The hashes of a feed: BLAKE2b with a type byte in front, so that no kind can pass for another.
//!
//! Source: `docs/format.md`, "Hashes".

use alloc::vec::Vec;

use blake2b_simd::{
    Params, State,
    many::{self, HashManyJob},
};

use crate::{Hash, stack::in_one_page};

const LEAF: u8 = 0;
const PARENT: u8 = 1;
const ROOTS: u8 = 2;

/// The input of a parent's hash: type, size, two hashes.
const PARENT_LEN: usize = 1 + 8 + 2 * Hash::LEN;

/// Blocks up to this size are copied behind their prefix to be hashed several at a time; copying larger ones would cost
/// more than it saves.
const COPIED: usize = 4096;

/// How many bytes of copies are hashed at a time.
const SCRATCH: usize = 64 * 1024;

/// The hash of a block.
pub fn leaf_hash(block: &[u8]) -> Hash {
    hash(&[&leaf_prefix(block), block])
}

/// The hashes of many blocks, several at a time by vector instructions where the machine has them.
///
/// ```
/// use hypercore_crypto::{leaf_hash, leaf_hashes};
///
/// let blocks: [&[u8]; 2] = [b"hello", b""];
/// assert_eq!(leaf_hashes(blocks), blocks.map(leaf_hash));
/// ```
pub fn leaf_hashes<'a>(blocks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Hash> {
    let blocks: Vec<&[u8]> = blocks.into_iter().collect();
    let mut hashes = Vec::with_capacity(blocks.len());
    for run in blocks.chunk_by(|a, b| (a.len() <= COPIED) == (b.len() <= COPIED)) {
        match run.first() {
            Some(block) if block.len() <= COPIED => small_leaves(run, &mut hashes),
            _ => large_leaves(run, &mut hashes),
        }
    }
    hashes
}

fn small_leaves(blocks: &[&[u8]], hashes: &mut Vec<Hash>) {
    let mut scratch = Vec::new();
    let mut lengths = Vec::new();
    for block in blocks {
        if scratch.len() + block.len() + 9 > SCRATCH {
            hash_pieces(&scratch, &lengths, hashes);
            scratch.clear();
            lengths.clear();
        }
        scratch.extend_from_slice(&leaf_prefix(block));
        scratch.extend_from_slice(block);
        lengths.push(block.len() + 9);
    }
    hash_pieces(&scratch, &lengths, hashes);
}

fn large_leaves(blocks: &[&[u8]], hashes: &mut Vec<Hash>) {
    // One state per lane is enough; more would only cost memory.
    for group in blocks.chunks(many::MAX_DEGREE) {
        let mut states: Vec<State> = group
            .iter()
            .map(|block| {
                let mut state = params().to_state();
                state.update(&leaf_prefix(block));
                state
            })
            .collect();
        in_one_page(|| many::update_many(states.iter_mut().zip(group.iter())));
        hashes.extend(states.iter().map(|state| digest(&state.finalize())));
    }
}

/// The hash of a parent whose children, `left` with the smaller index, together hold `size` bytes.
pub fn parent_hash(left: &Hash, right: &Hash, size: u64) -> Hash {
    digest(&params().hash(&parent_input(left, right, size)))
}

/// The hashes of many parents, each given as left hash, right hash and size, several at a time.
pub fn parent_hashes(parents: &[(Hash, Hash, u64)]) -> Vec<Hash> {
    let inputs: Vec<[u8; PARENT_LEN]> = parents
        .iter()
        .map(|(left, right, size)| parent_input(left, right, *size))
        .collect();
    let params = params();
    let mut jobs: Vec<HashManyJob<'_>> = inputs
        .iter()
        .map(|input| HashManyJob::new(&params, input))
        .collect();
    in_one_page(|| many::hash_many(jobs.iter_mut()));
    jobs.iter().map(|job| digest(&job.to_hash())).collect()
}

/// The hash over the roots of a feed, each given as index, size and hash, left to right: what is signed.
pub fn tree_hash(roots: impl IntoIterator<Item = (u64, u64, Hash)>) -> Hash {
    let mut state = params().to_state();
    state.update(&[ROOTS]);
    for (index, size, hash) in roots {
        state.update(hash.as_bytes());
        state.update(&index.to_be_bytes());
        state.update(&size.to_be_bytes());
    }
    digest(&state.finalize())
}

/// BLAKE2b of the concatenation of `parts`.
pub fn hash(parts: &[&[u8]]) -> Hash {
    absorb(params().to_state(), parts)
}

/// BLAKE2b of the concatenation of `parts`, under a key.
pub fn keyed_hash(key: &[u8; 32], parts: &[&[u8]]) -> Hash {
    absorb(params().key(key).to_state(), parts)
}

fn absorb(mut state: State, parts: &[&[u8]]) -> Hash {
    for part in parts {
        state.update(part);
    }
    digest(&state.finalize())
}

fn params() -> Params {
    let mut params = Params::new();
    params.hash_length(Hash::LEN);
    params
}

fn leaf_prefix(block: &[u8]) -> [u8; 9] {
    let mut prefix = [LEAF; 9];
    prefix[1..].copy_from_slice(&(block.len() as u64).to_be_bytes());
    prefix
}

fn parent_input(left: &Hash, right: &Hash, size: u64) -> [u8; PARENT_LEN] {
    let mut input = [PARENT; PARENT_LEN];
    input[1..9].copy_from_slice(&size.to_be_bytes());
    input[9..41].copy_from_slice(left.as_bytes());
    input[41..].copy_from_slice(right.as_bytes());
    input
}

/// Hashes pieces that lie one behind the other.
fn hash_pieces(mut bytes: &[u8], lengths: &[usize], hashes: &mut Vec<Hash>) {
    let params = params();
    let mut jobs = Vec::with_capacity(lengths.len());
    for &len in lengths {
        let (piece, rest) = bytes.split_at(len);
        jobs.push(HashManyJob::new(&params, piece));
        bytes = rest;
    }
    in_one_page(|| many::hash_many(jobs.iter_mut()));
    hashes.extend(jobs.iter().map(|job| digest(&job.to_hash())));
}

fn digest(hash: &blake2b_simd::Hash) -> Hash {
    let mut bytes = [0; Hash::LEN];
    bytes.copy_from_slice(hash.as_bytes());
    Hash::new(bytes)
}
