//! Opening what a crash, a power cut or a bad disk has left: the longest length that is signed and whose blocks are there.
//!
//! ```text
//! scan the signatures ─▶ search a base if the bits have none ─▶ walk on from it ─▶ search beyond
//!      ─▶ make damaged bits anew ─▶ finish a clearing that broke off ─▶ one batch of repairs
//! ```
//!
//! Nothing here is believed because it stands in a file. A length counts if its signature bears out the roots, a node if it makes
//! the one above it, a block if it matches its leaf. The argument, and what each state leads to, is in `docs/durability.md`.

mod free;
mod leaf;
mod rebuild;
mod search;
mod walk;

use alloc::{collections::BTreeSet, vec::Vec};
use core::ops::Range;

use bitfield::{Bitfield, RangeSet};
use bytes::Bytes;
use crypto::{Dialect, KeyPair, PublicKey, Signature};
use flat_tree::Index;
use merkle::{Node, Roots};
use storage::{Batch, File, Read};

pub(crate) use self::rebuild::Rebuild;
use self::{free::Free, search::Search, walk::Walk};
use crate::{
    Damage, Error, Kind,
    header::HEADER,
    layout::{SIGNATURE, node_offset, signature_offset},
    notes::Notes,
    prove::parse_signature,
};

/// How many signatures are read at a time, and how many are kept: the last ones.
const SCANNED: u64 = 4096;

/// Behind so many blanks nothing more is looked for. A file that seems huge costs that much time.
const BLANKS: u64 = 1 << 20;

/// What opening found damaged, and what it did about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// The length that the bitfield claimed, in blocks.
    pub claimed: u64,
    /// The length that is proved.
    pub length: u64,
    /// Signatures that the tree doesn't bear out: mostly of lengths beyond, whose blocks never reached the disk. They are cut off.
    pub cut: u64,
    /// Blocks that are signed, or were marked as stored, and aren't there. They can be fetched from whoever has them.
    pub lost: RangeSet,
    /// Blocks that are there and weren't marked as stored.
    pub found: RangeSet,
    /// How many pages of the bitfield didn't say what is stored.
    pub pages: u64,
    /// How many nodes were missing in the tree, or wrong, and follow from others or from their blocks.
    pub nodes: u64,
    /// Whether the signature of the length was missing and has been made again. It is the same: Ed25519 has no other.
    pub signed: bool,
    /// Blocks whose clearing had broken off and is finished.
    pub cleared: Option<Range<u64>>,
}

/// What is known when a recovery begins.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) bitfield: Bitfield,
    pub(crate) length: u64,
    /// The roots of that length with what vouches for them, or why they can't be had.
    pub(crate) proved: Result<(Roots, Kind), Error>,
    /// The roots, if only the signature is missing.
    pub(crate) unsigned: Option<Roots>,
    pub(crate) notes: Notes,
    /// Blocks whose bits can't be right, and pages that aren't as they must be.
    pub(crate) suspects: RangeSet,
    pub(crate) pages: BTreeSet<u64>,
    /// Blocks at the end whose bits may not have reached the disk, or were cleared.
    pub(crate) tail: Range<u64>,
}

/// Whose feed it is, and what may be done.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) key: PublicKey,
    pub(crate) pair: Option<KeyPair>,
    pub(crate) dialect: Dialect,
    pub(crate) external: bool,
    /// Whether a shorter feed than the bitfield claims may be written on.
    pub(crate) accept_loss: bool,
}

/// A recovery that is going on.
#[derive(Debug)]
pub(crate) struct Recovering {
    terms: Terms,
    claim: Claim,
    candidates: Vec<(u64, Signature)>,
    /// The length whose signature the file ends in the middle of.
    torn: Option<u64>,
    /// Lengths below the one that is proved, whose signatures are left over from something else.
    stale: Vec<u64>,
    roots: Roots,
    kind: Kind,
    stage: Stage,
    /// Nodes to be written.
    nodes: Vec<Node>,
    original: Bitfield,
    report: Recovery,
}

