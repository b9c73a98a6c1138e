//! A log of one's own whose bitfield is lost: its length seems to be 0, but the author has signed more than that.
//!
//! Appending at 0 would sign other blocks in the place of those that peers already have. One signature beyond the length is no
//! such sign, because the first append of all may have broken off behind it; two are.
//!
//! To tell the same of a bitfield that is merely old, the whole log would have to be looked through.

use alloc::vec::Vec;

use bytes::Bytes;
use crypto::{PublicKey, Signature};
use flat_tree::full_roots;
use merkle::Roots;
use storage::{File, Read};

use crate::{
    Damage, Error,
    header::HEADER,
    layout::{NodeReads, SIGNATURE},
    prove::parse_signature,
};

/// How many signatures are looked at, and how many of them are verified at most.
const LOOKED_AT: usize = 4096;
const VERIFIED: usize = 8;

/// Signatures in the file of a feed that seems to be empty, and the roots that they would be for.
#[derive(Debug)]
pub(crate) struct Remains(Vec<(u64, Signature, NodeReads)>);

impl Remains {
    /// Where such signatures would be.
    pub(crate) fn read() -> Read {
        Read {
            file: File::Signatures,
            offset: HEADER,
            len: LOOKED_AT * SIGNATURE as usize,
        }
    }

    /// Those that are there, unless there are too few of them to tell anything.
    pub(crate) fn find(signatures: &[u8]) -> Option<Self> {
        let entries = (1..).zip(signatures.chunks(SIGNATURE as usize));
        let found: Vec<_> = entries
            .filter_map(|(length, bytes)| {
                let nodes = || NodeReads::new(full_roots(length), &Roots::new());
                Some((length, parse_signature(bytes).ok()?, nodes()))
            })
            .take(VERIFIED)
            .collect();
        (found.len() > 1).then_some(Remains(found))
    }

    /// The roots.
    pub(crate) fn reads(&self) -> Vec<Read> {
        let reads = self.0.iter().map(|(_, _, nodes)| nodes.reads());
        reads.flatten().copied().collect()
    }

    /// Refuses if more than one of them is the author's. Others are what JavaScript leaves of a feed that was overwritten.
    pub(crate) fn check(&self, key: &PublicKey, replies: &[Bytes]) -> Result<(), Error> {
        let mut replies = replies;
        let mut signed = 0;
        for (length, signature, nodes) in &self.0 {
            let (own, rest) = replies.split_at(replies.len().min(nodes.reads().len()));
            replies = rest;
            if let Ok(nodes) = nodes.parse(own)
                && let Ok(roots) = nodes.roots(*length)
                && key.verify(&roots.signable(), signature).is_ok()
            {
                signed += 1;
            }
        }
        match signed {
            0 | 1 => Ok(()),
            _ => Err(Error::corrupt(File::Bitfield, Damage::Outdated)),
        }
    }
}
