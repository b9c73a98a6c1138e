//! Each signature against the roots of its length, as far as these are stored.

use alloc::vec::Vec;

use bytes::Bytes;
use crypto::Signature;
use flat_tree::full_roots;
use storage::{File, Read};

use super::{AuditReport, Finding};
use crate::{
    Feed,
    layout::{NodeReads, SIGNATURE, signature_offset},
    prove::parse_signature,
};

/// How many entries a piece has.
const PIECE: u64 = 256;

/// Goes through the entries: first what is in them, then the roots that they are for.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// How many entries have been looked at.
    done: u64,
    end: u64,
    /// What was found in the last piece, and what has to be read for it.
    found: Option<(Vec<(u64, Signature)>, NodeReads)>,
    /// Whether the last entry of all has a signature.
    signed: bool,
}

impl Sweep {
    pub(super) fn next(
        &mut self,
        feed: &Feed,
        length: u64,
        report: &mut AuditReport,
    ) -> Option<Vec<Read>> {
        if !feed.is_live() || length == 0 {
            return None;
        }
        if let Some((_, nodes)) = &self.found {
            return Some(nodes.reads().to_vec());
        }
        self.end = length;
        if self.done == length {
            if !self.signed {
                report.found(Finding::MissingSignature { length });
            }
            return None;
        }
        let count = PIECE.min(length - self.done);
        Some(Vec::from([Read {
            file: File::Signatures,
            offset: signature_offset(self.done + 1),
            len: (count * SIGNATURE) as usize,
        }]))
    }

    pub(super) fn check(&mut self, feed: &Feed, replies: &[Bytes], report: &mut AuditReport) {
        if let Some((found, nodes)) = self.found.take() {
            // A node that isn't there has been reported in its own place.
            let nodes = nodes.parse_all(replies);
            for (length, signature) in found {
                if let Ok(roots) = nodes.roots(length)
                    && !feed.verify(&roots, &signature)
                {
                    report.found(Finding::WrongSignature { length });
                }
            }
            return;
        }
        let entries = replies.first().map(|reply| &reply[..]).unwrap_or_default();
        let lengths = self.done + 1..=self.end;
        let found: Vec<(u64, Signature)> = lengths
            .zip(entries.chunks(SIGNATURE as usize).take(PIECE as usize))
            .filter_map(|(length, entry)| Some((length, parse_signature(entry).ok()?)))
            .collect();
        self.done = self.end.min(self.done + PIECE);
        self.signed = found.last().is_some_and(|(length, _)| *length == self.end);
        let stored = found.iter().flat_map(|(length, _)| full_roots(*length));
        let stored = stored.filter(|root| feed.bitfield.has_node(*root));
        let nodes = NodeReads::new(stored, &feed.roots);
        if !found.is_empty() {
            self.found = Some((found, nodes));
        }
    }
}