/// What a recovery has come to.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) roots: Roots,
    pub(crate) kind: Kind,
    pub(crate) bitfield: Bitfield,
    /// What is to be written, but for the headers.
    pub(crate) batch: Batch,
    pub(crate) report: Recovery,
}

#[derive(Debug)]
enum Stage {
    Scan(u64),
    Base(Search),
    Walk(Walk),
    Beyond(Search),
    Rebuild(Rebuild),
    Free(Free),
    Done,
}

impl Recovering {
    pub(crate) fn new(terms: Terms, claim: Claim) -> Self {
        let (roots, kind) = match &claim.proved {
            Ok((roots, kind)) => (roots.clone(), *kind),
            Err(_) => (Roots::new(), Kind::Live),
        };
        let report = Recovery {
            claimed: claim.length,
            ..Recovery::default()
        };
        Recovering {
            stage: Stage::Scan(roots.length()),
            original: claim.bitfield.clone(),
            terms,
            claim,
            candidates: Vec::new(),
            torn: None,
            stale: Vec::new(),
            roots,
            kind,
            nodes: Vec::new(),
            report,
        }
    }

    /// What is to be read next. `None`: that is all.
    ///
    /// # Errors
    /// Why the claimed length can't be had, if nothing else is left or if it would have to be signed twice.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<Read>>, Error> {
        loop {
            let reads = match &mut self.stage {
                Stage::Scan(next) => Some(scan(*next)),
                Stage::Base(search) | Stage::Beyond(search) => search.next(),
                Stage::Walk(walk) => walk.next(),
                Stage::Rebuild(rebuild) => rebuild.next(),
                Stage::Free(free) => free.next(),
                Stage::Done => return Ok(None),
            };
            if reads.is_some() {
                return Ok(reads);
            }
            self.stage = match core::mem::replace(&mut self.stage, Stage::Done) {
                Stage::Scan(_) | Stage::Done => Stage::Done,
                Stage::Base(search) => self.found_base(search)?,
                Stage::Walk(walk) => self.walked(walk)?,
                Stage::Beyond(search) => self.searched(search)?,
                Stage::Rebuild(rebuild) => self.rebuilt(rebuild),
                Stage::Free(free) => {
                    self.nodes.shrink_to_fit();
                    self.stage = Stage::Free(free);
                    return Ok(None);
                }
            };
        }
    }

    pub(crate) fn take(&mut self, replies: &[Bytes]) {
        let key = self.terms.key;
        match &mut self.stage {
            Stage::Scan(next) => {
                let next = *next;
                self.scanned(next, replies);
            }
            Stage::Base(search) | Stage::Beyond(search) => search.check(&key, replies),
            Stage::Walk(walk) => walk.check(&key, replies),
            Stage::Rebuild(rebuild) => rebuild.check(replies),
            Stage::Free(free) => free.check(replies),
            Stage::Done => {}
        }
    }

    fn scanned(&mut self, first: u64, replies: &[Bytes]) {
        let bytes = replies.first().map(|reply| &reply[..]).unwrap_or_default();
        let entries = bytes.chunks_exact(SIGNATURE as usize);
        if entries.remainder().iter().any(|byte| *byte != 0) {
            self.torn = Some(first + entries.len() as u64 + 1);
        }
        let entries = (first + 1..).zip(entries);
        let found =
            entries.filter_map(|(length, entry)| Some((length, parse_signature(entry).ok()?)));
        self.candidates.extend(found);
        let surplus = self.candidates.len().saturating_sub(SCANNED as usize);
        self.candidates.drain(..surplus);
        let last = self.candidates.last().map_or(0, |(length, _)| *length);
        let blanks = first + SCANNED - last.max(self.roots.length());
        let full = bytes.len() as u64 == SCANNED * SIGNATURE && blanks < BLANKS;
        self.stage = match (full, &self.claim.proved) {
            (true, _) => Stage::Scan(first + SCANNED),
            // A bitfield that was lost. In a feed that is new the first bits may not be there yet.
            (false, Ok(_)) if self.claim.length == 0 && !self.claim.notes.ordered => {
                Stage::Base(Search::among(&self.candidates, 0))
            }
            (false, Ok(_)) => self.walk(),
            (false, Err(_)) => Stage::Base(Search::among(&self.candidates, 0)),
        };
    }

    /// The bits claim a length that nothing bears out. Whatever they say of single blocks isn't believed either.
    fn found_base(&mut self, search: Search) -> Result<Stage, Error> {
        match search.found {
            Some(roots) => self.roots = roots,
            None if self.claim.length == 0 => return Ok(self.walk()),
            None if self.author() && self.claim.unsigned.is_some() => {}
            None => return Err(self.refusal()),
        }
        self.claim.suspects.insert(0..u64::MAX);
        Ok(self.walk())
    }

    fn walk(&self) -> Stage {
        let empty = &[][..];
        let (candidates, unsigned) = match self.author() {
            true => (&self.candidates[..], self.claim.unsigned.clone()),
            // A copy has gaps, and what is missing comes again.
            false => (empty, None),
        };
        Stage::Walk(Walk::new(
            &self.roots,
            candidates,
            unsigned,
            self.claim.length,
            self.terms.external,
        ))
    }

    fn walked(&mut self, walk: Walk) -> Result<Stage, Error> {
        if let Some(proved) = walk.proved {
            let blocks = self.roots.length()..proved.roots.length();
            self.roots = proved.roots;
            self.report.signed = proved.unsigned;
            self.stale = proved.stale;
            self.mark(blocks, &proved.nodes);
            self.nodes = proved.nodes;
        }
        // Where bits come behind a sync, nobody has seen what lies beyond them, and it may be signed again. Elsewhere a signature
        // that the tree bears out is kept, even if blocks are missing: somebody may have them.
        if self.claim.notes.ordered && self.author() && self.claim.proved.is_ok() {
            self.cut();
            return self.settled();
        }
        let beyond = Search::among(&self.candidates, self.roots.length());
        Ok(Stage::Beyond(beyond))
    }

    fn searched(&mut self, search: Search) -> Result<Stage, Error> {
        if let Some(roots) = search.found {
            let suspects = self.roots.length()..roots.length();
            self.claim.suspects.insert(suspects);
            self.roots = roots;
            self.report.signed = false;
        }
        self.cut();
        self.settled()
    }

    /// The length is known. Is it one that may be written on?
    fn settled(&mut self) -> Result<Stage, Error> {
        let length = self.roots.length();
        if self.author() && length < self.claim.length && !self.terms.accept_loss {
            return Err(self.refusal());
        }
        self.report.length = length;
        let mut suspects = RangeSet::default();
        for range in self.claim.suspects.iter() {
            suspects.insert(range.start.min(length)..range.end.min(length));
        }
        let tail = &self.claim.tail;
        suspects.insert(tail.start.min(length)..tail.end.min(length));
        let bitfield = core::mem::take(&mut self.claim.bitfield);
        let rebuild = Rebuild::new(&self.roots, suspects, bitfield, self.terms.external);
        Ok(Stage::Rebuild(rebuild))
    }

    fn rebuilt(&mut self, rebuild: Rebuild) -> Stage {
        self.claim.bitfield = without_bits_from(self.roots.length(), rebuild.bitfield);
        self.report.nodes = rebuild.missing.len() as u64;
        self.nodes.extend(rebuild.missing);
        self.trim_tail();
        let (now, then) = (&self.claim.bitfield, &self.original);
        self.report.found = difference(now, then, self.roots.length());
        self.report.lost = difference(then, now, self.roots.length());
        let beyond = self.claim.length.min(self.roots.length())..self.roots.length();
        let mut next = beyond.start;
        // A copy has yet to fetch what lies beyond what it claimed.
        while self.author() && next < beyond.end {
            let start = now.next_missing(next);
            let end = now.next_block(start).unwrap_or(u64::MAX).min(beyond.end);
            self.report.lost.insert(start.min(end)..end);
            next = end;
        }
        let clearing = self.claim.notes.clearing.clone();
        let clearing = clearing.filter(|_| !self.terms.external);
        Stage::Free(Free::new(clearing, &self.claim.bitfield, &self.roots))
    }

    /// Of blocks at the end only the last ones can lack their bits. What lies before one that isn't there was cleared, even if
    /// it is an empty block, which matches its leaf always.
    fn trim_tail(&mut self) {
        let tail = self.claim.tail.clone();
        let gone = tail
            .clone()
            .rev()
            .find(|block| !self.claim.bitfield.has_block(*block));
        if let Some(gone) = gone {
            let kept = &self.original;
            let mut draft = self.claim.bitfield.draft();
            for block in tail.start..gone {
                draft.set_block(block, kept.has_block(block));
            }
            let changes = draft.finish();
            self.claim.bitfield.apply(changes);
        }
    }

    fn mark(&mut self, blocks: Range<u64>, nodes: &[Node]) {
        let mut draft = self.claim.bitfield.draft();
        for node in nodes {
            draft.set_node(node.index, true);
        }
        // What is claimed already may have been cleared.
        draft.set_blocks(blocks.start.max(self.claim.length)..blocks.end, true);
        let changes = draft.finish();
        self.claim.bitfield.apply(changes);
    }

    /// Signatures that nothing bears out are to go: whoever is served a block together with one would take it for a lie.
    fn cut(&mut self) {
        let length = self.roots.length();
        let candidates = self.candidates.iter().map(|(other, _)| *other);
        let beyond = candidates.chain(self.torn).filter(|other| *other > length);
        self.report.cut = (beyond.count() + self.stale.len()) as u64;
    }

    fn author(&self) -> bool {
        self.terms.pair.is_some()
    }

    fn refusal(&self) -> Error {
        match &self.claim.proved {
            Err(error) => *error,
            Ok(_) => Error::corrupt(File::Tree, Damage::MissingNode),
        }
    }

    /// What it has come to.
    pub(crate) fn finish(mut self) -> Recovered {
        let mut batch = Batch::new();
        self.nodes.sort_unstable_by_key(|node| node.index);
        self.nodes.dedup_by_key(|node| node.index);
        for node in &self.nodes {
            let bytes = Bytes::copy_from_slice(&node.to_bytes());
            batch.write(File::Tree, node_offset(node.index), bytes);
        }
        let length = self.roots.length();
        if let (true, Some(pair)) = (self.report.signed, &self.terms.pair) {
            let signature = pair.sign(&self.roots.signable(), self.terms.dialect);
            let bytes = Bytes::copy_from_slice(signature.as_bytes());
            batch.write(File::Signatures, signature_offset(length), bytes);
        }
        let bitfield = self.claim.bitfield;
        let pages = write_changed(&mut batch, &bitfield, &self.original, &self.claim.pages);
        self.report.pages = pages;
        for length in &self.stale {
            let blank = Bytes::from_static(&[0; SIGNATURE as usize]);
            batch.write(File::Signatures, signature_offset(*length), blank);
        }
        if self.report.cut > 0 {
            batch.truncate(File::Signatures, HEADER + SIGNATURE * length);
            // What is signed next comes behind that, not in front of what was to go.
            batch.barrier();
        }
        if let Stage::Free(free) = self.stage {
            self.report.cleared = free.finish(&mut batch);
        }
        Recovered {
            roots: self.roots,
            kind: self.kind,
            bitfield,
            batch,
            report: self.report,
        }
    }
}

