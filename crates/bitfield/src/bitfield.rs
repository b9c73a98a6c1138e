//! The bitfield of a feed: which blocks and which nodes are stored.
//!
//! In memory it is what it is in the file, page by page, except that pages without a set bit needn't be there. Changes are
//! made on a [`Draft`], which copies the pages that it touches; what a draft has become is written, and then applied.

use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use core::{fmt, ops::Range};

use flat_tree::Index;

use crate::{
    index::{self, Pages, PagesMut},
    page::{BLOCKS_PER_PAGE, DATA, NODES_PER_PAGE, Page, PageSize},
};

/// Which blocks and which nodes of the tree are stored.
///
/// Memory follows the pages that have a bit set, never the position of a bit.
///
/// ```
/// use hypercore_bitfield::{Bitfield, PageSize};
///
/// let mut bitfield = Bitfield::new(PageSize::Current);
/// let mut draft = bitfield.draft();
/// draft.set_blocks(0..100, true);
/// draft.set_block(50, false);
/// let changes = draft.finish();
///
/// // Each page that changed is written as a whole; then the change is made known.
/// assert_eq!(changes.pages().count(), 1);
/// bitfield.apply(changes);
/// assert_eq!(bitfield.next_missing(0), 50);
/// assert_eq!(bitfield.count_blocks(0..100), 99);
/// ```
#[derive(Clone, Default)]
pub struct Bitfield {
    page_size: PageSize,
    pages: BTreeMap<u64, Arc<Page>>,
    /// One past the last page.
    end: u64,
}

impl Bitfield {
    /// An empty bitfield whose file has pages of this size.
    pub fn new(page_size: PageSize) -> Self {
        Bitfield {
            page_size,
            ..Bitfield::default()
        }
    }

    /// Takes over a page of a file; what is missing at its end is zeros. Its index bytes are computed, not believed. Pages may
    /// come in any order; one that lies beyond the last block number is passed over.
    pub fn load_page(&mut self, number: u64, bytes: &[u8]) {
        if number > LAST_PAGE {
            return;
        }
        self.page_mut(number).load(bytes);
        index::update(self, number, 0, DATA - 1);
    }

    /// The size of the pages of the file.
    pub fn page_size(&self) -> PageSize {
        self.page_size
    }

    /// One past the number of the last page.
    pub fn pages(&self) -> u64 {
        self.end
    }

    /// How many nodes the pages have bits for.
    pub fn node_bits(&self) -> u64 {
        self.end.saturating_mul(NODES_PER_PAGE)
    }

    /// A page as it stands in the file. One that isn't there is all zeros.
    pub fn page_bytes(&self, number: u64) -> Vec<u8> {
        self.page(number)
            .unwrap_or(&Page::EMPTY)
            .to_bytes(self.page_size)
    }

    /// The index of a page as it stands in the file, but for zeros at its end, of which it may have more there.
    pub fn page_index(&self, number: u64) -> &[u8] {
        let page = self.page(number).unwrap_or(&Page::EMPTY);
        match self.page_size {
            PageSize::Current => &page.index,
            PageSize::Legacy => &[],
        }
    }

    /// Whether a block is stored.
    pub fn has_block(&self, block: u64) -> bool {
        has_block(self, block)
    }

    /// Whether all blocks of a range are stored. Of an empty range they are.
    pub fn has_blocks(&self, blocks: Range<u64>) -> bool {
        blocks.is_empty() || self.next_missing(blocks.start) >= blocks.end
    }

    /// Whether a node is stored.
    pub fn has_node(&self, index: Index) -> bool {
        has_node(self, index)
    }

    /// How many blocks of a range are stored.
    pub fn count_blocks(&self, blocks: Range<u64>) -> u64 {
        self.pages_of(&blocks)
            .map(|(number, page)| match within(number, &blocks) {
                part if part.len() as u64 == BLOCKS_PER_PAGE => page.count,
                part => page
                    .blocks()
                    .get(part)
                    .map_or(0, |bits| bits.count_ones() as u64),
            })
            .sum()
    }

    /// How many nodes are stored.
    pub fn count_nodes(&self) -> u64 {
        let pages = self.pages.values();
        pages.map(|page| page.count_nodes()).sum()
    }

