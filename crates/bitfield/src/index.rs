//! The index over the bits of the blocks, by which JavaScript finds gaps.
//!
//! The index bytes of all pages form one array, numbered like a flat tree: byte `2g` describes data bytes `4g` to
//! `4g + 3`, an odd byte its two children. Each part of a byte is two bits: `11` all ones, `00` all zeros, `01` mixed.
//! The array is a function of the data alone; a child that lies beyond its end counts as zeros, so a page that is added
//! can change bytes in earlier ones.
//!
//! Source: `docs/format.md`, "Bitfield".

use flat_tree::{Index, full_roots};

use crate::page::{DATA, INDEX, Page};

/// How many leaves of the index a page has.
const LEAVES: u64 = (DATA / 4) as u64;

/// The depth of the byte that describes a whole page. Up to there all of them are in that page.
const PAGE_DEPTH: u32 = LEAVES.ilog2();

/// Pages that can be read.
pub(crate) trait Pages {
    fn end(&self) -> u64;
    fn page(&self, number: u64) -> Option<&Page>;
}

/// Pages that can be changed.
pub(crate) trait PagesMut: Pages {
    fn page_mut(&mut self, number: u64) -> &mut Page;
}

/// Brings the index up to date after data bytes `from..=to` of a page have changed.
pub(crate) fn update(pages: &mut impl PagesMut, page: u64, from: usize, to: usize) {
    if within_page(pages.page_mut(page), from / 4, to / 4) {
        climb(pages, Index::at(PAGE_DEPTH, page), false);
    }
}

/// Brings the index up to date after pages were added behind the first `old`.
pub(crate) fn grow(pages: &mut impl PagesMut, old: u64) {
    for root in full_roots(old * LEAVES) {
        climb(pages, root, true);
    }
}

/// Recomputes the bytes above one that has changed, as far as they change, or all of them.
fn climb(pages: &mut impl PagesMut, from: Index, all: bool) {
    let mut at = from.parent();
    while page_of(at) < pages.end() {
        let Some((left, right)) = at.children() else {
            return;
        };
        let byte = parent(get(pages, left), get(pages, right));
        if !set(pages, at, byte) && !all {
            return;
        }
        at = at.parent();
    }
}

/// Recomputes what describes the leaves `first..=last` within their page, level by level and as far as it changes.
/// Whether the byte over the whole page has changed.
fn within_page(page: &mut Page, mut first: usize, mut last: usize) -> bool {
    let mut changed = false;
    let (groups, _) = page.data.as_chunks();
    for (group, data) in groups.iter().enumerate().take(last + 1).skip(first) {
        changed |= replace(&mut page.index, 0, group, leaf(*data));
    }
    for depth in 1..=PAGE_DEPTH {
        if !changed {
            return false;
        }
        changed = false;
        (first, last) = (first / 2, last / 2);
        for offset in first..=last {
            let child = |offset| page.index.get(local(depth - 1, offset)).copied();
            let left = child(2 * offset).unwrap_or(0);
            let right = child(2 * offset + 1).unwrap_or(0);
            changed |= replace(&mut page.index, depth, offset, parent(left, right));
        }
    }
    changed
}

/// Where in its page the byte of a node of this depth stands, which is the `offset`th of them there.
fn local(depth: u32, offset: usize) -> usize {
    Index::at(depth, offset as u64).get() as usize
}

fn replace(index: &mut [u8; INDEX], depth: u32, offset: usize, byte: u8) -> bool {
    match index.get_mut(local(depth, offset)) {
        Some(place) => core::mem::replace(place, byte) != byte,
        None => false,
    }
}

fn leaf(data: [u8; 4]) -> u8 {
    match u32::from_ne_bytes(data) {
        u32::MAX => 0xff,
        0 => 0,
        _ => data.iter().fold(0, |byte, data| {
            byte << 2
                | match data {
                    0xff => 3,
                    0 => 0,
                    _ => 1,
                }
        }),
    }
}

fn parent(left: u8, right: u8) -> u8 {
    match (left, right) {
        (0xff, 0xff) => 0xff,
        (0, 0) => 0,
        _ => {
            quarter(left >> 4) << 6
                | quarter(left & 15) << 4
                | quarter(right >> 4) << 2
                | quarter(right & 15)
        }
    }
}

fn quarter(nibble: u8) -> u8 {
    match nibble {
        15 => 3,
        0 => 0,
        _ => 1,
    }
}

fn page_of(at: Index) -> u64 {
    at.get() / INDEX as u64
}

fn place_of(at: Index) -> usize {
    (at.get() % INDEX as u64) as usize
}

fn get(pages: &impl Pages, at: Index) -> u8 {
    let page = match page_of(at) {
        page if page < pages.end() => pages.page(page),
        _ => None,
    };
    page.and_then(|page| page.index.get(place_of(at)))
        .copied()
        .unwrap_or(0)
}

/// Whether the byte has changed. A page is made only to hold something.
fn set(pages: &mut impl PagesMut, at: Index, byte: u8) -> bool {
    if get(pages, at) == byte {
        return false;
    }
    if let Some(place) = pages.page_mut(page_of(at)).index.get_mut(place_of(at)) {
        *place = byte;
    }
    true
}