impl Recovery {
    /// Whether anything was wrong with what is stored. What a crash leaves behind the bits is found again without harm.
    pub fn is_loss(&self) -> bool {
        self.length < self.claimed || !self.lost.is_empty()
    }

    /// Whether something that was signed once is gone, as far as the files tell, so that somebody may have what isn't here.
    pub fn is_behind(&self) -> bool {
        self.cut > 0 || self.is_loss()
    }

    /// Whether nothing had to be done.
    pub(crate) fn is_nothing(&self) -> bool {
        let idle = Recovery {
            claimed: self.claimed,
            length: self.claimed,
            ..Recovery::default()
        };
        *self == idle
    }
}

fn scan(next: u64) -> Vec<Read> {
    Vec::from([Read {
        file: File::Signatures,
        offset: HEADER + SIGNATURE * next,
        len: (SCANNED * SIGNATURE) as usize,
    }])
}

/// Blocks that one has and the other hasn't.
fn difference(of: &Bitfield, without: &Bitfield, length: u64) -> RangeSet {
    let mut left = RangeSet::default();
    for run in of.block_runs(0..length) {
        left.insert(run);
    }
    for run in without.block_runs(0..length) {
        left.remove(run);
    }
    left
}

/// Forgets blocks beyond the length, whose bits JavaScript leaves behind when it truncates, and nodes: no peer may be told of
/// them, and the length is read from them.
fn without_bits_from(length: u64, mut bitfield: Bitfield) -> Bitfield {
    let mut draft = bitfield.draft();
    draft.set_blocks(length..u64::MAX, false);
    let mut next = Index::from_block(length);
    while let Some(node) = bitfield.next_node(next) {
        draft.set_node(node, false);
        next = Index::new(node.get() + 1);
    }
    // Parents of what isn't there any more lie further left.
    for depth in 1..=56u32 {
        let span = 1u64 << depth;
        let node = Index::at(depth, length >> depth);
        if !length.is_multiple_of(span) && bitfield.has_node(node) {
            draft.set_node(node, false);
        }
    }
    let changes = draft.finish();
    bitfield.apply(changes);
    bitfield
}