    /// The pages that have a block below `end` whose leaf isn't stored, which no page that was written whole has.
    pub fn pages_without_leaves(&self, end: u64) -> impl Iterator<Item = u64> + '_ {
        let pages = self.pages.range(..end.div_ceil(BLOCKS_PER_PAGE));
        let lacking =
            pages.filter(move |(number, page)| !page.has_leaves(within(**number, &(0..end)).end));
        lacking.map(|(number, _)| *number)
    }

    /// One past the last block that is stored; 0 if none is.
    pub fn blocks_end(&self) -> u64 {
        self.last_block(0..u64::MAX).map_or(0, |last| last + 1)
    }

    /// The last stored block of a range.
    pub fn last_block(&self, blocks: Range<u64>) -> Option<u64> {
        self.pages_of(&blocks).rev().find_map(|(number, page)| {
            if page.count == 0 {
                return None;
            }
            let bit = page.last_block(within(number, &blocks))?;
            Some(number * BLOCKS_PER_PAGE + bit as u64)
        })
    }

    /// The first stored block at or after `from`.
    pub fn next_block(&self, from: u64) -> Option<u64> {
        let blocks = from..u64::MAX;
        self.pages_of(&blocks).find_map(|(number, page)| {
            if page.count == 0 {
                return None;
            }
            let part = within(number, &blocks);
            let bit = page.blocks().get(part.clone())?.first_one()?;
            Some(number * BLOCKS_PER_PAGE + (part.start + bit) as u64)
        })
    }

    /// The first stored node at or after a position.
    pub fn next_node(&self, from: Index) -> Option<Index> {
        let (first, at) = node_place(from);
        self.pages.range(first..).find_map(|(number, page)| {
            let start = match *number == first {
                true => at,
                false => 0,
            };
            let bit = page.nodes().get(start..)?.first_one()?;
            Some(Index::new(number * NODES_PER_PAGE + (start + bit) as u64))
        })
    }

    /// The first block at or after `from` that is not stored.
    pub fn next_missing(&self, from: u64) -> u64 {
        let blocks = from..u64::MAX;
        let mut expected = from / BLOCKS_PER_PAGE;
        for (number, page) in self.pages_of(&blocks) {
            if number != expected {
                break;
            }
            let part = within(number, &blocks);
            if !page.is_full()
                && let Some(bits) = page.blocks().get(part.clone())
                && let Some(bit) = bits.first_zero()
            {
                return number * BLOCKS_PER_PAGE + (part.start + bit) as u64;
            }
            expected = number + 1;
        }
        from.max(expected.saturating_mul(BLOCKS_PER_PAGE))
    }

    /// The runs of stored blocks within a range, in order.
    pub fn block_runs(&self, blocks: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let mut next = blocks.start;
        core::iter::from_fn(move || {
            let start = self.next_block(next).filter(|start| *start < blocks.end)?;
            let end = self.next_missing(start).min(blocks.end);
            next = end;
            Some(start..end)
        })
    }

    /// Copies the bits of blocks, most significant first, beginning at block `start`, which is rounded down to a multiple
    /// of 8.
    pub fn copy_block_bits(&self, start: u64, out: &mut [u8]) {
        out.fill(0);
        let first = start / 8;
        let bytes_per_page = BLOCKS_PER_PAGE / 8;
        let blocks = first * 8..start.saturating_add(8 * out.len() as u64);
        for (number, page) in self.pages_of(&blocks) {
            // Where the page begins in `out`, or how much of it lies before.
            let begin = number * bytes_per_page;
            let skip = first.saturating_sub(begin) as usize;
            let at = begin.saturating_sub(first) as usize;
            let from = page.data.iter().skip(skip);
            out.iter_mut()
                .skip(at)
                .zip(from)
                .for_each(|(to, from)| *to = *from);
        }
    }

    /// Begins a change.
    pub fn draft(&self) -> Draft<'_> {
        Draft {
            base: self,
            pages: BTreeMap::new(),
            end: self.end,
        }
    }

    /// Makes a change known. It must have been drafted on what the bitfield is now.
    pub fn apply(&mut self, changes: Changes) {
        self.end = changes.end;
        self.pages.extend(changes.pages);
    }

    fn page(&self, number: u64) -> Option<&Page> {
        self.pages.get(&number).map(|page| &**page)
    }

    /// The pages that are there and have blocks of a range.
    fn pages_of(&self, blocks: &Range<u64>) -> impl DoubleEndedIterator<Item = (u64, &Page)> {
        let first = blocks.start / BLOCKS_PER_PAGE;
        let end = blocks.end.div_ceil(BLOCKS_PER_PAGE).max(first);
        self.pages
            .range(first..end)
            .map(|(number, page)| (*number, &**page))
    }
}

impl fmt::Debug for Bitfield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bitfield")
            .field("pages", &self.end)
            .field("blocks", &self.count_blocks(0..u64::MAX))
            .finish_non_exhaustive()
    }
}

/// A change in the making: reads like the bitfield with the change done.
pub struct Draft<'a> {
    base: &'a Bitfield,
    pages: BTreeMap<u64, Page>,
    end: u64,
}