/// Adds a barrier, each page that differs or has to be written anyway, and another barrier. How many pages these are.
fn write_changed(batch: &mut Batch, now: &Bitfield, then: &Bitfield, also: &BTreeSet<u64>) -> u64 {
    let mut count = 0;
    batch.barrier();
    for number in 0..now.pages().max(then.pages()) {
        let page = now.page_bytes(number);
        if also.contains(&number) || page != then.page_bytes(number) {
            count += 1;
            let offset = HEADER + number * page.len() as u64;
            batch.write(File::Bitfield, offset, page.into());
        }
    }
    batch.barrier();
    count
}

/// The index of a page, in short. Zeros at its end, which the file may lack, make no difference.
pub(crate) fn index_print(index: &[u8]) -> u64 {
    let (words, rest) = index.as_chunks();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    // A sum of words, each times an odd number of its own: any change of one is seen, and zeros add nothing.
    let words = words.iter().chain([&last]).copied().map(u64::from_le_bytes);
    let numbers = (1_u64..).map(|place| place.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    words.zip(numbers).fold(0, |print, (word, number)| {
        word.wrapping_mul(number).wrapping_add(print)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_an_index_counts_and_zeros_at_its_end_do_not() {
        let index: Vec<u8> = (0..512).map(|at| (at * 7 % 256) as u8).collect();
        let print = index_print(&index);
        for at in 0..512 {
            let mut other = index.clone();
            other[at] ^= 0x10;
            assert_ne!(index_print(&other), print, "{at}");
            other[at..].fill(0);
            assert_eq!(index_print(&other[..at]), index_print(&other), "{at}");
        }
        let swapped = [&index[8..16], &index[..8], &index[16..]].concat();
        assert_ne!(index_print(&swapped), print);
    }
}