impl Draft<'_> {
    /// Sets or clears a block; whether that changed it.
    pub fn set_block(&mut self, block: u64, value: bool) -> bool {
        self.set_blocks(block..block.saturating_add(1), value) > 0
    }

    /// Sets or clears a range of blocks; how many that changed. Clearing costs nothing where nothing is set; setting costs
    /// a page for every 8192 blocks.
    pub fn set_blocks(&mut self, blocks: Range<u64>, value: bool) -> u64 {
        let mut next = blocks.start / BLOCKS_PER_PAGE;
        let end = blocks.end.div_ceil(BLOCKS_PER_PAGE);
        let mut changed = 0;
        loop {
            let number = match value {
                true => next,
                // Pages that aren't there are passed over, however many they are.
                false => self.next_page(next).unwrap_or(end),
            };
            if number >= end {
                return changed;
            }
            next = number + 1;
            let part = within(number, &blocks);
            if part.is_empty() || self.all(number, part.clone(), value) {
                continue;
            }
            changed += self.page_mut(number).set_blocks(part.clone(), value);
            index::update(self, number, part.start / 8, (part.end - 1) / 8);
        }
    }

    /// Sets or clears a node; whether that changed it.
    pub fn set_node(&mut self, index: Index, value: bool) -> bool {
        if self.has_node(index) == value {
            return false;
        }
        let (page, at) = node_place(index);
        self.page_mut(page).set_node(at, value)
    }

    /// Whether a block is, or will be, stored.
    pub fn has_block(&self, block: u64) -> bool {
        has_block(self, block)
    }

    /// Whether a node is, or will be, stored.
    pub fn has_node(&self, index: Index) -> bool {
        has_node(self, index)
    }

    /// How many nodes the pages have bits for.
    pub fn node_bits(&self) -> u64 {
        self.end.saturating_mul(NODES_PER_PAGE)
    }

    /// What has become of it: the pages to write and then to apply.
    pub fn finish(self) -> Changes {
        let pages = self.pages.into_iter();
        Changes {
            page_size: self.base.page_size,
            pages: pages
                .map(|(number, page)| (number, Arc::new(page)))
                .collect(),
            end: self.end,
        }
    }

    /// The first page at or after this one that is there.
    fn next_page(&self, from: u64) -> Option<u64> {
        let drafted = self.pages.range(from..).next();
        let stored = self.base.pages.range(from..).next();
        let drafted = drafted.map(|(number, _)| *number);
        let stored = stored.map(|(number, _)| *number);
        drafted.into_iter().chain(stored).min()
    }

    /// Whether a part of a page is that value throughout.
    fn all(&self, number: u64, part: Range<usize>, value: bool) -> bool {
        match Pages::page(self, number).map(|page| page.blocks()) {
            None => !value,
            Some(blocks) => blocks.get(part).is_none_or(|bits| match value {
                true => bits.all(),
                false => bits.not_any(),
            }),
        }
    }
}

impl Pages for Bitfield {
    fn end(&self) -> u64 {
        self.end
    }

    fn page(&self, number: u64) -> Option<&Page> {
        self.page(number)
    }
}

impl PagesMut for Bitfield {
    fn page_mut(&mut self, number: u64) -> &mut Page {
        if number >= self.end {
            let old = self.end;
            self.end = number + 1;
            index::grow(self, old);
        }
        Arc::make_mut(self.pages.entry(number).or_default())
    }
}

impl Pages for Draft<'_> {
    fn end(&self) -> u64 {
        self.end
    }

    fn page(&self, number: u64) -> Option<&Page> {
        self.pages.get(&number).or_else(|| self.base.page(number))
    }
}

impl PagesMut for Draft<'_> {
    fn page_mut(&mut self, number: u64) -> &mut Page {
        if number >= self.end {
            let old = self.end;
            self.end = number + 1;
            self.pages.insert(number, Page::EMPTY);
            index::grow(self, old);
        }
        let base = self.base;
        self.pages
            .entry(number)
            .or_insert_with(|| base.page(number).cloned().unwrap_or(Page::EMPTY))
    }
}

impl fmt::Debug for Draft<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("touched", &self.pages.len())
            .finish_non_exhaustive()
    }
}

/// Pages that have changed.
#[derive(Clone)]
#[must_use = "a change is not made until it is applied"]
pub struct Changes {
    page_size: PageSize,
    pages: Vec<(u64, Arc<Page>)>,
    end: u64,
}

impl Changes {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The numbers of the pages and what is to be written of them, in order. Earlier pages are among them if their index
    /// has changed.
    pub fn pages(&self) -> impl Iterator<Item = (u64, Vec<u8>)> + '_ {
        self.pages
            .iter()
            .map(|(number, page)| (*number, page.to_bytes(self.page_size)))
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes")
            .field("pages", &self.pages.len())
            .finish_non_exhaustive()
    }
}

fn has_block(pages: &impl Pages, block: u64) -> bool {
    let at = (block % BLOCKS_PER_PAGE) as usize;
    let page = pages.page(block / BLOCKS_PER_PAGE);
    page.and_then(|page| page.blocks().get(at).map(|bit| *bit))
        .unwrap_or(false)
}

fn has_node(pages: &impl Pages, index: Index) -> bool {
    let (page, at) = node_place(index);
    pages
        .page(page)
        .and_then(|page| page.nodes().get(at).map(|bit| *bit))
        .unwrap_or(false)
}

fn node_place(index: Index) -> (u64, usize) {
    let bit = index.get();
    (bit / NODES_PER_PAGE, (bit % NODES_PER_PAGE) as usize)
}

/// The page of the last block that a number can name.
const LAST_PAGE: u64 = u64::MAX / BLOCKS_PER_PAGE;

/// The part of a page that lies in a range of blocks.
fn within(page: u64, blocks: &Range<u64>) -> Range<usize> {
    let begin = page * BLOCKS_PER_PAGE;
    let place = |block: u64| block.saturating_sub(begin).min(BLOCKS_PER_PAGE) as usize;
    place(blocks.start)..place(blocks.end)
}
